/* SPDX-License-Identifier: Apache-2.0 */
/* Loading an archive: a load worker makes the layout's files in a scratch directory, and layers are unpacked while they come (load-layers.h); from there on it
 * is as a pull, with that directory in the place of the registry. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "image/artifact.h"
#include "image/blobs.h"
#include "image/docker-archive.h"
#include "image/import.h"
#include "image/load-layers.h"
#include "image/progress.h"
#include "image/registries.h"
#include "image/transfer.h"
#include "worker/job.h"

#define ANNOTATION_WHOLE_NAME "io.containerd.image.name" /* what `docker save` writes beside a bare tag */

enum { INDEX_SIZE_MAX = 4 << 20, HEARTBEAT_MS = 1000 };

struct load {
        struct image_store *store;
        const char *name;
        enum image_discard asked;
        bool discard;
        struct platform platform;
        struct progress progress;
        json_t *ids; /* the caller's, or NULL */
        char token[64];
        int dir_fd, blobs_fd; /* the scratch directory, and blobs/sha256 in it */
        json_t *members;      /* of an older archive of Docker: name → digest, or link */
        struct load_layers layers;
};

/* --- the worker --- */

static int handle_event(struct load *l, struct worker *w, bool *ret_done, struct err *err) {
        auto_json *event = NULL;
        const char *what;
        int r = worker_receive(w, &event, err);

        if (r < 0)
                return err_prefix(err, "image archive");
        what = json_get_str(event, "event", "");
        if (strcmp(what, "error") == 0)
                return worker_error(event, err);
        *ret_done = strcmp(what, "done") == 0;
        if (*ret_done)
                worker_end(w); /* now: what it holds a pipe to would else wait for more */
        if (strcmp(what, "layer") == 0)
                return load_layers_offer(&l->layers, event, w, err);
        return strcmp(what, "member") == 0 ? docker_archive_member(l->members, event, err) : 0;
}

/* Until the archive has ended, and the last layer with it. */
static int await_worker(struct load *l, struct worker *w, struct err *err) {
        struct pollfd p[LOAD_LAYERS_AT_ONCE + 1];
        time_t told = 0;
        bool done = false;
        int r = 0;

        while (r == 0 && (!done || load_layers_running(&l->layers) > 0)) {
                size_t n = load_layers_poll(&l->layers, p);

                p[n] = (struct pollfd) { .fd = done ? -1 : w->control, .events = POLLIN };
                if (poll(p, n + 1, HEARTBEAT_MS) < 0) {
                        if (errno == EINTR)
                                continue;
                        return err_errno(err, -errno, "poll");
                }
                /* The archive's own fault first: it may be the reason why a layer was cut short. */
                if (p[n].revents)
                        r = handle_event(l, w, &done, err);
                if (r == 0)
                        r = load_layers_handle(&l->layers, p, n, w, err);
                if (r == 0 && time(NULL) != told) {
                        told = time(NULL);
                        if (progress_status(&l->progress, NULL, "Reading archive") < 0)
                                return err_set(err, ERR_UNAVAILABLE, -ECANCELED, "canceled");
                }
        }
        return r;
}

static int make_blobs(struct load *l, struct err *err) {
        if (mkdirat(l->dir_fd, "blobs", 0755) < 0 || mkdirat(l->dir_fd, "blobs/sha256", 0755) < 0)
                return err_errno(err, -errno, "image archive");
        return 0;
}

static int extract(struct load *l, int archive_fd, struct err *err) {
        struct image_sink *sink = &l->store->sink;
        auto_fd clone = -EBADF;
        struct worker w;
        int r = make_blobs(l, err);

        if (r >= 0)
                r = sink->clone(sink->data, l->dir_fd, &clone, err);
        if (r >= 0)
                r = worker_start(l->store->worker_fd, l->store->sink.userns_fd, "load", &w, err);
        if (r < 0)
                return r;
        r = worker_send(&w,
                        json_pack("{s:s, s:{s:I, s:I, s:I}}", "op", "load", "limits", "bytes", (json_int_t) WORKER_LIMIT_BYTES, "entries",
                                  (json_int_t) WORKER_LIMIT_ENTRIES, "ratio", (json_int_t) WORKER_LIMIT_RATIO),
                        (const int[]){ archive_fd, clone }, 2, err);
        if (r >= 0)
                r = await_worker(l, &w, err);
        if (r < 0)
                worker_kill(&w);
        else
                worker_end(&w);
        return r;
}

