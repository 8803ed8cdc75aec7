/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* System calls without libc: for what is done before it is set up (early.c), and the same afterwards (self.c). Negative errno. */

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef ST_RDONLY
#define ST_RDONLY 1 /* statfs(2) */
#endif

/* The variable that says where the programs of Kist lie, with a slash at the end. */
#define EARLY_PLACE "KIST_PROGRAMS"

#define EARLY static inline __attribute__((always_inline))

EARLY long early_call(long number, long a, long b, long c, long d, long e) {
#if defined(__x86_64__)
        register long r10 __asm__("r10") = d, r8 __asm__("r8") = e;
        long r;

        __asm__ volatile("syscall" : "=a"(r) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
        return r;
#elif defined(__aarch64__)
        register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c, x3 __asm__("x3") = d,
                      x4 __asm__("x4") = e;

        __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
        return x0;
#else
        long r = syscall(number, a, b, c, d, e);

        return r < 0 ? -errno : r;
#endif
}

/* Nobody can write to the file: its mount is read-only, or it is a sealed memfd. */
EARLY bool early_is_safe(int fd) {
        struct statfs s;
        long seals;

        if (early_call(SYS_fstatfs, fd, (long) &s, 0, 0, 0) == 0 && (s.f_flags & ST_RDONLY))
                return true;
        seals = early_call(SYS_fcntl, fd, F_GET_SEALS, 0, 0, 0);
        return seals >= 0 && (seals & F_SEAL_WRITE);
}

EARLY bool early_is_protected(void) {
        int fd = (int) early_call(SYS_openat, AT_FDCWD, (long) "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0, 0);
        bool safe = fd >= 0 && early_is_safe(fd);

        if (fd >= 0)
                early_call(SYS_close, fd, 0, 0, 0, 0);
        return safe;
}

/* This program on a read-only clone of its mount, attached nowhere (Linux 5.12). */
EARLY int early_readonly_clone(void) {
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
        int fd = (int) early_call(SYS_open_tree, AT_FDCWD, (long) "/proc/self/exe", OPEN_TREE_CLONE | O_CLOEXEC, 0, 0), r;

        if (fd < 0)
                return fd;
        r = (int) early_call(SYS_mount_setattr, fd, (long) "", AT_EMPTY_PATH, (long) &attr, sizeof(attr));
        /* Never run again from what would not pass early_is_protected(): that would go on for ever. */
        if (r == 0 && early_is_safe(fd))
                return fd;
        early_call(SYS_close, fd, 0, 0, 0, 0);
        return r < 0 ? r : -EOPNOTSUPP;
}

EARLY int early_run(int fd, char *const *argv, char *const *envp) {
        return (int) early_call(SYS_execveat, fd, (long) "", (long) argv, (long) envp, AT_EMPTY_PATH);
}
