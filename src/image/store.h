/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The image store, from the inside: an OCI image layout whose index.json is the truth about names.
 *
 * Memory holds one small entry per descriptor of index.json; manifests and configs stay on disk. Entries never change once
 * they are in the store (but for `layers` and `about`, see there), so readers only hold `lock` while they look at them; writers prepare a new list,
 * write index.json, and then swap. The order of all writing is: blobs and layers, then index.json; of all removing: index.json, then blobs and
 * layers. So a daemon that dies leaves at worst files that nothing names. While any such work goes on the file "busy" exists
 * in the layout: who finds it at open sweeps.
 *
 * Claims keep removal and pulls apart: a pin says that somebody is about to need a blob or layer that no name holds yet; the
 * owner of a claim is the one thread that makes, or removes, a layer. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/digest.h"
#include "image/image.h"
#include "image/manifest.h"

#define ANNOTATION_NAME "org.opencontainers.image.ref.name"
#define ANNOTATION_INDEX_DIGEST "io.kist.index-digest" /* what the tag pointed at in the registry, when that was an index */
#define ANNOTATION_IMAGE_ID "io.kist.image-id"
#define ANNOTATION_CREATED "io.kist.created"         /* nanoseconds since 1970 */
#define ANNOTATION_LAYER_SIZES "io.kist.layer-sizes" /* unpacked bytes, comma-separated, lowest first */
#define ANNOTATION_DISCARDED "io.kist.blobs-discarded" /* "true" */

struct entry_layer {
        struct digest blob, diff_id;
};

/* What a list of images shows of a config. Never changed once it is made. */
struct entry_about {
        json_t *labels; /* NULL: none */
        struct digest *diff_ids;
        size_t n_diff_ids;
};

struct entry {
        char *name; /* canonical reference, with a tag or with a digest; NULL: an image without a name */
        struct digest manifest, id, index; /* id: of the config; of an artifact, of the manifest: configs of artifacts are often all the same */
        bool has_index;
        bool discarded; /* it needs its layers, and not the blobs that they were made from */
        enum media_type type;
        uint64_t manifest_size;
        int64_t created_unix_ns;
        uint64_t *layer_sizes;  /* unpacked; that of the blob where it is not known */
        size_t n_layers;
        struct entry_layer *layers; /* n_layers; of an artifact its config and its layers, without diff ids; read from disk when first needed, by a writer; NULL before */
        _Atomic(struct entry_about *) about; /* read from disk when first needed, by any reader; NULL before */
};

struct claim {
        struct digest digest;
        unsigned pins;
        bool owned;
        bool made; /* of a layer: it was unpacked from `blob`, and is `size` bytes, while it was pinned */
        struct digest blob;
        uint64_t size;
};

struct image_store {
        int oci_fd, blobs_fd, worker_fd;
        struct image_sink sink;
        pthread_mutex_t registries_lock; /* innermost */
        struct registries *registries;   /* of whoever holds the lock; NULL: nothing was said of any */

        pthread_mutex_t change; /* held by the one writer, over disk writes; taken before `lock` */
        pthread_rwlock_t lock;  /* entries: readers, and the writer's swap */
        struct entry **entries;
        size_t n_entries;

        pthread_mutex_t claims_lock; /* innermost */
        struct claim *claims;
        size_t n_claims;
        unsigned busy; /* works under way; the file "busy" exists while it is not 0 */
};

/* Who needs the blob of a layer of `image` and has not found it: why, and what helps. Returns the error. */
int store_blob_missing(struct image_store *s, const char *image, const struct digest *blob, struct err *err);

void entry_free(struct entry *e);
static inline bool entry_is_artifact(const struct entry *e) {
        return digest_equal(&e->id, &e->manifest);
}
struct entry *entry_copy(const struct entry *e, const char *name);
uint64_t entry_size(const struct entry *e);

/* --- index.json (index.c) --- */

