/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "monitor/foreign.h"

struct foreign_paths foreign_paths;

static void set_path(char to[FOREIGN_PATH_MAX], const char *room, const char *name) {
        const char *end = to + FOREIGN_PATH_MAX - 1;

        str_put(str_put(to, end, room), end, name);
}

static void set_paths(const char *room) {
        struct foreign_paths *p = &foreign_paths;

        set_path(p->room, room, "");
        set_path(p->rootfs, room, "/rootfs");
        set_path(p->user, room, "/user");
        set_path(p->net, room, "/net");
        set_path(p->config, room, "/config.json");
        set_path(p->process, room, "/process.json");
        set_path(p->state, room, "/state");
        set_path(p->log, room, "/log");
        set_path(p->pid, room, "/pid");
        set_path(p->console, room, "/console");
        set_path(p->null, room, "/null");
}

static int fail(struct err *err, const char *object) {
        return err_set_raw(err, ERR_INTERNAL, -errno, "mounts for the runtime", object);
}

int foreign_room_write(const char *path, const char *data, size_t size, struct err *err) {
        auto_fd fd = -EBADF;
        int r;

        unlink(path);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        r = fd < 0 ? -errno : fd_write_all(fd, data, size);
        return r < 0 ? err_set_raw(err, ERR_INTERNAL, r, "file for the runtime", path) : 0;
}

/* One source, as a mount that is attached nowhere yet. The paths are the host's, so this comes before anything is mounted over a part of it. */
static int open_source(const struct monitor_runtime *how, const struct monitor_runtime_mount *m, const struct exec_fds *fds, int *ret, struct err *err) {
        bool recursive = m->flags & MONITOR_MOUNT_RECURSIVE;
        unsigned at = recursive ? AT_RECURSIVE : 0;
        struct mount_attr attr = { .attr_set = m->flags & MONITOR_MOUNT_RDONLY ? MOUNT_ATTR_RDONLY : 0 };
        const char *path = m->source < 0 ? how->text + m->path_at : "volume";
        auto_fd fd = m->source < 0 ? open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | at) : fcntl(fds->sources[m->source], F_DUPFD_CLOEXEC, 3);

        if (fd < 0)
                return fail(err, path);
        if (m->flags & MONITOR_MOUNT_IDMAP && fds->userns >= 0) {
                attr.attr_set |= MOUNT_ATTR_IDMAP;
                attr.userns_fd = (uint64_t) fds->userns;
        }
        if (attr.attr_set && mount_setattr(fd, "", AT_EMPTY_PATH | at, &attr, sizeof(attr)) < 0) {
                if (errno == EINVAL || errno == EPERM)
                        return err_set_raw(err, ERR_UNSUPPORTED, -errno, "this file system cannot be seen with the ids of a user namespace, use --userns host", path);
                return fail(err, path);
        }
        *ret = move_fd(fd);
        return 0;
}

/* Directories on directories, everything else on a file. */
static int attach(int fd, const char *path, struct err *err) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return fail(err, path);
        if (S_ISDIR(st.st_mode) ? mkdir(path, 0711) < 0 : mknod(path, S_IFREG | 0600, 0) < 0)
                return fail(err, path);
        return move_mount(fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? fail(err, path) : 0;
}

/* A namespace is joined by a path. */
static int attach_namespace(int fd, const char *path, struct err *err) {
        auto_fd clone = -EBADF;

        if (fd < 0)
                return 0;
        clone = open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        return clone < 0 ? fail(err, path) : attach(clone, path, err);
}

/* Hierarchies of version 1 that the daemon makes no cgroup in are not the runtime's either: what it made there nobody would remove. Without the one of
 * version 2 between them the host looks like what it is, one of version 1; crun refuses the mixture. */
static void hide_other_cgroups(void) {
        static const char *const others[] = {
                "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd",  "/sys/fs/cgroup/perf_event",       "/sys/fs/cgroup/net_cls",
                "/sys/fs/cgroup/hugetlb", "/sys/fs/cgroup/net_prio", "/sys/fs/cgroup/net_cls,net_prio", "/sys/fs/cgroup/rdma",
                "/sys/fs/cgroup/misc",
        };
        struct statfs st;

        if (statfs("/sys/fs/cgroup", &st) < 0 || st.f_type == CGROUP2_SUPER_MAGIC)
                return;
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                umount2(others[i], MNT_DETACH | UMOUNT_NOFOLLOW);
}

void foreign_room_hide_cgroups(void) {
        umount2("/sys/fs/cgroup", MNT_DETACH | UMOUNT_NOFOLLOW);
}

static int attach_all(const struct monitor_runtime *how, const struct exec_fds *fds, const int *sources, struct err *err) {
        int r = attach(fds->rootfs, foreign_paths.rootfs, err);

        if (r < 0 || (r = attach_namespace(fds->userns, foreign_paths.user, err)) < 0 || (r = attach_namespace(fds->netns, foreign_paths.net, err)) < 0)
                return r;
        for (uint32_t i = 0; r == 0 && i < how->n_mounts; i++) {
                char path[FOREIGN_PATH_MAX], *end = path + sizeof(path) - 1;

                str_put_u64(str_put(str_put(path, end, foreign_paths.room), end, "/"), end, i);
                r = attach(sources[i], path, err);
        }
        return r;
}

int foreign_room_make(const struct monitor_runtime *how, const struct exec_fds *fds, struct err *err) {
        int sources[MONITOR_RUNTIME_MOUNTS_MAX], r = 0;
        uint32_t n = 0;

        set_paths(how->text + how->room_at);
        /* Slave: what the host unmounts later is not held by us. */
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                return fail(err, "/");
        while (r == 0 && n < how->n_mounts) {
                r = open_source(how, &how->mounts[n], fds, &sources[n], err);
                n += r == 0;
        }
        if (r == 0) {
                hide_other_cgroups();
                /* Root in the container has to get through to its root file system, and is a stranger here. */
                if (mount("tmpfs", foreign_paths.room, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0711,size=64m") < 0)
                        r = fail(err, foreign_paths.room);
        }
        if (r == 0)
                r = attach_all(how, fds, sources, err);
        for (uint32_t i = 0; i < n; i++)
                fd_close(sources[i]);
        if (r == 0)
                r = foreign_room_write(foreign_paths.config, how->text + how->config_at, how->config_size, err);
        /* Hooks look into it as the container's root; nobody else comes into this mount namespace. */
        return r == 0 && chmod(foreign_paths.config, 0644) < 0 ? err_set_raw(err, ERR_INTERNAL, -errno, foreign_paths.config, NULL) : r;
}
