/* SPDX-License-Identifier: Apache-2.0 */
#include "network/routes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "network/filling.h"
#include "network/links.h"

enum { IPV4_BITS = 96, LOOPBACK_METRIC = 4096, KERNEL_METRIC6 = 256 };

static uint8_t family_of(const struct address6 *a) {
        return address6_is_ipv4(a) ? AF_INET : AF_INET6;
}

/* --- requests --- */

static void add_address(struct rtnl_batch *b, struct filling *f, int index, const struct address6 *address, uint8_t prefix, uint8_t scope) {
        struct ifaddrmsg head = { .ifa_family = family_of(address), .ifa_prefixlen = prefix, .ifa_scope = scope, .ifa_index = (unsigned) index };
        struct address6 broadcast;

        if (head.ifa_family == AF_INET6)
                head.ifa_flags = IFA_F_NODAD;
        f->m = rtnl_add(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
        put_address(f, IFA_LOCAL, address);
        put_address(f, IFA_ADDRESS, address);
        if (head.ifa_family == AF_INET6 || scope == RT_SCOPE_HOST)
                return;
        broadcast = address6_of_ipv4(address6_ipv4(address) | ~subnet_mask(prefix));
        put_address(f, IFA_BROADCAST, &broadcast);
}

static void add_default_route(struct rtnl_batch *b, struct filling *f, int index, const struct address6 *gateway) {
        struct rtmsg head = { .rtm_family = family_of(gateway), .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC, .rtm_scope = RT_SCOPE_UNIVERSE,
                .rtm_type = RTN_UNICAST };
        const struct address6 none = head.rtm_family == AF_INET ? address6_of_ipv4(0) : (struct address6) { 0 };
        bool by_link = address6_equal(gateway, &none);

        if (by_link && head.rtm_family == AF_INET)
                head.rtm_scope = RT_SCOPE_LINK;
        f->m = rtnl_add(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof(head));
        if (!by_link)
                put_address(f, RTA_GATEWAY, gateway);
        put_u32(f, RTA_OIF, (uint32_t) index);
}

static int add_one_address(struct rtnl *n, int index, const struct address6 *address, uint8_t prefix, uint8_t scope) {
        struct filling f = { 0 };
        auto_batch b = { 0 };

        add_address(&b, &f, index, address, prefix, scope);
        return fill_run(n, &b, &f);
}

int address_add(struct rtnl *n, int index, const struct address6 *address, uint8_t prefix) {
        return add_one_address(n, index, address, prefix, RT_SCOPE_UNIVERSE);
}

int address_add_inner(struct rtnl *n, int index, const struct address6 *address, uint8_t prefix) {
        return add_one_address(n, index, address, prefix, RT_SCOPE_HOST);
}

int link_configure(struct rtnl *n, int index, const struct link_addresses *a) {
        struct address6 address = address6_of_ipv4(a->address), gateway = address6_of_ipv4(a->gateway);
        struct filling f = { 0 };
        auto_batch b = { 0 };

        add_address(&b, &f, index, &address, a->prefix, RT_SCOPE_UNIVERSE);
        if (a->prefix6)
                add_address(&b, &f, index, &a->address6, a->prefix6, RT_SCOPE_UNIVERSE);
        link_fill_up(&b, &f, index, NULL);
        if (a->gateway || a->by_link)
                add_default_route(&b, &f, index, &gateway);
        if (a->prefix6 && (a->has_gateway6 || a->by_link))
                add_default_route(&b, &f, index, &a->gateway6);
        return fill_run(n, &b, &f);
}

int default_route_set(struct rtnl *n, int index, const struct address6 *gateway) {
        struct filling f = { 0 };
        auto_batch b = { 0 };

        add_default_route(&b, &f, index, gateway);
        return fill_run(n, &b, &f);
}

int subnet_route_add(struct rtnl *n, int index, const struct address6 *base, uint8_t prefix, const struct address6 *own) {
        bool ipv4 = address6_is_ipv4(base);
        struct rtmsg head = { .rtm_family = family_of(base), .rtm_dst_len = prefix, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_KERNEL, .rtm_type = RTN_UNICAST,
                .rtm_scope = ipv4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE };
        auto_batch b = { 0 };
        struct filling f = { .m = rtnl_add(&b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head)) };

        put_address(&f, RTA_DST, base);
        put_u32(&f, RTA_OIF, (uint32_t) index);
        if (ipv4)
                put_address(&f, RTA_PREFSRC, own);
        else
                put_u32(&f, RTA_PRIORITY, KERNEL_METRIC6);
        return fill_run(n, &b, &f);
}

