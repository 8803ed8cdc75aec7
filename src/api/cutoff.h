/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Who takes too long to say what it wants is cut off. libmicrohttpd counts the time since the last byte only, so a client that sends one now and then
 * would hold its thread for ever. Here each connection has a moment at which its socket is shut down (which its thread then sees), or none while
 * the daemon works for it. One thread looks after all of them, and sleeps until the first such moment. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

/* Of one connection. */
struct cutoff_entry {
        int fd;        /* borrowed */
        int64_t at_ns; /* monotonic; 0: none */
        struct cutoff_entry *next, *previous;
};

struct cutoff {
        pthread_mutex_t lock;
        pthread_cond_t changed;
        pthread_t thread;
        bool running, stopping;
        int64_t wakes_ns; /* when the thread looks next; INT64_MAX: never */
        struct cutoff_entry *first;
};

int cutoff_init(struct cutoff *c, struct err *err);
/* All entries have left. Harmless after a failed init of a zeroed one. */
void cutoff_done(struct cutoff *c);

/* The entry is the caller's memory. It must leave before its fd is closed. */
void cutoff_enter(struct cutoff *c, struct cutoff_entry *e, int fd);
void cutoff_leave(struct cutoff *c, struct cutoff_entry *e);
/* From now; 0: no more. */
void cutoff_set(struct cutoff *c, struct cutoff_entry *e, unsigned seconds);
