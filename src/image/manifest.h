/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Manifests, image indexes and image configs as read from a registry or an archive: hostile text → checked structs.
 * Sources: OCI image-spec 1.1 (descriptor.md, manifest.md, image-index.md, config.md); Docker image manifest v2 schema 2. */

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "image/digest.h"
#include "image/platform.h"

struct err;

enum {
        MANIFEST_SIZE_MAX = 4 << 20,
        CONFIG_SIZE_MAX = 4 << 20,
        MANIFEST_LAYERS_MAX = 500, /* overlayfs takes as many lower layers */
        INDEX_ENTRIES_MAX = 1000,
};

enum media_type {
        MEDIA_UNKNOWN,
        MEDIA_OCI_MANIFEST,
        MEDIA_OCI_INDEX,
        MEDIA_DOCKER_MANIFEST,
        MEDIA_DOCKER_LIST,
        MEDIA_DOCKER_SCHEMA1,
        MEDIA_DOCKER_SCHEMA1_SIGNED,
        _MEDIA_MAX,
};

/* Parameters ("; charset=utf-8") do not count. */
enum media_type media_type_parse(const char *text);
const char *media_type_name(enum media_type type);
bool media_type_is_index(enum media_type type);
bool media_type_is_manifest(enum media_type type);

struct descriptor {
        struct digest digest;
        uint64_t size;
};

struct manifest {
        enum media_type type;
        struct descriptor config;
        struct descriptor *layers; /* lowest first */
        size_t n_layers;
};
void manifest_done(struct manifest *m);

/* The media type that a registry or an index gave for `body`, matched against the text itself (a manifest that is also an index is
 * refused: CVE-2021-41190). `what` names it in messages: "manifest of localhost:5000/a:1". *ret is the caller's reference. */
int manifest_check_type(const char *media_type, const void *body, size_t size, const char *what, enum media_type *ret_type, json_t **ret,
                        struct err *err);
/* The same of what need not be an image: an artifact's config and layers are of any type, and may be empty. */
int manifest_parse_any(const json_t *object, enum media_type type, const char *what, struct manifest *ret, struct err *err);
/* What kind of artifact a manifest or an index's entry is: its artifactType, else, of a manifest, the type of its config where that is not an image's (OCI image-spec 1.1). NULL: an image.
 * Borrowed. */
const char *manifest_artifact_type(const json_t *object);
/* When it was made, by its annotation; 0: it does not say. */
int64_t manifest_created(const json_t *object);
/* Not an image, but kept and handed on as it is: its config is of another type, or it calls itself an artifact and a layer of it is no image's. */
bool manifest_is_artifact(const json_t *object);
/* `object` was checked to be of `type`, a manifest. */
int manifest_parse(const json_t *object, enum media_type type, const char *what, struct manifest *ret, struct err *err);

/* The entry of a checked index that serves `want` best; *ret_type is always that of a manifest. ERR_NOT_FOUND: "no matching manifest for …". */
int index_choose(const json_t *object, const struct platform *want, const char *what, struct descriptor *ret, enum media_type *ret_type,
                 struct err *err);

/* {"mediaType","digest","size"}: digest grammar and size checked. */
int descriptor_parse(const json_t *object, const char *what, struct descriptor *ret, struct err *err);

struct image_config {
        json_t *json;
        struct digest *diff_ids; /* lowest first */
        size_t n_diff_ids;
        int64_t created_unix_ns;
        struct platform platform;
};
void image_config_done(struct image_config *c);
int image_config_parse(const void *body, size_t size, const char *what, struct image_config *ret, struct err *err);

#define auto_manifest __attribute__((cleanup(manifest_done))) struct manifest
#define auto_image_config __attribute__((cleanup(image_config_done))) struct image_config
