/* SPDX-License-Identifier: Apache-2.0 */

/* Mode fetch: many requests to one registry at once, in one loop over curl, the control socket and the pipes. */

#include "worker/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "worker/control.h"
#include "worker/digest.h"
#include "worker/jobs.h"

enum {
        CONNECTIONS_MAX = 32, /* the daemon asks for no more at once than it was told */
        PIPE_SIZE = 1 << 20,
        MANIFEST_MAX = 4 << 20,
        ACCEPTS_MAX = 32,
        POLL_MS = 1000,
};

int64_t fetch_now_ns(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

struct transfer *fetch_add(struct fetch *f) {
        for (size_t i = 0; i < FETCH_TRANSFERS_MAX; i++)
                if (!f->transfers[i]) {
                        struct transfer *t = calloc(1, sizeof(*t));

                        if (!t)
                                return NULL;
                        t->registry = &f->registry;
                        t->control_fd = f->control_fd;
                        t->pipe_fd = t->source_fd = -EBADF;
                        f->transfers[i] = t;
                        return t;
                }
        return NULL;
}

/* --- orders --- */

static int take_accept(struct transfer *t, const json_t *job, struct err *err) {
        const json_t *list = json_get_array(job, "accept"), *item;
        size_t i;

        if (json_array_size(list) > ACCEPTS_MAX)
                return err_set(err, ERR_INVALID, -EINVAL, "worker: too many media types");
        json_array_foreach(list, i, item) {
                const char *text = json_is_string(item) ? json_string_value(item) : "";
                struct curl_slist *more;

                if (!*text || strpbrk(text, "\r\n"))
                        return err_set(err, ERR_INVALID, -EINVAL, "worker: a media type of a wrong form");
                more = curl_slist_append(t->accept, text);
                if (!more)
                        return err_errno(err, -ENOMEM, "request");
                t->accept = more;
        }
        return 0;
}

static int take_manifest(struct transfer *t, const json_t *job, struct err *err) {
        const char *reference = json_get_str(job, "reference", "");
        int64_t max = json_get_int(job, "max", MANIFEST_MAX);

        if (!registry_is_tag(reference) && !digest_is_valid(reference))
                return err_set(err, ERR_INVALID, -EINVAL, "\"%s\" is neither a tag nor a digest", reference);
        if (max <= 0 || max > MANIFEST_MAX)
                return err_set(err, ERR_INVALID, -EINVAL, "worker: a manifest of more than %d bytes is not fetched", MANIFEST_MAX);
        t->kind = TRANSFER_MANIFEST;
        t->max = (size_t) max;
        t->reference = strdup(reference);
        return take_accept(t, job, err);
}

static int take_head(struct transfer *t, const json_t *job, struct err *err) {
        t->head = true;
        return take_manifest(t, job, err);
}

static int take_place(struct transfer *t, const json_t *job, struct err *err) {
        const char *place = json_get_str(job, "place", "");
        int64_t max = json_get_int(job, "max", MANIFEST_MAX);

        if (!registry_is_place(place) || max <= 0 || max > MANIFEST_MAX)
                return err_set(err, ERR_INVALID, -EINVAL, "worker: \"%s\" is not a place of a registry, or more than %d bytes are wanted of it", place, MANIFEST_MAX);
        t->kind = TRANSFER_MANIFEST;
        t->is_place = true;
        t->max = (size_t) max;
        t->reference = strdup(place);
        return take_accept(t, job, err);
}

static int take_blob(struct transfer *t, const json_t *job, struct err *err) {
        const char *digest = json_get_str(job, "digest", "");
        int64_t size = json_get_int(job, "size", 0);

        if (!digest_is_valid(digest) || size < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "\"%s\" is not a digest", digest);
        t->kind = TRANSFER_BLOB;
        t->size = (uint64_t) size;
        t->reference = strdup(digest);
        return 0;
}

static const struct {
        const char *op;
        int (*take)(struct transfer *t, const json_t *job, struct err *err);
        size_t n_fds;
} orders[] = {
        { "manifest", take_manifest, 1 },
        { "head", take_head, 0 },
        { "place", take_place, 1 },
        { "blob", take_blob, 1 },
        { "upload", upload_take_blob, 1 },
        { "put", upload_take_manifest, 1 },
        { "mount", upload_take_mount, 0 },
        { "delete", upload_take_delete, 0 },
        { "ping", upload_take_ping, 0 },
};

static bool has_its_fds(const char *op, size_t n_fds) {
        for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
                if (strcmp(orders[i].op, op) == 0)
                        return n_fds == orders[i].n_fds;
        return true; /* unknown: said later */
}

/* The pipe becomes the transfer's. */
static int take_order(struct fetch *f, const json_t *job, struct control_message *m, struct err *err) {
        const char *op = json_get_str(job, "op", "");
        struct transfer *t;
        int r = 0;

        if (strcmp(op, "open") == 0)
                return registry_open(&f->registry, job, err);
        if (!f->registry.is_open || !has_its_fds(op, m->n_fds) || json_get_int(job, "id", -1) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "worker: \"%s\" without an open registry, an id or a pipe", op);
        t = fetch_add(f);
        if (!t)
                return err_set(err, ERR_INTERNAL, -ENOBUFS, "registry %s: too many requests at once", f->registry.host);
        t->id = json_get_int(job, "id", -1);
        if (m->n_fds > 0)
                t->pipe_fd = m->fds[--m->n_fds];
        r = err_set(err, ERR_INVALID, -EINVAL, "worker: unknown job \"%s\"", op);
        for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
                if (strcmp(orders[i].op, op) == 0)
                        r = orders[i].take(t, job, err);
        if (r == 0 && (!t->reference || fetch_aim(f, t) < 0))
                r = err_errno(err, -ENOMEM, "request");
        if (r == 0 && t->pipe_fd >= 0 && fcntl(t->pipe_fd, F_SETFL, O_NONBLOCK) < 0)
                r = err_errno(err, -errno, "pipe");
        if (r < 0) {
                fetch_finish(t);
                return r;
        }
        if (t->pipe_fd >= 0)
                (void) fcntl(t->pipe_fd, F_SETPIPE_SZ, PIPE_SIZE); /* a larger one saves wake-ups; the size that it has will do */
        t->state = TRANSFER_READY;
        return 0;
}

/* 1: one message was dealt with; 0: the daemon has closed the socket. */
static int take_message(struct fetch *f, struct err *err) {
        struct control_message m = { 0 };
        auto_json *job = NULL;
        int r = control_receive(f->control_fd, &m);

        if (r <= 0)
                return r < 0 ? err_errno(err, r, "worker: control socket") : 0;
        r = control_parse(&m, &job, err);
        if (r == 0) {
                r = take_order(f, job, &m, err);
                if (r < 0 && json_get_int(job, "id", -1) >= 0) { /* the fault of this one alone */
                        control_message_done(&m); /* its pipe is closed first */
                        r = control_send_error(f->control_fd, json_get_int(job, "id", -1), err);
                }
        }
        control_message_done(&m);
        return r < 0 ? r : 1;
}

/* --- the loop --- */

static void start(struct fetch *f, struct transfer *t) {
        struct err err;

        if (transfer_prepare(t, &err) < 0) {
                fetch_fail(f, t, &err);
                return;
        }
        if (curl_multi_add_handle(f->multi, t->easy) != CURLM_OK) {
                err_set(&err, ERR_INTERNAL, -ENOMEM, "%s: cannot be requested", transfer_name(t));
                fetch_fail(f, t, &err);
                return;
        }
        t->state = TRANSFER_RUNNING;
}

/* Whose pipe has taken all that was waiting: on with the connection, or the end. */
static void flush(struct fetch *f, struct transfer *t) {
        json_t *event;
        struct err err;
        int r = transfer_flush(t);

        if (r < 0) {
                if (t->state == TRANSFER_RUNNING)
                        curl_multi_remove_handle(f->multi, t->easy);
                transfer_error_of_pipe(t, r, &err);
                fetch_fail(f, t, &err);
                return;
        }
        if (transfer_has_backlog(t))
                return;
        if (t->paused) {
                t->paused = false;
                curl_easy_pause(t->easy, CURLPAUSE_CONT);
        }
        if (t->state != TRANSFER_DRAINING)
                return;
        event = json_pack("{s:s, s:I, s:o, s:I}", "event", "done", "id", (json_int_t) t->id, "media_type", control_text(t->media_type), "size",
                          (json_int_t) t->done);
        if (event && *t->digest)
                json_object_set_new(event, "digest", json_string(t->digest));
        if (event && t->how)
                json_object_set_new(event, "how", json_string(t->how));
        if (event && *t->subject)
                json_object_set_new(event, "subject", json_string(t->subject));
        if (event && t->next)
                json_object_set_new(event, "next", json_string(t->next));
        if (event && t->kind == TRANSFER_PING && f->registry.granted)
                json_object_set_new(event, "identity_token", json_string(f->registry.granted));
        fetch_finish(t); /* the pipe is closed first */
        control_send(f->control_fd, event);
}

static void advance(struct fetch *f) {
        int64_t now = fetch_now_ns();

        for (size_t i = 0; i < FETCH_TRANSFERS_MAX; i++) {
                struct transfer *t = f->transfers[i];

                if (!t)
                        continue;
                if (t->state == TRANSFER_RUNNING || t->state == TRANSFER_DRAINING)
                        flush(f, t);
                if (t->state == TRANSFER_READY && t->start_ns <= now)
                        start(f, t);
                if (t->state == TRANSFER_OVER) {
                        transfer_done(t);
                        free(t);
                        f->transfers[i] = NULL;
                }
        }
}

static void take_outcomes(struct fetch *f) {
        CURLMsg *m;
        int left;

        while ((m = curl_multi_info_read(f->multi, &left))) {
                CURLcode code = m->data.result;
                struct transfer *t = NULL;

                if (m->msg != CURLMSG_DONE)
                        continue;
                curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
                curl_multi_remove_handle(f->multi, t->easy);
                if (code == CURLE_OK)
                        fetch_on_answer(f, t);
                else
                        fetch_on_broken(f, t, code);
        }
}

/* What to wait for besides curl's own: the control socket, full pipes, and the end of the shortest pause. */
static unsigned gather(const struct fetch *f, struct curl_waitfd *ret, int *ret_ms) {
        int64_t now = fetch_now_ns();
        unsigned n = 0;
        int ms = POLL_MS;

        ret[n++] = (struct curl_waitfd) { .fd = f->control_fd, .events = CURL_WAIT_POLLIN };
        for (size_t i = 0; i < FETCH_TRANSFERS_MAX; i++) {
                const struct transfer *t = f->transfers[i];
                int64_t left;

                if (!t)
                        continue;
                if (transfer_has_backlog(t))
                        ret[n++] = (struct curl_waitfd) { .fd = t->pipe_fd, .events = CURL_WAIT_POLLOUT };
                left = t->start_ns > now ? (t->start_ns - now) / 1000000 + 1 : 0;
                if ((t->state == TRANSFER_READY && left < ms) || t->state == TRANSFER_OVER)
                        ms = t->state == TRANSFER_OVER ? 0 : (int) left;
                if (t->state == TRANSFER_DRAINING && !transfer_has_backlog(t))
                        ms = 0;
        }
        *ret_ms = ms;
        return n;
}

static int loop(struct fetch *f, struct err *err) {
        for (;;) {
                struct curl_waitfd waits[FETCH_TRANSFERS_MAX + 1];
                int running, ms, r;
                unsigned n;

                advance(f);
                if (curl_multi_perform(f->multi, &running) != CURLM_OK)
                        return err_set(err, ERR_INTERNAL, -EIO, "worker: the HTTP library has failed");
                take_outcomes(f);
                n = gather(f, waits, &ms);
                if (curl_multi_poll(f->multi, waits, n, ms, NULL) != CURLM_OK)
                        return err_set(err, ERR_INTERNAL, -EIO, "worker: the HTTP library has failed");
                if (waits[0].revents) {
                        r = take_message(f, err);
                        if (r <= 0)
                                return r;
                }
        }
}

int job_fetch(int control_fd, struct err *err) {
        static struct fetch f;
        int r;

        signal(SIGPIPE, SIG_IGN);
        f.control_fd = control_fd;
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(f.multi = curl_multi_init()))
                return err_set(err, ERR_INTERNAL, -ENOMEM, "worker: the HTTP library cannot start");
        curl_multi_setopt(f.multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long) CONNECTIONS_MAX);
        r = loop(&f, err);
        for (size_t i = 0; i < FETCH_TRANSFERS_MAX; i++)
                if (f.transfers[i]) {
                        if (f.transfers[i]->easy)
                                curl_multi_remove_handle(f.multi, f.transfers[i]->easy);
                        transfer_done(f.transfers[i]);
                        free(f.transfers[i]);
                }
        curl_multi_cleanup(f.multi);
        registry_done(&f.registry);
        return r;
}
