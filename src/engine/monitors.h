/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The engine's side of monitor/protocol.h: a link per running container, and one thread that listens to all of them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "monitor/protocol.h"

struct container;
struct engine;
struct err;
struct monitor_link;
struct monitors;

int monitors_new(struct engine *e, struct monitors **ret, struct err *err);
/* The thread ends; links that others still hold stay valid, but nobody listens. */
void monitors_free(struct monitors *m);

/* A link over `sock` (taken over in any case, as is pidfd, which may be −1: not our child). It is not listened to yet. The link holds a reference
 * of c until it has ended. */
int monitor_link_new(struct container *c, int sock, int pidfd, struct monitor_link **ret, struct err *err);
struct monitor_link *monitor_link_ref(struct monitor_link *l);
void monitor_link_unref(struct monitor_link *l);
static inline void monitor_link_unrefp(struct monitor_link **l) {
        if (*l)
                monitor_link_unref(*l);
}
#define auto_link __attribute__((cleanup(monitor_link_unrefp))) struct monitor_link

/* Before monitor_link_listen(), by one thread only: send without waiting, and read messages until one answers `tag` (MONITOR_FAILED: its err is
 * given back as *err). ret may be NULL. */
int monitor_link_send(struct monitor_link *l, const void *message, size_t size, const int *fds, size_t n_fds, struct err *err);
int monitor_link_read_answer(struct monitor_link *l, uint32_t tag, int timeout_ms, union monitor_message *ret, struct err *err);
/* The first word of a monitor that was there before us. */
int monitor_link_read_hello(struct monitor_link *l, int timeout_ms, struct monitor_hello *ret, struct err *err);

/* From now on the thread of `m` reads: answers go to monitor_link_call(), the end of execs and of the container to whom it concerns. */
int monitor_link_listen(struct monitors *m, struct monitor_link *l, struct err *err);

/* Ask and wait for the answer (bounded). Sets the message's tag. ERR_UNAVAILABLE when the monitor is gone or silent. */
int monitor_link_call(struct monitor_link *l, void *message, size_t size, const int *fds, size_t n_fds, union monitor_message *ret, struct err *err);
/* MONITOR_SIGNAL; exec_id NULL: the container. */
int monitor_link_signal(struct monitor_link *l, const char *exec_id, int signal, struct err *err);
int monitor_link_resize(struct monitor_link *l, const char *exec_id, uint16_t rows, uint16_t columns, struct err *err);
/* It said MONITOR_EXITED, or its socket is closed. */
bool monitor_link_has_ended(struct monitor_link *l);
