/* SPDX-License-Identifier: Apache-2.0 */

/* Who the process is: users, groups, capabilities, limits, filter. System calls are made directly: libc's setuid family reaches for
 * threads and locks. */

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "runtime/exec/private.h"

static int set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2] = {
                { (uint32_t) effective, (uint32_t) permitted, (uint32_t) inheritable },
                { (uint32_t) (effective >> 32), (uint32_t) (permitted >> 32), (uint32_t) (inheritable >> 32) },
        };

        return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int permitted_now(uint64_t *ret) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2];

        if (syscall(SYS_capget, &header, data) < 0)
                return -errno;
        *ret = data[0].permitted | (uint64_t) data[1].permitted << 32;
        return 0;
}

static int cut_bounding_set(uint64_t keep, struct err *err) {
        for (unsigned cap = 0; cap < 64; cap++) {
                if (keep >> cap & 1 || prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
                        continue;
                if (errno == EINVAL)
                        break; /* the kernel knows no more */
                /* Who may not drop any is told so even for one that is not there. */
                if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 0)
                        return raw_fail(err, EPERM, "process.capabilities.bounding", NULL);
        }
        return 0;
}

/* The capabilities stay with the new user until stage_capabilities: cwd and filter need them. */
int stage_identity(struct child *c, struct err *err) {
        const struct plan_header *h = c->header;
        uint64_t permitted = 0;
        int r = cut_bounding_set(h->capabilities[PLAN_CAP_BOUNDING], err);

        if (r < 0)
                return r;
        if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
                return raw_fail(err, errno, "keep capabilities", NULL);
        /* EPERM with no group asked for: the user namespace has given up setgroups(2), and there was none to begin with. */
        if (syscall(SYS_setgroups, (size_t) h->groups.count, plan_records(c->plan, h->groups)) < 0 &&
            !(errno == EPERM && h->groups.count == 0))
                return raw_fail(err, errno, "process.user.additionalGids", NULL);
        if (syscall(SYS_setresgid, h->gid, h->gid, h->gid) < 0)
                return raw_fail(err, errno, "process.user.gid", NULL);
        if (syscall(SYS_setresuid, h->uid, h->uid, h->uid) < 0)
                return raw_fail(err, errno, "process.user.uid", NULL);
        r = permitted_now(&permitted);
        if (r == 0)
                r = set_capabilities(permitted, permitted, 0);
        if (r < 0)
                return raw_fail(err, r, "keep capabilities", NULL);
        return stage_die_with_caller(c, err);
}

int stage_cwd(struct child *c, struct err *err) {
        const char *cwd = plan_text(c->plan, c->header->cwd);
        auto_fd fd = path_open_in(c->root_fd, cwd, O_PATH | O_DIRECTORY, 0);
        char where[PATH_MAX];

        if (fd < 0 || fchdir(fd) < 0)
                return raw_fail(err, fd < 0 ? fd : errno, "process.cwd", cwd);
        /* The way there may not lead through /proc/self/fd/N: a directory of the host could be open there (CVE-2024-21626). Once more by
         * where we are now: "(unreachable)/…" when it is not below this process' root. */
        if (syscall(SYS_getcwd, where, sizeof(where)) < 0)
                return raw_fail(err, errno, "process.cwd", cwd);
        if (where[0] != '/')
                return err_set_raw(err, ERR_DENIED, EPERM, "process.cwd is outside of the container's root", cwd);
        return 0;
}

int stage_rlimits(struct child *c, struct err *err) {
        const struct plan_rlimit *l = plan_records(c->plan, c->header->rlimits);

        for (uint32_t i = 0; i < c->header->rlimits.count; i++) {
                struct rlimit limit = { .rlim_cur = l[i].soft, .rlim_max = l[i].hard };

                if (setrlimit(l[i].resource, &limit) < 0)
                        return raw_fail(err, errno, "process.rlimits", plan_text(c->plan, l[i].what));
        }
        umask(c->header->umask);
        return 0;
}

static int load_filter(struct child *c, struct err *err) {
        struct sock_fprog program = {
                .len = (unsigned short) c->header->filter.count,
                .filter = (struct sock_filter *) plan_records(c->plan, c->header->filter),
        };

        if (program.len == 0)
                return 0;
        if (c->header->filter_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
                return listener_load(c, &program, err);
        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, c->header->filter_flags, &program) < 0)
                return raw_fail(err, errno, "linux.seccomp", "load the filter");
        return 0;
}

int stage_filter_early(struct child *c, struct err *err) {
        return c->header->flags & PLAN_NO_NEW_PRIVS ? 0 : load_filter(c, err);
}

/* Before the gate, behind which the agent may not be told any more. */
int stage_filter_notify(struct child *c, struct err *err) {
        bool notify = c->header->filter_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER;

        return notify && (c->header->flags & PLAN_NO_NEW_PRIVS) ? load_filter(c, err) : 0;
}

int stage_filter_late(struct child *c, struct err *err) {
        bool notify = c->header->filter_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER;

        return !notify && (c->header->flags & PLAN_NO_NEW_PRIVS) ? load_filter(c, err) : 0;
}

int stage_capabilities(struct child *c, struct err *err) {
        const uint64_t *sets = c->header->capabilities;
        int r = set_capabilities(sets[PLAN_CAP_EFFECTIVE], sets[PLAN_CAP_PERMITTED], sets[PLAN_CAP_INHERITABLE]);

        if (r < 0)
                return raw_fail(err, r, "process.capabilities", NULL);
        for (unsigned cap = 0; cap < 64; cap++)
                if ((sets[PLAN_CAP_AMBIENT] >> cap & 1) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
                        return raw_fail(err, errno, "process.capabilities.ambient", NULL);
        if ((c->header->flags & PLAN_NO_NEW_PRIVS) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return raw_fail(err, errno, "process.noNewPrivileges", NULL);
        return 0;
}
