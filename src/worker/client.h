/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* kist-worker processes from the daemon's side (worker/job.h is the protocol). What they say is hostile: one JSON object per message,
 * sized and typed here; numbers and paths are for the callers to check. */

#include <errno.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct worker {
        pid_t pid;
        int pidfd, control;
};
#define WORKER_NONE ((struct worker) { .pid = -1, .pidfd = -EBADF, .control = -EBADF })

/* program_fd: kist-worker, as of proc_open_program(). userns_fd: the namespace that it lives in. mode: see job.h. */
int worker_start(int program_fd, int userns_fd, const char *mode, struct worker *ret, struct err *err);
/* A request and its fds. `request` is stolen. */
int worker_send(struct worker *w, json_t *request, const int *fds, size_t n_fds, struct err *err);
/* One event, after poll(2) said that there is one. ERR_INTERNAL when the worker ended or talks nonsense. */
int worker_receive(struct worker *w, json_t **ret, struct err *err);
/* Wait for the event "done" (*ret, may be NULL: the caller's reference), or for another named `what` when that is not NULL; "error" is given back
 * as *err; what else comes is for nobody. -ECANCELED when cancel_fd (may be negative) becomes readable first. */
int worker_await(struct worker *w, const char *what, int cancel_fd, json_t **ret, struct err *err);
/* One whole job: start, send (as worker_send(): `request` is stolen in any case), await its end (as worker_await()), and nothing of it lives after that. */
int worker_run(int program_fd, int userns_fd, const char *mode, json_t *request, const int *fds, size_t n_fds, int cancel_fd, json_t **ret, struct err *err);
/* After its last event: let it go by itself for a moment, else kill it; reaped in any case. Nothing of it lives after this. */
void worker_end(struct worker *w);
/* At once. */
void worker_kill(struct worker *w);

/* An {"event":"error"} as an error. */
int worker_error(const json_t *event, struct err *err);
/* A member that must be a number not below 0, else UINT64_MAX. */
uint64_t worker_number(const json_t *event, const char *key);
