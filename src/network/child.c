/* SPDX-License-Identifier: Apache-2.0 */

/* Networks that are children of a link: macvlan and ipvlan. A container is where its parent is, beside this host and not behind it: nothing of its traffic passes the
 * host's firewall, and it and the host do not see each other by that link. The parent is a link of the host's; or its VLAN, which is made and removed; or a dummy,
 * for networks that lead nowhere. */

#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "network/child-links.h"
#include "network/driver.h"
#include "network/netns.h"

enum { BUSY_TRIES = 150, BUSY_WAIT_MS = 20, VLAN_MAX = 4094 };

struct word {
        const char *name;
        uint16_t value;
};
/* The first is the usual one. */
static const struct word macvlan_modes[] = {
        { "bridge", MACVLAN_MODE_BRIDGE }, { "private", MACVLAN_MODE_PRIVATE }, { "vepa", MACVLAN_MODE_VEPA }, { "passthru", MACVLAN_MODE_PASSTHRU }, { NULL, 0 },
};
static const struct word ipvlan_modes[] = { { "l2", IPVLAN_MODE_L2 }, { "l3", IPVLAN_MODE_L3 }, { "l3s", IPVLAN_MODE_L3S }, { NULL, 0 } };
static const struct word ipvlan_flags[] = { { "bridge", 0 }, { "private", IPVLAN_F_PRIVATE }, { "vepa", IPVLAN_F_VEPA }, { NULL, 0 } };

static int read_word(const struct word *words, const char *what, const char *text, uint16_t *ret, struct err *err) {
        if (!text || !*text)
                text = words->name;
        while (words->name && strcmp(words->name, text) != 0)
                words++;
        if (!words->name)
                return network_bad(err, what, text, "not one of its words");
        *ret = words->value;
        return 0;
}

/* As the kernel has names of links, and no '/': it may become a path below /proc/sys. */
static bool is_link_name(const char *text) {
        size_t n = strlen(text);

        if (n == 0 || n > 15 || !strcmp(text, ".") || !strcmp(text, ".."))
                return false;
        for (; *text; text++)
                if (*text <= ' ' || *text > '~' || *text == '/' || *text == ':')
                        return false;
        return true;
}

static int read_parent(const struct network_definition *d, struct bridge_network *b, struct err *err) {
        const char *parent = d->parent && *d->parent ? d->parent : d->bridge;

        if (!is_link_name(parent) || !strcmp(parent, "lo"))
                return network_bad(err, "parent", parent, "not the name of a link that can have children");
        snprintf(b->parent, sizeof(b->parent), "%s", parent);
        return 0;
}

static int read_macvlan(const struct network_definition *d, struct bridge_network *b, struct err *err) {
        int r = read_parent(d, b, err);

        return r < 0 ? r : read_word(macvlan_modes, "macvlan_mode", d->mode, &b->mode, err);
}

static int read_ipvlan(const struct network_definition *d, struct bridge_network *b, struct err *err) {
        int r = read_parent(d, b, err);

        if (r == 0)
                r = read_word(ipvlan_modes, "ipvlan_mode", d->mode, &b->mode, err);
        return r < 0 ? r : read_word(ipvlan_flags, "ipvlan_flag", d->flag, &b->flags, err);
}

/* A child without a parent is refused by a kernel that knows the kind, in another way than by one that does not. */
static int probe(const struct bridge_network *b, struct err *err) {
        auto_rtnl n = { .fd = -EBADF };
        int r = rtnl_open(&n);

        if (r < 0)
                return err_errno(err, r, "netlink socket");
        if (!link_kind_is_known(&n, b->driver->name))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "network driver %s: this kernel has no such links (module %s)", b->driver->name, b->driver->name);
        return 0;
}

/* --- the parent --- */

static bool is_dummy(const struct bridge_network *b) {
        return !strcmp(b->parent, b->bridge);
}

/* What is ours is in a group of links whose number is made of the network's (FNV-1a). Never 0, which all others are in. */
static uint32_t group_of(const struct bridge_network *b) {
        uint32_t h = 0x811c9dc5;

        for (const char *p = b->bridge; *p; p++)
                h = (h ^ (unsigned char) *p) * 0x01000193;
        return h ? h : 1;
}

