/* SPDX-License-Identifier: Apache-2.0 */
#include "image/derive.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "image/blobs.h"
#include "image/import.h"
#include "image/progress.h"
#include "image/transfer.h"

int derive_run(struct image_store *s, derive_make_fn make, const void *how, char ret_id[72], struct err *err) {
        struct derive d = { .store = s, .dir_fd = -EBADF };
        int r;

        store_busy_begin(s);
        r = s->sink.begin(s->sink.data, d.token, &d.dir_fd, err);
        if (r >= 0) {
                r = make(&d, how, ret_id, err);
                fd_close(d.dir_fd);
                s->sink.abort(s->sink.data, d.token);
        }
        store_busy_end(s);
        json_decref(d.config);
        json_decref(d.layers);
        return r;
}

/* --- what it begins with --- */

static int find(struct derive *d, const char *name, struct digest *ret_manifest, struct digest *ret_config, struct err *err) {
        const struct entry *e;
        enum found_by by;
        int r;

        pthread_rwlock_rdlock(&d->store->lock);
        r = entry_find(d->store, name, &e, &by, err);
        if (r >= 0) {
                *ret_manifest = e->manifest;
                *ret_config = e->id;
        }
        pthread_rwlock_unlock(&d->store->lock);
        return r;
}

static int read_object(struct derive *d, const struct digest *of, size_t max, json_t **ret, struct err *err) {
        auto_free char *text = NULL;
        size_t size;
        int r = blob_read(d->store->blobs_fd, of, max, &text, &size, err);

        return r < 0 ? r : json_parse(text, size, max, "base image", ret, err);
}

/* Docker's names of the same things, in OCI's words: the new manifest is OCI's. */
static void translate_types(json_t *layers) {
        static const struct {
                const char *docker, *oci;
        } types[] = {
                { "application/vnd.docker.image.rootfs.diff.tar", LAYER_TAR },
                { "application/vnd.docker.image.rootfs.diff.tar.gzip", LAYER_TAR "+gzip" },
                { "application/vnd.docker.image.rootfs.diff.tar.zstd", LAYER_TAR "+zstd" },
        };
        json_t *layer;
        size_t i;

        json_array_foreach(layers, i, layer)
                for (size_t k = 0; k < ARRAY_SIZE(types); k++)
                        if (strcmp(json_get_str(layer, "mediaType", ""), types[k].docker) == 0)
                                json_object_set_new(layer, "mediaType", json_string(types[k].oci));
}

/* The new image is to be whole: it may be pushed. */
static int check_blobs(struct derive *d, const char *image, struct err *err) {
        json_t *layer;
        size_t i;

        json_array_foreach(d->layers, i, layer) {
                struct digest blob;

                if (digest_parse(json_get_str(layer, "digest", NULL), &blob) && !blob_exists(d->store->blobs_fd, &blob))
                        return store_blob_missing(d->store, image, &blob, err);
        }
        return 0;
}

int derive_from(struct derive *d, const char *image, struct err *err) {
        auto_json *manifest = NULL;
        struct digest manifest_digest, config_digest;
        int r = find(d, image, &manifest_digest, &config_digest, err);

        if (r >= 0)
                r = read_object(d, &manifest_digest, MANIFEST_SIZE_MAX, &manifest, err);
        if (r >= 0)
                r = read_object(d, &config_digest, CONFIG_SIZE_MAX, &d->config, err);
        if (r < 0)
                return r;
        d->layers = json_incref(json_get_array(manifest, "layers"));
        if (!d->layers || !json_get_array(json_get_object(d->config, "rootfs"), "diff_ids"))
                return err_set(err, ERR_INTERNAL, -EINVAL, "image %s has no layers in its manifest, or none in its config", image);
        r = check_blobs(d, image, err);
        if (r < 0)
                return r;
        translate_types(d->layers);
        platform_from_json(d->config, &d->platform);
        /* What an old builder wrote of the container that it used. */
        json_object_del(d->config, "container");
        json_object_del(d->config, "container_config");
        return 0;
}

int derive_from_scratch(struct derive *d, const char *platform, struct err *err) {
        int r = platform_parse(platform, &d->platform, err);

        if (r < 0)
                return r;
        if (strcmp(d->platform.os, "linux") != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "platform %s: images are for linux", platform);
        d->layers = json_array();
        d->config = json_pack("{s:s, s:s, s:s*, s:{}, s:{s:s, s:[]}, s:[]}", "architecture", d->platform.arch, "os", d->platform.os, "variant",
                              *d->platform.variant ? d->platform.variant : NULL, "config", "rootfs", "type", "layers", "diff_ids", "history");
        return d->config && d->layers ? 0 : err_errno(err, -ENOMEM, "new image");
}

