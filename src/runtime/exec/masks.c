/* SPDX-License-Identifier: Apache-2.0 */

/* Masked and read-only paths. One null device and one empty directory serve all masks: the first one takes the mount itself, the
 * others take clones of it, which the kernel allows for a mount that is part of this namespace. */

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "runtime/exec/private.h"

/* -ENOENT: there is nothing to hide or protect. */
static int open_existing(struct child *c, const struct plan_step *s) {
        int fd = path_open_in(c->root_fd, plan_text(c->plan, s->target), O_PATH, 0);

        return fd == -ENOTDIR ? -ENOENT : fd;
}

int step_readonly(struct child *c, const struct plan_step *s, struct err *err) {
        struct mount_attr a = { .attr_set = MOUNT_ATTR_RDONLY };
        auto_fd target = open_existing(c, s), tree = -EBADF;

        if (target == -ENOENT)
                return 0;
        if (target < 0)
                return step_fail(c, s, target, err);
        tree = open_tree(target, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &a, sizeof(a)) < 0 ||
            move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return step_fail(c, s, errno, err);
        return 0;
}

static int make_empty(void) {
        auto_fd fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
        int fd;

        if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", "555", 0) < 0 ||
            fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "1", 0) < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        return fd < 0 ? -errno : fd;
}

static int cover(int mount_fd, bool attached, int target) {
        auto_fd clone = -EBADF;

        if (attached) {
                clone = open_tree(mount_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
                if (clone < 0)
                        return -errno;
                mount_fd = clone;
        }
        return move_mount(mount_fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0 ? -errno : 0;
}

int step_mask(struct child *c, const struct plan_step *s, struct err *err) {
        auto_fd target = open_existing(c, s);
        struct stat st;
        int r;

        if (target == -ENOENT)
                return 0;
        if (target < 0 || fstat(target, &st) < 0)
                return step_fail(c, s, target < 0 ? target : errno, err);
        if (!S_ISDIR(st.st_mode)) {
                r = cover(c->launch->null_fd, c->null_attached, target);
                c->null_attached = c->null_attached || r == 0;
        } else if (c->empty_fd >= 0) {
                r = cover(c->empty_fd, true, target);
        } else {
                c->empty_fd = make_empty();
                r = c->empty_fd < 0 ? c->empty_fd : cover(c->empty_fd, false, target);
        }
        return r < 0 ? step_fail(c, s, r, err) : 0;
}
