/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A container that another OCI runtime makes (crun, runc, runsc): its program is run with the command line that all of them have, and what it leaves
 * running becomes a child of this process, which is the reaper of its orphans. From then on it is watched as any other.
 *   foreign.c   the commands        foreign-room.c   where the runtime finds the bundle and keeps its state
 * Each call waits for the runtime, at most half a minute. No heap, no stdio. */

#include <stdbool.h>
#include <sys/types.h>

#include "monitor/protocol.h"
#include "runtime/exec/exec.h"

struct err;

/* create and start. fds->plan is a struct monitor_runtime. Nothing runs after a failure; ERR_NO_COMMAND and ERR_NOT_EXECUTABLE as exec_container(). */
int foreign_container(const struct exec_fds *fds, bool tty, struct exec_process *ret, struct err *err);
/* fds->plan is a process.json. */
int foreign_exec(const struct exec_fds *fds, bool tty, struct exec_process *ret, struct err *err);
/* The container has ended: the runtime forgets it. Nothing for a container of our own. */
void foreign_delete(void);
/* Orphans that came to us and that `is_ours` does not know: they are nobody's any more. */
void foreign_reap(bool (*is_ours)(pid_t pid));

/* --- foreign-room.c --- */

#define FOREIGN_PATH_MAX (MONITOR_RUNTIME_ROOM_MAX + 16)

/* The room, and what is in it: words of command lines. */
extern struct foreign_paths {
        char room[FOREIGN_PATH_MAX], rootfs[FOREIGN_PATH_MAX], user[FOREIGN_PATH_MAX], net[FOREIGN_PATH_MAX], config[FOREIGN_PATH_MAX], process[FOREIGN_PATH_MAX],
                state[FOREIGN_PATH_MAX], log[FOREIGN_PATH_MAX], pid[FOREIGN_PATH_MAX], console[FOREIGN_PATH_MAX], null[FOREIGN_PATH_MAX];
} foreign_paths;

/* From here on this process has a mount namespace of its own. */
int foreign_room_make(const struct monitor_runtime *how, const struct exec_fds *fds, struct err *err);
/* A file in it, new. */
int foreign_room_write(const char *path, const char *data, size_t size, struct err *err);
/* The runtime finds no cgroups any more: they are the daemon's to remove, after it has read from them what happened. */
void foreign_room_hide_cgroups(void);
