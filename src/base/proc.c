/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"

enum { FIRST_PASSED = 3, ABOVE_PASSED = FIRST_PASSED + FD_PASS_MAX };

int proc_spawn(const struct proc_spawn *s, pid_t *ret_pid, int *ret_pidfd, struct err *err) {
        static char *const empty[] = { NULL };
        int copies[FD_PASS_MAX + 1], n_copies = 0, r = 0;
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attr;
        char exe[32];
        sigset_t none, all;
        pid_t pid = -1;

        if (s->n_fds > FD_PASS_MAX)
                return err_set(err, ERR_INTERNAL, -E2BIG, "too many file descriptors for a new process");
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attr);
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(&attr, &none);
        posix_spawnattr_setsigdefault(&attr, &all);
        posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);

        /* The fds may sit on each other's target numbers: lift them above all targets first. */
        for (size_t i = 0; i <= s->n_fds; i++) {
                int fd = i < s->n_fds ? s->fds[i] : s->exe_fd;

                copies[i] = fcntl(fd, F_DUPFD_CLOEXEC, ABOVE_PASSED);
                if (copies[i] < 0) {
                        r = errno;
                        goto done;
                }
                n_copies++;
        }
        for (int i = 0; i < 3; i++) {
                if (s->stdio[i] < 0)
                        r = posix_spawn_file_actions_addopen(&actions, i, "/dev/null", O_RDWR, 0);
                else
                        r = posix_spawn_file_actions_adddup2(&actions, s->stdio[i], i);
                if (r)
                        goto done;
        }
        for (size_t i = 0; i < s->n_fds; i++) {
                r = posix_spawn_file_actions_adddup2(&actions, copies[i], FIRST_PASSED + (int) i);
                if (r)
                        goto done;
        }
        snprintf(exe, sizeof(exe), "/proc/self/fd/%d", copies[s->n_fds]);
        r = posix_spawn(&pid, exe, &actions, &attr, s->argv, s->envp ? s->envp : empty);
        if (r)
                goto done;
        if (ret_pidfd) {
                /* No race: the child stays a zombie until we wait for it. */
                int pidfd = (int) syscall(SYS_pidfd_open, pid, 0);

                if (pidfd < 0) {
                        r = errno;
                        kill(pid, SIGKILL);
                        goto done;
                }
                *ret_pidfd = pidfd;
        }
        *ret_pid = pid;
done:
        for (int i = 0; i < n_copies; i++)
                fd_close(copies[i]);
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attr);
        if (r)
                return err_set(err, ERR_INTERNAL, -r, "cannot start %s: %s", s->argv[0], strerror(r));
        return 0;
}

static const char *programs;

void proc_set_programs(const char *directory) {
        programs = directory;
}

int proc_open_program(const char *name, int *ret_fd, struct err *err) {
        static const char *const places[] = { "", "../libexec/kist/" };
        char self[PATH_MAX], path[PATH_MAX + 64];
        ssize_t n = programs ? (ssize_t) strlen(programs) : readlink("/proc/self/exe", self, sizeof(self) - 1);
        char *slash;

        if (n < 0)
                return err_errno(err, -errno, "/proc/self/exe");
        if ((size_t) n >= sizeof(self))
                return err_errno(err, -ENAMETOOLONG, "directory of programs");
        if (programs)
                memcpy(self, programs, (size_t) n);
        self[n] = '\0';
        slash = strrchr(self, '/');
        if (slash)
                slash[1] = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
                int fd;

                snprintf(path, sizeof(path), "%s%s%s", self, places[i], name);
                fd = open(path, O_PATH | O_CLOEXEC);
                if (fd >= 0) {
                        *ret_fd = fd;
                        return 0;
                }
        }
        return err_set(err, ERR_INTERNAL, -ENOENT, "program %s is not beside %s: is Kist installed whole?", name, self);
}

int proc_seal_program(const char *name, int *ret_fd, struct err *err) {
        auto_fd path = -EBADF, file = -EBADF, mem = -EBADF;
        char proc[32];
        struct stat st;
        off_t at = 0;
        int r;

        r = proc_open_program(name, &path, err);
        if (r < 0)
                return r;
        snprintf(proc, sizeof(proc), "/proc/self/fd/%d", path);
        file = open(proc, O_RDONLY | O_CLOEXEC);
        if (file < 0 || fstat(file, &st) < 0)
                return err_errno(err, -errno, "program %s", name);
#ifdef MFD_EXEC
        mem = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
#endif
        if (mem < 0)
                mem = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (mem < 0)
                return err_errno(err, -errno, "memory for %s", name);
        while (at < st.st_size) {
                ssize_t n = sendfile(mem, file, &at, (size_t) (st.st_size - at));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return err_errno(err, n < 0 ? -errno : -EIO, "copying %s", name);
        }
        if (fchmod(mem, 0555) < 0 || fcntl(mem, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
                return err_errno(err, -errno, "sealing %s", name);
        *ret_fd = move_fd(mem);
        return 0;
}
