/* SPDX-License-Identifier: Apache-2.0 */

/* The bridge, made at its first use or found as an earlier daemon left it. Every step can have been the last one of a daemon that was
 * killed: so each is done only when its result is not there yet. */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "network/driver.h"
#include "network/firewall.h"
#include "network/netns.h"
#include "network/veth.h"

#define IP_FORWARD "/proc/sys/net/ipv4/ip_forward"
#define IPV6_CONF "/proc/sys/net/ipv6/conf"

enum { DEFAULT_MTU = 1500, PORTS_AT_ONCE = 64 };

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

static int adopt_subnet(struct bridge_network *h, uint32_t gateway, uint8_t prefix, struct err *err) {
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

static int find_or_add_link(struct bridge_network *h, struct rtnl *n, struct link *ret, struct err *err) {
        int r = link_find(n, h->bridge, ret);

        if (r == -ENODEV) {
                uint8_t mac[6] = { 0x02, 0x42 };
                bool made;

                /* Any will do that stays the same: the name's own, since there is no address yet. */
                for (size_t i = 0; h->bridge[i]; i++)
                        mac[2 + i % 4] = (uint8_t) (mac[2 + i % 4] * 31 + (unsigned char) h->bridge[i]);
                r = link_add_bridge(n, h->bridge, mac);
                made = r == 0;
                if (r < 0 && r != -EEXIST)
                        return rtnl_error(n, r, err, "bridge %s: making it", h->bridge);
                r = link_find(n, h->bridge, ret);
                /* Set and not made with it, or it is 1500 again when the last port has gone. */
                if (r == 0 && made) {
                        ret->mtu = h->mtu_wanted ? h->mtu_wanted : mtu_of_default_route(n);
                        r = link_set_mtu(n, ret->index, ret->mtu);
                }
        }
        if (r < 0)
                return rtnl_error(n, r, err, "bridge %s", h->bridge);
        if (strcmp(ret->kind, "bridge") != 0)
                return err_set(err, ERR_CONFLICT, -EEXIST, "bridge %s: this host has a link of that name that is no bridge", h->bridge);
        return 0;
}

static int give_address(struct network_host *host, struct bridge_network *h, struct rtnl *n, int index, struct err *err) {
        uint32_t gateway;
        uint8_t prefix;
        int r = address_find(n, index, &gateway, &prefix);

        if (r == 0)
                return adopt_subnet(h, gateway, prefix, err);
        if (r != -ENODATA)
                return rtnl_error(n, r, err, "bridge %s: its address", h->bridge);
        if (!h->pool.owners) {
                struct subnet s;

                r = network_choose_subnet(host, n, true, &s, err);
                if (r == 0 && (r = address_pool_init(&h->pool, &s, s.base + 1)) < 0)
                        err_errno(err, r, "bridge %s: addresses", h->bridge);
                if (r < 0)
                        return r;
        }
        const struct address6 gateway_any = address6_of_ipv4(h->pool.gateway);
        r = address_add(n, index, &gateway_any, h->pool.subnet.prefix);
        return r < 0 ? rtnl_error(n, r, err, "bridge %s: giving it an address", h->bridge) : 0;
}

/* A daemon that chooses takes the address that an earlier one gave. */
static int give_address6(struct network_host *host, struct bridge_network *h, struct rtnl *n, int index, struct err *err) {
        struct address6 there;
        uint8_t prefix;
        int r = address6_find(n, index, &there, &prefix);

        if (r < 0 && r != -ENODATA)
                return rtnl_error(n, r, err, "bridge %s: its IPv6 address", h->bridge);
        if (!h->pool6.subnet.prefix && r == 0 && prefix >= SUBNET6_PREFIX_MIN && prefix <= SUBNET6_PREFIX_MAX) {
                h->pool6.subnet = h->pool6.range = subnet6_around(&there, prefix);
                h->pool6.gateway = there;
        }
        if (r == 0 && h->pool6.subnet.prefix) {
                if (address6_equal(&there, &h->pool6.gateway) && prefix == h->pool6.subnet.prefix)
                        return 0;
                return err_set(err, ERR_CONFLICT, -EBUSY, "bridge %s: has another IPv6 address than the network is to have", h->bridge);
        }
        r = network_choose_subnet6(host, n, h, NULL, err);
        if (r < 0)
                return r;
        r = address_add(n, index, &h->pool6.gateway, h->pool6.subnet.prefix);
        return r < 0 ? rtnl_error(n, r, err, "bridge %s: giving it an IPv6 address", h->bridge) : 0;
}

static int read_switch(const char *path, char *ret) {
        auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);

        return fd < 0 ? -errno : fd_read_all(fd, ret, 1);
}

