/* SPDX-License-Identifier: Apache-2.0 */
#include "network/firewall.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "network/nft.h"

enum { COMMANDS_MAX = 16 << 20, TABLE_NAME_SIZE = 32 };

void firewall_table_name(const char *bridge, char ret[TABLE_NAME_SIZE]) {
        if (strcmp(bridge, "kist0") == 0)
                snprintf(ret, TABLE_NAME_SIZE, "kist");
        else
                snprintf(ret, TABLE_NAME_SIZE, "kist-%s", bridge);
}

static int run(const char *table, const char *commands, const char *what, struct err *err) {
        char said[NFT_SAID_SIZE];
        int r = nft_run(commands, NULL, said);

        if (r == 0)
                return 0;
        if (!*said)
                return err_errno(err, r, "firewall table \"inet %s\"", table);
        if (strstr(said, "No such file or directory") || strstr(said, "not supported") || strstr(said, "Protocol error"))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
                        "firewall table \"inet %s\": %s: %s (the kernel needs nf_tables with nat, masquerade and conntrack)", table, what, said);
        return err_set(err, strstr(said, "not permitted") ? ERR_DENIED : ERR_INTERNAL, strstr(said, "not permitted") ? -EPERM : -EIO,
                "firewall table \"inet %s\": %s: %s", table, what, said);
}

/* Within a network: as it likes. From one outwards: only with addresses of it, so that nobody sends in another's name. Towards one, from the
 * world or from another network: answers to what it asked for, and what a port map sent (then its destination was translated). Anything
 * else is dropped, or any neighbour of this host who sets a route to it would reach ports that nobody published. The host itself
 * reaches them: its own packets are not forwarded. What leaves takes the host's address, and not what stays on the bridge: containers see each
 * other's own addresses.
 *
 * Published ports are for packets to an address of this host, and to no other (CVE-2025-67499): from outside, from containers, and from the host
 * itself. Two cases need the source translated, so that the answer comes back this way: a container that reaches a neighbour by the host's address, and
 * the host's own loopback. Since the bridges let loopback addresses out for that, "guard" lets none in (CVE-2020-8558).
 *
 * Bridges that are joined to a network's own are asked only where br_netfilter is at work, which hands each bridge's packets to these chains. A connection
 * must not be known, and its addresses not be decided on, before it comes to the network's own bridge: but for what goes to an address of this host, whose destination
 * is translated there already. What it changes leaves the joined bridge for the host's routing (chain.c). What it does not must have no other translation to come, since
 * that would be made before the second time: so what the host itself asks a published port of such a network always takes the bridge's address, and another port. */
static const char rules[] =
        "  chain forward {\n"
        "    type filter hook forward priority filter; policy accept;\n"
        "    iifname . oifname @within accept\n"
        "    iifname @networks jump outgoing\n"
        "    oifname @networks jump incoming\n"
        "  }\n"
        "  chain outgoing {\n"
        "    iifname @internal drop\n"
        "    iifname . ip saddr @sources return\n"
        "    iifname . ip6 saddr @sources6 return\n"
        "    drop\n"
        "  }\n"
        "  chain incoming {\n"
        "    oifname @internal drop\n"
        "    ct state established,related accept\n"
        "    ct status dnat accept\n"
        "    drop\n"
        "  }\n"
        "  chain postrouting {\n"
        "    type nat hook postrouting priority srcnat; policy accept;\n"
        "    ct status dnat oifname @extended fib saddr type local masquerade fully-random\n"
        "    ct status dnat oifname . ip saddr @sources masquerade\n"
        "    oifname . ip saddr @sources accept\n"
        "    oifname @networks ip saddr 127.0.0.0/8 masquerade\n"
        "    ip saddr @translated masquerade\n"
        "    ct status dnat oifname . ip6 saddr @sources6 masquerade\n"
        "    oifname . ip6 saddr @sources6 accept\n"
        "    oifname @networks ip6 saddr ::1 masquerade\n"
        "    ip6 saddr @translated6 masquerade\n"
        "  }\n"
        "  chain guard {\n"
        "    type filter hook prerouting priority raw; policy accept;\n"
        "    iifname @networks ip daddr 127.0.0.0/8 drop\n"
        "    iifname @networks ip saddr 127.0.0.0/8 drop\n"
        "    iifname @networks ip6 daddr ::1 drop\n"
        "    iifname @networks ip6 saddr ::1 drop\n"
        "    iifname @joined fib daddr type != local notrack\n"
        "  }\n"
        "  chain prerouting {\n"
        "    type nat hook prerouting priority dstnat; policy accept;\n"
        "    meta l4proto { tcp, udp } th dport 53 iifname . ip daddr @names return\n"
        "    fib daddr type local jump published\n"
        "  }\n"
        "  chain output {\n"
        "    type nat hook output priority -100; policy accept;\n"
        "    ip6 daddr @unreachable return\n"
        "    fib daddr type local jump published\n"
        "  }\n"
        "  chain published {\n"
        "    dnat ip to ip daddr . meta l4proto . th dport map @ports_at\n"
        "    dnat ip to meta l4proto . th dport map @ports\n"
        "    dnat ip6 to ip6 daddr . meta l4proto . th dport map @ports6_at\n"
        "    dnat ip6 to meta l4proto . th dport map @ports6\n"
        "  }\n";

