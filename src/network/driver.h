/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Private to src/network: what the kinds of networks do differently. All else (addresses, definitions, who has what) is common to them. A driver is a row of
 * drivers.c; functions return negative errno and fill *err. */

#include "network/internal.h"

struct network_driver {
        const char *name; /* the API's, and the kernel's for its links */
        /* The host has an address of the network, routes for it and checks what goes in and out: its subnet must collide with no route of the host's, ports can be
         * published, bandwidth limited, names served. Endpoints have an end on the host. */
        bool on_host;
        bool has_parent;

        /* What is asked for beyond addresses, into *b. Looks at nothing. */
        int (*read)(const struct network_definition *d, struct bridge_network *b, struct err *err);
        /* Has this kernel what it needs? Makes nothing. */
        int (*probe)(const struct bridge_network *b, struct err *err);
        /* Found, or made; fills .bridge_index, .mtu, .parent_mac and sets .ready. The host's lock is held. */
        int (*make)(struct network_host *h, struct bridge_network *b, struct err *err);
        /* What make() made. None there is fine, and what somebody else made is left alone. */
        int (*remove)(struct rtnl *n, const struct bridge_network *b, struct err *err);

        /* One endpoint's link, with addresses and routes, up. Nothing is left of it after an error. spare: see struct network_attachment; for drivers on the host. */
        int (*plug)(struct network_host *h, const struct bridge_state *b, const char *id, const struct network_endpoint *e, int netns_fd, struct network_spare *spare, struct err *err);
        /* netns_fd −1: the namespace is gone, or goes now. A link that is not there is fine. */
        int (*unplug)(struct network_host *h, const struct bridge_state *b, const char *id, const struct network_endpoint *e, int netns_fd, struct err *err);
        /* 1, 0, or negative errno: who knows. */
        int (*is_plugged)(const struct bridge_state *b, const struct network_endpoint *e, int netns_fd);
};

extern const struct network_driver driver_bridge, driver_macvlan, driver_ipvlan;

/* NULL, "": bridge. NULL: no such driver. */
const struct network_driver *driver_find(const char *name);

/* endpoint.c: addresses, the link up, default routes; what plug() ends with. */
int endpoint_configure(struct rtnl *inside, const struct network_endpoint *e, int netns_fd);
