/* SPDX-License-Identifier: Apache-2.0 */
#include "image/artifact.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "image/blobs.h"
#include "worker/job.h"

enum { HEARTBEAT_MS = 1000 }; /* a client that went away is noticed by telling it something */

struct part {
        struct descriptor d;
        char short_id[13];
        bool there;
        char temp[BLOB_TEMP_SIZE]; /* "": none */
        int fd;
};

struct artifact {
        struct image_store *store;
        const struct import *import;
        struct sources *from; /* NULL: an archive */
        const struct progress *progress;
        const char *name; /* "": none */
        struct part *parts; /* the config first, each digest once */
        size_t n_parts;
};

static int canceled(struct err *err) {
        return err_set(err, ERR_UNAVAILABLE, -ECANCELED, "canceled");
}

static void drop_temp(struct artifact *a, struct part *p) {
        p->fd = fd_close(p->fd);
        if (*p->temp)
                unlinkat(a->store->blobs_fd, p->temp, 0);
        *p->temp = '\0';
}

static int add(struct artifact *a, const struct descriptor *d, struct err *err) {
        struct part *p = &a->parts[a->n_parts];
        char text[DIGEST_TEXT_SIZE];
        int r;

        for (size_t i = 0; i < a->n_parts; i++)
                if (digest_equal(&a->parts[i].d.digest, &d->digest))
                        return 0;
        digest_format(&d->digest, text);
        if (d->size > WORKER_LIMIT_BYTES)
                return err_set(err, ERR_TOO_LARGE, -EFBIG, "blob %s is longer than %llu bytes", text, WORKER_LIMIT_BYTES);
        r = store_pin(a->store, &d->digest, err);
        if (r < 0)
                return r;
        *p = (struct part) { .d = *d, .fd = -EBADF, .there = blob_exists(a->store->blobs_fd, &d->digest) };
        digest_short(text, p->short_id);
        a->n_parts++;
        if (!p->there && !a->from)
                return 0; /* it is about to be there */
        return progress_layer(a->progress, p->short_id, p->there ? "Already exists" : "Pulling fs layer") < 0 ? canceled(err) : 0;
}

static int gather(struct artifact *a, struct err *err) {
        const struct manifest *m = &a->import->manifest;
        int r;

        a->parts = calloc(m->n_layers + 1, sizeof(*a->parts));
        if (!a->parts)
                return err_errno(err, -ENOMEM, "artifact");
        r = add(a, &m->config, err);
        for (size_t i = 0; r >= 0 && i < m->n_layers; i++)
                r = add(a, &m->layers[i], err);
        return r;
}

/* --- fetching --- */

static int on_event(struct artifact *a, const struct part *p, uint64_t id, uint64_t *done, struct err *err) {
        auto_json *event = NULL;
        int r = fetcher_event(&a->from->fetcher, id, &event, err);

        if (r < 0)
                return r;
        if (strcmp(json_get_str(event, "event", ""), "done") == 0)
                return 1;
        *done = worker_number(event, "bytes");
        return progress_bytes(a->progress, p->short_id, "Downloading", *done < p->d.size ? *done : p->d.size, p->d.size) < 0 ? canceled(err) : 0;
}

/* The worker writes into the file itself. One that is to be empty is not asked for: without a size, a registry could send anything. */
static int fetch(struct artifact *a, struct part *p, struct err *err) {
        struct pollfd wait = { .events = POLLIN };
        uint64_t id, done = 0;
        int r = blob_temp(a->store->blobs_fd, p->temp, &p->fd, err);

        if (r < 0 || p->d.size == 0)
                return r;
        r = fetcher_stream_blob(&a->from->fetcher, &p->d, p->fd, &id, err);
        while (r == 0) {
                int n;

                wait.fd = a->from->fetcher.worker.control;
                n = poll(&wait, 1, HEARTBEAT_MS);
                if (n < 0 && errno != EINTR)
                        r = err_errno(err, -errno, "poll");
                else if (n > 0)
                        r = on_event(a, p, id, &done, err);
                else if (progress_bytes(a->progress, p->short_id, "Downloading", done < p->d.size ? done : p->d.size, p->d.size) < 0)
                        r = canceled(err);
        }
        return r < 0 ? r : 0;
}

/* To whose file nobody writes any more. */
static int verify(const struct part *p, int fd, const char *who, struct err *err) {
        char want[DIGEST_TEXT_SIZE], have[DIGEST_TEXT_SIZE];
        struct digest sum;
        uint64_t size;
        int r = digest_of_file(fd, &sum, &size);

        if (r < 0)
                return err_errno(err, r, "blob");
        if (digest_equal(&sum, &p->d.digest) && size == p->d.size)
                return 0;
        digest_format(&sum, have);
        digest_format(&p->d.digest, want);
        return err_set(err, ERR_INVALID, -EBADMSG, "%s %s (%llu bytes) for %s", who, have, (unsigned long long) size, want);
}

static int kept(struct artifact *a, struct part *p, struct err *err) {
        p->there = true;
        fault_point("artifact", "blob");
        return progress_layer(a->progress, p->short_id, a->from ? "Pull complete" : "Loaded layer") < 0 ? canceled(err) : 0;
}

static int keep_fetched(struct artifact *a, struct part *p, struct err *err) {
        int r = verify(p, p->fd, "the registry sent", err);

        if (r >= 0)
                r = blob_commit(a->store->blobs_fd, p->temp, &p->d.digest, err);
        if (r < 0)
                return r;
        *p->temp = '\0';
        p->fd = fd_close(p->fd);
        return kept(a, p, err);
}

