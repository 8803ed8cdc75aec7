/* SPDX-License-Identifier: Apache-2.0 */

/* How the kernel treats the process. What may need the host's privileges is set by the caller, on the child's pid. */

#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/exec/private.h"

/* As of Linux 3.14; libc has no sched_setattr(2) yet. */
struct kernel_sched_attr {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
};

enum { WHO_PROCESS = 1 }; /* ioprio_set(2): <linux/ioprio.h> calls it IOPRIO_WHO_PROCESS */

static int set_scheduler(pid_t pid, const struct plan_scheduler *s) {
        struct kernel_sched_attr attr = {
                .size = sizeof(attr),
                .policy = s->policy,
                .flags = s->flags,
                .nice = s->nice,
                .priority = s->priority,
                .runtime = s->runtime,
                .deadline = s->deadline,
                .period = s->period,
        };

        return syscall(SYS_sched_setattr, pid, &attr, 0) < 0 ? -errno : 0;
}

static int set_cpus(pid_t pid, const struct plan_bits *bits) {
        return syscall(SYS_sched_setaffinity, pid, sizeof(bits->words), bits->words) < 0 ? -errno : 0;
}

int host_tune(struct launch *l, struct err *err) {
        const struct plan_header *h = l->plan.header;
        int r;

        /* First: a real-time policy may refuse to be limited to a part of the CPUs, and says so only in this order. */
        r = h->flags & PLAN_CPUS_FINAL ? set_cpus(l->pid, &h->cpus_final) : 0;
        if (r < 0)
                return raw_fail(err, r, "process.execCPUAffinity.final", NULL);
        r = h->flags & PLAN_SCHEDULER ? set_scheduler(l->pid, &h->scheduler) : 0;
        if (r < 0)
                return raw_fail(err, r, "process.scheduler", NULL);
        if ((h->flags & PLAN_IO_PRIORITY) && syscall(SYS_ioprio_set, WHO_PROCESS, l->pid, h->io_priority) < 0)
                return raw_fail(err, errno, "process.ioPriority", NULL);
        return 0;
}

int middle_set_cpus(struct launch *l) {
        const struct plan_header *h = l->plan.header;
        int r = h->flags & PLAN_CPUS_INITIAL ? set_cpus(0, &h->cpus_initial) : 0;

        return r < 0 ? raw_fail(&l->err, r, "process.execCPUAffinity.initial", NULL) : 0;
}

int stage_tune(struct child *c, struct err *err) {
        const struct plan_header *h = c->header;

        if ((h->flags & PLAN_PERSONALITY) && syscall(SYS_personality, h->personality) < 0)
                return raw_fail(err, errno, "linux.personality", NULL);
        if ((h->flags & PLAN_MEMORY_POLICY) && syscall(SYS_set_mempolicy, h->memory_mode, h->memory_nodes.words, PLAN_BITS + 1) < 0)
                return raw_fail(err, errno, "linux.memoryPolicy", NULL);
        return 0;
}
