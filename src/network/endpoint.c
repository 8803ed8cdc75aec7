/* SPDX-License-Identifier: Apache-2.0 */

/* One container on the bridge. The slow part, the kernel's, runs without our lock: many can be connected at once. */

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "network/driver.h"
#include "network/netns.h"
#include "network/shaping.h"

enum { LINK_HEX = 13 }; /* "kv" and 52 bits of the id fill a link's name */

static int check_id(const char *id, struct err *err) {
        size_t digits = id ? strspn(id, "0123456789abcdef") : 0;

        if (digits < LINK_HEX || id[digits] != '\0')
                return err_set(err, ERR_INVALID, -EINVAL, "\"%.80s\" is not an endpoint's id", id ? id : "");
        return 0;
}

/* Who has an address, in 8 bytes instead of 65 (FNV-1a). Never 0. */
static uint64_t owner_of(const char *id) {
        uint64_t h = 0xcbf29ce484222325;

        for (; *id; id++)
                h = (h ^ (unsigned char) *id) * 0x100000001b3;
        return h ? h : 1;
}

/* A container has at most one link to a bridge: the name is made of both, and a link that an earlier life of it left is found by it. */
void network_link_name(const struct network_host *h, const char *id, const char *bridge, char ret[16]) {
        if (!strcmp(bridge, h->bridge))
                snprintf(ret, 16, "kv%.*s", LINK_HEX, id);
        else
                snprintf(ret, 16, "kv%013llx", (unsigned long long) ((owner_of(id) ^ owner_of(bridge) * 31) & 0xfffffffffffff));
}

static int take_address6(struct network_host *h, const struct network_attachment *a, uint32_t address, struct address6 *ret, struct err *err) {
        bool asked = a->address6 && *a->address6;
        struct bridge_network *b;
        struct address6 got = { 0 };
        int r = 0;

        if (asked && address6_parse(a->address6, &got) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "invalid IPv6 address: %s", a->address6);
        pthread_mutex_lock(&h->lock);
        b = network_find_locked(h, a->bridge);
        if (!b || (asked && !b->pool6.subnet.prefix))
                r = -EAFNOSUPPORT;
        else if (b->pool6.subnet.prefix)
                r = asked ? address6_pool_claim(&b->pool6, owner_of(a->id), &got) : address6_pool_take(&b->pool6, owner_of(a->id), address - b->pool.subnet.base, &got);
        pthread_mutex_unlock(&h->lock);
        if (r == -EAFNOSUPPORT)
                return err_set(err, ERR_INVALID, r, "bridge %s: address %s: the network has no IPv6", a->bridge, a->address6);
        if (r == -EEXIST)
                return err_set(err, ERR_CONFLICT, r, "bridge %s: Address already in use: %s", a->bridge, a->address6);
        if (r == -ERANGE)
                return err_set(err, ERR_INVALID, r, "bridge %s: address %s is not one of its subnet that an endpoint can have", a->bridge, a->address6);
        if (r < 0)
                return err_errno(err, r, "bridge %s: no free IPv6 address", a->bridge);
        *ret = got;
        return 0;
}

static int take_address(struct network_host *h, const struct network_attachment *a, uint32_t *ret, struct err *err) {
        struct bridge_network *b;
        uint32_t wanted = 0;
        int r;

        if (a->address && *a->address && address_parse(a->address, &wanted) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "invalid IPv4 address: %s", a->address);
        pthread_mutex_lock(&h->lock);
        b = network_find_locked(h, a->bridge);
        if (!b || !b->pool.owners)
                r = -ENODEV;
        else
                r = wanted ? address_pool_claim(&b->pool, owner_of(a->id), wanted) : address_pool_take(&b->pool, owner_of(a->id), ret);
        pthread_mutex_unlock(&h->lock);
        if (r == 0 && wanted)
                *ret = wanted;
        if (r == -EEXIST)
                return err_set(err, ERR_CONFLICT, r, "bridge %s: Address already in use: %s", a->bridge, a->address);
        if (r == -ERANGE)
                return err_set(err, ERR_INVALID, r, "bridge %s: address %s is not one of its subnet that an endpoint can have", a->bridge, a->address);
        return r < 0 ? err_errno(err, r, "bridge %s: no free address", a->bridge) : 0;
}

