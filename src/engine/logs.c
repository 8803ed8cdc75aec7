/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/db.h"
#include "engine/internal.h"
#include "engine/log-entry.h"
#include "engine/log-files.h"
#include "engine/log-keeper.h"
#include "engine/spec.h"
#include "engine/wait.h"
#include "storage/storage.h"

/* A line is at most 16 KiB of text, each byte of which may be written as six. */
enum { LINE_MAX_SIZE = 256 << 10, FIRST_BUFFER = 64 << 10, HEADROOM = 64, DETAILS_MAX = 64 << 10 };

struct reader {
        const struct engine_logs *options;
        const struct engine_log_sink *sink;
        char *buffer; /* HEADROOM bytes for a time stamp before it */
        size_t used, room;
        bool skipping; /* until the next newline: the line is too long to be one of ours */
        bool past_end; /* a line after `until` was seen */
};

/* "env=x,tag=y " before the text, with the time before that. What the option is for is seldom looked at: it may cost a copy. */
static int deliver_details(struct reader *r, const struct log_entry *e) {
        auto_json *all = e->attributes ? json_loadb(e->attributes, e->attributes_size, 0, NULL) : NULL;
        auto_strbuf b;
        const char *key;
        json_t *v;
        bool first = true;

        strbuf_init(&b, LINE_MAX_SIZE + DETAILS_MAX);
        if (r->options->timestamps)
                strbuf_addf(&b, "%.*s ", (int) e->time_size, e->time);
        json_object_foreach(all, key, v) {
                strbuf_addf(&b, "%s%s=%s", first ? "" : ",", key, json_is_string(v) ? json_string_value(v) : "");
                first = false;
        }
        strbuf_addf(&b, " ");
        strbuf_add(&b, e->text, e->size);
        return strbuf_error(&b) ? -ENOMEM : r->sink->line(e->stream, b.data, b.size, r->sink->data);
}

static int deliver(struct reader *r, char *line, size_t size) {
        const struct engine_logs *o = r->options;
        char with_time[HEADROOM], saved[HEADROOM];
        struct log_entry e;
        size_t n;
        char *from;
        int result;

        if (size == 0 || log_entry_decode(line, size, &e) < 0)
                return 0;
        if (o->until_ns && e.time_ns > o->until_ns) {
                r->past_end = true;
                return 0;
        }
        if ((o->since_ns && e.time_ns < o->since_ns) || !(e.stream == 1 ? o->stdout_ : o->stderr_))
                return 0;
        if (o->details)
                return deliver_details(r, &e);
        if (!o->timestamps)
                return r->sink->line(e.stream, e.text, e.size, r->sink->data);
        /* The stamp goes right before the text: over the end of what was read already, or into the headroom; what it covers is put back. */
        n = e.time_size + 1;
        memcpy(with_time, e.time, e.time_size);
        with_time[e.time_size] = ' ';
        from = (char *) e.text - n;
        memcpy(saved, from, n);
        memcpy(from, with_time, n);
        result = r->sink->line(e.stream, from, n + e.size, r->sink->data);
        memcpy(from, saved, n);
        return result;
}

/* Read what there is: 0 at the end of the file. */
static int drain(struct reader *r, int fd) {
        for (;;) {
                char *start = r->buffer + HEADROOM, *at = start, *newline;
                ssize_t n;
                int result;

                if (r->used == r->room) {
                        char *grown = r->room < LINE_MAX_SIZE ? realloc(r->buffer, HEADROOM + r->room * 2) : NULL;

                        if (grown) {
                                r->buffer = grown;
                                r->room *= 2;
                        } else {
                                r->used = 0;
                                r->skipping = true;
                        }
                        continue;
                }
                n = read(fd, start + r->used, r->room - r->used);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                r->used += (size_t) n;
                while ((newline = memchr(at, '\n', r->used - (size_t) (at - start)))) {
                        if (r->skipping)
                                r->skipping = false;
                        else if ((result = deliver(r, at, (size_t) (newline - at))) < 0)
                                return result;
                        at = newline + 1;
                }
                r->used -= (size_t) (at - start);
                memmove(start, at, r->used);
        }
}

static int flush(struct reader *r) {
        return r->sink->flush ? r->sink->flush(r->sink->data) : 0;
}

/* To the end of the newest file, through those that were begun meanwhile. *fd is replaced; −1: none was there yet. */
static int drain_on(struct reader *r, struct log_keeper *keeper, int *fd) {
        for (;;) {
                int next = -EBADF, result = 0, more = log_keeper_next(keeper, &next);

                /* First ask whether it is finished, then read: so nothing can come into it after the last read. */
                if (more < 0)
                        return more;
                if (*fd >= 0)
                        result = drain(r, *fd);
                if (more == 0)
                        return result;
                fd_close(*fd);
                *fd = next;
                if (result < 0)
                        return result;
                r->used = 0;
                r->skipping = false;
        }
}

