/* SPDX-License-Identifier: Apache-2.0 */

/* Ports of the host that lead to containers. Who has which is kept here, sorted, and in the table's two maps; a change touches only its own elements. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "network/firewall.h"
#include "network/internal.h"
#include "network/netns.h"

#define BRIDGE_NETFILTER6 "/proc/sys/net/bridge/bridge-nf-call-ip6tables"

enum { PUBLISHED_MAX = 65536, RANDOM_FIRST = 32768, RANDOM_LAST = 60999 };

struct published {
        struct firewall_port port; /* sorted by host_port, then protocol, then host_address */
        char owner[65];
        char bridge[16];
};

static int compare(const struct firewall_port *a, const struct firewall_port *b) {
        if (a->host_port != b->host_port)
                return a->host_port < b->host_port ? -1 : 1;
        if (a->protocol != b->protocol)
                return a->protocol < b->protocol ? -1 : 1;
        return memcmp(a->host_address.b, b->host_address.b, sizeof(a->host_address.b));
}

/* The first that is not before. */
static size_t position(const struct published_ports *all, const struct firewall_port *p) {
        size_t low = 0, high = all->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (compare(&all->v[middle].port, p) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static int insert(struct published_ports *all, const struct firewall_port *p, const char *owner, const char *bridge) {
        size_t at = position(all, p);

        if (all->n == all->room) {
                size_t room = all->room ? all->room * 2 : 64;
                struct published *grown = room > PUBLISHED_MAX * 2 ? NULL : reallocarray(all->v, room, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                all->v = grown;
                all->room = room;
        }
        memmove(&all->v[at + 1], &all->v[at], (all->n - at) * sizeof(*all->v));
        all->v[at] = (struct published) { .port = *p };
        snprintf(all->v[at].owner, sizeof(all->v[at].owner), "%s", owner);
        snprintf(all->v[at].bridge, sizeof(all->v[at].bridge), "%s", bridge);
        all->n++;
        return 0;
}

static bool address_conflicts(const struct address6 *a, const struct address6 *b) {
        return address6_is_ipv4(a) == address6_is_ipv4(b) && (address6_is_any(a) || address6_is_any(b) || address6_equal(a, b));
}

/* The same port for the same protocol, on the same address or when one of the two is on all of its kind. NULL: it is free. */
static const struct published *find_conflict(const struct published_ports *all, const struct firewall_port *p) {
        struct firewall_port first = { .protocol = p->protocol, .host_port = p->host_port };

        for (size_t i = position(all, &first); i < all->n && all->v[i].port.host_port == p->host_port && all->v[i].port.protocol == p->protocol; i++)
                if (address_conflicts(&p->host_address, &all->v[i].port.host_address))
                        return &all->v[i];
        return NULL;
}

/* Does a process of the host listen there? What cannot be tried (a protocol that the kernel lacks) is taken for free. */
static int try_bind(const struct firewall_port *p) {
        const struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(p->host_port), .sin_addr.s_addr = htonl(address6_ipv4(&p->host_address)) };
        struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(p->host_port) };
        bool ipv6 = !address6_is_ipv4(&p->host_address);
        auto_fd fd = socket(ipv6 ? AF_INET6 : AF_INET, (p->protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, p->protocol);

        if (fd < 0)
                return 0;
        if (p->protocol != IPPROTO_UDP) /* connections that are gone do not count */
                setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int) { 1 }, sizeof(int));
        if (!ipv6)
                return bind(fd, (const struct sockaddr *) &a, sizeof(a)) < 0 ? -errno : 0;
        memcpy(&a6.sin6_addr, p->host_address.b, sizeof(a6.sin6_addr));
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int) { 1 }, sizeof(int));
        return bind(fd, (struct sockaddr *) &a6, sizeof(a6)) < 0 ? -errno : 0;
}

static int refuse(const struct firewall_port *p, int num, const char *why, struct err *err) {
        bool ipv4 = address6_is_ipv4(&p->host_address);
        char address[ADDRESS6_TEXT];

        address6_format(&p->host_address, address);
        return err_set(err, num == -EADDRINUSE ? ERR_CONFLICT : ERR_INVALID, num, "Bind for %s%s%s:%u failed: %s", ipv4 ? "" : "[", address, ipv4 ? "" : "]", p->host_port, why);
}

