/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/plan/plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"
#include "base/mem.h"

/* The default profile: what is not named is refused with EPERM. The lists are words in strings, so that a reader sees families of calls
 * side by side; names that the installed libseccomp, or this machine's architecture, does not know are skipped when the filter is compiled.
 *
 * Left out on purpose, because they reach kernel-wide state or have been a way out before: keyrings (add_key, keyctl, request_key),
 * kexec, swap, nfsservctl, io_uring, userfaultfd, move_pages, pivot_root, _sysctl, uselib, vm86 and the other relics. */

static const char *const always[] = {
        /* files by path */
        "access chdir chmod chown chown32 creat faccessat faccessat2 fchmodat fchmodat2 fchownat fstatat64 getcwd lchown lchown32 link linkat "
        "lstat lstat64 mkdir mkdirat mknod mknodat newfstatat open openat openat2 readlink readlinkat rename renameat renameat2 rmdir "
        "stat stat64 statfs statfs64 statx symlink symlinkat truncate truncate64 umask unlink unlinkat utime utimes utimensat utimensat_time64 "
        "futimesat name_to_handle_at",
        /* files by descriptor */
        "close close_range copy_file_range dup dup2 dup3 fadvise64 fadvise64_64 fallocate fchdir fchmod fchown fchown32 fcntl fcntl64 fdatasync "
        "flock fstat fstat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 getdents getdents64 ioctl lseek _llseek pipe pipe2 pread64 preadv "
        "preadv2 pwrite64 pwritev pwritev2 read readahead readv sendfile sendfile64 splice sync sync_file_range sync_file_range2 syncfs tee "
        "vmsplice write writev cachestat",
        /* extended attributes */
        "fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr lremovexattr lsetxattr "
        "removexattr removexattrat setxattr setxattrat",
        /* waiting for events */
        "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 fanotify_mark "
        "inotify_add_watch inotify_init inotify_init1 inotify_rm_watch poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 "
        "io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit",
        /* memory */
        "brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap mseal msync "
        "munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages",
        /* processes and threads */
        "capget capset execve execveat exit exit_group fork futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake get_robust_list "
        "set_robust_list get_thread_area set_thread_area set_tid_address getcpu getpgid getpgrp getpid getppid getpriority getsid gettid "
        "ioprio_get ioprio_set pidfd_open pidfd_send_signal prctl restart_syscall rseq seccomp setpgid setpriority setsid "
        "sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval "
        "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield vfork wait4 waitid waitpid "
        "uretprobe landlock_add_rule landlock_create_ruleset landlock_restrict_self",
        /* tracing its own kind: safe since Linux 4.8, where ptrace(2) can no longer step around the filter */
        "process_vm_readv process_vm_writev ptrace",
        /* ids */
        "getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32 getresuid getresuid32 getuid getuid32 "
        "setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid setresgid32 setresuid "
        "setresuid32 setreuid setreuid32 setuid setuid32",
        /* signals */
        "kill pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 "
        "rt_tgsigqueueinfo sigaltstack signalfd signalfd4 sigprocmask sigreturn tgkill tkill",
        /* time; setting the clock is further down */
        "adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep "
        "clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete timer_getoverrun timer_gettime "
        "timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times",
        /* limits and facts */
        "getrandom getrlimit getrusage prlimit64 setrlimit sysinfo ugetrlimit uname",
        /* System V and POSIX messages, semaphores, shared memory */
        "ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget "
        "msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget",
        /* sockets; socket(2) itself is further down */
        "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 recvmsg send sendmmsg "
        "sendmsg sendto setsockopt shutdown socketcall socketpair",
        /* architectures */
#if defined(__x86_64__) || defined(__i386__)
        "arch_prctl modify_ldt",
#elif defined(__aarch64__) || defined(__arm__)
        "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls",
#endif
};

