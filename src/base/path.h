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

/* Below: src/base/tree.c. */

/* Called for everything below a directory: a directory after its contents. `dir_fd` is the directory that holds `name`. */
typedef int (*path_tree_fn)(int dir_fd, const char *name, bool is_dir, void *data);

/* Walk the tree below the directory `dir_fd` (which stays the caller's), not following symlinks, not crossing into other mounts
 * (-EXDEV). Any depth: at most 33 fds are open at once, and nothing is recursive. A directory that is moved away while it is
 * walked ends the walk (-ESTALE). Stops on the first negative return of `fn`, and returns that. With `removing`, `fn`
 * deletes what it is given. */
int path_walk_tree(int dir_fd, bool removing, path_tree_fn fn, void *data);

/* Delete a tree, or a file, as path_walk_tree() goes. A missing name is no error. */
int path_remove_tree_at(int dir_fd, const char *name);

/* Delete what is in a directory, and keep the directory. */
int path_remove_children(int dir_fd);
