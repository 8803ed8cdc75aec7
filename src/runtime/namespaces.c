/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/namespaces.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/proc.h"
#include "runtime/namespaces-wire.h"

/* A network namespace waits for the kernel's one big network lock: seconds under churn, but not minutes. */
enum { ANSWER_TIMEOUT_S = 60 };

struct namespace_factory {
        pthread_mutex_t lock; /* of all below, for a whole request and its reply */
        int program;
        int sock;  /* −EBADF: no helper */
        pid_t pid; /* of the helper, ours to reap; 0: none */
};

static void helper_stop(struct namespace_factory *f) {
        f->sock = fd_close(f->sock);
        if (f->pid <= 0)
                return;
        /* It would end by itself; but one that is stuck must not hang us in waitpid(2). */
        kill(f->pid, SIGKILL);
        while (waitpid(f->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        f->pid = 0;
}

static int helper_start(struct namespace_factory *f, struct err *err) {
        char *const argv[] = { (char *) "kist-monitor", (char *) "namespaces", NULL };
        struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_S };
        auto_fd ours = -EBADF, theirs = -EBADF;
        struct proc_spawn spawn = { .exe_fd = f->program, .argv = argv, .stdio = { -1, -1, -1 }, .fds = &theirs, .n_fds = 1 };
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return err_errno(err, -errno, "namespace helper: socket pair");
        ours = pair[0];
        theirs = pair[1];
        if (setsockopt(ours, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
                return err_errno(err, -errno, "namespace helper: socket");
        r = proc_spawn(&spawn, &f->pid, NULL, err);
        if (r < 0)
                return r;
        f->sock = move_fd(ours);
        return 0;
}

int namespace_factory_new(int program_fd, struct namespace_factory **ret, struct err *err) {
        struct namespace_factory *f = calloc(1, sizeof(*f));
        int r;

        if (!f)
                return err_set(err, ERR_INTERNAL, -ENOMEM, "namespace helper: out of memory");
        f->sock = -EBADF;
        pthread_mutex_init(&f->lock, NULL);
        f->program = fcntl(program_fd, F_DUPFD_CLOEXEC, 3);
        r = f->program < 0 ? err_errno(err, -errno, "namespace helper: program") : helper_start(f, err);
        if (r < 0) {
                namespace_factory_free(f);
                return r;
        }
        *ret = f;
        return 0;
}

void namespace_factory_free(struct namespace_factory *f) {
        if (!f)
                return;
        helper_stop(f);
        fd_close(f->program);
        pthread_mutex_destroy(&f->lock);
        free(f);
}

static void close_all(const int *fds, size_t n) {
        for (size_t i = 0; i < n; i++)
                fd_close(fds[i]);
}

/* One try. A negative return without a reply from the helper says that the helper is of no more use. */
static int exchange(struct namespace_factory *f, const struct namespace_request *req, int owner_fd, struct namespace_reply *reply, int fds[NAMESPACE_FDS_MAX], size_t *n_fds) {
        ssize_t size;
        int r;

        r = fd_send(f->sock, req, sizeof(*req), &owner_fd, owner_fd >= 0 ? 1 : 0);
        if (r < 0)
                return r;
        *n_fds = NAMESPACE_FDS_MAX;
        size = fd_recv(f->sock, reply, sizeof(*reply), fds, n_fds);
        if (size < 0)
                return (int) size;
        if (size != (ssize_t) sizeof(*reply)) {
                close_all(fds, *n_fds);
                return size == 0 ? -ECONNRESET : -EPROTO;
        }
        return 0;
}

/* A request has no effect but its reply, so that asking again after a death is safe. */
static int ask_locked(struct namespace_factory *f, const struct namespace_request *req, int owner_fd, size_t want_fds, int fds[NAMESPACE_FDS_MAX], struct err *err) {
        struct namespace_reply reply;
        size_t n_fds = 0;
        int r = -ECONNRESET;

        for (int tries = 0; tries < 2; tries++) {
                if (f->sock < 0) {
                        r = helper_start(f, err);
                        if (r < 0)
                                return r;
                }
                r = exchange(f, req, owner_fd, &reply, fds, &n_fds);
                if (r == 0)
                        break;
                helper_stop(f);
                if (r == -EAGAIN)
                        return err_set(err, ERR_UNAVAILABLE, -ETIMEDOUT, "namespace helper: no answer within %d seconds",
                                       ANSWER_TIMEOUT_S);
        }
        if (r < 0)
                return err_errno(err, r, "namespace helper");
        if (reply.err.kind != ERR_NONE) {
                close_all(fds, n_fds);
                if (err)
                        *err = reply.err;
                return reply.err.num < 0 ? reply.err.num : -EIO;
        }
        if (n_fds != want_fds) {
                close_all(fds, n_fds);
                return err_set(err, ERR_INTERNAL, -EMFILE, "namespace helper: %zu of %zu namespaces arrived: too many open files?",
                               n_fds, want_fds);
        }
        return 0;
}

static int ask(struct namespace_factory *f, const struct namespace_request *req, int owner_fd, size_t want_fds, int fds[NAMESPACE_FDS_MAX], struct err *err) {
        int r;

        pthread_mutex_lock(&f->lock);
        r = ask_locked(f, req, owner_fd, want_fds, fds, err);
        pthread_mutex_unlock(&f->lock);
        return r;
}

int namespace_make(struct namespace_factory *f, uint32_t first, uint32_t count, int *ret_userns, int *ret_netns, struct err *err) {
        struct namespace_request req = { .want = NAMESPACE_USER, .first = first, .count = count };
        int fds[NAMESPACE_FDS_MAX], r;

        if (ret_netns)
                req.want |= NAMESPACE_NET;
        r = ask(f, &req, -1, ret_netns ? 2 : 1, fds, err);
        if (r < 0)
                return r;
        *ret_userns = fds[0];
        if (ret_netns)
                *ret_netns = fds[1];
        return 0;
}

int namespace_make_netns(struct namespace_factory *f, int *ret_netns, struct err *err) {
        return namespace_make_netns_in(f, -1, ret_netns, err);
}

int namespace_make_netns_in(struct namespace_factory *f, int userns_fd, int *ret_netns, struct err *err) {
        struct namespace_request req = { .want = NAMESPACE_NET | (userns_fd >= 0 ? NAMESPACE_OWNED : 0u) };
        int fds[NAMESPACE_FDS_MAX], r;

        r = ask(f, &req, userns_fd, 1, fds, err);
        if (r < 0)
                return r;
        *ret_netns = fds[0];
        return 0;
}

int namespace_make_blank(struct namespace_factory *f, struct namespace_blank *ret, struct err *err) {
        struct namespace_request req = { .want = NAMESPACE_USER | NAMESPACE_NET | NAMESPACE_BLANK };
        int fds[NAMESPACE_FDS_MAX], r;

        r = ask(f, &req, -1, NAMESPACE_FDS_MAX, fds, err);
        if (r < 0)
                return r;
        *ret = (struct namespace_blank) { .userns = fds[0], .netns = fds[1], .uid_map = fds[2], .gid_map = fds[3] };
        return 0;
}

int namespace_blank_fill(struct namespace_blank *b, uint32_t first, uint32_t count, struct err *err) {
        int r = namespace_write_map(b->uid_map, first, count);

        if (r == 0)
                r = namespace_write_map(b->gid_map, first, count);
        b->uid_map = fd_close(b->uid_map);
        b->gid_map = fd_close(b->gid_map);
        return r < 0 ? err_errno(err, r, "user namespace: its ids") : 0;
}

void namespace_blank_done(struct namespace_blank *b) {
        b->userns = fd_close(b->userns);
        b->netns = fd_close(b->netns);
        b->uid_map = fd_close(b->uid_map);
        b->gid_map = fd_close(b->gid_map);
}
