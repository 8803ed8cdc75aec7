/* SPDX-License-Identifier: Apache-2.0 */

/* The root file system. It is mounted over "/" of the new mount namespace, where this process' own root still is the old one below it:
 * no directory is needed to put it on, and the old tree (with its proc and sysfs, which the kernel wants to see before it gives new
 * ones to a user namespace) stays reachable until the pivot. */

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/exec/private.h"

/* A hook that looks for the root file system finds it where the configuration says, as it would with a runtime that mounts there. */
int stage_find_place(struct child *c, struct err *err) {
        const struct plan_source *root = plan_records(c->plan, c->header->sources);
        const char *path = plan_text(c->plan, root->path);

        if (!(c->header->flags & PLAN_ROOT_IN_PLACE))
                return 0;
        c->place_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return c->place_fd < 0 ? raw_fail(err, errno, plan_text(c->plan, root->what), path) : 0;
}

int stage_attach_root(struct child *c, struct err *err) {
        struct mount_attr slave = { .propagation = MS_SLAVE }, private = { .propagation = MS_PRIVATE };
        int fd = c->header->flags & PLAN_ROOTFS_BY_FD ? c->launch->fds->rootfs : c->launch->source_fds[0];

        /* Nothing that is done here may show on the host. */
        if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &slave, sizeof(slave)) < 0)
                return raw_fail(err, errno, "make the mounts private", "/");
        /* pivot_root(2) refuses a shared one. One that is to hear of the host's mounts is a slave already. */
        if (c->header->root_propagation != MS_SLAVE && mount_setattr(fd, "", AT_EMPTY_PATH, &private, sizeof(private)) < 0)
                return raw_fail(err, errno, "root", "not a mount of its own");
        if (c->place_fd >= 0 ? move_mount(fd, "", c->place_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0
                             : move_mount(fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return raw_fail(err, errno, "attach the root file system", NULL);
        c->root_fd = fd;
        return 0;
}

int stage_pivot(struct child *c, struct err *err) {
        struct mount_attr readonly = { .attr_set = MOUNT_ATTR_RDONLY };
        struct mount_attr propagation = { .propagation = c->header->root_propagation };
        unsigned tree = c->header->flags & PLAN_ROOT_PROPAGATES_TREE ? AT_RECURSIVE : 0;

        if ((c->header->flags & PLAN_ROOT_READONLY) && mount_setattr(c->root_fd, "", AT_EMPTY_PATH, &readonly, sizeof(readonly)) < 0)
                return raw_fail(err, errno, "root.readonly", NULL);
        if (fchdir(c->root_fd) < 0)
                return raw_fail(err, errno, "root", NULL);
        /* The new root becomes "/", the old one lies on top of it; "." is the old one then and goes. */
        if (syscall(SYS_pivot_root, ".", ".") < 0)
                return raw_fail(err, errno, "pivot_root", NULL);
        if (umount2(".", MNT_DETACH) < 0)
                return raw_fail(err, errno, "unmount the old root", NULL);
        if (chdir("/") < 0)
                return raw_fail(err, errno, "root", NULL);
        if (propagation.propagation && mount_setattr(AT_FDCWD, "/", tree, &propagation, sizeof(propagation)) < 0)
                return raw_fail(err, errno, "linux.rootfsPropagation", NULL);
        return 0;
}
