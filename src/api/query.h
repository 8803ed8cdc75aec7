/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The decoded query of a request. Strict: a value that is not what it should be is refused by name (ERR_INVALID), never guessed. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum { QUERY_ARGS_MAX = 64 };

struct query {
        struct {
                const char *key, *value; /* borrowed from the connection; value "" when there was no "=" */
        } args[QUERY_ARGS_MAX];
        size_t n;
};

/* The first value of that key, or NULL. */
const char *query_get(const struct query *q, const char *key);
/* The same, but "" counts as missing, as it does for the stock server. */
const char *query_get_text(const struct query *q, const char *key);

int query_bool(const struct query *q, const char *key, bool fallback, bool *ret, struct err *err);
int query_int(const struct query *q, const char *key, int64_t min, int64_t max, int64_t fallback, int64_t *ret, struct err *err);
/* Unix seconds with up to nine decimals → nanoseconds; 0 when missing. */
int query_time(const struct query *q, const char *key, int64_t *ret_ns, struct err *err);
/* "filters": {"name":["a"]} or the older {"name":{"a":true}} → {"name":["a"]}; NULL when missing. The caller's reference. */
int query_filters(const struct query *q, json_t **ret, struct err *err);

/* "changes" once per line of a Dockerfile, or all lines in one. Both for who changes a new image's configuration: commit, import. */
enum { QUERY_CHANGES_MAX = 128 };
struct query_changes {
        const char *lines[QUERY_CHANGES_MAX];
        size_t n;
        char *text; /* owns them */
};
int query_changes(const struct query *q, struct query_changes *ret, struct err *err);
void query_changes_done(struct query_changes *c);
