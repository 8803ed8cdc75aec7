/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "worker/confine.h"

enum {
        OPEN_DIR = O_PATH | O_DIRECTORY | O_CLOEXEC,
        IMPLICIT_MODE = 0755,     /* of parents that have no entry of their own */
        SPECIAL_BITS = 07000,
};

void tree_init(struct tree *t, int root_fd, int (*on_opaque)(void *data, const char *path, struct err *err), void *data) {
        *t = (struct tree) { .root_fd = root_fd, .on_opaque = on_opaque, .data = data, .parent_fd = -EBADF };
        strbuf_init(&t->times, TREE_LATER_MAX);
        strbuf_init(&t->acls, TREE_LATER_MAX);
}

static void forget_parent(struct tree *t) {
        t->parent_fd = fd_close(t->parent_fd);
        free(take_ptr(&t->parent));
}

void tree_done(struct tree *t) {
        forget_parent(t);
        strbuf_done(&t->times);
        strbuf_done(&t->acls);
}

static int open_beneath(int root_fd, const char *path, int flags) {
        struct open_how how = {
                .flags = (uint64_t) flags,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
        };
        long fd;

        do
                fd = syscall(SYS_openat2, root_fd, *path ? path : ".", &how, sizeof(how));
        while (fd < 0 && (errno == EAGAIN || errno == EINTR));
        return fd < 0 ? -errno : (int) fd;
}

int tree_open_directory(struct tree *t, const char *path, int flags) {
        auto_free char *whole = t->base ? str_format("%s/%s", t->base, path) : NULL;

        if (!t->base)
                return open_beneath(t->root_fd, path, flags);
        return whole ? path_open_in(t->root_fd, whole, flags, 0) : -ENOMEM;
}

static bool is_whiteout(const struct stat *st) {
        return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static int report_opaque(struct tree *t, const char *path, struct err *err) {
        return t->on_opaque(t->data, path, err);
}

/* One missing part of a parent path. `upto` is the whole path so far. */
static int make_parent(struct tree *t, int at, const char *name, const char *upto, struct err *err) {
        struct stat st;
        int r;

        if (mkdirat(at, name, IMPLICIT_MODE) == 0)
                return 0;
        if (errno != EEXIST)
                return err_errno(err, -errno, "cannot have its directory \"%s\"", upto);
        if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return err_errno(err, -errno, "cannot have its directory \"%s\"", upto);
        if (S_ISDIR(st.st_mode))
                return 0;
        if (S_ISLNK(st.st_mode))
                return err_set(err, ERR_INVALID, -ELOOP, "lies in \"%s\", which is a symbolic link", upto);
        if (!is_whiteout(&st))
                return err_set(err, ERR_INVALID, -ENOTDIR, "lies in \"%s\", which is not a directory", upto);
        if (unlinkat(at, name, 0) < 0 || mkdirat(at, name, IMPLICIT_MODE) < 0)
                return err_errno(err, -errno, "cannot have its directory \"%s\"", upto);
        r = report_opaque(t, upto, err);
        return r < 0 ? r : 0;
}

static int make_parents_in_container(struct tree *t, const char *path, int *ret_fd, struct err *err) {
        auto_free char *whole = str_format("%s/%s", t->base, path);
        int fd = whole ? path_mkdir_in(t->root_fd, whole, IMPLICIT_MODE) : -ENOMEM;

        if (fd < 0)
                return err_errno(err, fd, "cannot have its directory \"%s\"", path);
        *ret_fd = fd;
        return 0;
}

/* All parts of `path` as directories, made where they are missing; O_PATH. */
static int make_parents(struct tree *t, const char *path, int *ret_fd, struct err *err) {
        auto_free char *upto = strdup(path);
        auto_fd at = -EBADF;
        char *name = upto;

        if (t->base)
                return make_parents_in_container(t, path, ret_fd, err);
        if (!upto)
                return err_errno(err, -ENOMEM, "cannot be made");
        at = open_beneath(t->root_fd, "", OPEN_DIR);
        if (at < 0)
                return err_errno(err, at, "cannot open the layer's directory");
        while (name) {
                char *slash = strchr(name, '/');
                int next, r;

                if (slash)
                        *slash = '\0';
                r = make_parent(t, at, name, upto, err);
                if (r < 0)
                        return r;
                next = open_beneath(at, name, OPEN_DIR);
                if (next < 0)
                        return err_errno(err, next, "cannot have its directory \"%s\"", upto);
                fd_close(at);
                at = next;
                if (slash)
                        *slash = '/';
                name = slash ? slash + 1 : NULL;
        }
        *ret_fd = move_fd(at);
        return 0;
}

static bool is_kept_parent(const struct tree *t, const char *path, size_t size) {
        return t->parent_fd >= 0 && t->parent_size == size && memcmp(t->parent, path, size) == 0;
}

static int keep_parent(struct tree *t, const char *path, size_t size, struct err *err) {
        auto_free char *parent = strndup(path, size);
        auto_fd fd = -EBADF;
        struct stat st;

        if (!parent)
                return err_errno(err, -ENOMEM, "cannot be made");
        fd = tree_open_directory(t, parent, OPEN_DIR);
        if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP) {
                int r;

                fd = -EBADF;
                r = make_parents(t, parent, &fd, err); /* or the reason why not */
                if (r < 0)
                        return r;
        } else if (fd < 0) {
                return err_errno(err, fd, "cannot have its directory \"%s\"", parent);
        }
        if (fstat(fd, &st) < 0)
                return err_errno(err, -errno, "cannot have its directory \"%s\"", parent);
        forget_parent(t);
        t->parent_fd = move_fd(fd);
        t->parent_sets_gid = st.st_mode & S_ISGID;
        t->parent = take_ptr(&parent);
        t->parent_size = size;
        return 0;
}

