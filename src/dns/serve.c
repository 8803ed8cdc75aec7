/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/server.h"

#define RESOLV_CONF "/etc/resolv.conf"

enum { TICK_MS = 250, RESOLV_CONF_MAX = 64 << 10, FIRST_DAEMON_MS = 10000 };

int64_t server_now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int source_add(struct source *s, uint32_t events) {
        struct epoll_event e = { .events = events, .data.ptr = s };

        return epoll_ctl(s->server->epoll_fd, EPOLL_CTL_ADD, s->fd, &e) < 0 ? -errno : 0;
}

void source_change(struct source *s, uint32_t events) {
        struct epoll_event e = { .events = events, .data.ptr = s };

        epoll_ctl(s->server->epoll_fd, EPOLL_CTL_MOD, s->fd, &e);
}

void source_close(struct source *s) {
        s->fd = fd_close(s->fd);
}

/* --- the host's servers --- */

/* Looked at again at most once a second, and read when it is another or has changed. */
static void follow_resolvers(struct server *s, int64_t now_ms) {
        auto_free char *text = NULL;
        struct stat st;
        size_t size;

        if (s->resolvers_checked_ms && now_ms - s->resolvers_checked_ms < 1000)
                return;
        s->resolvers_checked_ms = now_ms;
        if (stat(RESOLV_CONF, &st) < 0) {
                s->resolvers.n = 0;
                return;
        }
        if (st.st_mtim.tv_sec == s->resolvers_seen.seconds && st.st_mtim.tv_nsec == s->resolvers_seen.nanoseconds && st.st_ino == s->resolvers_seen.inode)
                return;
        if (file_read_at(AT_FDCWD, RESOLV_CONF, RESOLV_CONF_MAX, &text, &size) < 0)
                return;
        s->resolvers_seen.seconds = st.st_mtim.tv_sec;
        s->resolvers_seen.nanoseconds = st.st_mtim.tv_nsec;
        s->resolvers_seen.inode = st.st_ino;
        resolvers_read(text, &s->resolvers);
}

/* --- the daemon --- */

static void network_gone(struct dns_network *n, void *data) {
        forward_network_gone(data, n);
        tcp_network_gone(data, n);
        sockets_close(n);
}

static void answer(struct server *s, int result) {
        const struct dns_answer a = { result };

        if (send(s->control.fd, &a, sizeof(a), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                source_close(&s->control);
}

static void set_network(struct server *s, const struct dns_message *m, int *fds, size_t n_fds) {
        struct dns_network *n;
        bool moved;
        int r;

        n = dns_table_network(&s->table, m->network);
        moved = n && (n->index != m->index || n->gateway != m->address);
        r = dns_table_set_network(&s->table, m, &n);
        if (r == 0 && m->index == DNS_NO_BRIDGE) {
                n->index = m->index;
                sockets_close(n);
        } else if (r == 0 && n_fds == 2) {
                n->index = m->index;
                r = sockets_open(s, n, move_fd(fds[0]), move_fd(fds[1]));
        } else if (r == 0 && (moved || !n->sockets)) {
                r = DNS_NEEDS_SOCKETS;
        }
        answer(s, r);
}

/* Two sockets, a process, both or none. */
static void set_local(struct server *s, const struct dns_message *m, int *fds, size_t n_fds) {
        size_t n = n_fds >= 2 ? 2 : 0;

        answer(s, local_set(s, m->container, n ? move_fd(fds[0]) : -EBADF, n ? move_fd(fds[1]) : -EBADF, n_fds > n ? move_fd(fds[n]) : -EBADF));
}

static void take(struct server *s, struct dns_message *m, int *fds, size_t n_fds) {
        int r = 0;

        m->network[DNS_ID_SIZE - 1] = m->container[DNS_ID_SIZE - 1] = m->text[DNS_TEXT_SIZE - 1] = '\0';
        for (size_t i = 0; i < DNS_SERVERS_MAX; i++)
                m->servers[i][DNS_SERVER_SIZE - 1] = '\0';
        switch (m->type) {
        case DNS_BEGIN:
                dns_table_begin(&s->table);
                local_begin(s);
                break;
        case DNS_NETWORK: set_network(s, m, fds, n_fds); break;
        case DNS_NETWORK_DROP: dns_table_drop_network(&s->table, m->network); break;
        case DNS_ENDPOINT: r = dns_table_set_endpoint(&s->table, m); break;
        case DNS_NAME: r = dns_table_add_name(&s->table, m); break;
        case DNS_ENDPOINT_DROP: dns_table_drop_endpoint(&s->table, m); break;
        case DNS_END:
                dns_table_end(&s->table);
                local_end(s);
                break;
        case DNS_LOCAL: set_local(s, m, fds, n_fds); break;
        case DNS_LOCAL_DROP: local_drop(s, m->container); break;
        case DNS_SYNC: answer(s, 0); break;
        default: r = -EBADMSG;
        }
        if (r < 0 && r != -EINVAL)
                log_warning("kist-dns: message %u: %s", m->type, strerror(-r));
}

static void control_ready(struct source *source, uint32_t events) {
        struct server *s = source->server;
        struct dns_message m;
        int fds[3] = { -EBADF, -EBADF, -EBADF };
        size_t n_fds = ARRAY_SIZE(fds);
        ssize_t n = fd_recv(s->control.fd, &m, sizeof(m), fds, &n_fds);

        if (n == -EINTR)
                return;
        if (n == sizeof(m))
                take(s, &m, fds, n_fds);
        else
                source_close(&s->control);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                fd_close(fds[i]);
}

/* Who is not root of the host has no business here, whatever the socket's mode says. */
static void listening_ready(struct source *source, uint32_t events) {
        struct server *s = source->server;
        auto_fd fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);
        struct ucred peer;
        socklen_t size = sizeof(peer);

        if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != 0)
                return;
        source_close(&s->control);
        s->control = (struct source) { control_ready, s, move_fd(fd) };
        s->had_daemon = true;
        if (source_add(&s->control, EPOLLIN) < 0)
                source_close(&s->control);
}

static bool is_done(const struct server *s, int64_t started_ms) {
        return s->control.fd < 0 && s->table.n_endpoints == 0 && (s->had_daemon || server_now_ms() - started_ms > FIRST_DAEMON_MS);
}

int server_run(int listen_fd, struct err *err) {
        static struct server s = { .control.fd = -EBADF };
        int64_t started_ms = server_now_ms(), expired_ms = started_ms;

        s.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        s.listening = (struct source) { listening_ready, &s, listen_fd };
        s.table.network_gone = network_gone;
        s.table.data = &s;
        if (s.epoll_fd < 0 || source_add(&s.listening, EPOLLIN) < 0)
                return err_errno(err, -errno, "kist-dns: epoll");
        follow_resolvers(&s, started_ms);
        while (!is_done(&s, started_ms)) {
                struct epoll_event e;
                /* One at a time: what is freed by one event can have no other waiting. */
                int n = epoll_wait(s.epoll_fd, &e, 1, s.forwards || s.clients || !s.had_daemon ? TICK_MS : -1);
                int64_t now = server_now_ms();

                if (n < 0 && errno != EINTR)
                        return err_errno(err, -errno, "kist-dns: epoll");
                follow_resolvers(&s, now);
                if (n == 1) {
                        struct source *source = e.data.ptr;

                        source->ready(source, e.events);
                }
                if (now - expired_ms >= TICK_MS) {
                        forward_expire(&s, now);
                        tcp_expire(&s, now);
                        expired_ms = now;
                }
        }
        dns_table_done(&s.table);
        return 0;
}
