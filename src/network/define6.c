/* SPDX-License-Identifier: Apache-2.0 */

/* The IPv6 side of a network: which subnet it gets, and what of it is nobody's. */

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "network/driver.h"

enum { PARTS_MAX = 65536 };

struct taken {
        struct subnet6 *v;
        size_t n, room;
};

static void taken_done(struct taken *t) {
        free(t->v);
}
#define auto_taken __attribute__((cleanup(taken_done))) struct taken

static int add_taken(const struct subnet6 *s, void *data) {
        struct taken *t = data;

        if (t->n == t->room) {
                size_t room = t->room ? t->room * 2 : 64;
                struct subnet6 *grown = reallocarray(t->v, room, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                t->v = grown;
                t->room = room;
        }
        t->v[t->n++] = *s;
        return 0;
}

static const struct subnet6 *find_taken(const struct taken *t, const struct subnet6 *s) {
        for (size_t i = 0; i < t->n; i++)
                if (subnet6_overlaps(&t->v[i], s))
                        return &t->v[i];
        return NULL;
}

/* n NULL: no route is looked at. */
static int list_taken(struct network_host *h, struct rtnl *n, const struct bridge_network *but, struct taken *t, struct err *err) {
        int r = n ? subnets6_in_use(n, add_taken, t) : 0;

        if (r < 0)
                return rtnl_error(n, r, err, "listing the IPv6 routes of this host");
        for (size_t i = 0; i < h->n_networks && r == 0; i++)
                if (h->networks[i] != but && h->networks[i]->pool6.subnet.prefix)
                        r = add_taken(&h->networks[i]->pool6.subnet, t);
        return r < 0 ? err_errno(err, r, "listing networks") : 0;
}

static int find_part(struct network_host *h, struct rtnl *n, const struct bridge_network *b, struct subnet6 *ret, struct err *err) {
        auto_taken t = { 0 };
        int r = list_taken(h, n, b, &t, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < h->n_pools6; i++) {
                const struct subnet6 *pool = &h->pools6[i];
                unsigned bits = SUBNET6_PART - pool->prefix;

                for (uint64_t k = 0; k < PARTS_MAX && k < UINT64_C(1) << bits; k++) {
                        struct subnet6 s = *pool;

                        s.prefix = SUBNET6_PART;
                        for (uint64_t left = k, at = 7; left; left >>= 8, at--)
                                s.base.b[at] = (uint8_t) (s.base.b[at] + (left & 255));
                        if (!find_taken(&t, &s)) {
                                *ret = s;
                                return 0;
                        }
                }
        }
        return err_set(err, ERR_CONFLICT, -EADDRINUSE,
                "each IPv6 address pool collides with a route of this host or is used up: choose others with --address-pool, or a subnet with --subnet");
}

/* Another network's, or of the host's: but an address that the bridge itself has was given by an earlier daemon. */
static int check_free(struct network_host *h, struct rtnl *n, const struct bridge_network *b, const char *text, const struct subnet6 *s, struct err *err) {
        auto_taken ours = { 0 }, all = { 0 };
        struct address6 address;
        struct link own;
        uint8_t prefix;
        int r = list_taken(h, NULL, b, &ours, err);

        if (r < 0)
                return r;
        if (find_taken(&ours, s))
                return err_set(err, ERR_DENIED, -EADDRINUSE, "invalid pool request: Pool overlaps with other one on this address space: %s", text);
        if (!n || !b->driver->on_host || (link_find(n, b->bridge, &own) == 0 && address6_find(n, own.index, &address, &prefix) == 0 && prefix == s->prefix && subnet6_contains(s, &address)))
                return 0;
        if ((r = list_taken(h, n, b, &all, err)) < 0)
                return r;
        return find_taken(&all, s) ? err_set(err, ERR_CONFLICT, -EADDRINUSE, "subnet %s collides with an address or a route of this host", text) : 0;
}

static bool is_given(const char *text) {
        return text && *text;
}

static int set_addresses(struct address6_pool *p, const struct network_definition *d, struct err *err) {
        p->range = p->subnet;
        p->gateway = address6_at(&p->subnet.base, 1);
        if (is_given(d->range6)) {
                if (subnet6_parse(d->range6, &p->range) < 0)
                        return network_bad(err, "ip-range", d->range6, "not a subnet such as fd00:5::1:0/112");
                if (p->range.prefix < p->subnet.prefix || !subnet6_contains(&p->subnet, &p->range.base))
                        return network_bad(err, "ip-range", d->range6, "not a part of the subnet");
        }
        if (is_given(d->gateway6) && (address6_parse(d->gateway6, &p->gateway) < 0 || !subnet6_contains(&p->subnet, &p->gateway) || address6_equal(&p->gateway, &p->subnet.base)))
                return network_bad(err, "gateway", d->gateway6, "not an address of the subnet");
        for (size_t i = 0; i < d->n_reserved; i++) {
                struct address6 a;

                if (address6_parse(d->reserved[i], &a) < 0)
                        continue;
                if (!address6_equal(&a, &p->gateway) && address6_pool_claim(p, ADDRESS_RESERVED, &a) < 0)
                        return network_bad(err, "auxiliary address", d->reserved[i], "not an address of the subnet");
        }
        return 0;
}

static int check_subnet(const char *text, struct subnet6 *ret, struct err *err) {
        if (subnet6_parse(text, ret) < 0)
                return network_bad(err, "subnet", text, "it has bits after its prefix, or is no IPv6 subnet such as fd00:5::/64");
        if (ret->prefix < SUBNET6_PREFIX_MIN || ret->prefix > SUBNET6_PREFIX_MAX)
                return network_bad(err, "subnet", text, "must be between /16 and /124");
        if (ret->base.b[0] == 0xff || (ret->base.b[0] == 0xfe && (ret->base.b[1] & 0xc0) == 0x80) || !(ret->base.b[0] | ret->base.b[1]))
                return network_bad(err, "subnet", text, "link-local, multicast and reserved addresses cannot be given to containers");
        return 0;
}

int network_choose_subnet6(struct network_host *h, struct rtnl *n, struct bridge_network *b, const struct network_definition *d, struct err *err) {
        static const struct network_definition nothing;
        struct subnet6 s;
        int r;

        if (b->pool6.subnet.prefix)
                return 0;
        d = d ? d : &nothing;
        if (is_given(d->subnet6)) {
                r = check_subnet(d->subnet6, &s, err);
                if (r == 0)
                        r = check_free(h, n, b, d->subnet6, &s, err);
        } else {
                r = find_part(h, n, b, &s, err);
        }
        if (r < 0)
                return r;
        b->pool6.subnet = s;
        r = set_addresses(&b->pool6, d, err);
        if (r < 0)
                address6_pool_done(&b->pool6);
        return r;
}
