/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Order between hijacked connections and starts. A client attaches, sees "101 Switching Protocols", and starts the container through
 * another connection. The header leaves before the stream can be handed to the container's monitor, so a start that overtakes that
 * hand-over would lose the first output: a start waits for all hijacks that were begun before it. */

#include <pthread.h>
#include <stdint.h>

struct gate_ticket {
        uint64_t number; /* 0: not queued */
        struct gate_ticket *next, *previous;
};

struct gate {
        pthread_mutex_t lock;
        pthread_cond_t moved;
        uint64_t last;
        struct gate_ticket *oldest, *newest;
};

void gate_init(struct gate *g);
void gate_done(struct gate *g);
/* The ticket is the caller's memory and stays queued until it leaves; leaving twice is harmless. */
void gate_enter(struct gate *g, struct gate_ticket *t);
void gate_leave(struct gate *g, struct gate_ticket *t);
/* Until all tickets queued so far have left; at most timeout_ms (a peer that does not read its header must not stop the others). */
void gate_wait(struct gate *g, unsigned timeout_ms);
