/* SPDX-License-Identifier: Apache-2.0 */

/* Endpoints of the driver bridge: pairs of veth, one end a port of the bridge. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "network/chain.h"
#include "network/driver.h"
#include "network/netns.h"
#include "network/shaping.h"
#include "network/veth.h"

/* A network namespace goes some time after its last process: the veth of this container's earlier run can still be there. */
static int add_veth(struct network_host *h, struct rtnl *n, const struct veth *v) {
        int r = link_add_veth(n, v);

        if (r != -EEXIST || reaper_discard(&h->reaper, n, v->host_name, true) < 0)
                return r;
        r = link_add_veth(n, v);
        if (r != -EEXIST)
                return r;
        /* One that somebody took off its bridge: its other end has the name inside until it is deleted. */
        reaper_wait(&h->reaper);
        return link_add_veth(n, v);
}

static int set_up_host_end(struct rtnl *n, const char *name, bool isolated, bool spare) {
        int r = spare ? 0 : link_disable_ipv6(name); /* while it is down; of a spare one it is off already */

        if (r == 0 && isolated)
                r = link_isolate(n, name);
        return r < 0 ? r : link_set_up(n, name);
}

/* Before the first packet. */
static int limit(struct network_host *h, struct rtnl *n, const struct network_endpoint *e, uint32_t mtu) {
        return e->rates.ingress || e->rates.egress ? shaping_set(&h->reaper, n, e->host_link, mtu, &e->rates, true) : 0;
}

/* A spare link is its owner's: there may be a second try. */
static int discard(struct network_host *h, struct rtnl *n, const struct network_endpoint *e, const struct network_spare *spare) {
        int r = spare ? 0 : reaper_discard(&h->reaper, n, e->host_link, false);

        if (e->rates.egress)
                shaping_discard(&h->reaper, n, e->host_link);
        return r == -ENODEV ? 0 : r;
}

/* A new pair, or the spare one: a port of the network's own bridge, or of one that is joined to it. */
static int make_link(struct network_host *h, const char *bridge, uint32_t mtu, struct veth *v, struct rtnl *host, struct rtnl *inside, const struct network_spare *spare,
                     struct err *err) {
        int r = -EXFULL;

        for (int i = 0; i <= CHAIN_MAX && r == -EXFULL; i++) {
                r = chain_reserve(h, bridge, v->host_name, &v->bridge_index, err);
                if (r < 0)
                        return r;
                r = spare ? link_plug(host, spare->host_index, v->bridge_index, mtu) : add_veth(h, host, v);
                if (r == -EXFULL)
                        chain_is_full(h, bridge, v->host_name);
        }
        if (r == 0 && spare)
                r = link_dress(inside, spare->index, v->peer_mac, mtu);
        if (r == 0)
                return 0;
        chain_release(h, bridge, v->host_name);
        return rtnl_error(host, r, err, "the kernel");
}

/* With a spare link, `netns_fd` was prepared when that was made. */
static int enter(int netns_fd, const struct network_spare *spare, struct rtnl *ret) {
        int fd;

        if (!spare)
                return netns_prepare(netns_fd, ret);
        fd = fcntl(spare->inside_fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return -errno;
        *ret = (struct rtnl) { .fd = fd, .seq = 1 };
        return 0;
}

int veth_plug(struct network_host *h, const struct bridge_state *b, const char *id, const struct network_endpoint *e, int netns_fd, struct network_spare *spare, struct err *err) {
        auto_rtnl inside = { .fd = -EBADF }, host = { .fd = -EBADF };
        struct veth v = { .host_name = e->host_link, .peer_name = e->link, .netns_fd = netns_fd, .mtu = b->mtu };
        int r = mac_parse(e->mac, v.peer_mac);

        if (r < 0)
                return err_errno(err, r, "container %.12s: address %s", id, e->mac);
        r = enter(netns_fd, spare, &inside);
        if (r == 0)
                r = rtnl_open(&host);
        if (r < 0)
                return err_errno(err, r, "container %.12s: entering its network namespace", id);
        r = make_link(h, e->bridge, b->mtu, &v, &host, &inside, spare, err);
        if (r < 0) {
                err_prefix(err, "container %.12s: adding link %s to bridge %s", id, e->link, e->bridge);
                return r;
        }
        r = limit(h, &host, e, b->mtu);
        if (r < 0)
                r = rtnl_error(&host, r, err, "container %.12s: limits of bandwidth of link %s", id, e->link);
        else if ((r = set_up_host_end(&host, e->host_link, !b->icc, spare)) < 0)
                r = rtnl_error(&host, r, err, "container %.12s: link %s", id, e->host_link);
        else if ((r = endpoint_configure(&inside, e, netns_fd)) < 0)
                r = rtnl_error(&inside, r, err, "container %.12s: address and route of %s", id, e->link);
        if (r < 0) {
                discard(h, &host, e, spare);
                chain_release(h, e->bridge, e->host_link);
        } else
                announce_here(h, &host, e);
        return r;
}

int veth_unplug(struct network_host *h, const struct bridge_state *b, const char *id, const struct network_endpoint *e, int netns_fd, struct err *err) {
        auto_rtnl n = { .fd = -EBADF };
        int r = rtnl_open(&n);

        (void) b;
        (void) netns_fd;
        if (r == 0)
                r = discard(h, &n, e, NULL);
        if (r < 0)
                return rtnl_error(&n, r, err, "container %.12s: deleting link %s", id, e->host_link);
        chain_release(h, e->bridge, e->host_link);
        announce_gone(h, &n, e); /* before another has the address, who is announced then */
        return 0;
}

int veth_is_plugged(const struct bridge_state *b, const struct network_endpoint *e, int netns_fd) {
        (void) b;
        (void) netns_fd;
        return *e->host_link ? network_link_is_plugged(e->host_link) : -ENODATA;
}
