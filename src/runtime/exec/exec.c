/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/exec/exec.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/exec/private.h"

enum { PRESERVE_MAX = 65536 };

static void launch_init(struct launch *l, const struct exec_fds *fds) {
        memset(l, 0, sizeof(*l));
        l->fds = fds;
        l->proc_fd = l->null_fd = l->null_stdio = l->listener_sock = l->cgroup_tree = l->sockets[0] = l->sockets[1] = l->pidfd = -EBADF;
        for (size_t i = 0; i < PLAN_SOURCES_MAX; i++)
                l->source_fds[i] = -EBADF;
}

static void reap(pid_t pid) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

static int send_type(int sock, enum launch_message_type type) {
        struct launch_message m = { .type = type };

        return fd_send(sock, &m, sizeof(m), NULL, 0);
}

static int run_hooks(struct launch *l, struct err *err) {
        int r = l->fds->runtime_hooks(l->pid, l->fds->calls_data, err);

        if (r < 0)
                return r;
        r = send_type(l->sockets[0], LAUNCH_GO);
        return r < 0 ? raw_fail(err, r, "the container's process is gone", NULL) : 0;
}

/* What the child says until it is where the caller wants it: LAUNCH_READY with a gate, the end of the file after LAUNCH_EXECING without.
 * `l` is NULL after the gate, where there is nothing left that the child could ask for. */
static int await_child(struct launch *l, int sock, bool until_ready, int *pty, struct err *err) {
        bool executing = false;

        for (;;) {
                struct launch_message m = { 0 };
                int fds[1], r;
                size_t n_fds = 1;
                ssize_t n = fd_recv(sock, &m, sizeof(m), fds, &n_fds);

                if (n == 0) {
                        if (executing)
                                return 0;
                        return err_set_raw(err, ERR_INTERNAL, ECHILD, "the container's process was killed while it was set up", NULL);
                }
                if (n < 0)
                        return raw_fail(err, (int) n, "hear from the container's process", NULL);
                if (n_fds == 1) {
                        if (m.type == LAUNCH_PTY && *pty < 0)
                                *pty = fds[0];
                        else
                                fd_close(fds[0]);
                }
                switch (n == sizeof(m) ? m.type : 0) {
                case LAUNCH_PTY:
                        break;
                case LAUNCH_EXECING:
                        executing = true;
                        break;
                case LAUNCH_HOOKS:
                        r = l ? run_hooks(l, err) : err_set_raw(err, ERR_INTERNAL, EBADMSG, "the container's process said something odd", NULL);
                        if (r < 0)
                                return r;
                        break;
                case LAUNCH_READY:
                        if (until_ready)
                                return 0;
                        break;
                case LAUNCH_FAILED:
                        m.err.msg[sizeof(m.err.msg) - 1] = '\0';
                        if (err)
                                *err = m.err;
                        return m.err.num < 0 ? m.err.num : -EIO;
                default:
                        return err_set_raw(err, ERR_INTERNAL, EBADMSG, "the container's process said something odd", NULL);
                }
        }
}

/* What can only be done to the child from outside, by the host's privileges; it waits for that (stage_await_caller). */
static int complete_child(struct launch *l, struct err *err) {
        int r = 0;

        if (!child_awaits_caller(l->plan.header))
                return 0;
        if (l->plan.header->uid_map.count > 0)
                r = host_complete_userns(l, err);
        if (r == 0)
                r = host_tune(l, err);
        if (r == 0)
                r = host_move_devices(l, err);
        if (r < 0)
                return r;
        r = send_type(l->sockets[0], LAUNCH_GO);
        return r < 0 ? raw_fail(err, r, "the container's process is gone", NULL) : 0;
}

static int start(struct launch *l, void (*child)(struct launch *l) __attribute__((noreturn)), struct exec_process *ret, struct err *err) {
        uint32_t flags = l->plan.header->flags;
        auto_fd pty = -EBADF, pidfd = -EBADF;
        int r;

        r = host_prepare(l, err);
        if (r < 0)
                return r;
        r = middle_clone(l, child, err);
        if (r < 0)
                return r;
        pidfd = l->pidfd;
        l->sockets[1] = fd_close(l->sockets[1]);
        r = complete_child(l, err);
        if (r == 0 && l->fds->meanwhile)
                r = l->fds->meanwhile(l->pid, l->fds->calls_data, err);
        if (r == 0)
                r = await_child(l, l->sockets[0], flags & PLAN_NOTIFY_START, &pty, err);
        if (r < 0) {
                kill(l->pid, SIGKILL);
                reap(l->pid);
                return r;
        }
        ret->pid = l->pid;
        ret->pidfd = move_fd(pidfd);
        ret->pty = pty >= 0 ? move_fd(pty) : -1;
        ret->release = (flags & PLAN_NOTIFY_START) && !(flags & PLAN_START_FIFO) ? move_fd(l->sockets[0]) : -1;
        return 0;
}

static int run(const struct exec_fds *fds, enum plan_kind kind, void (*child)(struct launch *l) __attribute__((noreturn)),
               struct exec_process *ret, struct err *err) {
        struct launch l;
        sigset_t all, before;
        int r;

        if (fds->listen >= 0)
                return err_set_raw(err, ERR_UNSUPPORTED, EOPNOTSUPP, "handing on a listening socket", NULL);
        /* Now, while those numbers cannot have become ours. */
        for (int fd = 3; fd < 3 + (int) fds->preserve; fd++)
                if (fds->preserve > PRESERVE_MAX || fcntl(fd, F_GETFD) < 0)
                        return err_set_raw(err, ERR_INVALID, EBADF, "files to keep open", "not as many are open");
        launch_init(&l, fds);
        r = plan_map(fds->plan, kind, &l.plan, err);
        if (r < 0)
                return r;
        if ((l.plan.header->flags & PLAN_RUNTIME_HOOKS) && !fds->runtime_hooks) {
                host_done(&l);
                return err_set_raw(err, ERR_UNSUPPORTED, EOPNOTSUPP, "hooks", "nobody is there to run them");
        }
        /* What is about to join a container must not be traceable from inside of it (CVE-2016-9962, CVE-2019-5736).
         * The children inherit it. */
        prctl(PR_SET_DUMPABLE, 0);
        /* No handler of the caller may run in the middle child, which shares its memory. */
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, &before);
        r = start(&l, child, ret, err);
        sigprocmask(SIG_SETMASK, &before, NULL);
        host_done(&l);
        return r;
}

int exec_container(const struct exec_fds *fds, struct exec_process *ret, struct err *err) {
        return run(fds, PLAN_CONTAINER, exec_init_main, ret, err);
}

int exec_process(const struct exec_fds *fds, struct exec_process *ret, struct err *err) {
        return run(fds, PLAN_PROCESS, exec_join_main, ret, err);
}

int exec_release(struct exec_process *p, struct err *err) {
        auto_fd sock = p->release;
        int pty = p->pty, r;

        p->release = -1;
        if (sock < 0)
                return err_set_raw(err, ERR_CONFLICT, EBADF, "start", "the process was started already");
        r = send_type(sock, LAUNCH_START);
        if (r < 0)
                raw_fail(err, r, "the container's process is gone", NULL);
        else
                r = await_child(NULL, sock, false, &pty, err);
        if (r < 0) {
                kill(p->pid, SIGKILL);
                reap(p->pid);
                p->pidfd = fd_close(p->pidfd);
                p->pty = fd_close(p->pty);
        }
        return r;
}
