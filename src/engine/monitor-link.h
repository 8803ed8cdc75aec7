/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a link is: shared by those who ask over it (monitor-link.c) and the thread that listens to all of them (monitors.c). */

#include <pthread.h>
#include <stdatomic.h>

#include "engine/monitors.h"

/* Somebody who waits for an answer; lives on his stack. */
struct call {
        struct call *next;
        uint32_t tag;
        bool done;
        union monitor_message answer;
};

struct monitor_link {
        atomic_uint refs;
        struct container *container;
        int sock, pidfd;

        pthread_mutex_t lock;
        pthread_cond_t answered;
        struct call *calls;
        uint32_t last_tag;
        bool closed; /* nothing will be answered any more */
        bool exited; /* what follows from the end is already in the queue */

        struct monitor_link *next, **at; /* monitors.lock: the list of those that epoll knows */
        unsigned sources;                /* monitors.lock: how many of its fds epoll knows; each holds a reference */
};

/* One message, its length checked against its type. 0: closed. */
ssize_t monitor_link_receive(int sock, union monitor_message *m);