int loopback6_route_add(struct rtnl *n, int index) {
        struct rtmsg head = { .rtm_family = AF_INET6, .rtm_dst_len = 128, .rtm_table = RT_TABLE_LOCAL, .rtm_protocol = RTPROT_STATIC, .rtm_scope = RT_SCOPE_HOST,
                .rtm_type = RTN_LOCAL };
        const struct address6 loopback = { .b = { [15] = 1 } };
        auto_batch b = { 0 };
        struct filling f = { .m = rtnl_add(&b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof(head)) };

        put_address(&f, RTA_DST, &loopback);
        put_u32(&f, RTA_OIF, (uint32_t) index);
        put_u32(&f, RTA_PRIORITY, LOOPBACK_METRIC); /* after the one by "lo" */
        return fill_run(n, &b, &f);
}

/* --- answers --- */

/* Four bytes or sixteen. 1: read; 0: it is of another family. */
static int read_bytes(unsigned char family, const struct nlattr *a, struct address6 *ret) {
        uint32_t ipv4;

        if (!a || nla_len(a) != (family == AF_INET ? 4 : 16) || (family != AF_INET && family != AF_INET6))
                return 0;
        if (family == AF_INET) {
                memcpy(&ipv4, nla_data(a), sizeof(ipv4));
                *ret = address6_of_ipv4(ntohl(ipv4));
        } else {
                memcpy(ret->b, nla_data(a), sizeof(ret->b));
        }
        return 1;
}

/* An address or a route's destination, IPv4 in the form of IPv6. */
struct found {
        int index;
        struct address6 address;
        uint8_t prefix;
};

static int read_address(struct nlmsghdr *h, struct found *ret) {
        struct nlattr *a[IFA_MAX + 1];
        struct ifaddrmsg *head = nlmsg_data(h);

        if (h->nlmsg_type != RTM_NEWADDR || nlmsg_parse(h, sizeof(*head), a, IFA_MAX, NULL) < 0)
                return -EPROTO;
        *ret = (struct found) { .index = (int) head->ifa_index, .prefix = (uint8_t) (head->ifa_prefixlen + (head->ifa_family == AF_INET ? IPV4_BITS : 0)) };
        if (ret->prefix > 128)
                return 0;
        return read_bytes(head->ifa_family, a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS], &ret->address);
}

static int read_route(struct nlmsghdr *h, struct found *ret) {
        struct rtmsg *head = nlmsg_data(h);
        struct nlattr *a[RTA_MAX + 1];

        if (h->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(h, sizeof(*head), a, RTA_MAX, NULL) < 0)
                return -EPROTO;
        *ret = (struct found) { .prefix = (uint8_t) (head->rtm_dst_len + (head->rtm_family == AF_INET ? IPV4_BITS : 0)) };
        if (head->rtm_dst_len == 0 || ret->prefix > 128)
                return 0;
        return read_bytes(head->rtm_family, a[RTA_DST], &ret->address);
}

static int dump_addresses(struct rtnl *n, uint8_t family, int (*fn)(struct nlmsghdr *, void *), void *data) {
        struct ifaddrmsg head = { .ifa_family = family };
        auto_batch b = { 0 };

        rtnl_add(&b, RTM_GETADDR, NLM_F_DUMP, &head, sizeof(head));
        return rtnl_get(n, &b, fn, data);
}

static int dump_routes(struct rtnl *n, uint8_t family, int (*fn)(struct nlmsghdr *, void *), void *data) {
        struct rtmsg head = { .rtm_family = family };
        auto_batch b = { 0 };

        rtnl_add(&b, RTM_GETROUTE, NLM_F_DUMP, &head, sizeof(head));
        return rtnl_get(n, &b, fn, data);
}

/* Of one link, of every multicast and loopback: nobody's subnet. */
static bool is_special(const struct address6 *a) {
        static const struct address6 loopback = { .b = { [15] = 1 } };

        return (a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80) || a->b[0] == 0xff || address6_equal(a, &loopback);
}

struct address_search {
        int index;
        bool found;
        struct found is;
};

static int search_address(struct nlmsghdr *h, void *data) {
        struct address_search *s = data;
        struct found f = { 0 };
        int r = read_address(h, &f);

        if (r <= 0 || f.index != s->index || s->found || is_special(&f.address))
                return r < 0 ? r : 0;
        *s = (struct address_search) { s->index, true, f };
        return 0;
}

static int find_address(struct rtnl *n, uint8_t family, int index, struct found *ret) {
        struct address_search s = { .index = index };
        int r = dump_addresses(n, family, search_address, &s);

        if (r == 0 && s.found)
                *ret = s.is;
        return r < 0 ? r : s.found ? 0 : -ENODATA;
}

