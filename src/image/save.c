/* SPDX-License-Identifier: Apache-2.0 */

/* Saving images and artifacts: their part of the layout is laid out in a scratch directory, blobs as second names of those in the store, and a pack worker makes the tar
 * of it. The same archive is read by OCI's tools (index.json) and by Docker's (manifest.json). */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/blobs.h"
#include "image/store.h"
#include "worker/client.h"

#define ANNOTATION_WHOLE_NAME "io.containerd.image.name"
#define BLOBS "blobs/sha256/"

struct save {
        struct image_store *store;
        char token[64];
        int dir_fd, blobs_fd;
        json_t *index, *manifests; /* manifests of index.json; the list of manifest.json */
};

static int link_blob(struct save *s, const struct digest *d, const char *image, struct err *err) {
        char name[DIGEST_HEX_SIZE];

        digest_format_hex(d, name);
        if (linkat(s->store->blobs_fd, name, s->blobs_fd, name, 0) == 0 || errno == EEXIST)
                return 0;
        return errno == ENOENT ? store_blob_missing(s->store, image, d, err) : err_errno(err, -errno, "blob sha256:%s", name);
}

static char *blob_path(const struct digest *d) {
        char name[DIGEST_HEX_SIZE];

        digest_format_hex(d, name);
        return str_format(BLOBS "%s", name);
}

/* The entry with this config: one for all names of an image. */
static json_t *manifest_entry(struct save *s, const struct manifest *m) {
        auto_free char *config = blob_path(&m->config.digest);
        json_t *entry, *layers;
        size_t i;

        json_array_foreach(s->manifests, i, entry)
                if (config && strcmp(json_get_str(entry, "Config", ""), config) == 0)
                        return entry;
        layers = json_array();
        for (i = 0; i < m->n_layers; i++) {
                auto_free char *path = blob_path(&m->layers[i].digest);

                json_array_append_new(layers, json_string(path ? path : ""));
        }
        entry = json_pack("{s:s?, s:n, s:o}", "Config", config, "RepoTags", "Layers", layers);
        json_array_append_new(s->manifests, entry);
        return entry;
}

/* entry: of manifest.json; NULL for an artifact, which Docker has no word for. */
static void add_name(const struct image_reference *reference, json_t *entry, json_t *descriptor) {
        json_t *tags = json_get_array(entry, "RepoTags");
        char text[600];

        image_reference_familiar(reference, text, sizeof(text));
        if (entry && !tags) {
                tags = json_array();
                json_object_set_new(entry, "RepoTags", tags);
        }
        if (entry)
                json_array_append_new(tags, json_string(text));
        image_reference_canonical(reference, text, sizeof(text));
        json_object_set_new(descriptor, "annotations", json_pack("{s:s, s:s}", ANNOTATION_WHOLE_NAME, text, ANNOTATION_NAME, reference->tag));
}

static int find(struct save *s, const char *name, struct descriptor *ret, enum media_type *ret_type, enum found_by *ret_by, struct err *err) {
        const struct entry *e;
        int r;

        pthread_rwlock_rdlock(&s->store->lock);
        r = entry_find(s->store, name, &e, ret_by, err);
        if (r >= 0) {
                *ret = (struct descriptor) { .digest = e->manifest, .size = e->manifest_size };
                *ret_type = e->type;
        }
        pthread_rwlock_unlock(&s->store->lock);
        return r;
}

static int link_blobs(struct save *s, const char *name, const struct manifest *m, struct err *err) {
        int r = link_blob(s, &m->config.digest, name, err);

        for (size_t i = 0; i < m->n_layers && r >= 0; i++)
                r = link_blob(s, &m->layers[i].digest, name, err);
        return r;
}

