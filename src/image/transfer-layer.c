/* SPDX-License-Identifier: Apache-2.0 */
#include "image/transfer-layer.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "image/load-layers.h"
#include "image/unpacking.h"

enum { PIPE_SIZE = 1 << 20, TELL_EVERY_MS = 80 };

int64_t transfer_now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void layer_release(struct transfer *t, struct transfer_layer *l) {
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

int transfer_canceled(struct err *err) {
        return err_set(err, ERR_UNAVAILABLE, -ECANCELED, "canceled");
}

static int commit_layer(struct transfer *t, struct transfer_layer *l, struct err *err);

/* --- starting it --- */

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

int layer_try(struct transfer *t, struct transfer_layer *l, struct err *err) {
        int r = store_try_own(t->store, &l->diff_id);

        if (r == -EBUSY) {
                if (l->said_waiting)
                        return 0;
                l->said_waiting = true;
                return progress_layer(t->progress, l->short_id, "Waiting") < 0 ? transfer_canceled(err) : 0;
        }
        if (r < 0)
                return err_errno(err, r, "layers");
        l->owned = true;
        if (!is_present(t, l))
                return start_layer(t, l, err);
        store_disown(t->store, &l->diff_id);
        l->owned = false;
        l->state = LAYER_READY;
        return progress_layer(t->progress, l->short_id, "Already exists") < 0 ? transfer_canceled(err) : 0;
}

/* --- what a running layer's worker says --- */

int layer_tell(struct transfer *t, struct transfer_layer *l, bool now, struct err *err) {
        int64_t ms = transfer_now_ms();

        if (!now && ms - l->told_ms < TELL_EVERY_MS)
                return 0;
        l->told_ms = ms;
        if (progress_bytes(t->progress, l->short_id,
                           l->fetching  ? "Downloading"
                           : t->fetcher ? "Extracting"
                                        : "Loading layer",
                           l->fetching ? l->fetched : l->unpacked, l->blob.size) < 0)
                return transfer_canceled(err);
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

int layer_tell_fetched(struct transfer *t, struct transfer_layer *l, struct err *err) {
        l->fetching = false;
        if (progress_layer(t->progress, l->short_id, "Verifying Checksum") < 0 || progress_layer(t->progress, l->short_id, "Download complete") < 0)
                return transfer_canceled(err);
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
        layer_release(t, l);
        l->state = LAYER_READY;
        if (l->fetching && (r = layer_tell_fetched(t, l, err)) < 0)
                return r;
        return progress_layer(t->progress, l->short_id, t->fetcher ? "Pull complete" : "Loaded layer") < 0 ? transfer_canceled(err) : 0;
}

static int finish_layer(struct transfer *t, struct transfer_layer *l, const json_t *event, struct err *err) {
        l->size = worker_number(event, "size");
        if (l->size > INT64_MAX || worker_number(event, "blob_size") != l->blob.size)
                return err_set(err, ERR_INTERNAL, -EPROTO, "the worker says that it is done with another size");
        worker_end(&l->worker);
        return commit_layer(t, l, err);
}

int layer_on_event(struct transfer *t, struct transfer_layer *l, struct err *err) {
        auto_json *event = NULL;
        uint64_t bytes;
        int r = unpacking_receive(&l->worker, l->dir_fd, &l->devices, &event, err);

        if (r < 0 || !event)
                return r;
        if (strcmp(json_get_str(event, "event", ""), "done") == 0)
                return finish_layer(t, l, event, err);
        bytes = worker_number(event, "bytes");
        l->unpacked = bytes < l->blob.size ? bytes : l->blob.size;
        return l->fetching ? 0 : layer_tell(t, l, false, err);
}