/* Written only when it is off: the host's setting, and on some hosts a read-only one. */
static int switch_forwarding_on(const char *path, void (*before)(void), struct err *err) {
        char value = '0';
        int r = read_switch(path, &value);

        if (r < 0)
                return err_errno(err, r, "%s", path);
        if (value != '0')
                return 0;
        if (before)
                before();
        r = netns_sysctl(path, "1");
        return r < 0 ? err_errno(err, r, "switching forwarding on: %s", path) : 0;
}

/* A host that forwards believes no router any more, unless it is told to (2): one that has its own default route from one is to keep it. */
static void keep_own_routers(void) {
        DIR *all = opendir(IPV6_CONF);
        const struct dirent *d;

        while (all && (d = readdir(all))) {
                char path[sizeof(IPV6_CONF) + 272], value = '0';

                if (*d->d_name == '.' || !strcmp(d->d_name, "all") || !strcmp(d->d_name, "default"))
                        continue;
                snprintf(path, sizeof(path), IPV6_CONF "/%s/accept_ra", d->d_name);
                if (read_switch(path, &value) == 0 && value == '1')
                        netns_sysctl(path, "2");
        }
        if (all)
                closedir(all);
}

/* While the bridge is down: no packet goes by it before all is set. */
static int set_up_ipv6(struct network_host *host, struct bridge_network *h, struct rtnl *n, int index, struct err *err) {
        int r;

        if (!h->ipv6) {
                r = link_disable_ipv6(h->bridge); /* no address of its own, and deaf to router advertisements of containers */
                return r < 0 ? err_errno(err, r, "bridge %s: switching IPv6 off", h->bridge) : 0;
        }
        r = link_enable_ipv6(h->bridge);
        if (r == -EAFNOSUPPORT)
                return err_set(err, ERR_UNSUPPORTED, r, "bridge %s: this kernel has no IPv6, or it is switched off", h->bridge);
        if (r < 0)
                return err_errno(err, r, "bridge %s: switching IPv6 on", h->bridge);
        return give_address6(host, h, n, index, err);
}

static int make(struct network_host *host, struct bridge_network *h, struct err *err) {
        auto_rtnl n = { .fd = -EBADF };
        struct link bridge;
        int r = rtnl_open(&n);

        if (r < 0)
                return err_errno(err, r, "netlink socket");
        if (host->netfilter.fd < 0 && (r = rtnl_open_netfilter(&host->netfilter)) < 0)
                return err_set(err, ERR_UNSUPPORTED, r, "bridge %s: this kernel has no netfilter netlink: %s", h->bridge, strerror(-r));
        r = find_or_add_link(h, &n, &bridge, err);
        if (r < 0)
                return r;
        r = set_up_ipv6(host, h, &n, bridge.index, err);
        if (r == 0)
                r = give_address(host, h, &n, bridge.index, err);
        if (r < 0)
                return r;
        chain_find(h, &n);
        /* The table before the first packet can pass. */
        r = network_apply_firewall(host, err);
        if (r == 0)
                r = switch_forwarding_on(IP_FORWARD, NULL, err);
        if (r == 0 && h->ipv6)
                r = switch_forwarding_on(IPV6_CONF "/all/forwarding", keep_own_routers, err);
        if (r < 0)
                return r;
        r = link_set_up(&n, h->bridge);
        if (r < 0)
                return rtnl_error(&n, r, err, "bridge %s: switching it on", h->bridge);
        h->bridge_index = bridge.index;
        h->mtu = h->mtu_wanted ? h->mtu_wanted : bridge.mtu;
        r = chain_mend(host, h, &n, err);
        h->ready = r == 0;
        return r;
}

static int ensure_locked(struct network_host *h, struct bridge_network *b, struct err *err) {
        if (!b->ready)
                return b->driver->make(h, b, err);
        return !b->driver->on_host || firewall_is_intact(h->bridge, &h->netfilter) ? 0 : network_apply_firewall(h, err);
}