/* Any that it has: address 0 and NULL, "" are none. */
static void release_addresses(struct network_host *h, const char *id, const char *bridge, uint32_t address, const char *text6) {
        struct bridge_network *b;
        struct address6 address6;

        pthread_mutex_lock(&h->lock);
        b = network_find_locked(h, bridge);
        if (b && b->pool.owners && address)
                address_pool_release(&b->pool, owner_of(id), address);
        if (b && text6 && address6_parse(text6, &address6) == 0)
                address6_pool_release(&b->pool6, owner_of(id), &address6);
        pthread_mutex_unlock(&h->lock);
}

int endpoint_configure(struct rtnl *inside, const struct network_endpoint *e, int netns_fd) {
        struct link_addresses a = { .by_link = e->is_gateway && e->on_link, .prefix = e->prefix, .prefix6 = *e->address6 ? e->prefix6 : 0, .has_gateway6 = e->is_gateway && *e->gateway6 };
        struct link l;
        int r = link_find(inside, e->link, &l);

        if (r < 0 || (r = address_parse(e->address, &a.address)) < 0 || (e->is_gateway && *e->gateway && (r = address_parse(e->gateway, &a.gateway)) < 0) || (a.prefix6 && (r = address6_parse(e->address6, &a.address6)) < 0) ||
            (a.has_gateway6 && (r = address6_parse(e->gateway6, &a.gateway6)) < 0) || (a.prefix6 && (r = netns_enable_ipv6(netns_fd, e->link)) < 0))
                return r;
        return link_configure(inside, l.index, &a);
}

static int describe(struct network_host *h, const struct bridge_state *b, const struct network_attachment *a, uint32_t address, const struct address6 *address6,
                    struct network_endpoint *ret) {
        struct network_endpoint e = { .prefix = b->subnet.prefix, .is_gateway = a->gateway && !b->internal, .rates = a->rates };
        uint8_t mac[6];

        address_format(address, e.address);
        e.on_link = b->routed && !b->internal;
        if (!b->internal && !b->routed)
                address_format(b->gateway, e.gateway);
        if (b->subnet6.prefix) {
                e.prefix6 = b->subnet6.prefix;
                address6_format(address6, e.address6);
                if (!b->internal && !b->routed)
                        address6_format(&b->gateway6, e.gateway6);
        }
        address_mac(address, mac);
        if (a->mac && *a->mac && mac_parse(a->mac, mac) < 0)
                return -EINVAL;
        mac_format(b->shares_mac ? b->mac : mac, e.mac);
        if (b->driver->on_host && a->spare)
                memcpy(e.host_link, a->spare->host_link, sizeof(e.host_link));
        else if (b->driver->on_host)
                network_link_name(h, a->id, a->bridge, e.host_link);
        snprintf(e.bridge, sizeof(e.bridge), "%s", a->bridge);
        snprintf(e.link, sizeof(e.link), "%s", a->link);
        *ret = e;
        return 0;
}

/* What is asked for, and needs an end of the link on this host, or a MAC address of its own. */
static int check_driver(const struct bridge_state *b, const struct network_attachment *a, struct err *err) {
        if (!b->driver->on_host && (a->rates.ingress || a->rates.egress))
                return err_set(err, ERR_INVALID, -EINVAL, "network driver %s: bandwidth cannot be limited: the link has no end on this host", b->driver->name);
        if (b->shares_mac && a->mac && *a->mac)
                return err_set(err, ERR_INVALID, -EINVAL, "network driver %s: MAC address %s: its endpoints have the parent's in this mode", b->driver->name, a->mac);
        return 0;
}

static int reserve(struct network_host *h, const struct network_attachment *a, struct bridge_state *ret_state, struct network_endpoint *ret, struct err *err) {
        struct address6 address6 = { 0 };
        uint32_t address;
        int r = check_id(a->id, err);

        if (r == 0)
                r = bridge_ensure(h, a->bridge, ret_state, err);
        if (r == 0)
                r = check_driver(ret_state, a, err);
        if (r == 0)
                r = take_address(h, a, &address, err);
        if (r < 0)
                return r;
        r = take_address6(h, a, address, &address6, err);
        if (r < 0) {
                release_addresses(h, a->id, a->bridge, address, NULL);
                return r;
        }
        r = describe(h, ret_state, a, address, &address6, ret);
        if (r < 0) {
                char text[ADDRESS6_TEXT];

                address6_format(&address6, text);
                release_addresses(h, a->id, a->bridge, address, text);
                return err_set(err, ERR_INVALID, r, "invalid MAC address: %s", a->mac);
        }
        return 0;
}

