/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Making a tree of files beneath one directory, on held fds only: parents are resolved with openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS), the last
 * part is made with O_EXCL or its like. Whatever had the name before goes first, except that a directory stays one. Paths are plain (see entry.h).
 * Error messages say the reason only; the caller names the entry.
 *
 * With a `base` the directory is the root of a container that may be running: paths are below base, symlinks among the parents mean what they mean in
 * the container and other mounts may be entered (openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS) from the root each time): whoever races with
 * us in there can at worst choose another place in the same container. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "base/str.h"

struct err;

struct tree_meta {
        mode_t mode; /* permission and set-id bits */
        uid_t uid;
        gid_t gid;
        struct timespec mtime;
};

struct tree {
        int root_fd; /* borrowed */
        const char *base; /* NULL: nobody else is at work there */
        bool keep_kinds;  /* a directory does not give way to anything else, nor the other way round */
        /* A directory took the place of a whiteout of the same layer: it must hide what is below. Negative return: stop. */
        int (*on_opaque)(void *data, const char *path, struct err *err);
        void *data;

        /* Members of an archive come directory by directory: the last parent is kept open. */
        int parent_fd;
        bool parent_sets_gid;
        char *parent;
        size_t parent_size;
        struct strbuf times; /* of directories: set last, since making what is in them changes them */
        struct strbuf acls;  /* the default ones of directories: set last, since what is made in them would begin with that */
};

enum { TREE_LATER_MAX = 256 << 20 }; /* bytes of what is remembered of directories, for each list */

void tree_init(struct tree *t, int root_fd, int (*on_opaque)(void *data, const char *path, struct err *err), void *data);
void tree_done(struct tree *t);

/* An empty new file, open for writing; *ret_fd is the caller's. When all data is in it: tree_file_finish(). */
int tree_file(struct tree *t, const char *path, const struct tree_meta *m, int *ret_fd, struct err *err);
int tree_file_finish(struct tree *t, int fd, const struct tree_meta *m, struct err *err);

/* "" is the root. *ret_fd (may be NULL): the directory, the caller's. */
int tree_directory(struct tree *t, const char *path, const struct tree_meta *m, int *ret_fd, struct err *err);
int tree_symlink(struct tree *t, const char *path, const char *target, const struct tree_meta *m, struct err *err);
int tree_fifo(struct tree *t, const char *path, const struct tree_meta *m, struct err *err);
int tree_hard_link(struct tree *t, const char *path, const char *target, struct err *err);

/* A 0:0 character device, unless the name already exists in this layer: then a directory becomes opaque, and a file hides by itself. */
int tree_whiteout(struct tree *t, const char *path, struct err *err);
/* The directory of an opaque mark must exist when it is reported: made like any missing parent. */
int tree_require_directory(struct tree *t, const char *path, struct err *err);

/* Nothing keeps the name any more: for what the daemon is going to make there. */
int tree_clear(struct tree *t, const char *path, struct err *err);

/* Between tree.c and tree-late.c: an existing directory as an fd, or negative errno; the time of one, for tree_finish(). */
int tree_open_directory(struct tree *t, const char *path, int flags);
int tree_remember_time(struct tree *t, const char *path, const struct tree_meta *m, struct err *err);

/* The default access control list of a directory (the bytes of its extended attribute), for tree_finish(). */
int tree_default_acl(struct tree *t, const char *path, const void *value, size_t size, struct err *err);

/* Default access control lists and times of directories. */
int tree_finish(struct tree *t, struct err *err);