/* Allowed together with the capability that the kernel checks anyway: a filter that refused them would only break what was granted. */
static const struct {
        const char *capability, *calls;
} with_capability[] = {
        { "CAP_DAC_READ_SEARCH", "open_by_handle_at" },
        { "CAP_SYS_ADMIN", "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick listmount lookup_dcookie mount mount_setattr move_mount "
                           "open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns statmount syslog umount umount2 unshare" },
        { "CAP_SYS_BOOT", "reboot" },
        { "CAP_SYS_CHROOT", "chroot" },
        { "CAP_SYS_MODULE", "delete_module finit_module init_module" },
        { "CAP_SYS_PACCT", "acct" },
        { "CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise" },
        { "CAP_SYS_RAWIO", "ioperm iopl" },
        { "CAP_SYS_TIME", "clock_settime clock_settime64 settimeofday stime" },
        { "CAP_SYS_TTY_CONFIG", "vhangup" },
        { "CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node" },
        { "CAP_SYSLOG", "syslog" },
        { "CAP_BPF", "bpf" },
        { "CAP_PERFMON", "perf_event_open" },
};

/* Flags of clone(2) that make a namespace: CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET. */
enum { CLONE_NAMESPACES = 0x7e020000 };

/* personality(2): Linux, with and without 32-bit uname and address limits, and the query. The others weaken address randomization. */
static const uint32_t personalities[] = { 0x0, 0x8, 0x20000, 0x20008, 0xffffffff };

static bool has(const json_t *capabilities, const char *name) {
        size_t i;
        json_t *v;

        json_array_foreach(capabilities, i, v)
                if (json_is_string(v) && strcmp(json_string_value(v), name) == 0)
                        return true;
        return false;
}

static void add_words(json_t *names, const char *words) {
        while (*words) {
                size_t n = strcspn(words, " ");

                json_array_append_new(names, json_stringn(words, n));
                words += n;
                words += strspn(words, " ");
        }
}

static json_t *rule(const char *name, const char *action, json_t *args) {
        return json_pack("{s:[s], s:s, s:o}", "names", name, "action", action, "args", args);
}

static json_t *argument(unsigned index, uint64_t value, uint64_t second, const char *op) {
        return json_pack("[{s:i, s:I, s:I, s:s}]", "index", (int) index, "value", (json_int_t) value, "valueTwo", (json_int_t) second, "op", op);
}

/* Calls whose arguments decide. */
static void add_conditional(json_t *syscalls, bool admin) {
        /* Any address family but AF_VSOCK, which is not in the network namespace and talks to the host of a virtual machine. */
        json_array_append_new(syscalls, rule("socket", "SCMP_ACT_ALLOW", argument(0, AF_VSOCK, 0, "SCMP_CMP_NE")));
        for (size_t i = 0; i < ARRAY_SIZE(personalities); i++)
                json_array_append_new(syscalls, rule("personality", "SCMP_ACT_ALLOW", argument(0, personalities[i], 0, "SCMP_CMP_EQ")));
        if (admin)
                return;
        json_array_append_new(syscalls, rule("clone", "SCMP_ACT_ALLOW", argument(0, CLONE_NAMESPACES, 0, "SCMP_CMP_MASKED_EQ")));
        /* Its flags are behind a pointer, where no filter can look: "not in this kernel" makes a C library fall back to clone(2). */
        json_array_append_new(syscalls, json_pack("{s:[s], s:s, s:i}", "names", "clone3", "action", "SCMP_ACT_ERRNO", "errnoRet", ENOSYS));
}

static json_t *architectures(void) {
#if defined(__x86_64__) || defined(__i386__)
        return json_pack("[s,s,s]", "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32");
#elif defined(__aarch64__) || defined(__arm__)
        return json_pack("[s,s]", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM");
#else
        return json_array(); /* the native one */
#endif
}

json_t *plan_default_seccomp(const json_t *capabilities) {
        json_t *names = json_array(), *syscalls = json_array();

        for (size_t i = 0; i < ARRAY_SIZE(always); i++)
                add_words(names, always[i]);
        for (size_t i = 0; i < ARRAY_SIZE(with_capability); i++)
                if (has(capabilities, with_capability[i].capability))
                        add_words(names, with_capability[i].calls);
        json_array_append_new(syscalls, json_pack("{s:o, s:s}", "names", names, "action", "SCMP_ACT_ALLOW"));
        add_conditional(syscalls, has(capabilities, "CAP_SYS_ADMIN"));
        return json_pack("{s:s, s:i, s:o, s:o}", "defaultAction", "SCMP_ACT_ERRNO", "defaultErrnoRet", EPERM, "architectures", architectures(),
                         "syscalls", syscalls);
}
