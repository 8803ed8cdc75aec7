/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/client-internal.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"

#define SOCKET_NAME "dns.sock"

enum { PORT = 53, ANSWER_TIMEOUT_MS = 5000, BACKLOG = 64, RESTART_PAUSE_MS = 1000 };

/* --- the process --- */

static void reap(struct dns_client *c) {
        if (c->pid > 0 && waitpid(c->pid, NULL, WNOHANG) != 0)
                c->pid = 0;
}

void dns_hang_up(struct dns_client *c) {
        c->sock = fd_close(c->sock);
        reap(c);
}

/* Through /proc/self/fd: the run root may lie deeper than a socket's address is long. */
static void socket_address(const struct dns_client *c, struct sockaddr_un *ret) {
        *ret = (struct sockaddr_un) { .sun_family = AF_UNIX };
        snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/" SOCKET_NAME, c->dir_fd);
}

/* Whoever listened was root of this host, or it is not ours. */
static int dial(struct dns_client *c) {
        const struct timeval limit = { .tv_sec = ANSWER_TIMEOUT_MS / 1000 };
        auto_fd fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        struct sockaddr_un a;
        struct ucred peer;
        socklen_t size = sizeof(peer);

        socket_address(c, &a);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
            connect(fd, (struct sockaddr *) &a, sizeof(a)) < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return -errno;
        if (peer.uid != 0)
                return -EPERM;
        c->sock = move_fd(fd);
        return 0;
}

static int start_process(struct dns_client *c, struct err *err) {
        char *const argv[] = { (char *) "kist-dns", NULL };
        auto_fd program = -EBADF, listening = -EBADF;
        struct sockaddr_un a;
        int r;

        reap(c);
        r = proc_open_program("kist-dns", &program, err);
        if (r < 0)
                return r;
        socket_address(c, &a);
        unlinkat(c->dir_fd, SOCKET_NAME, 0);
        listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (listening < 0 || fchmod(listening, 0600) < 0 || bind(listening, (struct sockaddr *) &a, sizeof(a)) < 0 || listen(listening, BACKLOG) < 0)
                return err_errno(err, -errno, "socket of kist-dns");
        const struct proc_spawn spawn = { .exe_fd = program, .argv = argv, .stdio = { -1, -1, STDERR_FILENO }, .fds = &listening, .n_fds = 1 };
        r = proc_spawn(&spawn, &c->pid, NULL, err);
        if (r < 0)
                return r;
        r = dial(c);
        return r < 0 ? err_errno(err, r, "kist-dns") : 0;
}

/* --- messages --- */

int dns_say(struct dns_client *c, const struct dns_message *m, const int *fds, size_t n_fds) {
        return fd_send(c->sock, m, sizeof(*m), fds, n_fds);
}

static int say_type(struct dns_client *c, enum dns_message_type type) {
        const struct dns_message m = { .type = type };

        return dns_say(c, &m, NULL, 0);
}

int dns_hear(struct dns_client *c) {
        struct dns_answer a;
        ssize_t n;

        do
                n = recv(c->sock, &a, sizeof(a), 0);
        while (n < 0 && errno == EINTR);
        if (n != sizeof(a))
                return n < 0 ? -errno : -EPIPE;
        return a.result;
}

/* On the gateway's address, and for what comes in by the bridge only: no other network and nobody outside reaches it, wherever they route to. */
static int bind_one(int type, const struct known_network *n, int *ret) {
        const struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(n->m.address) };
        auto_fd fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int on = 1;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, n->bridge, (socklen_t) strlen(n->bridge)) < 0 ||
            setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0)
                return -errno;
        if (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
                return -errno;
        if (bind(fd, (const struct sockaddr *) &a, sizeof(a)) < 0 || (type == SOCK_STREAM && listen(fd, BACKLOG) < 0))
                return -errno;
        *ret = move_fd(fd);
        return 0;
}

static int tell_network(struct dns_client *c, struct known_network *n, struct err *err) {
        auto_fd udp = -EBADF, tcp = -EBADF;
        int r;

        n->m.index = *n->bridge ? (int32_t) if_nametoindex(n->bridge) : DNS_NO_BRIDGE;
        n->served = false;
        r = dns_say(c, &n->m, NULL, 0);
        if (r == 0)
                r = dns_hear(c);
        if (r == DNS_NEEDS_SOCKETS) {
                r = bind_one(SOCK_DGRAM, n, &udp);
                if (r == 0)
                        r = bind_one(SOCK_STREAM, n, &tcp);
                if (r < 0)
                        return err_errno(err, r, "network %s: port 53 of its gateway", n->m.text);
                r = dns_say(c, &n->m, (int[]) { udp, tcp }, 2);
                if (r == 0)
                        r = dns_hear(c);
        }
        n->served = r == 0;
        return r < 0 ? err_errno(err, r, "kist-dns: network %s", n->m.text) : 0;
}

