/* SPDX-License-Identifier: Apache-2.0 */
#include "image/manifest.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timestamp.h"

static const char *const media_types[] = {
        [MEDIA_UNKNOWN] = "",
        [MEDIA_OCI_MANIFEST] = "application/vnd.oci.image.manifest.v1+json",
        [MEDIA_OCI_INDEX] = "application/vnd.oci.image.index.v1+json",
        [MEDIA_DOCKER_MANIFEST] = "application/vnd.docker.distribution.manifest.v2+json",
        [MEDIA_DOCKER_LIST] = "application/vnd.docker.distribution.manifest.list.v2+json",
        [MEDIA_DOCKER_SCHEMA1] = "application/vnd.docker.distribution.manifest.v1+json",
        [MEDIA_DOCKER_SCHEMA1_SIGNED] = "application/vnd.docker.distribution.manifest.v1+prettyjws",
};
_Static_assert(ARRAY_SIZE(media_types) == _MEDIA_MAX, "a name for each media type");

static const char *const config_types[] = {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
};

/* The compression is told by the bytes, not by the type: registries are full of wrong ones. Foreign layers (with URLs) are not here. */
static const char *const layer_types[] = {
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
};

static bool is_one_of(const char *s, const char *const *list, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(s, list[i]) == 0)
                        return true;
        return false;
}

enum media_type media_type_parse(const char *text) {
        size_t n = text ? strcspn(text, "; \t") : 0;

        for (int t = MEDIA_UNKNOWN + 1; t < _MEDIA_MAX; t++)
                if (n == strlen(media_types[t]) && strncmp(text, media_types[t], n) == 0)
                        return (enum media_type) t;
        return MEDIA_UNKNOWN;
}

const char *media_type_name(enum media_type type) {
        return type >= 0 && type < _MEDIA_MAX ? media_types[type] : "";
}

bool media_type_is_index(enum media_type type) {
        return type == MEDIA_OCI_INDEX || type == MEDIA_DOCKER_LIST;
}

bool media_type_is_manifest(enum media_type type) {
        return type == MEDIA_OCI_MANIFEST || type == MEDIA_DOCKER_MANIFEST;
}

void manifest_done(struct manifest *m) {
        free(m->layers);
        *m = (struct manifest) { 0 };
}

int manifest_check_type(const char *media_type, const void *body, size_t size, const char *what, enum media_type *ret_type, json_t **ret,
                        struct err *err) {
        enum media_type type = media_type_parse(media_type);
        auto_json *object = NULL;
        const json_t *inner;
        bool docker, index;
        int r;

        if (type == MEDIA_DOCKER_SCHEMA1 || type == MEDIA_DOCKER_SCHEMA1_SIGNED)
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
                               "%s is of Docker's schema 1, which has no verifiable layers: push the image again with a newer client",
                               what);
        if (type == MEDIA_UNKNOWN)
                return err_set(err, ERR_INVALID, -EINVAL, "%s has the media type \"%s\", which is not that of an image", what,
                               media_type ? media_type : "");
        r = json_parse(body, size, MANIFEST_SIZE_MAX, what, &object, err);
        if (r < 0)
                return r;
        if (!json_is_object(object) || json_get_int(object, "schemaVersion", 0) != 2)
                return err_set(err, ERR_INVALID, -EINVAL, "%s is not an object of schemaVersion 2", what);
        inner = json_object_get(object, "mediaType");
        docker = type == MEDIA_DOCKER_MANIFEST || type == MEDIA_DOCKER_LIST;
        if (inner || docker) {
                const char *text = json_is_string(inner) ? json_string_value(inner) : "";

                if (media_type_parse(text) != type)
                        return err_set(err, ERR_INVALID, -EINVAL, "%s was sent as \"%s\" but calls itself \"%s\"", what,
                                       media_type_name(type), text);
        }
        index = media_type_is_index(type);
        for (size_t i = 0; i < 4; i++) {
                static const char *const keys[] = { "config", "layers", "fsLayers", "manifests" };

                if ((i < 3) == index && json_object_get(object, keys[i]))
                        return err_set(err, ERR_INVALID, -EINVAL, "%s is ambiguous: %s with \"%s\"", what,
                                       index ? "an image index" : "a manifest", keys[i]);
        }
        *ret_type = type;
        *ret = take_ptr(&object);
        return 0;
}

