/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/monitors.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "base/log.h"
#include "engine/events.h"
#include "engine/exec.h"
#include "engine/internal.h"
#include "engine/work.h"

/* Somebody who waits for an answer; lives on his stack. */
struct call {
        struct call *next;
        uint32_t tag;
        bool done;
        union monitor_message answer;
};

struct monitor_link {
        atomic_uint refs;
        struct container *container;
        int sock, pidfd;

        pthread_mutex_t lock;
        pthread_cond_t answered;
        struct call *calls;
        uint32_t last_tag;
        bool closed; /* nothing will be answered any more */
        bool exited; /* what follows from the end is already in the queue */

        struct monitor_link *next, **at; /* monitors.lock: the list of those that epoll knows */
        unsigned sources;                /* monitors.lock: how many of its fds epoll knows; each holds a reference */
};

struct monitors {
        struct engine *engine;
        int epoll, wake;
        pthread_t thread;
        pthread_mutex_t lock;
        struct monitor_link *watched;
};

/* What epoll gives back: the link, and whether it is about the socket or the process. The lowest bit of a pointer is free. */
enum { SOURCE_SOCKET, SOURCE_PROCESS };

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

/* One message, its length checked against its type. 0: closed. */
static ssize_t receive(int sock, union monitor_message *m) {
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
                n = r < 0 ? -errno : receive(l->sock, m);
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

/* --- the thread --- */

struct ending {
        struct monitor_link *link;
        int status; /* −1: it did not say */
        int64_t finished_ns;
};

static void ending_drop(void *data) {
        struct ending *n = data;

        monitor_link_unref(n->link);
        free(n);
}

static void ending_run(void *data) {
        struct ending *n = data;
        auto_container *c = container_ref(n->link->container); /* outlives the lock in it: the link may hold the last one */
        auto_op *op = container_op_lock(c);
        auto_link *link = container_get_link(c);

        /* Another link: this end was already dealt with, and the container was started again. */
        if (link == n->link)
                container_exited(c->engine, c, n->status, n->finished_ns);
        ending_drop(n);
}

/* Once per link: hand over what follows from its end. */
static void link_ended(struct monitors *m, struct monitor_link *l, int status, int64_t finished_ns) {
        struct ending *n;
        bool first;

        pthread_mutex_lock(&l->lock);
        first = !l->exited;
        l->exited = true;
        pthread_mutex_unlock(&l->lock);
        if (!first)
                return;
        n = malloc(sizeof(*n));
        if (n) {
                *n = (struct ending) { monitor_link_ref(l), status, finished_ns };
                if (work_add(m->engine->work, 0, ending_run, ending_drop, n) == 0)
                        return;
                ending_drop(n);
        }
        log_error("container %.12s: no memory to deal with its end", l->container->row.id);
}

static void dispatch(struct monitors *m, struct monitor_link *l, const union monitor_message *msg) {
        if (msg->header.type == MONITOR_HELLO)
                return;
        if (msg->header.type == MONITOR_EXITED) {
                if (msg->exited.exec_id[0])
                        exec_ended(m->engine, msg->exited.exec_id, msg->exited.status);
                else
                        link_ended(m, l, msg->exited.status, (int64_t) msg->exited.finished_unix_ns);
                return;
        }
        if (msg->header.type == MONITOR_DETACHED) {
                if (msg->detached.exec_id[0])
                        exec_detached(m->engine, msg->detached.exec_id);
                else
                        events_container(l->container, "detach", NULL);
                return;
        }
        pthread_mutex_lock(&l->lock);
        for (struct call *c = l->calls; c; c = c->next) {
                if (c->tag != msg->header.tag)
                        continue;
                c->answer = *msg;
                c->done = true;
                pthread_cond_broadcast(&l->answered);
                break;
        }
        pthread_mutex_unlock(&l->lock);
}

/* Gives back epoll's reference. */
static void unwatch(struct monitors *m, int fd, struct monitor_link *l) {
        epoll_ctl(m->epoll, EPOLL_CTL_DEL, fd, NULL);
        pthread_mutex_lock(&m->lock);
        if (--l->sources == 0) {
                *l->at = l->next;
                if (l->next)
                        l->next->at = l->at;
        }
        pthread_mutex_unlock(&m->lock);
        monitor_link_unref(l);
}

static void socket_closed(struct monitors *m, struct monitor_link *l) {
        pthread_mutex_lock(&l->lock);
        l->closed = true;
        pthread_cond_broadcast(&l->answered);
        pthread_mutex_unlock(&l->lock);
        link_ended(m, l, -1, 0);
        unwatch(m, l->sock, l);
}

/* At most a few messages in a row, so that one container cannot keep the others waiting. */
static void socket_readable(struct monitors *m, struct monitor_link *l) {
        for (int i = 0; i < 16; i++) {
                struct pollfd p = { .fd = l->sock, .events = POLLIN };
                union monitor_message msg;
                ssize_t n;

                if (poll(&p, 1, 0) <= 0)
                        return;
                n = receive(l->sock, &msg);
                if (n == -EINTR || n == -EAGAIN)
                        return;
                if (n == -EPROTO) {
                        log_warning("the monitor of container %.12s sent a message that makes no sense", l->container->row.id);
                        continue;
                }
                if (n <= 0) {
                        socket_closed(m, l);
                        return;
                }
                dispatch(m, l, &msg);
        }
}

static void process_ended(struct monitors *m, struct monitor_link *l) {
        siginfo_t si;

        waitid(P_PIDFD, (id_t) l->pidfd, &si, WEXITED | WNOHANG);
        unwatch(m, l->pidfd, l);
}

static void *thread_main(void *arg) {
        struct monitors *m = arg;

        for (;;) {
                struct epoll_event events[16];
                int n = epoll_wait(m->epoll, events, ARRAY_SIZE(events), -1);

                for (int i = 0; i < n; i++) {
                        uintptr_t p = (uintptr_t) events[i].data.ptr;

                        if (!p)
                                return NULL;
                        if ((p & 1) == SOURCE_SOCKET)
                                socket_readable(m, (struct monitor_link *) p);
                        else
                                process_ended(m, (struct monitor_link *) (p & ~(uintptr_t) 1));
                }
        }
}

static int watch(struct monitors *m, int fd, struct monitor_link *l, int source) {
        struct epoll_event ev = { .events = EPOLLIN, .data.ptr = (void *) ((uintptr_t) l | (unsigned) source) };

        int r;

        /* Before epoll knows it: the thread may hear of its end at once. */
        pthread_mutex_lock(&m->lock);
        if (l->sources++ == 0) {
                l->next = m->watched;
                l->at = &m->watched;
                if (l->next)
                        l->next->at = &l->next;
                m->watched = l;
        }
        pthread_mutex_unlock(&m->lock);
        monitor_link_ref(l);
        if (epoll_ctl(m->epoll, EPOLL_CTL_ADD, fd, &ev) == 0)
                return 0;
        r = -errno;
        unwatch(m, fd, l);
        return r;
}

int monitor_link_listen(struct monitors *m, struct monitor_link *l, struct err *err) {
        int r = 0;

        if (l->pidfd >= 0)
                r = watch(m, l->pidfd, l, SOURCE_PROCESS);
        if (r == 0)
                r = watch(m, l->sock, l, SOURCE_SOCKET);
        return r < 0 ? err_errno(err, r, "watching the monitor of container %.12s", l->container->row.id) : 0;
}

int monitors_new(struct engine *e, struct monitors **ret, struct err *err) {
        struct monitors *m = calloc(1, sizeof(*m));
        struct epoll_event ev = { .events = EPOLLIN };
        pthread_attr_t attr;
        int r;

        if (!m)
                return err_errno(err, -ENOMEM, "monitors");
        m->engine = e;
        pthread_mutex_init(&m->lock, NULL);
        m->epoll = epoll_create1(EPOLL_CLOEXEC);
        m->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (m->epoll < 0 || m->wake < 0 || epoll_ctl(m->epoll, EPOLL_CTL_ADD, m->wake, &ev) < 0) {
                r = -errno;
                goto fail;
        }
        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, 256 << 10);
        r = -pthread_create(&m->thread, &attr, thread_main, m);
        pthread_attr_destroy(&attr);
        if (r < 0)
                goto fail;
        *ret = m;
        return 0;
fail:
        fd_close(m->epoll);
        fd_close(m->wake);
        pthread_mutex_destroy(&m->lock);
        free(m);
        return err_errno(err, r, "watching monitors");
}

void monitors_free(struct monitors *m) {
        if (!m)
                return;
        eventfd_write(m->wake, 1);
        pthread_join(m->thread, NULL);
        /* Nobody listens any more: what epoll holds of them is given back. The containers live on. */
        while (m->watched) {
                struct monitor_link *l = m->watched;

                unwatch(m, l->sources == 2 || l->pidfd < 0 ? l->sock : l->pidfd, l);
        }
        fd_close(m->epoll);
        fd_close(m->wake);
        pthread_mutex_destroy(&m->lock);
        free(m);
}
