/* SPDX-License-Identifier: Apache-2.0 */

/* What every child does, init or one that joins: talk to the caller, and run its stages. */

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/exec/private.h"

struct child child_new(struct launch *l) {
        fd_close(l->sockets[0]);
        umask(0); /* modes are meant as the plan says them, until stage_rlimits */
        return (struct child) {
                .launch = l,
                .plan = &l->plan,
                .header = l->plan.header,
                .sock = l->sockets[1],
                .root_fd = -EBADF,
                .place_fd = -EBADF,
                .proc_mount = -EBADF,
                .pts_mount = -EBADF,
                .tty = -EBADF,
                .empty_fd = -EBADF,
                .apparmor_fd = -EBADF,
                .selinux_fd = -EBADF,
                .fifo = -EBADF,
        };
}

void child_reset_signals(void) {
        for (int i = 1; i < NSIG; i++)
                signal(i, SIG_DFL);
}

int child_send(const struct child *c, enum launch_message_type type, const struct err *err, int fd) {
        struct launch_message m = { .type = type };

        if (err)
                m.err = *err;
        return fd_send(c->sock, &m, sizeof(m), &fd, fd >= 0 ? 1 : 0);
}

int child_expect(const struct child *c, enum launch_message_type type) {
        struct launch_message m = { 0 };
        ssize_t n = fd_recv(c->sock, &m, sizeof(m), NULL, NULL);

        return n == sizeof(m) && m.type == type ? 0 : -ECANCELED;
}

/* The exit status is seen only when the message could not be sent: a filter may forbid it, or nobody listens any more. */
static int exit_status(const struct err *err) {
        return err->kind == ERR_NO_COMMAND ? 127 : 126;
}

int child_run(struct child *c, const struct child_stage *stages, size_t n, struct err *err) {
        for (size_t i = 0; i < n; i++) {
                int r = stages[i].apply(c, err);

                if (r < 0) {
                        if (c->fifo >= 0)
                                fd_write_all(c->fifo, err, sizeof(*err));
                        else
                                child_send(c, LAUNCH_FAILED, err, -1);
                        return exit_status(err);
                }
        }
        return 0; /* not reached: the last stage is execve(2) */
}

/* Until execve(2) the child dies with its caller. The kernel forgets this when credentials change: then it is set again. */
int stage_die_with_caller(struct child *c, struct err *err) {
        struct pollfd p = { .fd = c->sock };

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return raw_fail(err, errno, "parent death signal", NULL);
        /* It may have died before: then its end of the socket is closed. */
        if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)))
                _exit(exit_status(&(struct err) { .kind = ERR_INTERNAL }));
        return 0;
}

/* What a middle child would have done, where there was none. It is still the host's root, and in the host's cgroups. */
int stage_enter(struct child *c, struct err *err) {
        struct launch *l = c->launch;

        if (middle_is_needed(l) || middle_set_inherited(l) == 0)
                return 0;
        *err = l->err;
        return err->num < 0 ? err->num : -EIO;
}

int stage_await_caller(struct child *c, struct err *err) {
        if (!child_awaits_caller(c->header))
                return 0;
        return child_expect(c, LAUNCH_GO) < 0 ? raw_fail(err, ECANCELED, "the caller is gone", NULL) : 0;
}

/* Root of the user namespace. In it the process has all capabilities already, but files that it makes would belong to an
 * id that the container does not have. */
int stage_become_root(struct child *c, struct err *err) {
        if (!(c->header->flags & PLAN_OWN_USERNS))
                return 0;
        /* Refused where the namespace gave up setgroups(2) for good: then there is nothing to be taken away. */
        if (syscall(SYS_setgroups, 0, NULL) < 0 && errno != EPERM)
                return raw_fail(err, errno, "supplementary groups", NULL);
        if (syscall(SYS_setresgid, 0, 0, 0) < 0)
                return raw_fail(err, errno, "the user namespace has no group 0", NULL);
        if (syscall(SYS_setresuid, 0, 0, 0) < 0)
                return raw_fail(err, errno, "the user namespace has no user 0", NULL);
        return stage_die_with_caller(c, err);
}

int stage_session(struct child *c, struct err *err) {
        if (setsid() < 0)
                return raw_fail(err, errno, "new session", NULL);
        return 0;
}
