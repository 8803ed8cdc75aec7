/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The executor: a plan → a running process. Only system calls from a fixed list of steps: no heap, no stdio, no locks, no log, so
 * that it can be read whole by a reviewer and linked into a static program of a few hundred kB. Callers are single-threaded
 * (kist-monitor, kist-runtime). Everything a step needs is in the plan or in `struct exec_fds`; nothing is looked up. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

enum { EXEC_CGROUP_V1_MAX = 16, EXEC_SOURCES_MAX = 32 };

/* All borrowed; -1: not given. The child sees none of them after execve(2) but its stdio, and what `preserve` says. */
struct exec_fds {
        int plan;                              /* sealed memfd of plan_container() or plan_process() */
        int rootfs;                            /* detached mount, when the plan says so */
        int userns, netns;                     /* to join, when the plan says so */
        int cgroup_v2;                         /* directory: CLONE_INTO_CGROUP */
        int cgroup_v1_procs[EXEC_CGROUP_V1_MAX]; /* cgroup.procs of each v1 hierarchy, open for writing; the child writes "0" */
        size_t n_cgroup_v1;
        int sources[EXEC_SOURCES_MAX];         /* detached mounts that the plan speaks of by number; the container gets the mount itself */
        size_t n_sources;
        int stdio[3];                          /* pipes or files; with a terminal in the plan: unused */
        int target_pidfd;                      /* exec: the container's init */
        int listen;                            /* -1: sockets to hand on (LISTEN_FDS) are not supported by this version, and refused */
        unsigned preserve;                     /* the fds 3 … 2+preserve of the caller, all open, are the process's as well, by the same numbers */
        int start_fifo;                        /* looked at when the plan says start_fifo only: a fifo of mode 0622, opened O_PATH */
        /* Called by exec_container() when the config has prestart or createRuntime hooks: the namespaces are there and everything is mounted,
         * the root is still the host's, and the process (`pid` as the caller sees it) waits. Negative: the container is not made, *err says
         * why. */
        int (*runtime_hooks)(pid_t pid, void *data, struct err *err);
        /* Called by exec_container() while the process, `pid`, sets itself up: what the caller has to write down takes no time of its own then.
         * May be NULL. Negative: the container is not made, *err says why. */
        int (*meanwhile)(pid_t pid, void *data, struct err *err);
        void *calls_data; /* of these two */
};

struct exec_process {
        pid_t pid;     /* a child of the caller, to be waited for by it (also for exec) */
        int pidfd;     /* O_CLOEXEC, the caller's */
        int pty;       /* master of the terminal, or -1; the caller's */
        int release;   /* write end of the start gate, or -1 when the plan has no notify_start; the caller's */
};

/* Two kinds of start gate (plan_options.notify_start):
 * - by default a socket: ret->release, for exec_release() by the same caller. When the caller dies first, so does the process.
 * - with plan_options.start_fifo a named fifo, for OCI `create` and `start`: ret->release is -1 and the caller may exit. The process
 *   opens the fifo for writing and so sleeps until somebody opens it for reading. The reader then reads to the end: no byte means that
 *   execve(2) has succeeded; a whole `struct err` says why not. A fifo that nobody opens holds the process until it is killed. */

/* Start the container's init. With notify_start the call returns once everything but execve(2) is done. Without it the call returns
 * once execve(2) has succeeded. On failure nothing is left: the child is dead and reaped, and *err says what failed, with
 * ERR_NO_COMMAND or ERR_NOT_EXECUTABLE for the command itself. */
int exec_container(const struct exec_fds *fds, struct exec_process *ret, struct err *err);

/* Start one more process in a running container: joins all namespaces of target_pidfd (and its cgroup by the cgroup fds). */
int exec_process(const struct exec_fds *fds, struct exec_process *ret, struct err *err);

/* Open the gate of notify_start and wait for execve(2): 0, or the child's error. Consumes p->release. On failure the process is
 * dead and reaped, and p->pidfd and p->pty are closed. */
int exec_release(struct exec_process *p, struct err *err);

/* For who runs hooks itself: wait for one, a child of the caller that leads its own session, at most `timeout` seconds (0: for ever), then
 * kill its process group. It is reaped. `err_fd`, its end O_NONBLOCK, is what it writes to its standard error; the beginning of that is put
 * into the message. 0 when it has exited with status 0. `what` is "hooks.poststart[0]". */
int exec_hook_wait(pid_t pid, int pidfd, int err_fd, uint32_t timeout, const char *what, const char *path, struct err *err);
