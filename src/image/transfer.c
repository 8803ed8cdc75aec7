/* SPDX-License-Identifier: Apache-2.0 */
#include "image/transfer.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "image/load-layers.h"
#include "image/unpacking.h"

enum {
        LAYERS_AT_ONCE = 3, /* when nobody says */
        PIPE_SIZE = 1 << 20,
        TELL_EVERY_MS = 80,
        HEARTBEAT_MS = 1000,   /* a client that went away is noticed by telling it something */
        RETRY_OWN_MS = 50,     /* while only layers of others are missing */
        FETCH_REASON_MS = 300, /* how long the fetcher's reason may take after unpack saw the stream end */
};

static int64_t now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void release_running(struct transfer *t, struct transfer_layer *l) {
        worker_kill(&l->worker);
        if (l->begun)
                t->store->sink.abort(t->store->sink.data, l->token);
        l->begun = false;
        if (*l->temp)
                unlinkat(t->store->blobs_fd, l->temp, 0);
        *l->temp = '\0';
        l->dir_fd = fd_close(l->dir_fd);
        l->blob_fd = fd_close(l->blob_fd);
        l->pipe_fd = fd_close(l->pipe_fd);
        if (l->owned)
                store_disown(t->store, &l->diff_id);
        l->owned = false;
}

int transfer_init(struct transfer *t, struct image_store *s, const struct manifest *m, const struct image_config *c,
                  const struct progress *progress, struct err *err) {
        *t = (struct transfer) { .store = s, .progress = progress, .source_fd = -EBADF, .at_once = LAYERS_AT_ONCE };
        if (m->n_layers != c->n_diff_ids)
                return err_set(err, ERR_INVALID, -EINVAL, "the manifest has %zu layers, its config has %zu diff ids", m->n_layers,
                               c->n_diff_ids);
        t->layers = calloc(m->n_layers + 1, sizeof(*t->layers));
        if (!t->layers)
                return err_errno(err, -ENOMEM, "layers");
        for (size_t i = 0; i < m->n_layers; i++) {
                struct transfer_layer *l = &t->layers[i];
                char text[DIGEST_TEXT_SIZE];
                int r;

                *l = (struct transfer_layer) { .blob = m->layers[i],
                                              .diff_id = c->diff_ids[i],
                                              .worker = WORKER_NONE,
                                              .dir_fd = -EBADF,
                                              .blob_fd = -EBADF,
                                              .pipe_fd = -EBADF };
                digest_format(&l->blob.digest, text);
                digest_short(text, l->short_id);
                r = store_pin(s, &l->blob.digest, err);
                if (r < 0)
                        return r;
                r = store_pin(s, &l->diff_id, err);
                if (r < 0) {
                        store_unpin(s, &l->blob.digest);
                        return r;
                }
                t->n_layers++;
        }
        return 0;
}

void transfer_continue(struct transfer *t, struct fetcher *f) {
        t->fetcher = f;
        for (size_t i = 0; i < t->n_layers; i++) {
                struct transfer_layer *l = &t->layers[i];

                release_running(t, l);
                if (l->state == LAYER_RUNNING)
                        l->state = LAYER_WAITING;
                l->fetching = l->adopt = false;
                l->fetch_id = l->fetched = l->unpacked = 0;
                l->why_until_ms = 0;
        }
}

static int drop_layer(const char *diff_id, void *data) {
        struct image_store *s = data;

        return s->sink.drop(s->sink.data, diff_id);
}

void transfer_done(struct transfer *t, bool keep) {
        auto_free struct digest *blobs = calloc(t->n_layers + 1, sizeof(*blobs)), *diff_ids = calloc(t->n_layers + 1, sizeof(*diff_ids));

        for (size_t i = 0; i < t->n_layers; i++)
                release_running(t, &t->layers[i]);
        for (size_t i = 0; i < t->n_layers; i++) {
                store_unpin(t->store, &t->layers[i].blob.digest);
                store_unpin(t->store, &t->layers[i].diff_id);
                if (blobs && diff_ids) {
                        blobs[i] = t->layers[i].blob.digest;
                        diff_ids[i] = t->layers[i].diff_id;
                }
        }
        if (!keep && blobs && diff_ids)
                store_collect(t->store, blobs, t->n_layers, diff_ids, t->n_layers, t->store->sink.drop ? drop_layer : NULL, t->store, NULL);
        else if (t->discard && blobs)
                store_collect(t->store, blobs, t->n_layers, NULL, 0, NULL, NULL, NULL);
        free(t->layers);
        *t = (struct transfer) { .source_fd = -EBADF };
}