static int check_port(struct network_host *h, const struct firewall_port *p, char owner[65], struct err *err) {
        const struct published *other = find_conflict(&h->ports, p);
        int r;

        if (other) {
                memcpy(owner, other->owner, 65);
                return refuse(p, -EADDRINUSE, "port is already allocated", err);
        }
        r = try_bind(p);
        if (r == -EADDRINUSE)
                return refuse(p, r, p->host_port == 53 ? "port is already allocated: a process of this host listens there (kist-dns answers on the gateways of networks: choose another address)"
                                                    : "port is already allocated: a process of this host listens there", err);
        if (r == -EADDRNOTAVAIL)
                return refuse(p, r, "this host has no such address", err);
        return r < 0 ? refuse(p, r, strerror(-r), err) : 0;
}

/* One of first … last; 0 … 0: any of those that the host uses for itself, from where the last search ended. The same for both when there are two. */
static int choose_port(struct network_host *h, const struct network_port *asked, struct firewall_port *p, struct firewall_port *second, char owner[65], struct err *err) {
        bool any = asked->host_first == 0;
        uint32_t first = any ? RANDOM_FIRST : asked->host_first, last = any ? RANDOM_LAST : asked->host_last, count = last - first + 1;
        uint32_t start = any ? h->ports.next_random % count : 0;
        int r = -EADDRINUSE;

        for (uint32_t i = 0; i < count; i++) {
                p->host_port = (uint16_t) (first + (start + i) % count);
                r = check_port(h, p, owner, err);
                if (r == 0 && second) {
                        second->host_port = p->host_port;
                        r = check_port(h, second, owner, err);
                }
                if (r == 0 && any)
                        h->ports.next_random = (start + i + 1) % count;
                if (r != -EADDRINUSE)
                        return r;
        }
        if (count > 1)
                return err_set(err, ERR_CONFLICT, r, "all ports of %u-%u are allocated", first, last);
        return r;
}

bool ports_has_bridge(const struct published_ports *all, const char *bridge) {
        for (size_t i = 0; i < all->n; i++)
                if (!strcmp(all->v[i].bridge, bridge))
                        return true;
        return false;
}

static size_t take_out(struct published_ports *all, const char *owner, struct firewall_port *ret) {
        size_t kept = 0, n = 0;

        for (size_t i = 0; i < all->n; i++) {
                if (strcmp(all->v[i].owner, owner) != 0)
                        all->v[kept++] = all->v[i];
                else if (ret)
                        ret[n++] = all->v[i].port;
                else
                        n++;
        }
        all->n = kept;
        return n;
}

/* The host's own packets to 127.0.0.1 are to leave by the bridge: the kernel wants to be told. What comes in from there with such an address is
 * dropped by the table's chain "guard". */
static int route_loopback(const char *bridge) {
        char path[96];

        snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/route_localnet", bridge);
        return netns_sysctl(path, "1");
}

/* A container that asks for its own published port: with br_netfilter (other engines switch it on) the packet turns round in the bridge itself. */
static int let_turn_round(const struct network_endpoint *e) {
        auto_rtnl n = { .fd = -EBADF };
        int r = rtnl_open(&n);

        return r < 0 ? r : link_reflect(&n, e->host_link);
}

bool ports_by_loopback6(void) {
        auto_fd fd = open(BRIDGE_NETFILTER6, O_RDONLY | O_CLOEXEC);
        char value = '0';

        return fd < 0 || fd_read_all(fd, &value, 1) < 0 || value == '0';
}

/* An answer to ::1 comes back by the bridge. */
static int route_loopback6(const char *bridge) {
        auto_rtnl n = { .fd = -EBADF };
        struct link l;
        int r = rtnl_open(&n);

        if (r == 0)
                r = link_find(&n, bridge, &l);
        return r < 0 ? r : loopback6_route_add(&n, l.index);
}

static int check_loopback6(const struct firewall_port *p, struct err *err) {
        static const struct address6 loopback = { .b = { [15] = 1 } };

        if (!address6_equal(&p->host_address, &loopback) || ports_by_loopback6())
                return 0;
        return refuse(p, -EOPNOTSUPP, "while " BRIDGE_NETFILTER6 " is 1, the kernel drops what a container answers to ::1", err);
}

