/* SPDX-License-Identifier: Apache-2.0 */
#include "image/transfer.h"
#include "image/transfer-layer.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"

enum {
        LAYERS_AT_ONCE = 3,     /* when nobody says */
        HEARTBEAT_MS = 1000,    /* a client that went away is noticed by telling it something */
        RETRY_OWN_MS = 50,      /* while only layers of others are missing */
        FETCH_REASON_MS = 300,  /* how long the fetcher's reason may take after unpack saw the stream end */
};

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

                layer_release(t, l);
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
                layer_release(t, &t->layers[i]);
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

static int layer_failed(const struct transfer_layer *l, struct err *err) {
        char text[DIGEST_TEXT_SIZE];

        digest_format(&l->blob.digest, text);
        /* The worker names the layer in its own words; the registry's and the system's errors do not. */
        return err && strstr(err->msg, text) ? err->num : err_prefix(err, "layer %s", text);
}

/* --- starting them --- */

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
                r = layer_try(t, l, err);
                if (r == -ECANCELED)
                        return r;
                if (r < 0)
                        return layer_failed(l, err);
                running += l->state == LAYER_RUNNING;
        }
        return 0;
}

/* The unpack worker failed. When its input broke off, the fetcher is the one who knows why, and says so at about the same time. */
static int on_unpack_failure(struct transfer_layer *l, struct err *err) {
        if (!l->fetching || err->num == -ECANCELED)
                return layer_failed(l, err);
        worker_kill(&l->worker);
        l->why = *err;
        l->why_until_ms = transfer_now_ms() + FETCH_REASON_MS;
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
                return layer_tell_fetched(t, l, err);
        }
        if (strcmp(what, "progress") != 0)
                return err_set(err, ERR_INTERNAL, -EPROTO, "the worker says \"%s\", which means nothing", what);
        l->fetched = worker_number(event, "bytes");
        if (l->fetched > l->blob.size)
                l->fetched = l->blob.size;
        return layer_tell(t, l, false, err);
}

/* --- the loop --- */

static int check_reasons(struct transfer *t, struct err *err) {
        for (size_t i = 0; i < t->n_layers; i++) {
                struct transfer_layer *l = &t->layers[i];

                if (l->why_until_ms == 0 || (l->fetching && transfer_now_ms() < l->why_until_ms))
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
                        return layer_tell(t, &t->layers[i], true, err);
        for (size_t i = 0; i < t->n_layers; i++)
                if (t->layers[i].state == LAYER_WAITING)
                        return progress_layer(t->progress, t->layers[i].short_id, "Waiting") < 0 ? transfer_canceled(err) : 0;
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
                r = of[i] ? layer_on_event(t, of[i], err) : on_fetch_event(t, err);
                if (r < 0 && of[i])
                        r = on_unpack_failure(of[i], err);
        }
        if (r == 0)
                r = check_reasons(t, err);
        if (r == 0 && transfer_now_ms() - *last_ms >= HEARTBEAT_MS) {
                *last_ms = transfer_now_ms();
                r = heartbeat(t, err);
        }
        return r;
}

int transfer_run(struct transfer *t, struct err *err) {
        int64_t last_ms = transfer_now_ms();
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
