/* SPDX-License-Identifier: Apache-2.0 */
#include "network/links.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "network/filling.h"

static void read_name(const struct nlattr *a, char ret[16]) {
        if (a)
                nla_strlcpy(ret, a, 16);
}

static int read_link(struct nlmsghdr *h, struct link *ret) {
        struct nlattr *a[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
        struct link l = { 0 };

        if (h->nlmsg_type != RTM_NEWLINK || nlmsg_parse(h, sizeof(struct ifinfomsg), a, IFLA_MAX, NULL) < 0)
                return -EPROTO;
        l.index = ((struct ifinfomsg *) nlmsg_data(h))->ifi_index;
        l.up = ((struct ifinfomsg *) nlmsg_data(h))->ifi_flags & IFF_UP;
        l.master = a[IFLA_MASTER] ? (int) nla_get_u32(a[IFLA_MASTER]) : 0;
        l.mtu = a[IFLA_MTU] ? nla_get_u32(a[IFLA_MTU]) : 0;
        read_name(a[IFLA_IFNAME], l.name);
        l.parent = a[IFLA_LINK] ? (int) nla_get_u32(a[IFLA_LINK]) : 0;
        l.is_of_elsewhere = a[IFLA_LINK_NETNSID];
        if (a[IFLA_ADDRESS] && nla_len(a[IFLA_ADDRESS]) == sizeof(l.mac))
                memcpy(l.mac, nla_data(a[IFLA_ADDRESS]), sizeof(l.mac));
        l.group = a[IFLA_GROUP] ? nla_get_u32(a[IFLA_GROUP]) : 0;
        if (a[IFLA_LINKINFO] && nla_parse_nested(info, IFLA_INFO_MAX, a[IFLA_LINKINFO], NULL) == 0)
                read_name(info[IFLA_INFO_KIND], l.kind);
        *ret = l;
        return 0;
}

static int keep_link(struct nlmsghdr *h, void *data) {
        return read_link(h, data);
}

static int get_link(struct rtnl *n, int index, const char *name, struct link *ret) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC, .ifi_index = index };
        auto_batch b = { 0 };
        struct filling f = { .m = rtnl_add(&b, RTM_GETLINK, 0, &head, sizeof(head)) };

        if (name)
                put_string(&f, IFLA_IFNAME, name);
        put_u32(&f, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        return f.failed < 0 ? f.failed : rtnl_get(n, &b, keep_link, ret);
}

int link_find(struct rtnl *n, const char *name, struct link *ret) {
        return get_link(n, 0, name, ret);
}

int link_find_index(struct rtnl *n, int index, struct link *ret) {
        return get_link(n, index, NULL, ret);
}

struct each {
        int (*fn)(const struct link *, void *);
        void *data;
};

static int give_link(struct nlmsghdr *h, void *data) {
        struct each *e = data;
        struct link l;
        int r = read_link(h, &l);

        return r < 0 ? r : e->fn(&l, e->data);
}

int link_each(struct rtnl *n, int (*fn)(const struct link *, void *), void *data) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
        struct each e = { fn, data };
        auto_batch b = { 0 };
        struct filling f = { .m = rtnl_add(&b, RTM_GETLINK, NLM_F_DUMP, &head, sizeof(head)) };

        put_u32(&f, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        return f.failed < 0 ? f.failed : rtnl_get(n, &b, give_link, &e);
}

void link_fill_up(struct rtnl_batch *b, struct filling *f, int index, const char *name) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

        f->m = rtnl_add(b, RTM_SETLINK, 0, &head, sizeof(head));
        if (name)
                put_string(f, IFLA_IFNAME, name);
}

int link_set_up(struct rtnl *n, const char *name) {
        struct filling f = { 0 };
        auto_batch b = { 0 };

        link_fill_up(&b, &f, 0, name);
        return fill_run(n, &b, &f);
}

int link_set_mtu(struct rtnl *n, int index, uint32_t mtu) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC, .ifi_index = index };
        auto_batch b = { 0 };
        struct filling f = { .m = rtnl_add(&b, RTM_SETLINK, 0, &head, sizeof(head)) };

        put_u32(&f, IFLA_MTU, mtu);
        return fill_run(n, &b, &f);
}

int link_delete(struct rtnl *n, const char *name) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
        auto_batch b = { 0 };
        struct filling f = { .m = rtnl_add(&b, RTM_DELLINK, 0, &head, sizeof(head)) };

        put_string(&f, IFLA_IFNAME, name);
        return fill_run(n, &b, &f);
}

int link_unplug(struct rtnl *n, int index, uint32_t group, const char *new_name) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_change = IFF_UP }, name_head = { .ifi_index = index };
        auto_batch b = { 0 };
        struct filling f = { .m = rtnl_add(&b, RTM_SETLINK, 0, &head, sizeof(head)) };

        put_u32(&f, IFLA_MASTER, 0);
        put_u32(&f, IFLA_GROUP, group);
        if (new_name) {
                f.m = rtnl_add(&b, RTM_SETLINK, 0, &name_head, sizeof(name_head));
                put_string(&f, IFLA_IFNAME, new_name);
        }
        return fill_run(n, &b, &f);
}