static int make_vlan(struct rtnl *n, const struct bridge_network *b, struct err *err) {
        const char *dot = strrchr(b->parent, '.');
        char base[16] = "";
        struct link l;
        uint64_t id;
        int r;

        if (!dot || str_to_u64(dot + 1, 1, VLAN_MAX, &id) < 0)
                return err_set(err, ERR_NOT_FOUND, -ENODEV, "parent %s: this host has no such link", b->parent);
        memcpy(base, b->parent, (size_t) (dot - b->parent));
        r = link_find(n, base, &l);
        if (r == -ENODEV)
                return err_set(err, ERR_NOT_FOUND, r, "parent %s: this host has no link %s whose VLAN it could be", b->parent, base);
        if (r < 0)
                return rtnl_error(n, r, err, "parent %s", base);
        r = link_add_vlan(n, b->parent, l.index, (uint16_t) id, group_of(b));
        return r < 0 && r != -EEXIST ? rtnl_error(n, r, err, "parent %s: making VLAN %u of %s", b->parent, (unsigned) id, base) : 0;
}

static int make_parent(struct rtnl *n, const struct bridge_network *b, struct link *ret, struct err *err) {
        int r;

        if (is_dummy(b)) {
                r = link_add_dummy(n, b->parent, group_of(b));
                if (r < 0 && r != -EEXIST)
                        return rtnl_error(n, r, err, "parent %s: making a dummy link", b->parent);
        } else if ((r = make_vlan(n, b, err)) < 0) {
                return r;
        }
        r = link_find(n, b->parent, ret);
        if (r == 0)
                r = link_disable_ipv6(b->parent); /* the host itself is not there */
        if (r == 0)
                r = link_set_up(n, b->parent);
        return r < 0 ? rtnl_error(n, r, err, "parent %s", b->parent) : 0;
}

static int make(struct network_host *h, struct bridge_network *b, struct err *err) {
        auto_rtnl n = { .fd = -EBADF };
        struct link l;
        int r = rtnl_open(&n);

        (void) h;
        if (r < 0)
                return err_errno(err, r, "netlink socket");
        r = link_find(&n, b->parent, &l);
        if (r == -ENODEV)
                r = make_parent(&n, b, &l, err);
        else if (r < 0)
                r = rtnl_error(&n, r, err, "parent %s", b->parent);
        if (r < 0)
                return r;
        if (is_dummy(b) && strcmp(l.kind, "dummy") != 0)
                return err_set(err, ERR_CONFLICT, -EEXIST, "parent %s: this host has a link of that name that is no dummy", b->parent);
        if (b->mtu_wanted > l.mtu)
                return err_set(err, ERR_INVALID, -EINVAL, "mtu %u: that of parent %s is %u", b->mtu_wanted, b->parent, l.mtu);
        b->bridge_index = l.index;
        b->mtu = b->mtu_wanted ? b->mtu_wanted : l.mtu;
        memcpy(b->parent_mac, l.mac, sizeof(b->parent_mac));
        b->ready = true;
        return 0;
}

static int remove_parent(struct rtnl *n, const struct bridge_network *b, struct err *err) {
        struct link l;
        int r = link_find(n, b->parent, &l);

        if (r == -ENODEV || (r == 0 && l.group != group_of(b)))
                return 0;
        if (r == 0)
                r = link_delete_index(n, l.index);
        return r < 0 && r != -ENODEV ? rtnl_error(n, r, err, "parent %s: deleting", b->parent) : 0;
}

/* --- endpoints --- */

static int add_child(struct rtnl *host, struct rtnl *inside, const struct child *c, const struct bridge_state *b, const char *id, const struct network_endpoint *e, struct err *err) {
        int r = link_add_child(host, c);

        if (r < 0)
                return rtnl_error(host, r, err, "container %.12s: adding %s link %s to parent %s", id, c->kind, e->link, b->link);
        /* Who had the address before may have had another MAC address, and there is no bridge of ours that knows better. */
        r = netns_announce(c->netns_fd, e->link);
        if (r == 0)
                r = endpoint_configure(inside, e, c->netns_fd);
        if (r < 0) {
                r = rtnl_error(inside, r, err, "container %.12s: address and route of %s", id, e->link);
                link_delete(inside, e->link);
        }
        return r;
}