static int canceled(struct err *err) {
        return err_set(err, ERR_UNAVAILABLE, -ECANCELED, "canceled");
}

static int layer_failed(const struct transfer_layer *l, struct err *err) {
        char text[DIGEST_TEXT_SIZE];

        digest_format(&l->blob.digest, text);
        /* The worker names the layer in its own words; the registry's and the system's errors do not. */
        return err && strstr(err->msg, text) ? err->num : err_prefix(err, "layer %s", text);
}

/* --- starting a layer --- */

/* The layer is there and so is the blob that it was made from, unless nobody asks for that. */
static bool is_present(struct transfer *t, struct transfer_layer *l) {
        struct image_store *s = t->store;
        char diff_id[DIGEST_TEXT_SIZE];

        digest_format(&l->diff_id, diff_id);
        if (!s->sink.has(s->sink.data, diff_id) || (!t->discard && !blob_exists(s->blobs_fd, &l->blob.digest)))
                return false;
        return store_was_made(s, &l->diff_id, &l->blob.digest, &l->size) || entry_layer_find(s, &l->diff_id, &l->blob.digest, &l->size);
}

/* Where the bytes come from: the store, the source directory, or the registry, then they go to a file, too. */
static int open_input(struct transfer *t, struct transfer_layer *l, int *ret_input, struct err *err) {
        auto_fd input = blob_open(t->store->blobs_fd, &l->blob.digest), theirs = -EBADF;
        int pair[2], r;

        if (input < 0 && t->source_fd >= 0) {
                input = blob_open(t->source_fd, &l->blob.digest);
                l->adopt = input >= 0;
        }
        if (input >= 0) {
                *ret_input = move_fd(input);
                return 0;
        }
        if (!t->fetcher)
                return err_set(err, ERR_INVALID, -ENOENT, "the archive has no such blob");
        r = t->discard ? 0 : blob_temp(t->store->blobs_fd, l->temp, &l->blob_fd, err);
        if (r < 0)
                return r;
        if (pipe2(pair, O_CLOEXEC) < 0)
                return err_errno(err, -errno, "pipe");
        l->pipe_fd = pair[0];
        theirs = pair[1];
        fcntl(theirs, F_SETPIPE_SZ, PIPE_SIZE); /* fewer switches between the two; the default does as well */
        r = fetcher_stream_blob(t->fetcher, &l->blob, theirs, &l->fetch_id, err);
        if (r < 0)
                return r;
        l->fetching = true;
        input = fcntl(l->pipe_fd, F_DUPFD_CLOEXEC, 3);
        if (input < 0)
                return err_errno(err, -errno, "pipe");
        *ret_input = move_fd(input);
        return 0;
}

static int commit_layer(struct transfer *t, struct transfer_layer *l, struct err *err);

/* The archive's layer was unpacked while it came: it only gets its names. */
static int take_unpacked(struct transfer *t, struct transfer_layer *l, struct unpacked_layer *u, struct err *err) {
        char text[DIGEST_TEXT_SIZE];

        if (u->why.kind != ERR_NONE) {
                if (err)
                        *err = u->why;
                return u->why.num ? u->why.num : -EIO;
        }
        if (!digest_equal(&u->diff_id, &l->diff_id)) {
                digest_format(&u->diff_id, text);
                return err_set(err, ERR_INVALID, -EBADMSG, "it unpacks to %s, not to its diff id", text);
        }
        if (u->blob_size != l->blob.size)
                return err_set(err, ERR_INVALID, -EBADMSG, "it has %llu bytes, not the %llu that the manifest says", (unsigned long long) u->blob_size,
                               (unsigned long long) l->blob.size);
        memcpy(l->token, u->token, sizeof(l->token));
        l->dir_fd = move_fd(u->dir_fd);
        l->begun = true;
        u->begun = false;
        l->size = u->size;
        l->adopt = !blob_exists(t->store->blobs_fd, &l->blob.digest);
        return commit_layer(t, l, err);
}

