/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/oci.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/proc.h"

#ifndef ST_RDONLY
#define ST_RDONLY 1 /* statfs(2) */
#endif

/* A process in the container may see us as /proc/PID/exe before we have become its command, and once we have exited open that file for
 * writing: the next container would run what it wrote, as root of the host (CVE-2019-5736). So before we enter one, we run from a
 * place that nobody can write to: a read-only clone of the mount that we are on, attached nowhere; or else a sealed memfd. */

static bool is_safe(int fd) {
        struct statfs s;
        int seals;

        if (fstatfs(fd, &s) == 0 && (s.f_flags & ST_RDONLY))
                return true;
        seals = fcntl(fd, F_GET_SEALS);
        return seals >= 0 && (seals & F_SEAL_WRITE);
}

static bool is_protected(void) {
        auto_fd fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

        return fd >= 0 && is_safe(fd);
}

/* What runs from there cannot tell any more where the other programs lie: it is told by a variable, which goes no further. */
#define PLACE "KIST_PROGRAMS"

static void remember_place(void) {
        char self[PATH_MAX], *slash;
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

        if (n < 0)
                return;
        self[n] = '\0';
        slash = strrchr(self, '/');
        if (slash)
                slash[1] = '\0';
        setenv(PLACE, self, 1);
}

static void recall_place(void) {
        const char *place = getenv(PLACE);
        char *copy = place ? strdup(place) : NULL;

        if (copy && *copy == '/')
                proc_set_programs(copy);
        unsetenv(PLACE);
}

/* Linux 5.12 */
static int readonly_clone(void) {
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
        auto_fd fd = (int) syscall(SYS_open_tree, AT_FDCWD, "/proc/self/exe", OPEN_TREE_CLONE | O_CLOEXEC);

        if (fd < 0 || syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
                return -errno;
        /* Never run again from what would not pass is_protected(): that would go on for ever. */
        return is_safe(fd) ? move_fd(fd) : -EOPNOTSUPP;
}

static int sealed_copy(int *ret_fd, struct err *err) {
        char self[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

        if (n < 0)
                return err_errno(err, -errno, "/proc/self/exe");
        self[n] = '\0';
        return proc_seal_program(basename(self), ret_fd, err);
}

int self_protect(char **argv, struct err *err) {
        extern char **environ;
        auto_fd fd = -EBADF;

        if (is_protected()) {
                /* Older kernels call a program that was run by its fd by the number of that. */
                prctl(PR_SET_NAME, PROGRAM);
                recall_place();
                return 0;
        }
        fd = readonly_clone();
        if (fd < 0) {
                int r = sealed_copy(&fd, err);

                if (r < 0)
                        return r;
        }
        remember_place();
        /* Same arguments, same environment; what comes back finds itself protected. */
        syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
        return err_errno(err, -errno, "cannot run again from a read-only copy of this program");
}
