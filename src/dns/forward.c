/* SPDX-License-Identifier: Apache-2.0 */
/* Questions that go to another server. Each has a socket of its own, with a port that the kernel chooses and connected to that server, and an id of its
 * own: whoever wants to answer in the server's place has to know both, and its address, and the question. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include "base/fd.h"
#include "dns/server.h"

enum { FORWARDS_MAX = 1024, FORWARDS_EACH = 128 /* of one asker */, ROUNDS = 2, UDP_WAIT_MS = 2000, TCP_WAIT_MS = 4000, SERVFAIL = 2 };

struct forward {
        struct source source; /* towards the server */
        struct forward *next;
        struct asker asker;
        struct tcp_client *client; /* NULL: UDP */
        uint16_t id;
        struct dns_question q;
        struct resolvers to;
        size_t tried;
        int64_t deadline_ms;
        uint8_t *answer; /* TCP: length and answer as far as they came */
        size_t sent, have, size; /* size: of query[], with two bytes of length before it */
        uint8_t query[DNS_QUERY_MAX + 2];
};

static void unlink_forward(struct forward *f) {
        struct server *s = f->source.server;
        struct forward **at = &s->forwards;

        while (*at != f)
                at = &(*at)->next;
        *at = f->next;
        s->n_forwards--;
        source_close(&f->source);
}

static void finish(struct forward *f, uint8_t *data, size_t size) {
        unlink_forward(f);
        if (f->client) {
                tcp_answer(f->client, data, size);
        } else {
                if (size > f->q.udp_size)
                        size = dns_truncate(data, size);
                if (size)
                        server_send_udp(&f->asker, data, size);
        }
        free(f->answer);
        free(f);
}

static void put_id(uint8_t *data, uint16_t id) {
        data[0] = (uint8_t) (id >> 8);
        data[1] = (uint8_t) id;
}

static void give_up(struct forward *f) {
        static uint8_t reply[DNS_REPLY_MAX];

        put_id(f->query + 2, f->q.id);
        finish(f, reply, dns_refuse(f->query + 2, f->size - 2, SERVFAIL, reply));
}

static void ready(struct source *source, uint32_t events);

