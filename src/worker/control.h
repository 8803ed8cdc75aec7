/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The control socket (see job.h): jobs in, events out. One thread uses it. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum { CONTROL_FDS_MAX = 4, CONTROL_PROGRESS_NS = 100000000 };

/* One message as it came: parsed later, when the worker is confined. */
struct control_message {
        char *text; /* the receiver's to free, with the fds: control_message_done() */
        size_t size;
        int fds[CONTROL_FDS_MAX];
        size_t n_fds;
};

/* 1: a message; 0: the daemon closed the socket; negative errno. */
int control_receive(int fd, struct control_message *ret);
void control_message_done(struct control_message *m);
/* *ret: the object, whose "op" is a string. */
int control_parse(const struct control_message *m, json_t **ret, struct err *err);

/* Send one event (stolen). A negative return means that the daemon is gone. */
int control_send(int fd, json_t *event);
/* {"event":"error"}; with "id" when it is not negative. */
int control_send_error(int fd, int64_t id, const struct err *err);

/* True at most ten times a second; *last starts as 0. */
bool control_progress_due(int64_t *last_ns);

/* A JSON string of foreign bytes: what is not UTF-8 becomes '?'. For people only. */
json_t *control_text(const char *s);