int address_find(struct rtnl *n, int index, uint32_t *ret, uint8_t *ret_prefix) {
        struct found f = { 0 };
        int r = find_address(n, AF_INET, index, &f);

        if (r < 0)
                return r;
        *ret = address6_ipv4(&f.address);
        *ret_prefix = (uint8_t) (f.prefix - IPV4_BITS);
        return 0;
}

int address6_find(struct rtnl *n, int index, struct address6 *ret, uint8_t *ret_prefix) {
        struct found f = { 0 };
        int r = find_address(n, AF_INET6, index, &f);

        if (r < 0)
                return r;
        *ret = f.address;
        *ret_prefix = f.prefix;
        return 0;
}

struct own_address {
        struct found wanted;
        bool found;
};

static int search_own(struct nlmsghdr *h, void *data) {
        struct own_address *s = data;
        struct found f = { 0 };
        int r = read_address(h, &f);

        if (r > 0 && f.index == s->wanted.index && f.prefix == s->wanted.prefix && address6_equal(&f.address, &s->wanted.address))
                s->found = true;
        return r < 0 ? r : 0;
}

int address_is_there(struct rtnl *n, int index, const struct address6 *address, uint8_t prefix) {
        bool ipv4 = address6_is_ipv4(address);
        struct own_address s = { .wanted = { index, *address, (uint8_t) (prefix + (ipv4 ? IPV4_BITS : 0)) } };
        int r = dump_addresses(n, ipv4 ? AF_INET : AF_INET6, search_own, &s);

        return r < 0 ? r : s.found;
}

struct subnet_scan {
        int (*fn)(const struct subnet *, void *);
        int (*fn6)(const struct subnet6 *, void *);
        void *data;
};

static int give_subnet(const struct subnet_scan *s, const struct found *f) {
        struct subnet6 subnet = subnet6_around(&f->address, f->prefix);

        if (address6_is_ipv4(&f->address) != !s->fn6) /* a kernel without IPv6 says all that it has */
                return 0;
        if (s->fn6)
                return is_special(&f->address) ? 0 : s->fn6(&subnet, s->data);
        return s->fn(&(struct subnet) { address6_ipv4(&subnet.base), (uint8_t) (f->prefix - IPV4_BITS) }, s->data);
}

static int scan_address(struct nlmsghdr *h, void *data) {
        struct found f = { 0 };
        int r = read_address(h, &f);

        return r <= 0 ? r : give_subnet(data, &f);
}

static int scan_route(struct nlmsghdr *h, void *data) {
        struct found f = { 0 };
        int r = read_route(h, &f);

        return r <= 0 ? r : give_subnet(data, &f);
}

static int scan(struct rtnl *n, uint8_t family, struct subnet_scan *s) {
        int r = dump_addresses(n, family, scan_address, s); /* a link that is down has no routes */

        return r < 0 ? r : dump_routes(n, family, scan_route, s);
}

struct route_walk {
        int (*fn)(const struct route *, void *);
        void *data;
};

static int walk_route(struct nlmsghdr *h, void *data) {
        const struct rtmsg *head = nlmsg_data(h);
        const struct route_walk *w = data;
        struct nlattr *a[RTA_MAX + 1];
        struct found f = { 0 };
        struct route route;
        int r = read_route(h, &f);

        if (r <= 0 || head->rtm_table != RT_TABLE_MAIN)
                return r < 0 ? r : 0;
        if (nlmsg_parse(h, sizeof(*head), a, RTA_MAX, NULL) < 0)
                return -EPROTO;
        route = (struct route) { a[RTA_OIF] ? (int) nla_get_u32(a[RTA_OIF]) : 0, f.address, head->rtm_dst_len };
        return w->fn(&route, w->data);
}

int routes_each(struct rtnl *n, bool ipv6, int (*fn)(const struct route *, void *), void *data) {
        return dump_routes(n, ipv6 ? AF_INET6 : AF_INET, walk_route, &(struct route_walk) { fn, data });
}

int subnets_in_use(struct rtnl *n, int (*fn)(const struct subnet *, void *), void *data) {
        return scan(n, AF_INET, &(struct subnet_scan) { .fn = fn, .data = data });
}

int subnets6_in_use(struct rtnl *n, int (*fn)(const struct subnet6 *, void *), void *data) {
        return scan(n, AF_INET6, &(struct subnet_scan) { .fn6 = fn, .data = data });
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
        int r = dump_routes(n, AF_INET, search_default, &s);

        if (r < 0)
                return r;
        if (s.index == 0)
                return -ENODATA;
        *ret_index = s.index;
        return 0;
}
