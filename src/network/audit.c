/* SPDX-License-Identifier: Apache-2.0 */

/* Somebody may have changed links, addresses and switches of the networks by hand: is each what it should be? Only what differs is touched. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "network/internal.h"
#include "network/netns.h"

struct audit {
        struct network_host *host;
        struct rtnl n;
        bool fix;
        network_finding_fn fn;
        void *data;
};

static void found(struct audit *a, const char *object, const char *problem, const char *action, int result) {
        a->fn(object, problem, a->fix ? action : "", a->fix && result >= 0, a->data);
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
        if (!l.up)
                found(a, b->bridge, "the bridge is switched off", "switched on", a->fix ? link_set_up(&a->n, b->bridge) : 0);
}

int network_audit(struct network_host *h, bool fix, network_finding_fn fn, void *data, struct err *err) {
        struct audit a = { .host = h, .fix = fix, .fn = fn, .data = data };
        bool any = false, any6 = false;
        int r = rtnl_open(&a.n);

        if (r < 0)
                return err_errno(err, r, "netlink socket");
        pthread_mutex_lock(&h->lock);
        for (size_t i = 0; i < h->n_networks; i++) {
                if (!h->networks[i]->ready) /* it is made with its first endpoint */
                        continue;
                any = true;
                any6 |= h->networks[i]->ipv6;
                check_network(&a, h->networks[i]);
        }
        if (any)
                check_switch(&a, "forwarding", "/proc/sys/net/ipv4/ip_forward", NULL);
        if (any6)
                check_switch(&a, "forwarding", "/proc/sys/net/ipv6/conf/all/forwarding", NULL);
        pthread_mutex_unlock(&h->lock);
        rtnl_close(&a.n);
        return 0;
}
