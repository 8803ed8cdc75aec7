/* SPDX-License-Identifier: Apache-2.0 */

/* The bridge, made at its first use or found as an earlier daemon left it. Every step can have been the last one of a daemon that was
 * killed: so each is done only when its result is not there yet. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "network/firewall.h"
#include "network/internal.h"
#include "network/netns.h"

#define IP_FORWARD "/proc/sys/net/ipv4/ip_forward"

enum { DEFAULT_MTU = 1500 };

int link_disable_ipv6(const char *name) {
        char path[96];
        int r;

        snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
        r = netns_sysctl(path, "1");
        return r == -ENOENT ? 0 : r;
}

static uint32_t mtu_of_default_route(struct rtnl *n) {
        struct link l;
        int index;

        if (default_route_link(n, &index) < 0 || link_find_index(n, index, &l) < 0 || l.mtu == 0)
                return DEFAULT_MTU;
        return l.mtu;
}

struct pool_search {
        const struct network_host *h;
        bool taken[POOLS_MAX];
};

static int mark_taken(const struct subnet *used, void *data) {
        struct pool_search *s = data;

        for (size_t i = 0; i < s->h->n_pools; i++)
                s->taken[i] |= subnet_overlaps(used, &s->h->pools[i]);
        return 0;
}

static int choose_subnet(struct network_host *h, struct rtnl *n, struct err *err) {
        struct pool_search s = { .h = h };
        int r = subnets_in_use(n, mark_taken, &s);

        if (r < 0)
                return rtnl_error(n, r, err, "bridge %s: listing the routes of this host", h->bridge);
        for (size_t i = 0; i < h->n_pools; i++)
                if (!s.taken[i]) {
                        r = address_pool_init(&h->pool, &h->pools[i], h->pools[i].base + 1);
                        return r < 0 ? err_errno(err, r, "bridge %s: addresses", h->bridge) : 0;
                }
        return err_set(err, ERR_CONFLICT, -EADDRINUSE,
                "bridge %s: each of the %zu address pools collides with a route of this host: choose one with --address-pool", h->bridge, h->n_pools);
}

static int adopt_subnet(struct network_host *h, uint32_t gateway, uint8_t prefix, struct err *err) {
        struct subnet s = { gateway & subnet_mask(prefix), prefix };
        char text[SUBNET_TEXT];
        int r;

        subnet_format(&s, text);
        if (h->pool.owners) {
                if (h->pool.gateway == gateway && h->pool.subnet.prefix == prefix)
                        return 0;
                return err_set(err, ERR_CONFLICT, -EBUSY, "bridge %s: somebody has changed its address to one of %s", h->bridge, text);
        }
        r = address_pool_init(&h->pool, &s, gateway);
        if (r == -ERANGE)
                return err_set(err, ERR_CONFLICT, r, "bridge %s: is there already, and has %s: must be between /%d and /%d", h->bridge, text,
                        SUBNET_PREFIX_MIN, SUBNET_PREFIX_MAX);
        return r < 0 ? err_errno(err, r, "bridge %s: addresses", h->bridge) : 0;
}

static int find_or_add_link(struct network_host *h, struct rtnl *n, struct link *ret, struct err *err) {
        int r = link_find(n, h->bridge, ret);

        if (r == -ENODEV) {
                uint8_t mac[6] = { 0x02, 0x42 };

                /* Any will do that stays the same: the name's own, since there is no address yet. */
                for (size_t i = 0; h->bridge[i]; i++)
                        mac[2 + i % 4] = (uint8_t) (mac[2 + i % 4] * 31 + (unsigned char) h->bridge[i]);
                r = link_add_bridge(n, h->bridge, h->mtu_wanted ? h->mtu_wanted : mtu_of_default_route(n), mac);
                if (r < 0 && r != -EEXIST)
                        return rtnl_error(n, r, err, "bridge %s: making it", h->bridge);
                r = link_find(n, h->bridge, ret);
        }
        if (r < 0)
                return rtnl_error(n, r, err, "bridge %s", h->bridge);
        if (strcmp(ret->kind, "bridge") != 0)
                return err_set(err, ERR_CONFLICT, -EEXIST, "bridge %s: this host has a link of that name that is no bridge", h->bridge);
        return 0;
}

