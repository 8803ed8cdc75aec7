/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "network/rtnl.h"

/* Visit a network namespace: make it IPv6-less for every interface that comes (with IPv6 on, a neighbour could give it addresses and a default
 * route; the link of a network with IPv6 gets it by netns_enable_ipv6()), and open a netlink socket that stays there. The thread is back in its own
 * namespace when this returns; the process aborts when it cannot go back, since all it would do after that would hit
 * the wrong host. 0, or negative errno. */
int netns_prepare(int netns_fd, struct rtnl *ret);

/* fn in another network namespace: `ns` is an fd of that, or of a process (pidfd) that is in it. The thread comes back, or the process aborts. Returns what fn does, or
 * negative errno. */
int netns_visit(int ns, int (*fn)(void *data), void *data);

/* Switch IPv6 on for one link of the thread's network namespace, still down: deaf to router advertisements and redirects, without the wait for somebody who has
 * its address already. -EAFNOSUPPORT: the kernel has no IPv6. */
int link_enable_ipv6(const char *name);
/* The same in another namespace. */
int netns_enable_ipv6(int netns_fd, const char *link);

/* A link, still down, in another namespace: when it comes up it tells its neighbours which MAC address its addresses have now. */
int netns_announce(int netns_fd, const char *link);

/* Write a value below /proc/sys/net of the thread's network namespace. -ENOENT when the kernel has no such thing. */
int netns_sysctl(const char *path, const char *value);
