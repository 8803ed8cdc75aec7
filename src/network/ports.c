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
        return a->host_address == b->host_address ? 0 : a->host_address < b->host_address ? -1 : 1;
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

/* The same port for the same protocol, on the same address or when one of the two is on all. NULL: it is free. */
static const struct published *find_conflict(const struct published_ports *all, const struct firewall_port *p) {
        struct firewall_port first = { .protocol = p->protocol, .host_port = p->host_port };

        for (size_t i = position(all, &first); i < all->n && all->v[i].port.host_port == p->host_port && all->v[i].port.protocol == p->protocol; i++)
                if (!p->host_address || !all->v[i].port.host_address || p->host_address == all->v[i].port.host_address)
                        return &all->v[i];
        return NULL;
}

/* Does a process of the host listen there? What cannot be tried (a protocol that the kernel lacks) is taken for free. */
static int try_bind(const struct firewall_port *p) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(p->host_port), .sin_addr.s_addr = htonl(p->host_address) };
        auto_fd fd = socket(AF_INET, (p->protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, p->protocol);

        if (fd < 0)
                return 0;
        if (p->protocol != IPPROTO_UDP) /* connections that are gone do not count */
                setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int) { 1 }, sizeof(int));
        return bind(fd, (struct sockaddr *) &a, sizeof(a)) < 0 ? -errno : 0;
}

static int refuse(const struct firewall_port *p, int num, const char *why, struct err *err) {
        char address[ADDRESS_TEXT];

        address_format(p->host_address, address);
        return err_set(err, num == -EADDRINUSE ? ERR_CONFLICT : ERR_INVALID, num, "Bind for %s:%u failed: %s", address, p->host_port, why);
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
                return refuse(p, r, "port is already allocated: a process of this host listens there", err);
        if (r == -EADDRNOTAVAIL)
                return refuse(p, r, "this host has no such address", err);
        return r < 0 ? refuse(p, r, strerror(-r), err) : 0;
}

/* One of first … last; 0 … 0: any of those that the host uses for itself, from where the last search ended. */
static int choose_port(struct network_host *h, const struct network_port *asked, struct firewall_port *p, char owner[65], struct err *err) {
        bool any = asked->host_first == 0;
        uint32_t first = any ? RANDOM_FIRST : asked->host_first, last = any ? RANDOM_LAST : asked->host_last, count = last - first + 1;
        uint32_t start = any ? h->ports.next_random % count : 0;
        int r = -EADDRINUSE;

        for (uint32_t i = 0; i < count; i++) {
                p->host_port = (uint16_t) (first + (start + i) % count);
                r = check_port(h, p, owner, err);
                if (r == 0 && any)
                        h->ports.next_random = (start + i + 1) % count;
                if (r != -EADDRINUSE)
                        return r;
        }
        if (count > 1)
                return err_set(err, ERR_CONFLICT, r, "all ports of %u-%u are allocated", first, last);
        return r;
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

static int publish_locked(struct network_host *h, const char *id, const struct network_endpoint *e, struct network_port *ports, size_t n, char owner[65], struct err *err) {
        auto_free struct firewall_port *chosen = calloc(n, sizeof(*chosen));
        uint32_t inside = 0;
        int r = chosen ? address_parse(e->address, &inside) : -ENOMEM;

        for (size_t i = 0; i < n && r == 0; i++) {
                chosen[i] = (struct firewall_port) { .protocol = ports[i].protocol, .address = inside, .port = ports[i].inside };
                if (*ports[i].host_address && (r = address_parse(ports[i].host_address, &chosen[i].host_address)) < 0)
                        r = err_set(err, ERR_INVALID, r, "invalid IP address: %s", ports[i].host_address);
                if (r == 0)
                        r = choose_port(h, &ports[i], &chosen[i], owner, err);
                if (r == 0 && (r = insert(&h->ports, &chosen[i], id, e->bridge)) < 0)
                        err_errno(err, r, "publishing ports");
        }
        if (r == 0 && (r = route_loopback(e->bridge)) < 0)
                err_errno(err, r, "bridge %s: route_localnet", e->bridge);
        if (r == 0 && (r = let_turn_round(e)) < 0)
                err_errno(err, r, "link %s: hairpin mode", e->host_link);
        if (r == 0)
                r = firewall_add_ports(h->bridge, chosen, n, err);
        if (r < 0) {
                take_out(&h->ports, id, NULL);
                return r;
        }
        for (size_t i = 0; i < n; i++)
                ports[i].host_first = ports[i].host_last = chosen[i].host_port;
        return 0;
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
        if (gone && firewall_remove_ports(h->bridge, gone, n, NULL) < 0)
                network_apply_firewall(h, NULL);
        pthread_mutex_unlock(&h->lock);
}

int network_publish_again(struct network_host *h, const char *id, const struct network_endpoint *e, const struct network_port *ports, size_t n, struct err *err) {
        uint32_t inside;
        int r = address_parse(e->address, &inside);

        pthread_mutex_lock(&h->lock);
        for (size_t i = 0; i < n && r == 0; i++) {
                struct firewall_port p = { .protocol = ports[i].protocol, .host_port = ports[i].host_first, .address = inside, .port = ports[i].inside };

                if (*ports[i].host_address)
                        r = address_parse(ports[i].host_address, &p.host_address);
                if (r == 0 && find_conflict(&h->ports, &p))
                        r = -EADDRINUSE;
                if (r == 0)
                        r = insert(&h->ports, &p, id, e->bridge);
        }
        pthread_mutex_unlock(&h->lock);
        return r < 0 ? err_errno(err, r, "container %.12s: its published ports", id) : 0;
}

int network_refresh(struct network_host *h, struct err *err) {
        auto_rtnl netfilter = { .fd = -EBADF };
        int r = rtnl_open_netfilter(&netfilter);

        if (r < 0 || !firewall_is_intact(h->bridge, &netfilter)) /* nothing is there: the first endpoint makes it */
                return 0;
        pthread_mutex_lock(&h->lock);
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