static int give_address(struct network_host *h, struct rtnl *n, int index, struct err *err) {
        uint32_t gateway;
        uint8_t prefix;
        int r = address_find(n, index, &gateway, &prefix);

        if (r == 0)
                return adopt_subnet(h, gateway, prefix, err);
        if (r != -ENODATA)
                return rtnl_error(n, r, err, "bridge %s: its address", h->bridge);
        if (!h->pool.owners) {
                r = choose_subnet(h, n, err);
                if (r < 0)
                        return r;
        }
        r = address_add(n, index, h->pool.gateway, h->pool.subnet.prefix);
        return r < 0 ? rtnl_error(n, r, err, "bridge %s: giving it an address", h->bridge) : 0;
}

/* Written only when it is off: the host's setting, and on some hosts a read-only one. */
static int forward_ipv4(struct err *err) {
        auto_fd fd = open(IP_FORWARD, O_RDONLY | O_CLOEXEC);
        char value = '0';
        int r;

        if (fd < 0 || fd_read_all(fd, &value, 1) < 0)
                return err_errno(err, errno, IP_FORWARD);
        if (value != '0')
                return 0;
        r = netns_sysctl(IP_FORWARD, "1");
        return r < 0 ? err_errno(err, r, "switching IPv4 forwarding on: " IP_FORWARD) : 0;
}

static struct firewall firewall_of(const struct network_host *h) {
        return (struct firewall) { .bridge = h->bridge, .subnet = h->pool.subnet, .nat = h->nat };
}

static int make_ready(struct network_host *h, struct err *err) {
        auto_rtnl n = { .fd = -EBADF };
        struct firewall firewall;
        struct link bridge;
        int r = rtnl_open(&n);

        if (r < 0)
                return err_errno(err, r, "netlink socket");
        if (h->netfilter.fd < 0 && (r = rtnl_open_netfilter(&h->netfilter)) < 0)
                return err_set(err, ERR_UNSUPPORTED, r, "bridge %s: this kernel has no netfilter netlink: %s", h->bridge, strerror(-r));
        r = find_or_add_link(h, &n, &bridge, err);
        if (r < 0)
                return r;
        r = link_disable_ipv6(h->bridge); /* before it is up: no address of its own, and deaf to router advertisements of containers */
        if (r < 0)
                return err_errno(err, r, "bridge %s: switching IPv6 off", h->bridge);
        r = give_address(h, &n, bridge.index, err);
        if (r < 0)
                return r;
        /* The table before the first packet can pass. */
        firewall = firewall_of(h);
        r = firewall_apply(&firewall, err);
        if (r == 0)
                r = forward_ipv4(err);
        if (r < 0)
                return r;
        r = link_set_up(&n, h->bridge);
        if (r < 0)
                return rtnl_error(&n, r, err, "bridge %s: switching it on", h->bridge);
        h->bridge_index = bridge.index;
        h->mtu = h->mtu_wanted ? h->mtu_wanted : bridge.mtu;
        h->ready = true;
        return 0;
}

int bridge_ensure(struct network_host *h, struct bridge_state *ret, struct err *err) {
        int r = 0;

        pthread_mutex_lock(&h->lock);
        if (!h->ready) {
                r = make_ready(h, err);
        } else {
                struct firewall f = firewall_of(h);

                if (!firewall_is_intact(&f, &h->netfilter))
                        r = firewall_apply(&f, err);
        }
        if (r == 0)
                *ret = (struct bridge_state) { h->bridge_index, h->mtu, h->pool.subnet, h->pool.gateway };
        pthread_mutex_unlock(&h->lock);
        return r;
}

void bridge_forget(struct network_host *h, int index) {
        pthread_mutex_lock(&h->lock);
        if (h->bridge_index == index)
                h->ready = false;
        pthread_mutex_unlock(&h->lock);
}
