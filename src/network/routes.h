/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Addresses and routes of links, each a request or two over an rtnetlink socket, in the namespace of that socket. Functions return negative errno. */

#include "network/addresses.h"
#include "network/addresses6.h"
#include "network/rtnl.h"

/* Of either kind; one of IPv6 is there at once, without the wait for somebody who has it already. */
int address_add(struct rtnl *n, int index, const struct address6 *address, uint8_t prefix);
/* The same of IPv4, of the scope "host": nothing is sent by it, and the kernel chooses it for nobody. */
int address_add_inner(struct rtnl *n, int index, const struct address6 *address, uint8_t prefix);
/* -ENODATA: the link has no IPv4 address. */
int address_find(struct rtnl *n, int index, uint32_t *ret, uint8_t *ret_prefix);
/* The first that is not link-local. -ENODATA: the link has none of IPv6. */
int address6_find(struct rtnl *n, int index, struct address6 *ret, uint8_t *ret_prefix);

/* Has the link this very one? 1 or 0. */
int address_is_there(struct rtnl *n, int index, const struct address6 *address, uint8_t prefix);

/* What one endpoint gets. */
struct link_addresses {
        uint32_t address, gateway; /* gateway 0: no default route */
        uint8_t prefix, prefix6;   /* prefix6 0: no IPv6 */
        bool has_gateway6;
        bool by_link;              /* default routes without gateways: the link leads everywhere */
        struct address6 address6, gateway6;
};
/* The addresses, the link up, and default routes in place of those that are there: in one system call. */
int link_configure(struct rtnl *n, int index, const struct link_addresses *a);
/* Of either kind, in place of one that is there; 0.0.0.0 and ::, without a gateway. */
int default_route_set(struct rtnl *n, int index, const struct address6 *gateway);
/* Packets to ::1 that come in by this link are this host's: answers of a container to what the host asked from there. */
int loopback6_route_add(struct rtnl *n, int index);

/* A route of the host's main table, of whatever kind. */
struct route {
        int index; /* of its link; 0: of several, or none */
        struct address6 to;
        uint8_t prefix; /* of the address's kind: 24 of IPv4 */
};
/* Those to a subnet; the default route is none. Stops at the first negative return of fn, and returns that. */
int routes_each(struct rtnl *n, bool ipv6, int (*fn)(const struct route *r, void *data), void *data);
/* The route that the kernel itself makes to the subnet of an address of a link. */
int subnet_route_add(struct rtnl *n, int index, const struct address6 *base, uint8_t prefix, const struct address6 *own);

/* Every subnet that this host has an address in or, a default route aside, a route to. */
int subnets_in_use(struct rtnl *n, int (*fn)(const struct subnet *s, void *data), void *data);
int subnets6_in_use(struct rtnl *n, int (*fn)(const struct subnet6 *s, void *data), void *data);
/* The interface of the IPv4 default route with the lowest metric. -ENODATA: none. */
int default_route_link(struct rtnl *n, int *ret_index);
