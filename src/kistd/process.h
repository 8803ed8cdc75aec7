/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What kistd makes of its own process and directories before it serves anybody. */

#include <sys/types.h>

struct err;

/* Limits, memory, signals (those of the main loop are blocked here, before the first thread). Must be root. */
int process_prepare(struct err *err);

/* mkdir -p; the last gets `mode`, also when it was there. ERR_DENIED when it is not root's. *ret_fd is the caller's. */
int process_make_directory(const char *path, mode_t mode, int *ret_fd, struct err *err);

/* Hold dir/name for the life of this process, with the pid in it. ERR_CONFLICT names the pid of the one that has it. */
int process_lock(int dir_fd, const char *dir, const char *name, int *ret_fd, struct err *err);

/* "READY=1" and the like, to who started us, if that asked for it (systemd's protocol). */
void process_notify(const char *state);
