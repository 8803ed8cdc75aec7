/* SPDX-License-Identifier: Apache-2.0 */
#include "image/load-layers.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "image/manifest.h"
#include "image/store.h"
#include "image/unpacking.h"

enum { LAYERS_MAX = MANIFEST_LAYERS_MAX * 8, PIPE_SIZE = 1 << 20 };

void load_layers_init(struct load_layers *l, struct image_store *s, json_t *members, bool discard, bool keep) {
        *l = (struct load_layers) { .store = s, .members = members, .discard = discard, .keep = keep };
}

static bool is_running(const struct load_layer *y) {
        return y->worker.pid >= 0;
}

static void drop_tree(struct load_layers *l, struct load_layer *y) {
        worker_kill(&y->worker);
        if (y->unpacked.begun)
                l->store->sink.abort(l->store->sink.data, y->unpacked.token);
        y->unpacked.begun = false;
        y->unpacked.dir_fd = fd_close(y->unpacked.dir_fd);
}

/* What came of it goes; what is known of it stays. */
static void drop(struct load_layers *l, struct load_layer *y) {
        drop_tree(l, y);
        y->blob_fd = fd_close(y->blob_fd);
        if (*y->temp)
                unlinkat(l->store->blobs_fd, y->temp, 0);
        *y->temp = '\0';
}

void load_layers_done(struct load_layers *l) {
        for (size_t i = 0; i < l->n; i++) {
                drop(l, l->list[i]);
                free(l->list[i]->name);
                free(l->list[i]);
        }
        for (size_t i = 0; i < l->n_known; i++)
                store_unpin(l->store, &l->known[i]);
        if (l->discard && l->n_known > 0)
                store_collect(l->store, l->known, l->n_known, NULL, 0, NULL, NULL, NULL);
        free(l->list);
        free(l->known);
        json_decref(l->waiting);
        *l = (struct load_layers) { 0 };
}

size_t load_layers_running(const struct load_layers *l) {
        size_t n = 0;

        for (size_t i = 0; i < l->n; i++)
                n += is_running(l->list[i]);
        return n;
}

struct unpacked_layer *load_layers_find(const struct load_layers *l, const struct digest *blob) {
        for (size_t i = 0; i < l->n; i++)
                if (digest_equal(&l->list[i]->unpacked.blob, blob))
                        return &l->list[i]->unpacked;
        return NULL;
}

/* --- answering offers --- */

/* Is the blob in the store? Then it stays there while this load goes on. */
static int find_known(struct load_layers *l, const struct digest *blob, bool *ret, struct err *err) {
        struct digest *grown = reallocarray(l->known, l->n_known + 1, sizeof(*grown));
        int r = grown ? 0 : err_errno(err, -ENOMEM, "image archive");

        if (!grown)
                return r;
        l->known = grown;
        r = store_pin(l->store, blob, err); /* first: a blob that is found after that stays */
        if (r < 0)
                return r;
        *ret = blob_exists(l->store->blobs_fd, blob);
        if (*ret)
                l->known[l->n_known++] = *blob;
        else
                store_unpin(l->store, blob);
        return 0;
}

static struct load_layer *add(struct load_layers *l) {
        struct load_layer **grown = reallocarray(l->list, l->n + 1, sizeof(struct load_layer *));
        struct load_layer *y = grown ? calloc(1, sizeof(*y)) : NULL;

        if (grown)
                l->list = grown;
        if (!y)
                return NULL;
        *y = (struct load_layer) { .unpacked = { .dir_fd = -EBADF }, .worker = WORKER_NONE, .blob_fd = -EBADF };
        l->list[l->n++] = y;
        return y;
}

/* *ret_pipe: where its bytes go. */
static int begin(struct load_layers *l, const struct digest *blob, const char *name, uint64_t size, int *ret_pipe, struct err *err) {
        struct image_sink *sink = &l->store->sink;
        struct load_layer *y = add(l);
        auto_fd ours = -EBADF, theirs = -EBADF;
        int pair[2], r;

        if (!y)
                return err_errno(err, -ENOMEM, "image archive");
        if (blob)
                y->unpacked.blob = *blob;
        else if (!(y->name = strdup(name)))
                return err_errno(err, -ENOMEM, "image archive");
        r = sink->begin(sink->data, y->unpacked.token, &y->unpacked.dir_fd, err);
        if (r < 0)
                return r;
        y->unpacked.begun = true;
        r = !l->keep ? 0 : blob_temp(l->store->blobs_fd, y->temp, &y->blob_fd, err);
        if (r < 0)
                return r;
        if (pipe2(pair, O_CLOEXEC) < 0)
                return err_errno(err, -errno, "pipe");
        ours = pair[0];
        theirs = pair[1];
        fcntl(theirs, F_SETPIPE_SZ, PIPE_SIZE); /* fewer switches between the two; the default does as well */
        r = unpacking_start(l->store, &(struct unpacking) { .blob = blob, .name = name, .size = size, .input_fd = ours, .dir_fd = y->unpacked.dir_fd, .blob_fd = y->blob_fd,
                            .keep_blob = blob && y->blob_fd >= 0 }, &y->worker, err);
        if (r < 0)
                return r;
        *ret_pipe = move_fd(theirs);
        return 0;
}

static int answer(struct worker *loader, const char *what, int pipe_fd, struct err *err) {
        return worker_send(loader, json_pack("{s:s, s:s}", "op", "layer", "do", what), &pipe_fd, pipe_fd >= 0 ? 1 : 0, err);
}

