/* SPDX-License-Identifier: Apache-2.0 */

/* Walking trees that a container made. It can nest directories by the million, so the way back up is kept on the heap, a few
 * bytes per level, and only the deepest levels keep their directory open. A level that was closed is found again as the ".." of
 * the one below it, and its inode says whether it is the same: a walk never follows a directory that was moved elsewhere. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"

enum { OPEN_LEVELS = 32, MAX_LEVELS = 1 << 20 };

struct level {
        DIR *dir;      /* NULL: closed to save fds */
        dev_t dev;
        ino_t ino;
        long position; /* in the directory, when it was closed */
        char *name;    /* in the level above; NULL for the first */
};

struct walk {
        struct level *levels;
        size_t n, room;
        bool removing;
        path_tree_fn fn;
        void *data;
};

/* A bind mount of the same file system has the same device number: only the kernel can tell, so openat2(2). */
static int open_dir(int dir_fd, const char *name) {
        struct open_how how = {
                .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
        };
        long fd;

        do
                fd = syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
        while (fd < 0 && (errno == EAGAIN || errno == EINTR));
        return fd < 0 ? -errno : (int) fd;
}

static void close_level(struct level *l) {
        if (l->dir)
                closedir(l->dir);
        l->dir = NULL;
}

static void walk_done(struct walk *w) {
        int saved = errno;

        for (size_t i = 0; i < w->n; i++) {
                close_level(&w->levels[i]);
                free(w->levels[i].name);
        }
        free(w->levels);
        errno = saved;
}

/* Takes the fd, also on failure. */
static int push(struct walk *w, int taken_fd, const char *name) {
        auto_free char *copy = name ? strdup(name) : NULL;
        auto_fd fd = taken_fd;
        struct level *l;
        struct stat st;

        if (name && !copy)
                return -ENOMEM;
        if (w->n == MAX_LEVELS)
                return -ELOOP;
        if (w->n == w->room) {
                size_t room = w->room ? w->room * 2 : 32;

                l = reallocarray(w->levels, room, sizeof(*l));
                if (!l)
                        return -ENOMEM;
                w->levels = l;
                w->room = room;
        }
        if (fstat(fd, &st) < 0)
                return -errno;
        l = &w->levels[w->n];
        *l = (struct level) { .dir = fdopendir(fd), .dev = st.st_dev, .ino = st.st_ino };
        if (!l->dir)
                return -errno;
        move_fd(fd); /* closedir() closes it now */
        l->name = take_ptr(&copy);
        w->n++;
        if (w->n > OPEN_LEVELS && w->levels[w->n - OPEN_LEVELS - 1].dir) {
                l = &w->levels[w->n - OPEN_LEVELS - 1];
                l->position = telldir(l->dir);
                close_level(l);
        }
        return 0;
}

/* Back up to the level above, opening it again when it was closed. */
static int pop(struct walk *w) {
        struct level *from = &w->levels[w->n - 1], *to = from - 1;
        auto_free char *name = NULL;
        int r;

        if (!to->dir) {
                auto_fd fd = open_dir(dirfd(from->dir), "..");
                struct stat st;

                if (fd < 0)
                        return fd;
                if (fstat(fd, &st) < 0)
                        return -errno;
                if (st.st_ino != to->ino || st.st_dev != to->dev)
                        return -ESTALE;
                to->dir = fdopendir(fd);
                if (!to->dir)
                        return -errno;
                move_fd(fd);
                /* What was read before is deleted by now, and not every file system keeps positions over deletions. */
                if (!w->removing)
                        seekdir(to->dir, to->position);
        }
        close_level(from);
        name = take_ptr(&from->name);
        w->n--;
        r = w->fn(dirfd(to->dir), name, true, w->data);
        return r < 0 ? r : 0;
}

static int entry_is_dir(int dir_fd, const struct dirent *d) {
        struct stat st;

        if (d->d_type != DT_UNKNOWN)
                return d->d_type == DT_DIR;
        if (fstatat(dir_fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        return S_ISDIR(st.st_mode);
}

static int walk(struct walk *w) {
        for (;;) {
                DIR *dir = w->levels[w->n - 1].dir;
                struct dirent *d;
                int r;

                errno = 0;
                d = readdir(dir);
                if (!d) {
                        if (errno != 0)
                                return -errno;
                        if (w->n == 1)
                                return 0;
                        r = pop(w);
                } else if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0) {
                        continue;
                } else if ((r = entry_is_dir(dirfd(dir), d)) > 0) {
                        int fd = open_dir(dirfd(dir), d->d_name);

                        r = fd == -ENOENT ? 0 : fd < 0 ? fd : push(w, fd, d->d_name);
                } else if (r == 0) {
                        r = w->fn(dirfd(dir), d->d_name, false, w->data);
                }
                if (r < 0)
                        return r;
        }
}

int path_walk_tree(int dir_fd, bool removing, path_tree_fn fn, void *data) {
        __attribute__((cleanup(walk_done))) struct walk w = { .removing = removing, .fn = fn, .data = data };
        /* Not dup(2): that would share the position in the directory with the caller's fd. */
        int fd = open_dir(dir_fd, "."), r;

        if (fd < 0)
                return fd;
        r = push(&w, fd, NULL);
        return r < 0 ? r : walk(&w);
}

static int remove_entry(int dir_fd, const char *name, bool is_dir, void *data) {
        if (unlinkat(dir_fd, name, is_dir ? AT_REMOVEDIR : 0) == 0 || errno == ENOENT)
                return 0;
        return -errno;
}

int path_remove_children(int dir_fd) {
        return path_walk_tree(dir_fd, true, remove_entry, NULL);
}

int path_remove_tree_at(int dir_fd, const char *name) {
        auto_fd fd = -EBADF;
        struct stat st;
        int r;

        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISDIR(st.st_mode))
                return remove_entry(dir_fd, name, false, NULL);
        fd = open_dir(dir_fd, name);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        r = path_remove_children(fd);
        return r < 0 ? r : remove_entry(dir_fd, name, true, NULL);
}