/* A missing file is an empty store. Descriptors that are not ours are taken as far as they are images; broken ones are left out with a warning. */
int index_load(struct image_store *s, struct err *err);
int index_write(struct image_store *s, struct entry *const *entries, size_t n, struct err *err);
/* e->layers from manifest and config. The writer only. */
int entry_load_layers(struct image_store *s, struct entry *e, struct err *err);

/* e->about, read if need be. With *ret_mine it is too big to be kept: the caller's to entry_about_free(). `lock` is held. */
int entry_get_about(struct image_store *s, const struct entry *e, const struct entry_about **ret, bool *ret_mine, struct err *err);
void entry_about_free(struct entry_about *a);

/* Does any image have this layer, made from this very blob? A manifest's word that the two belong together is not enough. */
bool entry_layer_find(struct image_store *s, const struct digest *diff_id, const struct digest *blob, uint64_t *ret_size);

/* --- changes: one writer at a time --- */
struct change {
        struct image_store *store;
        struct entry **entries; /* the list as it will be: pointers into the old one, and new ones */
        size_t n, room;
};
int change_begin(struct image_store *s, struct change *c, struct err *err);
/* Give `e` (taken) its place: an entry of the same name loses it. What the name pointed at before stays as an image without a name, or, with
 * `keep_digest`, under name@digest. Nameless entries of the same manifest go. */
int change_put(struct change *c, struct entry *e, bool keep_digest, struct err *err);
void change_drop(struct change *c, size_t i);
/* Both end the change. After commit the new list is what everybody sees. */
int change_commit(struct change *c, struct err *err);
void change_abort(struct change *c);

/* --- looking up; with `lock` held --- */
enum found_by { FOUND_BY_NAME, FOUND_BY_ID };
int entry_find(struct image_store *s, const char *name, const struct entry **ret, enum found_by *ret_by, struct err *err);
const struct entry *entry_find_canonical(struct image_store *s, const char *canonical);
/* How long "registry/repository" is in a canonical name. */
size_t entry_repository_length(const char *name);
bool entry_has_tag(const struct entry *e);
/* "registry/repository@sha256:…": what the name pointed at where it was pulled from. */
void entry_repo_digest(const struct entry *e, const char *name, char *ret, size_t size);

/* --- claims (claims.c) --- */
void store_busy_begin(struct image_store *s);
void store_busy_end(struct image_store *s);
bool store_was_busy(struct image_store *s);
int store_pin(struct image_store *s, const struct digest *d, struct err *err);
void store_unpin(struct image_store *s, const struct digest *d);
/* A blob that was pinned before it was found is there until it is unpinned. */
void store_unlink_unpinned(struct image_store *s, const struct digest *blob);
bool store_is_pinned(struct image_store *s, const struct digest *d);
/* -EBUSY: somebody else makes or removes it now. The digest is pinned by the caller. */
int store_try_own(struct image_store *s, const struct digest *diff_id);
/* For removing: -EBUSY also when anybody pinned it. */
int store_try_own_unpinned(struct image_store *s, const struct digest *diff_id);
void store_disown(struct image_store *s, const struct digest *diff_id);
/* That a layer was made from a blob is remembered while it is pinned; after that an image says it (entry_layer_find). */
void store_set_made(struct image_store *s, const struct digest *diff_id, const struct digest *blob, uint64_t size);
bool store_was_made(struct image_store *s, const struct digest *diff_id, const struct digest *blob, uint64_t *ret_size);

/* --- collecting (collect.c) --- */

/* Remove those of the given blobs and layers that no entry names and nobody pinned. `dropped` (may be NULL) gets {"Deleted": diff id}. */
void store_collect(struct image_store *s, const struct digest *blobs, size_t n_blobs, const struct digest *diff_ids, size_t n_diff_ids,
                   int (*drop_layer)(const char *diff_id, void *data), void *data, json_t *dropped);
/* After a death in the middle of something: unlink every blob that nothing names. */
void store_sweep(struct image_store *s);