/* What the kernel counts as uses of each chain: its rules, and the jumps to it. */
static const struct {
        const char *name;
        uint32_t uses;
} chains[] = { { "forward", 3 }, { "outgoing", 5 }, { "incoming", 5 }, { "postrouting", 9 },
        { "guard", 5 }, { "prerouting", 2 }, { "output", 2 }, { "published", 6 } };

static bool is_any(const struct firewall_network *n) {
        (void) n;
        return true;
}

static bool is_internal(const struct firewall_network *n) {
        return n->internal;
}

static bool has_icc(const struct firewall_network *n) {
        return n->icc;
}

static bool has_nat(const struct firewall_network *n) {
        return n->nat;
}

static bool has_ipv6(const struct firewall_network *n) {
        return n->subnet6.prefix > 0;
}

static bool is_joined(const struct firewall_network *n) {
        return n->joined;
}

static bool is_extended(const struct firewall_network *n) {
        return n->extended;
}

static bool has_nat6(const struct firewall_network *n) {
        return n->nat && has_ipv6(n);
}

static bool has_names(const struct firewall_network *n) {
        return n->names != 0;
}

enum element { BRIDGE, BRIDGE_TO_ITSELF, BRIDGE_AND_SUBNET, SUBNET, BRIDGE_AND_SUBNET6, SUBNET6, BRIDGE_AND_NAMES };

static const struct set {
        const char *name, *type;
        enum element element;
        bool (*has)(const struct firewall_network *n);
} sets[] = {
        { "networks", "type ifname;", BRIDGE, is_any },
        { "within", "type ifname . ifname;", BRIDGE_TO_ITSELF, has_icc },
        { "internal", "type ifname;", BRIDGE, is_internal },
        { "sources", "type ifname . ipv4_addr; flags interval;", BRIDGE_AND_SUBNET, is_any },
        { "translated", "type ipv4_addr; flags interval;", SUBNET, has_nat },
        { "sources6", "type ifname . ipv6_addr; flags interval;", BRIDGE_AND_SUBNET6, has_ipv6 },
        { "names", "type ifname . ipv4_addr;", BRIDGE_AND_NAMES, has_names },
        { "translated6", "type ipv6_addr; flags interval;", SUBNET6, has_nat6 },
        { "joined", "type ifname;", BRIDGE, is_joined },
        { "extended", "type ifname;", BRIDGE, is_extended },
};

static void add_element(struct strbuf *b, enum element e, const struct firewall_network *n) {
        bool alone = e == SUBNET || e == SUBNET6;
        char subnet[SUBNET6_TEXT];

        if (e == BRIDGE_AND_NAMES)
                address_format(n->names, subnet);
        else if (e == BRIDGE_AND_SUBNET6 || e == SUBNET6)
                subnet6_format(&n->subnet6, subnet);
        else
                subnet_format(&n->subnet, subnet);
        if (!alone)
                strbuf_addf(b, "\"%s\"", n->bridge);
        if (e == BRIDGE_TO_ITSELF)
                strbuf_addf(b, " . \"%s\"", n->bridge);
        else if (e != BRIDGE)
                strbuf_addf(b, "%s%s", alone ? "" : " . ", subnet);
}

static void add_set(struct strbuf *b, const struct set *s, const struct firewall *f) {
        size_t n = 0;

        strbuf_addf(b, "  set %s { %s", s->name, s->type);
        for (size_t i = 0; i < f->n_networks; i++) {
                if (!s->has(&f->networks[i]))
                        continue;
                strbuf_adds(b, n++ ? ", " : " elements = { ");
                add_element(b, s->element, &f->networks[i]);
        }
        strbuf_adds(b, n ? " }\n  }\n" : "\n  }\n");
}

const struct firewall_map firewall_maps[FIREWALL_MAPS] = {
        { "ports_at", "type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service;", true, false },
        { "ports", "type inet_proto . inet_service : ipv4_addr . inet_service;", false, false },
        { "ports6_at", "type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service;", true, true },
        { "ports6", "type inet_proto . inet_service : ipv6_addr . inet_service;", false, true },
};

bool firewall_port_is_in(const struct firewall_port *p, bool by_address, bool ipv6) {
        return address6_is_ipv4(&p->address) != ipv6 && address6_is_any(&p->host_address) != by_address;
}

/* The elements that belong into this map, with or without what they lead to. Returns how many. */
static size_t add_ports(struct strbuf *b, const struct firewall_map *m, const struct firewall_port *ports, size_t n, bool with_data) {
        size_t added = 0;

        for (size_t i = 0; i < n; i++) {
                char address[ADDRESS6_TEXT];

                if (!firewall_port_is_in(&ports[i], m->by_address, m->ipv6))
                        continue;
                strbuf_adds(b, added++ ? ", " : "");
                address6_format(&ports[i].host_address, address);
                if (m->by_address)
                        strbuf_addf(b, "%s . ", address);
                strbuf_addf(b, "%u . %u", ports[i].protocol, ports[i].host_port);
                address6_format(&ports[i].address, address);
                if (with_data)
                        strbuf_addf(b, " : %s . %u", address, ports[i].port);
        }
        return added;
}