int descriptor_parse(const json_t *object, const char *what, struct descriptor *ret, struct err *err) {
        const char *digest = json_get_str(object, "digest", NULL);
        int64_t size = json_get_int(object, "size", -1);
        struct descriptor d;

        if (!json_is_object(object) || !digest)
                return err_set(err, ERR_INVALID, -EINVAL, "%s: a descriptor without a digest", what);
        if (!digest_parse(digest, &d.digest))
                return err_set(err, ERR_INVALID, -EINVAL, "%s: \"%s\" is not a sha256 digest", what, digest);
        if (size < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "%s: the descriptor of %s has no size", what, digest);
        d.size = (uint64_t) size;
        *ret = d;
        return 0;
}

static int parse_layer(const json_t *object, const char *what, bool any, struct descriptor *ret, struct err *err) {
        const char *type = json_get_str(object, "mediaType", "");
        int r = descriptor_parse(object, what, ret, err);

        if (r < 0)
                return r;
        if (strstr(type, "foreign") || strstr(type, "nondistributable"))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s: layer %s must be fetched from elsewhere (%s), which is not done",
                               what, json_get_str(object, "digest", ""), type);
        if (any)
                return 0;
        if (!is_one_of(type, layer_types, ARRAY_SIZE(layer_types)))
                return err_set(err, ERR_INVALID, -EINVAL, "%s is not that of a container image: a layer has the media type \"%s\"", what,
                               type);
        if (ret->size == 0)
                return err_set(err, ERR_INVALID, -EINVAL, "%s: layer %s is empty", what, json_get_str(object, "digest", ""));
        return 0;
}

const char *manifest_artifact_type(const json_t *object) {
        const char *type = json_get_str(object, "artifactType", ""), *config = json_get_str(json_get_object(object, "config"), "mediaType", "");

        if (*type)
                return type;
        return !*config || is_one_of(config, config_types, ARRAY_SIZE(config_types)) ? NULL : config;
}

int64_t manifest_created(const json_t *object) {
        const char *text = json_get_str(json_get_object(object, "annotations"), "org.opencontainers.image.created", NULL);
        int64_t ns;

        return text && time_parse(text, &ns) == 0 && ns > 0 ? ns : 0;
}

bool manifest_is_artifact(const json_t *object) {
        const char *config = json_get_str(json_get_object(object, "config"), "mediaType", "");
        const json_t *layer;
        size_t i;

        if (!*config || !is_one_of(config, config_types, ARRAY_SIZE(config_types)))
                return *config;
        if (!*json_get_str(object, "artifactType", ""))
                return false;
        json_array_foreach(json_get_array(object, "layers"), i, layer)
                if (!is_one_of(json_get_str(layer, "mediaType", ""), layer_types, ARRAY_SIZE(layer_types)))
                        return true;
        return false;
}

static int parse(const json_t *object, enum media_type type, const char *what, bool any, struct manifest *ret, struct err *err) {
        const json_t *config = json_get_object(object, "config"), *layers = json_get_array(object, "layers");
        const char *config_type = json_get_str(config, "mediaType", "");
        auto_manifest m = { .type = type };
        int r;

        if (!config || !layers)
                return err_set(err, ERR_INVALID, -EINVAL, "%s has no \"%s\"", what, config ? "layers" : "config");
        if (!any && !is_one_of(config_type, config_types, ARRAY_SIZE(config_types)))
                return err_set(err, ERR_INVALID, -EINVAL, "%s is not that of a container image: its config has the media type \"%s\"", what,
                               config_type);
        r = descriptor_parse(config, what, &m.config, err);
        if (r < 0)
                return r;
        if (m.config.size > CONFIG_SIZE_MAX)
                return err_set(err, ERR_TOO_LARGE, -EFBIG, "%s: a config of more than %d bytes", what, CONFIG_SIZE_MAX);
        m.n_layers = json_array_size(layers);
        if (m.n_layers > MANIFEST_LAYERS_MAX)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "%s has %zu layers, %d are allowed", what, m.n_layers, MANIFEST_LAYERS_MAX);
        m.layers = calloc(m.n_layers + 1, sizeof(*m.layers));
        if (!m.layers)
                return err_errno(err, -ENOMEM, "%s", what);
        for (size_t i = 0; i < m.n_layers; i++) {
                r = parse_layer(json_array_get(layers, i), what, any, &m.layers[i], err);
                if (r < 0)
                        return r;
        }
        *ret = m;
        m.layers = NULL;
        return 0;
}

int manifest_parse(const json_t *object, enum media_type type, const char *what, struct manifest *ret, struct err *err) {
        return parse(object, type, what, false, ret, err);
}

