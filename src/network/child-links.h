/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Links on top of others: macvlan, ipvlan, VLANs; and dummies, on which they can be when nothing else is to be reached. Functions return negative errno. */

#include <stdbool.h>
#include <stdint.h>

#include "network/links.h"

/* Into netns_fd, down. -EEXIST: the name is taken there; -EBUSY: the parent is a port of something, or has children of another kind. */
struct child {
        const char *kind; /* "macvlan", "ipvlan" */
        const char *name;
        int parent, netns_fd;
        uint32_t mtu;
        uint16_t mode, flags; /* MACVLAN_MODE_…; IPVLAN_MODE_… and IPVLAN_F_… */
        bool has_mac;         /* otherwise its parent's */
        uint8_t mac[6];
};
int link_add_child(struct rtnl *n, const struct child *c);

/* Of that group of links from its first moment on, for whoever is to know whose it is. */
int link_add_vlan(struct rtnl *n, const char *name, int base, uint16_t id, uint32_t group);
int link_add_dummy(struct rtnl *n, const char *name, uint32_t group);
int link_delete_index(struct rtnl *n, int index);
/* Can this kernel make such ones? Asks for one that is wanting in something; for kinds that need a parent only. */
bool link_kind_is_known(struct rtnl *n, const char *kind);