static void add_map(struct strbuf *b, const struct firewall_map *m, const struct firewall *f) {
        auto_strbuf elements;

        strbuf_init(&elements, COMMANDS_MAX);
        strbuf_addf(b, "  map %s { %s", m->name, m->type);
        if (add_ports(&elements, m, f->ports, f->n_ports, true))
                strbuf_addf(b, " elements = { %s }", elements.data ? elements.data : "");
        strbuf_adds(b, "\n  }\n");
        if (strbuf_error(&elements) < 0)
                b->failed = strbuf_error(&elements);
}

/* What the quick way cannot do, libnftables does, or has the words for why not. */
static int change_ports(const char *name, struct rtnl *netfilter, const struct firewall_port *ports, size_t n, bool add, struct err *err) {
        const char *verb = add ? "add" : "delete";
        char table[TABLE_NAME_SIZE];
        auto_strbuf b;

        firewall_table_name(name, table);
        strbuf_init(&b, COMMANDS_MAX);
        if (netfilter->fd >= 0 && firewall_change_elements(table, netfilter, ports, n, add) == 0)
                return 0;
        for (size_t i = 0; i < FIREWALL_MAPS; i++) {
                auto_strbuf elements;

                strbuf_init(&elements, COMMANDS_MAX);
                if (add_ports(&elements, &firewall_maps[i], ports, n, add))
                        strbuf_addf(&b, "%s element inet %s %s { %s }\n", verb, table, firewall_maps[i].name, elements.data ? elements.data : "");
                if (strbuf_error(&elements) < 0)
                        b.failed = strbuf_error(&elements);
        }
        if (strbuf_error(&b) < 0)
                return err_errno(err, strbuf_error(&b), "firewall table \"inet %s\"", table);
        return b.size ? run(table, b.data, "published ports", err) : 0;
}

int firewall_add_ports(const char *name, struct rtnl *netfilter, const struct firewall_port *ports, size_t n, struct err *err) {
        return change_ports(name, netfilter, ports, n, true, err);
}

int firewall_remove_ports(const char *name, struct rtnl *netfilter, const struct firewall_port *ports, size_t n, struct err *err) {
        return change_ports(name, netfilter, ports, n, false, err);
}

int firewall_apply(const struct firewall *f, struct err *err) {
        char table[TABLE_NAME_SIZE];
        auto_strbuf b;

        firewall_table_name(f->name, table);
        strbuf_init(&b, COMMANDS_MAX);
        strbuf_addf(&b, "table inet %1$s\ndelete table inet %1$s\ntable inet %1$s {\n", table);
        for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
                add_set(&b, &sets[i], f);
        strbuf_addf(&b, "  set unreachable { type ipv6_addr; %s\n  }\n", f->no_loopback6 ? "elements = { ::1 }" : "");
        for (size_t i = 0; i < FIREWALL_MAPS; i++)
                add_map(&b, &firewall_maps[i], f);
        strbuf_addf(&b, "%s}\n", rules);
        if (strbuf_error(&b) < 0)
                return err_errno(err, strbuf_error(&b), "firewall table \"inet %s\"", table);
        return run(table, b.data, "adding it", err);
}

static int read_use(struct nlmsghdr *h, void *data) {
        struct nlattr *a[NFTA_CHAIN_MAX + 1];

        if (nlmsg_parse(h, sizeof(struct nfgenmsg), a, NFTA_CHAIN_MAX, NULL) < 0 || !a[NFTA_CHAIN_USE])
                return -EPROTO;
        *(uint32_t *) data = ntohl(nla_get_u32(a[NFTA_CHAIN_USE]));
        return 0;
}

static bool chain_has(struct rtnl *n, const char *table, const char *chain, uint32_t n_rules) {
        struct nfgenmsg head = { .nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0 };
        auto_batch b = { 0 };
        struct nl_msg *m = rtnl_add(&b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, 0, &head, sizeof(head));
        uint32_t use = 0;

        return m && nla_put_string(m, NFTA_CHAIN_TABLE, table) == 0 && nla_put_string(m, NFTA_CHAIN_NAME, chain) == 0 &&
               rtnl_get(n, &b, read_use, &use) == 0 && use == n_rules;
}

bool firewall_is_intact(const char *name, struct rtnl *n) {
        char table[TABLE_NAME_SIZE];

        firewall_table_name(name, table);
        for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
                if (!chain_has(n, table, chains[i].name, chains[i].uses))
                        return false;
        return true;
}

int firewall_remove(const char *name, struct err *err) {
        char table[TABLE_NAME_SIZE], commands[256];

        firewall_table_name(name, table);
        snprintf(commands, sizeof(commands), "table inet %1$s\ndelete table inet %1$s\n", table);
        return run(table, commands, "deleting it", err);
}