/* What is published on both kinds of addresses. */
static int fill_ports(const struct network_endpoint *e, const struct network_port *asked, struct firewall_port ret[2], size_t *ret_n, struct err *err) {
        struct firewall_port p = { .protocol = asked->protocol, .port = asked->inside, .host_address = address6_of_ipv4(0) };
        bool ipv6;
        int r;

        if (*asked->host_address && (r = address_any_parse(asked->host_address, &p.host_address)) < 0)
                return err_set(err, ERR_INVALID, r, "invalid IP address: %s", asked->host_address);
        ipv6 = !address6_is_ipv4(&p.host_address);
        if (ipv6 && !*e->address6)
                return err_set(err, ERR_INVALID, -EAFNOSUPPORT, "publishing on [%s]: the network of the container has no IPv6 (network create --ipv6)", asked->host_address);
        r = address_any_parse(ipv6 ? e->address6 : e->address, &p.address);
        if (r < 0)
                return err_errno(err, r, "publishing ports");
        ret[0] = p;
        *ret_n = 1;
        if (*asked->host_address || !*e->address6)
                return 0;
        p.host_address = (struct address6) { 0 };
        r = address6_parse(e->address6, &p.address);
        ret[(*ret_n)++] = p;
        return r < 0 ? err_errno(err, r, "publishing ports") : 0;
}

/* *ret_n of *ret are in the list then, also when it fails. */
static int reserve_port(struct network_host *h, const char *id, const struct network_endpoint *e, struct network_port *asked, struct firewall_port *ret, size_t *ret_n, char owner[65],
                        struct err *err) {
        size_t n = 0;
        int r = fill_ports(e, asked, ret, &n, err);

        *ret_n = 0;
        if (r == 0 && (r = check_loopback6(&ret[0], err)) == 0)
                r = choose_port(h, asked, &ret[0], n > 1 ? &ret[1] : NULL, owner, err);
        for (; *ret_n < n && r == 0; *ret_n += r == 0)
                if ((r = insert(&h->ports, &ret[*ret_n], id, e->bridge)) < 0)
                        err_errno(err, r, "publishing ports");
        return r;
}

static void take_out_these(struct published_ports *all, const char *owner, const struct firewall_port *v, size_t n) {
        for (size_t i = 0; i < n; i++) {
                size_t at = position(all, &v[i]);

                if (at < all->n && compare(&all->v[at].port, &v[i]) == 0 && !strcmp(all->v[at].owner, owner))
                        memmove(&all->v[at], &all->v[at + 1], (--all->n - at) * sizeof(*all->v));
        }
}

static int open_ways(struct network_host *h, const struct network_endpoint *e, struct err *err) {
        const struct bridge_network *b = network_find_locked(h, e->bridge);
        int r = route_loopback(e->bridge);

        if (r == 0 && b)
                r = chain_route_loopback(b);
        if (r < 0)
                return err_errno(err, r, "bridge %s: route_localnet", e->bridge);
        if (*e->address6 && (r = route_loopback6(e->bridge)) < 0)
                return err_errno(err, r, "bridge %s: a route for ::1", e->bridge);
        r = let_turn_round(e);
        return r < 0 ? err_errno(err, r, "link %s: hairpin mode", e->host_link) : 0;
}

static int publish_locked(struct network_host *h, const char *id, const struct network_endpoint *e, struct network_port *ports, size_t n, char owner[65], struct err *err) {
        auto_free struct firewall_port *chosen = calloc(n * 2, sizeof(*chosen));
        size_t done = 0, n_chosen = 0;
        int r = chosen ? 0 : err_errno(err, -ENOMEM, "publishing ports");

        for (; done < n && r == 0; done++) {
                size_t added = 0;

                r = reserve_port(h, id, e, &ports[done], &chosen[n_chosen], &added, owner, err);
                if (r == 0)
                        ports[done].host_first = ports[done].host_last = chosen[n_chosen].host_port;
                n_chosen += added;
        }
        if (r == 0)
                r = open_ways(h, e, err);
        if (r == 0)
                r = firewall_add_ports(h->bridge, &h->netfilter, chosen, n_chosen, err);
        if (r < 0 && chosen)
                take_out_these(&h->ports, id, chosen, n_chosen);
        return r;
}

