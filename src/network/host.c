/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "network/firewall.h"
#include "network/internal.h"

enum { MTU_MIN = 576, MTU_MAX = 65535, PORTS_AT_ONCE = 64 };

/* Private ranges that other engines do not start with. */
static const char *const default_pools[] = { "172.30.0.0/16", "172.31.0.0/16", "10.201.0.0/16", "10.202.0.0/16", "192.168.240.0/20" };

/* The name becomes part of paths below /proc/sys and of firewall rules. */
static bool bridge_name_is_valid(const char *name) {
        size_t length = name ? strlen(name) : 0;

        if (length == 0 || length > 15 || !isalpha((unsigned char) name[0]))
                return false;
        for (const char *p = name; *p; p++)
                if (!isalnum((unsigned char) *p) && *p != '-' && *p != '_')
                        return false;
        return strcmp(name, "all") != 0 && strcmp(name, "default") != 0 && strcmp(name, "lo") != 0;
}

static int read_pools(struct network_host *h, const struct network_options *o, struct err *err) {
        const char *const *texts = o->n_pools > 0 ? o->pools : default_pools;

        h->n_pools = o->n_pools > 0 ? o->n_pools : ARRAY_SIZE(default_pools);
        if (h->n_pools > POOLS_MAX)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "address pools: %zu of them, at most %d are possible", h->n_pools, POOLS_MAX);
        h->pools = calloc(h->n_pools, sizeof(*h->pools));
        if (!h->pools)
                return err_errno(err, -ENOMEM, "address pools");
        for (size_t i = 0; i < h->n_pools; i++) {
                if (subnet_parse(texts[i], &h->pools[i]) < 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "address pool \"%s\": not an IPv4 subnet such as 172.30.0.0/16", texts[i]);
                if (h->pools[i].prefix < SUBNET_PREFIX_MIN || h->pools[i].prefix > SUBNET_PREFIX_MAX)
                        return err_set(err, ERR_INVALID, -EINVAL, "address pool \"%s\": must be between /%d and /%d", texts[i], SUBNET_PREFIX_MIN,
                                SUBNET_PREFIX_MAX);
        }
        return 0;
}

int network_host_open(const struct network_options *o, struct network_host **ret, struct err *err) {
        struct network_host *h;
        int r;

        if (!bridge_name_is_valid(o->bridge))
                return err_set(err, ERR_INVALID, -EINVAL, "bridge \"%.40s\": not a name of at most 15 letters, digits, - and _",
                        o->bridge ? o->bridge : "");
        if (o->mtu != 0 && (o->mtu < MTU_MIN || o->mtu > MTU_MAX))
                return err_set(err, ERR_INVALID, -EINVAL, "bridge %s: mtu %u is not between %d and %d", o->bridge, o->mtu, MTU_MIN, MTU_MAX);
        h = calloc(1, sizeof(*h));
        if (!h)
                return err_errno(err, -ENOMEM, "bridge %s", o->bridge);
        pthread_mutex_init(&h->lock, NULL);
        reaper_init(&h->reaper);
        h->netfilter.fd = -EBADF;
        strcpy(h->bridge, o->bridge);
        h->mtu_wanted = o->mtu;
        h->nat = o->nat;
        r = read_pools(h, o, err);
        if (r < 0) {
                network_host_free(h);
                return r;
        }
        *ret = h;
        return 0;
}

void network_host_free(struct network_host *h) {
        if (!h)
                return;
        reaper_done(&h->reaper);
        rtnl_close(&h->netfilter);
        address_pool_done(&h->pool);
        pthread_mutex_destroy(&h->lock);
        free(h->pools);
        free(h);
}

int rtnl_error(const struct rtnl *n, int num, struct err *err, const char *format, ...) {
        auto_free char *text = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                text = NULL;
        va_end(ap);
        if (num == -EOPNOTSUPP)
                return err_set(err, ERR_UNSUPPORTED, num, "%s: this kernel has no such thing%s%s", text ? text : "network",
                        n->said[0] ? ": " : "", n->said);
        if (n->said[0])
                return err_errno(err, num, "%s: %s", text ? text : "network", n->said);
        return err_errno(err, num, "%s", text ? text : "network");
}

int network_describe(struct network_host *h, char subnet[20], char gateway[16], struct err *err) {
        struct bridge_state b;
        int r = bridge_ensure(h, &b, err);

        if (r < 0)
                return r;
        subnet_format(&b.subnet, subnet);
        address_format(b.gateway, gateway);
        return 0;
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

static int delete_ports(struct rtnl *n, int bridge_index, struct err *err) {
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

static int destroy(struct network_host *h, struct err *err) {
        auto_rtnl n = { .fd = -EBADF };
        struct link bridge;
        int r = rtnl_open(&n);

        if (r < 0)
                return err_errno(err, r, "netlink socket");
        r = link_find(&n, h->bridge, &bridge);
        if (r < 0 && r != -ENODEV)
                return rtnl_error(&n, r, err, "bridge %s", h->bridge);
        if (r == 0 && strcmp(bridge.kind, "bridge") == 0) {
                r = delete_ports(&n, bridge.index, err);
                if (r < 0)
                        return r;
                r = link_delete(&n, h->bridge);
                if (r < 0 && r != -ENODEV)
                        return rtnl_error(&n, r, err, "bridge %s: deleting", h->bridge);
        }
        h->ready = false;
        address_pool_done(&h->pool);
        return firewall_remove(h->bridge, err);
}

int network_host_destroy(struct network_host *h, struct err *err) {
        int r;

        reaper_wait(&h->reaper);
        pthread_mutex_lock(&h->lock);
        r = destroy(h, err);
        pthread_mutex_unlock(&h->lock);
        return r;
}
