/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* From whom something is read that a name stands for: the mirrors of its registry in their order, then the registry itself. */

#include <stdbool.h>
#include <stddef.h>

#include "image/fetcher.h"
#include "image/image.h"

struct err;
struct registries;

struct sources {
        struct image_store *store;
        const struct image_pull *asked;
        const struct image_reference *reference;
        struct registries *registries; /* those that counted at the beginning */
        size_t n_asked;                /* mirrors so far */
        bool from_mirror;
        struct fetcher fetcher;        /* who is asked now */
};

/* What is given is borrowed until sources_done(), which is due whatever happens. */
void sources_init(struct sources *s, struct image_store *store, const struct image_pull *asked, const struct image_reference *reference);
void sources_done(struct sources *s);

/* The first one. */
int sources_start(struct sources *s, struct err *err);
/* After the one before has failed by `r` and *err. False: that was the last one, or nobody wants more. */
bool sources_next(struct sources *s, int r, struct err *err);
