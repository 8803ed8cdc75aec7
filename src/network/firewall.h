/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The one nftables table of a bridge: "inet kist" for kist0, else "inet kist-BRIDGE", so that several daemons on a host leave each other's
 * alone. It only adds: what the host's own tables drop stays dropped. */

#include <stdbool.h>

#include "network/addresses.h"
#include "network/rtnl.h"

struct err;

struct firewall {
        const char *bridge; /* a name whose grammar was checked: it becomes part of a rule */
        struct subnet subnet;
        bool nat;
};

/* Put the table there, in place of an earlier one, in one transaction: there is no moment without it. ERR_UNSUPPORTED: the kernel lacks
 * nf_tables, or a piece of it; the message says which line. */
int firewall_apply(const struct firewall *f, struct err *err);
/* Are the table, its chains and their rules still there? Somebody may have flushed the host's rule set. Two short questions to the kernel,
 * cheap enough for every endpoint, over a socket of rtnl_open_netfilter() that is kept: closing one makes nf_tables wait for its
 * own cleaning up. An answer that cannot be had is a no. */
bool firewall_is_intact(const struct firewall *f, struct rtnl *netfilter);
int firewall_remove(const char *bridge, struct err *err);