int network_publish(struct network_host *h, const char *id, const struct network_endpoint *e, struct network_port *ports, size_t n, char owner[65], struct err *err) {
        int r;

        owner[0] = '\0';
        if (n == 0)
                return 0;
        pthread_mutex_lock(&h->lock);
        r = publish_locked(h, id, e, ports, n, owner, err);
        pthread_mutex_unlock(&h->lock);
        return r;
}

void network_unpublish(struct network_host *h, const char *id) {
        auto_free struct firewall_port *gone = NULL;
        size_t n = 0;

        pthread_mutex_lock(&h->lock);
        for (size_t i = 0; i < h->ports.n; i++)
                n += !strcmp(h->ports.v[i].owner, id);
        gone = n ? calloc(n, sizeof(*gone)) : NULL;
        if (n)
                take_out(&h->ports, id, gone);
        if (gone && firewall_remove_ports(h->bridge, &h->netfilter, gone, n, NULL) < 0)
                network_apply_firewall(h, NULL);
        pthread_mutex_unlock(&h->lock);
        /* A sender that never pauses would go on to an address that is nobody's, also when the port is another's. */
        for (size_t i = 0; gone && i < n; i++)
                if (gone[i].protocol != IPPROTO_TCP) {
                        conntrack_forget(gone, n);
                        break;
                }
}

int network_unpublish_some(struct network_host *h, const char *id, const struct network_endpoint *e, const struct network_port *ports, size_t n, struct err *err) {
        auto_free struct firewall_port *gone = calloc(n * 2 + 1, sizeof(*gone));
        size_t n_gone = 0;
        int r = gone ? 0 : err_errno(err, -ENOMEM, "published ports");

        for (size_t i = 0; i < n && r == 0; i++) {
                size_t added = 0;

                r = fill_ports(e, &ports[i], &gone[n_gone], &added, err);
                for (size_t k = 0; k < added; k++)
                        gone[n_gone++].host_port = ports[i].host_first;
        }
        if (r < 0)
                return r;
        pthread_mutex_lock(&h->lock);
        take_out_these(&h->ports, id, gone, n_gone);
        if (firewall_remove_ports(h->bridge, &h->netfilter, gone, n_gone, NULL) < 0)
                r = network_apply_firewall(h, err);
        pthread_mutex_unlock(&h->lock);
        if (r == 0 && (r = conntrack_forget(gone, n_gone)) < 0)
                err_errno(err, r, "ending connections of ports that are published no more");
        return r;
}

static int publish_again(struct network_host *h, const char *id, const struct network_endpoint *e, const struct network_port *p) {
        struct firewall_port v[2];
        size_t n;
        int r = fill_ports(e, p, v, &n, NULL);

        for (size_t i = 0; i < n && r == 0; i++) {
                v[i].host_port = p->host_first;
                r = find_conflict(&h->ports, &v[i]) ? -EADDRINUSE : insert(&h->ports, &v[i], id, e->bridge);
        }
        return r;
}

int network_publish_again(struct network_host *h, const char *id, const struct network_endpoint *e, const struct network_port *ports, size_t n, struct err *err) {
        int r = 0;

        pthread_mutex_lock(&h->lock);
        for (size_t i = 0; i < n && r == 0; i++)
                r = publish_again(h, id, e, &ports[i]);
        pthread_mutex_unlock(&h->lock);
        return r < 0 ? err_errno(err, r, "container %.12s: its published ports", id) : 0;
}

int network_refresh(struct network_host *h, struct err *err) {
        auto_rtnl netfilter = { .fd = -EBADF }, n = { .fd = -EBADF };
        int r = rtnl_open_netfilter(&netfilter);

        if (r < 0 || rtnl_open(&n) < 0 || !firewall_is_intact(h->bridge, &netfilter)) /* nothing is there: the first endpoint makes it */
                return 0;
        pthread_mutex_lock(&h->lock);
        for (size_t i = 0; i < h->n_networks; i++)
                chain_trim(h, h->networks[i], &n);
        r = network_apply_firewall(h, err);
        pthread_mutex_unlock(&h->lock);
        return r;
}

const struct firewall_port *published_port(const struct published_ports *all, size_t i) {
        return &all->v[i].port;
}

void published_ports_done(struct published_ports *all) {
        free(all->v);
}
