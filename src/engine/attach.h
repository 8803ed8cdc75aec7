/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct err;
struct monitor_attach;

/* "ctrl-p,ctrl-q", "a,ctrl-[": NULL or "" is Docker's default. ERR_INVALID: not such keys, or more than fit. */
int attach_parse_detach_keys(const char *text, struct monitor_attach *ret, struct err *err);