static int tell_endpoint(struct dns_client *c, const struct known_endpoint *p) {
        struct dns_message m = p->m;
        int r = dns_say(c, &m, NULL, 0);

        m.type = DNS_NAME;
        for (size_t i = 0; i < p->n_names && r == 0; i++) {
                snprintf(m.text, sizeof(m.text), "%s", p->names[i]);
                r = dns_say(c, &m, NULL, 0);
        }
        return r;
}

bool dns_is_lost(int r) {
        return r == -EPIPE || r == -ECONNRESET || r == -EAGAIN || r == -ENOTCONN || r == -EBADF;
}

/* Everything; what is not said again is forgotten there. A network whose port is another's costs its own names, and no other's; so does a container that has ended. */
static int tell_all(struct dns_client *c, struct err *err) {
        int r = say_type(c, DNS_BEGIN);
        struct err why;

        for (size_t i = 0; i < c->n_networks && r == 0; i++) {
                r = tell_network(c, &c->networks[i], &why);
                if (r < 0 && !dns_is_lost(r)) {
                        log_warning("%s", why.msg);
                        r = 0;
                }
        }
        for (size_t i = 0; i < c->n_endpoints && r == 0; i++)
                r = tell_endpoint(c, &c->endpoints[i]);
        for (size_t i = 0; i < c->n_locals && r == 0; i++) {
                r = dns_tell_local(c, &c->locals[i], -EBADF, &why);
                if (r < 0 && !dns_is_lost(r)) {
                        log_warning("%s", why.msg);
                        r = 0;
                }
        }
        if (r == 0 && (r = say_type(c, DNS_END)) == 0 && (r = say_type(c, DNS_SYNC)) == 0)
                r = dns_hear(c);
        if (r < 0)
                dns_hang_up(c);
        return r < 0 ? err_errno(err, r, "kist-dns") : 0;
}

static void *watch(void *arg);

/* The process is there, and knows all. lock is held. */
int dns_ensure(struct dns_client *c, struct err *err) {
        int r;

        if (c->sock >= 0)
                return 0;
        if (dial(c) == 0 && tell_all(c, NULL) == 0)
                r = 0;
        else {
                dns_hang_up(c);
                r = start_process(c, err);
                if (r == 0)
                        r = tell_all(c, err);
        }
        if (r == 0 && !c->watching) {
                c->watching = pthread_create(&c->thread, NULL, watch, c) == 0;
                if (!c->watching)
                        log_warning("kist-dns is not watched: no thread");
        }
        eventfd_write(c->wake_fd, 1);
        return r;
}

/* Waits for the process to die, and has it back then. What cannot be is tried again with the next endpoint, and every second while there are any. */
static void *watch(void *arg) {
        struct dns_client *c = arg;

        for (;;) {
                struct pollfd p[2] = { { c->wake_fd, POLLIN, 0 }, { -1, 0, 0 } };
                bool lost;

                pthread_mutex_lock(&c->lock);
                p[1].fd = c->sock >= 0 ? fcntl(c->sock, F_DUPFD_CLOEXEC, 0) : -1;
                lost = c->sock < 0 && c->n_endpoints;
                pthread_mutex_unlock(&c->lock);
                poll(p, 2, lost ? RESTART_PAUSE_MS : -1);
                if (p[0].revents) {
                        eventfd_t ignored;

                        eventfd_read(c->wake_fd, &ignored);
                }
                fd_close(p[1].fd);
                pthread_mutex_lock(&c->lock);
                if (c->stopping) {
                        pthread_mutex_unlock(&c->lock);
                        return NULL;
                }
                if (p[1].revents & (POLLHUP | POLLERR)) {
                        struct pollfd now = { c->sock, 0, 0 };

                        if (c->sock >= 0 && poll(&now, 1, 0) > 0) {
                                log_error("kist-dns died%s", c->n_endpoints ? ": starting it again" : "");
                                if (c->pid > 0)
                                        waitpid(c->pid, NULL, 0);
                                c->pid = 0;
                                dns_hang_up(c);
                        }
                }
                if (c->sock < 0 && c->n_endpoints) {
                        struct err err;

                        if (dns_ensure(c, &err) < 0)
                                log_error("%s", err.msg);
                }
                pthread_mutex_unlock(&c->lock);
        }
}

/* --- what is known --- */