/* A network namespace goes some time after its last process: the link of this container's earlier run, or of who had the address before, can still be there with
 * its MAC or IP address, of which a parent has each once; or as the only child that a parent has in passthru mode; or as one of another kind. */
static bool may_pass(const struct bridge_state *b, int r) {
        return r == -EADDRINUSE || r == -EBUSY || (r == -EINVAL && b->shares_mac && b->driver == &driver_macvlan);
}

static int plug(struct network_host *h, const struct bridge_state *b, const char *id, const struct network_endpoint *e, int netns_fd, struct network_spare *spare, struct err *err) {
        auto_rtnl inside = { .fd = -EBADF }, host = { .fd = -EBADF };
        struct child c = { .kind = b->driver->name, .name = e->link, .parent = b->index, .netns_fd = netns_fd, .mtu = b->mtu, .mode = b->mode, .flags = b->flags };
        const struct timespec pause = { .tv_nsec = BUSY_WAIT_MS * 1000000L };
        int r = b->shares_mac ? 0 : mac_parse(e->mac, c.mac);

        (void) h;
        (void) spare;
        if (r < 0)
                return err_errno(err, r, "container %.12s: address %s", id, e->mac);
        c.has_mac = !b->shares_mac;
        r = netns_prepare(netns_fd, &inside);
        if (r == 0)
                r = rtnl_open(&host);
        if (r < 0)
                return err_errno(err, r, "container %.12s: entering its network namespace", id);
        r = add_child(&host, &inside, &c, b, id, e, err);
        for (int i = 0; i < BUSY_TRIES && may_pass(b, r); i++) {
                nanosleep(&pause, NULL);
                r = add_child(&host, &inside, &c, b, id, e, err);
        }
        return r;
}

struct search {
        const struct bridge_state *b;
        int index;
};

/* By its parent, not by its name: who may change links in there may have given it another, and made more of them. */
static int search_child(const struct link *l, void *data) {
        struct search *s = data;

        if (l->parent == s->b->index && l->is_of_elsewhere && !strcmp(l->kind, s->b->driver->name))
                s->index = l->index;
        return 0;
}

static int unplug(struct network_host *h, const struct bridge_state *b, const char *id, const struct network_endpoint *e, int netns_fd, struct err *err) {
        auto_rtnl inside = { .fd = -EBADF };
        struct search s = { .b = b, .index = 1 };
        int r;

        (void) h;
        if (netns_fd < 0)
                return 0;
        r = netns_prepare(netns_fd, &inside);
        if (r < 0)
                return err_errno(err, r, "container %.12s: entering its network namespace", id);
        while (r == 0 && s.index) {
                s.index = 0;
                r = link_each(&inside, search_child, &s);
                if (r == 0 && s.index)
                        r = link_delete_index(&inside, s.index);
                if (r == -ENODEV)
                        r = 0;
        }
        return r < 0 ? rtnl_error(&inside, r, err, "container %.12s: deleting link %s", id, e->link) : 0;
}

static int is_plugged(const struct bridge_state *b, const struct network_endpoint *e, int netns_fd) {
        auto_rtnl inside = { .fd = -EBADF };
        struct search s = { .b = b };
        int r = netns_fd < 0 ? -EBADF : netns_prepare(netns_fd, &inside);

        (void) e;
        if (r == 0)
                r = link_each(&inside, search_child, &s);
        return r < 0 ? r : s.index != 0;
}

const struct network_driver driver_macvlan = {
        .name = "macvlan", .has_parent = true, .read = read_macvlan, .probe = probe, .make = make, .remove = remove_parent, .plug = plug, .unplug = unplug, .is_plugged = is_plugged,
};
const struct network_driver driver_ipvlan = {
        .name = "ipvlan", .has_parent = true, .read = read_ipvlan, .probe = probe, .make = make, .remove = remove_parent, .plug = plug, .unplug = unplug, .is_plugged = is_plugged,
};

bool child_shares_mac(const struct bridge_network *b) {
        return b->driver == &driver_ipvlan || (b->driver == &driver_macvlan && b->mode == MACVLAN_MODE_PASSTHRU);
}

bool child_is_routed(const struct bridge_network *b) {
        return b->driver == &driver_ipvlan && b->mode != IPVLAN_MODE_L2;
}
