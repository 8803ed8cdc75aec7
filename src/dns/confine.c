/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"

enum {
        NOBODY = 65534,
        FILES_MAX = 16384,
        MEMORY_MAX = 512 << 20,

        /* landlock(7), as the kernel numbers them: headers of older systems lack them. */
        LANDLOCK_CREATE_VERSION = 1,
        LANDLOCK_PATH_BENEATH = 1,
        LANDLOCK_READ_FILE = 1 << 2,
};

static int take_ids(void) {
        return setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0 ? -errno : 0;
}

static int drop_caps(void) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct none[2] = { 0 };

        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
                return -errno;
        return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

static int drop_bounding(void) {
        for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
                if (prctl(PR_CAPBSET_DROP, cap) < 0)
                        return -errno;
        return 0;
}

static int forbid_tracing(void) {
        return prctl(PR_SET_DUMPABLE, 0) < 0 ? -errno : 0;
}

static int forbid_privileges(void) {
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static int set_limits(void) {
        static const struct {
                int resource;
                rlim_t most;
        } limits[] = {
                { RLIMIT_CORE, 0 }, { RLIMIT_NOFILE, FILES_MAX }, { RLIMIT_NPROC, 0 }, { RLIMIT_FSIZE, 0 }, { RLIMIT_STACK, 8 << 20 },
#ifndef __SANITIZE_ADDRESS__
                { RLIMIT_AS, MEMORY_MAX },
#endif
        };

        for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
                struct rlimit l;

                if (getrlimit(limits[i].resource, &l) < 0)
                        return -errno;
                if (l.rlim_max > limits[i].most)
                        l.rlim_max = limits[i].most;
                l.rlim_cur = l.rlim_max;
                if (setrlimit(limits[i].resource, &l) < 0)
                        return -errno;
        }
        return 0;
}

/* /etc/resolv.conf, and where it is a symlink to on hosts that have it made. A kernel without Landlock leaves what anybody may read. */
static int allow_files(void) {
        static const char *const folders[] = { "/etc", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager", "/run/connman" };
        uint64_t all = (1 << 13) - 1;
        auto_fd rules = -EBADF;

        if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_VERSION) < 1)
                return 0;
        rules = (int) syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
        if (rules < 0)
                return -errno;
        for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
                auto_fd fd = open(folders[i], O_PATH | O_CLOEXEC);
                struct {
                        uint64_t allowed;
                        int32_t fd;
                } __attribute__((packed)) rule = { LANDLOCK_READ_FILE, fd };

                if (fd >= 0 && syscall(SYS_landlock_add_rule, rules, LANDLOCK_PATH_BENEATH, &rule, 0) < 0)
                        return -errno;
        }
        return syscall(SYS_landlock_restrict_self, rules, 0) < 0 ? -errno : 0;
}

static int allow_families(scmp_filter_ctx ctx) {
        static const int families[] = { AF_INET, AF_INET6, AF_UNIX /* for if_nametoindex(3) */ };

        for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
                int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t) families[i]));

                if (r < 0)
                        return r;
        }
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, 0x8933 /* SIOCGIFINDEX */));
}

/* Files are opened for reading only. */
static int filter_calls(void) {
        static const char *const calls[] = {
                "read", "readv", "write", "writev", "close", "fstat", "newfstatat", "fstatat64", "statx", "stat", "lseek", "munmap", "mmap", "mremap", "brk", "madvise", "futex", "exit",
                "exit_group", "gettid", "getpid", "tgkill", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "clock_gettime", "gettimeofday", "time", "getrandom",
                "recvmsg", "recvfrom", "sendmsg", "sendto", "accept4", "accept", "connect", "getsockopt", "setsockopt", "fcntl", "epoll_ctl", "epoll_wait", "epoll_pwait",
                "epoll_create1", "restart_syscall",
        };
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        int r = ctx ? 0 : -ENOMEM;

        for (size_t i = 0; i < ARRAY_SIZE(calls) && r == 0; i++) {
                int number = seccomp_syscall_resolve_name(calls[i]);

                if (number >= 0 && (r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, number, 0)) == -EEXIST)
                        r = 0;
        }
        if (r == 0)
                r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
        if (r == 0)
                r = allow_families(ctx);
        if (r == 0)
                r = seccomp_load(ctx);
        seccomp_release(ctx);
        return r;
}

/* In order. The order is a security property: keep the reasons. */
static const struct stage {
        const char *name;
        int (*apply)(void);
} stages[] = {
        { "limits", set_limits },
        { "bounding set", drop_bounding },         /* needs CAP_SETPCAP */
        { "user and group ids", take_ids },        /* takes most capabilities away with it */
        { "capabilities", drop_caps },
        { "PR_SET_DUMPABLE", forbid_tracing },     /* after the ids: their change sets it to the system's default */
        { "PR_SET_NO_NEW_PRIVS", forbid_privileges }, /* before Landlock and the filter, which need it */
        { "Landlock", allow_files },
        { "system call filter", filter_calls },    /* last: nothing of the above is allowed after it */
};

int dns_confine(struct err *err) {
        for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
                int r = stages[i].apply();

                if (r < 0)
                        return err_errno(err, r, "kist-dns: confinement: %s", stages[i].name);
        }
        return 0;
}
