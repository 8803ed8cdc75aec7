/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A request whose body is an archive: it goes through a pipe into a stream's job while it comes in. */

#include <stddef.h>

#include "api/stream.h"

struct err;
struct image_upload;
struct request;

/* Make the pipe and start the job. *archive_fd (in `data`) becomes the pipe's reading end, and is the job's. `data` as in stream_start(). */
int upload_begin(struct request *q, const struct stream_kind *kind, stream_job job, void *data, void (*free_data)(void *), int *archive_fd, struct err *err);
/* A piece of the body. A job that takes no more is no error: its answer says why. */
int upload_feed(struct request *q, const char *data, size_t size, struct err *err);
/* The body has ended: answer with the job's stream. */
int upload_answer(struct request *q, struct err *err);
/* What comes from here on is read and forgotten. */
bool upload_is_over(const struct request *q);
