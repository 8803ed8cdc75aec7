/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* An image on its way into the store, from a registry or an archive: its texts, verified and checked, until it is an entry. */

#include "image/manifest.h"
#include "image/platform.h"
#include "image/store.h"
#include "image/transfer.h"

struct err;

struct import {
        char *manifest_text, *config_text, *index_text; /* NULL: without an index */
        size_t manifest_size, index_size;
        struct digest manifest_digest, index_digest;
        bool has_index;
        bool artifact; /* there is no config to be understood, and the layers are any files */
        int64_t created_unix_ns; /* of an artifact */
        struct manifest manifest;
        struct image_config config;
};
void import_done(struct import *i);
#define auto_import __attribute__((cleanup(import_done))) struct import

/* Where a chosen manifest and its config are read from. The texts are verified by their digest; the caller frees. */
struct import_source {
        int (*manifest)(void *data, const struct descriptor *d, char **ret, size_t *ret_size, char media_type[128], struct err *err);
        int (*config)(void *data, const struct descriptor *d, char **ret, struct err *err);
        void *data;
        bool artifacts; /* are wanted, too */
};

/* `text` (taken) was named by a tag or an index and verified if it had a digest. An index is followed to the manifest for `want`. `explicit`: the
 * platform was asked for, so a single manifest of another one is refused. */
int import_read(struct import *i, const struct import_source *source, char *text, size_t size, const char *media_type, const struct platform *want,
                bool explicit_platform, const char *what, struct err *err);

/* Is the image in the store whole: its entry, its config, its layers, and unless they may be discarded their blobs? */
bool import_is_present(struct image_store *s, const struct import *i, bool discard);

/* `e` (borrowed) under each of these names (canonical ones; none: without a name, unless it has one). *ret_new is of the last one: did it stand for something else? */
int import_put_names(struct change *c, const struct entry *e, const char *const *names, size_t n_names, bool keep_digest, bool *ret_new, struct err *err);

/* After its layers are there: write config and manifest, then give it the names (n canonical ones; none: an image without a name).
 * *ret_new (may be NULL): was the last name's image another one before? */
int import_commit(struct image_store *s, const struct import *i, const struct transfer *t, const char *const *names, size_t n_names,
                  bool keep_digest, bool *ret_new, struct err *err);