int bridge_make_locked(struct network_host *h, struct bridge_network *b) {
        return b->driver->make(h, b, NULL);
}

struct bridge_state bridge_state_of(const struct bridge_network *b) {
        struct bridge_state s = {
                .driver = b->driver, .shares_mac = child_shares_mac(b), .routed = child_is_routed(b), .mode = b->mode, .flags = b->flags, .index = b->bridge_index, .mtu = b->mtu,
                .subnet = b->pool.subnet, .gateway = b->pool.gateway, .internal = b->internal, .icc = b->icc, .subnet6 = b->pool6.subnet, .gateway6 = b->pool6.gateway,
        };

        memcpy(s.link, b->driver->has_parent ? b->parent : b->bridge, sizeof(s.link));
        memcpy(s.mac, b->parent_mac, sizeof(s.mac));
        return s;
}

int bridge_ensure(struct network_host *h, const char *bridge, struct bridge_state *ret, struct err *err) {
        struct bridge_network *b;
        int r;

        pthread_mutex_lock(&h->lock);
        b = network_find_locked(h, bridge);
        r = b ? ensure_locked(h, b, err) : network_unknown(bridge, err);
        if (r == 0)
                *ret = bridge_state_of(b);
        pthread_mutex_unlock(&h->lock);
        return r;
}

void bridge_forget(struct network_host *h, int index) {
        pthread_mutex_lock(&h->lock);
        for (size_t i = 0; i < h->n_networks; i++)
                if (h->networks[i]->bridge_index == index)
                        h->networks[i]->ready = false;
        pthread_mutex_unlock(&h->lock);
}

struct ports {
        int bridge_index;
        size_t n;
        char names[PORTS_AT_ONCE][16];
};

static int collect_port(const struct link *l, void *data) {
        struct ports *p = data;

        if (l->master == p->bridge_index && strcmp(l->kind, "veth") == 0 && str_starts_with(l->name, "kv") && p->n < PORTS_AT_ONCE)
                memcpy(p->names[p->n++], l->name, sizeof(l->name));
        return 0;
}

int bridge_delete_ports(struct rtnl *n, int bridge_index, struct err *err) {
        struct ports p = { .bridge_index = bridge_index };

        do {
                int r;

                p.n = 0;
                r = link_each(n, collect_port, &p);
                if (r < 0)
                        return rtnl_error(n, r, err, "listing links");
                for (size_t i = 0; i < p.n; i++) {
                        r = link_delete(n, p.names[i]);
                        if (r < 0 && r != -ENODEV)
                                return rtnl_error(n, r, err, "link %s: deleting", p.names[i]);
                }
        } while (p.n > 0);
        return 0;
}

/* With all its ports. One of that name that is no bridge is left alone. */
static int remove_bridge(struct rtnl *n, const struct bridge_network *b, struct err *err) {
        const char *bridge = b->bridge;
        struct link l;
        int r = chain_delete(n, bridge, err);

        if (r < 0)
                return r;
        r = link_find(n, bridge, &l);
        if (r < 0 && r != -ENODEV)
                return rtnl_error(n, r, err, "bridge %s", bridge);
        if (r < 0 || strcmp(l.kind, "bridge") != 0)
                return 0;
        r = bridge_delete_ports(n, l.index, err);
        if (r < 0)
                return r;
        r = link_delete(n, bridge);
        return r < 0 && r != -ENODEV ? rtnl_error(n, r, err, "bridge %s: deleting", bridge) : 0;
}

static int read_nothing(const struct network_definition *d, struct bridge_network *b, struct err *err) {
        (void) b;
        if (d->parent || d->mode || d->flag)
                return err_set(err, ERR_INVALID, -EINVAL, "network driver bridge: it has no parent and no mode");
        return 0;
}

/* make() says it in better words. */
static int probe(const struct bridge_network *b, struct err *err) {
        (void) b;
        (void) err;
        return 0;
}

const struct network_driver driver_bridge = {
        .name = "bridge", .on_host = true, .read = read_nothing, .probe = probe, .make = make, .remove = remove_bridge, .plug = veth_plug, .unplug = veth_unplug,
        .is_plugged = veth_is_plugged,
};
