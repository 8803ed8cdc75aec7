/* SPDX-License-Identifier: Apache-2.0 */

/* Mounting inside the new root. The target is resolved once, inside the root, to an fd; what is mounted is an fd, too; so a symlink that
 * is swapped in between changes nothing (CVE-2021-30465). */

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "runtime/exec/private.h"

static int open_in(struct child *c, const char *path, bool no_symlinks, int flags) {
        return no_symlinks ? path_open_in_nosymlink(c->root_fd, path, flags, 0) : path_open_in(c->root_fd, path, flags, 0);
}

/* "/a/b" → "/a" in `parent` (room for PATH_MAX), "b" in `name` (room for NAME_MAX + 1). */
static int split(const char *path, char *parent, char *name) {
        const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
        size_t n = slash ? (size_t) (slash - path) : 0;

        if (n >= PATH_MAX || strlen(last) > NAME_MAX)
                return -ENAMETOOLONG;
        memcpy(parent, path, n);
        parent[n] = '\0';
        memcpy(name, last, strlen(last) + 1);
        return 0;
}

/* Mostly only the last part is missing: it is made in its parent, and opened from there. -ENOENT: more is missing, or it is no plain name. */
static int make_last(struct child *c, const char *path, bool no_symlinks) {
        char parent[PATH_MAX], name[NAME_MAX + 1];
        auto_fd dir = -EBADF;
        int r = split(path, parent, name), fd;

        if (r < 0)
                return r;
        if (!*name || (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]))))
                return -ENOENT;
        dir = open_in(c, parent, no_symlinks, O_PATH | O_DIRECTORY);
        if (dir < 0)
                return dir;
        /* Something is there after all that leads to nothing: a symlink. */
        if (mkdirat(dir, name, 0755) < 0)
                return errno == EEXIST ? -ENOENT : -errno;
        fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int make_directory(struct child *c, const char *path, bool no_symlinks) {
        int fd = open_in(c, path, no_symlinks, O_PATH | O_DIRECTORY);

        if (fd != -ENOENT)
                return fd;
        fd = make_last(c, path, no_symlinks);
        if (fd != -ENOENT)
                return fd;
        fd = path_mkdir_in(c->root_fd, path, 0755);
        if (fd < 0 || !no_symlinks)
                return fd;
        fd_close(fd);
        return open_in(c, path, true, O_PATH | O_DIRECTORY);
}

int target_parent(struct child *c, const char *path, bool no_symlinks, char *name) {
        char parent[PATH_MAX];
        int r = split(path, parent, name);

        return r < 0 ? r : make_directory(c, parent, no_symlinks);
}

int target_open(struct child *c, const struct plan_step *s, bool directory) {
        const char *path = plan_text(c->plan, s->target);
        bool no_symlinks = s->flags & PLAN_STEP_NO_SYMLINKS;
        char name[NAME_MAX + 1];
        auto_fd parent = -EBADF, fd = -EBADF;

        if (directory)
                return make_directory(c, path, no_symlinks);
        fd = open_in(c, path, no_symlinks, O_PATH);
        if (fd != -ENOENT)
                return move_fd(fd);
        parent = target_parent(c, path, no_symlinks, name);
        if (parent < 0)
                return parent;
        fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        fd_close(move_fd(fd));
        fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : move_fd(fd);
}

static int attach(struct child *c, int mount_fd, const struct plan_step *s, bool directory, struct err *err) {
        auto_fd target = target_open(c, s, directory);
        struct stat st;

        if (target < 0)
                return step_fail(c, s, target, err);
        if (!directory && (fstat(target, &st) < 0 || S_ISDIR(st.st_mode)))
                return step_fail(c, s, EISDIR, err);
        /* The planner lets few things into /proc; a symlink of the image must not lead others there (CVE-2023-27561). */
        if (!(s->flags & PLAN_STEP_NO_SYMLINKS) && raw_is_fs(target, PROC_SUPER_MAGIC))
                return err_set_raw(err, ERR_DENIED, EPERM, plan_text(c->plan, s->target), "the way there leads into /proc");
        if (move_mount(mount_fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return step_fail(c, s, errno, err);
        return 0;
}

int step_mount_tree(struct child *c, const struct plan_step *s, struct err *err) {
        int fd = c->launch->source_fds[s->source];
        struct stat st;

        if (fstat(fd, &st) < 0)
                return step_fail(c, s, errno, err);
        return attach(c, fd, s, S_ISDIR(st.st_mode), err);
}

int fs_make(const struct plan *p, const char *type, struct plan_table params, uint64_t attr) {
        const struct plan_param *param = plan_records(p, params);
        auto_fd fs = fsopen(type, FSOPEN_CLOEXEC);
        int fd;

        if (fs < 0)
                return -errno;
        for (uint32_t i = 0; i < params.count; i++) {
                const char *key = plan_text(p, param[i].key), *value = plan_text(p, param[i].value);
                int r = *value ? fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) : fsconfig(fs, FSCONFIG_SET_FLAG, key, NULL, 0);

                if (r < 0)
                        return -errno;
        }
        if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned) attr);
        return fd < 0 ? -errno : fd;
}

