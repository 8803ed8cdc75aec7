/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <stdint.h>

struct engine;
struct err;

/* "10m", "1h30m": that long before now; seconds since 1970; an RFC 3339 date. −EINVAL, −ERANGE. */
int prune_parse_until(const char *text, int64_t now_ns, int64_t *ret);
/* The filter "until": what was made before it. INT64_MAX: it is not given. */
int prune_read_until(const json_t *filters, int64_t *ret, struct err *err);
/* The event at the end: type is "container", "image", … */
void prune_event(struct engine *e, const char *type, int64_t reclaimed);
