/* SPDX-License-Identifier: Apache-2.0 */

/* The descriptors that a child is born with. In a pid namespace that others live in, it is seen from its birth on; and who has CAP_SYS_PTRACE in
 * the host's user namespace may look at what it holds (/proc/PID/fd), though it is not dumpable. So the middle child leaves the table of files
 * that it shares with the caller, and closes whatever the child has no use for, before the child is there. What stays leads nowhere: the
 * streams of the process, one end of a socket pair, a pidfd of the container's own init; its cgroup as a read-only mount of that directory
 * alone, attached nowhere, so that ".." is the directory itself. The host's procfs stays only where a label of a security module is to be
 * written, which then also forbids the container to trace what is not labelled like it, or where an agent for system calls has to be told the pid. */

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/exec/clone-args.h"
#include "runtime/exec/private.h"

enum { KEEP_MAX = PLAN_SOURCES_MAX + 32 };

struct kept {
        int fds[KEEP_MAX]; /* ascending */
        size_t n;
};

static void keep(struct kept *k, int fd) {
        size_t at = k->n;

        if (fd < 0 || k->n == KEEP_MAX)
                return;
        while (at > 0 && k->fds[at - 1] > fd)
                at--;
        if (at > 0 && k->fds[at - 1] == fd)
                return;
        for (size_t i = k->n++; i > at; i--)
                k->fds[i] = k->fds[i - 1];
        k->fds[at] = fd;
}

static void keep_for_both(const struct launch *l, struct kept *k) {
        for (int i = 0; i < 3; i++) {
                keep(k, i);
                if (!(l->plan.header->flags & PLAN_TERMINAL))
                        keep(k, l->fds->stdio[i]);
        }
        keep(k, l->sockets[1]);
        keep(k, l->null_stdio);
        keep(k, l->listener_sock);
        keep(k, l->cgroup_tree);
}

static void keep_for_process(const struct launch *l, struct kept *k) {
        const struct plan_header *h = l->plan.header;

        keep(k, l->fds->target_pidfd);
        if (h->apparmor || h->selinux || l->listener_sock >= 0)
                keep(k, l->proc_fd);
}

/* It has mounts to make, and hardly ever a pid namespace that others live in. */
static void keep_for_container(const struct launch *l, struct kept *k) {
        keep(k, l->proc_fd);
        keep(k, l->null_fd);
        keep(k, l->fds->rootfs);
        if (l->plan.header->flags & PLAN_START_FIFO)
                keep(k, l->fds->start_fifo);
        for (size_t i = 0; i < l->n_joins; i++)
                keep(k, l->join_fds[i]);
        for (uint32_t i = 0; i < l->plan.header->sources.count; i++)
                keep(k, l->source_fds[i]);
}

int files_leave(struct launch *l) {
        struct kept k = { .n = 0 };
        unsigned from = 3 + l->fds->preserve;

        keep_for_both(l, &k);
        if (l->plan.header->kind == PLAN_PROCESS)
                keep_for_process(l, &k);
        else
                keep_for_container(l, &k);
        if (unshare(CLONE_FILES) < 0)
                return raw_fail(&l->err, errno, "a table of files of its own", NULL);
        /* 0, 1 and 2 of the caller are not the child's, either. Something has to be there, or what is opened next would be. */
        for (int i = 0; i < 3; i++) {
                bool given = false;

                for (int s = 0; s < 3; s++)
                        given = given || (l->fds->stdio[s] == i && !(l->plan.header->flags & PLAN_TERMINAL));
                if (!given && i != l->null_stdio && dup2(l->sockets[1], i) < 0)
                        return raw_fail(&l->err, errno, "standard streams", NULL);
        }
        for (size_t i = 0; i <= k.n; i++) {
                unsigned to = i < k.n ? (unsigned) k.fds[i] : ~0U;

                if (i < k.n && to <= from) {
                        from = to == from ? from + 1 : from;
                        continue;
                }
                if (syscall(SYS_close_range, from, i < k.n ? to - 1 : to, 0U) < 0)
                        return raw_fail(&l->err, errno, "close_range", NULL);
                from = to + 1;
        }
        return 0;
}

int files_detach_cgroup(struct launch *l) {
        struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };

        if (l->fds->cgroup_v2 < 0)
                return 0;
        l->cgroup_tree = open_tree(l->fds->cgroup_v2, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (l->cgroup_tree >= 0 && mount_setattr(l->cgroup_tree, "", AT_EMPTY_PATH, &read_only, sizeof(read_only)) == 0)
                return 0;
        /* Where it may not be mounted, the middle child is moved there itself. It takes longer: all forks of the host wait for it. */
        l->cgroup_tree = fd_close(l->cgroup_tree);
        if (raw_write_file(l->fds->cgroup_v2, "cgroup.procs", "0", 1) < 0)
                return raw_fail(&l->err, errno, "join the cgroup", "cgroup.procs");
        return 0;
}
