/* SPDX-License-Identifier: Apache-2.0 */

/* Idmapped clones: what lies on the disk with ids 0… is seen with the ids of a user namespace, and the other way round. */

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "storage/internal.h"

static int clone_mount(int dir_fd, const char *path, int userns_fd, unsigned flags, uint64_t propagation, int *ret_fd) {
        struct mount_attr attr = {
                .attr_set = userns_fd >= 0 ? MOUNT_ATTR_IDMAP : 0,
                .propagation = propagation,
                .userns_fd = userns_fd >= 0 ? (uint64_t) userns_fd : 0,
        };
        unsigned at = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | (flags & AT_RECURSIVE);
        auto_fd fd = open_tree(dir_fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | at);

        if (fd < 0)
                return -errno;
        if ((attr.attr_set || attr.propagation) && mount_setattr(fd, "", AT_EMPTY_PATH | (flags & AT_RECURSIVE), &attr, sizeof(attr)) < 0)
                /* Told apart from an ENOENT or EINVAL of open_tree(2). */
                return errno == EINVAL && attr.attr_set ? -EOPNOTSUPP : -errno;
        *ret_fd = move_fd(fd);
        return 0;
}

int idmap_clone_private(int dir_fd, const char *path, int userns_fd, int *ret_fd) {
        return clone_mount(dir_fd, path, userns_fd, 0, MS_PRIVATE, ret_fd);
}

int storage_idmap_clone(int fd, int userns_fd, bool recursive, int *ret_fd, struct err *err) {
        int r = clone_mount(fd, "", userns_fd, recursive ? AT_RECURSIVE : 0, 0, ret_fd);

        if (r == -EOPNOTSUPP || (r == -EPERM && userns_fd >= 0))
                return err_set(err, ERR_UNSUPPORTED, r,
                        "its file system%s cannot be seen with the ids of a user namespace (idmapped mounts): use --userns=host",
                        recursive ? ", or one mounted below it," : "");
        return r < 0 ? err_errno(err, r, "cloning a mount") : 0;
}
