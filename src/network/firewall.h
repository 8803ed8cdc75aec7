/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The one nftables table of a daemon: "inet kist" when its default bridge is kist0, else "inet kist-BRIDGE", so that several daemons on a host leave each
 * other's alone. It only adds: what the host's own tables drop stays dropped. Its rules are always the same: networks are elements of its sets. */

#include <stdbool.h>
#include <stddef.h>

#include "network/addresses.h"
#include "network/addresses6.h"
#include "network/rtnl.h"

struct err;

struct firewall_network {
        const char *bridge; /* a name whose grammar was checked: it becomes part of a rule */
        struct subnet subnet;
        struct subnet6 subnet6; /* prefix 0: none */
        bool nat;      /* what leaves gets the host's address */
        bool internal; /* nothing leaves, nothing enters */
        bool icc;      /* endpoints may talk to each other */
        uint32_t names; /* the gateway, where names are answered to those on the network; 0: none are */
        bool joined;   /* a bridge that is joined to a network's own (chain.h): what passes it is looked at there */
        bool extended;  /* one that others are joined to */
};

struct firewall_port {
        uint8_t protocol;
        uint16_t host_port, port;
        struct address6 host_address; /* any: every address of the host of that kind */
        struct address6 address;
};

struct firewall {
        const char *name; /* the default bridge */
        const struct firewall_network *networks;
        size_t n_networks;
        const struct firewall_port *ports;
        size_t n_ports;
        bool no_loopback6; /* ports are not reached by ::1: whoever tries is told so at once */
};

/* Put the table there, in place of an earlier one, in one transaction: there is no moment without it. ERR_UNSUPPORTED: the kernel lacks
 * nf_tables, or a piece of it; the message says which line. */
int firewall_apply(const struct firewall *f, struct err *err);
/* Are the table, its chains and their rules still there? Somebody may have flushed the host's rule set. A few short questions to the kernel,
 * cheap enough for every endpoint, over a socket of rtnl_open_netfilter() that is kept: closing one makes nf_tables wait for its
 * own cleaning up. An answer that cannot be had is a no. */
bool firewall_is_intact(const char *name, struct rtnl *netfilter);
/* firewall-check.c: compares the table that is there with the one that should be. 0: the same. 1: it is not; what is wrong is in *ret. */
int firewall_compare(const struct firewall *f, struct rtnl *netfilter, char ret[160], struct err *err);
/* The maps of published ports. */
enum { FIREWALL_MAPS = 4 };
extern const struct firewall_map {
        const char *name, *type;
        bool by_address, ipv6;
} firewall_maps[FIREWALL_MAPS];
/* Which of the four is it in? */
bool firewall_port_is_in(const struct firewall_port *p, bool by_address, bool ipv6);
void firewall_table_name(const char *bridge, char ret[32]);
/* Elements of the maps of a table that is there, all or none; over a socket that is kept, as for firewall_is_intact(). */
int firewall_add_ports(const char *name, struct rtnl *netfilter, const struct firewall_port *ports, size_t n, struct err *err);
int firewall_remove_ports(const char *name, struct rtnl *netfilter, const struct firewall_port *ports, size_t n, struct err *err);
/* firewall-elements.c: the same for at most FIREWALL_PORTS_AT_ONCE; negative errno, and nothing is changed. */
enum { FIREWALL_PORTS_AT_ONCE = 512 };
int firewall_change_elements(const char *table, struct rtnl *netfilter, const struct firewall_port *ports, size_t n, bool add);
int firewall_remove(const char *name, struct err *err);