/* All that is missing, of one source. What was good stays for the next one. */
static int fetch_all(struct artifact *a, struct err *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < a->n_parts; i++)
                if (!a->parts[i].there) {
                        drop_temp(a, &a->parts[i]);
                        r = fetch(a, &a->parts[i], err);
                }
        worker_kill(&a->from->fetcher.worker);
        for (size_t i = 0; r == 0 && i < a->n_parts; i++)
                if (!a->parts[i].there)
                        r = keep_fetched(a, &a->parts[i], err);
        return r;
}

/* --- its name --- */

static int put_name(struct artifact *a, struct change *c, bool *ret_new, struct err *err) {
        const struct import *i = a->import;
        size_t n = i->manifest.n_layers;
        auto_free uint64_t *sizes = calloc(n + 1, sizeof(*sizes));
        const struct entry e = {
                .manifest = i->manifest_digest,
                .id = i->manifest_digest,
                .index = i->index_digest,
                .has_index = i->has_index,
                .type = i->manifest.type,
                .manifest_size = i->manifest_size,
                .created_unix_ns = i->created_unix_ns,
                .n_layers = n + 1,
                .layer_sizes = sizes,
        };

        if (!sizes)
                return err_errno(err, -ENOMEM, "artifact");
        sizes[0] = i->manifest.config.size;
        for (size_t j = 0; j < n; j++)
                sizes[j + 1] = i->manifest.layers[j].size;
        return import_put_names(c, &e, &a->name, *a->name ? 1 : 0, a->from, ret_new, err);
}

static int commit(struct artifact *a, bool *ret_new, struct err *err) {
        const struct import *i = a->import;
        struct change c;
        int r;

        if (syncfs(a->store->blobs_fd) < 0)
                return err_errno(err, -errno, "blobs of the image store");
        fault_point("artifact", "synced");
        r = change_begin(a->store, &c, err);
        if (r < 0)
                return r;
        r = blob_write(a->store->blobs_fd, &i->manifest_digest, i->manifest_text, i->manifest_size, err);
        if (r >= 0 && i->index_text)
                r = blob_write(a->store->blobs_fd, &i->index_digest, i->index_text, i->index_size, err);
        fault_point("artifact", "manifest");
        if (r >= 0)
                r = put_name(a, &c, ret_new, err);
        if (r < 0) {
                change_abort(&c);
                return r;
        }
        return change_commit(&c, err);
}

static void done(struct artifact *a, bool keep) {
        auto_free struct digest *blobs = calloc(a->n_parts + 2, sizeof(*blobs));
        size_t n = 0;

        for (size_t i = 0; i < a->n_parts; i++) {
                drop_temp(a, &a->parts[i]);
                store_unpin(a->store, &a->parts[i].d.digest);
                if (blobs)
                        blobs[n++] = a->parts[i].d.digest;
        }
        if (!keep && blobs) {
                blobs[n++] = a->import->manifest_digest;
                if (a->import->has_index)
                        blobs[n++] = a->import->index_digest;
                store_collect(a->store, blobs, n, NULL, 0, NULL, NULL, NULL);
        }
        free(a->parts);
}

int artifact_pull(struct image_store *s, const struct import *i, struct sources *from, const struct progress *progress, const char *name, bool *ret_new, struct err *err) {
        struct artifact a = { .store = s, .import = i, .from = from, .progress = progress, .name = name };
        int r = gather(&a, err);

        if (r >= 0) {
                r = fetch_all(&a, err);
                while (r < 0 && sources_next(from, r, err))
                        r = fetch_all(&a, err);
        }
        if (r >= 0)
                r = commit(&a, ret_new, err);
        done(&a, r >= 0);
        return r;
}

/* --- from an archive --- */

static int take(struct artifact *a, struct part *p, int source_fd, struct err *err) {
        auto_fd fd = blob_open(source_fd, &p->d.digest);
        char text[DIGEST_TEXT_SIZE];
        int r;

        digest_format(&p->d.digest, text);
        if (fd == -ENOENT)
                return err_set(err, ERR_INVALID, -ENOENT, "the archive has no blob %s", text);
        if (fd < 0)
                return err_errno(err, fd, "blob %s", text);
        r = verify(p, fd, "the archive has", err);
        if (r >= 0)
                r = blob_adopt(a->store->blobs_fd, source_fd, &p->d, err);
        return r < 0 ? r : kept(a, p, err);
}

int artifact_load(struct image_store *s, const struct import *i, int source_fd, const struct progress *progress, const char *name, struct err *err) {
        struct artifact a = { .store = s, .import = i, .progress = progress, .name = name };
        int r = gather(&a, err);

        for (size_t j = 0; r >= 0 && j < a.n_parts; j++)
                if (!a.parts[j].there)
                        r = take(&a, &a.parts[j], source_fd, err);
        if (r >= 0)
                r = commit(&a, &(bool) { false }, err);
        done(&a, r >= 0);
        return r;
}

int artifact_check_discard(enum image_discard asked, const char *what, struct err *err) {
        if (asked != IMAGE_DISCARD)
                return 0;
        return err_set(err, ERR_INVALID, -EINVAL, "%s is an artifact, which is nothing but its blobs: none of them can be discarded", what);
}
