/* SPDX-License-Identifier: Apache-2.0 */
#include "network/firewall.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

enum { COMMANDS_SIZE = 2048, DEFAULT_TABLE_SIZE = 32 };

DEFINE_CLEANUP(struct nft_ctx *, nft_ctx_free)
#define auto_nft __attribute__((cleanup(nft_ctx_freep))) struct nft_ctx

static void table_name(const char *bridge, char ret[DEFAULT_TABLE_SIZE]) {
        if (strcmp(bridge, "kist0") == 0)
                snprintf(ret, DEFAULT_TABLE_SIZE, "kist");
        else
                snprintf(ret, DEFAULT_TABLE_SIZE, "kist-%s", bridge);
}

/* libnftables prints the command and a pointer under it: one line of that is for people. */
static int failed(struct nft_ctx *nft, const char *table, const char *what, struct err *err) {
        const char *said = nft_ctx_get_error_buffer(nft);
        char line[256];

        snprintf(line, sizeof(line), "%s", said && *said ? said : "no reason given");
        line[strcspn(line, "\n")] = '\0';
        if (strstr(line, "No such file or directory") || strstr(line, "not supported") || strstr(line, "Protocol error"))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
                        "firewall table \"inet %s\": %s: %s (the kernel needs nf_tables with nat, masquerade and conntrack)", table, what, line);
        return err_set(err, strstr(line, "not permitted") ? ERR_DENIED : ERR_INTERNAL, strstr(line, "not permitted") ? -EPERM : -EIO,
                "firewall table \"inet %s\": %s: %s", table, what, line);
}

/* A context costs a megabyte: it does not stay. */
static int run(const char *table, const char *commands, const char *what, struct err *err) {
        auto_nft *nft = nft_ctx_new(NFT_CTX_DEFAULT);

        if (!nft || nft_ctx_buffer_error(nft) != 0 || nft_ctx_buffer_output(nft) != 0)
                return err_set(err, ERR_INTERNAL, -ENOMEM, "firewall table \"inet %s\": no memory", table);
        return nft_run_cmd_from_buffer(nft, commands) == 0 ? 0 : failed(nft, table, what, err);
}

/* From the containers outwards: only with addresses of theirs, so that nobody sends in another's name; among themselves they may route
 * what they like. Towards them: answers to what they asked for, and what a port map sent (then its destination was translated).
 * Anything else from outside is dropped, or any neighbour of this host who sets a route to it would reach ports that nobody
 * published. The host itself reaches them: its own packets are not forwarded. */
enum { FORWARD_RULES = 7, POSTROUTING_RULES = 1 };
static const char rules[] =
        "table inet %1$s\n"
        "delete table inet %1$s\n"
        "table inet %1$s {\n"
        "  chain forward {\n"
        "    type filter hook forward priority filter; policy accept;\n"
        "    iifname \"%2$s\" oifname != \"%2$s\" ip saddr != %4$s drop\n"
        "    iifname \"%2$s\" oifname != \"%2$s\" meta nfproto != ipv4 drop\n"
        "    oifname != \"%2$s\" accept\n"
        "    iifname \"%2$s\" accept\n"
        "    ct state established,related accept\n"
        "    ct status dnat accept\n"
        "    drop\n"
        "  }\n"
        "%3$s"
        "}\n";

/* Not for what stays on the bridge: containers see each other's own addresses. */
static const char nat_chain[] =
        "  chain postrouting {\n"
        "    type nat hook postrouting priority srcnat; policy accept;\n"
        "    ip saddr %1$s oifname != \"%2$s\" masquerade\n"
        "  }\n";

int firewall_apply(const struct firewall *f, struct err *err) {
        char table[DEFAULT_TABLE_SIZE], subnet[SUBNET_TEXT], nat[512] = "", commands[COMMANDS_SIZE];

        table_name(f->bridge, table);
        subnet_format(&f->subnet, subnet);
        if (f->nat)
                snprintf(nat, sizeof(nat), nat_chain, subnet, f->bridge);
        snprintf(commands, sizeof(commands), rules, table, f->bridge, nat, subnet);
        return run(table, commands, "adding it", err);
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

bool firewall_is_intact(const struct firewall *f, struct rtnl *n) {
        char table[DEFAULT_TABLE_SIZE];

        table_name(f->bridge, table);
        return chain_has(n, table, "forward", FORWARD_RULES) &&
               (!f->nat || chain_has(n, table, "postrouting", POSTROUTING_RULES));
}

int firewall_remove(const char *bridge, struct err *err) {
        char table[DEFAULT_TABLE_SIZE], commands[256];

        table_name(bridge, table);
        snprintf(commands, sizeof(commands), "table inet %1$s\ndelete table inet %1$s\n", table);
        return run(table, commands, "deleting it", err);
}