int load_layers_offer(struct load_layers *l, const json_t *event, struct worker *loader, struct err *err) {
        const char *digest = json_get_str(event, "digest", NULL), *name = json_get_str(event, "name", NULL);
        uint64_t size = worker_number(event, "size");
        auto_fd pipe_fd = -EBADF;
        struct digest blob;
        bool known = false;
        int r;

        if ((digest ? !digest_parse(digest, &blob) : !name) || size > INT64_MAX || l->waiting)
                return err_set(err, ERR_INTERNAL, -EPROTO, "the worker offers a layer that makes no sense");
        if (digest) {
                r = load_layers_find(l, &blob) ? 1 : find_known(l, &blob, &known, err);
                if (r < 0)
                        return r;
                if (r > 0 || known)
                        return answer(loader, "skip", -1, err);
        }
        if (l->n >= LAYERS_MAX)
                return answer(loader, "keep", -1, err);
        if (load_layers_running(l) >= LOAD_LAYERS_AT_ONCE) {
                l->waiting = json_incref((json_t *) event);
                return 0;
        }
        r = begin(l, digest ? &blob : NULL, digest ? NULL : name, size, &pipe_fd, err);
        return r < 0 ? r : answer(loader, "pour", pipe_fd, err);
}

/* --- while they come --- */

size_t load_layers_poll(const struct load_layers *l, struct pollfd *ret) {
        size_t n = 0;

        for (size_t i = 0; i < l->n; i++)
                if (is_running(l->list[i]))
                        ret[n++] = (struct pollfd) { .fd = l->list[i]->worker.control, .events = POLLIN };
        return n;
}

/* The worker is gone. */
static int close_blob(struct load_layer *y, struct err *err) {
        struct stat st;

        if (y->blob_fd >= 0 && fstat(y->blob_fd, &st) < 0)
                return err_errno(err, -errno, "blob");
        if (y->blob_fd >= 0 && (uint64_t) st.st_size != y->unpacked.blob_size)
                return err_set(err, ERR_INTERNAL, -EPROTO, "the worker wrote %lld bytes, and says another number", (long long) st.st_size);
        y->blob_fd = fd_close(y->blob_fd);
        return 0;
}

static int finish(struct load_layers *l, struct load_layer *y, const json_t *event, struct err *err) {
        struct unpacked_layer *u = &y->unpacked;
        const char *digest = json_get_str(event, "digest", NULL);
        struct digest blob;
        int r;

        u->size = worker_number(event, "size");
        if (u->size > INT64_MAX || worker_number(event, "blob_size") > INT64_MAX || !digest_parse(digest, &blob) || (!y->name && !digest_equal(&blob, &u->blob)) ||
            !digest_parse(json_get_str(event, "diff_id", NULL), &u->diff_id))
                return err_set(err, ERR_INTERNAL, -EPROTO, "the worker says of a layer what makes no sense");
        /* Nobody may write into the layer or the blob any more. */
        worker_end(&y->worker);
        u->blob_size = worker_number(event, "blob_size");
        r = close_blob(y, err);
        if (r < 0)
                return r;
        u->blob = blob;
        if (y->name && json_object_set_new(l->members, y->name, json_string(digest)) < 0)
                return err_errno(err, -ENOMEM, "image archive");
        fault_point("load", "unpacked");
        return 0;
}

static int handle(struct load_layers *l, struct load_layer *y, struct err *err) {
        auto_json *event = NULL;
        int r = unpacking_receive(&y->worker, y->unpacked.dir_fd, &y->devices, &event, err);

        if (r == 0 && event && strcmp(json_get_str(event, "event", ""), "done") == 0)
                r = finish(l, y, event, err);
        else if (r == 0 && event && strcmp(json_get_str(event, "event", ""), "blob") == 0)
                y->unpacked.blob_size = worker_number(event, "blob_size"), y->has_blob = true;
        if (r == 0)
                return 0;
        if (y->name) {
                drop(l, y);
                return r;
        }
        y->unpacked.why = *err;
        drop_tree(l, y);
        if (!y->has_blob || close_blob(y, NULL) < 0)
                drop(l, y);
        return 0;
}

int load_layers_handle(struct load_layers *l, const struct pollfd *fds, size_t n, struct worker *loader, struct err *err) {
        size_t at = 0;

        for (size_t i = 0; i < l->n && at < n; i++) {
                int r;

                if (!is_running(l->list[i]))
                        continue;
                r = fds[at++].revents ? handle(l, l->list[i], err) : 0;
                if (r < 0)
                        return r;
        }
        if (l->waiting && load_layers_running(l) < LOAD_LAYERS_AT_ONCE) {
                auto_json *event = take_ptr(&l->waiting);

                return load_layers_offer(l, event, loader, err);
        }
        return 0;
}

int load_layers_settle(struct load_layers *l, int blobs_fd, struct err *err) {
        for (size_t i = 0; i < l->n; i++) {
                struct load_layer *y = l->list[i];
                char name[DIGEST_HEX_SIZE];

                if (!*y->temp)
                        continue;
                digest_format_hex(&y->unpacked.blob, name);
                if (renameat(l->store->blobs_fd, y->temp, blobs_fd, name) < 0)
                        return err_errno(err, -errno, "blob sha256:%s", name);
                *y->temp = '\0';
        }
        return 0;
}
