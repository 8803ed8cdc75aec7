/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "monitor/foreign.h"

/* The daemon sends MONITOR_ATTACH right after MONITOR_EXEC. When it does not, it died, and with it the client's connection. */
enum { HELD_MS = 30000 };

int64_t now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void process_init(struct process *p) {
        p->pidfd.fd = p->input.source.fd = p->pty = -EBADF;
        for (size_t i = 0; i < ARRAY_SIZE(p->clients); i++)
                p->clients[i].source.fd = -EBADF;
        for (int i = 0; i < 2; i++) {
                p->outputs[i] = (struct output) { .process = p, .stream = i + 1, .chunk = p->chunks[i] };
                p->outputs[i].source.fd = -EBADF;
        }
}

/* --- start --- */

/* Both ends of the three streams; what the process does not get is ours. */
struct pipes {
        int theirs[3], ours[3];
};

static void pipes_done(struct pipes *s) {
        for (int i = 0; i < 3; i++) {
                fd_close(s->theirs[i]);
                fd_close(s->ours[i]);
        }
}

static int pipe_make(int *read_end, int *write_end, bool we_read) {
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        *read_end = fds[0];
        *write_end = fds[1];
        /* The two ends are two open files: only ours does not block. */
        if (fcntl(fds[we_read ? 0 : 1], F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        /* /dev/stdout is a link to this pipe. The image's programs open it as any user of the container, all strangers to our root. */
        return fchmod(fds[0], 0666) < 0 ? -errno : 0;
}

static int pipes_make(struct pipes *s, const struct process_start *start, uint32_t flags) {
        int r = 0;

        if (flags & MONITOR_TTY)
                return 0;
        for (int i = 0; i < 3 && r == 0; i++) {
                if (start->detached || (i == 0 && !(flags & MONITOR_OPEN_STDIN)))
                        s->theirs[i] = r = open("/dev/null", (i == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC | O_NOCTTY);
                else if (i == 0)
                        r = pipe_make(&s->theirs[i], &s->ours[i], false);
                else
                        r = pipe_make(&s->ours[i], &s->theirs[i], true);
                r = r == -1 ? -errno : r > 0 ? 0 : r;
        }
        return r;
}

/* The terminal's one fd serves both ways; epoll(7) wants two. */
static int split_pty(struct process *p, struct pipes *s, int pty) {
        s->ours[1] = pty;
        p->pty = pty;
        if (fcntl(pty, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        if (p->flags & MONITOR_OPEN_STDIN) {
                s->ours[0] = fcntl(pty, F_DUPFD_CLOEXEC, 3);
                if (s->ours[0] < 0)
                        return -errno;
        }
        return 0;
}

static void exited(struct source *s, uint32_t events) {
        process_reap(container_of(s, struct process, pidfd), false);
}

/* From here on the process lives: what fails must not lose it. */
static int adopt(struct process *p, struct pipes *s, const struct exec_process *e, const struct process_start *start) {
        int r = 0;

        p->pid = e->pid;
        source_init(&p->pidfd, e->pidfd, exited);
        p->state = PROCESS_RUNNING;
        if (e->pty >= 0)
                r = split_pty(p, s, e->pty);
        if (r == 0)
                r = source_want(&p->pidfd, EPOLLIN);
        if (start->is_exec && !start->detached)
                p->held_until_ms = now_ms() + HELD_MS;
        for (int i = 0; i < 2; i++) {
                output_open(&p->outputs[i], move_fd(s->ours[i + 1]));
                output_resume(&p->outputs[i]);
        }
        input_open(p, move_fd(s->ours[0]));
        if (p->pty >= 0 && start->rows && start->columns)
                process_resize(p, start->rows, start->columns, NULL);
        return r;
}

static int launch(struct process *p, struct process_start *start, struct exec_process *e, struct err *err) {
        int r;

        if (start->foreign)
                return start->is_exec ? foreign_exec(&start->exec, p->flags & MONITOR_TTY, e, err) : foreign_container(&start->exec, p->flags & MONITOR_TTY, e, err);
        r = start->is_exec ? exec_process(&start->exec, e, err) : exec_container(&start->exec, e, err);

        /* Nobody here has something to do between "created" and "started". */
        if (r == 0 && e->release >= 0)
                r = exec_release(e, err);
        return r;
}

int process_start(struct process *p, struct process_start *start, struct err *err) {
        struct exec_process e = { .pidfd = -EBADF, .pty = -EBADF, .release = -EBADF };
        struct pipes s = { .theirs = { -EBADF, -EBADF, -EBADF }, .ours = { -EBADF, -EBADF, -EBADF } };
        int r;

        r = pipes_make(&s, start, p->flags);
        if (r < 0) {
                pipes_done(&s);
                return err_set_raw(err, ERR_INTERNAL, r, "standard streams of the container", NULL);
        }
        memcpy(start->exec.stdio, s.theirs, sizeof(s.theirs));
        r = launch(p, start, &e, err);
        if (r == 0) {
                p->started_ns = (uint64_t) time_now_ns();
                r = adopt(p, &s, &e, start);
                if (r < 0) {
                        err_set_raw(err, ERR_INTERNAL, r, "watching the container's process", NULL);
                        syscall(SYS_pidfd_send_signal, p->pidfd.fd, SIGKILL, NULL, 0);
                        process_reap(p, true);
                }
        }
        pipes_done(&s);
        return r;
}

/* --- the end --- */

void process_reap(struct process *p, bool force) {
        siginfo_t info = { 0 };

        if (p->state != PROCESS_RUNNING)
                return;
        if (waitid(P_PIDFD, (id_t) p->pidfd.fd, &info, WEXITED | WNOHANG) < 0)
                info.si_pid = errno == EINTR ? 0 : -1;
        if (info.si_pid == 0 && !force)
                return;
        /* Unknown (forced, or somebody else's child): it was killed, as far as anybody will ever know. */
        p->status = info.si_pid <= 0 ? 128 + SIGKILL : info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
        p->finished_ns = (uint64_t) time_now_ns();
        p->state = PROCESS_EXITED;
        source_close(&p->pidfd);
        for (int i = 0; i < 2; i++)
                output_start_clock(&p->outputs[i]);
}

void process_release_output(struct process *p) {
        if (p->held_until_ms == 0)
                return;
        p->held_until_ms = 0;
        for (int i = 0; i < 2; i++) {
                output_start_clock(&p->outputs[i]); /* it may have exited long ago */
                output_resume(&p->outputs[i]);
        }
}

void process_end_clients(struct process *p) {
        for (size_t i = 0; i < ARRAY_SIZE(p->clients); i++)
                if (!p->clients[i].pending)
                        client_end(&p->clients[i]);
}

void process_advance(struct process *p, int64_t now) {
        bool is_exec = p->exec_id[0], open = false;

        if (p->held_until_ms > 0 && p->held_until_ms <= now)
                process_release_output(p);
        for (int i = 0; i < 2 && p->state == PROCESS_EXITED; i++) {
                struct output *o = &p->outputs[i];

                if (!is_exec)
                        output_read_ahead(o);
                if (output_deadline(o) <= now)
                        output_expire(o, is_exec);
                open = open || (o->source.fd >= 0 && !o->ignored);
        }
        if (p->state == PROCESS_EXITED && !open)
                p->state = PROCESS_CLOSED;
        /* The streams of an exec end only when its end was told: see advance_execs(). */
        if (p->state == PROCESS_CLOSED && !is_exec)
                process_end_clients(p);
}

int64_t process_deadline(const struct process *p) {
        int64_t first = INT64_MAX;

        if (p->state == PROCESS_RUNNING && p->held_until_ms > 0)
                return p->held_until_ms;
        for (int i = 0; i < 2 && p->state == PROCESS_EXITED; i++) {
                int64_t t = output_deadline(&p->outputs[i]);

                if (t < first)
                        first = t;
        }
        return first;
}

bool process_is_flushed(const struct process *p) {
        if (p->state != PROCESS_CLOSED)
                return false;
        for (size_t i = 0; i < ARRAY_SIZE(p->clients); i++)
                if (p->clients[i].source.fd >= 0)
                        return false;
        return true;
}

void process_done(struct process *p) {
        source_close(&p->pidfd);
        source_close(&p->input.source);
        for (size_t i = 0; i < ARRAY_SIZE(p->clients); i++)
                source_close(&p->clients[i].source);
        for (int i = 0; i < 2; i++)
                output_done(&p->outputs[i]);
}

/* --- requests --- */

int process_resize(struct process *p, uint16_t rows, uint16_t columns, struct err *err) {
        struct winsize size = { .ws_row = rows, .ws_col = columns };

        if (p->outputs[0].source.fd < 0 || p->pty < 0)
                return err_set_raw(err, ERR_CONFLICT, -ENOTTY, "resize", "no terminal is open");
        if (ioctl(p->pty, TIOCSWINSZ, &size) < 0)
                return err_set_raw(err, ERR_INTERNAL, -errno, "resize", "terminal");
        return 0;
}

int process_signal(struct process *p, int signal, struct err *err) {
        if (p->state != PROCESS_RUNNING)
                return err_set_raw(err, ERR_CONFLICT, -ESRCH, "signal", "the process is not running");
        if (syscall(SYS_pidfd_send_signal, p->pidfd.fd, signal, NULL, 0) < 0)
                return err_set_raw(err, errno == EINVAL ? ERR_INVALID : errno == ESRCH ? ERR_CONFLICT : ERR_INTERNAL, -errno, "signal", NULL);
        return 0;
}