/* --- what is new --- */

static json_t *descriptor(const char *type, const struct digest *d, uint64_t size) {
        char text[DIGEST_TEXT_SIZE];

        digest_format(d, text);
        return json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", text, "size", (json_int_t) size);
}

int derive_add_layer(struct derive *d, const struct digest *blob, uint64_t size, const char *media_type, const struct digest *diff_id, struct err *err) {
        json_t *ids = json_get_array(json_get_object(d->config, "rootfs"), "diff_ids");
        char text[DIGEST_TEXT_SIZE];

        digest_format(diff_id, text);
        if (json_array_append_new(d->layers, descriptor(media_type, blob, size)) < 0 || json_array_append_new(ids, json_string(text)) < 0)
                return err_errno(err, -ENOMEM, "new image");
        return 0;
}

static void set_if(json_t *object, const char *key, const char *text) {
        if (text && *text)
                json_object_set_new(object, key, json_string(text));
}

int derive_add_history(struct derive *d, const char *created_by, const char *author, const char *comment, bool empty_layer, struct err *err) {
        json_t *history = json_get_array(d->config, "history"), *entry;
        char when[TIME_RFC3339_SIZE];

        if (d->made_unix_s > 0)
                time_format(&(struct timespec) { .tv_sec = d->made_unix_s }, when);
        else
                time_format_now(when);
        if (!history) {
                history = json_array();
                json_object_set_new(d->config, "history", history);
        }
        entry = json_pack("{s:s}", "created", when);
        set_if(entry, "created_by", created_by);
        set_if(entry, "author", author);
        set_if(entry, "comment", comment);
        if (empty_layer)
                json_object_set_new(entry, "empty_layer", json_true());
        set_if(d->config, "created", when);
        set_if(d->config, "author", author);
        return json_array_append_new(history, entry) < 0 ? err_errno(err, -ENOMEM, "new image") : 0;
}

/* --- into the store --- */

static int make_manifest(const struct derive *d, const char *config, char **ret, struct err *err) {
        auto_json *manifest = NULL;
        struct digest id;

        digest_of(config, strlen(config), &id);
        manifest = json_pack("{s:i, s:s, s:o, s:O}", "schemaVersion", 2, "mediaType", media_type_name(MEDIA_OCI_MANIFEST), "config",
                             descriptor("application/vnd.oci.image.config.v1+json", &id, strlen(config)), "layers", d->layers);
        *ret = manifest ? json_text(manifest) : NULL;
        return *ret ? 0 : err_errno(err, -ENOMEM, "new image");
}

static int get_config(void *data, const struct descriptor *d, char **ret, struct err *err) {
        char *copy = strdup(data);

        *ret = copy;
        return copy ? 0 : err_errno(err, -ENOMEM, "new image");
}

static int no_progress(const json_t *event, void *data) {
        return 0;
}

static int parse_name(const char *name, char *ret, size_t size, struct err *err) {
        struct image_reference reference;
        int r = image_reference_parse(name, &reference, err);

        if (r < 0)
                return r;
        if (*reference.digest)
                return err_set(err, ERR_INVALID, -EINVAL, "cannot create a tag with a digest: %s", name);
        image_reference_canonical(&reference, ret, size);
        return 0;
}

int derive_commit(struct derive *d, const char *name, char ret_id[72], struct err *err) {
        auto_free char *config = json_text(d->config);
        const struct import_source source = { .config = get_config, .data = config };
        const struct progress progress = { .fn = no_progress };
        auto_import i = { 0 };
        char canonical[600], *manifest = NULL;
        const char *names[1] = { canonical };
        struct transfer t;
        int r = config ? 0 : err_errno(err, -ENOMEM, "new image");

        if (r >= 0 && name)
                r = parse_name(name, canonical, sizeof(canonical), err);
        if (r >= 0)
                r = make_manifest(d, config, &manifest, err);
        if (r < 0)
                return r;
        r = import_read(&i, &source, manifest, strlen(manifest), media_type_name(MEDIA_OCI_MANIFEST), &d->platform, false, "new image", err);
        if (r < 0)
                return r;
        r = transfer_init(&t, d->store, &i.manifest, &i.config, &progress, err);
        t.source_fd = d->dir_fd;
        if (r >= 0)
                r = transfer_run(&t, err);
        if (r >= 0)
                r = import_commit(d->store, &i, &t, names, name ? 1 : 0, false, NULL, err);
        transfer_done(&t, r >= 0);
        if (r >= 0)
                digest_format(&i.manifest.config.digest, ret_id);
        return r;
}
