/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What crash or hand left over while the daemon runs: private to fsck.c and fsck-store.c. Every look is taken under the lock of whoever makes such a thing, or of
 * a container whose `op` is free: what is being made or removed at that moment is nobody's left-over. */

#include <jansson.h>
#include <stdbool.h>

struct container;
struct engine;
struct engine_fsck_options;
struct err;

struct fsck {
        struct engine *engine;
        bool fix;
        json_t *findings; /* [{"Kind", "Object", "Problem", "Action", "Mended"}] */
};

/* action: what was done, when f->fix and `result` is not negative. */
void fsck_found(struct fsck *f, const char *kind, const char *object, const char *problem, const char *action, int result);

/* fsck-store.c */
void fsck_volumes(struct fsck *f);
void fsck_sizes(struct fsck *f);  /* limits of size that are nobody's */
void fsck_layers(struct fsck *f); /* and blobs */
void fsck_scratch(struct fsck *f);
int fsck_digests(struct fsck *f, const struct engine_fsck_options *o, struct err *err);
