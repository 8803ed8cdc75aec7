/* SPDX-License-Identifier: Apache-2.0 */
#include "image/docker-archive.h"

#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/blobs.h"
#include "image/load-layers.h"
#include "image/manifest.h"

enum { MEMBERS_MAX = 4096, LINKS_MAX = 8 };

int docker_archive_member(json_t *members, const json_t *event, struct err *err) {
        const char *name = json_get_str(event, "name", NULL);
        json_t *value = json_object_get(event, "digest");

        if (!value)
                value = json_object_get(event, "target");
        if (!name || !json_is_string(value) || json_object_size(members) >= MEMBERS_MAX)
                return err_set(err, ERR_INTERNAL, -EPROTO, "the worker tells of members that make no sense");
        return json_object_set(members, name, value) < 0 ? err_errno(err, -ENOMEM, "image archive") : 0;
}

/* A link says "../<id>/layer.tar": it is relative to the folder of the member, and all folders are in the top one. */
static const char *follow(const json_t *members, const char *name) {
        for (int i = 0; i < LINKS_MAX; i++) {
                const char *value = json_get_str(members, name, NULL);
                struct digest d;

                if (!value || digest_parse(value, &d))
                        return value;
                name = str_starts_with(value, "../") ? value + 3 : value;
        }
        return NULL;
}

static json_t *descriptor_of(const json_t *members, const int blob_fds[2], const struct load_layers *came, const char *name, const char *media_type, struct err *err) {
        const struct unpacked_layer *unpacked;
        const char *text = name ? follow(members, name) : NULL;
        auto_fd fd = -EBADF;
        struct digest d;
        struct stat st;

        if (text && digest_parse(text, &d) && (unpacked = load_layers_find(came, &d)))
                return json_pack("{s:s, s:s, s:I}", "mediaType", media_type, "digest", text, "size", (json_int_t) unpacked->blob_size);
        if (text && digest_parse(text, &d))
                for (int i = 0; i < 2 && fd < 0; i++) /* of an image before it, the store has the layers already */
                        fd = blob_open(blob_fds[i], &d);
        if (fd < 0 || fstat(fd, &st) < 0) {
                err_set(err, ERR_INVALID, -ENOENT, "image archive: manifest.json names \"%.200s\", which is not in it", name ? name : "");
                return NULL;
        }
        return json_pack("{s:s, s:s, s:I}", "mediaType", media_type, "digest", text, "size", (json_int_t) st.st_size);
}

int docker_archive_manifest(const json_t *members, const int blob_fds[2], const struct load_layers *came, const json_t *image, char **ret, struct err *err) {
        const json_t *names = json_get_array(image, "Layers");
        auto_json *config = NULL, *layers = json_array(), *manifest = NULL;

        if (!layers || json_array_size(names) > MANIFEST_LAYERS_MAX)
                return err_set(err, ERR_INVALID, -E2BIG, "image archive: an image of more than %d layers", MANIFEST_LAYERS_MAX);
        config = descriptor_of(members, blob_fds, came, json_get_str(image, "Config", NULL), "application/vnd.oci.image.config.v1+json", err);
        if (!config)
                return err && err->num ? err->num : -EINVAL;
        for (size_t i = 0; i < json_array_size(names); i++) {
                json_t *layer = descriptor_of(members, blob_fds, came, json_string_value(json_array_get(names, i)), "application/vnd.oci.image.layer.v1.tar", err);

                if (!layer)
                        return err && err->num ? err->num : -EINVAL;
                json_array_append_new(layers, layer);
        }
        manifest = json_pack("{s:i, s:s, s:O, s:O}", "schemaVersion", 2, "mediaType", media_type_name(MEDIA_OCI_MANIFEST), "config", config, "layers", layers);
        *ret = manifest ? json_text(manifest) : NULL;
        return *ret ? 0 : err_errno(err, -ENOMEM, "image archive");
}
