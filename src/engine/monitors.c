/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/monitors.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "base/log.h"
#include "engine/events.h"
#include "engine/exec.h"
#include "engine/internal.h"
#include "engine/monitor-link.h"
#include "engine/work.h"

struct monitors {
        struct engine *engine;
        int epoll, wake;
        pthread_t thread;
        pthread_mutex_t lock;
        struct monitor_link *watched;
};

/* What epoll gives back: the link, and whether it is about the socket or the process. The lowest bit of a pointer is free. */
enum { SOURCE_SOCKET, SOURCE_PROCESS };

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
                n = monitor_link_receive(l->sock, &msg);
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
