/* SPDX-License-Identifier: Apache-2.0 */

/* Tries everything once, in a network namespace of a thread's own that is gone with it: the host does not change. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "network/firewall.h"
#include "network/internal.h"

struct probe {
        struct err *err;
        int result;
};

static int try_links(struct rtnl *n, int own_netns, struct err *err) {
        static const uint8_t mac[6] = { 2, 0x42, 0, 0, 0, 1 };
        struct veth v = { .host_name = "kprobe1", .peer_name = "kprobe2", .peer_mac = { 2, 0x42, 0, 0, 0, 2 }, .mtu = 1500, .netns_fd = own_netns };
        struct link bridge;
        int r = link_add_bridge(n, "kprobe0", mac);

        if (r == 0)
                r = link_find(n, "kprobe0", &bridge);
        if (r < 0)
                return rtnl_error(n, r, err, "making a bridge");
        v.bridge_index = bridge.index;
        r = link_add_veth(n, &v);
        return r < 0 ? rtnl_error(n, r, err, "making a pair of veth links") : 0;
}

static int probe_here(struct err *err) {
        auto_rtnl n = { .fd = -EBADF };
        auto_fd own = -EBADF;
        int r;

        if (unshare(CLONE_NEWNET) < 0)
                return err_errno(err, errno, "making a network namespace");
        own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        r = own < 0 ? -errno : rtnl_open(&n);
        if (r < 0)
                return err_errno(err, r, "netlink socket");
        r = try_links(&n, own, err);
        if (r < 0)
                return r;
        return firewall_apply(&(struct firewall) { .name = "kprobe0", .networks = &(struct firewall_network) { "kprobe0", { 0xac1e0000, 16 }, subnet6_unique_local("probe"), .nat = true, .icc = true }, .n_networks = 1 }, err);
}

static void *probe_thread(void *data) {
        struct probe *p = data;

        p->result = probe_here(p->err);
        return NULL;
}

int network_probe(struct err *err) {
        struct probe p = { .err = err };
        pthread_t thread;
        int r = pthread_create(&thread, NULL, probe_thread, &p);

        if (r != 0)
                return err_errno(err, r, "networks: starting a thread");
        pthread_join(thread, NULL);
        return p.result < 0 ? err_prefix(err, "networks of type bridge") : 0;
}
