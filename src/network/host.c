/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "network/driver.h"
#include "network/firewall.h"

enum { MTU_MIN = 576, MTU_MAX = 65535, POOL_PREFIX_MIN = 16, POOL_PREFIX_MAX = 29, POOL6_PREFIX_MAX = 64 };

/* Private ranges that other engines do not start with. */
static const char *const default_pools[] = { "172.30.0.0/16", "172.31.0.0/16", "10.201.0.0/16", "10.202.0.0/16", "192.168.240.0/20" };

bool bridge_name_is_valid(const char *name) {
        size_t length = name ? strlen(name) : 0;

        if (length == 0 || length > 15 || !isalpha((unsigned char) name[0]))
                return false;
        for (const char *p = name; *p; p++)
                if (!isalnum((unsigned char) *p) && *p != '-' && *p != '_')
                        return false;
        return strcmp(name, "all") != 0 && strcmp(name, "default") != 0 && strcmp(name, "lo") != 0;
}

static int add_pool6(struct network_host *h, const char *text, struct err *err) {
        struct subnet6 *s = &h->pools6[h->n_pools6];

        if (subnet6_parse(text, s) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "address pool \"%s\": not an IPv6 subnet such as fd00:5::/48", text);
        if (s->prefix < SUBNET6_PREFIX_MIN || s->prefix > POOL6_PREFIX_MAX)
                return err_set(err, ERR_INVALID, -EINVAL, "address pool \"%s\": must be between /%d and /%d", text, SUBNET6_PREFIX_MIN, POOL6_PREFIX_MAX);
        h->n_pools6++;
        return 0;
}

static int add_pool(struct network_host *h, const char *text, struct err *err) {
        struct subnet *s = &h->pools[h->n_pools];

        if (subnet_parse(text, s) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "address pool \"%s\": not an IPv4 subnet such as 172.30.0.0/16", text);
        if (s->prefix < POOL_PREFIX_MIN || s->prefix > POOL_PREFIX_MAX)
                return err_set(err, ERR_INVALID, -EINVAL, "address pool \"%s\": must be between /%d and /%d", text, POOL_PREFIX_MIN, POOL_PREFIX_MAX);
        h->n_pools++;
        return 0;
}

/* Of a kind that was not given: those that are known, and for IPv6 a prefix of this host's own. */
static int add_default_pools(struct network_host *h, struct err *err) {
        auto_free char *machine = NULL, *text = NULL;
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(default_pools) && r == 0 && (!h->n_pools || i); i++)
                r = add_pool(h, default_pools[i], err);
        if (r < 0 || h->n_pools6)
                return r;
        if (file_read_at(AT_FDCWD, "/etc/machine-id", 4096, &machine, NULL) < 0)
                machine = NULL;
        text = str_format("%s %s", machine ? machine : "", h->bridge);
        if (!text)
                return err_errno(err, -ENOMEM, "address pools");
        h->pools6[h->n_pools6++] = subnet6_unique_local(text);
        return 0;
}

static int read_pools(struct network_host *h, const struct network_options *o, struct err *err) {
        int r = 0;

        if (o->n_pools > POOLS_MAX)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "address pools: %zu of them, at most %d are possible", o->n_pools, POOLS_MAX);
        h->pools = calloc(o->n_pools + ARRAY_SIZE(default_pools), sizeof(*h->pools));
        h->pools6 = calloc(o->n_pools + 1, sizeof(*h->pools6));
        if (!h->pools || !h->pools6)
                return err_errno(err, -ENOMEM, "address pools");
        for (size_t i = 0; i < o->n_pools && r == 0; i++)
                r = strchr(o->pools[i], ':') ? add_pool6(h, o->pools[i], err) : add_pool(h, o->pools[i], err);
        return r < 0 ? r : add_default_pools(h, err);
}