static int add_image(struct save *s, const char *name, struct err *err) {
        struct image_reference reference;
        auto_manifest m = { 0 };
        auto_json *object = NULL;
        auto_free char *text = NULL;
        char digest[DIGEST_TEXT_SIZE];
        struct descriptor d;
        enum media_type type;
        enum found_by by;
        json_t *descriptor, *entry;
        bool artifact = false;
        size_t size;
        int r = find(s, name, &d, &type, &by, err);

        if (r >= 0)
                r = blob_read(s->store->blobs_fd, &d.digest, MANIFEST_SIZE_MAX, &text, &size, err);
        if (r >= 0)
                r = json_parse(text, size, MANIFEST_SIZE_MAX, name, &object, err);
        if (r >= 0)
                artifact = manifest_is_artifact(object);
        if (r >= 0)
                r = artifact ? manifest_parse_any(object, type, name, &m, err) : manifest_parse(object, type, name, &m, err);
        if (r >= 0)
                r = link_blob(s, &d.digest, name, err);
        if (r >= 0)
                r = link_blobs(s, name, &m, err);
        if (r < 0)
                return r;
        digest_format(&d.digest, digest);
        descriptor = json_pack("{s:s, s:s, s:I, s:s*}", "mediaType", media_type_name(type), "digest", digest, "size", (json_int_t) size, "artifactType",
                               artifact ? manifest_artifact_type(object) : NULL);
        entry = artifact ? NULL : manifest_entry(s, &m);
        if (by == FOUND_BY_NAME && image_reference_parse(name, &reference, NULL) >= 0 && !*reference.digest)
                add_name(&reference, entry, descriptor);
        return json_array_append_new(s->index, descriptor) < 0 ? err_errno(err, -ENOMEM, "%s", name) : 0;
}

static int write_json(struct save *s, const char *name, json_t *value, struct err *err) {
        auto_json *owned = value;
        auto_free char *text = owned ? json_text(owned) : NULL;
        int r = text ? file_write_atomic_at(s->dir_fd, name, text, strlen(text), 0644, false) : -ENOMEM;

        return r < 0 ? err_errno(err, r, "%s of an image archive", name) : 0;
}

static int write_texts(struct save *s, struct err *err) {
        int r = write_json(s, "oci-layout", json_pack("{s:s}", "imageLayoutVersion", "1.0.0"), err);

        if (r >= 0)
                r = write_json(s, "index.json", json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType", media_type_name(MEDIA_OCI_INDEX), "manifests", s->index), err);
        if (r < 0 || json_array_size(s->manifests) == 0)
                return r;
        return write_json(s, "manifest.json", json_incref(s->manifests), err);
}

static int make_blobs(struct save *s, struct err *err) {
        if (mkdirat(s->dir_fd, "blobs", 0755) < 0 || mkdirat(s->dir_fd, "blobs/sha256", 0755) < 0)
                return err_errno(err, -errno, "image archive");
        s->blobs_fd = openat(s->dir_fd, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return s->blobs_fd < 0 ? err_errno(err, -errno, "image archive") : 0;
}

static int pack(struct save *s, int out_fd, int cancel_fd, struct err *err) {
        struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
        struct image_sink *sink = &s->store->sink;
        auto_fd clone = -EBADF;
        int r = sink->clone(sink->data, s->dir_fd, &clone, err);

        if (r < 0)
                return r;
        /* The blobs in it are the store's own. */
        if (mount_setattr(clone, "", AT_EMPTY_PATH, &read_only, sizeof(read_only)) < 0)
                return err_errno(err, -errno, "image archive");
        return worker_run(s->store->worker_fd, sink->userns_fd, "pack", json_pack("{s:s, s:s, s:s}", "op", "tree", "path", "/", "name", ""), (const int[]) { out_fd, clone }, 2,
                          cancel_fd, NULL, err);
}

int image_save(struct image_store *store, const char *const *names, size_t n, int out_fd, int cancel_fd, struct err *err) {
        struct save s = { .store = store, .dir_fd = -EBADF, .blobs_fd = -EBADF, .index = json_array(), .manifests = json_array() };
        int r;

        store_busy_begin(store);
        r = s.index && s.manifests ? store->sink.begin(store->sink.data, s.token, &s.dir_fd, err) : err_errno(err, -ENOMEM, "image archive");
        if (r >= 0) {
                r = make_blobs(&s, err);
                for (size_t i = 0; i < n && r >= 0; i++)
                        r = add_image(&s, names[i], err);
                if (r >= 0)
                        r = write_texts(&s, err);
                fault_point("save", "linked");
                if (r >= 0)
                        r = pack(&s, out_fd, cancel_fd, err);
                fd_close(s.blobs_fd);
                fd_close(s.dir_fd);
                store->sink.abort(store->sink.data, s.token);
        }
        store_busy_end(store);
        json_decref(s.index);
        json_decref(s.manifests);
        return r;
}
