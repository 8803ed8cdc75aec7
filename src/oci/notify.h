/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* NOTIFY_SOCKET of our caller, see sd_notify(3): the container gets a socket of its own, and what comes there is handed on. Its bytes are a
 * stranger's: one datagram at a time, lines of a list of keys only, and never a process id but ours to tell. */

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct container;
struct err;
struct options;

struct notify {
        int fd;     /* what the container writes to; -1: nobody asked */
        int out;    /* to our caller's socket */
        pid_t main; /* told with READY=1; 0: our caller's main process is us */
        bool ready;
};
#define NOTIFY_NONE ((struct notify) { .fd = -EBADF, .out = -EBADF })
#define auto_notify __attribute__((cleanup(notify_done))) struct notify
void notify_done(struct notify *n);

/* Put the mount and the variable into the config of a new container, when our caller has the variable. */
int notify_plan(const struct options *o, const char *id, json_t *config, struct err *err);
/* The directory that is mounted, which is in the container's own. */
int notify_make(const struct container *c, struct err *err);

/* Listen, before the process begins. *ret is left as it is when there is nobody to tell, or the container was made without. */
int notify_open(const struct container *c, pid_t main, struct notify *ret, struct err *err);
/* Hand on one message; false when there is none. */
bool notify_relay(struct notify *n);
/* Until it has said that it is ready, or has ended. */
void notify_await(struct notify *n, int pidfd);
