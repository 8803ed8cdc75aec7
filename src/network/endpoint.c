/* SPDX-License-Identifier: Apache-2.0 */

/* One container on the bridge. The slow part, the kernel's, runs without our lock: many can be connected at once. */

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "network/internal.h"
#include "network/netns.h"

enum { LINK_HEX = 13 }; /* "kv" and 52 bits of the id fill a link's name */

#define CONTAINER_LINK "eth0"

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

static void link_name(const char *id, char ret[16]) {
        snprintf(ret, 16, "kv%.*s", LINK_HEX, id);
}

static int take_address(struct network_host *h, const char *id, uint32_t *ret, struct err *err) {
        int r;

        pthread_mutex_lock(&h->lock);
        r = h->pool.owners ? address_pool_take(&h->pool, owner_of(id), ret) : -ENODEV;
        pthread_mutex_unlock(&h->lock);
        return r < 0 ? err_errno(err, r, "bridge %s: no free address", h->bridge) : 0;
}

static void release_address(struct network_host *h, const char *id, uint32_t address) {
        pthread_mutex_lock(&h->lock);
        if (h->pool.owners)
                address_pool_release(&h->pool, owner_of(id), address);
        pthread_mutex_unlock(&h->lock);
}

/* A network namespace goes some time after its last process: the veth of this container's earlier run can still be there. */
static int add_veth(struct network_host *h, struct rtnl *n, const struct veth *v) {
        int r = link_add_veth(n, v);

        if (r != -EEXIST || reaper_discard(&h->reaper, n, v->host_name, true) < 0)
                return r;
        return link_add_veth(n, v);
}

static int set_up_host_end(struct rtnl *n, const char *name) {
        int r = link_disable_ipv6(name); /* while it is down */

        return r < 0 ? r : link_set_up(n, name);
}

static int set_up_container_end(struct rtnl *inside, const struct bridge_state *b, uint32_t address) {
        struct link l;
        int r = link_find(inside, CONTAINER_LINK, &l);

        return r < 0 ? r : link_configure(inside, l.index, address, b->subnet.prefix, b->gateway);
}

static int plug(struct network_host *h, const struct bridge_state *b, const char *id, int netns_fd, uint32_t address, struct err *err) {
        auto_rtnl inside = { .fd = -EBADF }, host = { .fd = -EBADF };
        struct veth v = { .peer_name = CONTAINER_LINK, .bridge_index = b->index, .netns_fd = netns_fd, .mtu = b->mtu };
        char name[16];
        int r;

        link_name(id, name);
        v.host_name = name;
        address_mac(address, v.peer_mac);
        r = netns_prepare(netns_fd, &inside);
        if (r == 0)
                r = rtnl_open(&host);
        if (r < 0)
                return err_errno(err, r, "container %.12s: entering its network namespace", id);
        r = add_veth(h, &host, &v);
        if (r < 0)
                return rtnl_error(&host, r, err, "container %.12s: adding a link to bridge %s", id, h->bridge);
        r = set_up_host_end(&host, name);
        if (r < 0)
                r = rtnl_error(&host, r, err, "container %.12s: link %s", id, name);
        else if ((r = set_up_container_end(&inside, b, address)) < 0)
                r = rtnl_error(&inside, r, err, "container %.12s: address and route of " CONTAINER_LINK, id);
        if (r < 0)
                reaper_discard(&h->reaper, &host, name, false);
        return r;
}

static void describe(struct network_host *h, const struct bridge_state *b, const char *id, uint32_t address, struct network_endpoint *ret) {
        struct network_endpoint e = { .prefix = b->subnet.prefix };
        uint8_t mac[6];

        address_format(address, e.address);
        address_format(b->gateway, e.gateway);
        address_mac(address, mac);
        snprintf(e.mac, sizeof(e.mac), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
        link_name(id, e.host_link);
        strcpy(e.bridge, h->bridge);
        *ret = e;
}

static int connect_once(struct network_host *h, const char *id, int netns_fd, struct network_endpoint *ret, int *ret_index, struct err *err) {
        struct bridge_state b;
        uint32_t address;
        int r = bridge_ensure(h, &b, err);

        *ret_index = r < 0 ? 0 : b.index;
        if (r == 0)
                r = take_address(h, id, &address, err);
        if (r < 0)
                return r;
        r = plug(h, &b, id, netns_fd, address, err);
        if (r < 0)
                release_address(h, id, address);
        else
                describe(h, &b, id, address, ret);
        return r;
}

static bool bridge_is_gone(struct network_host *h, int index) {
        auto_rtnl n = { .fd = -EBADF };
        struct link l;

        return index > 0 && rtnl_open(&n) == 0 && (link_find(&n, h->bridge, &l) == -ENODEV || l.index != index);
}

int network_connect(struct network_host *h, const char *id, int netns_fd, struct network_endpoint *ret, struct err *err) {
        int index, r = check_id(id, err);

        if (r < 0)
                return r;
        r = connect_once(h, id, netns_fd, ret, &index, err);
        /* Somebody deleted the bridge behind our back: once more, with a new one. */
        if (r < 0 && bridge_is_gone(h, index)) {
                bridge_forget(h, index);
                r = connect_once(h, id, netns_fd, ret, &index, err);
        }
        return r;
}

int network_disconnect(struct network_host *h, const char *id, const struct network_endpoint *e, struct err *err) {
        auto_rtnl n = { .fd = -EBADF };
        uint32_t address;
        char name[16];
        int r = check_id(id, err);

        if (r < 0)
                return r;
        link_name(id, name);
        r = rtnl_open(&n);
        if (r == 0)
                r = reaper_discard(&h->reaper, &n, name, false);
        if (r < 0 && r != -ENODEV)
                return rtnl_error(&n, r, err, "container %.12s: deleting link %s", id, name);
        /* After it is unplugged: until then it answers to the address. */
        if (address_parse(e->address, &address) == 0)
                release_address(h, id, address);
        return 0;
}

int network_claim(struct network_host *h, const char *id, const struct network_endpoint *e, struct err *err) {
        struct bridge_state b;
        uint32_t address;
        int r = check_id(id, err);

        if (r == 0 && address_parse(e->address, &address) < 0)
                r = err_set(err, ERR_INVALID, -EINVAL, "container %.12s: \"%.16s\" is not an address", id, e->address);
        if (r == 0)
                r = bridge_ensure(h, &b, err);
        if (r < 0)
                return r;
        pthread_mutex_lock(&h->lock);
        r = h->pool.owners ? address_pool_claim(&h->pool, owner_of(id), address) : -ERANGE;
        pthread_mutex_unlock(&h->lock);
        if (r == -EEXIST)
                return err_set(err, ERR_CONFLICT, r, "container %.12s: another container has its address %s", id, e->address);
        if (r == -ERANGE)
                return err_set(err, ERR_CONFLICT, r, "container %.12s: its address %s is not one of bridge %s", id, e->address, h->bridge);
        return 0;
}
