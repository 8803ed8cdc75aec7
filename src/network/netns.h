/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "network/rtnl.h"

/* Visit a network namespace: make it IPv6-less for every interface that comes (the container's network is IPv4 only; with IPv6 on, a
 * neighbour could give it addresses and a default route), and open a netlink socket that stays there. The thread is back in its own
 * namespace when this returns; the process aborts when it cannot go back, since all it would do after that would hit
 * the wrong host. 0, or negative errno. */
int netns_prepare(int netns_fd, struct rtnl *ret);

/* Write a value below /proc/sys/net of the thread's network namespace. -ENOENT when the kernel has no such thing. */
int netns_sysctl(const char *path, const char *value);
