/* SPDX-License-Identifier: Apache-2.0 */

/* Somebody may have changed links, addresses, routes and switches of the networks by hand: is each what it should be? Only what differs is touched. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "network/driver.h"
#include "network/netns.h"

struct audit {
        struct network_host *host;
        struct rtnl n, mending; /* one that is listing cannot be asked for something else */
        bool fix;
        network_finding_fn fn;
        void *data;
};

static void found(struct audit *a, const char *object, const char *problem, const char *action, int result) {
        a->fn(object, problem, action, result, a->data);
}

/* A switch of the kernel that has another value, or (where `wanted` is NULL) is off. */
static void check_switch(struct audit *a, const char *object, const char *path, const char *wanted) {
        char value[2] = "", problem[160];
        auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0 || fd_read_all(fd, value, 1) < 0 || (wanted ? *value == *wanted : *value != '0'))
                return;
        snprintf(problem, sizeof(problem), "%s is %s", path, value);
        found(a, object, problem, "set", a->fix ? netns_sysctl(path, wanted ? wanted : "1") : 0);
}

static void check_bridge_switches(struct audit *a, const struct bridge_network *b) {
        static const struct {
                const char *name, *value;
                bool ipv6; /* of networks with IPv6 only */
        } switches[] = { { "accept_ra", "0", true }, { "autoconf", "0", true }, { "disable_ipv6", "0", true }, { "disable_ipv6", "1", false } };
        char path[96];

        for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
                if (switches[i].ipv6 != b->ipv6)
                        continue;
                snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", b->bridge, switches[i].name);
                check_switch(a, b->bridge, path, switches[i].value);
        }
        snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/route_localnet", b->bridge);
        if (ports_has_bridge(&a->host->ports, b->bridge))
                check_switch(a, b->bridge, path, "1");
}

static void check_address(struct audit *a, const struct bridge_network *b, int index, const struct address6 *wanted, uint8_t prefix) {
        char text[ADDRESS6_TEXT], problem[160];
        int r = address_is_there(&a->n, index, wanted, prefix);

        if (r != 0)
                return;
        address6_format(wanted, text);
        snprintf(problem, sizeof(problem), "its address %s/%u is gone", text, prefix);
        found(a, b->bridge, problem, "given back", a->fix ? address_add(&a->n, index, wanted, prefix) : 0);
}

/* --- MTU --- */

static void check_mtu(struct audit *a, const char *object, const struct link *l, uint32_t wanted) {
        char problem[160];

        if (l->mtu == wanted)
                return;
        snprintf(problem, sizeof(problem), "the MTU of %s is %u instead of %u", l->name, l->mtu, wanted);
        found(a, object, problem, "set", a->fix ? link_set_mtu(&a->mending, l->index, wanted) : 0);
}

struct ports_of {
        struct audit *audit;
        const struct bridge_network *b;
};

static int check_port_mtu(const struct link *l, void *data) {
        struct ports_of *p = data;

        if (l->master == p->b->bridge_index && !strcmp(l->kind, "veth") && str_starts_with(l->name, "kv"))
                check_mtu(p->audit, p->b->bridge, l, p->b->mtu);
        return 0;
}

/* The ports first: the bridge follows the smallest of them. */
static void check_mtus(struct audit *a, const struct bridge_network *b) {
        struct link l;

        link_each(&a->n, check_port_mtu, &(struct ports_of) { a, b });
        if (link_find(&a->n, b->bridge, &l) == 0)
                check_mtu(a, b->bridge, &l, b->mtu);
}

/* --- routes --- */

struct route_search {
        struct audit *audit;
        const struct bridge_network *b;
        struct subnet6 subnet; /* as an address of either kind: prefix of 128 bits */
        bool found;
};

static int look_at_route(const struct route *route, void *data) {
        uint8_t prefix = (uint8_t) (route->prefix + (address6_is_ipv4(&route->to) ? 96 : 0));
        char text[ADDRESS6_TEXT], problem[160];
        struct route_search *s = data;
        struct link l = { .name = "no link" };

        if (prefix < s->subnet.prefix || !subnet6_contains(&s->subnet, &route->to))
                return 0;
        if (route->index == s->b->bridge_index) {
                s->found |= prefix == s->subnet.prefix;
                return 0;
        }
        if (prefix == s->subnet.prefix) /* the kernel's own goes before it */
                return 0;
        if (route->index)
                link_find_index(&s->audit->mending, route->index, &l);
        address6_format(&route->to, text);
        snprintf(problem, sizeof(problem), "a route to %s/%u by %s takes addresses of it: whoever made it has to take it away", text, route->prefix, l.name);
        found(s->audit, s->b->bridge, problem, "", s->audit->fix ? -EBUSY : 0);
        return 0;
}

