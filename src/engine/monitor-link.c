/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/monitor-link.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "engine/internal.h"

int monitor_link_new(struct container *c, int sock, int pidfd, struct monitor_link **ret, struct err *err) {
        struct monitor_link *l = calloc(1, sizeof(*l));
        struct timeval patience = { .tv_sec = 5 };
        pthread_condattr_t attr;

        if (!l) {
                fd_close(sock);
                fd_close(pidfd);
                return err_errno(err, -ENOMEM, "monitor of container %.12s", c->row.id);
        }
        atomic_init(&l->refs, 1);
        l->container = container_ref(c);
        l->sock = sock;
        l->pidfd = pidfd;
        pthread_mutex_init(&l->lock, NULL);
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&l->answered, &attr);
        pthread_condattr_destroy(&attr);
        /* A monitor that does not read must not hold us for ever. */
        setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        *ret = l;
        return 0;
}

struct monitor_link *monitor_link_ref(struct monitor_link *l) {
        atomic_fetch_add(&l->refs, 1);
        return l;
}

void monitor_link_unref(struct monitor_link *l) {
        if (atomic_fetch_sub(&l->refs, 1) != 1)
                return;
        fd_close(l->sock);
        if (l->pidfd >= 0) {
                siginfo_t si;

                /* Ours to reap, if it has ended; when it has not, it is reaped by whoever inherits it. */
                waitid(P_PIDFD, (id_t) l->pidfd, &si, WEXITED | WNOHANG);
                fd_close(l->pidfd);
        }
        container_unref(l->container);
        pthread_cond_destroy(&l->answered);
        pthread_mutex_destroy(&l->lock);
        free(l);
}

static int gone(struct monitor_link *l, struct err *err) {
        return err_set(err, ERR_UNAVAILABLE, -EPIPE, "the monitor of container %.12s has ended", l->container->row.id);
}

int monitor_link_send(struct monitor_link *l, const void *message, size_t size, const int *fds, size_t n_fds, struct err *err) {
        int r = fd_send(l->sock, message, size, fds, n_fds);

        if (r == -EPIPE || r == -ECONNRESET)
                return gone(l, err);
        if (r < 0)
                return err_set(err, ERR_UNAVAILABLE, r, "the monitor of container %.12s does not take messages: %s", l->container->row.id, strerror(-r));
        return 0;
}

ssize_t monitor_link_receive(int sock, union monitor_message *m) {
        static const size_t sizes[] = {
                [MONITOR_HELLO - MONITOR_HELLO] = sizeof(struct monitor_hello),     [MONITOR_OK - MONITOR_HELLO] = sizeof(struct monitor_header),
                [MONITOR_STARTED - MONITOR_HELLO] = sizeof(struct monitor_started), [MONITOR_FAILED - MONITOR_HELLO] = sizeof(struct monitor_failed),
                [MONITOR_EXITED - MONITOR_HELLO] = sizeof(struct monitor_exited),   [MONITOR_DETACHED - MONITOR_HELLO] = sizeof(struct monitor_detached),
                [MONITOR_HOOKS - MONITOR_HELLO] = sizeof(struct monitor_started),
        };
        size_t n_fds = 0;
        ssize_t n;

        memset(m, 0, sizeof(*m));
        n = fd_recv(sock, m, sizeof(*m), NULL, &n_fds);
        if (n <= 0)
                return n;
        if ((size_t) n < sizeof(m->header) || m->header.type < MONITOR_HELLO || m->header.type > MONITOR_HOOKS ||
            (size_t) n < sizes[m->header.type - MONITOR_HELLO])
                return -EPROTO;
        if (m->header.type == MONITOR_FAILED) {
                m->failed.err.msg[sizeof(m->failed.err.msg) - 1] = '\0';
                if (m->failed.err.kind <= ERR_NONE || m->failed.err.kind >= _ERR_KIND_MAX)
                        m->failed.err.kind = ERR_INTERNAL;
                if (m->failed.err.num >= 0)
                        m->failed.err.num = -EIO;
        }
        if (m->header.type == MONITOR_EXITED)
                m->exited.exec_id[sizeof(m->exited.exec_id) - 1] = '\0';
        if (m->header.type == MONITOR_DETACHED)
                m->detached.exec_id[sizeof(m->detached.exec_id) - 1] = '\0';
        return n;
}

