/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Points in time as Docker and Kubernetes write them. No heap, no stdio, no locale: the monitor uses it per log line. */

#include <stdint.h>
#include <time.h>

enum { TIME_RFC3339_SIZE = 36 }; /* "2026-11-21T22:56:11.123456789Z" and a NUL, with room to spare */

/* Always UTC, always nine decimals. */
void time_format(const struct timespec *t, char ret[TIME_RFC3339_SIZE]);
void time_format_ns(int64_t unix_ns, char ret[TIME_RFC3339_SIZE]);
void time_format_now(char ret[TIME_RFC3339_SIZE]);

/* Nanoseconds since 1970. */
int64_t time_now_ns(void);

/* RFC 3339 with "Z" or an offset, 0 to 9 decimals. -EINVAL when it is anything else. */
int time_parse(const char *s, int64_t *ret_unix_ns);
