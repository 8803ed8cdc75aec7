/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Starting programs from a process with threads: posix_spawn(3) only. */

#include <stddef.h>
#include <sys/types.h>

struct err;

struct proc_spawn {
        int exe_fd;          /* the program, as an open fd (a sealed memfd, or O_PATH of a file) */
        char *const *argv;
        char *const *envp;   /* NULL: an empty environment */
        int stdio[3];        /* -1: /dev/null */
        const int *fds;      /* become 3, 4, 5 … in the child; everything else is closed there (all our fds are O_CLOEXEC) */
        size_t n_fds;
};

/* The child has its own session, an empty signal mask and default dispositions. The caller reaps *ret_pid; *ret_pidfd (may be
 * NULL) is O_CLOEXEC and the caller's to close. */
int proc_spawn(const struct proc_spawn *s, pid_t *ret_pid, int *ret_pidfd, struct err *err);

/* Open one of Kist's other programs for proc_spawn(): from the directory of the running program (as /proc/self/exe says), or from
 * PREFIX/libexec/kist where that is installed. O_PATH; the caller closes. */
int proc_open_program(const char *name, int *ret_fd, struct err *err);

/* Where they are, for a program that runs from a copy of itself and so cannot tell: a directory that ends with '/'; borrowed for good. */
void proc_set_programs(const char *directory);

/* The same, copied into a sealed memfd: what runs in it cannot be overwritten through /proc/PID/exe (CVE-2019-5736), and the
 * pages of its text are shared by all that run it. */
int proc_seal_program(const char *name, int *ret_fd, struct err *err);
