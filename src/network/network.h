/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Networks of one host: bridges with subnets, addresses, routes and NAT out; the default one, and those that are defined. A network is named by its
 * bridge. All by netlink (libnl) and libnftables; no outside program is started. State that must outlive the daemon (which networks there are,
 * which address belongs to whom) is the engine's: it tells it back with network_define() and network_claim() after a restart. Safe to use from
 * several threads. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct network_host;

struct network_options {
        const char *bridge;        /* "kist0"; at most 15 bytes */
        const char *const *pools;  /* CIDRs in order of preference, of IPv4 and IPv6; the first that collides with no route of the host is taken */
        size_t n_pools;
        uint32_t mtu;              /* 0: that of the host's default route, else 1500 */
        bool nat;
        bool ipv6;                 /* the default network has IPv6 too */
        const char *subnet6;       /* of the default network; NULL: one is found */
};

/* Reads nothing and makes nothing yet: the bridge and table come with the first endpoint (a daemon that starts lazily), or are found as
 * an earlier daemon left them. */
int network_host_open(const struct network_options *o, struct network_host **ret, struct err *err);
void network_host_free(struct network_host *h);
/* [{"Base": "172.30.0.0/16", "Size": 20}]: where networks get their subnets from, and how long the prefix of such a one is. */
json_t *network_host_describe_pools(const struct network_host *h);
/* Remove the bridge, the nftables table and what else was made. For tests and for uninstalling; a daemon that stops leaves them. */
int network_host_destroy(struct network_host *h, struct err *err);

/* A network beside the default one. Texts that are NULL or "": none was asked for. */
struct network_definition {
        const char *bridge;   /* of drivers without a bridge: what it is known by, and the name of its dummy */
        const char *driver;   /* "bridge", "macvlan", "ipvlan" */
        const char *parent;   /* a link, or the VLAN of one, "eth0.5", which is made when it is not there; NULL: a dummy of its own */
        const char *mode, *flag; /* words of macvlan_mode, ipvlan_mode and ipvlan_flag; NULL: the usual one */
        const char *subnet;   /* "10.5.0.0/16", between /8 and /30 */
        const char *gateway;  /* the first address otherwise */
        const char *range;    /* a part of the subnet: addresses that nobody asked for by name come from it */
        const char *const *reserved; /* addresses that no endpoint gets */
        size_t n_reserved;
        uint32_t mtu;         /* 0: that of the host's default route */
        bool nat;
        bool internal;        /* no way out, and none in */
        bool icc;             /* endpoints see each other */
        bool ipv6;            /* and IPv6; `reserved` may have addresses of both kinds */
        const char *subnet6, *gateway6, *range6; /* "fd00:5::/64", between /16 and /124; the first address otherwise; a part of it */
};

/* subnet6 is "" without IPv6. */
struct network_addresses {
        char subnet[20], gateway[16], subnet6[44], gateway6[40];
};

/* NULL: no such driver; NULL, "" is bridge. */
const char *network_driver_name(const char *name);
bool network_driver_has_parent(const char *name);

/* Check it, find a subnet when none is given (one that collides with nothing on this host), and remember it. Makes nothing yet. ERR_CONFLICT: the
 * subnet is another network's, or of this host's routes (unless it is its own bridge's, left by an earlier daemon). */
int network_define(struct network_host *h, const struct network_definition *d, struct network_addresses *ret, struct err *err);
/* The bridge and the table, now rather than with the first endpoint. */
int network_make(struct network_host *h, const char *bridge, struct err *err);
/* Remove the bridge and forget the network. −EBUSY, and nothing happens, when an endpoint has an address of it. */
int network_undefine(struct network_host *h, const char *bridge, struct err *err);

/* Of one endpoint, in both directions as the container sees them. */
struct network_rates {
        uint64_t ingress, egress;               /* bits per second; 0: as fast as it goes */
        uint32_t ingress_burst, egress_burst;   /* bytes that may go at once; 0: 20 ms of the rate, at least 64 KiB. Never less than one frame */
};