/* --- the layout, which a worker wrote: hostile --- */

static int read_file(int dir_fd, const char *name, size_t max, char **ret, size_t *ret_size, struct err *err) {
        auto_fd fd = path_open_in_nosymlink(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
        struct stat st;
        int r = fd;

        if (r >= 0)
                r = fstat(fd, &st) < 0 ? -errno : 0;
        if (r >= 0 && !S_ISREG(st.st_mode))
                return err_set(err, ERR_INVALID, -EINVAL, "image archive: %s is not a plain file", name);
        if (r >= 0)
                r = fd_read_file(fd, max, ret, ret_size);
        if (r == -ENOENT)
                return err_set(err, ERR_INVALID, r, "the archive is not that of an OCI layout: it has no %s", name);
        return r < 0 ? err_errno(err, r, "image archive: %s", name) : 0;
}

static int read_blob(struct load *l, const struct descriptor *d, size_t max, char **ret, size_t *ret_size, struct err *err) {
        int r = blob_read(l->blobs_fd, &d->digest, max, ret, ret_size, err);

        if (r == -ENOENT && err)
                err->kind = ERR_INVALID; /* it is the archive that is wrong, not the question */
        if (r < 0)
                return err_prefix(err, "image archive");
        if (*ret_size == d->size)
                return 0;
        free(take_ptr(ret));
        return err_set(err, ERR_INVALID, -EBADMSG, "image archive: a blob has another size than its descriptor says");
}

static int get_manifest(void *data, const struct descriptor *d, char **ret, size_t *ret_size, char media_type[128], struct err *err) {
        auto_json *object = NULL;
        int r = read_blob(data, d, MANIFEST_SIZE_MAX, ret, ret_size, err);

        if (r < 0)
                return r;
        /* No registry says the type; in a layout the text itself does, and the index is compared with it. OCI manifests may leave it out. */
        snprintf(media_type, 128, "%s", media_type_name(MEDIA_OCI_MANIFEST));
        if (json_parse(*ret, *ret_size, MANIFEST_SIZE_MAX, "manifest", &object, NULL) == 0)
                snprintf(media_type, 128, "%s", json_get_str(object, "mediaType", media_type_name(MEDIA_OCI_MANIFEST)));
        return 0;
}

static int get_config(void *data, const struct descriptor *d, char **ret, struct err *err) {
        size_t size;

        return read_blob(data, d, CONFIG_SIZE_MAX, ret, &size, err);
}

/* The reference under which an image of the archive goes into the store; "" for none. */
static int name_of(const struct load *l, const json_t *descriptor, char *ret, size_t size, struct err *err) {
        const json_t *annotations = json_get_object(descriptor, "annotations");
        const char *text = l->name;
        struct image_reference reference;
        int r;

        if (!text)
                text = json_get_str(annotations, ANNOTATION_WHOLE_NAME, json_get_str(annotations, ANNOTATION_NAME, NULL));
        *ret = '\0';
        if (!text)
                return 0;
        r = image_reference_parse(text, &reference, err);
        if (r < 0)
                return err_prefix(err, "image archive");
        if (*reference.tag)
                *reference.digest = '\0';
        image_reference_canonical(&reference, ret, size);
        return 0;
}

static int tell_loaded(struct load *l, const struct import *i, const char *name) {
        struct image_reference reference;
        char text[600];

        digest_format(i->artifact ? &i->manifest_digest : &i->manifest.config.digest, text);
        if (l->ids)
                json_array_append_new(l->ids, json_string(text));
        if (*name && image_reference_parse(name, &reference, NULL) >= 0) {
                image_reference_familiar(&reference, text, sizeof(text));
                return progress_stream(&l->progress, "Loaded image: %s\n", text);
        }
        return progress_stream(&l->progress, "Loaded image ID: %s\n", text);
}

/* Of a blob that looked like a layer, and is not what its name says, the reason is known. */
static int check_came(struct load *l, const struct manifest *m, struct err *err) {
        for (size_t i = 0; i < m->n_layers; i++) {
                const struct unpacked_layer *u = load_layers_find(&l->layers, &m->layers[i].digest);

                if (!u || u->why.kind == ERR_NONE || blob_exists(l->blobs_fd, &u->blob) || blob_exists(l->store->blobs_fd, &u->blob))
                        continue;
                *err = u->why;
                return err->num ? err->num : -EIO;
        }
        return 0;
}

static int load_artifact(struct load *l, const struct import *i, const char *name, struct err *err) {
        const char *what = *name ? name : "image archive";
        int r = artifact_check_discard(l->asked, what, err);

        if (r >= 0)
                r = check_came(l, &i->manifest, err);
        if (r >= 0)
                r = artifact_load(l->store, i, l->blobs_fd, &l->progress, name, err);
        if (r < 0)
                return err_name(err, what);
        tell_loaded(l, i, name);
        return 0;
}

/* text is taken. */
static int load_manifest(struct load *l, char *text, size_t size, const char *media_type, const char *name, struct err *err) {
        const struct import_source source = { .manifest = get_manifest, .config = get_config, .data = l, .artifacts = true };
        const char *names[] = { name };
        auto_import i = { 0 };
        struct transfer t;
        int r = import_read(&i, &source, text, size, media_type, &l->platform, false, *name ? name : "image archive", err);

        if (r < 0)
                return r;
        if (i.artifact)
                return load_artifact(l, &i, name, err);
        r = transfer_init(&t, l->store, &i.manifest, &i.config, &l->progress, err);
        t.source_fd = l->blobs_fd;
        t.unpacked = &l->layers;
        t.discard = l->discard;
        if (r >= 0)
                r = transfer_run(&t, err);
        if (r >= 0)
                r = import_commit(l->store, &i, &t, names, *name ? 1 : 0, false, NULL, err);
        transfer_done(&t, r >= 0);
        if (r >= 0)
                tell_loaded(l, &i, name);
        return r;
}

static int load_image(struct load *l, const json_t *object, struct err *err) {
        struct descriptor d;
        char name[600], *text = NULL;
        size_t size;
        int r = name_of(l, object, name, sizeof(name), err);

        if (r >= 0)
                r = descriptor_parse(object, "image archive", &d, err);
        if (r >= 0)
                r = read_blob(l, &d, MANIFEST_SIZE_MAX, &text, &size, err);
        return r < 0 ? r : load_manifest(l, text, size, json_get_str(object, "mediaType", ""), name, err);
}

/* --- Docker's older archives: the manifest is made here --- */

static int load_docker_name(struct load *l, const char *manifest, const char *reference, struct err *err) {
        struct image_reference parsed;
        char name[600] = "", *text;
        int r = 0;

        if (reference) {
                r = image_reference_parse(reference, &parsed, err);
                if (r < 0)
                        return err_prefix(err, "image archive");
                image_reference_canonical(&parsed, name, sizeof(name));
        }
        text = strdup(manifest);
        return text ? load_manifest(l, text, strlen(text), media_type_name(MEDIA_OCI_MANIFEST), name, err) : err_errno(err, -ENOMEM, "image archive");
}

static int load_docker_image(struct load *l, const json_t *image, struct err *err) {
        const json_t *tags = json_get_array(image, "RepoTags");
        size_t n = l->name ? 1 : json_array_size(tags);
        auto_free char *manifest = NULL;
        int r = docker_archive_manifest(l->members, (const int[]) { l->blobs_fd, l->store->blobs_fd }, &l->layers, image, &manifest, err);

        if (r >= 0 && n == 0)
                return load_docker_name(l, manifest, NULL, err);
        for (size_t i = 0; i < n && r >= 0; i++)
                r = load_docker_name(l, manifest, l->name ? l->name : json_string_value(json_array_get(tags, i)), err);
        return r;
}

static int open_blobs(struct load *l, struct err *err) {
        l->blobs_fd = path_open_in_nosymlink(l->dir_fd, "blobs/sha256", O_RDONLY | O_DIRECTORY, 0);
        return l->blobs_fd < 0 ? err_errno(err, l->blobs_fd, "image archive: blobs/sha256") : load_layers_settle(&l->layers, l->blobs_fd, err);
}

static int load_docker_images(struct load *l, struct err *err) {
        auto_free char *text = NULL;
        auto_json *images = NULL;
        size_t size;
        int r = read_file(l->dir_fd, "manifest.json", INDEX_SIZE_MAX, &text, &size, err);

        if (r >= 0)
                r = json_parse(text, size, INDEX_SIZE_MAX, "manifest.json of the image archive", &images, err);
        if (r >= 0)
                r = open_blobs(l, err);
        if (r < 0)
                return r;
        if (!json_is_array(images) || json_array_size(images) == 0 || json_array_size(images) > INDEX_ENTRIES_MAX)
                return err_set(err, ERR_INVALID, -EINVAL, "image archive: manifest.json lists no images, or more than %d", INDEX_ENTRIES_MAX);
        if (l->name && json_array_size(images) > 1)
                return err_set(err, ERR_INVALID, -EINVAL, "image archive: it has %zu images, and there is one name for them", json_array_size(images));
        for (size_t i = 0; i < json_array_size(images) && r >= 0; i++)
                r = load_docker_image(l, json_array_get(images, i), err);
        return r;
}

static bool is_there(int dir_fd, const char *name) {
        return faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int load_images(struct load *l, struct err *err) {
        auto_free char *text = NULL;
        auto_json *index = NULL;
        const json_t *manifests;
        size_t size, n;
        int r;

        if (!is_there(l->dir_fd, "index.json") && is_there(l->dir_fd, "manifest.json"))
                return load_docker_images(l, err);
        r = read_file(l->dir_fd, "index.json", INDEX_SIZE_MAX, &text, &size, err);
        if (r >= 0)
                r = json_parse(text, size, INDEX_SIZE_MAX, "index.json of the image archive", &index, err);
        if (r < 0)
                return r;
        manifests = json_get_array(index, "manifests");
        n = json_array_size(manifests);
        if (n == 0 || n > INDEX_ENTRIES_MAX)
                return err_set(err, ERR_INVALID, -EINVAL, "image archive: index.json has %zu images, 1 to %d are allowed", n,
                               INDEX_ENTRIES_MAX);
        if (l->name && n > 1)
                return err_set(err, ERR_INVALID, -EINVAL, "image archive: it has %zu images, and there is one name for them", n);
        r = open_blobs(l, err);
        for (size_t i = 0; i < n && r >= 0; i++)
                r = load_image(l, json_array_get(manifests, i), err);
        return r;
}

int image_load(struct image_store *s, int archive_fd, const char *name, enum image_discard discard, json_t *ids, image_progress_fn progress, void *data, struct err *err) {
        struct load l = { .store = s, .name = name, .ids = ids, .progress = { .fn = progress, .data = data }, .dir_fd = -EBADF, .blobs_fd = -EBADF, .members = json_object() };
        struct err local;
        int r;

        if (!err)
                err = &local; /* a layer's is kept until it is known whether it matters */
        r = platform_parse(NULL, &l.platform, err);
        if (r < 0 || !l.members)
                return r < 0 ? r : err_errno(err, -ENOMEM, "image archive");
        l.asked = discard;
        l.discard = registries_discard_blobs(s, discard);
        load_layers_init(&l.layers, s, l.members, l.discard, discard != IMAGE_DISCARD);
        store_busy_begin(s);
        r = s->sink.begin(s->sink.data, l.token, &l.dir_fd, err);
        if (r >= 0) {
                r = extract(&l, archive_fd, err);
                if (r >= 0)
                        r = load_images(&l, err);
                load_layers_done(&l.layers);
                fd_close(l.blobs_fd);
                fd_close(l.dir_fd);
                s->sink.abort(s->sink.data, l.token);
        }
        store_busy_end(s);
        json_decref(l.members);
        return r;
}