static int add_default(struct network_host *h, const struct network_options *o, struct err *err) {
        struct bridge_network *n = calloc(1, sizeof(*n));

        h->networks = calloc(1, sizeof(*h->networks));
        if (!n || !h->networks) {
                free(n);
                return err_errno(err, -ENOMEM, "bridge %s", o->bridge);
        }
        *n = (struct bridge_network) { .driver = &driver_bridge, .mtu_wanted = o->mtu, .nat = o->nat, .icc = true, .ipv6 = o->ipv6 };
        strcpy(n->bridge, o->bridge);
        h->networks[h->n_networks++] = n;
        if (!o->ipv6 || !o->subnet6)
                return 0;
        return network_choose_subnet6(h, NULL, n, &(struct network_definition) { .bridge = o->bridge, .subnet6 = o->subnet6, .ipv6 = true }, err);
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
        h->announcer = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
        strcpy(h->bridge, o->bridge);
        r = read_pools(h, o, err);
        if (r == 0)
                r = add_default(h, o, err);
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
        fd_close(h->announcer);
        for (size_t i = 0; i < h->n_networks; i++) {
                address_pool_done(&h->networks[i]->pool);
                address6_pool_done(&h->networks[i]->pool6);
                chain_done(&h->networks[i]->chain);
                free(h->networks[i]);
        }
        free(h->networks);
        published_ports_done(&h->ports);
        pthread_mutex_destroy(&h->lock);
        free(h->pools);
        free(h->pools6);
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

void network_describe_pools(const struct bridge_network *b, struct network_addresses *ret) {
        *ret = (struct network_addresses) { .subnet = "" };
        subnet_format(&b->pool.subnet, ret->subnet);
        address_format(b->pool.gateway, ret->gateway);
        if (!b->pool6.subnet.prefix)
                return;
        subnet6_format(&b->pool6.subnet, ret->subnet6);
        address6_format(&b->pool6.gateway, ret->gateway6);
}

int network_describe(struct network_host *h, struct network_addresses *ret, struct err *err) {
        struct bridge_state b;
        int r = bridge_ensure(h, h->bridge, &b, err);

        if (r < 0)
                return r;
        pthread_mutex_lock(&h->lock);
        network_describe_pools(h->networks[0], ret);
        pthread_mutex_unlock(&h->lock);
        return 0;
}

struct bridge_network *network_find_locked(struct network_host *h, const char *bridge) {
        for (size_t i = 0; i < h->n_networks; i++)
                if (!strcmp(h->networks[i]->bridge, bridge))
                        return h->networks[i];
        return NULL;
}

int network_unknown(const char *bridge, struct err *err) {
        return err_set(err, ERR_NOT_FOUND, -ENOENT, "bridge %s: no network of this daemon has it", bridge);
}

static size_t count_joined(const struct network_host *h) {
        size_t n = 0;

        for (size_t i = 0; i < h->n_networks; i++)
                n += h->networks[i]->chain.n;
        return n;
}

/* What the table should be, for `use`; lock is held. */
static int with_firewall(struct network_host *h, int (*use)(const struct firewall *f, void *data, struct err *err), void *data, struct err *err) {
        size_t n_joined = count_joined(h), k = 0;
        auto_free struct firewall_network *networks = calloc(h->n_networks + n_joined, sizeof(*networks));
        auto_free char (*names)[16] = calloc(n_joined + 1, sizeof(*names));
        auto_free struct firewall_port *ports = calloc(h->ports.n + 1, sizeof(*ports));
        struct firewall f = { .name = h->bridge, .networks = networks, .ports = ports, .n_ports = h->ports.n, .no_loopback6 = !ports_by_loopback6() };

        if (!networks || !names || !ports)
                return err_errno(err, -ENOMEM, "firewall");
        for (size_t i = 0; i < h->n_networks; i++) {
                const struct bridge_network *n = h->networks[i];

                if (!n->pool.owners || !n->driver->on_host)
                        continue;
                networks[f.n_networks++] = (struct firewall_network) { n->bridge, n->pool.subnet, n->pool6.subnet, n->nat, n->internal, n->icc, n->defined ? n->pool.gateway : 0, false, n->chain.n > 0 };
                for (size_t j = 1; j <= n->chain.n; j++, k++) {
                        chain_name(n->bridge, j, 'b', names[k]);
                        networks[f.n_networks++] = (struct firewall_network) { names[k], n->pool.subnet, n->pool6.subnet, false, n->internal, true, n->defined ? n->pool.gateway : 0, true, false };
                }
        }
        for (size_t i = 0; i < h->ports.n; i++)
                ports[i] = *published_port(&h->ports, i);
        return use(&f, data, err);
}

static int apply(const struct firewall *f, void *data, struct err *err) {
        (void) data;
        return firewall_apply(f, err);
}

int network_apply_firewall(struct network_host *h, struct err *err) {
        return with_firewall(h, apply, NULL, err);
}

struct comparison {
        struct network_host *host;
        char *what;
};

static int compare(const struct firewall *f, void *data, struct err *err) {
        struct comparison *c = data;

        return firewall_compare(f, &c->host->netfilter, c->what, err);
}

int network_check_firewall(struct network_host *h, bool fix, char ret[160], struct err *err) {
        struct comparison c = { h, ret };
        bool wanted = false;
        int r = 0;

        pthread_mutex_lock(&h->lock);
        for (size_t i = 0; i < h->n_networks; i++)
                wanted |= h->networks[i]->ready && h->networks[i]->driver->on_host;
        if (wanted)
                r = with_firewall(h, compare, &c, err);
        if (r == 1 && fix) {
                r = network_apply_firewall(h, err);
                r = r < 0 ? r : 1;
        }
        pthread_mutex_unlock(&h->lock);
        return r;
}

static int destroy(struct network_host *h, struct err *err) {
        auto_rtnl n = { .fd = -EBADF };
        int r = rtnl_open(&n);

        if (r < 0)
                return err_errno(err, r, "netlink socket");
        for (size_t i = 0; i < h->n_networks; i++) {
                r = h->networks[i]->driver->remove(&n, h->networks[i], err);
                if (r < 0)
                        return r;
                h->networks[i]->ready = false;
                address_pool_done(&h->networks[i]->pool);
                address6_pool_done(&h->networks[i]->pool6);
                chain_done(&h->networks[i]->chain);
        }
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
