/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Private to kist-dns: its loop. One thread, nothing that waits but epoll_wait(2). */

#include "dns/answer.h"
#include "dns/resolvers.h"
#include "dns/table.h"

struct err;
struct forward;
struct server;
struct tcp_client;

/* Something with an fd in the epoll set. */
struct source {
        void (*ready)(struct source *s, uint32_t events);
        struct server *server;
        int fd;
};

struct server {
        int epoll_fd;
        struct source listening, control; /* control.fd: the daemon, −EBADF while there is none */
        bool had_daemon;
        struct dns_table table;
        unsigned turn;

        struct resolvers resolvers; /* of the host */
        int64_t resolvers_checked_ms;
        struct { int64_t seconds, nanoseconds; uint64_t inode; } resolvers_seen;

        struct forward *forwards;
        size_t n_forwards;
        struct tcp_client *clients;
        size_t n_clients;
};

int64_t server_now_ms(void);
int source_add(struct source *s, uint32_t events);
void source_change(struct source *s, uint32_t events);
void source_close(struct source *s);

/* serve.c: who asked over UDP gets this. */
void server_send_udp(const struct dns_network *n, uint32_t address, uint16_t port, const uint8_t *data, size_t size);
/* Serve until no daemon and nobody to serve is left. listen_fd: the socket in the run root. */
int server_run(int listen_fd, struct err *err);

/* network-sockets: the two of a network, in dns_network.sockets. They take over the fds. */
int sockets_open(struct server *s, struct dns_network *n, int udp_fd, int tcp_fd);
void sockets_close(struct dns_network *n);

/* tcp.c */
void tcp_accept(struct server *s, struct dns_network *n, int listen_fd);
void tcp_answer(struct tcp_client *c, const uint8_t *data, size_t size); /* of what was handed on; the client may be freed by it */
void tcp_network_gone(struct server *s, const struct dns_network *n);
void tcp_expire(struct server *s, int64_t now_ms);

/* forward.c: hand the question to another server. `client` NULL: asked over UDP from address and port. False: too much is under way, or there is
 * nobody to ask; nothing was sent. */
bool forward_begin(struct server *s, struct dns_network *n, uint32_t address, uint16_t port, struct tcp_client *client, const struct dns_question *q, const uint8_t *query,
                   size_t size);
void forward_client_gone(struct server *s, const struct tcp_client *client);
void forward_network_gone(struct server *s, const struct dns_network *n);
void forward_expire(struct server *s, int64_t now_ms);
