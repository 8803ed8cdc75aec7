/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The Link header (RFC 8288, section 3): where a registry's list goes on. Hostile text of any length; nothing is copied. */

#include <stddef.h>

/* The target of the first link whose relations have "next": *ret_size bytes at *ret, in `header`, and not looked at. 1: there is one; 0: none; -EINVAL: that is no such header. */
int link_next(const char *header, const char **ret, size_t *ret_size);
