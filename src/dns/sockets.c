/* SPDX-License-Identifier: Apache-2.0 */
/* The two sockets of a network, on port 53 of its gateway: made by the daemon, since that takes rights. */

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "dns/server.h"

enum { DATAGRAMS_AT_ONCE = 64, SERVFAIL = 2 };

struct sockets {
        struct source udp, tcp;
        struct dns_network *network;
};

void server_send_udp(const struct dns_network *n, uint32_t address, uint16_t port, const uint8_t *data, size_t size) {
        const struct sockets *k = n->sockets;
        const struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address) };

        if (k)
                sendto(k->udp.fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *) &to, sizeof(to));
}

static void take_datagram(struct sockets *k, const uint8_t *query, size_t size, const struct sockaddr_in *from) {
        static uint8_t reply[DNS_REPLY_MAX];
        struct server *s = k->udp.server;
        uint32_t address = ntohl(from->sin_addr.s_addr);
        uint16_t port = ntohs(from->sin_port);
        struct dns_question q;
        size_t n = 0;
        enum dns_verdict verdict = dns_answer(&s->table, k->network, address, query, size, false, s->turn++, reply, &n, &q);

        if (verdict == DNS_FORWARD && !forward_begin(s, k->network, address, port, NULL, &q, query, size)) {
                n = dns_refuse(query, size, SERVFAIL, reply);
                verdict = DNS_REPLY;
        }
        if (verdict == DNS_REPLY && n)
                server_send_udp(k->network, address, port, reply, n);
}

static void udp_ready(struct source *source, uint32_t events) {
        struct sockets *k = (struct sockets *) source;

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

        tcp_accept(k->tcp.server, k->network, k->tcp.fd);
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
        *k = (struct sockets) { { udp_ready, s, udp_fd }, { tcp_ready, s, tcp_fd }, n };
        n->sockets = k;
        r = source_add(&k->udp, EPOLLIN);
        if (r == 0)
                r = source_add(&k->tcp, EPOLLIN);
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