/* Until the container has ended or nobody wants to hear it any more. */
static int follow(struct reader *r, const struct log_files *files, struct log_keeper *keeper, int *fd, int exit_fd, int cancel_fd) {
        auto_fd watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        char path[64], ignored[4096];
        bool ended = false;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", files->dir_fd);
        if (watch < 0 || inotify_add_watch(watch, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
                return -errno;
        for (;;) {
                struct pollfd fds[3] = { { .fd = watch, .events = POLLIN }, { .fd = exit_fd, .events = POLLIN }, { .fd = cancel_fd, .events = POLLIN } };
                int result = drain_on(r, keeper, fd);

                if (result == 0)
                        result = flush(r);
                if (result < 0 || ended || r->past_end)
                        return result;
                if (poll(fds, 3, -1) < 0 && errno != EINTR)
                        return -errno;
                if (fds[2].revents)
                        return -ECANCELED;
                /* Its output is in the log before its end is told: one more round. */
                ended = fds[1].revents != 0;
                while (read(watch, ignored, sizeof(ignored)) > 0)
                        ;
        }
}

static int read_files(struct reader *r, struct log_files *files, int *ret_last) {
        for (size_t i = 0; i < files->n; i++) {
                int result;

                r->used = 0;
                r->skipping = false;
                result = drain(r, files->fds[i]);
                if (result < 0)
                        return result;
        }
        if (files->n) {
                *ret_last = files->fds[files->n - 1];
                files->fds[files->n - 1] = -EBADF;
        }
        return 0;
}

/* The form of the files, when there are any to read. */
static int find_form(struct engine *e, struct container *c, const char **ret, struct err *err) {
        auto_json *body = NULL;
        auto_spec s = {};
        int r = db_spec(e->db, c->row.id, &body, err);

        if (r == 0)
                r = spec_parse(body, &s, err);
        if (r == 0 && !(*ret = log_driver_file(&s.log)))
                r = err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "configured logging driver does not support reading");
        return r;
}

static int read_log(struct container *c, const struct engine_logs *l, int dir, const char *form, int exit_fd, int cancel_fd, struct reader *r) {
        struct log_keeper *keeper = NULL;
        struct log_files files;
        auto_fd last = -EBADF;
        int result = log_files_open(&files, dir, c->row.id, form);

        if (result < 0)
                return result;
        /* Before anything is read: that may take as long as the client likes. */
        if (exit_fd >= 0)
                result = log_keeper_start(&files, files.n ? files.fds[files.n - 1] : -1, &keeper);
        if (result == 0 && l->tail >= 0)
                result = log_files_seek_tail(&files, (size_t) l->tail);
        if (result == 0)
                result = read_files(r, &files, &last);
        if (result == 0 && keeper && !r->past_end)
                result = follow(r, &files, keeper, &last, exit_fd, cancel_fd);
        log_keeper_stop(keeper);
        log_files_close(&files);
        if (result == -ECANCELED)
                return result;
        /* What was read before an error is shown before it. */
        return flush(r) < 0 && result == 0 ? -EPIPE : result;
}

int engine_logs(struct engine *e, const char *name, const struct engine_logs *l, int cancel_fd, const struct engine_log_sink *sink, struct err *err) {
        struct reader reader = { .options = l, .sink = sink, .room = FIRST_BUFFER };
        struct engine_waiter *exit = NULL;
        const char *form = NULL;
        auto_container *c = NULL;
        struct container_row row;
        auto_fd dir = -EBADF;
        int r = table_find(&e->table, name, &c, err);

        if (r < 0 || (r = find_form(e, c, &form, err)) < 0 || (r = storage_container_open(e->storage, c->row.id, &dir, err)) < 0)
                return r;
        container_peek(c, &row);
        if (l->follow && (container_state_is_live(row.state) || row.state == CONTAINER_RESTARTING)) {
                r = engine_wait_begin(e, row.id, ENGINE_WAIT_NOT_RUNNING, &exit, err);
                if (r < 0)
                        return r;
        }
        reader.buffer = malloc(HEADROOM + reader.room);
        r = reader.buffer ? read_log(c, l, dir, form, exit ? engine_waiter_fd(exit) : -1, cancel_fd, &reader) : -ENOMEM;
        free(reader.buffer);
        if (exit)
                engine_waiter_drop(exit);
        return r < 0 ? err_errno(err, r, "log of container %s", row.name) : 0;
}
