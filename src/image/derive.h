/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A new image made from texts: those of another image, changed, or none; and perhaps one more layer, whose file is in a scratch directory. From there on it
 * is as a load, with that directory in the place of the archive: layers that are there already are not moved. */

#include <jansson.h>

#include "image/digest.h"
#include "image/platform.h"
#include "image/store.h"

struct err;

struct derive {
        struct image_store *store;
        char token[64];
        int dir_fd;              /* scratch: blobs by their hex digits */
        json_t *config, *layers; /* own: the config whole, and the manifest's descriptors */
        struct platform platform;
        int64_t made_unix_s; /* when; 0: now */
};

/* One new image: `make` gets a scratch directory, and ends with derive_commit(). What is half-made goes away with the directory. */
typedef int (*derive_make_fn)(struct derive *d, const void *how, char ret_id[72], struct err *err);
int derive_run(struct image_store *s, derive_make_fn make, const void *how, char ret_id[72], struct err *err);

/* Begin with an image of the store, or with nothing. */
int derive_from(struct derive *d, const char *image, struct err *err);
int derive_from_scratch(struct derive *d, const char *platform, struct err *err);

/* One more layer on top. `media_type` is OCI's. */
int derive_add_layer(struct derive *d, const struct digest *blob, uint64_t size, const char *media_type, const struct digest *diff_id, struct err *err);
/* One more entry of its history, and when it was made. Texts may be NULL or empty. */
int derive_add_history(struct derive *d, const char *created_by, const char *author, const char *comment, bool empty_layer, struct err *err);

/* Into the store, with that name (a reference with a tag; NULL: without). */
int derive_commit(struct derive *d, const char *name, char ret_id[72], struct err *err);

#define LAYER_TAR "application/vnd.oci.image.layer.v1.tar"
