/* SPDX-License-Identifier: Apache-2.0 */

/* The clone, and the middle child. A user namespace cannot be left again, so the caller cannot enter the container's; and a pid namespace must
 * be made by a process that is already inside the user namespace that is to own it. Hence a child that shares the caller's memory, does what
 * needs the host's privileges, enters, and clones the real child with the caller as its parent. The caller sleeps meanwhile (vfork), so they
 * never run at once. Where there is nothing to enter, the child is cloned directly: a process less for each container. */

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/exec/clone-args.h"
#include "runtime/exec/private.h"

/* Entered by the child itself: a time namespace cannot be joined by a process whose memory is shared, and in the container's cgroup
 * namespace a process outside of it could not be moved into its cgroup. */
#define JOINED_BY_CHILD (CLONE_NEWTIME | CLONE_NEWCGROUP)

struct middle {
        struct launch *launch;
        void (*child)(struct launch *l) __attribute__((noreturn));
};

/* v1 hierarchies. The child is born where the middle is. */
static int join_cgroups(struct launch *l) {
        for (size_t i = 0; i < l->fds->n_cgroup_v1; i++)
                if (write(l->fds->cgroup_v1_procs[i], "0", 1) < 0)
                        return raw_fail(&l->err, errno, "join the cgroup", "cgroup.procs");
        return 0;
}

static int set_oom_score(struct launch *l) {
        char text[16], *at = text;
        int score = l->plan.header->oom_score, r;

        if (!(l->plan.header->flags & PLAN_OOM_SCORE))
                return 0;
        if (score < 0)
                *at++ = '-';
        at = raw_put_number(at, text + sizeof(text) - 1, (uint64_t) (score < 0 ? -score : score));
        r = raw_write_file(l->proc_fd, "self/oom_score_adj", text, (size_t) (at - text));
        return r < 0 ? raw_fail(&l->err, r, "process.oomScoreAdj", text) : 0;
}

/* Only the host's root may raise a hard limit; lowering waits until the process needs nothing more (stage_rlimits). */
static int raise_hard_limits(struct launch *l) {
        const struct plan_rlimit *limits = plan_records(&l->plan, l->plan.header->rlimits);

        for (uint32_t i = 0; i < l->plan.header->rlimits.count; i++) {
                struct rlimit now;

                if (getrlimit(limits[i].resource, &now) < 0)
                        return raw_fail(&l->err, errno, "process.rlimits", plan_text(&l->plan, limits[i].what));
                if (limits[i].hard <= now.rlim_max)
                        continue;
                now.rlim_max = limits[i].hard;
                if (setrlimit(limits[i].resource, &now) < 0)
                        return raw_fail(&l->err, errno, "process.rlimits", plan_text(&l->plan, limits[i].what));
        }
        return 0;
}

static int join_namespaces(struct launch *l) {
        const struct plan_header *h = l->plan.header;
        const struct plan_join *joins = plan_records(&l->plan, h->joins);

        if (h->kind == PLAN_PROCESS) {
                if (setns(l->fds->target_pidfd, (int) (h->new_namespaces & ~(uint32_t) JOINED_BY_CHILD)) < 0)
                        return raw_fail(&l->err, errno, "join the container's namespaces", NULL);
                return 0;
        }
        if ((h->flags & PLAN_NETNS_BY_FD) && setns(l->fds->netns, CLONE_NEWNET) < 0)
                return raw_fail(&l->err, errno, "join the network namespace", NULL);
        /* The planner has put a user namespace last: after it, the others could be out of reach. */
        for (size_t i = 0; i < l->n_joins; i++)
                if (!(joins[i].clone_flag & JOINED_BY_CHILD) && setns(l->join_fds[i], (int) joins[i].clone_flag) < 0)
                        return raw_fail(&l->err, errno, plan_text(&l->plan, joins[i].what), plan_text(&l->plan, joins[i].path));
        if ((h->flags & PLAN_USERNS_BY_FD) && setns(l->fds->userns, CLONE_NEWUSER) < 0)
                return raw_fail(&l->err, errno, "join the user namespace", NULL);
        return 0;
}

