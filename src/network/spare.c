/* SPDX-License-Identifier: Apache-2.0 */

/* Veth pairs made ahead: a veth costs the kernel more than all the rest of an endpoint (two links, each with its files in /proc and /sys). */

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "network/internal.h"
#include "network/netns.h"

enum { NAME_BYTES = 7 }; /* 13 of their 14 digits */

static int make(struct rtnl *host, struct rtnl *inside, int netns_fd, struct network_spare *ret) {
        struct veth v = { .host_name = ret->host_link, .peer_name = NETWORK_SPARE_LINK, .peer_mac = { 2 }, .netns_fd = netns_fd };
        struct link l;
        int r = link_add_veth(host, &v);

        if (r < 0) {
                ret->host_link[0] = '\0';
                return r;
        }
        r = link_disable_ipv6(ret->host_link);
        if (r < 0 || (r = link_find(host, ret->host_link, &l)) < 0)
                return r;
        ret->host_index = l.index;
        r = link_find(inside, NETWORK_SPARE_LINK, &l);
        ret->index = l.index;
        return r;
}

int network_spare_make(struct network_host *h, int netns_fd, struct network_spare *ret, struct err *err) {
        auto_rtnl host = { .fd = -EBADF }, inside = { .fd = -EBADF };
        struct network_spare spare = NETWORK_SPARE_NONE;
        char digits[2 * NAME_BYTES + 1];
        int r = netns_prepare(netns_fd, &inside);

        if (r == 0 && (r = rtnl_open(&host)) == 0)
                r = str_random_hex(digits, NAME_BYTES);
        if (r < 0)
                return err_errno(err, r, "a spare link");
        snprintf(spare.host_link, sizeof(spare.host_link), "kv%.13s", digits);
        r = make(&host, &inside, netns_fd, &spare);
        if (r < 0) {
                network_spare_drop(h, &spare);
                return rtnl_error(&host, r, err, "a spare link");
        }
        spare.inside_fd = inside.fd;
        inside.fd = -EBADF;
        *ret = spare;
        return 0;
}

void network_spare_used(struct network_spare *s) {
        fd_close(s->inside_fd);
        *s = NETWORK_SPARE_NONE;
}

void network_spare_drop(struct network_host *h, struct network_spare *s) {
        auto_rtnl n = { .fd = -EBADF };

        if (*s->host_link && rtnl_open(&n) == 0)
                reaper_discard(&h->reaper, &n, s->host_link, false);
        network_spare_used(s);
}