/* *ret_name: the last part, in `path`. The parent is in t->parent_fd. */
static int enter_parent(struct tree *t, const char *path, const char **ret_name, struct err *err) {
        const char *slash = strrchr(path, '/');
        size_t size = slash ? (size_t) (slash - path) : 0;
        int r = is_kept_parent(t, path, size) ? 0 : keep_parent(t, path, size, err);

        if (r < 0)
                return r;
        *ret_name = slash ? slash + 1 : path;
        return 0;
}

/* Take what has the name away: a tree, too. */
static int remove_old(struct tree *t, const char *name, struct err *err) {
        struct stat st;
        int r;

        if (t->keep_kinds && fstatat(t->parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
                return err_set(err, ERR_INVALID, -EISDIR, "cannot take the place of a directory");
        if (unlinkat(t->parent_fd, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return err_errno(err, -errno, "cannot replace what was there");
        r = path_remove_tree_at(t->parent_fd, name);
        return r < 0 ? err_errno(err, r, "cannot replace what was there") : 0;
}

/* Owner of a fresh file or fifo that was made with the permission bits of `mode`, by root of the user namespace. */
static int set_owner(int fd, const struct tree_meta *m, bool sets_gid) {
        if ((m->uid != 0 || m->gid != 0 || sets_gid) && fchownat(fd, "", m->uid, m->gid, AT_EMPTY_PATH) < 0)
                return -errno;
        return 0;
}

static void both_times(const struct tree_meta *m, struct timespec ret[2]) {
        ret[0] = ret[1] = m->mtime;
}

int tree_file(struct tree *t, const char *path, const struct tree_meta *m, int *ret_fd, struct err *err) {
        const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
        const char *name;
        auto_fd fd = -EBADF;
        int r = enter_parent(t, path, &name, err);

        if (r < 0)
                return r;
        fd = openat(t->parent_fd, name, flags, m->mode & 0777);
        if (fd < 0 && errno == EEXIST) {
                r = remove_old(t, name, err);
                if (r < 0)
                        return r;
                fd = openat(t->parent_fd, name, flags, m->mode & 0777);
        }
        if (fd < 0)
                return err_errno(err, -errno, "cannot be made");
        *ret_fd = move_fd(fd);
        return 0;
}

int tree_file_finish(struct tree *t, int fd, const struct tree_meta *m, struct err *err) {
        struct timespec times[2];
        int r = set_owner(fd, m, t->parent_sets_gid);

        if (r < 0)
                return err_errno(err, r, "cannot get its owner");
        if ((m->mode & SPECIAL_BITS) && fchmod(fd, m->mode & 07777) < 0) /* after the owner: chown(2) clears set-id bits */
                return err_errno(err, -errno, "cannot get its mode");
        both_times(m, times);
        if (futimens(fd, times) < 0)
                return err_errno(err, -errno, "cannot get its time");
        return 0;
}

/* Make `name` in the kept parent, or keep the directory that is there. */
static int make_directory(struct tree *t, const char *path, const char *name, mode_t mode, struct err *err) {
        struct stat st;
        int r;

        if (mkdirat(t->parent_fd, name, mode) == 0)
                return 0;
        if (errno != EEXIST || fstatat(t->parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return err_errno(err, -errno, "cannot be made");
        if (S_ISDIR(st.st_mode))
                return 0;
        if (t->keep_kinds)
                return err_set(err, ERR_INVALID, -ENOTDIR, "is a directory and cannot take the place of what is none");
        r = remove_old(t, name, err);
        if (r < 0)
                return r;
        if (mkdirat(t->parent_fd, name, mode) < 0)
                return err_errno(err, -errno, "cannot be made");
        return is_whiteout(&st) ? report_opaque(t, path, err) : 0;
}

int tree_directory(struct tree *t, const char *path, const struct tree_meta *m, int *ret_fd, struct err *err) {
        auto_fd fd = -EBADF;
        const char *name;
        int r;

        if (*path) {
                r = enter_parent(t, path, &name, err);
                if (r == 0)
                        r = make_directory(t, path, name, m->mode & 0777, err);
                if (r < 0)
                        return r;
                fd = openat(t->parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        } else {
                fd = tree_open_directory(t, "", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        }
        if (fd < 0)
                return err_errno(err, -errno, "cannot be opened");
        if (is_kept_parent(t, path, strlen(path)))
                forget_parent(t); /* its set-gid bit may change */
        if (fchownat(fd, "", m->uid, m->gid, AT_EMPTY_PATH) < 0)
                return err_errno(err, -errno, "cannot get its owner");
        if (fchmod(fd, m->mode & 07777) < 0)
                return err_errno(err, -errno, "cannot get its mode");
        r = tree_remember_time(t, path, m, err);
        if (r == 0 && ret_fd)
                *ret_fd = move_fd(fd);
        return r;
}

/* Owner and time of a symbolic link, which cannot be opened, by its name in the parent. */
static int finish_by_name(struct tree *t, const char *name, const struct tree_meta *m, struct err *err) {
        struct timespec times[2];

        if ((m->uid != 0 || m->gid != 0 || t->parent_sets_gid) && fchownat(t->parent_fd, name, m->uid, m->gid, AT_SYMLINK_NOFOLLOW) < 0)
                return err_errno(err, -errno, "cannot get its owner");
        both_times(m, times);
        if (utimensat(t->parent_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
                return err_errno(err, -errno, "cannot get its time");
        return 0;
}

int tree_symlink(struct tree *t, const char *path, const char *target, const struct tree_meta *m, struct err *err) {
        const char *name;
        int r = enter_parent(t, path, &name, err);

        if (r < 0)
                return r;
        r = symlinkat(target, t->parent_fd, name);
        if (r < 0 && errno == EEXIST) {
                r = remove_old(t, name, err);
                if (r < 0)
                        return r;
                r = symlinkat(target, t->parent_fd, name);
        }
        if (r < 0)
                return err_errno(err, -errno, "cannot be made");
        return finish_by_name(t, name, m, err);
}

static int make_node(struct tree *t, const char *path, mode_t mode, const char **ret_name, struct err *err) {
        int r = enter_parent(t, path, ret_name, err);

        if (r < 0)
                return r;
        r = mknodat(t->parent_fd, *ret_name, mode, 0);
        if (r < 0 && errno == EEXIST) {
                r = remove_old(t, *ret_name, err);
                if (r < 0)
                        return r;
                r = mknodat(t->parent_fd, *ret_name, mode, 0);
        }
        return r < 0 ? err_errno(err, -errno, "cannot be made") : 0;
}

/* Of what is open as a path only. Kernels before 6.6 cannot do that: then they are left out, and on a fifo they mean nothing. */
static int set_special_bits(int fd, mode_t mode) {
        if (!(mode & SPECIAL_BITS) || syscall(SYS_fchmodat2, fd, "", mode & 07777, AT_EMPTY_PATH) == 0)
                return 0;
        return errno == ENOSYS ? 0 : -errno;
}

int tree_fifo(struct tree *t, const char *path, const struct tree_meta *m, struct err *err) {
        struct timespec times[2];
        auto_fd fd = -EBADF;
        const char *name;
        struct stat st;
        int r = make_node(t, path, S_IFIFO | (m->mode & 0777), &name, err);

        if (r < 0)
                return r;
        fd = openat(t->parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return err_errno(err, -errno, "cannot be found again");
        if (!S_ISFIFO(st.st_mode)) /* in a container that runs, another may have taken its place */
                return err_set(err, ERR_CONFLICT, -EBUSY, "was replaced meanwhile");
        r = set_owner(fd, m, t->parent_sets_gid);
        if (r < 0)
                return err_errno(err, r, "cannot get its owner");
        r = set_special_bits(fd, m->mode); /* after the owner: chown(2) clears them */
        if (r < 0)
                return err_errno(err, r, "cannot get its mode");
        both_times(m, times);
        return utimensat(fd, "", times, AT_EMPTY_PATH) < 0 ? err_errno(err, -errno, "cannot get its time") : 0;
}

int tree_whiteout(struct tree *t, const char *path, struct err *err) {
        const char *name;
        struct stat st;
        int r = enter_parent(t, path, &name, err);

        if (r < 0)
                return r;
        if (fstatat(t->parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
                return S_ISDIR(st.st_mode) ? report_opaque(t, path, err) : 0;
        if (errno != ENOENT)
                return err_errno(err, -errno, "cannot be made");
        return make_node(t, path, S_IFCHR, &name, err);
}

int tree_require_directory(struct tree *t, const char *path, struct err *err) {
        auto_free char *inside = str_format("%s%sx", path, *path ? "/" : ""); /* the parent of anything in it */
        const char *name;

        if (!inside)
                return err_errno(err, -ENOMEM, "cannot be made");
        return enter_parent(t, inside, &name, err);
}

int tree_clear(struct tree *t, const char *path, struct err *err) {
        const char *name;
        int r = enter_parent(t, path, &name, err);

        return r < 0 ? r : remove_old(t, name, err);
}

int tree_hard_link(struct tree *t, const char *path, const char *target, struct err *err) {
        const char *slash = strrchr(target, '/'), *from = slash ? slash + 1 : target, *name;
        auto_free char *dir = strndup(target, slash ? (size_t) (slash - target) : 0);
        auto_fd dir_fd = -EBADF;
        struct stat st, old;
        int r;

        if (!dir)
                return err_errno(err, -ENOMEM, "cannot be made");
        dir_fd = tree_open_directory(t, dir, OPEN_DIR);
        if (dir_fd == -ELOOP)
                return err_set(err, ERR_INVALID, -ELOOP, "is a hard link to \"%s\" through a symbolic link", target);
        if (dir_fd < 0 || fstatat(dir_fd, from, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                if (errno == ENOENT || errno == ENOTDIR)
                        return err_set(err, ERR_INVALID, -errno, "is a hard link to \"%s\", which the layer does not have", target);
                return err_errno(err, -errno, "is a hard link to \"%s\"", target);
        }
        /* A symbolic link may have two names as well: it is linked itself, never followed. */
        if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode) && !S_ISFIFO(st.st_mode))
                return err_set(err, ERR_INVALID, -EPERM, "is a hard link to \"%s\", which is not a file", target);
        r = enter_parent(t, path, &name, err);
        if (r < 0)
                return r;
        if (fstatat(t->parent_fd, name, &old, AT_SYMLINK_NOFOLLOW) == 0) {
                if (old.st_ino == st.st_ino && old.st_dev == st.st_dev)
                        return 0; /* a link to itself, or said twice */
                r = remove_old(t, name, err);
                if (r < 0)
                        return r;
        }
        if (linkat(dir_fd, from, t->parent_fd, name, 0) < 0)
                return err_errno(err, -errno, "is a hard link to \"%s\"", target);
        return 0;
}
