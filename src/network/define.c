/* SPDX-License-Identifier: Apache-2.0 */

/* Networks beside the default one: what may be asked for, and which subnet they get. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "network/driver.h"

enum { PART_PREFIX_MIN = 22, PART_PREFIX_MAX = 24, SHARED_PREFIX_MAX = 22, NETWORKS_MAX = 4096, MTU6_MIN = 1280 };

/* --- what is taken --- */

struct taken {
        struct subnet *v;
        size_t n, room;
        int failed;
};

static int add_taken(const struct subnet *s, void *data) {
        struct taken *t = data;

        if (t->n == t->room) {
                size_t room = t->room ? t->room * 2 : 64;
                struct subnet *grown = reallocarray(t->v, room, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                t->v = grown;
                t->room = room;
        }
        t->v[t->n++] = *s;
        return 0;
}

static void taken_done(struct taken *t) {
        free(t->v);
}
#define auto_taken __attribute__((cleanup(taken_done))) struct taken

static bool is_taken(const struct taken *t, const struct subnet *s) {
        for (size_t i = 0; i < t->n; i++)
                if (subnet_overlaps(&t->v[i], s))
                        return true;
        return false;
}

/* The routes of the host, and the networks whose bridges are not made yet. */
static int find_taken(struct network_host *h, struct rtnl *n, struct taken *t, struct err *err) {
        int r = subnets_in_use(n, add_taken, t);

        if (r < 0)
                return rtnl_error(n, r, err, "listing the routes of this host");
        for (size_t i = 0; i < h->n_networks && r == 0; i++)
                if (h->networks[i]->pool.owners)
                        r = add_taken(&h->networks[i]->pool.subnet, t);
        return r < 0 ? err_errno(err, r, "listing networks") : 0;
}

/* --- subnets out of the pools --- */

static uint8_t part_prefix(uint8_t pool) {
        uint8_t p = pool + 4 < PART_PREFIX_MIN ? PART_PREFIX_MIN : pool + 4 > PART_PREFIX_MAX ? PART_PREFIX_MAX : (uint8_t) (pool + 4);

        return p < pool ? pool : p;
}

json_t *network_host_describe_pools(const struct network_host *h) {
        json_t *list = json_array();

        for (size_t i = 0; i < h->n_pools; i++) {
                char text[SUBNET_TEXT];

                subnet_format(&h->pools[i], text);
                json_array_append_new(list, json_pack("{s:s, s:i}", "Base", text, "Size", (int) part_prefix(h->pools[i].prefix)));
        }
        return list;
}

static bool find_part(const struct subnet *pool, uint8_t prefix, const struct taken *t, struct subnet *ret) {
        uint32_t step = 1u << (32 - prefix), count = 1u << (prefix - pool->prefix);

        for (uint32_t i = 0; i < count; i++) {
                struct subnet s = { pool->base + i * step, prefix };

                if (!is_taken(t, &s)) {
                        *ret = s;
                        return true;
                }
        }
        return false;
}

int network_choose_subnet(struct network_host *h, struct rtnl *n, bool whole, struct subnet *ret, struct err *err) {
        bool shared = h->n_pools == 1 && h->pools[0].prefix <= SHARED_PREFIX_MAX;
        auto_taken t = { 0 };
        int r = find_taken(h, n, &t, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < h->n_pools; i++) {
                uint8_t prefix = h->pools[i].prefix;

                if (whole && shared)
                        prefix = (uint8_t) (prefix + 2);
                else if (!whole)
                        prefix = part_prefix(prefix);
                if (find_part(&h->pools[i], prefix, &t, ret))
                        return 0;
        }
        return err_set(err, ERR_CONFLICT, -EADDRINUSE,
                "each of the %zu address pools collides with a route of this host or is used up: choose others with --address-pool, or a subnet with --subnet", h->n_pools);
}

/* --- definitions --- */

int network_bad(struct err *err, const char *what, const char *value, const char *why) {
        return err_set(err, ERR_INVALID, -EINVAL, "invalid %s %s: %s", what, value, why);
}

static bool is_given(const char *text) {
        return text && *text;
}

/* Another network's, or of the host's: but an address that the bridge itself has was given by an earlier daemon. */
static int check_free(struct network_host *h, struct rtnl *n, const struct network_definition *d, const struct subnet *s, bool on_host, struct err *err) {
        auto_taken t = { 0 };
        struct link own;
        uint32_t address;
        uint8_t prefix;
        int r;

        for (size_t i = 0; i < h->n_networks; i++)
                if (h->networks[i]->pool.owners && subnet_overlaps(&h->networks[i]->pool.subnet, s))
                        return err_set(err, ERR_DENIED, -EADDRINUSE, "invalid pool request: Pool overlaps with other one on this address space: %s", d->subnet);
        if (!on_host) /* where the host may well be itself */
                return 0;
        if (link_find(n, d->bridge, &own) == 0 && address_find(n, own.index, &address, &prefix) == 0 && prefix == s->prefix && subnet_contains(s, address))
                return 0;
        r = subnets_in_use(n, add_taken, &t);
        if (r < 0)
                return rtnl_error(n, r, err, "listing the routes of this host");
        if (is_taken(&t, s))
                return err_set(err, ERR_CONFLICT, -EADDRINUSE, "subnet %s collides with an address or a route of this host", d->subnet);
        return 0;
}

static int set_addresses(struct bridge_network *b, const struct network_definition *d, const struct subnet *s, struct err *err) {
        uint32_t gateway = s->base + 1;
        struct subnet range = *s;
        int r;

        if (is_given(d->range)) {
                if (subnet_parse(d->range, &range) < 0)
                        return network_bad(err, "ip-range", d->range, "not a subnet such as 10.5.1.0/24");
                if (range.prefix < s->prefix || !subnet_contains(s, range.base))
                        return network_bad(err, "ip-range", d->range, "not a part of the subnet");
                gateway = range.base == s->base ? s->base + 1 : range.base;
        }
        if (is_given(d->gateway) && (address_parse(d->gateway, &gateway) < 0 || !subnet_contains(s, gateway) || gateway == s->base || gateway == (s->base | ~subnet_mask(s->prefix))))
                return network_bad(err, "gateway", d->gateway, "not an address of the subnet");
        r = address_pool_init(&b->pool, s, gateway);
        if (r == 0 && is_given(d->range))
                r = address_pool_restrict(&b->pool, &range);
        if (r < 0)
                return err_errno(err, r, "bridge %s: addresses", d->bridge);
        for (size_t i = 0; i < d->n_reserved; i++) {
                uint32_t address;

                if (d->ipv6 && network_is_address6(d->reserved[i])) /* in define6.c */
                        continue;
                if (address_parse(d->reserved[i], &address) < 0 || (address != gateway && address_pool_claim(&b->pool, ADDRESS_RESERVED, address) < 0))
                        return network_bad(err, "auxiliary address", d->reserved[i], "not an address of the subnet");
        }
        return 0;
}

static int define_locked(struct network_host *h, const struct network_definition *d, struct bridge_network *b, struct err *err) {
        struct bridge_network **grown;
        auto_rtnl n = { .fd = -EBADF };
        struct subnet s;
        int r;

        if (network_find_locked(h, d->bridge))
                return err_set(err, ERR_CONFLICT, -EEXIST, "bridge %s is another network's already", d->bridge);
        for (size_t i = 0; i < h->n_networks && b->driver->has_parent; i++)
                if (!strcmp(h->networks[i]->parent, b->parent))
                        return err_set(err, ERR_CONFLICT, -EBUSY, "network %s is already using parent interface %s", h->networks[i]->bridge, b->parent);
        if (h->n_networks >= NETWORKS_MAX)
                return err_set(err, ERR_NO_SPACE, -ENOSPC, "there are %zu networks: no more are possible", h->n_networks);
        r = rtnl_open(&n);
        if (r < 0)
                return err_errno(err, r, "netlink socket");
        if (is_given(d->subnet)) {
                if (subnet_parse(d->subnet, &s) < 0)
                        return network_bad(err, "subnet", d->subnet, "it has bits after its prefix, or is no IPv4 subnet such as 10.5.0.0/16");
                if (s.prefix < SUBNET_PREFIX_MIN || s.prefix > SUBNET_PREFIX_MAX)
                        return network_bad(err, "subnet", d->subnet, "must be between /8 and /30");
                r = check_free(h, &n, d, &s, b->driver->on_host, err);
        } else {
                r = network_choose_subnet(h, &n, false, &s, err);
        }
        if (r < 0 || (r = set_addresses(b, d, &s, err)) < 0 || (d->ipv6 && (r = network_choose_subnet6(h, &n, b, d, err)) < 0))
                return r;
        grown = reallocarray(h->networks, h->n_networks + 1, sizeof(*grown));
        if (!grown)
                return err_errno(err, -ENOMEM, "bridge %s", d->bridge);
        h->networks = grown;
        h->networks[h->n_networks++] = b;
        return 0;
}

int network_define(struct network_host *h, const struct network_definition *d, struct network_addresses *ret, struct err *err) {
        struct bridge_network *b;
        struct bridge_state ignored;
        int r;

        if (!bridge_name_is_valid(d->bridge))
                return network_bad(err, "bridge name", d->bridge, "not a name of at most 15 letters, digits, - and _");
        if (d->ipv6 && d->mtu != 0 && d->mtu < MTU6_MIN)
                return err_set(err, ERR_INVALID, -EINVAL, "invalid mtu %u: IPv6 needs at least %d", d->mtu, MTU6_MIN);
        if (d->mtu != 0 && (d->mtu < 68 || d->mtu > 65535))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid mtu %u: not between 68 and 65535", d->mtu);
        /* The default network chooses first, so that it never finds its own pool cut up. */
        if (!is_given(d->subnet))
                bridge_ensure(h, h->bridge, &ignored, NULL);
        b = calloc(1, sizeof(*b));
        if (!b)
                return err_errno(err, -ENOMEM, "bridge %s", d->bridge);
        *b = (struct bridge_network) { .driver = driver_find(d->driver), .defined = true, .nat = d->nat && !d->internal, .internal = d->internal, .icc = d->icc, .mtu_wanted = d->mtu, .ipv6 = d->ipv6 };
        snprintf(b->bridge, sizeof(b->bridge), "%s", d->bridge);
        pthread_mutex_lock(&h->lock);
        if (!b->driver)
                r = err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "network driver \"%.40s\" is not known", d->driver);
        else if ((r = b->driver->read(d, b, err)) == 0)
                r = define_locked(h, d, b, err);
        if (r == 0) {
                network_describe_pools(b, ret);
        } else {
                address_pool_done(&b->pool);
                address6_pool_done(&b->pool6);
                free(b);
        }
        pthread_mutex_unlock(&h->lock);
        return r;
}