int network_reserve(struct network_host *h, const struct network_attachment *a, struct network_endpoint *ret, struct err *err) {
        struct bridge_state b;

        return reserve(h, a, &b, ret, err);
}

static bool is_gone(const char *link, int index) {
        auto_rtnl n = { .fd = -EBADF };
        struct link l;

        return index > 0 && rtnl_open(&n) == 0 && (link_find(&n, link, &l) == -ENODEV || l.index != index);
}

static int plug_with(struct network_host *h, struct bridge_state *b, const char *id, const struct network_endpoint *e, int netns_fd, struct network_spare *spare, struct err *err) {
        int r = b->driver->plug(h, b, id, e, netns_fd, spare, err);

        /* Somebody deleted the bridge or the parent behind our back, or a bridge that was joined to it (then the kernel knows no such master): once more, with a new one. */
        if (r == -EINVAL || (r < 0 && is_gone(b->link, b->index))) {
                bridge_forget(h, b->index);
                r = bridge_ensure(h, e->bridge, b, err);
                if (r == 0)
                        r = b->driver->plug(h, b, id, e, netns_fd, spare, err);
        }
        return r;
}

int network_plug(struct network_host *h, const char *id, const struct network_endpoint *e, int netns_fd, struct err *err) {
        struct bridge_state b;
        int r = bridge_ensure(h, e->bridge, &b, err);

        return r < 0 ? r : plug_with(h, &b, id, e, netns_fd, NULL, err);
}

static int plug_spare(struct network_host *h, const struct network_attachment *a, struct bridge_state *b, struct network_endpoint *e, int netns_fd, struct err *err) {
        int r = plug_with(h, b, a->id, e, netns_fd, a->spare, err);

        if (r == 0) {
                network_spare_used(a->spare);
                return 0;
        }
        network_spare_drop(h, a->spare); /* until it is unplugged it answers to the address */
        if (r != -ENODEV)
                return r;
        /* Somebody deleted it behind our back. */
        network_link_name(h, a->id, a->bridge, e->host_link);
        return plug_with(h, b, a->id, e, netns_fd, NULL, err);
}

/* Of a driver that has no use for it: it has the name that the endpoint's own link is to have, so it goes at once. */
static void clear_spare(struct network_spare *spare) {
        auto_rtnl n = { .fd = -EBADF };

        if (rtnl_open(&n) == 0)
                link_delete(&n, spare->host_link);
        network_spare_used(spare);
}

int network_connect(struct network_host *h, const struct network_attachment *a, int netns_fd, struct network_endpoint *ret, struct err *err) {
        struct network_endpoint e;
        struct bridge_state b;
        uint32_t address;
        int r = reserve(h, a, &b, &e, err);

        if (r < 0)
                return r;
        if (a->spare && !b.driver->on_host)
                clear_spare(a->spare);
        r = a->spare && b.driver->on_host ? plug_spare(h, a, &b, &e, netns_fd, err) : plug_with(h, &b, a->id, &e, netns_fd, NULL, err);
        if (r == 0)
                *ret = e;
        else if (address_parse(e.address, &address) == 0)
                release_addresses(h, a->id, a->bridge, address, e.address6);
        return r;
}

/* As it is, ready or not: one that is to go needs nothing made for it. */
static bool find_state(struct network_host *h, const char *bridge, struct bridge_state *ret) {
        struct bridge_network *b;

        pthread_mutex_lock(&h->lock);
        b = network_find_locked(h, bridge);
        if (b)
                *ret = bridge_state_of(b);
        pthread_mutex_unlock(&h->lock);
        return b;
}

int network_disconnect(struct network_host *h, const char *id, const struct network_endpoint *e, int netns_fd, struct err *err) {
        struct bridge_state b = { .driver = &driver_bridge };
        uint32_t address;
        int r = check_id(id, err);

        if (r < 0)
                return r;
        find_state(h, e->bridge, &b);
        r = b.driver->unplug(h, &b, id, e, netns_fd, err);
        if (r < 0)
                return r;
        /* After it is unplugged: until then it answers to the address. */
        if (address_parse(e->address, &address) == 0)
                release_addresses(h, id, e->bridge, address, e->address6);
        return 0;
}