int manifest_parse_any(const json_t *object, enum media_type type, const char *what, struct manifest *ret, struct err *err) {
        return parse(object, type, what, true, ret, err);
}

/* Build attestations travel in image indexes as manifests for a platform that does not exist. */
static bool is_attestation(const json_t *entry, const struct platform *p) {
        const json_t *annotations = json_get_object(entry, "annotations");

        return json_object_get(annotations, "vnd.docker.reference.type") ||
               (strcmp(p->os, "unknown") == 0 && strcmp(p->arch, "unknown") == 0);
}

int index_choose(const json_t *object, const struct platform *want, const char *what, struct descriptor *ret, enum media_type *ret_type,
                 struct err *err) {
        const json_t *manifests = json_get_array(object, "manifests"), *chosen = NULL;
        size_t n = json_array_size(manifests);
        unsigned best = 0;
        char name[100];
        int r;

        if (!manifests)
                return err_set(err, ERR_INVALID, -EINVAL, "%s has no \"manifests\"", what);
        if (n > INDEX_ENTRIES_MAX)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "%s has %zu entries, %d are allowed", what, n, INDEX_ENTRIES_MAX);
        for (size_t i = 0; i < n; i++) {
                const json_t *entry = json_array_get(manifests, i), *platform = json_get_object(entry, "platform");
                struct platform have = *want; /* an entry that names no platform is for all */
                unsigned score;

                if (!media_type_is_manifest(media_type_parse(json_get_str(entry, "mediaType", ""))))
                        continue;
                if (platform)
                        platform_from_json(platform, &have);
                score = is_attestation(entry, &have) ? 0 : platform_score(want, &have);
                if (!platform && score > 0)
                        score = 1;
                if (score > best) { /* of equals the first: so the specification says */
                        best = score;
                        chosen = entry;
                }
        }
        if (!chosen) {
                platform_format(want, name, sizeof(name));
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "no matching manifest for %s in the manifest list entries", name);
        }
        r = descriptor_parse(chosen, what, ret, err);
        if (r < 0)
                return r;
        if (ret->size > MANIFEST_SIZE_MAX)
                return err_set(err, ERR_TOO_LARGE, -EFBIG, "%s: a manifest of more than %d bytes", what, MANIFEST_SIZE_MAX);
        *ret_type = media_type_parse(json_get_str(chosen, "mediaType", ""));
        return 0;
}

void image_config_done(struct image_config *c) {
        json_decref(c->json);
        free(c->diff_ids);
        *c = (struct image_config) { 0 };
}

int image_config_parse(const void *body, size_t size, const char *what, struct image_config *ret, struct err *err) {
        auto_image_config c = { 0 };
        const json_t *rootfs, *ids, *inner;
        const char *created;
        int r = json_parse(body, size, CONFIG_SIZE_MAX, what, &c.json, err);

        if (r < 0)
                return r;
        rootfs = json_get_object(c.json, "rootfs");
        ids = json_get_array(rootfs, "diff_ids");
        inner = json_object_get(c.json, "config");
        if (!rootfs || strcmp(json_get_str(rootfs, "type", ""), "layers") != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "%s has no rootfs of type \"layers\"", what);
        if (inner && !json_is_object(inner) && !json_is_null(inner))
                return err_set(err, ERR_INVALID, -EINVAL, "%s: \"config\" is not an object", what);
        c.n_diff_ids = json_array_size(ids); /* no list, or null: no layers; the caller compares with the manifest */
        if (c.n_diff_ids > MANIFEST_LAYERS_MAX)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "%s has %zu layers, %d are allowed", what, c.n_diff_ids, MANIFEST_LAYERS_MAX);
        c.diff_ids = calloc(c.n_diff_ids + 1, sizeof(*c.diff_ids));
        if (!c.diff_ids)
                return err_errno(err, -ENOMEM, "%s", what);
        for (size_t i = 0; i < c.n_diff_ids; i++) {
                const char *text = json_string_value(json_array_get(ids, i));

                if (!digest_parse(text, &c.diff_ids[i]))
                        return err_set(err, ERR_INVALID, -EINVAL, "%s: diff id \"%s\" is not a sha256 digest", what, text ? text : "");
        }
        created = json_get_str(c.json, "created", NULL);
        if (!created || time_parse(created, &c.created_unix_ns) < 0)
                c.created_unix_ns = 0;
        platform_from_json(c.json, &c.platform);
        *ret = c;
        c = (struct image_config) { 0 };
        return 0;
}
