/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Private to src/network: endpoints of the driver bridge. See driver.h. */

#include "network/internal.h"

int veth_plug(struct network_host *h, const struct bridge_state *b, const char *id, const struct network_endpoint *e, int netns_fd, struct network_spare *spare, struct err *err);
int veth_unplug(struct network_host *h, const struct bridge_state *b, const char *id, const struct network_endpoint *e, int netns_fd, struct err *err);
int veth_is_plugged(const struct bridge_state *b, const struct network_endpoint *e, int netns_fd);
