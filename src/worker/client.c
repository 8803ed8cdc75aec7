/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/proc.h"
#include "worker/job.h"

enum { END_GRACE_MS = 2000, SEND_TIMEOUT_S = 30 };

static int spawn(int program_fd, const char *mode, const int fds[2], struct worker *w, struct err *err) {
        char *const argv[] = { (char *) "kist-worker", (char *) mode, NULL };
        char *const envp[] = { NULL };
        const struct proc_spawn p = { .exe_fd = program_fd, .argv = argv, .envp = envp, .stdio = { -1, -1, -1 }, .fds = fds, .n_fds = 2 };

        return proc_spawn(&p, &w->pid, &w->pidfd, err);
}

int worker_start(int program_fd, int userns_fd, const char *mode, struct worker *ret, struct err *err) {
        struct timeval patience = { .tv_sec = SEND_TIMEOUT_S };
        auto_fd ours = -EBADF, theirs = -EBADF;
        struct worker w = WORKER_NONE;
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return err_errno(err, -errno, "control socket of a worker");
        ours = pair[0];
        theirs = pair[1];
        /* A worker that was taken over may stop reading: that must not hold the daemon's thread for ever. */
        setsockopt(ours, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        r = spawn(program_fd, mode, (int[]){ theirs, userns_fd }, &w, err);
        if (r < 0)
                return r;
        w.control = move_fd(ours);
        *ret = w;
        return 0;
}

int worker_send(struct worker *w, json_t *request, const int *fds, size_t n_fds, struct err *err) {
        auto_json *owned = request;
        auto_free char *text = owned ? json_text(owned) : NULL;
        int r;

        if (!text)
                return err_errno(err, -ENOMEM, "request to a worker");
        if (strlen(text) > WORKER_MESSAGE_MAX)
                return err_set(err, ERR_TOO_LARGE, -EMSGSIZE,
                               "a request to a worker is too long: credentials or certificates of that size are not taken");
        r = fd_send(w->control, text, strlen(text), fds, n_fds);
        return r < 0 ? err_errno(err, r, "a worker does not take its job") : 0;
}

int worker_receive(struct worker *w, json_t **ret, struct err *err) {
        auto_free char *buffer = malloc(WORKER_MESSAGE_MAX + 1);
        auto_json *event = NULL;
        ssize_t n;
        int r;

        if (!buffer)
                return err_errno(err, -ENOMEM, "answer of a worker");
        /* One byte more than is allowed, to see what is longer. */
        n = fd_recv(w->control, buffer, WORKER_MESSAGE_MAX + 1, NULL, NULL);
        /* One that ended before it had read all that it was told: the socket says that first, and its last words after it. */
        if (n == -ECONNRESET)
                n = fd_recv(w->control, buffer, WORKER_MESSAGE_MAX + 1, NULL, NULL);
        if (n == 0 || n == -ECONNRESET)
                return err_set(err, ERR_INTERNAL, -EPIPE, "the worker died in the middle of its job");
        if (n < 0)
                return err_errno(err, (int) n, "answer of a worker");
        r = json_parse(buffer, (size_t) n, WORKER_MESSAGE_MAX, "answer of a worker", &event, err);
        if (r < 0)
                return r;
        if (!json_is_object(event) || !*json_get_str(event, "event", ""))
                return err_set(err, ERR_INTERNAL, -EPROTO, "answer of a worker is not an event");
        *ret = take_ptr(&event);
        return 0;
}

int worker_await(struct worker *w, const char *what, int cancel_fd, json_t **ret, struct err *err) {
        for (;;) {
                struct pollfd p[] = { { .fd = w->control, .events = POLLIN }, { .fd = cancel_fd, .events = POLLIN } };
                auto_json *event = NULL;
                const char *said;
                int r;

                if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
                        return err_errno(err, -errno, "poll");
                if (p[1].revents)
                        return err_set(err, ERR_UNAVAILABLE, -ECANCELED, "canceled");
                if (!p[0].revents)
                        continue;
                r = worker_receive(w, &event, err);
                if (r < 0)
                        return r;
                said = json_get_str(event, "event", "");
                if (strcmp(said, "error") == 0)
                        return worker_error(event, err);
                if (strcmp(said, "done") != 0 && !(what && strcmp(said, what) == 0))
                        continue;
                if (ret)
                        *ret = take_ptr(&event);
                return 0;
        }
}

int worker_run(int program_fd, int userns_fd, const char *mode, json_t *request, const int *fds, size_t n_fds, int cancel_fd, json_t **ret, struct err *err) {
        struct worker w = WORKER_NONE;
        int r = worker_start(program_fd, userns_fd, mode, &w, err);

        if (r < 0) {
                json_decref(request);
                return r;
        }
        r = worker_send(&w, request, fds, n_fds, err);
        if (r == 0)
                r = worker_await(&w, NULL, cancel_fd, ret, err);
        if (r == 0)
                worker_end(&w);
        worker_kill(&w);
        return r;
}

static void reap(struct worker *w) {
        siginfo_t info;

        while (waitid(P_PID, (id_t) w->pid, &info, WEXITED) < 0 && errno == EINTR)
                ;
        fd_close(w->pidfd);
        fd_close(w->control);
        *w = WORKER_NONE;
}

void worker_kill(struct worker *w) {
        if (w->pid < 0)
                return;
        syscall(SYS_pidfd_send_signal, w->pidfd, SIGKILL, NULL, 0);
        reap(w);
}

void worker_end(struct worker *w) {
        struct pollfd p = { .fd = w->pidfd, .events = POLLIN };

        if (w->pid < 0)
                return;
        w->control = fd_close(w->control);
        while (poll(&p, 1, END_GRACE_MS) < 0 && errno == EINTR)
                ;
        worker_kill(w);
}

int worker_error(const json_t *event, struct err *err) {
        const char *kind = json_get_str(event, "kind", ""), *message = json_get_str(event, "message", "");
        enum err_kind k = ERR_INTERNAL;

        for (int i = ERR_NONE + 1; i < _ERR_KIND_MAX; i++)
                if (strcmp(kind, err_kind_name((enum err_kind) i)) == 0)
                        k = (enum err_kind) i;
        return err_set(err, k, -EIO, "%s", *message ? message : "the worker failed and gave no reason");
}

uint64_t worker_number(const json_t *event, const char *key) {
        int64_t v = json_get_int(event, key, -1);

        return v < 0 ? UINT64_MAX : (uint64_t) v;
}
