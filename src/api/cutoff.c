/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cutoff.h"

#include <stddef.h>
#include <sys/socket.h>
#include <time.h>

#include "base/err.h"

enum { CUTOFF_STACK = 128 * 1024 };

static const int64_t second = 1000000000;

static int64_t now_ns(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t) t.tv_sec * second + t.tv_nsec;
}

/* Cuts those whose time has come; the next one's time, or INT64_MAX. */
static int64_t cut_late(struct cutoff *c) {
        int64_t now = now_ns(), next = INT64_MAX;

        for (struct cutoff_entry *e = c->first; e; e = e->next) {
                if (e->at_ns == 0)
                        continue;
                if (e->at_ns <= now) {
                        /* Only the end: the socket is its connection's to close. */
                        shutdown(e->fd, SHUT_RDWR);
                        e->at_ns = 0;
                } else if (e->at_ns < next) {
                        next = e->at_ns;
                }
        }
        return next;
}

static void *cutoff_thread(void *arg) {
        struct cutoff *c = arg;

        pthread_mutex_lock(&c->lock);
        while (!c->stopping) {
                c->wakes_ns = cut_late(c);
                if (c->wakes_ns == INT64_MAX) {
                        pthread_cond_wait(&c->changed, &c->lock);
                } else {
                        const struct timespec until = { .tv_sec = c->wakes_ns / second, .tv_nsec = c->wakes_ns % second };

                        pthread_cond_timedwait(&c->changed, &c->lock, &until);
                }
        }
        pthread_mutex_unlock(&c->lock);
        return NULL;
}

int cutoff_init(struct cutoff *c, struct err *err) {
        pthread_condattr_t clock;
        pthread_attr_t attr;
        int r;

        *c = (struct cutoff) { .wakes_ns = INT64_MAX };
        pthread_mutex_init(&c->lock, NULL);
        pthread_condattr_init(&clock);
        pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
        pthread_cond_init(&c->changed, &clock);
        pthread_condattr_destroy(&clock);
        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, CUTOFF_STACK);
        r = pthread_create(&c->thread, &attr, cutoff_thread, c);
        pthread_attr_destroy(&attr);
        if (r != 0)
                return err_errno(err, -r, "thread for the connections' time limits");
        c->running = true;
        return 0;
}

void cutoff_done(struct cutoff *c) {
        if (!c->running)
                return;
        pthread_mutex_lock(&c->lock);
        c->stopping = true;
        pthread_cond_signal(&c->changed);
        pthread_mutex_unlock(&c->lock);
        pthread_join(c->thread, NULL);
        pthread_cond_destroy(&c->changed);
        pthread_mutex_destroy(&c->lock);
        c->running = false;
}

void cutoff_enter(struct cutoff *c, struct cutoff_entry *e, int fd) {
        pthread_mutex_lock(&c->lock);
        *e = (struct cutoff_entry) { .fd = fd, .next = c->first };
        if (c->first)
                c->first->previous = e;
        c->first = e;
        pthread_mutex_unlock(&c->lock);
}

void cutoff_leave(struct cutoff *c, struct cutoff_entry *e) {
        pthread_mutex_lock(&c->lock);
        if (e->previous)
                e->previous->next = e->next;
        else
                c->first = e->next;
        if (e->next)
                e->next->previous = e->previous;
        pthread_mutex_unlock(&c->lock);
}

void cutoff_set(struct cutoff *c, struct cutoff_entry *e, unsigned seconds) {
        pthread_mutex_lock(&c->lock);
        e->at_ns = seconds > 0 ? now_ns() + seconds * second : 0;
        /* Mostly it sleeps to an earlier moment than this one, and is left alone. */
        if (e->at_ns > 0 && e->at_ns < c->wakes_ns) {
                c->wakes_ns = e->at_ns;
                pthread_cond_signal(&c->changed);
        }
        pthread_mutex_unlock(&c->lock);
}
