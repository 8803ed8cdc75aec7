/* SPDX-License-Identifier: Apache-2.0 */
/* The two sockets of a network, on port 53 of its gateway: made by the daemon, since that takes rights. And those of a container whose networks have no bridge, on its
 * own loopback. */

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "dns/server.h"

enum { DATAGRAMS_AT_ONCE = 64, SERVFAIL = 2, LOCALS_MAX = 2048 /* three descriptors each: see confine.c */ };

struct sockets {
        struct source udp, tcp;
        struct dns_network *network; /* NULL: a container's */
        struct local *local;
};

/* Each in a network namespace of its own, which it keeps alive: so it must not outlive the container, whose daemon may be away. */
struct local {
        struct sockets sockets; /* fds −EBADF: none */
        struct source process;  /* fd −EBADF: not known */
        struct local *next;
        char container[DNS_ID_SIZE];
        bool stale;
};

void server_send_udp(const struct asker *a, const uint8_t *data, size_t size) {
        const struct sockets *k = a->local ? &a->local->sockets : a->network->sockets;
        const struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(a->port), .sin_addr.s_addr = htonl(a->from) };

        if (k)
                sendto(k->udp.fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *) &to, sizeof(to));
}

/* Who asks on a loopback is the container, whatever its address there. NULL network: one that is on none any more. */
static struct asker asker_of(const struct sockets *k, uint32_t from, uint16_t port) {
        struct asker a = { .network = k->network, .local = k->local, .address = from, .from = from, .port = port };
        const struct dns_endpoint *home = k->local ? dns_table_home(&k->udp.server->table, k->local->container) : NULL;

        if (home) {
                a.network = home->network;
                a.address = home->address;
        }
        return a;
}

static void take_datagram(struct sockets *k, const uint8_t *query, size_t size, const struct sockaddr_in *from) {
        const struct asker a = asker_of(k, ntohl(from->sin_addr.s_addr), ntohs(from->sin_port));
        static uint8_t reply[DNS_REPLY_MAX];
        struct server *s = k->udp.server;
        struct dns_question q;
        size_t n = 0;
        enum dns_verdict verdict = a.network ? dns_answer(&s->table, a.network, a.address, query, size, false, s->turn++, reply, &n, &q) : DNS_DROP;

        if (verdict == DNS_FORWARD && !forward_begin(s, &a, NULL, &q, query, size)) {
                n = dns_refuse(query, size, SERVFAIL, reply);
                verdict = DNS_REPLY;
        }
        if (verdict == DNS_REPLY && n)
                server_send_udp(&a, reply, n);
}

static void free_local(struct local *l);

/* Root of a container may end sockets in its network namespace: they would be ready for ever. */
static bool is_ended(struct sockets *k, uint32_t events) {
        if (!k->local || !(events & (EPOLLERR | EPOLLHUP)))
                return false;
        free_local(k->local);
        return true;
}

static void udp_ready(struct source *source, uint32_t events) {
        struct sockets *k = (struct sockets *) source;

        if (is_ended(k, events))
                return;
        for (unsigned i = 0; i < DATAGRAMS_AT_ONCE; i++) {
                static uint8_t query[DNS_QUERY_MAX + 1];
                struct sockaddr_in from;
                socklen_t size = sizeof(from);
                ssize_t n = recvfrom(k->udp.fd, query, sizeof(query), MSG_DONTWAIT, (struct sockaddr *) &from, &size);

                if (n < 0)
                        return;
                if (size == sizeof(from) && from.sin_family == AF_INET && from.sin_port)
                        take_datagram(k, query, (size_t) n, &from);
        }
}

static void tcp_ready(struct source *source, uint32_t events) {
        struct sockets *k = (struct sockets *) (void *) ((char *) source - offsetof(struct sockets, tcp));

        const struct asker a = asker_of(k, 0, 0);

        if (!is_ended(k, events))
                tcp_accept(k->tcp.server, &a, k->tcp.fd);
}

