/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/wait.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include "engine/internal.h"

struct engine_waiter {
        struct engine_waiter *next;
        struct container *container;
        enum engine_wait condition;
        int wake; /* eventfd: it happened */
        bool done;
        int status;
};

int engine_wait_begin(struct engine *e, const char *name, enum engine_wait condition, struct engine_waiter **ret, struct err *err) {
        auto_container *c = NULL;
        struct engine_waiter *w;
        int r = table_find(&e->table, name, &c, err);

        if (r < 0)
                return r;
        w = calloc(1, sizeof(*w));
        if (!w)
                return err_errno(err, -ENOMEM, "waiting for container %.12s", c->row.id);
        w->condition = condition;
        w->wake = eventfd(0, EFD_CLOEXEC);
        if (w->wake < 0) {
                r = err_errno(err, -errno, "waiting for container %.12s", c->row.id);
                free(w);
                return r;
        }
        pthread_mutex_lock(&c->lock);
        w->status = c->row.exit_code;
        w->done = c->gone || (condition == ENGINE_WAIT_NOT_RUNNING && !container_state_is_live(c->row.state) && c->row.state != CONTAINER_RESTARTING);
        if (w->done)
                eventfd_write(w->wake, 1);
        else {
                w->next = c->waiters;
                c->waiters = w;
        }
        pthread_mutex_unlock(&c->lock);
        w->container = container_ref(c);
        *ret = w;
        return 0;
}

int engine_waiter_fd(struct engine_waiter *w) {
        return w->wake;
}

void engine_waiter_drop(struct engine_waiter *w) {
        struct container *c = w->container;

        pthread_mutex_lock(&c->lock);
        for (struct engine_waiter **at = &c->waiters; *at; at = &(*at)->next) {
                if (*at == w) {
                        *at = w->next;
                        break;
                }
        }
        pthread_mutex_unlock(&c->lock);
        fd_close(w->wake);
        free(w);
        container_unref(c);
}

int engine_wait_finish(struct engine_waiter *w, int cancel_fd, int *ret_status, struct err *err) {
        struct container *c = w->container;
        int r = 0, status;
        bool done;

        for (;;) {
                struct pollfd fds[2] = { { .fd = w->wake, .events = POLLIN }, { .fd = cancel_fd, .events = POLLIN } };

                pthread_mutex_lock(&c->lock);
                done = w->done;
                status = w->status;
                pthread_mutex_unlock(&c->lock);
                if (done || r < 0)
                        break;
                if (poll(fds, 2, -1) < 0 && errno != EINTR)
                        r = -errno;
                else if (fds[1].revents && !(fds[0].revents & POLLIN))
                        r = -ECANCELED;
        }
        engine_waiter_drop(w);
        if (!done)
                return err_set(err, ERR_UNAVAILABLE, r, "the wait was given up");
        *ret_status = status;
        return 0;
}

void container_notify_waiters(struct container *c, enum container_happening what, int status) {
        pthread_mutex_lock(&c->lock);
        for (struct engine_waiter **at = &c->waiters, *w; (w = *at);) {
                if (what == HAPPENED_EXIT) {
                        w->status = status;
                        if (w->condition == ENGINE_WAIT_REMOVED) {
                                at = &w->next;
                                continue;
                        }
                }
                *at = w->next;
                w->next = NULL;
                w->done = true;
                eventfd_write(w->wake, 1);
        }
        pthread_mutex_unlock(&c->lock);
}
