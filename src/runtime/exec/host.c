/* SPDX-License-Identifier: Apache-2.0 */

/* The caller's part: everything that has a path on the host is opened here, by the host's own root in the host's own namespaces, and
 * made a detached mount. From the clone on, nothing is looked up by a path of the host any more. */

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/exec/clone-args.h"
#include "runtime/exec/private.h"

static int set_attributes(int fd, bool tree, uint64_t set, uint64_t clear, uint64_t propagation) {
        struct mount_attr attr = { .attr_set = set, .attr_clr = clear, .propagation = propagation };

        /* The kind of atime is a field of several bits: to set one is to clear the field. */
        if ((set | clear) & MOUNT_ATTR__ATIME)
                attr.attr_clr |= MOUNT_ATTR__ATIME;
        if (!attr.attr_set && !attr.attr_clr && !attr.propagation)
                return 0;
        return mount_setattr(fd, "", AT_EMPTY_PATH | (tree ? AT_RECURSIVE : 0), &attr, sizeof(attr)) < 0 ? -errno : 0;
}

/* A device node is taken for what it is, not for its name. */
static int check_source(int fd, const struct plan *p, const struct plan_source *s, struct err *err) {
        const char *what = plan_text(p, s->what), *path = plan_text(p, s->path);
        struct stat st;

        if (fstat(fd, &st) < 0)
                return raw_fail(err, errno, what, path);
        if ((s->flags & PLAN_SOURCE_DEVICE) && ((st.st_mode & S_IFMT) != s->mode || st.st_rdev != s->device))
                return err_set_raw(err, ERR_UNSUPPORTED, ENODEV, what, "the host's own node of that name is another device");
        if ((s->flags & PLAN_SOURCE_PROC_ONLY) && !raw_is_fs(fd, PROC_SUPER_MAGIC))
                return err_set_raw(err, ERR_DENIED, EPERM, what, "only a procfs may be mounted on /proc");
        return 0;
}

static int open_tree_of(const struct exec_fds *fds, const struct plan_source *s, const char *path) {
        unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;

        if (s->flags & PLAN_SOURCE_BY_FD) {
                if (s->device < fds->n_sources)
                        return fcntl(fds->sources[s->device], F_DUPFD_CLOEXEC, 3);
                errno = EBADF;
                return -1;
        }
        if (s->flags & PLAN_SOURCE_RECURSIVE)
                flags |= AT_RECURSIVE;
        if (s->flags & PLAN_SOURCE_DEVICE)
                flags |= AT_SYMLINK_NOFOLLOW;
        return open_tree(AT_FDCWD, path, flags);
}

static int open_source(const struct exec_fds *fds, const struct plan *p, const struct plan_source *s, int *ret_fd, struct err *err) {
        const char *what = plan_text(p, s->what), *path = plan_text(p, s->path);
        auto_fd fd = open_tree_of(fds, s, path);
        int r;

        if (fd < 0)
                return raw_fail(err, errno, what, path);
        r = check_source(fd, p, s, err);
        if (r < 0)
                return r;
        r = set_attributes(fd, true, s->tree_set, s->tree_clear, s->tree_propagation);
        if (r == 0)
                r = set_attributes(fd, false, s->attr_set, s->attr_clear, s->propagation);
        if (r < 0)
                return raw_fail(err, r, what, path);
        *ret_fd = move_fd(fd);
        return 0;
}

