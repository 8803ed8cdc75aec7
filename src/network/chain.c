/* SPDX-License-Identifier: Apache-2.0 */
#include "network/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "network/internal.h"
#include "network/limits.h"
#include "network/netns.h"
#include "network/routes.h"

enum { CROWD = 256 }; /* endpoints of a network, from which on the kernel's usual limits may be too low */
static const uint32_t inner_address = 0xa9fefffe; /* 169.254.255.254: link-local, and kept free (RFC 3927, 2.1) */

void chain_done(struct chain *c) {
        free(c->ports);
        *c = (struct chain) { 0 };
}

/* 36 bits of the bridge's name (FNV-1a). */
static uint64_t digits_of(const char *bridge) {
        uint64_t h = 0xcbf29ce484222325;

        for (; *bridge; bridge++)
                h = (h ^ (unsigned char) *bridge) * 0x100000001b3;
        return h >> 28;
}

void chain_name(const char *bridge, size_t i, char kind, char ret[16]) {
        snprintf(ret, 16, "k%c%09llx-%03x", kind, (unsigned long long) digits_of(bridge), (unsigned) i & 0xfff);
}

/* --- the bridges --- */

static int set_ipv4(const char *name, const char *what, const char *value) {
        char path[96];

        snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/%s", name, what);
        return netns_sysctl(path, value);
}

/* Before it is switched on: it hears who asks for the host's addresses, and must not answer in the place of the network's own bridge. So it has none of IPv6, nor
 * makes itself one. */
static int make_silent(const struct bridge_network *b, const char *name) {
        char path[96];
        int r = set_ipv4(name, "arp_ignore", "8");

        if (r < 0 || !b->ipv6)
                return r < 0 ? r : link_disable_ipv6(name);
        snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/addr_gen_mode", name);
        r = netns_sysctl(path, "1");
        return r < 0 ? r : link_enable_ipv6(name);
}

/* With br_netfilter, what a container on it sends to a published port is translated on it, and leaves it for the host's routing, which hands it to the network's own
 * bridge: there it could not turn round at the pair. The kernel then looks at whether the sender's address belongs there (rp_filter), and does so leniently only
 * where there is any address. This one is no way to it: it is told to nobody, and of this host only. */
static int let_in(struct network_host *h, const struct bridge_network *b, struct rtnl *n, const char *name, int index) {
        const struct address6 address = address6_of_ipv4(inner_address);
        int r = set_ipv4(name, "rp_filter", "2");

        if (r == 0 && (r = address_add_inner(n, index, &address, 32)) == -EEXIST)
                r = 0;
        if (r == 0 && ports_has_bridge(&h->ports, b->bridge))
                r = set_ipv4(name, "route_localnet", "1");
        return r;
}

/* What the kernel has room for: raised when it is less, never lowered. Each container has its gateway as a neighbour, the host has each container, and all are counted
 * together (the highest level is set first). A frame to all on a bridge waits once for each of its ports in the queue of one processor: what does not fit is
 * dropped, and with it the question who has an address. */
