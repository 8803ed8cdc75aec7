/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Private to kist-dns: its loop. One thread, nothing that waits but epoll_wait(2). */

#include "dns/answer.h"
#include "dns/resolvers.h"
#include "dns/table.h"

struct err;
struct forward;
struct local;
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
        struct local *locals;
        size_t n_locals;
};

/* Who asked, and where the answer goes. */
struct asker {
        struct dns_network *network; /* that it asked on, or counts as having asked on */
        struct local *local;         /* on a loopback; NULL: on the network's gateway */
        uint32_t address;            /* of it on that network */
        uint32_t from;               /* the same, or what it has on its loopback */
        uint16_t port;
};

int64_t server_now_ms(void);
int source_add(struct source *s, uint32_t events);
void source_change(struct source *s, uint32_t events);
void source_close(struct source *s);

/* serve.c: who asked over UDP gets this. */
void server_send_udp(const struct asker *a, const uint8_t *data, size_t size);
/* Serve until no daemon and nobody to serve is left. listen_fd: the socket in the run root. */
int server_run(int listen_fd, struct err *err);

/* sockets.c: the two of a network, in dns_network.sockets, or of a container's loopback. They take over the fds. */
int sockets_open(struct server *s, struct dns_network *n, int udp_fd, int tcp_fd);
void sockets_close(struct dns_network *n);

/* The same on the loopback of one container. It takes over the fds; udp and tcp −1: those that are there stay; process −1: it is not known. 0,
 * DNS_NEEDS_SOCKETS, negative errno. They go with the process, and when somebody in there ends them. */
int local_set(struct server *s, const char *container, int udp_fd, int tcp_fd, int process_fd);
void local_drop(struct server *s, const char *container);
/* For DNS_BEGIN and DNS_END. */
void local_begin(struct server *s);
void local_end(struct server *s);

/* tcp.c. `a` is filled but for the address that the connection comes from (and of a gateway's also who that is). */
void tcp_accept(struct server *s, const struct asker *a, int listen_fd);
void tcp_answer(struct tcp_client *c, const uint8_t *data, size_t size); /* of what was handed on; the client may be freed by it */
void tcp_network_gone(struct server *s, const struct dns_network *n);
void tcp_local_gone(struct server *s, const struct local *l);
void tcp_expire(struct server *s, int64_t now_ms);

/* forward.c: hand the question to another server. `client` NULL: asked over UDP. False: too much is under way, or there is
 * nobody to ask; nothing was sent. */
bool forward_begin(struct server *s, const struct asker *a, struct tcp_client *client, const struct dns_question *q, const uint8_t *query, size_t size);
void forward_client_gone(struct server *s, const struct tcp_client *client);
void forward_network_gone(struct server *s, const struct dns_network *n);
void forward_local_gone(struct server *s, const struct local *l);
void forward_expire(struct server *s, int64_t now_ms);
