/* SPDX-License-Identifier: Apache-2.0 */
#include "network/links.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

/* What goes into a message fails only for want of room in it, which these few attributes cannot use up; then the kernel would refuse
 * a message without them. One check at the end: a request that lacks an attribute must not be sent. */
struct filling {
        struct nl_msg *m;
        int failed;
};

static void put(struct filling *f, int type, const void *data, size_t size) {
        if (!f->failed && (!f->m || nla_put(f->m, type, (int) size, data) < 0))
                f->failed = -ENOMEM;
}

static void put_u32(struct filling *f, int type, uint32_t value) {
        put(f, type, &value, sizeof(value));
}

static void put_ipv4(struct filling *f, int type, uint32_t address) {
        put_u32(f, type, htonl(address));
}

static void put_string(struct filling *f, int type, const char *s) {
        put(f, type, s, strlen(s) + 1);
}

static struct nlattr *nest(struct filling *f, int type) {
        struct nlattr *a = f->failed || !f->m ? NULL : nla_nest_start(f->m, type);

        if (!a)
                f->failed = -ENOMEM;
        return a;
}

static void nest_end(struct filling *f, struct nlattr *a) {
        if (!f->failed)
                nla_nest_end(f->m, a);
}

static int run(struct rtnl *n, struct rtnl_batch *b, const struct filling *f) {
        return f->failed < 0 ? f->failed : rtnl_run(n, b);
}

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
        l.master = a[IFLA_MASTER] ? (int) nla_get_u32(a[IFLA_MASTER]) : 0;
        l.mtu = a[IFLA_MTU] ? nla_get_u32(a[IFLA_MTU]) : 0;
        read_name(a[IFLA_IFNAME], l.name);
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

static void switch_on(struct rtnl_batch *b, struct filling *f, int index, const char *name) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

        f->m = rtnl_add(b, RTM_SETLINK, 0, &head, sizeof(head));
        if (name)
                put_string(f, IFLA_IFNAME, name);
}

int link_set_up(struct rtnl *n, const char *name) {
        struct filling f = { 0 };
        auto_batch b = { 0 };

        switch_on(&b, &f, 0, name);
        return run(n, &b, &f);
}

int link_delete(struct rtnl *n, const char *name) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
        auto_batch b = { 0 };
        struct filling f = { .m = rtnl_add(&b, RTM_DELLINK, 0, &head, sizeof(head)) };

        put_string(&f, IFLA_IFNAME, name);
        return run(n, &b, &f);
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
        return run(n, &b, &f);
}

int link_delete_group(struct rtnl *n, uint32_t group) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
        auto_batch b = { 0 };
        struct filling f = { .m = rtnl_add(&b, RTM_DELLINK, 0, &head, sizeof(head)) };

        put_u32(&f, IFLA_GROUP, group);
        return run(n, &b, &f);
}

int link_add_bridge(struct rtnl *n, const char *name, uint32_t mtu, const uint8_t mac[6]) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
        auto_batch b = { 0 };
        struct filling f = { .m = rtnl_add(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head)) };
        struct nlattr *info;

        put_string(&f, IFLA_IFNAME, name);
        put_u32(&f, IFLA_MTU, mtu);
        /* One that is set stays; else the bridge takes the lowest of its ports, and changes when they come and go. */
        put(&f, IFLA_ADDRESS, mac, 6);
        info = nest(&f, IFLA_LINKINFO);
        put_string(&f, IFLA_INFO_KIND, "bridge");
        nest_end(&f, info);
        return run(n, &b, &f);
}

int link_add_veth(struct rtnl *n, const struct veth *v) {
        struct ifinfomsg head = { .ifi_family = AF_UNSPEC }, peer_head = { .ifi_family = AF_UNSPEC };
        auto_batch b = { 0 };
        struct filling f = { .m = rtnl_add(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head)) };
        struct nlattr *info, *data, *peer;

        put_string(&f, IFLA_IFNAME, v->host_name);
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
        put_u32(&f, IFLA_MTU, v->mtu);
        put_u32(&f, IFLA_NET_NS_FD, (uint32_t) v->netns_fd);
        nest_end(&f, peer);
        nest_end(&f, data);
        nest_end(&f, info);
        return run(n, &b, &f);
}