static void make_room(void) {
        static const struct {
                const char *path;
                uint64_t value;
        } limits[] = {
                { "/proc/sys/net/ipv4/neigh/default/gc_thresh3", 131072 }, { "/proc/sys/net/ipv4/neigh/default/gc_thresh2", 65536 }, { "/proc/sys/net/ipv4/neigh/default/gc_thresh1", 16384 },
                { "/proc/sys/net/ipv6/neigh/default/gc_thresh3", 131072 }, { "/proc/sys/net/ipv6/neigh/default/gc_thresh2", 65536 }, { "/proc/sys/net/ipv6/neigh/default/gc_thresh1", 16384 },
                { "/proc/sys/net/core/netdev_max_backlog", 65536 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
                auto_free char *text = NULL;
                char wanted[24];
                uint64_t now;

                if (file_read_at(AT_FDCWD, limits[i].path, 64, &text, NULL) < 0)
                        continue;
                text[strcspn(text, "\n")] = '\0';
                snprintf(wanted, sizeof(wanted), "%llu", (unsigned long long) limits[i].value);
                if (str_to_u64(text, 0, UINT32_MAX, &now) == 0 && now < limits[i].value && netns_sysctl(limits[i].path, wanted) < 0)
                        log_warning("%s cannot be raised to %s: with so many containers on a network they may not find each other", limits[i].path, wanted);
        }
}

static int find_or_add_bridge(const struct bridge_network *b, struct rtnl *n, const char *name, size_t i, struct link *ret) {
        uint64_t digits = digits_of(b->bridge);
        const uint8_t mac[6] = { 0x02, 0x43, (uint8_t) (digits >> 16), (uint8_t) (digits >> 8), (uint8_t) digits, (uint8_t) i };
        int r = link_find(n, name, ret);

        if (r == -ENODEV) {
                r = link_add_bridge(n, name, mac);
                if (r == 0 || r == -EEXIST)
                        r = link_find(n, name, ret);
                if (r == 0)
                        r = link_set_mtu(n, ret->index, b->mtu); /* kept, whatever its ports have */
        }
        return r < 0 ? r : strcmp(ret->kind, "bridge") != 0 ? -EEXIST : 0;
}

static int find_or_add_pair(const struct bridge_network *b, struct rtnl *n, size_t i) {
        struct veth v = { .bridge_index = b->bridge_index, .mtu = b->mtu };
        uint64_t digits = digits_of(b->bridge);
        auto_fd here = -EBADF;
        char trunk[16], tail[16];
        struct link l;
        int r;

        chain_name(b->bridge, i, 't', trunk);
        chain_name(b->bridge, i, 'u', tail);
        r = link_find(n, trunk, &l);
        if (r != -ENODEV)
                return r;
        here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        if (here < 0)
                return -errno;
        v.host_name = trunk;
        v.peer_name = tail;
        v.netns_fd = here;
        memcpy(v.peer_mac, (const uint8_t[6]) { 0x02, 0x44, (uint8_t) (digits >> 16), (uint8_t) (digits >> 8), (uint8_t) digits, (uint8_t) i }, 6);
        return link_add_veth(n, &v);
}

static int plug_end(struct rtnl *n, const char *name, int bridge_index, uint32_t mtu) {
        struct link l;
        int r = link_find(n, name, &l);

        if (r == 0 && !l.up)
                r = link_disable_ipv6(name);
        if (r == 0 && l.master != bridge_index)
                r = link_plug(n, l.index, bridge_index, mtu);
        return r;
}

/* Each step can have been the last one of a daemon that was killed. Endpoints that are not to see each other are isolated ports of their bridge; so are the
 * pairs, on the network's own one: what comes by one reaches the gateway, and no other port. */
static int join(struct network_host *h, struct bridge_network *b, struct rtnl *n, size_t i) {
        char name[16], trunk[16], tail[16];
        struct link l;
        int r;

        chain_name(b->bridge, i, 'b', name);
        chain_name(b->bridge, i, 't', trunk);
        chain_name(b->bridge, i, 'u', tail);
        r = find_or_add_bridge(b, n, name, i, &l);
        if (r < 0)
                return r;
        b->chain.bridges[i].index = l.index;
        fault_point("chain", "bridge");
        r = l.up ? 0 : make_silent(b, name);
        if (r == 0)
                r = let_in(h, b, n, name, l.index);
        if (r == 0)
                r = find_or_add_pair(b, n, i);
        fault_point("chain", "pair");
        if (r == 0 && (r = plug_end(n, trunk, b->bridge_index, b->mtu)) == 0 && !b->icc)
                r = link_isolate(n, trunk);
        if (r == 0)
                r = plug_end(n, tail, l.index, b->mtu);
        fault_point("chain", "plugged");
        if (r == 0 && (r = link_set_up(n, name)) == 0 && (r = link_set_up(n, tail)) == 0)
                r = link_set_up(n, trunk);
        return r;
}

void chain_find(struct bridge_network *b, struct rtnl *n) {
        while (b->chain.n < CHAIN_MAX) {
                char name[16];
                struct link l;

                chain_name(b->bridge, b->chain.n + 1, 'b', name);
                if (link_find(n, name, &l) < 0)
                        return;
                b->chain.bridges[++b->chain.n].index = l.index;
        }
}

int chain_mend(struct network_host *h, struct bridge_network *b, struct rtnl *n, struct err *err) {
        for (size_t i = 1; i <= b->chain.n; i++) {
                int r = join(h, b, n, i);

                if (r < 0)
                        return rtnl_error(n, r, err, "bridge %s: joining bridge %zu to it", b->bridge, i);
        }
        return 0;
}

int chain_route_loopback(const struct bridge_network *b) {
        char name[16];
        int r = 0;

        for (size_t i = 1; i <= b->chain.n && r == 0; i++) {
                chain_name(b->bridge, i, 'b', name);
                r = set_ipv4(name, "route_localnet", "1");
        }
        return r;
}

static bool is_port(struct rtnl *n, const char *name, int bridge_index) {
        struct link l;

        return link_find(n, name, &l) == 0 && l.up && l.master == bridge_index;
}

const char *chain_problem(const struct bridge_network *b, struct rtnl *n, size_t i) {
        const struct address6 address = address6_of_ipv4(inner_address);
        char name[16], trunk[16], tail[16];
        struct link l;
        int r;

        chain_name(b->bridge, i, 'b', name);
        chain_name(b->bridge, i, 't', trunk);
        chain_name(b->bridge, i, 'u', tail);
        r = link_find(n, name, &l);
        if (r == -ENODEV || (r == 0 && l.index != b->chain.bridges[i].index))
                return "a bridge that is joined to it is gone";
        if (r == 0 && !l.up)
                return "a bridge that is joined to it is switched off";
        if (r == 0 && address_is_there(n, l.index, &address, 32) == 0)
                return "a bridge that is joined to it has lost its address";
        return r == 0 && (!is_port(n, trunk, b->bridge_index) || !is_port(n, tail, l.index)) ? "a bridge that was joined to it is so no more" : NULL;
}

/* The table knows it before the first packet can pass. */
static int add(struct network_host *h, struct bridge_network *b, struct err *err) {
        auto_rtnl n = { .fd = -EBADF };
        size_t i = b->chain.n + 1;
        int r;

        if (i > CHAIN_MAX)
                return err_set(err, ERR_NO_SPACE, -ENOSPC, "bridge %s: it and the %d that are joined to it are full", b->bridge, CHAIN_MAX);
        r = rtnl_open(&n);
        if (r < 0)
                return err_errno(err, r, "netlink socket");
        b->chain.n = i;
        b->chain.bridges[i].n_ports = 0;
        r = network_apply_firewall(h, err);
        if (r == 0 && (r = join(h, b, &n, i)) < 0)
                r = rtnl_error(&n, r, err, "bridge %s: joining another one to it", b->bridge);
        if (r < 0)
                b->chain.n--;
        else
                log_info("network %s: bridge %zu joins it", b->bridge, i);
        return r;
}

/* The bridge last: where it is, there may be the pair. */
static int discard(struct network_host *h, const struct bridge_network *b, struct rtnl *n, size_t i) {
        static const char kinds[] = "tb";
        char name[16];
        int r = 0;

        for (const char *kind = kinds; *kind && (r == 0 || r == -ENODEV); kind++) {
                chain_name(b->bridge, i, *kind, name);
                r = reaper_discard(&h->reaper, n, name, true);
                fault_point("chain", "discard");
        }
        return r;
}

/* Not when the next endpoints would need it again at once. */
static bool is_spare(const struct chain *c) {
        unsigned most = network_bridge_ports(), room = 0;

        for (size_t i = 0; i < c->n; i++)
                room += c->bridges[i].n_ports < most ? most - c->bridges[i].n_ports : 0;
        return c->bridges[c->n].n_ports == 0 && room > most / 8;
}

void chain_trim(struct network_host *h, struct bridge_network *b, struct rtnl *n) {
        size_t before = b->chain.n;

        while (b->chain.n > 0 && is_spare(&b->chain)) {
                int r = discard(h, b, n, b->chain.n);

                if (r < 0 && r != -ENODEV) {
                        log_warning("network %s: bridge %zu cannot be taken away: %s", b->bridge, b->chain.n, strerror(-r));
                        break;
                }
                b->chain.n--;
        }
        if (b->chain.n != before)
                network_apply_firewall(h, NULL);
}

struct found {
        char prefix[16];
        int indices[CHAIN_MAX];
        char names[CHAIN_MAX][16];
        size_t n;
};

static int note_bridge(const struct link *l, void *data) {
        struct found *f = data;

        if (!strcmp(l->kind, "bridge") && str_starts_with(l->name, f->prefix) && f->n < CHAIN_MAX) {
                f->indices[f->n] = l->index;
                memcpy(f->names[f->n++], l->name, sizeof(l->name));
        }
        return 0;
}

int chain_delete(struct rtnl *n, const char *bridge, struct err *err) {
        struct found f = { .n = 0 };
        int r;

        chain_name(bridge, 0, 'b', f.prefix);
        f.prefix[strlen(f.prefix) - 3] = '\0';
        r = link_each(n, note_bridge, &f);
        if (r < 0)
                return rtnl_error(n, r, err, "listing links");
        for (size_t i = 0; i < f.n; i++) {
                char name[16];

                r = bridge_delete_ports(n, f.indices[i], err);
                if (r < 0)
                        return r;
                memcpy(name, f.names[i], sizeof(name));
                name[1] = 't';
                r = link_delete(n, name);
                if (r == 0 || r == -ENODEV)
                        r = link_delete(n, f.names[i]);
                if (r < 0 && r != -ENODEV)
                        return rtnl_error(n, r, err, "link %s: deleting", f.names[i]);
        }
        return 0;
}

/* --- who is on which --- */

static struct chain_port *find_port(const struct chain *c, const char *link) {
        for (size_t i = 0; i < c->n_ports; i++)
                if (!strcmp(c->ports[i].link, link))
                        return &c->ports[i];
        return NULL;
}

static int note_port(struct chain *c, const char *link, size_t bridge) {
        if (c->n_ports == c->room) {
                size_t room = c->room ? c->room * 2 : 16;
                struct chain_port *grown = reallocarray(c->ports, room, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                c->ports = grown;
                c->room = room;
        }
        c->ports[c->n_ports].bridge = (uint32_t) bridge;
        snprintf(c->ports[c->n_ports++].link, sizeof(c->ports->link), "%s", link);
        c->bridges[bridge].n_ports++;
        if (c->n_ports == CROWD)
                make_room();
        return 0;
}

static bool drop_port(struct chain *c, const char *link) {
        struct chain_port *p = find_port(c, link);

        if (!p)
                return false;
        if (c->bridges[p->bridge].n_ports > 0)
                c->bridges[p->bridge].n_ports--;
        *p = c->ports[--c->n_ports];
        return true;
}

void chain_claim(struct bridge_network *b, struct rtnl *n, const char *link) {
        struct link l;
        size_t i = 0;

        if (find_port(&b->chain, link) || !*link)
                return;
        if (b->chain.n > 0 && link_find(n, link, &l) == 0 && l.master)
                for (i = b->chain.n; i > 0 && b->chain.bridges[i].index != l.master; i--)
                        continue;
        note_port(&b->chain, link, i);
}

int chain_reserve(struct network_host *h, const char *bridge, const char *link, int *ret_index, struct err *err) {
        unsigned most = network_bridge_ports();
        struct bridge_network *b;
        struct chain_port *known;
        size_t i = 0;
        int r = 0;

        pthread_mutex_lock(&h->lock);
        b = network_find_locked(h, bridge);
        known = b ? find_port(&b->chain, link) : NULL;
        if (known)
                i = known->bridge;
        while (b && !known && i <= b->chain.n && b->chain.bridges[i].n_ports >= most)
                i++;
        if (!b)
                r = network_unknown(bridge, err);
        else if (i > b->chain.n)
                r = add(h, b, err);
        if (r == 0 && !known && (r = note_port(&b->chain, link, i)) < 0)
                err_errno(err, r, "bridge %s: endpoints", bridge);
        if (r == 0)
                *ret_index = i ? b->chain.bridges[i].index : b->bridge_index;
        pthread_mutex_unlock(&h->lock);
        return r;
}

void chain_release(struct network_host *h, const char *bridge, const char *link) {
        auto_rtnl n = { .fd = -EBADF };

        pthread_mutex_lock(&h->lock);
        for (size_t i = 0; i < h->n_networks; i++) {
                struct bridge_network *b = h->networks[i];

                if ((!bridge || !strcmp(b->bridge, bridge)) && drop_port(&b->chain, link) && b->chain.n > 0 && (n.fd >= 0 || rtnl_open(&n) == 0))
                        chain_trim(h, b, &n);
        }
        pthread_mutex_unlock(&h->lock);
}

void chain_is_full(struct network_host *h, const char *bridge, const char *link) {
        unsigned most = network_bridge_ports();
        struct bridge_network *b;
        struct chain_port *p;

        pthread_mutex_lock(&h->lock);
        b = network_find_locked(h, bridge);
        p = b ? find_port(&b->chain, link) : NULL;
        if (p) {
                size_t i = p->bridge;

                drop_port(&b->chain, link);
                if (b->chain.bridges[i].n_ports < most)
                        b->chain.bridges[i].n_ports = most;
        }
        pthread_mutex_unlock(&h->lock);
}