static int listen_to(struct sockets *k) {
        int r = source_add(&k->udp, EPOLLIN);

        return r < 0 ? r : source_add(&k->tcp, EPOLLIN);
}

int sockets_open(struct server *s, struct dns_network *n, int udp_fd, int tcp_fd) {
        struct sockets *k = calloc(1, sizeof(*k));
        int r;

        if (!k) {
                fd_close(udp_fd);
                fd_close(tcp_fd);
                return -ENOMEM;
        }
        sockets_close(n);
        *k = (struct sockets) { { udp_ready, s, udp_fd }, { tcp_ready, s, tcp_fd }, n, NULL };
        n->sockets = k;
        r = listen_to(k);
        if (r < 0)
                sockets_close(n);
        return r;
}

void sockets_close(struct dns_network *n) {
        struct sockets *k = n->sockets;

        if (!k)
                return;
        source_close(&k->udp);
        source_close(&k->tcp);
        free(k);
        n->sockets = NULL;
}

/* --- of containers --- */

static void free_local(struct local *l) {
        struct server *s = l->process.server;
        struct local **at = &s->locals;

        forward_local_gone(s, l);
        tcp_local_gone(s, l);
        while (*at != l)
                at = &(*at)->next;
        *at = l->next;
        s->n_locals--;
        source_close(&l->sockets.udp);
        source_close(&l->sockets.tcp);
        source_close(&l->process);
        free(l);
}

static void process_ready(struct source *source, uint32_t events) {
        struct local *l = (struct local *) (void *) ((char *) source - offsetof(struct local, process));

        (void) events;
        free_local(l);
}

static struct local *find_local(struct server *s, const char *container) {
        for (struct local *l = s->locals; l; l = l->next)
                if (!strcmp(l->container, container))
                        return l;
        return NULL;
}

static struct local *add_local(struct server *s, const char *container) {
        struct local *l = s->n_locals < LOCALS_MAX ? calloc(1, sizeof(*l)) : NULL;

        if (!l)
                return NULL;
        l->sockets = (struct sockets) { { udp_ready, s, -EBADF }, { tcp_ready, s, -EBADF }, NULL, l };
        l->process = (struct source) { process_ready, s, -EBADF };
        memcpy(l->container, container, sizeof(l->container));
        l->next = s->locals;
        s->locals = l;
        s->n_locals++;
        return l;
}

/* Its earlier sockets may be in a network namespace that is gone. */
static int give_sockets(struct local *l, int udp_fd, int tcp_fd) {
        forward_local_gone(l->process.server, l);
        tcp_local_gone(l->process.server, l);
        source_close(&l->sockets.udp);
        source_close(&l->sockets.tcp);
        l->sockets.udp.fd = udp_fd;
        l->sockets.tcp.fd = tcp_fd;
        return listen_to(&l->sockets);
}

int local_set(struct server *s, const char *container, int udp_fd, int tcp_fd, int process_fd) {
        auto_fd udp = udp_fd, tcp = tcp_fd, process = process_fd;
        struct local *l = find_local(s, container);
        int r = 0;

        if (!l && udp < 0)
                return DNS_NEEDS_SOCKETS;
        if (!l && !(l = add_local(s, container)))
                return -ENOSPC;
        l->stale = false;
        if (udp >= 0)
                r = give_sockets(l, move_fd(udp), move_fd(tcp));
        if (r == 0 && process >= 0) {
                source_close(&l->process);
                l->process.fd = move_fd(process);
                r = source_add(&l->process, EPOLLIN);
        }
        if (r < 0)
                free_local(l);
        return r;
}

void local_drop(struct server *s, const char *container) {
        struct local *l = find_local(s, container);

        if (l)
                free_local(l);
}

void local_begin(struct server *s) {
        for (struct local *l = s->locals; l; l = l->next)
                l->stale = true;
}

void local_end(struct server *s) {
        for (struct local *l = s->locals, *next; l; l = next) {
                next = l->next;
                if (l->stale)
                        free_local(l);
        }
}