/* A link that waits for its container: a veth pair, both ends down. The one in the container's network namespace is "eth0"; the other one is on no bridge,
 * so any network can have it. It goes with that namespace, so also with the death of whoever holds this. */
#define NETWORK_SPARE_LINK "eth0"
struct network_spare {
        char host_link[16];    /* "": none */
        int host_index, index; /* of both ends */
        int inside_fd;         /* a netlink socket in the namespace */
};
#define NETWORK_SPARE_NONE ((struct network_spare) { .inside_fd = -EBADF })
int network_spare_make(struct network_host *h, int netns_fd, struct network_spare *ret, struct err *err);
/* Its link goes in the background. One that was used up, or is none, is fine. */
void network_spare_drop(struct network_host *h, struct network_spare *s);

struct network_attachment {
        const char *bridge;
        const char *id;       /* of the container: hex digits */
        const char *link;     /* "eth0" */
        const char *address;  /* NULL, "": any */
        const char *address6; /* the same; of a network with IPv6 only */
        const char *mac;      /* NULL, "": from the address */
        bool gateway;         /* the container's default route leads here */
        struct network_rates rates;
        struct network_spare *spare; /* NULL: none; used up when its namespace is that of the container, `link` is its name and all goes well */
};

struct network_endpoint {
        char network[65];     /* the engine's id of the network; not looked at here */
        char link[16];        /* in the container: "eth0" */
        char address[16];     /* "172.30.0.2" */
        uint8_t prefix;       /* 16 */
        char gateway[16];     /* of the network; "" when it is internal */
        char address6[40];    /* "": none */
        uint8_t prefix6;
        char gateway6[40];
        bool is_gateway;      /* the default route leads there */
        bool on_link;         /* … without a gateway: the link is the way */
        char mac[18];         /* "02:42:ac:1e:00:02", derived from the address unless one was asked for */
        char host_link[16];   /* veth on the host's side: "kv" and hex digits, of the container's id or a spare one's own; "" when the driver has none there */
        char bridge[16];      /* of the network's definition */
        struct network_rates rates;
};

/* A veth from the bridge into netns_fd with an address, link-local route and (a->gateway) default route in place of one that is there, all up when
 * this returns. ERR_NO_SPACE when the pool is used up, ERR_CONFLICT when the address asked for is taken. All or nothing. */
int network_connect(struct network_host *h, const struct network_attachment *a, int netns_fd, struct network_endpoint *ret, struct err *err);
/* The same in two steps, for those who write down what is going to be before it is: the first only reserves the address and fills *ret. */
int network_reserve(struct network_host *h, const struct network_attachment *a, struct network_endpoint *ret, struct err *err);
int network_plug(struct network_host *h, const char *id, const struct network_endpoint *e, int netns_fd, struct err *err);
/* Unplug the link if it is still there, and give the address back. The kernel takes long to delete a link: that follows in the background, all
 * at once, where the link has an end on this host. netns_fd −1: the container's namespace is gone, or goes now. Unknown ids are no error. */
int network_disconnect(struct network_host *h, const char *id, const struct network_endpoint *e, int netns_fd, struct err *err);
/* 1: its link is there; 0: it is not; negative errno: who knows. */
int network_is_plugged(struct network_host *h, const struct network_endpoint *e, int netns_fd);
/* Until the links that were unplugged are gone: a container that lives on must not see them any more, nor find their names taken. */
void network_settle(struct network_host *h);
/* Of a container with several networks: from now on the default route leads to this one. */
int network_route_by(struct network_host *h, const struct network_endpoint *e, int netns_fd, struct err *err);
/* Other rates for one that is there: they are in *e. */
int network_limit(struct network_host *h, const struct network_endpoint *e, struct err *err);
/* After a restart: this address is taken by that container. */
int network_claim(struct network_host *h, const char *id, const struct network_endpoint *e, struct err *err);