static int try_one(struct forward *f, const union dns_address *to) {
        struct server *s = f->source.server;
        int fd = socket(to->any.sa_family, (f->client ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
                return -errno;
        f->source = (struct source) { ready, s, fd };
        f->sent = f->have = 0;
        if (getrandom(&f->id, sizeof(f->id), 0) != sizeof(f->id))
                return -EIO;
        put_id(f->query + 2, f->id);
        if (connect(fd, &to->any, resolvers_size(to)) < 0 && !(f->client && errno == EINPROGRESS))
                return -errno;
        if (!f->client && send(fd, f->query + 2, f->size - 2, MSG_NOSIGNAL) < 0)
                return -errno;
        f->deadline_ms = server_now_ms() + (f->client ? TCP_WAIT_MS : UDP_WAIT_MS);
        return source_add(&f->source, f->client ? EPOLLOUT : EPOLLIN);
}

/* Ask the next server, and when there is none, say so. */
static void next_server(struct forward *f) {
        source_close(&f->source);
        while (f->tried < ROUNDS * f->to.n) {
                if (try_one(f, &f->to.v[f->tried++ % f->to.n]) == 0)
                        return;
                source_close(&f->source);
        }
        give_up(f);
}

/* Anything that is not the answer is as if it had not come: the one that was sent may still be on its way. */
static void read_datagram(struct forward *f) {
        static uint8_t data[DNS_REPLY_MAX];
        ssize_t n = recv(f->source.fd, data, sizeof(data), 0);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n < 0) { /* nobody listens there */
                next_server(f);
                return;
        }
        if (!dns_is_answer_to(&f->q, f->id, data, (size_t) n))
                return;
        put_id(data, f->q.id);
        finish(f, data, (size_t) n);
}

static void write_stream(struct forward *f) {
        ssize_t n = send(f->source.fd, f->query + f->sent, f->size - f->sent, MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN && errno != EINTR) {
                next_server(f);
                return;
        }
        f->sent += n > 0 ? (size_t) n : 0;
        if (f->sent == f->size)
                source_change(&f->source, EPOLLIN);
}

static void read_stream(struct forward *f) {
        size_t want = f->have < 2 ? 2 : 2 + ((size_t) f->answer[0] << 8 | f->answer[1]);
        ssize_t n;

        n = recv(f->source.fd, f->answer + f->have, want - f->have, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                next_server(f);
                return;
        }
        f->have += (size_t) n;
        want = f->have < 2 ? 2 : 2 + ((size_t) f->answer[0] << 8 | f->answer[1]);
        if (f->have < 2 || f->have < want)
                return;
        if (!dns_is_answer_to(&f->q, f->id, f->answer + 2, want - 2)) {
                next_server(f);
                return;
        }
        put_id(f->answer + 2, f->q.id);
        finish(f, f->answer + 2, want - 2);
}

static void ready(struct source *source, uint32_t events) {
        struct forward *f = (struct forward *) source;

        if (!f->client)
                read_datagram(f);
        else if (f->sent < f->size)
                write_stream(f);
        else
                read_stream(f);
}

/* Our own addresses are none to ask: that would be a circle. The gateway of a network without a bridge is another host. */
static bool is_ours(const struct server *s, const union dns_address *a) {
        for (const struct dns_network *n = s->table.networks; n; n = n->next)
                if (a->any.sa_family == AF_INET && n->index != DNS_NO_BRIDGE && ntohl(a->v4.sin_addr.s_addr) == n->gateway)
                        return true;
        return false;
}

static void choose_servers(const struct server *s, const struct asker *a, struct resolvers *ret) {
        const struct dns_endpoint *asker = dns_table_asker(&s->table, a->network, a->address);
        struct resolvers own = { 0 };
        const struct resolvers *from = &s->resolvers;

        for (size_t i = 0; asker && i < asker->n_servers; i++)
                own.n += resolvers_parse(asker->servers[i], &own.v[own.n]);
        if (own.n)
                from = &own;
        ret->n = 0;
        for (size_t i = 0; i < from->n; i++)
                if (!is_ours(s, &from->v[i]))
                        ret->v[ret->n++] = from->v[i];
}

static size_t under_way(const struct server *s, const struct asker *a) {
        size_t count = 0;

        for (const struct forward *f = s->forwards; f; f = f->next)
                count += f->asker.network == a->network && f->asker.address == a->address;
        return count;
}

bool forward_begin(struct server *s, const struct asker *a, struct tcp_client *client, const struct dns_question *q, const uint8_t *query, size_t size) {
        struct forward *f;

        if (s->n_forwards >= FORWARDS_MAX || under_way(s, a) >= FORWARDS_EACH || size > DNS_QUERY_MAX || !(f = calloc(1, sizeof(*f))))
                return false;
        *f = (struct forward) { .source = { ready, s, -EBADF }, .asker = *a, .client = client, .q = *q, .size = size + 2 };
        choose_servers(s, a, &f->to);
        f->answer = client ? malloc(DNS_REPLY_MAX + 2) : NULL;
        if (!f->to.n || (client && !f->answer)) {
                free(f->answer);
                free(f);
                return false;
        }
        put_id(f->query, (uint16_t) size);
        memcpy(f->query + 2, query, size);
        f->next = s->forwards;
        s->forwards = f;
        s->n_forwards++;
        next_server(f);
        return true;
}

static void drop(struct forward *f) {
        unlink_forward(f);
        free(f->answer);
        free(f);
}

void forward_client_gone(struct server *s, const struct tcp_client *client) {
        for (struct forward *f = s->forwards, *next; f; f = next) {
                next = f->next;
                if (f->client == client)
                        drop(f);
        }
}

void forward_network_gone(struct server *s, const struct dns_network *n) {
        for (struct forward *f = s->forwards, *next; f; f = next) {
                next = f->next;
                if (f->asker.network == n)
                        drop(f);
        }
}

void forward_local_gone(struct server *s, const struct local *l) {
        for (struct forward *f = s->forwards, *next; f; f = next) {
                next = f->next;
                if (f->asker.local == l)
                        drop(f);
        }
}

/* One that finishes may end others: begin anew after each. */
void forward_expire(struct server *s, int64_t now_ms) {
        for (struct forward *f = s->forwards; f;) {
                if (f->deadline_ms > now_ms) {
                        f = f->next;
                        continue;
                }
                next_server(f);
                f = s->forwards;
        }
}