static int64_t now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* Wait for a message until `until_ms`. */
static int receive_until(struct monitor_link *l, int64_t until_ms, union monitor_message *m, struct err *err) {
        for (;;) {
                struct pollfd p = { .fd = l->sock, .events = POLLIN };
                int64_t left = until_ms - now_ms();
                int r = poll(&p, 1, left > 0 ? (int) left : 0);
                ssize_t n;

                if (r < 0 && errno == EINTR)
                        continue;
                if (r == 0)
                        return err_set(err, ERR_UNAVAILABLE, -ETIMEDOUT, "the monitor of container %.12s does not answer", l->container->row.id);
                n = r < 0 ? -errno : monitor_link_receive(l->sock, m);
                if (n == 0 || n == -ECONNRESET)
                        return gone(l, err);
                if (n < 0)
                        return err_set(err, ERR_INTERNAL, (int) n, "the monitor of container %.12s: %s", l->container->row.id, strerror((int) -n));
                return 0;
        }
}

static int answer_to_result(const union monitor_message *m, struct err *err) {
        if (m->header.type != MONITOR_FAILED)
                return 0;
        if (err)
                *err = m->failed.err;
        return m->failed.err.num;
}

/* Not an answer: the monitor says it by itself. */
static bool is_news(const union monitor_message *m) {
        return m->header.type == MONITOR_HELLO || m->header.type == MONITOR_EXITED || m->header.type == MONITOR_DETACHED;
}

int monitor_link_read_answer(struct monitor_link *l, uint32_t tag, int timeout_ms, union monitor_message *ret, struct err *err) {
        int64_t until = now_ms() + timeout_ms;
        union monitor_message m;

        do {
                int r = receive_until(l, until, &m, err);

                if (r < 0)
                        return r;
        } while (m.header.tag != tag || is_news(&m));
        if (ret)
                *ret = m;
        return answer_to_result(&m, err);
}

int monitor_link_read_hello(struct monitor_link *l, int timeout_ms, struct monitor_hello *ret, struct err *err) {
        union monitor_message m;
        int r = receive_until(l, now_ms() + timeout_ms, &m, err);

        if (r < 0)
                return r;
        if (m.header.type != MONITOR_HELLO || m.hello.protocol != MONITOR_PROTOCOL)
                return err_set(err, ERR_UNSUPPORTED, -EPROTONOSUPPORT, "the monitor of container %.12s speaks another protocol", l->container->row.id);
        *ret = m.hello;
        return 0;
}

int monitor_link_call(struct monitor_link *l, void *message, size_t size, const int *fds, size_t n_fds, union monitor_message *ret, struct err *err) {
        struct call call = {}, **at;
        struct timespec until;
        int r = 0;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += ENGINE_SOCKET_TIMEOUT_MS / 1000;
        pthread_mutex_lock(&l->lock);
        if (l->closed) {
                pthread_mutex_unlock(&l->lock);
                return gone(l, err);
        }
        call.tag = ++l->last_tag ? l->last_tag : ++l->last_tag; /* 0 is nobody's */
        call.next = l->calls;
        l->calls = &call;
        pthread_mutex_unlock(&l->lock);

        ((struct monitor_header *) message)->tag = call.tag;
        r = monitor_link_send(l, message, size, fds, n_fds, err);

        pthread_mutex_lock(&l->lock);
        while (r == 0 && !call.done && !l->closed) {
                if (pthread_cond_timedwait(&l->answered, &l->lock, &until) == ETIMEDOUT)
                        r = err_set(err, ERR_UNAVAILABLE, -ETIMEDOUT, "the monitor of container %.12s does not answer", l->container->row.id);
        }
        for (at = &l->calls; *at != &call; at = &(*at)->next)
                ;
        *at = call.next;
        if (r == 0 && !call.done)
                r = gone(l, err);
        pthread_mutex_unlock(&l->lock);
        if (r < 0)
                return r;
        if (ret)
                *ret = call.answer;
        return answer_to_result(&call.answer, err);
}

static void copy_exec_id(char ret[MONITOR_ID_MAX], const char *exec_id) {
        snprintf(ret, MONITOR_ID_MAX, "%s", exec_id ? exec_id : "");
}

int monitor_link_signal(struct monitor_link *l, const char *exec_id, int signal, struct err *err) {
        struct monitor_signal m = { .header.type = MONITOR_SIGNAL, .signal = signal };

        copy_exec_id(m.exec_id, exec_id);
        return monitor_link_call(l, &m, sizeof(m), NULL, 0, NULL, err);
}

int monitor_link_resize(struct monitor_link *l, const char *exec_id, uint16_t rows, uint16_t columns, struct err *err) {
        struct monitor_resize m = { .header.type = MONITOR_RESIZE, .rows = rows, .columns = columns };

        copy_exec_id(m.exec_id, exec_id);
        return monitor_link_call(l, &m, sizeof(m), NULL, 0, NULL, err);
}

bool monitor_link_has_ended(struct monitor_link *l) {
        bool ended;

        pthread_mutex_lock(&l->lock);
        ended = l->closed || l->exited;
        pthread_mutex_unlock(&l->lock);
        return ended;
}