/* The host's own tree of that path, which is still there below the new root; read-only. */
static int bind_of_host(const char *path, uint64_t attr) {
        struct mount_attr a = { .attr_set = attr | MOUNT_ATTR_RDONLY, .propagation = MS_PRIVATE };
        auto_fd fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

        if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &a, sizeof(a)) < 0)
                return -errno;
        return move_fd(fd);
}

/* What the mount will cover is still to be seen. */
static int fill(struct child *c, int fd, const struct plan_step *s) {
        struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
        auto_fd target = target_open(c, s, true);
        int r = target < 0 ? target : copy_up(target, fd, s->flags & PLAN_STEP_COPY_MODE);

        if (r == 0 && (s->attr_set & MOUNT_ATTR_RDONLY) && mount_setattr(fd, "", AT_EMPTY_PATH, &read_only, sizeof(read_only)) < 0)
                r = -errno;
        return r;
}

int step_mount_fs(struct child *c, const struct plan_step *s, struct err *err) {
        const char *type = plan_text(c->plan, s->text);
        uint64_t before = s->flags & PLAN_STEP_COPY_UP ? s->attr_set & ~(uint64_t) MOUNT_ATTR_RDONLY : s->attr_set;
        auto_fd fd = fs_make(c->plan, type, s->params, before);
        int r;

        if ((fd == -EPERM || fd == -EBUSY) && (s->flags & PLAN_STEP_OR_BIND))
                fd = bind_of_host(plan_text(c->plan, s->target), s->attr_set);
        if (fd < 0)
                return s->flags & PLAN_STEP_OPTIONAL ? 0 : step_fail(c, s, fd, err);
        if (s->propagation) {
                struct mount_attr a = { .propagation = s->propagation };

                if (mount_setattr(fd, "", AT_EMPTY_PATH, &a, sizeof(a)) < 0)
                        return step_fail(c, s, errno, err);
        }
        r = s->flags & PLAN_STEP_COPY_UP ? fill(c, fd, s) : 0;
        if (r < 0)
                return step_fail(c, s, r, err);
        r = attach(c, fd, s, true, err);
        if (r < 0)
                return r;
        if ((s->flags & PLAN_STEP_KEEP_PROC) && c->proc_mount < 0)
                c->proc_mount = move_fd(fd);
        else if ((s->flags & PLAN_STEP_KEEP_PTS) && c->pts_mount < 0)
                c->pts_mount = move_fd(fd);
        return 0;
}

int step_set_attr(struct child *c, const struct plan_step *s, struct err *err) {
        struct mount_attr a = { .attr_set = s->attr_set, .attr_clr = s->attr_clear, .propagation = s->propagation };
        auto_fd fd = open_in(c, plan_text(c->plan, s->target), s->flags & PLAN_STEP_NO_SYMLINKS, O_PATH);

        /* The kind of atime is a field of several bits: to set one is to clear the field. */
        if ((s->attr_set | s->attr_clear) & MOUNT_ATTR__ATIME)
                a.attr_clr |= MOUNT_ATTR__ATIME;
        if (fd < 0)
                return step_fail(c, s, fd, err);
        if (mount_setattr(fd, "", AT_EMPTY_PATH | (s->flags & PLAN_STEP_RECURSIVE ? AT_RECURSIVE : 0), &a, sizeof(a)) < 0)
                return step_fail(c, s, errno, err);
        return 0;
}
