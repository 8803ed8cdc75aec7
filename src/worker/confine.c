/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"

static const char *const mode_names[] = {
        [WORKER_FETCH] = "fetch",
        [WORKER_UNPACK] = "unpack",
        [WORKER_LOAD] = "load",
        [WORKER_PACK] = "pack",
        [WORKER_EXTRACT] = "extract",
};
_Static_assert(ARRAY_SIZE(mode_names) == _WORKER_MODE_MAX, "a mode without a name");

#define CAPS_WRITE_TREE (1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_FOWNER | 1ull << CAP_FSETID | 1ull << CAP_SETFCAP)

/* What one mode is and keeps. Directories are written through an idmapped clone, where root of the user namespace owns all: it may set any owner,
 * mode and file capability there and is nobody elsewhere. Talking to a registry needs no capability at all. */
static const struct ground {
        uid_t id;
        int namespaces;
        uint64_t caps;
        rlim_t memory, cpu_seconds;
} grounds[] = {
        [WORKER_FETCH] = {
                .id = 65534,
                .namespaces = CLONE_NEWIPC | CLONE_NEWUTS, /* names are resolved and certificates read as the host does */
                .memory = 1ull << 30,
                .cpu_seconds = 4 * 3600,
        },
        [WORKER_UNPACK] = {
                .namespaces = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET,
                .caps = CAPS_WRITE_TREE,
                .memory = 1ull << 30,
                .cpu_seconds = 3600,
        },
        [WORKER_LOAD] = {
                .namespaces = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET,
                .caps = 1ull << CAP_DAC_OVERRIDE,
                .memory = 1ull << 30,
                .cpu_seconds = 3600,
        },
        [WORKER_PACK] = {
                .namespaces = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET,
                .caps = 1ull << CAP_DAC_READ_SEARCH,
                .memory = 1ull << 30,
                .cpu_seconds = 3600,
        },
        [WORKER_EXTRACT] = { /* in the ids of a container, and in its root while it may be running */
                .namespaces = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET,
                .caps = CAPS_WRITE_TREE,
                .memory = 1ull << 30,
                .cpu_seconds = 3600,
        },
};

enum { OPEN_FILES_MAX = 1024 };

const char *worker_mode_name(enum worker_mode mode) {
        return mode_names[mode];
}

int worker_mode_parse(const char *name, enum worker_mode *ret) {
        for (size_t i = 0; i < ARRAY_SIZE(mode_names); i++)
                if (strcmp(name, mode_names[i]) == 0) {
                        *ret = (enum worker_mode) i;
                        return 0;
                }
        return -EINVAL;
}

static int forbid_tracing(const struct ground *g, int userns_fd) {
        return prctl(PR_SET_DUMPABLE, 0) < 0 ? -errno : 0;
}

static int join_userns(const struct ground *g, int userns_fd) {
        return setns(userns_fd, CLONE_NEWUSER) < 0 ? -errno : 0;
}

static int take_ids(const struct ground *g, int userns_fd) {
        if (setgroups(0, NULL) < 0 || setresgid(g->id, g->id, g->id) < 0 || setresuid(g->id, g->id, g->id) < 0)
                return -errno;
        umask(0);
        return 0;
}

static int make_namespaces(const struct ground *g, int userns_fd) {
        return unshare(g->namespaces) < 0 ? -errno : 0;
}

static int set_limits(const struct ground *g, int userns_fd) {
        const struct {
                int resource;
                rlim_t most;
        } limits[] = {
                { RLIMIT_CORE, 0 },
                { RLIMIT_NOFILE, OPEN_FILES_MAX },
                { RLIMIT_CPU, g->cpu_seconds },
                { RLIMIT_STACK, 8 << 20 },
#ifndef __SANITIZE_ADDRESS__ /* its shadow alone is terabytes of address space */
                { RLIMIT_AS, g->memory },
#endif
        };

        for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
                struct rlimit l;

                if (getrlimit(limits[i].resource, &l) < 0)
                        return -errno;
                if (l.rlim_max > limits[i].most)
                        l.rlim_max = limits[i].most;
                if (l.rlim_cur > l.rlim_max)
                        l.rlim_cur = l.rlim_max;
                if (setrlimit(limits[i].resource, &l) < 0)
                        return -errno;
        }
        return 0;
}

static int forbid_privileges(const struct ground *g, int userns_fd) {
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* The namespace's fd too: what is left are standard streams and the control socket. */
static int close_fds(const struct ground *g, int userns_fd) {
        return syscall(SYS_close_range, userns_fd, ~0u, 0) < 0 ? -errno : 0;
}

/* Step one, in order. The order is a security property: keep the reasons. */
static const struct stage {
        const char *name;
        int (*apply)(const struct ground *g, int userns_fd);
} stages[] = {
        { "PR_SET_DUMPABLE", forbid_tracing },   /* first: who shares the user namespace must never trace what was host root */
        { "user namespace", join_userns },       /* before ids and namespaces: they are to be this namespace's               */
        { "user and group ids", take_ids },      /* the first moment at which host root is gone                              */
        { "namespaces", make_namespaces },       /* needs CAP_SYS_ADMIN in the user namespace                                */
        { "PR_SET_DUMPABLE", forbid_tracing },   /* again: a change of ids may have set it to the system's default           */
        { "resource limits", set_limits },
        { "PR_SET_NO_NEW_PRIVS", forbid_privileges }, /* before Landlock and the filter: without CAP_SYS_ADMIN they need it  */
        { "close_range", close_fds },
};

int confine_enter(enum worker_mode mode, int userns_fd, struct err *err) {
        for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
                int r = stages[i].apply(&grounds[mode], userns_fd);

                if (r < 0)
                        return err_errno(err, r, "worker: confinement: %s", stages[i].name);
        }
        return 0;
}

/* On kernels without Landlock, too, nothing outside the directory has a name from here on. */
static int enter_root(int dir_fd) {
        if (dir_fd < 0)
                return 0;
        if (fchdir(dir_fd) < 0 || chroot(".") < 0)
                return -errno;
        return 0;
}

static int keep_caps(uint64_t keep) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2] = {
                { .effective = (uint32_t) keep, .permitted = (uint32_t) keep },
                { .effective = (uint32_t) (keep >> 32), .permitted = (uint32_t) (keep >> 32) },
        };

        for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
                if (!(keep >> cap & 1) && prctl(PR_CAPBSET_DROP, cap) < 0)
                        return -errno;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
                return -errno;
        return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int confine_seal(enum worker_mode mode, const int *dir_fds, size_t n_dir_fds, struct err *err) {
        int r;

        r = enter_root(n_dir_fds > 0 ? dir_fds[0] : -1); /* before capabilities: needs CAP_SYS_CHROOT */
        if (r < 0)
                return err_errno(err, r, "worker: confinement: root directory");
        r = keep_caps(grounds[mode].caps);
        if (r < 0)
                return err_errno(err, r, "worker: confinement: capabilities");
        r = confine_landlock(mode, dir_fds, n_dir_fds, err);
        if (r < 0)
                return r;
        return confine_syscalls(mode, err); /* last: nothing of the above is allowed after it */
}
