/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Links, each a request or two over an rtnetlink socket, in the namespace of that socket. Functions return negative errno. */

#include <stdbool.h>

#include "network/rtnl.h"

struct link {
        int index;
        int master; /* 0: none */
        uint32_t mtu;
        bool up;
        char name[16];
        char kind[16]; /* "bridge", "veth"; "" for real ones */
        int parent;    /* of a child of another link, and of a veth its other end; 0: none */
        bool is_of_elsewhere; /* the parent is in another network namespace */
        uint8_t mac[6];
        uint32_t group;       /* 0: none in particular */
};

/* -ENODEV: no such link. */
int link_find(struct rtnl *n, const char *name, struct link *ret);
int link_find_index(struct rtnl *n, int index, struct link *ret);
int link_each(struct rtnl *n, int (*fn)(const struct link *l, void *data), void *data);
int link_set_up(struct rtnl *n, const char *name);
int link_set_mtu(struct rtnl *n, int index, uint32_t mtu);
int link_delete(struct rtnl *n, const char *name);
/* Off its bridge, switched off, in a group of links, and with `new_name` unless NULL: in one system call, and in microseconds. */
int link_unplug(struct rtnl *n, int index, uint32_t group, const char *new_name);
/* All links of the group at once: one wait of the kernel for all of them. -ENODEV: there are none. */
int link_delete_group(struct rtnl *n, uint32_t group);

/* With the MTU of its ports, 1500 without any, until link_set_mtu() says another. */
int link_add_bridge(struct rtnl *n, const char *name, const uint8_t mac[6]);

/* An intermediate functional block: what is turned over to it leaves by its queue and goes on as if it had arrived where it came from. */
int link_add_ifb(struct rtnl *n, const char *name);

/* Both ends in one request: `host_name` here, as a port of the bridge, still down; `peer_name` in netns_fd, down as well: the kernel
 * refuses to switch on an end while the other is not made. -EEXIST: one of the names is taken. */
struct veth {
        const char *host_name, *peer_name;
        uint8_t peer_mac[6];
        int bridge_index, netns_fd; /* bridge 0: none */
        uint32_t mtu;               /* 0: the kernel's own */
};
int link_add_veth(struct rtnl *n, const struct veth *v);
/* What link_add_veth() would have done, to one that was made without: its two ends, each in its namespace. */
int link_plug(struct rtnl *n, int index, int bridge_index, uint32_t mtu);
int link_dress(struct rtnl *n, int index, const uint8_t mac[6], uint32_t mtu);

/* A port of a bridge: other isolated ports and it do not see each other; the bridge itself does. */
int link_isolate(struct rtnl *n, const char *name);
/* A port of a bridge: what comes in by it may go out by it. */
int link_reflect(struct rtnl *n, const char *name);

struct filling;
/* A request to switch it on, by index, or by name: for batches of others. */
void link_fill_up(struct rtnl_batch *b, struct filling *f, int index, const char *name);
