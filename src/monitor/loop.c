/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/loop.h"

#include <errno.h>

#include "base/fd.h"

static int epoll = -EBADF;

int loop_init(void) {
        epoll = epoll_create1(EPOLL_CLOEXEC);
        return epoll < 0 ? -errno : 0;
}

void loop_turn(int timeout_ms) {
        struct epoll_event event;

        if (epoll_wait(epoll, &event, 1, timeout_ms) == 1) {
                struct source *s = event.data.ptr;

                s->ready(s, event.events);
        }
}

void source_init(struct source *s, int fd, void (*ready)(struct source *, uint32_t)) {
        *s = (struct source) { .fd = fd, .ready = ready };
}

int source_want(struct source *s, uint32_t events) {
        struct epoll_event event = { .events = events, .data.ptr = s };

        if (s->fd < 0 || (s->registered && s->events == events))
                return 0;
        if (epoll_ctl(epoll, s->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, s->fd, &event) < 0)
                return -errno;
        s->registered = 1;
        s->events = events;
        return 0;
}

void source_off(struct source *s) {
        if (s->fd >= 0 && s->registered)
                epoll_ctl(epoll, EPOLL_CTL_DEL, s->fd, NULL);
        s->registered = 0;
}

void source_close(struct source *s) {
        /* Explicitly: closing our fd ends the registration only when no other process holds the same connection. */
        source_off(s);
        s->fd = fd_close(s->fd);
}
