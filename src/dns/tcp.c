/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks over TCP: one question at a time of each connection, each with two bytes of length before it. */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "dns/server.h"

enum { CLIENTS_MAX = 256, CLIENTS_EACH = 16 /* of one asker */, IDLE_MS = 10000, SERVFAIL = 2 };

struct tcp_client {
        struct source source;
        struct tcp_client *next;
        struct asker asker;
        int64_t deadline_ms;
        bool waiting; /* for another server */
        size_t have, out_size, out_sent;
        uint8_t *out; /* length and answer; NULL: nothing is to be sent */
        uint8_t in[DNS_QUERY_MAX + 2];
};

static void close_client(struct tcp_client *c) {
        struct server *s = c->source.server;
        struct tcp_client **at = &s->clients;

        if (c->waiting)
                forward_client_gone(s, c);
        while (*at != c)
                at = &(*at)->next;
        *at = c->next;
        s->n_clients--;
        source_close(&c->source);
        free(c->out);
        free(c);
}

static bool queue(struct tcp_client *c, const uint8_t *data, size_t size) {
        c->out = size ? malloc(size + 2) : NULL;
        if (!c->out)
                return false;
        c->out[0] = (uint8_t) (size >> 8);
        c->out[1] = (uint8_t) size;
        memcpy(c->out + 2, data, size);
        c->out_size = size + 2;
        c->out_sent = 0;
        c->waiting = false;
        c->deadline_ms = server_now_ms() + IDLE_MS;
        source_change(&c->source, EPOLLOUT);
        return true;
}

void tcp_answer(struct tcp_client *c, const uint8_t *data, size_t size) {
        c->waiting = false;
        if (!queue(c, data, size))
                close_client(c);
}

/* What is in in[], when it is a whole question. False: close it. */
static bool take_question(struct tcp_client *c) {
        static uint8_t reply[DNS_REPLY_MAX];
        struct server *s = c->source.server;
        size_t size = (size_t) c->in[0] << 8 | c->in[1], n = 0;
        uint8_t query[DNS_QUERY_MAX];
        struct dns_question q;
        enum dns_verdict verdict;

        if (c->have < 2 || (size <= DNS_QUERY_MAX && c->have < size + 2))
                return true;
        if (size > DNS_QUERY_MAX)
                return false;
        memcpy(query, c->in + 2, size);
        c->have -= size + 2;
        memmove(c->in, c->in + size + 2, c->have);
        verdict = dns_answer(&s->table, c->asker.network, c->asker.address, query, size, true, s->turn++, reply, &n, &q);
        if (verdict == DNS_FORWARD) {
                c->waiting = true;
                source_change(&c->source, 0);
                c->deadline_ms = INT64_MAX; /* the other server has one */
                if (forward_begin(s, &c->asker, c, &q, query, size))
                        return true;
                n = dns_refuse(query, size, SERVFAIL, reply);
        }
        return verdict != DNS_DROP && queue(c, reply, n);
}

static bool write_some(struct tcp_client *c) {
        ssize_t n = send(c->source.fd, c->out + c->out_sent, c->out_size - c->out_sent, MSG_NOSIGNAL);

        if (n < 0)
                return errno == EAGAIN || errno == EINTR;
        c->out_sent += (size_t) n;
        if (c->out_sent < c->out_size)
                return true;
        free(c->out);
        c->out = NULL;
        source_change(&c->source, EPOLLIN);
        return take_question(c);
}

static bool read_some(struct tcp_client *c) {
        ssize_t n = recv(c->source.fd, c->in + c->have, sizeof(c->in) - c->have, 0);

        if (n < 0)
                return errno == EAGAIN || errno == EINTR;
        c->have += (size_t) n;
        return n > 0 && take_question(c);
}

static void ready(struct source *source, uint32_t events) {
        struct tcp_client *c = (struct tcp_client *) source;
        bool good = c->out ? write_some(c) : !c->waiting && read_some(c);

        if (!good)
                close_client(c);
}

static size_t connections_of(const struct server *s, const struct asker *a) {
        size_t count = 0;

        for (const struct tcp_client *c = s->clients; c; c = c->next)
                count += c->asker.network == a->network && c->asker.address == a->address;
        return count;
}

void tcp_accept(struct server *s, const struct asker *a, int listen_fd) {
        struct sockaddr_in from;
        socklen_t size = sizeof(from);
        auto_fd fd = accept4(listen_fd, (struct sockaddr *) &from, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        struct asker asker = *a;
        struct tcp_client *c;

        if (fd < 0)
                return;
        asker.from = ntohl(from.sin_addr.s_addr);
        asker.port = ntohs(from.sin_port);
        if (!a->local)
                asker.address = asker.from;
        if (s->n_clients >= CLIENTS_MAX || !asker.network || !dns_network_contains(asker.network, asker.address) || connections_of(s, &asker) >= CLIENTS_EACH)
                return;
        c = calloc(1, sizeof(*c));
        if (!c)
                return;
        *c = (struct tcp_client) { .source = { ready, s, move_fd(fd) }, .asker = asker, .deadline_ms = server_now_ms() + IDLE_MS };
        c->next = s->clients;
        s->clients = c;
        s->n_clients++;
        if (source_add(&c->source, EPOLLIN) < 0)
                close_client(c);
}

void tcp_network_gone(struct server *s, const struct dns_network *n) {
        for (struct tcp_client *c = s->clients, *next; c; c = next) {
                next = c->next;
                if (c->asker.network == n)
                        close_client(c);
        }
}

void tcp_local_gone(struct server *s, const struct local *l) {
        for (struct tcp_client *c = s->clients, *next; c; c = next) {
                next = c->next;
                if (c->asker.local == l)
                        close_client(c);
        }
}

void tcp_expire(struct server *s, int64_t now_ms) {
        for (struct tcp_client *c = s->clients, *next; c; c = next) {
                next = c->next;
                if (c->deadline_ms <= now_ms)
                        close_client(c);
        }
}