/* Where a container asks for names whose networks have no gateway of this host's. */
#define NETWORK_RESOLVER "127.0.0.11"
/* Two sockets (UDP, TCP; the caller's) that hear what is sent to port 53 of that address in a network namespace: `ns` is an fd of it, or of a process that is in it. Their
 * own ports are others, so that a container that serves names itself has port 53. */
int network_open_resolver(int ns, int ret[2], struct err *err);

/* "10.5.0.9"; "fd00:5::9"; "02:42:ac:1e:00:02" of one device. */
bool network_is_address(const char *text);
bool network_is_address6(const char *text);
bool network_is_subnet6(const char *text);
bool network_is_mac(const char *text);

/* A port of the host that leads to one of the container. */
struct network_port {
        uint8_t protocol;        /* IPPROTO_TCP, _UDP, _SCTP */
        char host_address[40];   /* "": all of the host's, of both kinds when the endpoint has both; "0.0.0.0", "::": all of one kind */
        uint16_t host_first, host_last; /* 0 and 0: any; a free one of them is chosen, and stands in both then */
        uint16_t inside;
};
/* All of them or none; in *ports stands what was chosen. ERR_CONFLICT, −EADDRINUSE: taken, by the container whose id is in `owner`, or ("") by a process of
 * the host. The endpoint must be there. */
int network_publish(struct network_host *h, const char *id, const struct network_endpoint *e, struct network_port *ports, size_t n, char owner[65], struct err *err);
void network_unpublish(struct network_host *h, const char *id); /* all that this container has */
/* These only, as network_publish() has chosen them; connections by them end. */
int network_unpublish_some(struct network_host *h, const char *id, const struct network_endpoint *e, const struct network_port *ports, size_t n, struct err *err);
/* After a restart, before the first network_claim(): what an earlier daemon published. Only remembered: the table is put in place with it. */
int network_publish_again(struct network_host *h, const char *id, const struct network_endpoint *e, const struct network_port *ports, size_t n, struct err *err);
/* After a restart, when all is claimed: a table that is there is put in place anew, with nothing in it of those who are gone. */
int network_refresh(struct network_host *h, struct err *err);

/* For fsck. Is the table what it should be? 0: yes, or nothing needs one yet. 1: no, for the reason in *ret; with `fix` it was put in place anew. */
int network_check_firewall(struct network_host *h, bool fix, char ret[160], struct err *err);
/* For network audit: bridges, addresses, switches, MTUs and routes. fn is called for each difference; `result` of mending it, with `fix`: negative errno when it failed. */
typedef void (*network_finding_fn)(const char *object, const char *problem, const char *action, int result, void *data);
int network_audit(struct network_host *h, bool fix, network_finding_fn fn, void *data, struct err *err);
/* Ports of our bridges that have a name of ours, and who would have it. */
int network_links_each(struct network_host *h, void (*fn)(const char *bridge, const char *link, void *data), void *data, struct err *err);
/* Ifbs of limits (see shaping.h) whose links are gone; with `fix` they go. */
int network_stray_ifbs(struct network_host *h, bool fix, void (*fn)(const char *link, int result, void *data), void *data, struct err *err);
void network_link_name(const struct network_host *h, const char *id, const char *bridge, char ret[16]);
/* 1: it is a port of a bridge; 0: not, or not any more (it may wait for its deletion); negative errno: who knows. */
int network_link_is_plugged(const char *link);
int network_discard_link(struct network_host *h, const char *link, struct err *err);

/* After a restart: links that an earlier daemon unplugged and did not live to delete, and ifbs of links that went meanwhile. */
void network_sweep(struct network_host *h);

/* For inspect: subnets and gateways of the default bridge; makes it when it is not there yet. */
int network_describe(struct network_host *h, struct network_addresses *ret, struct err *err);

/* Is `ready` everything `--network bridge` needs on this host? Message of what is missing in *err otherwise (nf_tables, veth, bridge). */
int network_probe(struct err *err);