int link_delete_group(struct rtnl *n, uint32_t group) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
        auto_batch b = { 0 };
        struct filling f = { .m = rtnl_add(&b, RTM_DELLINK, 0, &head, sizeof(head)) };

        put_u32(&f, IFLA_GROUP, group);
        return fill_run(n, &b, &f);
}

int link_add_bridge(struct rtnl *n, const char *name, const uint8_t mac[6]) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
        auto_batch b = { 0 };
        struct filling f = { .m = rtnl_add(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head)) };
        struct nlattr *info;

        put_string(&f, IFLA_IFNAME, name);
        /* One that is set stays; else the bridge takes the lowest of its ports, and changes when they come and go. */
        put(&f, IFLA_ADDRESS, mac, 6);
        info = nest(&f, IFLA_LINKINFO);
        put_string(&f, IFLA_INFO_KIND, "bridge");
        nest_end(&f, info);
        return fill_run(n, &b, &f);
}

int link_add_ifb(struct rtnl *n, const char *name) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
        auto_batch b = { 0 };
        struct filling f = { .m = rtnl_add(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head)) };
        struct nlattr *info;

        put_string(&f, IFLA_IFNAME, name);
        info = nest(&f, IFLA_LINKINFO);
        put_string(&f, IFLA_INFO_KIND, "ifb");
        nest_end(&f, info);
        return fill_run(n, &b, &f);
}

int link_add_veth(struct rtnl *n, const struct veth *v) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC }, peer_head = { .ifi_family = AF_UNSPEC };
        auto_batch b = { 0 };
        struct filling f = { .m = rtnl_add(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head)) };
        struct nlattr *info, *data, *peer;

        put_string(&f, IFLA_IFNAME, v->host_name);
        if (v->mtu)
                put_u32(&f, IFLA_MTU, v->mtu);
        put_u32(&f, IFLA_MASTER, (uint32_t) v->bridge_index);
        info = nest(&f, IFLA_LINKINFO);
        put_string(&f, IFLA_INFO_KIND, "veth");
        data = nest(&f, IFLA_INFO_DATA);
        peer = nest(&f, VETH_INFO_PEER);
        if (!f.failed && nlmsg_append(f.m, &peer_head, sizeof(peer_head), NLMSG_ALIGNTO) < 0)
                f.failed = -ENOMEM;
        put_string(&f, IFLA_IFNAME, v->peer_name);
        put(&f, IFLA_ADDRESS, v->peer_mac, sizeof(v->peer_mac));
        if (v->mtu)
                put_u32(&f, IFLA_MTU, v->mtu);
        put_u32(&f, IFLA_NET_NS_FD, (uint32_t) v->netns_fd);
        nest_end(&f, peer);
        nest_end(&f, data);
        nest_end(&f, info);
        return fill_run(n, &b, &f);
}

int link_plug(struct rtnl *n, int index, int bridge_index, uint32_t mtu) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC, .ifi_index = index };
        auto_batch b = { 0 };
        struct filling f = { .m = rtnl_add(&b, RTM_SETLINK, 0, &head, sizeof(head)) };

        put_u32(&f, IFLA_MTU, mtu);
        put_u32(&f, IFLA_MASTER, (uint32_t) bridge_index);
        return fill_run(n, &b, &f);
}

int link_dress(struct rtnl *n, int index, const uint8_t mac[6], uint32_t mtu) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC, .ifi_index = index };
        auto_batch b = { 0 };
        struct filling f = { .m = rtnl_add(&b, RTM_SETLINK, 0, &head, sizeof(head)) };

        put_u32(&f, IFLA_MTU, mtu);
        put(&f, IFLA_ADDRESS, mac, 6);
        return fill_run(n, &b, &f);
}

static int set_port(struct rtnl *n, const char *name, int flag) {
        struct ifinfomsg head = { .ifi_family = AF_BRIDGE };
        struct link l;
        auto_batch b = { 0 };
        struct filling f = { 0 };
        struct nlattr *port;
        uint8_t on = 1;
        int r = link_find(n, name, &l);

        if (r < 0)
                return r;
        head.ifi_index = l.index;
        f.m = rtnl_add(&b, RTM_SETLINK, 0, &head, sizeof(head));
        port = nest(&f, IFLA_PROTINFO | NLA_F_NESTED);
        put(&f, flag, &on, sizeof(on));
        nest_end(&f, port);
        return fill_run(n, &b, &f);
}

int link_isolate(struct rtnl *n, const char *name) {
        return set_port(n, name, IFLA_BRPORT_ISOLATED);
}

int link_reflect(struct rtnl *n, const char *name) {
        return set_port(n, name, IFLA_BRPORT_MODE);
}

