/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* How a worker gives away what it does not need, in two steps that cannot be taken back. The process starts as the daemon's user (root) and has
 * one thread; both steps must be done before the first foreign byte is read, and before the first thread is made. */

#include <stddef.h>
#include <sys/syscall.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452 /* Linux 6.6; on all architectures but alpha */
#endif

struct err;

enum worker_mode { WORKER_FETCH, WORKER_UNPACK, WORKER_LOAD, WORKER_PACK, WORKER_EXTRACT, _WORKER_MODE_MAX };

/* "fetch", "unpack", "load", "pack", "extract". */
const char *worker_mode_name(enum worker_mode mode);
/* -EINVAL when there is no such mode. */
int worker_mode_parse(const char *name, enum worker_mode *ret);

/* Step one, when nothing but fds 3 and 4 is known: user namespace, ids, other namespaces, limits. userns_fd is closed. */
int confine_enter(enum worker_mode mode, int userns_fd, struct err *err);

/* Step two, when the directories that the job is about are known (none for fetch): the first becomes the root directory; capabilities, Landlock,
 * system call filter. The C library can load no code from that root: new executable memory is not to be had. */
int confine_seal(enum worker_mode mode, const int *dir_fds, size_t n_dir_fds, struct err *err);

/* The parts of step two that have a file of their own. */
int confine_landlock(enum worker_mode mode, const int *dir_fds, size_t n_dir_fds, struct err *err);
int confine_syscalls(enum worker_mode mode, struct err *err);
