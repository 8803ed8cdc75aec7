/* SPDX-License-Identifier: Apache-2.0 */

/* What the kernel remembers of connections: one that came by a published port goes on to where it led, also when the port is no more. */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "network/filling.h"
#include "network/firewall.h"
#include "network/internal.h"

enum { FLOWS_MAX = 65536, TUPLE_MAX = 128 };

struct flow {
        uint16_t size;
        uint8_t tuple[TUPLE_MAX]; /* of the first packet, as the kernel has written it */
};

struct search {
        const struct firewall_port *ports;
        size_t n_ports;
        struct flow *v;
        size_t n, room;
};

struct tuple {
        uint8_t protocol;
        uint16_t from_port, to_port;
        struct address6 from, to;
};

static void read_address(const struct nlattr *ipv4, const struct nlattr *ipv6, struct address6 *ret) {
        uint32_t address;

        if (ipv4 && nla_len(ipv4) == sizeof(address)) {
                memcpy(&address, nla_data(ipv4), sizeof(address));
                *ret = address6_of_ipv4(ntohl(address));
        } else if (ipv6 && nla_len(ipv6) == sizeof(ret->b)) {
                memcpy(ret->b, nla_data(ipv6), sizeof(ret->b));
        }
}

static bool read_tuple(struct nlattr *a, struct tuple *ret) {
        struct nlattr *tuple[CTA_TUPLE_MAX + 1], *ip[CTA_IP_MAX + 1], *proto[CTA_PROTO_MAX + 1];

        *ret = (struct tuple) { 0 };
        if (!a || nla_parse_nested(tuple, CTA_TUPLE_MAX, a, NULL) < 0 || !tuple[CTA_TUPLE_IP] || !tuple[CTA_TUPLE_PROTO] ||
            nla_parse_nested(ip, CTA_IP_MAX, tuple[CTA_TUPLE_IP], NULL) < 0 || nla_parse_nested(proto, CTA_PROTO_MAX, tuple[CTA_TUPLE_PROTO], NULL) < 0 ||
            !proto[CTA_PROTO_NUM] || !proto[CTA_PROTO_SRC_PORT] || !proto[CTA_PROTO_DST_PORT])
                return false;
        read_address(ip[CTA_IP_V4_SRC], ip[CTA_IP_V6_SRC], &ret->from);
        read_address(ip[CTA_IP_V4_DST], ip[CTA_IP_V6_DST], &ret->to);
        ret->protocol = nla_get_u8(proto[CTA_PROTO_NUM]);
        ret->from_port = ntohs(nla_get_u16(proto[CTA_PROTO_SRC_PORT]));
        ret->to_port = ntohs(nla_get_u16(proto[CTA_PROTO_DST_PORT]));
        return true;
}

/* Sent to the host's port, answered from the container's. */
static bool went_by(const struct firewall_port *p, const struct tuple *sent, const struct tuple *answered) {
        return sent->protocol == p->protocol && sent->to_port == p->host_port && answered->from_port == p->port && address6_equal(&answered->from, &p->address) &&
               (address6_is_any(&p->host_address) || address6_equal(&sent->to, &p->host_address));
}

static int keep(struct search *s, const struct nlattr *tuple) {
        struct flow *f;

        if (nla_len(tuple) > TUPLE_MAX || s->n >= FLOWS_MAX)
                return 0;
        if (s->n == s->room) {
                size_t room = s->room ? s->room * 2 : 64;
                struct flow *grown = reallocarray(s->v, room, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                s->v = grown;
                s->room = room;
        }
        f = &s->v[s->n++];
        f->size = (uint16_t) nla_len(tuple);
        memcpy(f->tuple, nla_data(tuple), f->size);
        return 0;
}

static int look_at(struct nlmsghdr *h, void *data) {
        struct nlattr *a[CTA_MAX + 1];
        struct tuple sent, answered;
        struct search *s = data;

        if (nlmsg_parse(h, sizeof(struct nfgenmsg), a, CTA_MAX, NULL) < 0 || !read_tuple(a[CTA_TUPLE_ORIG], &sent) || !read_tuple(a[CTA_TUPLE_REPLY], &answered))
                return 0;
        for (size_t i = 0; i < s->n_ports; i++)
                if (went_by(&s->ports[i], &sent, &answered))
                        return keep(s, a[CTA_TUPLE_ORIG]);
        return 0;
}

static int request(struct rtnl_batch *b, struct filling *f, int type, int flags, uint8_t family) {
        struct nfgenmsg head = { .nfgen_family = family, .version = NFNETLINK_V0 };

        f->m = rtnl_add(b, NFNL_SUBSYS_CTNETLINK << 8 | type, flags, &head, sizeof(head));
        return f->m ? 0 : -ENOMEM;
}

static int forget_flow(struct rtnl *n, const struct flow *flow, uint8_t family) {
        struct filling f = { 0 };
        auto_batch b = { 0 };
        int r = request(&b, &f, IPCTNL_MSG_CT_DELETE, 0, family);

        if (r < 0)
                return r;
        put(&f, CTA_TUPLE_ORIG | NLA_F_NESTED, flow->tuple, flow->size);
        r = fill_run(n, &b, &f);
        return r == -ENOENT ? 0 : r; /* it has ended meanwhile */
}

static int forget_family(struct rtnl *n, struct search *s, uint8_t family) {
        struct filling f = { 0 };
        auto_batch b = { 0 };
        int r = request(&b, &f, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);

        s->n = 0;
        if (r == 0)
                r = rtnl_get(n, &b, look_at, s);
        for (size_t i = 0; i < s->n && r == 0; i++)
                r = forget_flow(n, &s->v[i], family);
        return r;
}

int conntrack_forget(const struct firewall_port *ports, size_t n_ports) {
        struct search s = { .ports = ports, .n_ports = n_ports };
        auto_rtnl n = { .fd = -EBADF };
        int r = rtnl_open_netfilter(&n);

        if (r == 0)
                r = forget_family(&n, &s, AF_INET);
        if (r == 0)
                r = forget_family(&n, &s, AF_INET6);
        free(s.v);
        return r;
}