static int open_sources(struct launch *l, struct err *err) {
        const struct plan_source *s = plan_records(&l->plan, l->plan.header->sources);

        for (uint32_t i = 0; i < l->plan.header->sources.count; i++) {
                int r = open_source(l->fds, &l->plan, &s[i], &l->source_fds[i], err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int open_joins(struct launch *l, struct err *err) {
        const struct plan_join *j = plan_records(&l->plan, l->plan.header->joins);

        for (uint32_t i = 0; i < l->plan.header->joins.count; i++) {
                const char *path = plan_text(&l->plan, j[i].path);
                int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

                if (fd < 0)
                        return raw_fail(err, errno, plan_text(&l->plan, j[i].what), path);
                l->join_fds[l->n_joins++] = fd;
                /* Not just any file: setns(2) would take a pidfd, too. */
                if (!raw_is_fs(fd, NSFS_MAGIC))
                        return err_set_raw(err, ERR_INVALID, EINVAL, plan_text(&l->plan, j[i].what), "not a namespace");
        }
        return 0;
}

static bool has_masks(const struct plan *p) {
        const struct plan_step *s = plan_records(p, p->header->steps);

        for (uint32_t i = 0; i < p->header->steps.count; i++)
                if (s[i].op == PLAN_MASK)
                        return true;
        return false;
}

/* Masks are made of it: it must be the null device, whatever lies at its path (CVE-2025-31133). */
static int open_null(struct launch *l, struct err *err) {
        struct stat st;
        int r;

        if (!has_masks(&l->plan))
                return 0;
        l->null_fd = open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
        if (l->null_fd < 0)
                return raw_fail(err, errno, "the host's null device", "/dev/null");
        if (fstat(l->null_fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
                return err_set_raw(err, ERR_UNSUPPORTED, ENODEV, "the host's /dev/null is not the null device", NULL);
        r = set_attributes(l->null_fd, false, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, MS_PRIVATE);
        return r < 0 ? raw_fail(err, r, "the host's null device", "/dev/null") : 0;
}

static int open_null_stdio(struct launch *l, struct err *err) {
        struct stat st;

        if (l->null_stdio >= 0)
                return 0;
        l->null_stdio = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
        if (l->null_stdio < 0 || fstat(l->null_stdio, &st) < 0)
                return raw_fail(err, errno, "the host's null device", "/dev/null");
        if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
                return err_set_raw(err, ERR_UNSUPPORTED, ENODEV, "the host's /dev/null is not the null device", NULL);
        return 0;
}

/* Programs open their own output again by its name (/dev/stdout → /proc/self/fd/1). A pipe that the host's root has made is nobody's
 * in the container; it can be reached through /proc/PID/fd only by those who may trace its holder, so its mode protects nothing. */
static int open_stdio(struct launch *l, struct err *err) {
        int r = l->plan.header->hooks.count > 0 ? open_null_stdio(l, err) : 0;

        if (l->plan.header->flags & PLAN_TERMINAL)
                return r;
        for (int i = 0; r == 0 && i < 3; i++) {
                if (l->fds->stdio[i] < 0)
                        r = open_null_stdio(l, err);
                else if (raw_is_fs(l->fds->stdio[i], PIPEFS_MAGIC))
                        fchmod(l->fds->stdio[i], 0666);
        }
        return r;
}

static int open_sockets(struct launch *l, struct err *err) {
        return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, l->sockets) < 0 ? raw_fail(err, errno, "socket pair", NULL) : 0;
}

static int open_proc(struct launch *l, struct err *err) {
        l->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (l->proc_fd < 0)
                return raw_fail(err, errno, "the host's procfs", "/proc");
        if (!raw_is_fs(l->proc_fd, PROC_SUPER_MAGIC))
                return err_set_raw(err, ERR_UNSUPPORTED, ENODEV, "the host's /proc is not a procfs", NULL);
        return 0;
}

/* --- User namespaces --- */

/* "inside outside count\n" for each line. The kernel takes the whole map in one write, of at most a page. */
static int write_map(int proc_fd, pid_t pid, const char *file, const struct plan_id_map *map, uint32_t n, struct err *err) {
        char name[64], text[4096];
        char *at = raw_put_number(name, name + sizeof(name) - 1, (uint64_t) pid);
        char *end = text + sizeof(text) - 1;
        int r;

        at = raw_put_text(at, name + sizeof(name) - 1, "/");
        raw_put_text(at, name + sizeof(name) - 1, file);
        at = text;
        for (uint32_t i = 0; i < n; i++) {
                at = raw_put_number(at, end, map[i].inside);
                at = raw_put_text(at, end, " ");
                at = raw_put_number(at, end, map[i].outside);
                at = raw_put_text(at, end, " ");
                at = raw_put_number(at, end, map[i].count);
                at = raw_put_text(at, end, "\n");
        }
        if (at >= end)
                return err_set_raw(err, ERR_INVALID, E2BIG, file, "too many mappings");
        r = raw_write_file(proc_fd, name, text, (size_t) (at - text));
        return r < 0 ? raw_fail(err, r, "write the id map", file) : 0;
}

static int write_maps(int proc_fd, pid_t pid, const struct plan *p, struct plan_table uid_map, struct plan_table gid_map, struct err *err) {
        int r;

        /* Without privilege the kernel lets a group map be written only when setgroups(2) is given up. */
        if (geteuid() != 0) {
                char name[64];
                char *at = raw_put_number(name, name + sizeof(name) - 1, (uint64_t) pid);

                raw_put_text(at, name + sizeof(name) - 1, "/setgroups");
                r = raw_write_file(proc_fd, name, "deny", 4);
                if (r < 0)
                        return raw_fail(err, r, "write the id map", "setgroups");
        }
        r = write_map(proc_fd, pid, "uid_map", plan_records(p, uid_map), uid_map.count, err);
        if (r < 0)
                return r;
        return write_map(proc_fd, pid, "gid_map", plan_records(p, gid_map), gid_map.count, err);
}

static int open_userns_of(int proc_fd, pid_t pid) {
        char name[64];
        char *at = raw_put_number(name, name + sizeof(name) - 1, (uint64_t) pid);
        int fd;

        raw_put_text(at, name + sizeof(name) - 1, "/ns/user");
        fd = openat(proc_fd, name, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* A user namespace with no purpose but its maps: it lives by the fd and, later, by the mount that it maps. */
static int make_userns(struct launch *l, const struct plan_source *s, int *ret_fd, struct err *err) {
        struct kernel_clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
        pid_t caller = getpid();
        long pid = raw_clone3(&args, sizeof(args));
        int r, fd = -EBADF;

        if (pid < 0)
                return raw_fail(err, errno, plan_text(&l->plan, s->what), "new user namespace for its id maps");
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                while (getppid() == caller)
                        pause(); /* until the SIGKILL below */
                _exit(0);
        }
        r = write_maps(l->proc_fd, (pid_t) pid, &l->plan, s->uid_map, s->gid_map, err);
        if (r == 0) {
                fd = open_userns_of(l->proc_fd, (pid_t) pid);
                if (fd < 0)
                        r = raw_fail(err, fd, plan_text(&l->plan, s->what), "its user namespace");
        }
        kill((pid_t) pid, SIGKILL);
        while (waitpid((pid_t) pid, NULL, 0) < 0 && errno == EINTR)
                ;
        if (r == 0)
                *ret_fd = fd;
        return r;
}

static int idmap_source(struct launch *l, uint32_t i, int userns_fd, struct err *err) {
        const struct plan_source *s = (const struct plan_source *) plan_records(&l->plan, l->plan.header->sources) + i;
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
        unsigned flags = AT_EMPTY_PATH | (s->flags & PLAN_SOURCE_IDMAP_RECURSIVE ? AT_RECURSIVE : 0);
        auto_fd own = -EBADF;

        if (s->uid_map.count > 0) {
                int r = make_userns(l, s, &own, err);

                if (r < 0)
                        return r;
        }
        attr.userns_fd = (uint64_t) (own >= 0 ? own : userns_fd);
        if (mount_setattr(l->source_fds[i], "", flags, &attr, sizeof(attr)) < 0) {
                if (errno == EINVAL || errno == EOPNOTSUPP || errno == EPERM)
                        return err_set_raw(err, ERR_UNSUPPORTED, 0, plan_text(&l->plan, s->path),
                                           "its file system cannot map user ids; use --userns=host for this container");
                return raw_fail(err, errno, plan_text(&l->plan, s->what), plan_text(&l->plan, s->path));
        }
        return 0;
}

static bool needs_idmap(const struct plan_source *s, bool own_maps) {
        return (s->flags & PLAN_SOURCE_IDMAP) && (s->uid_map.count > 0) == own_maps;
}

static int idmap_sources(struct launch *l, bool own_maps, int userns_fd, struct err *err) {
        const struct plan_source *s = plan_records(&l->plan, l->plan.header->sources);
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < l->plan.header->sources.count; i++)
                if (needs_idmap(&s[i], own_maps))
                        r = idmap_source(l, i, userns_fd, err);
        return r;
}

/* The container's user namespace, when it is there before the child is; else -1. */
static int known_userns(const struct launch *l) {
        const struct plan_join *joins = plan_records(&l->plan, l->plan.header->joins);

        if (l->plan.header->flags & PLAN_USERNS_BY_FD)
                return l->fds->userns;
        for (size_t i = 0; i < l->n_joins; i++)
                if (joins[i].clone_flag == CLONE_NEWUSER)
                        return l->join_fds[i];
        return -1;
}

static int idmap_early(struct launch *l, struct err *err) {
        int userns = known_userns(l), r = idmap_sources(l, true, -1, err);

        return r < 0 || userns < 0 ? r : idmap_sources(l, false, userns, err);
}

int host_complete_userns(struct launch *l, struct err *err) {
        const struct plan_header *h = l->plan.header;
        auto_fd userns = -EBADF;
        int r = write_maps(l->proc_fd, l->pid, &l->plan, h->uid_map, h->gid_map, err);

        if (r < 0)
                return r;
        userns = open_userns_of(l->proc_fd, l->pid);
        if (userns < 0)
                return raw_fail(err, userns, "the container's user namespace", NULL);
        return idmap_sources(l, false, userns, err);
}

int host_prepare(struct launch *l, struct err *err) {
        static int (*const parts[])(struct launch *l, struct err *err) = {
                open_proc, open_sockets, open_joins, open_sources, open_stdio, open_null, idmap_early, host_connect_listener,
        };

        for (size_t i = 0; i < EXEC_ARRAY_SIZE(parts); i++) {
                int r = parts[i](l, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

void host_done(struct launch *l) {
        for (size_t i = 0; i < l->n_joins; i++)
                fd_close(l->join_fds[i]);
        for (size_t i = 0; i < PLAN_SOURCES_MAX; i++)
                l->source_fds[i] = fd_close(l->source_fds[i]);
        l->n_joins = 0;
        l->null_fd = fd_close(l->null_fd);
        l->null_stdio = fd_close(l->null_stdio);
        l->listener_sock = fd_close(l->listener_sock);
        l->cgroup_tree = fd_close(l->cgroup_tree);
        l->proc_fd = fd_close(l->proc_fd);
        l->sockets[0] = fd_close(l->sockets[0]);
        l->sockets[1] = fd_close(l->sockets[1]);
        plan_unmap(&l->plan);
}