bool middle_is_needed(const struct launch *l) {
        const struct plan_header *h = l->plan.header;

        return h->kind == PLAN_PROCESS || l->n_joins > 0 || (h->flags & (PLAN_USERNS_BY_FD | PLAN_NETNS_BY_FD)) ||
               (h->new_namespaces & CLONE_NEWUSER);
}

int middle_set_inherited(struct launch *l) {
        int r = middle_set_cpus(l);

        if (r == 0)
                r = join_cgroups(l);
        if (r == 0)
                r = set_oom_score(l);
        return r < 0 ? r : raise_hard_limits(l);
}

/* `cgroup`: directory of a v2 one, or -1. */
static long clone_child(struct launch *l, uint64_t flags, int cgroup, struct err *err) {
        struct kernel_clone_args args = { .flags = flags };
        long pid;

        if (l->plan.header->kind == PLAN_CONTAINER)
                args.flags |= l->plan.header->new_namespaces;
        if (!(flags & CLONE_PARENT))
                args.exit_signal = SIGCHLD;
        if (cgroup >= 0) {
                args.cgroup = (uint64_t) cgroup;
                args.flags |= CLONE_INTO_CGROUP;
        }
        pid = raw_clone3(&args, sizeof(args));
        return pid < 0 ? raw_fail(err, errno, "clone the container's process", NULL) : pid;
}

static int middle_main(void *data) {
        struct middle *m = data;
        struct launch *l = m->launch;
        long pid;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (middle_set_inherited(l) < 0 || files_detach_cgroup(l) < 0 || join_namespaces(l) < 0 || files_leave(l) < 0)
                return 1;
        pid = clone_child(l, CLONE_PARENT, l->cgroup_tree, &l->err);
        if (pid == 0)
                m->child(l);
        if (pid < 0)
                return 1;
        l->pid = (int) pid;
        return 0;
}

/* It is our own child and not waited for yet, so the number is still its. */
static int open_pidfd(struct launch *l, struct err *err) {
        l->pidfd = (int) syscall(SYS_pidfd_open, l->pid, 0);
        if (l->pidfd >= 0)
                return 0;
        raw_fail(err, errno, "the container's process", NULL);
        kill(l->pid, SIGKILL);
        while (waitpid(l->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return err ? err->num : -EMFILE;
}

/* Nothing is joined: the child can be the caller's own, and do for itself what the middle would have done. */
static int clone_directly(struct launch *l, void (*child)(struct launch *l) __attribute__((noreturn)), struct err *err) {
        long pid = clone_child(l, 0, l->fds->cgroup_v2, err);

        if (pid == 0)
                child(l);
        if (pid < 0)
                return (int) pid;
        l->pid = (int) pid;
        return open_pidfd(l, err);
}

static int clone_by_middle(struct launch *l, void (*child)(struct launch *l) __attribute__((noreturn)), struct err *err) {
        _Alignas(16) char stack[64 << 10];
        struct middle m = { .launch = l, .child = child };
        int pid;

        l->pid = -1;
        pid = clone(middle_main, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &m);
        if (pid < 0)
                return raw_fail(err, errno, "clone", NULL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        if (l->pid > 0)
                return open_pidfd(l, err);
        if (l->err.kind == ERR_NONE)
                return err_set_raw(err, ERR_INTERNAL, ECHILD, "the middle child was killed", NULL);
        if (err)
                *err = l->err;
        return l->err.num;
}

int middle_clone(struct launch *l, void (*child)(struct launch *l) __attribute__((noreturn)), struct err *err) {
        return middle_is_needed(l) ? clone_by_middle(l, child, err) : clone_directly(l, child, err);
}
