/* SPDX-License-Identifier: Apache-2.0 */

/* Stands in for the executor, so that the monitor can be tested by itself: the plan is a shell script, and the container is /bin/sh. A plan
 * that begins with "#tty" gets a terminal, one that begins with "#fail" cannot be started. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "runtime/exec/exec.h"

static _Noreturn void child(const struct exec_fds *fds, const char *script, int terminal) {
        setsid();
        for (int i = 0; i < 3; i++)
                dup2(terminal >= 0 ? terminal : fds->stdio[i], i);
        if (terminal >= 0)
                ioctl(0, TIOCSCTTY, 0);
        execl("/bin/sh", "sh", "-c", script, NULL);
        _exit(127);
}

static int start(const struct exec_fds *fds, struct exec_process *ret, struct err *err) {
        static char script[65536];
        int pty = -EBADF, terminal = -EBADF, gate[2];
        ssize_t n = pread(fds->plan, script, sizeof(script) - 1, 0);
        pid_t pid;

        if (n < 0)
                return err_set_raw(err, ERR_INVALID, -errno, "plan", NULL);
        script[n] = '\0';
        if (!strncmp(script, "#fail", 5))
                return err_set_raw(err, ERR_NO_COMMAND, -ENOENT, "exec", "/no/such");
        if (!strncmp(script, "#tty", 4)) {
                pty = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
                grantpt(pty);
                unlockpt(pty);
                terminal = open(ptsname(pty), O_RDWR | O_NOCTTY | O_CLOEXEC);
        }
        if (pipe2(gate, O_CLOEXEC) < 0)
                return err_set_raw(err, ERR_INTERNAL, -errno, "pipe", NULL);
        pid = fork();
        if (pid == 0)
                child(fds, script, terminal);
        /* As the real one: return once execve(2) has closed the other end, and a signal meets the shell, not our handlers. */
        fd_close(gate[1]);
        while (read(gate[0], script, 1) < 0 && errno == EINTR)
                ;
        fd_close(gate[0]);
        fd_close(terminal);
        *ret = (struct exec_process) { .pid = pid, .pidfd = (int) syscall(SYS_pidfd_open, pid, 0), .pty = pty, .release = -EBADF };
        return 0;
}

int exec_container(const struct exec_fds *fds, struct exec_process *ret, struct err *err) {
        return start(fds, ret, err);
}

int exec_process(const struct exec_fds *fds, struct exec_process *ret, struct err *err) {
        if (fds->target_pidfd < 0)
                return err_set_raw(err, ERR_INTERNAL, -EBADF, "no container to join", NULL);
        return start(fds, ret, err);
}

int exec_release(struct exec_process *p, struct err *err) {
        return 0;
}
