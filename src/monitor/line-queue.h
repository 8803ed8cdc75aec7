/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Lines that wait for a receiver, in a ring of bytes that is mapped once: its pages cost only what was ever used of them. What does not fit is not
 * taken. No heap. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { LINE_QUEUE_MIN = 64 * 1024 }; /* the longest line, with all that stands before it, fits */

/* All zero: none, nothing fits. */
struct line_queue {
        char *data;
        size_t room, head, used;
        size_t sent; /* of the first line: gone out already */
};

/* room: bytes; LINE_QUEUE_MIN at least. −ENOMEM. */
int line_queue_open(struct line_queue *q, size_t room);
void line_queue_close(struct line_queue *q);
static inline bool line_queue_is_empty(const struct line_queue *q) {
        return q->used == 0;
}
/* The parts as one line, of which `sent` bytes have gone out: that may be so of the first only. false: it does not fit. */
bool line_queue_push(struct line_queue *q, const struct iovec *parts, size_t n, size_t sent);
/* What is left to send of the first, in one part or two. Returns their number; 0: it is empty. */
size_t line_queue_first(const struct line_queue *q, struct iovec ret[2]);
/* So many bytes of that have gone out. */
void line_queue_advance(struct line_queue *q, size_t n);
/* The first is away, or given up. */
void line_queue_pop(struct line_queue *q);
/* The first is to be sent from its beginning: to a receiver that has seen nothing of it. */
static inline void line_queue_rewind(struct line_queue *q) {
        q->sent = 0;
}
