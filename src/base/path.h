/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Paths below a directory that is not ours to trust (openat2(2), Linux 5.6). Rule 1 of the security notes: resolve once, on a
 * held fd, then work on the fd that came back; never join strings, never resolve twice. All functions return an O_CLOEXEC fd, or
 * negative errno. An absolute path and ".." stay inside `root_fd`; magic links (/proc/PID/fd/N) are refused with -ELOOP. */

#include <stdbool.h>
#include <sys/types.h>

/* Open as `root_fd` were "/": symlinks are followed inside it. `flags` as openat(2). */
int path_open_in(int root_fd, const char *path, int flags, mode_t mode);

/* The same, but any symlink in the path is refused with -ELOOP. */
int path_open_in_nosymlink(int root_fd, const char *path, int flags, mode_t mode);

/* mkdir -p inside root_fd: missing parents are made one by one on held fds (mode 0755 for parents, `mode` for the last),
 * existing ones are followed as path_open_in() does. Returns an O_PATH|O_DIRECTORY fd of the last one. */
int path_mkdir_in(int root_fd, const char *path, mode_t mode);

/* Delete a tree, not following symlinks, not crossing into other mounts (-EXDEV). A missing name is no error. */
int path_remove_tree_at(int dir_fd, const char *name);