int network_is_plugged(struct network_host *h, const struct network_endpoint *e, int netns_fd) {
        struct bridge_state b;

        return find_state(h, e->bridge, &b) ? b.driver->is_plugged(&b, e, netns_fd) : -ENODEV;
}

int network_route_by(struct network_host *h, const struct network_endpoint *e, int netns_fd, struct err *err) {
        auto_rtnl inside = { .fd = -EBADF };
        struct address6 gateway = address6_of_ipv4(0), gateway6 = { 0 };
        struct link l;
        int r = netns_prepare(netns_fd, &inside);

        (void) h;
        if (r == 0 && (r = link_find(&inside, e->link, &l)) == 0 && (e->on_link || (r = address_any_parse(e->gateway, &gateway)) == 0))
                r = default_route_set(&inside, l.index, &gateway);
        if (r == 0 && ((e->on_link && *e->address6) || (*e->gateway6 && (r = address6_parse(e->gateway6, &gateway6)) == 0)))
                r = default_route_set(&inside, l.index, &gateway6);
        return r < 0 ? rtnl_error(&inside, r, err, "default route by %s", e->link) : 0;
}

int network_limit(struct network_host *h, const struct network_endpoint *e, struct err *err) {
        auto_rtnl n = { .fd = -EBADF };
        struct link l;
        int r = rtnl_open(&n);

        if (!*e->host_link)
                return err_set(err, ERR_INVALID, -EINVAL, "bandwidth of link %s cannot be limited: it has no end on this host", e->link);
        if (r == 0 && (r = link_find(&n, e->host_link, &l)) == 0)
                r = shaping_set(&h->reaper, &n, e->host_link, l.mtu, &e->rates, false);
        return r < 0 ? rtnl_error(&n, r, err, "limits of bandwidth of link %s", e->host_link) : 0;
}

int network_claim(struct network_host *h, const char *id, const struct network_endpoint *e, struct err *err) {
        const char *text = e->address;
        struct address6 address6;
        auto_rtnl links = { .fd = -EBADF };
        struct bridge_network *n;
        struct bridge_state b;
        uint32_t address;
        int r = check_id(id, err);

        if (r == 0 && address_parse(e->address, &address) < 0)
                r = err_set(err, ERR_INVALID, -EINVAL, "container %.12s: \"%.16s\" is not an address", id, e->address);
        /* Where the host has no part in it, it goes on without us. */
        if (r == 0 && (!find_state(h, e->bridge, &b) || b.driver->on_host))
                r = bridge_ensure(h, e->bridge, &b, err);
        if (r < 0)
                return r;
        r = rtnl_open(&links);
        if (r < 0)
                return err_errno(err, r, "netlink socket");
        pthread_mutex_lock(&h->lock);
        n = network_find_locked(h, e->bridge);
        if (n)
                chain_claim(n, &links, e->host_link);
        r = n && n->pool.owners ? address_pool_claim(&n->pool, owner_of(id), address) : -ERANGE;
        /* Of a network that had IPv6 and has it no more, it is nobody's. */
        if (r == 0 && n->pool6.subnet.prefix && address6_parse(e->address6, &address6) == 0) {
                text = e->address6;
                r = address6_pool_claim(&n->pool6, owner_of(id), &address6);
        }
        pthread_mutex_unlock(&h->lock);
        if (r == -EEXIST)
                return err_set(err, ERR_CONFLICT, r, "container %.12s: another container has its address %s", id, text);
        if (r == -ERANGE)
                return err_set(err, ERR_CONFLICT, r, "container %.12s: its address %s is not one of bridge %s", id, text, e->bridge);
        return 0;
}

bool network_is_address(const char *text) {
        return address_parse(text, &(uint32_t) { 0 }) == 0;
}

bool network_is_address6(const char *text) {
        return address6_parse(text, &(struct address6) { 0 }) == 0;
}

bool network_is_subnet6(const char *text) {
        return subnet6_parse(text, &(struct subnet6) { 0 }) == 0;
}

bool network_is_mac(const char *text) {
        return mac_parse(text, (uint8_t[6]) { 0 }) == 0;
}
