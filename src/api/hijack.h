/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Connections that stop being HTTP: attach and exec. The client's socket itself is handed to `connect` (which gives it to the container's
 * monitor), so that the daemon is out of the data path and its death does not disturb the session.
 *
 * A client that asks for it (Connection: Upgrade, Upgrade: tcp) gets 101, another one 200 and the raw stream after the header. */

#include <stdbool.h>

struct err;
struct hijack;
struct request;

struct hijack_kind {
        /* fd: in blocking mode, borrowed. A failure is written into the stream: the header is gone already. */
        int (*connect)(struct request *q, void *data, int fd, struct err *err);
        void (*free_data)(void *data);
};

/* framed: without a terminal, output comes in Docker's 8-byte frames. `data` is freed when the request is done, also when this fails. */
int hijack_answer(struct request *q, const struct hijack_kind *kind, bool framed, void *data, struct err *err);
/* When the request is done. NULL is allowed. */
void hijack_free(struct hijack *h);

/* Docker's header of one piece of output: stream 1 or 2, big-endian size. */
void hijack_frame(unsigned char ret[8], int stream, unsigned size);