static void add_address(struct rtnl_batch *b, struct filling *f, int index, uint32_t address, uint8_t prefix) {
        struct ifaddrmsg head = { .ifa_family = AF_INET, .ifa_prefixlen = prefix, .ifa_scope = RT_SCOPE_UNIVERSE, .ifa_index = (unsigned) index };

        f->m = rtnl_add(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
        put_ipv4(f, IFA_LOCAL, address);
        put_ipv4(f, IFA_ADDRESS, address);
        put_ipv4(f, IFA_BROADCAST, address | ~subnet_mask(prefix));
}

static void add_default_route(struct rtnl_batch *b, struct filling *f, int index, uint32_t gateway) {
        struct rtmsg head = { .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC, .rtm_scope = RT_SCOPE_UNIVERSE,
                .rtm_type = RTN_UNICAST };

        f->m = rtnl_add(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof(head));
        put_ipv4(f, RTA_GATEWAY, gateway);
        put_u32(f, RTA_OIF, (uint32_t) index);
}

int address_add(struct rtnl *n, int index, uint32_t address, uint8_t prefix) {
        struct filling f = { 0 };
        auto_batch b = { 0 };

        add_address(&b, &f, index, address, prefix);
        return run(n, &b, &f);
}

int link_configure(struct rtnl *n, int index, uint32_t address, uint8_t prefix, uint32_t gateway) {
        struct filling f = { 0 };
        auto_batch b = { 0 };

        add_address(&b, &f, index, address, prefix);
        switch_on(&b, &f, index, NULL);
        if (gateway)
                add_default_route(&b, &f, index, gateway);
        return run(n, &b, &f);
}

int default_route_set(struct rtnl *n, int index, uint32_t gateway) {
        struct filling f = { 0 };
        auto_batch b = { 0 };

        add_default_route(&b, &f, index, gateway);
        return run(n, &b, &f);
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
        return run(n, &b, &f);
}

int link_isolate(struct rtnl *n, const char *name) {
        return set_port(n, name, IFLA_BRPORT_ISOLATED);
}

int link_reflect(struct rtnl *n, const char *name) {
        return set_port(n, name, IFLA_BRPORT_MODE);
}

struct address_search {
        int index;
        bool found;
        uint32_t address;
        uint8_t prefix;
};

static int read_address(struct nlmsghdr *h, int *ret_index, uint32_t *ret, uint8_t *ret_prefix) {
        struct nlattr *a[IFA_MAX + 1], *local;
        struct ifaddrmsg *head = nlmsg_data(h);

        if (h->nlmsg_type != RTM_NEWADDR || nlmsg_parse(h, sizeof(*head), a, IFA_MAX, NULL) < 0)
                return -EPROTO;
        local = a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS];
        if (head->ifa_family != AF_INET || !local || nla_len(local) != 4 || head->ifa_prefixlen > 32)
                return 0;
        *ret_index = (int) head->ifa_index;
        *ret = ntohl(nla_get_u32(local));
        *ret_prefix = head->ifa_prefixlen;
        return 1;
}

static int search_address(struct nlmsghdr *h, void *data) {
        struct address_search *s = data;
        uint32_t address;
        uint8_t prefix;
        int index, r = read_address(h, &index, &address, &prefix);

        if (r <= 0 || index != s->index || s->found)
                return r < 0 ? r : 0;
        *s = (struct address_search) { index, true, address, prefix };
        return 0;
}

static int dump_addresses(struct rtnl *n, int (*fn)(struct nlmsghdr *, void *), void *data) {
        struct ifaddrmsg head = { .ifa_family = AF_INET };
        auto_batch b = { 0 };

        rtnl_add(&b, RTM_GETADDR, NLM_F_DUMP, &head, sizeof(head));
        return rtnl_get(n, &b, fn, data);
}

static int dump_routes(struct rtnl *n, int (*fn)(struct nlmsghdr *, void *), void *data) {
        struct rtmsg head = { .rtm_family = AF_INET };
        auto_batch b = { 0 };

        rtnl_add(&b, RTM_GETROUTE, NLM_F_DUMP, &head, sizeof(head));
        return rtnl_get(n, &b, fn, data);
}

int address_find(struct rtnl *n, int index, uint32_t *ret, uint8_t *ret_prefix) {
        struct address_search s = { .index = index };
        int r = dump_addresses(n, search_address, &s);

        if (r < 0)
                return r;
        if (!s.found)
                return -ENODATA;
        *ret = s.address;
        *ret_prefix = s.prefix;
        return 0;
}

struct subnet_scan {
        int (*fn)(const struct subnet *, void *);
        void *data;
};

static int scan_address(struct nlmsghdr *h, void *data) {
        struct subnet_scan *s = data;
        uint32_t address;
        uint8_t prefix;
        int index, r = read_address(h, &index, &address, &prefix);

        if (r <= 0)
                return r;
        return s->fn(&(struct subnet) { address & subnet_mask(prefix), prefix }, s->data);
}

static int scan_route(struct nlmsghdr *h, void *data) {
        struct rtmsg *head = nlmsg_data(h);
        struct subnet_scan *s = data;
        struct nlattr *a[RTA_MAX + 1];
        uint32_t base;

        if (h->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(h, sizeof(*head), a, RTA_MAX, NULL) < 0)
                return -EPROTO;
        if (head->rtm_family != AF_INET || head->rtm_dst_len == 0 || head->rtm_dst_len > 32 || !a[RTA_DST] || nla_len(a[RTA_DST]) != 4)
                return 0;
        base = ntohl(nla_get_u32(a[RTA_DST])) & subnet_mask(head->rtm_dst_len);
        return s->fn(&(struct subnet) { base, head->rtm_dst_len }, s->data);
}

int subnets_in_use(struct rtnl *n, int (*fn)(const struct subnet *, void *), void *data) {
        struct subnet_scan s = { fn, data };
        int r = dump_addresses(n, scan_address, &s); /* a link that is down has no routes */

        return r < 0 ? r : dump_routes(n, scan_route, &s);
}

struct default_search {
        int index;
        uint32_t metric;
};

static int search_default(struct nlmsghdr *h, void *data) {
        struct rtmsg *head = nlmsg_data(h);
        struct default_search *s = data;
        struct nlattr *a[RTA_MAX + 1];
        uint32_t metric;

        if (h->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(h, sizeof(*head), a, RTA_MAX, NULL) < 0)
                return -EPROTO;
        if (head->rtm_family != AF_INET || head->rtm_dst_len != 0 || head->rtm_table != RT_TABLE_MAIN || head->rtm_type != RTN_UNICAST || !a[RTA_OIF])
                return 0;
        metric = a[RTA_PRIORITY] ? nla_get_u32(a[RTA_PRIORITY]) : 0;
        if (s->index == 0 || metric < s->metric)
                *s = (struct default_search) { (int) nla_get_u32(a[RTA_OIF]), metric };
        return 0;
}

int default_route_link(struct rtnl *n, int *ret_index) {
        struct default_search s = { 0 };
        int r = dump_routes(n, search_default, &s);

        if (r < 0)
                return r;
        if (s.index == 0)
                return -ENODATA;
        *ret_index = s.index;
        return 0;
}