static int start_layer(struct transfer *t, struct transfer_layer *l, struct err *err) {
        struct unpacked_layer *u = t->unpacked ? load_layers_find(t->unpacked, &l->blob.digest) : NULL;
        struct image_sink *sink = &t->store->sink;
        auto_fd input = -EBADF;
        int r;

        if (u && (u->begun || u->why.kind != ERR_NONE))
                return take_unpacked(t, l, u, err);
        r = sink->begin(sink->data, l->token, &l->dir_fd, err);
        if (r < 0)
                return r;
        l->begun = true;
        r = open_input(t, l, &input, err);
        if (r >= 0)
                r = unpacking_start(t->store, &(struct unpacking) { .blob = &l->blob.digest, .diff_id = &l->diff_id, .size = l->blob.size, .input_fd = input, .dir_fd = l->dir_fd,
                                    .blob_fd = l->blob_fd }, &l->worker, err);
        if (r < 0)
                return r;
        l->state = LAYER_RUNNING;
        return 0;
}

/* Waiting → ready (it is there), running (ours to make), or still waiting (somebody else makes it). */
static int try_layer(struct transfer *t, struct transfer_layer *l, struct err *err) {
        int r = store_try_own(t->store, &l->diff_id);

        if (r == -EBUSY) {
                if (l->said_waiting)
                        return 0;
                l->said_waiting = true;
                return progress_layer(t->progress, l->short_id, "Waiting") < 0 ? canceled(err) : 0;
        }
        if (r < 0)
                return err_errno(err, r, "layers");
        l->owned = true;
        if (!is_present(t, l))
                return start_layer(t, l, err);
        store_disown(t->store, &l->diff_id);
        l->owned = false;
        l->state = LAYER_READY;
        return progress_layer(t->progress, l->short_id, "Already exists") < 0 ? canceled(err) : 0;
}

static size_t count(const struct transfer *t, enum layer_state state) {
        size_t n = 0;

        for (size_t i = 0; i < t->n_layers; i++)
                n += t->layers[i].state == state;
        return n;
}

static int start_layers(struct transfer *t, struct err *err) {
        size_t running = count(t, LAYER_RUNNING);

        for (size_t i = 0; i < t->n_layers && running < t->at_once; i++) {
                struct transfer_layer *l = &t->layers[i];
                int r;

                if (l->state != LAYER_WAITING)
                        continue;
                r = try_layer(t, l, err);
                if (r == -ECANCELED)
                        return r;
                if (r < 0)
                        return layer_failed(l, err);
                running += l->state == LAYER_RUNNING;
        }
        return 0;
}

/* --- what a running layer's worker says --- */

static int tell(struct transfer *t, struct transfer_layer *l, bool now, struct err *err) {
        int64_t ms = now_ms();

        if (!now && ms - l->told_ms < TELL_EVERY_MS)
                return 0;
        l->told_ms = ms;
        if (progress_bytes(t->progress, l->short_id,
                           l->fetching  ? "Downloading"
                           : t->fetcher ? "Extracting"
                                        : "Loading layer",
                           l->fetching ? l->fetched : l->unpacked, l->blob.size) < 0)
                return canceled(err);
        return 0;
}

/* The blob's file, written by the worker or found in the source, gets its name in the store. */
static int keep_blob(struct transfer *t, struct transfer_layer *l, struct err *err) {
        struct stat st;
        int r;

        if (l->blob_fd >= 0) {
                if (fstat(l->blob_fd, &st) < 0)
                        return err_errno(err, -errno, "blob");
                if ((uint64_t) st.st_size != l->blob.size)
                        return err_set(err, ERR_INTERNAL, -EPROTO, "the worker wrote %lld bytes of %llu", (long long) st.st_size,
                                       (unsigned long long) l->blob.size);
                r = blob_commit(t->store->blobs_fd, l->temp, &l->blob.digest, err);
                if (r == 0)
                        *l->temp = '\0';
                return r;
        }
        return l->adopt && !t->discard ? blob_adopt(t->store->blobs_fd, t->source_fd, &l->blob, err) : 0;
}

