/* SPDX-License-Identifier: Apache-2.0 */

/* A new image from an old one and a layer: its texts are made here, and from there on it is as a load, with the layer's file in the place of the archive. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "image/blobs.h"
#include "image/import.h"
#include "image/progress.h"
#include "image/transfer.h"

#define LAYER_FILE "layer"
enum { EMPTY_TAR_MAX = 1024 };

struct commit {
        struct image_store *store;
        const struct image_commit *of;
        char token[64];
        int dir_fd;
        bool has_layer;
        struct digest layer;
        uint64_t layer_size;
        json_t *config, *layers; /* of the base: the config whole, and the manifest's descriptors */
        struct platform platform;
};

static int no_progress(const json_t *event, void *data) {
        return 0;
}

/* --- the layer --- */

static int make_layer(struct commit *c, struct err *err) {
        auto_fd fd = openat(c->dir_fd, LAYER_FILE, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        char name[DIGEST_HEX_SIZE];
        int r;

        if (fd < 0)
                return err_errno(err, -errno, "layer of a new image");
        r = c->of->layer(c->of->data, fd, err);
        if (r < 0)
                return r;
        r = digest_of_file(fd, &c->layer, &c->layer_size);
        if (r < 0)
                return err_errno(err, r, "layer of a new image");
        c->has_layer = c->layer_size > EMPTY_TAR_MAX;
        digest_format_hex(&c->layer, name);
        return renameat(c->dir_fd, LAYER_FILE, c->dir_fd, name) < 0 ? err_errno(err, -errno, "layer of a new image") : 0;
}

/* --- the base --- */

static int find_base(struct commit *c, struct digest *ret_manifest, struct digest *ret_config, struct err *err) {
        const struct entry *e;
        enum found_by by;
        int r;

        pthread_rwlock_rdlock(&c->store->lock);
        r = entry_find(c->store, c->of->base_id, &e, &by, err);
        if (r >= 0) {
                *ret_manifest = e->manifest;
                *ret_config = e->id;
        }
        pthread_rwlock_unlock(&c->store->lock);
        return r;
}

static int read_object(struct commit *c, const struct digest *d, size_t max, json_t **ret, struct err *err) {
        auto_free char *text = NULL;
        size_t size;
        int r = blob_read(c->store->blobs_fd, d, max, &text, &size, err);

        return r < 0 ? r : json_parse(text, size, max, "base image", ret, err);
}

static int read_base(struct commit *c, struct err *err) {
        auto_json *manifest = NULL;
        struct digest manifest_digest, config_digest;
        int r = find_base(c, &manifest_digest, &config_digest, err);

        if (r >= 0)
                r = read_object(c, &manifest_digest, MANIFEST_SIZE_MAX, &manifest, err);
        if (r >= 0)
                r = read_object(c, &config_digest, CONFIG_SIZE_MAX, &c->config, err);
        if (r < 0)
                return err_prefix(err, "image of the container");
        c->layers = json_incref(json_get_array(manifest, "layers"));
        platform_from_json(c->config, &c->platform);
        return c->layers ? 0 : err_set(err, ERR_INTERNAL, -EINVAL, "image %s has no layers in its manifest", c->of->base_id);
}

/* --- the texts --- */

static json_t *descriptor(const char *type, const struct digest *d, uint64_t size) {
        char text[DIGEST_TEXT_SIZE];

        digest_format(d, text);
        return json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", text, "size", (json_int_t) size);
}

static json_t *make_history(const struct commit *c, const char *when) {
        json_t *old = json_get_array(c->config, "history"), *history = old ? json_copy(old) : json_array();
        json_t *entry = json_pack("{s:s}", "created", when);

        if (c->of->created_by)
                json_object_set_new(entry, "created_by", json_string(c->of->created_by));
        if (c->of->author && *c->of->author)
                json_object_set_new(entry, "author", json_string(c->of->author));
        if (c->of->comment && *c->of->comment)
                json_object_set_new(entry, "comment", json_string(c->of->comment));
        if (!c->has_layer)
                json_object_set_new(entry, "empty_layer", json_true());
        json_array_append_new(history, entry);
        return history;
}

static int make_config(const struct commit *c, char **ret, struct err *err) {
        auto_json *config = json_copy(c->config), *rootfs = json_copy(json_get_object(c->config, "rootfs"));
        auto_json *ids = json_copy(json_get_array(rootfs, "diff_ids"));
        char when[TIME_RFC3339_SIZE], text[DIGEST_TEXT_SIZE];

        if (!config || !rootfs)
                return err_errno(err, -ENOMEM, "new image");
        if (!ids)
                ids = json_array();
        time_format_now(when);
        if (c->has_layer) {
                digest_format(&c->layer, text);
                json_array_append_new(ids, json_string(text));
        }
        json_object_set(rootfs, "diff_ids", ids);
        json_object_set(config, "rootfs", rootfs);
        json_object_set_new(config, "created", json_string(when));
        json_object_set(config, "config", (json_t *) c->of->config);
        json_object_set_new(config, "history", make_history(c, when));
        if (c->of->author && *c->of->author)
                json_object_set_new(config, "author", json_string(c->of->author));
        /* What an old builder wrote of the container that it used. */
        json_object_del(config, "container");
        json_object_del(config, "container_config");
        *ret = json_text(config);
        return *ret ? 0 : err_errno(err, -ENOMEM, "new image");
}

/* Docker's names of the same things, in OCI's words. */
static void translate_types(json_t *layers) {
        static const struct {
                const char *docker, *oci;
        } types[] = {
                { "application/vnd.docker.image.rootfs.diff.tar", "application/vnd.oci.image.layer.v1.tar" },
                { "application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.oci.image.layer.v1.tar+gzip" },
                { "application/vnd.docker.image.rootfs.diff.tar.zstd", "application/vnd.oci.image.layer.v1.tar+zstd" },
        };
        json_t *layer;
        size_t i;

        json_array_foreach(layers, i, layer)
                for (size_t k = 0; k < ARRAY_SIZE(types); k++)
                        if (strcmp(json_get_str(layer, "mediaType", ""), types[k].docker) == 0)
                                json_object_set_new(layer, "mediaType", json_string(types[k].oci));
}

static int make_manifest(const struct commit *c, const char *config, char **ret, struct err *err) {
        auto_json *layers = json_deep_copy(c->layers), *manifest = NULL;
        struct digest d;

        if (!layers)
                return err_errno(err, -ENOMEM, "new image");
        translate_types(layers);
        if (c->has_layer)
                json_array_append_new(layers, descriptor("application/vnd.oci.image.layer.v1.tar", &c->layer, c->layer_size));
        digest_of(config, strlen(config), &d);
        manifest = json_pack("{s:i, s:s, s:o, s:O}", "schemaVersion", 2, "mediaType", media_type_name(MEDIA_OCI_MANIFEST), "config",
                             descriptor("application/vnd.oci.image.config.v1+json", &d, strlen(config)), "layers", layers);
        *ret = manifest ? json_text(manifest) : NULL;
        return *ret ? 0 : err_errno(err, -ENOMEM, "new image");
}

/* --- into the store --- */

static int get_config(void *data, const struct descriptor *d, char **ret, struct err *err) {
        char *copy = strdup(data);

        *ret = copy;
        return copy ? 0 : err_errno(err, -ENOMEM, "new image");
}

static int import(struct commit *c, const char *config, char *manifest, char ret_id[72], struct err *err) {
        const struct import_source source = { .config = get_config, .data = (void *) config };
        const struct progress progress = { .fn = no_progress };
        auto_import i = { 0 };
        struct image_reference reference;
        struct transfer t;
        const char *names[1];
        char name[600];
        int r = 0;

        if (c->of->name) {
                r = image_reference_parse(c->of->name, &reference, err);
                if (r >= 0 && *reference.digest)
                        r = err_set(err, ERR_INVALID, -EINVAL, "cannot create a tag with a digest: %s", c->of->name);
                if (r >= 0)
                        image_reference_canonical(&reference, name, sizeof(name));
        }
        if (r < 0) {
                free(manifest);
                return r;
        }
        names[0] = name;
        r = import_read(&i, &source, manifest, strlen(manifest), media_type_name(MEDIA_OCI_MANIFEST), &c->platform, false, "new image", err);
        if (r < 0)
                return r;
        r = transfer_init(&t, c->store, &i.manifest, &i.config, &progress, err);
        t.source_fd = c->dir_fd;
        if (r >= 0)
                r = transfer_run(&t, err);
        if (r >= 0)
                r = import_commit(c->store, &i, &t, names, c->of->name ? 1 : 0, false, NULL, err);
        transfer_done(&t, r >= 0);
        if (r >= 0)
                digest_format(&i.manifest.config.digest, ret_id);
        return r;
}

static int make(struct commit *c, char ret_id[72], struct err *err) {
        auto_free char *config = NULL;
        char *manifest = NULL;
        int r = read_base(c, err);

        if (r >= 0)
                r = make_layer(c, err);
        if (r >= 0)
                r = make_config(c, &config, err);
        if (r >= 0)
                r = make_manifest(c, config, &manifest, err);
        return r < 0 ? r : import(c, config, manifest, ret_id, err);
}

int image_commit(struct image_store *s, const struct image_commit *of, char ret_id[72], struct err *err) {
        struct commit c = { .store = s, .of = of, .dir_fd = -EBADF };
        int r;

        store_busy_begin(s);
        r = s->sink.begin(s->sink.data, c.token, &c.dir_fd, err);
        if (r >= 0) {
                r = make(&c, ret_id, err);
                fd_close(c.dir_fd);
                s->sink.abort(s->sink.data, c.token);
        }
        store_busy_end(s);
        json_decref(c.config);
        json_decref(c.layers);
        return r;
}
