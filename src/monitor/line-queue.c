/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/line-queue.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* A line is its length and its bytes; either may go over the end of the ring. */

int line_queue_open(struct line_queue *q, size_t room) {
        void *data;

        if (room < LINE_QUEUE_MIN)
                room = LINE_QUEUE_MIN;
        data = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (data == MAP_FAILED)
                return -errno;
        *q = (struct line_queue) { .data = data, .room = room };
        return 0;
}

void line_queue_close(struct line_queue *q) {
        if (q->data)
                munmap(q->data, q->room);
        *q = (struct line_queue) { 0 };
}

static void put(struct line_queue *q, const void *bytes, size_t size) {
        size_t at = (q->head + q->used) % q->room, n = q->room - at < size ? q->room - at : size;

        memcpy(q->data + at, bytes, n);
        memcpy(q->data, (const char *) bytes + n, size - n);
        q->used += size;
}

static uint32_t first_size(const struct line_queue *q) {
        char bytes[sizeof(uint32_t)];
        uint32_t size;

        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = q->data[(q->head + i) % q->room];
        memcpy(&size, bytes, sizeof(size));
        return size;
}

bool line_queue_push(struct line_queue *q, const struct iovec *parts, size_t n, size_t sent) {
        uint32_t size = 0;

        for (size_t i = 0; i < n; i++)
                size += (uint32_t) parts[i].iov_len;
        if (size + sizeof(size) > q->room - q->used)
                return false;
        if (q->used == 0)
                q->sent = sent;
        put(q, &size, sizeof(size));
        for (size_t i = 0; i < n; i++)
                put(q, parts[i].iov_base, parts[i].iov_len);
        return true;
}

size_t line_queue_first(const struct line_queue *q, struct iovec ret[2]) {
        size_t left, at, n;

        if (q->used == 0)
                return 0;
        left = first_size(q) - q->sent;
        at = (q->head + sizeof(uint32_t) + q->sent) % q->room;
        n = q->room - at < left ? q->room - at : left;
        ret[0] = (struct iovec) { q->data + at, n };
        ret[1] = (struct iovec) { q->data, left - n };
        return left > n ? 2 : 1;
}

void line_queue_advance(struct line_queue *q, size_t n) {
        q->sent += n;
        if (q->sent >= first_size(q))
                line_queue_pop(q);
}

void line_queue_pop(struct line_queue *q) {
        size_t size = first_size(q) + sizeof(uint32_t);

        q->head = (q->head + size) % q->room;
        q->used -= size;
        q->sent = 0;
}
