/* SPDX-License-Identifier: Apache-2.0 */
#include "network/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

/* For interfaces that are yet to come: set before the veth is there, so that there is no moment with IPv6 on. */
static const char *const no_ipv6[] = {
        "/proc/sys/net/ipv6/conf/default/disable_ipv6",
        "/proc/sys/net/ipv6/conf/default/accept_ra",
};
static const char *const no_ipv6_values[] = { "1", "0" };

int netns_sysctl(const char *path, const char *value) {
        auto_fd fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

        return fd < 0 ? -errno : fd_write_all(fd, value, strlen(value));
}

/* The daemon's own procfs: which values /proc/sys/net shows depends on the thread's network namespace alone. */
static int prepare_here(void *data) {
        for (size_t i = 0; i < sizeof(no_ipv6) / sizeof(*no_ipv6); i++) {
                int r = netns_sysctl(no_ipv6[i], no_ipv6_values[i]);

                if (r < 0 && r != -ENOENT) /* a kernel without IPv6 needs no switching off */
                        return r;
        }
        return rtnl_open(data);
}

int netns_visit(int ns, int (*fn)(void *data), void *data) {
        auto_fd home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        int r;

        if (home < 0)
                return -errno;
        if (setns(ns, CLONE_NEWNET) < 0)
                return -errno;
        r = fn(data);
        if (setns(home, CLONE_NEWNET) < 0)
                abort();
        return r;
}

int netns_prepare(int netns_fd, struct rtnl *ret) {
        return netns_visit(netns_fd, prepare_here, ret);
}

/* The last one makes its own address: all before it is what that goes by. */
static const char *const ipv6_values[][2] = {
        { "accept_ra", "0" }, { "autoconf", "0" }, { "accept_redirects", "0" }, { "accept_dad", "0" }, { "dad_transmits", "0" }, { "disable_ipv6", "0" },
};

int link_enable_ipv6(const char *name) {
        char path[96];

        for (size_t i = 0; i < sizeof(ipv6_values) / sizeof(*ipv6_values); i++) {
                int r;

                snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", name, ipv6_values[i][0]);
                r = netns_sysctl(path, ipv6_values[i][1]);
                if (r < 0)
                        return r == -ENOENT ? -EAFNOSUPPORT : r;
        }
        return 0;
}

static int enable_here(void *data) {
        return link_enable_ipv6(data);
}

int netns_enable_ipv6(int netns_fd, const char *link) {
        return netns_visit(netns_fd, enable_here, (char *) link);
}

static int announce_here(void *data) {
        static const char *const switches[] = { "/proc/sys/net/ipv4/conf/%s/arp_notify", "/proc/sys/net/ipv6/conf/%s/ndisc_notify" };

        for (size_t i = 0; i < sizeof(switches) / sizeof(*switches); i++) {
                char path[96];
                int r;

                snprintf(path, sizeof(path), switches[i], (const char *) data);
                r = netns_sysctl(path, "1");
                if (r < 0 && r != -ENOENT)
                        return r;
        }
        return 0;
}

int netns_announce(int netns_fd, const char *link) {
        return netns_visit(netns_fd, announce_here, (char *) link);
}