/* All of the blob has come: the fetcher says so, or the unpack, which may be faster. */
static int tell_fetched(struct transfer *t, struct transfer_layer *l, struct err *err) {
        l->fetching = false;
        if (progress_layer(t->progress, l->short_id, "Verifying Checksum") < 0 || progress_layer(t->progress, l->short_id, "Download complete") < 0)
                return canceled(err);
        return 0;
}

/* Tree and blob are whole, and nobody writes to them any more: they get their names. */
static int commit_layer(struct transfer *t, struct transfer_layer *l, struct err *err) {
        struct image_sink *sink = &t->store->sink;
        char diff_id[DIGEST_TEXT_SIZE];
        int r = keep_blob(t, l, err);

        if (r < 0)
                return r;
        fault_point("image", "blob");
        digest_format(&l->diff_id, diff_id);
        r = sink->commit(sink->data, l->token, diff_id, err);
        if (r < 0)
                return r;
        fault_point("image", "layer");
        l->begun = false;
        if (l->devices > 0)
                log_debug("layer %s: %u device nodes were left out", diff_id, l->devices);
        store_set_made(t->store, &l->diff_id, &l->blob.digest, l->size);
        release_running(t, l);
        l->state = LAYER_READY;
        if (l->fetching && (r = tell_fetched(t, l, err)) < 0)
                return r;
        return progress_layer(t->progress, l->short_id, t->fetcher ? "Pull complete" : "Loaded layer") < 0 ? canceled(err) : 0;
}

static int finish_layer(struct transfer *t, struct transfer_layer *l, const json_t *event, struct err *err) {
        l->size = worker_number(event, "size");
        if (l->size > INT64_MAX || worker_number(event, "blob_size") != l->blob.size)
                return err_set(err, ERR_INTERNAL, -EPROTO, "the worker says that it is done with another size");
        worker_end(&l->worker);
        return commit_layer(t, l, err);
}

static int on_unpack_event(struct transfer *t, struct transfer_layer *l, struct err *err) {
        auto_json *event = NULL;
        uint64_t bytes;
        int r = unpacking_receive(&l->worker, l->dir_fd, &l->devices, &event, err);

        if (r < 0 || !event)
                return r;
        if (strcmp(json_get_str(event, "event", ""), "done") == 0)
                return finish_layer(t, l, event, err);
        bytes = worker_number(event, "bytes");
        l->unpacked = bytes < l->blob.size ? bytes : l->blob.size;
        return l->fetching ? 0 : tell(t, l, false, err);
}

/* The unpack worker failed. When its input broke off, the fetcher is the one who knows why, and says so at about the same time. */
static int on_unpack_failure(struct transfer_layer *l, struct err *err) {
        if (!l->fetching || err->num == -ECANCELED)
                return layer_failed(l, err);
        worker_kill(&l->worker);
        l->why = *err;
        l->why_until_ms = now_ms() + FETCH_REASON_MS;
        return 0;
}

/* --- what the fetcher says --- */

static struct transfer_layer *find_fetch(struct transfer *t, uint64_t id) {
        for (size_t i = 0; i < t->n_layers; i++)
                if (t->layers[i].fetch_id == id && id != 0)
                        return &t->layers[i];
        return NULL;
}

/* It died, or speaks nonsense. Who has all that it needs does not mind. */
static int fetcher_lost(struct transfer *t, int r, struct err *err) {
        for (size_t i = 0; i < t->n_layers; i++)
                if (t->layers[i].fetching)
                        return layer_failed(&t->layers[i], err);
        if (count(t, LAYER_WAITING) > 0)
                return r;
        t->fetcher = NULL;
        return 0;
}

