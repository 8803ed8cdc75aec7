/* SPDX-License-Identifier: Apache-2.0 */

/* Hooks inside of the container's namespaces, and the moment at which the caller runs its own. */

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/exec/clone-args.h"
#include "runtime/exec/private.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2) /* <linux/close_range.h>, Linux 5.11 */
#endif

struct hook_run {
        const char *path;
        char **argv, **envp;
        int stdio[3];
        int failed; /* errno of what was in the way of execve(2) */
};

/* Shares our memory until execve(2), but nothing else. */
static int hook_main(void *data) {
        struct hook_run *h = data;
        sigset_t none;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        child_reset_signals();
        umask(0022);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        if (setsid() < 0 || chdir("/") < 0 || dup2(h->stdio[0], 0) < 0 || dup2(h->stdio[1], 1) < 0 || dup2(h->stdio[2], 2) < 0 ||
            syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0) {
                h->failed = errno;
                return 1;
        }
        execve(h->path, h->argv, h->envp);
        h->failed = errno;
        return 1;
}

/* {…,"status":"creating","pid":1} as a file to read from: its offset is this hook's own. */
static int make_state(const struct child *c, const char *status) {
        const char *head = plan_text(c->plan, c->header->state_head);
        char tail[64], *at = tail, *end = tail + sizeof(tail) - 1;
        auto_fd fd = memfd_create("state", MFD_CLOEXEC);
        int r;

        if (fd < 0)
                return -errno;
        at = raw_put_text(at, end, status);
        at = raw_put_text(at, end, "\",\"pid\":");
        at = raw_put_number(at, end, (uint64_t) getpid()); /* as the container sees it */
        at = raw_put_text(at, end, "}");
        r = fd_write_all(fd, head, strlen(head));
        if (r == 0)
                r = fd_write_all(fd, tail, (size_t) (at - tail));
        if (r < 0)
                return r;
        return lseek(fd, 0, SEEK_SET) < 0 ? -errno : move_fd(fd);
}

static char **fill(char **at, const struct plan *p, struct plan_table t) {
        const uint32_t *texts = plan_records(p, t);

        for (uint32_t i = 0; i < t.count; i++)
                *at++ = (char *) plan_text(p, texts[i]);
        *at++ = NULL;
        return at;
}

/* Start it, and wait. The streams are out of the way of 0, 1 and 2 already. */
static int run_process(struct child *c, const struct plan_hook *h, struct hook_run *run, int reader, struct err *err) {
        const char *what = plan_text(c->plan, h->what);
        _Alignas(16) char stack[32 << 10];
        auto_fd pidfd = -EBADF;
        int fd = -EBADF, pid;

        pid = clone(hook_main, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, run, &fd);
        if (pid < 0)
                return raw_fail(err, errno, what, run->path);
        pidfd = fd;
        run->stdio[2] = fd_close(run->stdio[2]); /* the end of the file is the end of all that hold it */
        if (run->failed) {
                exec_hook_wait(pid, pidfd, reader, 0, what, run->path, NULL);
                return raw_fail(err, run->failed, what, run->path);
        }
        return exec_hook_wait(pid, pidfd, reader, h->timeout, what, run->path, err);
}

static int run_with_streams(struct child *c, const struct plan_hook *h, struct hook_run *run, const char *status, struct err *err) {
        auto_fd state = make_state(c, status), in = -EBADF, reader = -EBADF;
        int out[2], r;

        if (state < 0)
                return raw_fail(err, state, plan_text(c->plan, h->what), "state");
        if (pipe2(out, O_CLOEXEC) < 0)
                return raw_fail(err, errno, plan_text(c->plan, h->what), "pipe");
        reader = out[0];
        in = fcntl(state, F_DUPFD_CLOEXEC, 3);
        run->stdio[0] = in;
        run->stdio[1] = fcntl(c->launch->null_stdio, F_DUPFD_CLOEXEC, 3);
        run->stdio[2] = fcntl(out[1], F_DUPFD_CLOEXEC, 3);
        fd_close(out[1]);
        if (run->stdio[0] < 0 || run->stdio[1] < 0 || run->stdio[2] < 0 || fcntl(reader, F_SETFL, O_NONBLOCK) < 0)
                r = raw_fail(err, errno, plan_text(c->plan, h->what), "standard streams");
        else
                r = run_process(c, h, run, reader, err);
        fd_close(run->stdio[1]);
        fd_close(run->stdio[2]);
        return r;
}

static int run_hook(struct child *c, const struct plan_hook *h, const char *status, struct err *err) {
        size_t size = ((size_t) h->argv.count + h->env.count + 2) * sizeof(char *);
        struct hook_run run = { .path = plan_text(c->plan, h->path), .stdio = { -EBADF, -EBADF, -EBADF } };
        int r;

        run.argv = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (run.argv == MAP_FAILED)
                return raw_fail(err, errno, plan_text(c->plan, h->what), run.path);
        run.envp = fill(run.argv, c->plan, h->argv);
        fill(run.envp, c->plan, h->env);
        r = run_with_streams(c, h, &run, status, err);
        munmap(run.argv, size);
        return r;
}

static int run_stage(struct child *c, enum plan_hook_stage stage, const char *status, struct err *err) {
        const struct plan_hook *h = plan_records(c->plan, c->header->hooks);

        for (uint32_t i = 0; i < c->header->hooks.count; i++) {
                int r = h[i].stage == stage ? run_hook(c, &h[i], status, err) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

int stage_create_hooks(struct child *c, struct err *err) {
        if ((c->header->flags & PLAN_RUNTIME_HOOKS) && (child_send(c, LAUNCH_HOOKS, NULL, -1) < 0 || child_expect(c, LAUNCH_GO) < 0))
                return raw_fail(err, ECANCELED, "the caller is gone", NULL);
        return run_stage(c, PLAN_HOOK_CREATE_CONTAINER, "creating", err);
}

int stage_start_hooks(struct child *c, struct err *err) {
        return run_stage(c, PLAN_HOOK_START_CONTAINER, "created", err);
}
