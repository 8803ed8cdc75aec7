/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* epoll(7) for the monitor: a source is an fd and what to do when it is ready, embedded in what it belongs to. */

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

struct source {
        int fd; /* owned; negative: closed */
        int registered;
        uint32_t events;
        void (*ready)(struct source *s, uint32_t events);
};

#define container_of(p, type, member) ((type *) ((char *) (p) - offsetof(type, member)))

int loop_init(void);
/* Wait for one event and handle it, or return after timeout_ms (−1: never). One at a time: a handler may close any other source, and
 * the kernel's ready list is served in turns anyway. */
void loop_turn(int timeout_ms);

/* Takes the fd over; nothing is waited for yet. */
void source_init(struct source *s, int fd, void (*ready)(struct source *, uint32_t));
/* Wait for `events`, and in any case (also with 0) for EPOLLHUP and EPOLLERR. Negative errno when the kernel has no memory for it. */
int source_want(struct source *s, uint32_t events);
/* Wait for nothing, not even for a hangup, which would be reported again and again. */
void source_off(struct source *s);
void source_close(struct source *s);