static int on_fetch_event(struct transfer *t, struct err *err) {
        auto_json *event = NULL;
        struct transfer_layer *l;
        const char *what;
        int r = worker_receive(&t->fetcher->worker, &event, err);

        if (r < 0)
                return fetcher_lost(t, r, err);
        what = json_get_str(event, "event", "");
        l = find_fetch(t, worker_number(event, "id"));
        if (strcmp(what, "error") == 0) {
                fetcher_error(t->fetcher, event, err);
                return l ? layer_failed(l, err) : err->num;
        }
        if (!l)
                return err_set(err, ERR_INTERNAL, -EPROTO, "the worker answers what was not asked");
        if (!l->fetching)
                return 0; /* the unpack was faster in telling the end */
        if (strcmp(what, "done") == 0) {
                l->pipe_fd = fd_close(l->pipe_fd);
                return tell_fetched(t, l, err);
        }
        if (strcmp(what, "progress") != 0)
                return err_set(err, ERR_INTERNAL, -EPROTO, "the worker says \"%s\", which means nothing", what);
        l->fetched = worker_number(event, "bytes");
        if (l->fetched > l->blob.size)
                l->fetched = l->blob.size;
        return tell(t, l, false, err);
}

/* --- the loop --- */

static int check_reasons(struct transfer *t, struct err *err) {
        for (size_t i = 0; i < t->n_layers; i++) {
                struct transfer_layer *l = &t->layers[i];

                if (l->why_until_ms == 0 || (l->fetching && now_ms() < l->why_until_ms))
                        continue;
                if (err)
                        *err = l->why;
                return layer_failed(l, err);
        }
        return 0;
}

static int heartbeat(struct transfer *t, struct err *err) {
        for (size_t i = 0; i < t->n_layers; i++)
                if (t->layers[i].state == LAYER_RUNNING)
                        return tell(t, &t->layers[i], true, err);
        for (size_t i = 0; i < t->n_layers; i++)
                if (t->layers[i].state == LAYER_WAITING)
                        return progress_layer(t->progress, t->layers[i].short_id, "Waiting") < 0 ? canceled(err) : 0;
        return 0;
}

static int wait_and_handle(struct transfer *t, int64_t *last_ms, struct err *err) {
        struct pollfd p[IMAGE_AT_ONCE_MAX + 1];
        struct transfer_layer *of[IMAGE_AT_ONCE_MAX + 1] = { NULL };
        bool hurry = false;
        nfds_t n = 0;
        int r = 0;

        for (size_t i = 0; i < t->n_layers; i++) {
                if (t->layers[i].why_until_ms != 0)
                        hurry = true;
                else if (t->layers[i].state == LAYER_RUNNING)
                        of[n] = &t->layers[i], p[n++] = (struct pollfd) { .fd = t->layers[i].worker.control, .events = POLLIN };
        }
        hurry = hurry || (n < t->at_once && count(t, LAYER_WAITING) > 0);
        if (t->fetcher)
                p[n++] = (struct pollfd) { .fd = t->fetcher->worker.control, .events = POLLIN };
        if (poll(p, n, hurry ? RETRY_OWN_MS : HEARTBEAT_MS) < 0)
                return errno == EINTR ? 0 : err_errno(err, -errno, "poll");
        /* The fetcher last in the array but first here: its reasons come before those of who reads from it. */
        for (nfds_t i = n; i-- > 0 && r == 0;) {
                if (!p[i].revents)
                        continue;
                r = of[i] ? on_unpack_event(t, of[i], err) : on_fetch_event(t, err);
                if (r < 0 && of[i])
                        r = on_unpack_failure(of[i], err);
        }
        if (r == 0)
                r = check_reasons(t, err);
        if (r == 0 && now_ms() - *last_ms >= HEARTBEAT_MS) {
                *last_ms = now_ms();
                r = heartbeat(t, err);
        }
        return r;
}

int transfer_run(struct transfer *t, struct err *err) {
        int64_t last_ms = now_ms();
        struct err local;

        if (!err)
                err = &local; /* reasons are looked at here */
        while (count(t, LAYER_READY) < t->n_layers) {
                int r = start_layers(t, err);

                if (r == 0 && count(t, LAYER_READY) < t->n_layers)
                        r = wait_and_handle(t, &last_ms, err);
                if (r < 0)
                        return r;
        }
        return 0;
}