static int fill_network(const struct dns_client_network *n, struct known_network *ret, struct err *err) {
        struct in_addr a;

        *ret = (struct known_network) { .m = { .type = DNS_NETWORK, .prefix = n->prefix, .internal = n->internal } };
        if (inet_pton(AF_INET, n->gateway, &a) != 1)
                return err_set(err, ERR_INVALID, -EINVAL, "network %s: its gateway \"%s\" is no address", n->name, n->gateway);
        ret->m.address = ntohl(a.s_addr);
        if (n->gateway6 && inet_pton(AF_INET6, n->gateway6, ret->m.address6) == 1)
                ret->m.prefix6 = n->prefix6;
        snprintf(ret->m.network, sizeof(ret->m.network), "%s", n->id);
        snprintf(ret->m.text, sizeof(ret->m.text), "%s", n->name);
        snprintf(ret->bridge, sizeof(ret->bridge), "%s", n->bridge ? n->bridge : "");
        return 0;
}

static void endpoint_done(struct known_endpoint *p) {
        for (size_t i = 0; i < p->n_names; i++)
                free(p->names[i]);
        free(p->names);
        *p = (struct known_endpoint) { .names = NULL };
}

static int fill_endpoint(const char *network, const struct dns_client_endpoint *p, struct known_endpoint *ret, struct err *err) {
        struct in_addr a;

        *ret = (struct known_endpoint) { .m = { .type = DNS_ENDPOINT } };
        if (inet_pton(AF_INET, p->address, &a) != 1)
                return err_set(err, ERR_INVALID, -EINVAL, "container %.12s: \"%s\" is no address", p->container, p->address);
        ret->m.address = ntohl(a.s_addr);
        ret->m.prefix6 = p->address6 && inet_pton(AF_INET6, p->address6, ret->m.address6) == 1;
        snprintf(ret->m.network, sizeof(ret->m.network), "%s", network);
        snprintf(ret->m.container, sizeof(ret->m.container), "%s", p->container);
        for (size_t i = 0; i < p->n_servers && i < DNS_SERVERS_MAX; i++)
                snprintf(ret->m.servers[ret->m.n_servers++], DNS_SERVER_SIZE, "%s", p->servers[i]);
        ret->names = calloc(p->n_names + 1, sizeof(*ret->names));
        for (size_t i = 0; i < p->n_names && ret->names; i++) {
                ret->names[i] = strdup(p->names[i]);
                if (!ret->names[i])
                        break;
                ret->n_names++;
        }
        if (ret->n_names == p->n_names)
                return 0;
        endpoint_done(ret);
        return err_errno(err, -ENOMEM, "names of container %.12s", p->container);
}

static struct known_network *find_network(struct dns_client *c, const char *id) {
        for (size_t i = 0; i < c->n_networks; i++)
                if (!strcmp(c->networks[i].m.network, id))
                        return &c->networks[i];
        return NULL;
}

static struct known_endpoint *find_endpoint(struct dns_client *c, const char *network, const char *container) {
        for (size_t i = 0; i < c->n_endpoints; i++)
                if (!strcmp(c->endpoints[i].m.container, container) && !strcmp(c->endpoints[i].m.network, network))
                        return &c->endpoints[i];
        return NULL;
}

static int remember(struct dns_client *c, const struct known_network *n, struct known_endpoint *p, struct err *err) {
        struct known_network *network = find_network(c, n->m.network);
        struct known_endpoint *endpoint = find_endpoint(c, n->m.network, p->m.container);

        if (!network) {
                struct known_network *grown = reallocarray(c->networks, c->n_networks + 1, sizeof(*grown));

                if (!grown)
                        return err_errno(err, -ENOMEM, "network %s", n->m.text);
                c->networks = grown;
                network = &grown[c->n_networks++];
        }
        *network = *n;
        if (endpoint) {
                endpoint_done(endpoint);
        } else {
                struct known_endpoint *grown = reallocarray(c->endpoints, c->n_endpoints + 1, sizeof(*grown));

                if (!grown)
                        return err_errno(err, -ENOMEM, "names of container %.12s", p->m.container);
                c->endpoints = grown;
                endpoint = &grown[c->n_endpoints++];
        }
        *endpoint = *p;
        *p = (struct known_endpoint) { .names = NULL };
        return 0;
}

static int tell_one(struct dns_client *c, struct known_network *n, const struct known_endpoint *p, struct err *err) {
        int r = tell_network(c, n, err);

        if (r < 0)
                return r;
        if ((r = tell_endpoint(c, p)) == 0 && (r = say_type(c, DNS_SYNC)) == 0)
                r = dns_hear(c);
        return r < 0 ? err_errno(err, r, "kist-dns") : 0;
}

static int tell(struct dns_client *c, const char *network, const char *container, struct err *err) {
        bool had = c->sock >= 0;
        int r = dns_ensure(c, err);

        if (r == 0)
                r = tell_one(c, find_network(c, network), find_endpoint(c, network, container), err);
        if (r >= 0 || !had || !dns_is_lost(r))
                return r;
        /* It died just now: a new one knows all. */
        dns_hang_up(c);
        r = dns_ensure(c, err);
        return r < 0 ? r : tell_one(c, find_network(c, network), find_endpoint(c, network, container), err);
}

