/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* An answer whose body comes while a blocking call of the engine runs: logs, events, progress, wait.
 *
 * The call runs in a thread of its own (the job) and writes into a pipe; the connection's thread reads the pipe and sends. The pipe is the
 * back-pressure: a client that does not read stops the job. When the client goes away, or the server stops, the connection's thread cancels
 * the job (the cancel fd becomes readable, writes fail with -EPIPE) and waits for it: no thread outlives its connection. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct err;
struct request;
struct stream;

typedef int (*stream_job)(struct stream *s, void *data, struct err *err);

struct stream_kind {
        const char *content_type;
        /* A job that fails after it wrote something: its error goes into the stream as Docker's progress object; else the stream is cut. */
        bool error_in_stream;
        /* The header waits for the first byte or the job's end, so that an early failure has its own status; else it is sent after a
         * short while, since the client waits for it. */
        bool header_waits;
        /* What can fail was tried before the stream was started: the header is sent without any delay. */
        bool header_at_once;
};

/* Start the job. `data` is freed with free_data when the stream ends, also when this fails. */
int stream_start(struct request *q, const struct stream_kind *kind, stream_job job, void *data, void (*free_data)(void *), struct stream **ret,
                 struct err *err);
/* One more header of the answer; both are borrowed until stream_answer(). */
void stream_set_header(struct stream *s, const char *name, const char *value);
/* Answer the request with it; takes the stream. When the job failed before its first byte, that error is returned instead. */
int stream_answer(struct request *q, struct stream *s, struct err *err);
/* Nobody listens any more: the job sees it from now on. */
void stream_cancel(struct stream *s);
/* Cancel, join, free. */
void stream_free(struct stream *s);

/* For the connection's thread before it answers, while it feeds the job: take what the job has written so far, so that it is not stopped. */
int stream_drain(struct stream *s);
int stream_output_fd(const struct stream *s);

/* For the job. Negative errno when nobody listens any more: end then. */
int stream_write(struct stream *s, const void *data, size_t size);
int stream_write_json(struct stream *s, const json_t *value, const char *line_end);
int stream_cancel_fd(const struct stream *s);
/* Where stream_write() writes, for who writes the rest of the stream without it: a worker. */
int stream_write_fd(struct stream *s);
