/* SPDX-License-Identifier: Apache-2.0 */

/* System calls that have opened kernels from inside of containers, each called so that it would work for an unprivileged process without a
 * filter wherever that is possible. Prints the name of each that was not refused, and "N calls" at the end; with an argument, only whether
 * unshare(2) can be had by another table of calls. */

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long in_child(long (*call)(void)) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                errno = 0;
                _exit(call() < 0 ? errno : 0);
        }
        if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
                return -1;
        errno = WEXITSTATUS(status);
        return errno ? -1 : 0;
}

static long do_unshare_user(void) { return unshare(CLONE_NEWUSER); }
static long unshare_user(void) { return in_child(do_unshare_user); }
static long do_unshare_mount(void) { return unshare(CLONE_NEWNS); }
static long unshare_mount(void) { return in_child(do_unshare_mount); }

static long clone_user(void) {
        long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0);

        if (pid == 0)
                _exit(0);
        if (pid > 0)
                waitpid((pid_t) pid, NULL, 0);
        return pid;
}

static long clone3_user(void) {
        uint64_t args[11] = { CLONE_NEWUSER, [4] = SIGCHLD };
        long pid = syscall(SYS_clone3, args, sizeof(args));

        if (pid == 0)
                _exit(0);
        if (pid > 0)
                waitpid((pid_t) pid, NULL, 0);
        return pid;
}

static long setns_self(void) {
        int fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);

        return syscall(SYS_setns, fd, 0);
}

static long keyctl_session(void) { return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1); }
static long add_key(void) { return syscall(SYS_add_key, "user", "kist-test", "x", 1, KEY_SPEC_PROCESS_KEYRING); }
static long request_key(void) { return syscall(SYS_request_key, "user", "kist-test", NULL, 0); }
static long userfaultfd(void) { return syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */ | O_CLOEXEC); }
static long bpf(void) { return syscall(SYS_bpf, 0, NULL, 0); }
static long io_uring(void) { char params[128] = { 0 }; return syscall(SYS_io_uring_setup, 1, params); }
static long perf(void) { uint32_t attr[32] = { 1, sizeof(attr), [10] = 0x7 }; return syscall(SYS_perf_event_open, attr, 0, -1, -1, 0); }
static long do_mount(void) { return mount("none", "/tmp", "tmpfs", 0, NULL); }
static long do_umount(void) { return umount2("/proc", MNT_DETACH); }
static long pivot(void) { return syscall(SYS_pivot_root, "/", "/"); }
static long open_tree_clone(void) { return syscall(SYS_open_tree, AT_FDCWD, "/", 1); }
static long fsopen_tmpfs(void) { return syscall(SYS_fsopen, "tmpfs", 0); }
static long move_mount_root(void) { return syscall(SYS_move_mount, AT_FDCWD, "/proc", AT_FDCWD, "/tmp", 0); }
static long by_handle(void) { char h[16] = { 8 }; return syscall(SYS_open_by_handle_at, AT_FDCWD, h, O_RDONLY); }
static long init_module(void) { return syscall(SYS_init_module, "", 0, ""); }
static long finit_module(void) { return syscall(SYS_finit_module, 0, "", 0); }
static long kexec(void) { return syscall(SYS_kexec_load, 0, 0, NULL, 0); }
static long swap_on(void) { return syscall(SYS_swapon, "/nothing", 0); }
static long reboot(void) { return syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL); }
static long quota(void) { return syscall(SYS_quotactl, 0x800001, NULL, 0, NULL); }
static long set_clock(void) { long t[2] = { 0 }; return syscall(SYS_clock_settime, 0, t); }
static long syslog_read(void) { return syscall(SYS_syslog, 10, NULL, 0); }
static long vsock(void) { return socket(AF_VSOCK, SOCK_STREAM, 0); }
static long lookup_cookie(void) { return syscall(SYS_lookup_dcookie, 0, NULL, 0); }
static long personality_odd(void) { return syscall(SYS_personality, 0x0400000 /* READ_IMPLIES_EXEC */); }

static const struct {
        const char *name;
        long (*call)(void);
} calls[] = {
        { "unshare(CLONE_NEWUSER)", unshare_user },
        { "unshare(CLONE_NEWNS)", unshare_mount },
        { "clone(CLONE_NEWUSER)", clone_user },
        { "clone3(CLONE_NEWUSER)", clone3_user },
        { "setns", setns_self },
        { "keyctl", keyctl_session },
        { "add_key", add_key },
        { "request_key", request_key },
        { "userfaultfd", userfaultfd },
        { "bpf", bpf },
        { "io_uring_setup", io_uring },
        { "perf_event_open", perf },
        { "mount", do_mount },
        { "umount2", do_umount },
        { "pivot_root", pivot },
        { "open_tree", open_tree_clone },
        { "fsopen", fsopen_tmpfs },
        { "move_mount", move_mount_root },
        { "open_by_handle_at", by_handle },
        { "init_module", init_module },
        { "finit_module", finit_module },
        { "kexec_load", kexec },
        { "swapon", swap_on },
        { "reboot", reboot },
        { "quotactl", quota },
        { "clock_settime", set_clock },
        { "syslog", syslog_read },
        { "socket(AF_VSOCK)", vsock },
        { "lookup_dcookie", lookup_cookie },
        { "personality(READ_IMPLIES_EXEC)", personality_odd },
};

/* unshare(CLONE_NEWUSER) by the 32-bit table: its own numbers, past a filter that only looks at ours. */
static int try_other_table(void) {
#ifdef __x86_64__
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                long r;

                __asm__ volatile("int $0x80" : "=a"(r) : "a"(310L), "b"((long) CLONE_NEWUSER) : "memory");
                if (r == 0)
                        _exit(1);
                /* And by the third table, x32. */
                _exit(syscall(SYS_unshare | 0x40000000, CLONE_NEWUSER) == 0);
        }
        waitpid(pid, &status, 0);
        printf("%s\n", WIFEXITED(status) && WEXITSTATUS(status) == 1 ? "worked" : "refused");
#else
        printf("not on this machine\n");
#endif
        return 0;
}

int main(int argc, char **argv) {
        size_t n = sizeof(calls) / sizeof(calls[0]);

        if (argc > 1)
                return try_other_table();
        for (size_t i = 0; i < n; i++) {
                long r;

                errno = 0;
                r = calls[i].call();
                if (r >= 0 || (errno != EPERM && errno != ENOSYS))
                        printf("%s: %s\n", calls[i].name, r >= 0 ? "worked" : strerror(errno));
        }
        printf("%zu calls\n", n);
        return 0;
}
