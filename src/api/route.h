/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* From method and path to a row of the table. Patterns: literal text with at most one capture, "{name}" (no slash in it) or
 * "{name*}" (slashes allowed: names of images). The first row that fits wins. */

#include <stdbool.h>
#include <stddef.h>

struct err;
struct request;

enum route_body {
        ROUTE_BODY_NONE,   /* what is sent is read and forgotten */
        ROUTE_BODY_JSON,   /* parsed when there is one */
        ROUTE_BODY_UPLOAD, /* handed on piece by piece to `upload` */
};

struct route_upload {
        int (*begin)(struct request *q, struct err *err); /* may make none: then the body is read and forgotten */
        int (*feed)(struct request *q, const char *data, size_t size, struct err *err);
};

struct route {
        const char *method;
        const char *pattern;
        int (*handle)(struct request *q, struct err *err); /* answers and returns 0, or fills *err and returns negative errno */
        unsigned since;                                    /* 1.N; 0: from the start */
        enum route_body body;
        const struct route_upload *upload;
        const char *refusal; /* instead of `handle`: a sentence why not … */
        unsigned status;     /* … and its status */
};

/* "/v1.41/images/json" → *ret_minor 41 and *ret_path "/images/json" (a part of `url`); without a prefix our own version.
 * ERR_INVALID when that version is older or newer than what is spoken here. */
int route_version(const char *url, unsigned *ret_minor, const char **ret_path, struct err *err);

/* capture may be NULL; it points into path and is not terminated. */
bool route_match(const char *pattern, const char *path, const char **ret_capture, size_t *ret_size);

const struct route *route_find(const struct route *table, size_t n, const char *method, const char *path, unsigned minor,
                               const char **ret_capture, size_t *ret_size);

extern const struct route api_routes[];
extern const size_t api_n_routes;
