/* SPDX-License-Identifier: Apache-2.0 */

/* The system calls that each mode may make: a list of what is allowed. The rest answers EPERM, so that a C library newer than this list may fall back
 * to an older call, except what no library would try: that ends the process. */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/mem.h"
#include "worker/confine.h"

static const char *const common_calls[] = {
        "read", "write", "readv", "writev", "pread64", "pwrite64", "close", "fstat", "lseek", "munmap", "mremap", "brk", "madvise", "futex",
        "set_robust_list", "rseq", "exit", "exit_group", "gettid", "getpid", "tgkill", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
        "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "getrandom", "recvmsg", "sendmsg", "poll", "ppoll",
        "restart_syscall", "sched_yield", "sched_getaffinity", "getuid", "geteuid", "getgid", "getegid", "fcntl", "pipe2", "eventfd2", "uname",
};

static const char *const file_calls[] = {
        "openat", "openat2", "newfstatat", "fstatat64", "statx", "unlinkat", "mkdirat", "symlinkat", "linkat", "mknodat", "renameat", "renameat2",
        "fchown", "fchownat", "fchmod", "utimensat", "fsetxattr", "ftruncate", "getdents64", "fstatfs",
        "readlinkat", "fgetxattr", "flistxattr",
};

static const char *const net_calls[] = {
        "openat", "open", "stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64", "getcwd",
        "fstatfs", "select", "pselect6", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "socketpair", "connect", "bind", "sendto", "recvfrom",
        "sendmmsg", "recvmmsg", "getsockname", "getpeername", "setsockopt", "getsockopt", "shutdown", "ioctl", "sysinfo", "pipe", "membarrier",
        "mprotect", "mmap", "timerfd_create", "timerfd_settime",
};

static const char *const deadly_calls[] = {
        "execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev", "mount", "umount2", "pivot_root", "chroot", "setns",
        "unshare", "move_mount", "open_tree", "fsopen", "mount_setattr", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "init_module",
        "finit_module", "kexec_load", "keyctl", "add_key", "request_key", "setuid", "setresuid", "capset", "open_by_handle_at", "name_to_handle_at",
        "pidfd_getfd", "pidfd_open", "reboot", "swapon", "personality",
};

static int add_calls(scmp_filter_ctx ctx, uint32_t action, const char *const *calls, size_t n) {
        for (size_t i = 0; i < n; i++) {
                int number = seccomp_syscall_resolve_name(calls[i]);
                int r;

                if (number == __NR_SCMP_ERROR || number < 0)
                        continue; /* not on this architecture */
                r = seccomp_rule_add(ctx, action, number, 0);
                if (r < 0 && r != -EEXIST)
                        return r;
        }
        return 0;
}

/* The mode of what is open, though only as a path: a fifo's. libseccomp may not know the name yet. */
static int add_fchmodat2(scmp_filter_ctx ctx) {
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SYS_fchmodat2, 1, SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
}

/* Threads, but no processes: clone3(2) hides its flags from the filter, and the C library falls back to clone(2) when it does not exist. */
static int add_threads(scmp_filter_ctx ctx) {
        int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

        if (r < 0)
                return r;
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_NEWUSER, CLONE_THREAD));
}

/* Reading a limit is how the C library learns the size of stacks; setting one is not needed any more. */
static int add_getrlimit(scmp_filter_ctx ctx) {
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0));
}

/* All code is there when the job begins: new executable memory would be someone else's. (Resolving names loads libraries on demand.) */
static int add_plain_memory(scmp_filter_ctx ctx) {
        int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

        return r < 0 ? r : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

static int add_sockets(scmp_filter_ctx ctx) {
        static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK }; /* netlink: getaddrinfo(3) asks for the host's addresses */

        for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
                int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t) families[i]));

                if (r < 0)
                        return r;
        }
        return 0;
}

static int fill(scmp_filter_ctx ctx, enum worker_mode mode) {
        int r = add_calls(ctx, SCMP_ACT_ALLOW, common_calls, ARRAY_SIZE(common_calls));

        if (r == 0)
                r = add_threads(ctx);
        if (r == 0)
                r = add_getrlimit(ctx);
        if (r == 0 && mode == WORKER_FETCH) {
                r = add_calls(ctx, SCMP_ACT_ALLOW, net_calls, ARRAY_SIZE(net_calls));
                if (r == 0)
                        r = add_sockets(ctx);
        } else if (r == 0) {
                r = add_calls(ctx, SCMP_ACT_ALLOW, file_calls, ARRAY_SIZE(file_calls));
                if (r == 0)
                        r = add_plain_memory(ctx);
                if (r == 0)
                        r = add_fchmodat2(ctx);
        }
        if (r == 0)
                r = add_calls(ctx, SCMP_ACT_KILL_PROCESS, deadly_calls, ARRAY_SIZE(deadly_calls));
        return r;
}

int confine_syscalls(enum worker_mode mode, struct err *err) {
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        int r;

        if (!ctx)
                return err_set(err, ERR_INTERNAL, -ENOMEM, "worker: confinement: no memory for the system call filter");
        r = fill(ctx, mode);
        if (r == 0)
                r = seccomp_load(ctx);
        seccomp_release(ctx);
        return r < 0 ? err_errno(err, r, "worker: confinement: system call filter") : 0;
}