int network_make(struct network_host *h, const char *bridge, struct err *err) {
        struct bridge_network *b;
        struct bridge_state ignored;
        int r;

        pthread_mutex_lock(&h->lock);
        b = network_find_locked(h, bridge);
        r = b ? b->driver->probe(b, err) : network_unknown(bridge, err);
        pthread_mutex_unlock(&h->lock);
        return r < 0 ? r : bridge_ensure(h, bridge, &ignored, err);
}

static void forget(struct network_host *h, struct bridge_network *b) {
        size_t i = 0;

        while (h->networks[i] != b)
                i++;
        memmove(&h->networks[i], &h->networks[i + 1], (h->n_networks - i - 1) * sizeof(*h->networks));
        h->n_networks--;
        address_pool_done(&b->pool);
        address6_pool_done(&b->pool6);
        chain_done(&b->chain);
        free(b);
}

/* Its endpoints are gone, but their links may still be on their way: they would keep nothing but the name. */
static int undefine_locked(struct network_host *h, struct bridge_network *b, struct err *err) {
        auto_rtnl n = { .fd = -EBADF };
        bool on_host;
        int r;

        if (b->pool.n_taken > 0)
                return err_set(err, ERR_DENIED, -EBUSY, "bridge %s has %u active endpoints", b->bridge, b->pool.n_taken);
        r = rtnl_open(&n);
        if (r < 0)
                return err_errno(err, r, "netlink socket");
        on_host = b->driver->on_host;
        r = b->driver->remove(&n, b, err);
        if (r < 0)
                return r;
        forget(h, b);
        return on_host ? network_apply_firewall(h, err) : 0;
}

int network_undefine(struct network_host *h, const char *bridge, struct err *err) {
        struct bridge_network *b;
        int r;

        pthread_mutex_lock(&h->lock);
        b = network_find_locked(h, bridge);
        r = b && b->defined ? undefine_locked(h, b, err) : network_unknown(bridge, err);
        pthread_mutex_unlock(&h->lock);
        return r;
}
