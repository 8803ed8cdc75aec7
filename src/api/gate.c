/* SPDX-License-Identifier: Apache-2.0 */
#include "api/gate.h"

#include <errno.h>
#include <time.h>

void gate_init(struct gate *g) {
        pthread_condattr_t attr;

        *g = (struct gate) { 0 };
        pthread_mutex_init(&g->lock, NULL);
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&g->moved, &attr);
        pthread_condattr_destroy(&attr);
}

void gate_done(struct gate *g) {
        pthread_cond_destroy(&g->moved);
        pthread_mutex_destroy(&g->lock);
}

void gate_enter(struct gate *g, struct gate_ticket *t) {
        pthread_mutex_lock(&g->lock);
        *t = (struct gate_ticket) { .number = ++g->last, .previous = g->newest };
        if (g->newest)
                g->newest->next = t;
        else
                g->oldest = t;
        g->newest = t;
        pthread_mutex_unlock(&g->lock);
}

void gate_leave(struct gate *g, struct gate_ticket *t) {
        pthread_mutex_lock(&g->lock);
        if (t->number != 0) {
                if (t->previous)
                        t->previous->next = t->next;
                else
                        g->oldest = t->next;
                if (t->next)
                        t->next->previous = t->previous;
                else
                        g->newest = t->previous;
                *t = (struct gate_ticket) { 0 };
                pthread_cond_broadcast(&g->moved);
        }
        pthread_mutex_unlock(&g->lock);
}

void gate_wait(struct gate *g, unsigned timeout_ms) {
        struct timespec until;
        uint64_t now;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += timeout_ms / 1000;
        until.tv_nsec += (long) (timeout_ms % 1000) * 1000000;
        if (until.tv_nsec >= 1000000000) {
                until.tv_sec++;
                until.tv_nsec -= 1000000000;
        }
        pthread_mutex_lock(&g->lock);
        now = g->last;
        while (g->oldest && g->oldest->number <= now)
                if (pthread_cond_timedwait(&g->moved, &g->lock, &until) == ETIMEDOUT)
                        break;
        pthread_mutex_unlock(&g->lock);
}