int dns_client_add(struct dns_client *c, const struct dns_client_network *n, const struct dns_client_endpoint *p, struct err *err) {
        struct known_endpoint endpoint;
        struct known_network network;
        int r = fill_network(n, &network, err);

        if (r < 0 || (r = fill_endpoint(n->id, p, &endpoint, err)) < 0)
                return r;
        pthread_mutex_lock(&c->lock);
        r = remember(c, &network, &endpoint, err);
        if (r == 0 && c->begun)
                r = tell(c, n->id, p->container, err);
        pthread_mutex_unlock(&c->lock);
        endpoint_done(&endpoint);
        return r;
}

static void forget_endpoint(struct dns_client *c, struct known_endpoint *p) {
        endpoint_done(p);
        *p = c->endpoints[--c->n_endpoints];
}

static void say_drop(struct dns_client *c, struct dns_message *m, enum dns_message_type type) {
        m->type = type;
        if (c->sock >= 0 && dns_say(c, m, NULL, 0) < 0)
                dns_hang_up(c);
}

/* Is it on a network without a bridge? */
static bool asks_on_loopback(struct dns_client *c, const char *container) {
        for (size_t i = 0; i < c->n_endpoints; i++) {
                const struct known_network *n = !strcmp(c->endpoints[i].m.container, container) ? find_network(c, c->endpoints[i].m.network) : NULL;

                if (n && !*n->bridge)
                        return true;
        }
        return false;
}

void dns_client_drop(struct dns_client *c, const char *network, const char *container) {
        struct known_endpoint *p;

        pthread_mutex_lock(&c->lock);
        p = find_endpoint(c, network, container);
        if (p) {
                struct dns_message m = p->m;

                forget_endpoint(c, p);
                say_drop(c, &m, DNS_ENDPOINT_DROP);
                if (!asks_on_loopback(c, container) && dns_forget_local(c, container))
                        say_drop(c, &m, DNS_LOCAL_DROP);
        }
        pthread_mutex_unlock(&c->lock);
}

void dns_client_drop_network(struct dns_client *c, const char *network) {
        struct known_network *n;

        pthread_mutex_lock(&c->lock);
        n = find_network(c, network);
        if (n) {
                struct dns_message m = n->m;

                *n = c->networks[--c->n_networks];
                for (size_t i = c->n_endpoints; i-- > 0;)
                        if (!strcmp(c->endpoints[i].m.network, m.network))
                                forget_endpoint(c, &c->endpoints[i]);
                say_drop(c, &m, DNS_NETWORK_DROP);
        }
        pthread_mutex_unlock(&c->lock);
}

bool dns_client_serves(struct dns_client *c, const char *network) {
        const struct known_network *n;
        bool served;

        pthread_mutex_lock(&c->lock);
        n = find_network(c, network);
        served = n && n->served;
        pthread_mutex_unlock(&c->lock);
        return served;
}

/* --- its life --- */

int dns_client_new(const char *run_root, dns_open_local_fn open_local, struct dns_client **ret, struct err *err) {
        struct dns_client *c = calloc(1, sizeof(*c));

        if (!c)
                return err_errno(err, -ENOMEM, "names");
        pthread_mutex_init(&c->lock, NULL);
        c->sock = -EBADF;
        c->open_local = open_local;
        c->dir_fd = open(run_root, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (c->dir_fd < 0 || c->wake_fd < 0) {
                int r = err_errno(err, -errno, "%s", run_root);

                dns_client_free(c);
                return r;
        }
        *ret = c;
        return 0;
}

void dns_client_begin(struct dns_client *c) {
        struct err err;

        pthread_mutex_lock(&c->lock);
        c->begun = true;
        if (c->n_endpoints) {
                if (dns_ensure(c, &err) < 0)
                        log_error("%s", err.msg);
        } else if (dial(c) == 0) { /* of an earlier daemon, with nobody to serve: it ends when we have gone */
                tell_all(c, NULL);
                dns_hang_up(c);
        }
        pthread_mutex_unlock(&c->lock);
}

void dns_client_free(struct dns_client *c) {
        if (!c)
                return;
        pthread_mutex_lock(&c->lock);
        c->stopping = true;
        pthread_mutex_unlock(&c->lock);
        if (c->watching) {
                eventfd_write(c->wake_fd, 1);
                pthread_join(c->thread, NULL);
        }
        fd_close(c->sock);
        fd_close(c->wake_fd);
        fd_close(c->dir_fd);
        for (size_t i = 0; i < c->n_endpoints; i++)
                endpoint_done(&c->endpoints[i]);
        while (c->n_locals)
                dns_forget_local(c, c->locals[0].m.container);
        free(c->locals);
        free(c->endpoints);
        free(c->networks);
        pthread_mutex_destroy(&c->lock);
        free(c);
}
