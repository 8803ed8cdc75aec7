/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Private to src/network: rates of an endpoint, kept on the host's side, where no right inside of the container reaches them. What goes to the container waits in a
 * tbf (tc-tbf(8)) of the veth's host end. What comes from it arrives there, where nothing can wait: it is turned over to an ifb of the endpoint's own, waits in a tbf
 * of that, and goes on as if it had just arrived. Functions return negative errno. */

#include "network/internal.h"

/* "ki…" for "kv…" */
void shaping_name(const char *host_link, char ret[16]);
/* The link is there, and `mtu` its. `fresh`: it has just been made, so whatever has the name of its ifb is left over from an earlier life. A rate of 0 takes
 * away what there was. -EOPNOTSUPP: the kernel lacks something of it. */
int shaping_set(struct reaper *reaper, struct rtnl *n, const char *host_link, uint32_t mtu, const struct network_rates *rates, bool fresh);
/* The ifb goes; the rest goes with the link. */
void shaping_discard(struct reaper *reaper, struct rtnl *n, const char *host_link);
