/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct err;

/* Give up everything but: sockets of its own, what is open already, and reading the host's resolv.conf. In the order that confine.c tells. */
int dns_confine(struct err *err);