/* To its subnet by its bridge; and none of others to a part of it. A link that is off has no routes. */
static void check_route(struct audit *a, const struct bridge_network *b, const struct address6 *gateway, uint8_t prefix) {
        bool ipv4 = address6_is_ipv4(gateway);
        struct route_search s = { .audit = a, .b = b, .subnet = subnet6_around(gateway, (uint8_t) (prefix + (ipv4 ? 96 : 0))) };
        char text[ADDRESS6_TEXT], problem[160];
        struct link l;

        if (link_find(&a->n, b->bridge, &l) < 0 || !l.up || address_is_there(&a->n, l.index, gateway, prefix) != 1 || routes_each(&a->n, !ipv4, look_at_route, &s) < 0 || s.found)
                return;
        address6_format(&s.subnet.base, text);
        snprintf(problem, sizeof(problem), "the route to %s/%u is gone", text, prefix);
        found(a, b->bridge, problem, "made again", a->fix ? subnet_route_add(&a->n, l.index, &s.subnet.base, prefix, gateway) : 0);
}

/* Of children of another link: is that there? What is ours of it is made again. */
static void check_parent(struct audit *a, struct bridge_network *b) {
        struct link l;
        int r = link_find(&a->n, b->parent, &l);

        if (r == -ENODEV || (r == 0 && l.index != b->bridge_index)) {
                b->ready = false;
                found(a, b->parent, "the parent of a network is gone, or another one", "looked for again", a->fix ? bridge_make_locked(a->host, b) : 0);
        } else if (r == 0 && !l.up) {
                found(a, b->parent, "the parent of a network is switched off", "switched on", a->fix ? link_set_up(&a->n, b->parent) : 0);
        }
}

/* Its links are the endpoints': whoever knows those plugs them in again. */
static void check_network(struct audit *a, struct bridge_network *b) {
        struct address6 gateway = address6_of_ipv4(b->pool.gateway);
        struct link l;
        int r = link_find(&a->n, b->bridge, &l);

        if (r == -ENODEV || (r == 0 && l.index != b->bridge_index)) {
                b->ready = false;
                found(a, b->bridge, "the bridge is gone", "made again", a->fix ? bridge_make_locked(a->host, b) : 0);
                return;
        }
        if (r < 0)
                return;
        check_bridge_switches(a, b);
        check_address(a, b, l.index, &gateway, b->pool.subnet.prefix);
        if (b->pool6.subnet.prefix)
                check_address(a, b, l.index, &b->pool6.gateway, b->pool6.subnet.prefix);
        for (size_t i = 1; i <= b->chain.n; i++) {
                const char *problem = chain_problem(b, &a->n, i);

                if (problem)
                        found(a, b->bridge, problem, "joined again", a->fix ? chain_mend(a->host, b, &a->n, NULL) : 0);
        }
        if (!l.up)
                found(a, b->bridge, "the bridge is switched off", "switched on", a->fix ? link_set_up(&a->n, b->bridge) : 0);
        check_mtus(a, b);
        check_route(a, b, &gateway, b->pool.subnet.prefix);
        if (b->pool6.subnet.prefix)
                check_route(a, b, &b->pool6.gateway, b->pool6.subnet.prefix);
}

int network_audit(struct network_host *h, bool fix, network_finding_fn fn, void *data, struct err *err) {
        struct audit a = { .host = h, .fix = fix, .fn = fn, .data = data };
        bool any = false, any6 = false;
        int r = rtnl_open(&a.n);

        if (r == 0 && (r = rtnl_open(&a.mending)) < 0)
                rtnl_close(&a.n);
        if (r < 0)
                return err_errno(err, r, "netlink socket");
        pthread_mutex_lock(&h->lock);
        for (size_t i = 0; i < h->n_networks; i++) {
                if (!h->networks[i]->ready) /* it is made with its first endpoint */
                        continue;
                if (!h->networks[i]->driver->on_host) {
                        check_parent(&a, h->networks[i]);
                        continue;
                }
                any = true;
                any6 |= h->networks[i]->ipv6;
                check_network(&a, h->networks[i]);
        }
        if (any)
                check_switch(&a, "forwarding", "/proc/sys/net/ipv4/ip_forward", NULL);
        if (any6)
                check_switch(&a, "forwarding", "/proc/sys/net/ipv6/conf/all/forwarding", NULL);
        pthread_mutex_unlock(&h->lock);
        rtnl_close(&a.mending);
        rtnl_close(&a.n);
        return 0;
}
