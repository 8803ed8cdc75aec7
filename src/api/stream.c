/* SPDX-License-Identifier: Apache-2.0 */
#include "api/stream.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "api/request.h"
#include "api/server.h"
#include "base/fd.h"
#include "base/json.h"

enum {
        BLOCK_SIZE = 16 * 1024,
        DRAINED_MAX = 1024 * 1024,
        HEADER_GRACE_MS = 20, /* for a job that fails at once */
};

struct stream {
        const struct stream_kind *kind;
        stream_job job;
        void *data;
        void (*free_data)(void *);
        pthread_t thread;
        bool joined;
        int read_fd, write_fd, cancel_fd;
        int socket_fd, stop_fd; /* borrowed */
        struct strbuf drained;  /* sent before what is in the pipe */
        size_t drained_at;
        const char *header, *header_value;
        /* The job's, until it is joined. */
        bool wrote;
        int result;
        struct err err;
};

int stream_cancel_fd(const struct stream *s) {
        return s->cancel_fd;
}

int stream_write_fd(struct stream *s) {
        s->wrote = true;
        return s->write_fd;
}

void stream_set_header(struct stream *s, const char *name, const char *value) {
        s->header = name;
        s->header_value = value;
}

int stream_output_fd(const struct stream *s) {
        return s->read_fd;
}

int stream_write(struct stream *s, const void *data, size_t size) {
        s->wrote = true;
        return fd_write_all(s->write_fd, data, size);
}

int stream_write_json(struct stream *s, const json_t *value, const char *line_end) {
        auto_free char *text = json_text(value);
        auto_free char *line = text ? str_format("%s%s", text, line_end) : NULL;

        return line ? stream_write(s, line, strlen(line)) : -ENOMEM;
}

static void write_error(struct stream *s) {
        auto_json *object = json_pack("{s:{s:s}, s:s}", "errorDetail", "message", s->err.msg, "error", s->err.msg);

        if (object)
                stream_write_json(s, object, "\r\n");
}

static void *run_job(void *arg) {
        struct stream *s = arg;

        s->result = s->job(s, s->data, &s->err);
        if (s->result < 0 && s->wrote && s->kind->error_in_stream)
                write_error(s);
        s->write_fd = fd_close(s->write_fd);
        return NULL;
}

static void join(struct stream *s) {
        if (!s->joined)
                pthread_join(s->thread, NULL);
        s->joined = true;
}

void stream_cancel(struct stream *s) {
        uint64_t one = 1;

        fd_write_all(s->cancel_fd, &one, sizeof(one));
        s->read_fd = fd_close(s->read_fd);
}

void stream_free(struct stream *s) {
        if (!s)
                return;
        stream_cancel(s);
        join(s);
        if (s->free_data)
                s->free_data(s->data);
        fd_close(s->write_fd);
        fd_close(s->cancel_fd);
        strbuf_done(&s->drained);
        free(s);
}

static int start_thread(struct stream *s) {
        pthread_attr_t attr;
        int r;

        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, SERVER_STACK_SIZE);
        r = pthread_create(&s->thread, &attr, run_job, s);
        pthread_attr_destroy(&attr);
        s->joined = r != 0;
        return -r;
}

int stream_start(struct request *q, const struct stream_kind *kind, stream_job job, void *data, void (*free_data)(void *), struct stream **ret,
                 struct err *err) {
        struct stream *s = calloc(1, sizeof(*s));
        int fds[2], r;

        if (!s) {
                if (free_data)
                        free_data(data);
                return err_errno(err, -ENOMEM, "stream");
        }
        *s = (struct stream) {
                .kind = kind, .job = job, .data = data, .free_data = free_data, .joined = true,
                .read_fd = -EBADF, .write_fd = -EBADF, .socket_fd = q->socket_fd, .stop_fd = server_stop_fd(q->server),
        };
        strbuf_init(&s->drained, DRAINED_MAX);
        s->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (s->cancel_fd < 0 || pipe2(fds, O_CLOEXEC) < 0) {
                r = -errno;
        } else {
                s->read_fd = fds[0];
                s->write_fd = fds[1];
                r = start_thread(s);
        }
        if (r < 0) {
                stream_free(s);
                return err_set(err, ERR_UNAVAILABLE, r, "cannot start a stream: %s", strerror(-r));
        }
        *ret = s;
        return 0;
}

int stream_drain(struct stream *s) {
        struct pollfd p = { .fd = s->read_fd, .events = POLLIN };
        char piece[4096];

        while (poll(&p, 1, 0) > 0 && p.revents & POLLIN) {
                ssize_t n = read(s->read_fd, piece, sizeof(piece));

                if (n <= 0)
                        break;
                strbuf_add(&s->drained, piece, (size_t) n);
        }
        return strbuf_error(&s->drained);
}

/* 1: something to read, or the end; 0: time is up; -ECANCELED: the client is gone or the server stops. What is there comes first. */
static int wait_for_output(struct stream *s, int timeout_ms) {
        for (;;) {
                struct pollfd p[] = {
                        { .fd = s->read_fd, .events = POLLIN },
                        { .fd = s->socket_fd, .events = POLLRDHUP },
                        { .fd = s->stop_fd, .events = POLLIN },
                };
                int n = poll(p, ARRAY_SIZE(p), timeout_ms);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0)
                        return 0;
                if (n > 0 && p[0].revents)
                        return 1;
                if (n > 0)
                        return -ECANCELED;
        }
}

static ssize_t read_block(void *arg, uint64_t position, char *ret, size_t max) {
        struct stream *s = arg;
        ssize_t n;

        if (s->drained_at < s->drained.size) {
                size_t left = s->drained.size - s->drained_at;

                if (left > max)
                        left = max;
                memcpy(ret, s->drained.data + s->drained_at, left);
                s->drained_at += left;
                return (ssize_t) left;
        }
        if (wait_for_output(s, -1) < 0)
                return MHD_CONTENT_READER_END_WITH_ERROR;
        n = read(s->read_fd, ret, max);
        if (n > 0)
                return n;
        if (n < 0)
                return MHD_CONTENT_READER_END_WITH_ERROR;
        join(s);
        return s->result < 0 && !s->kind->error_in_stream ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
}

static void free_stream(void *arg) {
        stream_free(arg);
}

/* Whether the job ended without a byte. */
static bool ended_silently(struct stream *s) {
        struct pollfd p = { .fd = s->read_fd, .events = POLLIN };

        return s->drained.size == 0 && poll(&p, 1, 0) == 1 && !(p.revents & POLLIN) && p.revents & POLLHUP;
}

static int header_delay_ms(const struct stream_kind *kind) {
        return kind->header_waits ? -1 : kind->header_at_once ? 0 : HEADER_GRACE_MS;
}

int stream_answer(struct request *q, struct stream *s, struct err *err) {
        struct MHD_Response *response;
        int r;

        if (s->drained.size == 0 && wait_for_output(s, header_delay_ms(s->kind)) < 0) {
                stream_free(s);
                return err_set(err, ERR_UNAVAILABLE, -ECANCELED, "the request was cancelled");
        }
        if (ended_silently(s)) {
                join(s);
                if (s->result < 0) {
                        r = s->result;
                        if (err)
                                *err = s->err;
                        stream_free(s);
                        return r;
                }
        }
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_SIZE, read_block, s, free_stream);
        if (!response) {
                stream_free(s);
                return err_errno(err, -ENOMEM, "stream");
        }
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, s->kind->content_type);
        if (s->header)
                MHD_add_response_header(response, s->header, s->header_value);
        return request_answer(q, MHD_HTTP_OK, response);
}
