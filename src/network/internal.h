/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Private to src/network: the host and its one bridge. */

#include <pthread.h>

#include "network/addresses.h"
#include "network/addresses6.h"
#include "network/chain.h"
#include "network/links.h"
#include "network/network.h"
#include "network/routes.h"

enum { POOLS_MAX = 64 };

/* Deletes links in the background: the kernel takes tens of milliseconds for it, and as many for a hundred as for one. What is to go is
 * unplugged and put into a group of links first, so the kernel itself remembers it, also when this process dies. */
struct reaper {
        pthread_mutex_t lock;
        pthread_cond_t idle;
        bool running, wanted;
};
void reaper_init(struct reaper *r);
void reaper_done(struct reaper *r);
/* Waits until all is deleted that was discarded before. */
void reaper_wait(struct reaper *r);
/* Unplug a veth, or a bridge that was joined to another, and see to its deletion; with `free_name`, its name can be used again at once. -ENODEV: no such link. */
int reaper_discard(struct reaper *r, struct rtnl *n, const char *name, bool free_name);

int reaper_discard_link(struct reaper *r, struct rtnl *n, int index, bool free_name);

struct network_driver;

/* One network: a bridge with a subnet, and those that are joined to it; of other drivers (see driver.h) something else with a subnet, and `bridge` is only what it is
 * known by. */
struct bridge_network {
        char bridge[16];
        const struct network_driver *driver;
        char parent[16];           /* of drivers with one: the link, or `bridge`: a dummy of that name. Its index is bridge_index */
        uint8_t parent_mac[6];
        uint16_t mode, flags;      /* the kernel's numbers */
        bool defined;              /* by network_define(): its subnet never changes */
        bool nat, internal, icc;
        uint32_t mtu_wanted;       /* 0: as the host has it */
        bool ready;                /* the bridge is there, and the table knows it */
        int bridge_index;
        uint32_t mtu;
        struct address_pool pool;  /* .owners is NULL until a subnet is chosen; then it stays, also when the bridge has to be made again */
        bool ipv6;
        struct chain chain;
        struct address6_pool pool6; /* with ipv6: .subnet.prefix is 0 until one is chosen */
};

/* ports.c */
struct published;
struct firewall_port;
struct published_ports {
        struct published *v;
        size_t n, room;
        uint32_t next_random;
};
const struct firewall_port *published_port(const struct published_ports *all, size_t i);
void published_ports_done(struct published_ports *all);
/* Where br_netfilter turns addresses round in the bridge, the kernel drops what a container answers to ::1. */
bool ports_by_loopback6(void);
/* conntrack.c: end all connections that came by these ports. */
/* Is anything published on this bridge? */
bool ports_has_bridge(const struct published_ports *all, const char *bridge);
int conntrack_forget(const struct firewall_port *ports, size_t n_ports);

struct network_host {
        char bridge[16];           /* of the default network; the table is named after it */
        struct subnet *pools;
        size_t n_pools;
        struct subnet6 *pools6;
        size_t n_pools6;
        struct reaper reaper;
        int announcer;             /* a packet socket, for announce.c; kept open: to close one waits for every processor, for ten milliseconds and more. −1: none */

        pthread_mutex_t lock;      /* of what follows */
        struct rtnl netfilter;     /* kept open: see firewall_is_intact() */
        struct bridge_network **networks; /* the default one is the first */
        size_t n_networks;
        struct published_ports ports;
};

/* What one endpoint has to know of the bridge. */
struct bridge_state {
        const struct network_driver *driver;
        char link[16];             /* the bridge, or the parent */
        bool shares_mac, routed;   /* see child_… below */
        uint16_t mode, flags;
        uint8_t mac[6];
        int index;                 /* of that link */
        uint32_t mtu;
        struct subnet subnet;
        uint32_t gateway;
        bool internal, icc;
        struct subnet6 subnet6; /* prefix 0: none */
        struct address6 gateway6;
};

/* lock is held. NULL: no network of this host's has that bridge. */
struct bridge_network *network_find_locked(struct network_host *h, const char *bridge);
int network_unknown(const char *bridge, struct err *err);
/* The table as the networks are now; lock is held. */
int network_apply_firewall(struct network_host *h, struct err *err);
/* A subnet out of the pools that no route and no network of this host has; lock is held. The default network takes the whole pool, or of
 * the only one a quarter: the rest is for networks that come later. */
int network_choose_subnet(struct network_host *h, struct rtnl *n, bool whole, struct subnet *ret, struct err *err);
/* define6.c, lock is held: the IPv6 side of a network, as it is asked for (*d), or with d NULL of the default one. Does nothing for one that has a subnet already. */
int network_choose_subnet6(struct network_host *h, struct rtnl *n, struct bridge_network *b, const struct network_definition *d, struct err *err);
/* "invalid WHAT VALUE: WHY" */
int network_bad(struct err *err, const char *what, const char *value, const char *why);
void network_describe_pools(const struct bridge_network *b, struct network_addresses *ret);
/* Does the name fit a link, a path below /proc/sys and a firewall rule? */
bool bridge_name_is_valid(const char *name);

/* spare.c: its link is an endpoint's now. */
void network_spare_used(struct network_spare *s);

/* Have its endpoints the parent's MAC address? Is the default route the link itself, since the kernel routes there (l3, l3s)? */
bool child_shares_mac(const struct bridge_network *b);
bool child_is_routed(const struct bridge_network *b);

/* The bridge with its address, forwarding and the table (of other drivers what they need): found or made. */
int bridge_ensure(struct network_host *h, const char *bridge, struct bridge_state *ret, struct err *err);
struct bridge_state bridge_state_of(const struct bridge_network *b); /* lock is held */
/* One that is not ready, again; lock is held. */
int bridge_make_locked(struct network_host *h, struct bridge_network *b);
/* The bridge with this index was not there any more: the next bridge_ensure() looks again. */
void bridge_forget(struct network_host *h, int index);
/* announce.c. Tell those on its bridge that nobody has its addresses any more, or that it has them now: else they go on sending to who had them before. Best effort:
 * what is not heard shows after a minute. Negative errno. */
int announce_gone(struct network_host *h, struct rtnl *n, const struct network_endpoint *e);
int announce_here(struct network_host *h, struct rtnl *n, const struct network_endpoint *e);
/* bridge.c. Veths of containers that are ports of it. */
int bridge_delete_ports(struct rtnl *n, int bridge_index, struct err *err);

/* err_errno() with what the kernel itself said, when it said something. */
int rtnl_error(const struct rtnl *n, int num, struct err *err, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Switch IPv6 off for one interface of the host. Negative errno; a kernel without IPv6 is fine. */
int link_disable_ipv6(const char *name);
