/* SPDX-License-Identifier: Apache-2.0 */
#include "network/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
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

static int prepare_here(struct rtnl *ret) {
        /* The daemon's own procfs: which values /proc/sys/net shows depends on the thread's network namespace alone. */
        for (size_t i = 0; i < sizeof(no_ipv6) / sizeof(*no_ipv6); i++) {
                int r = netns_sysctl(no_ipv6[i], no_ipv6_values[i]);

                if (r < 0 && r != -ENOENT) /* a kernel without IPv6 needs no switching off */
                        return r;
        }
        return rtnl_open(ret);
}

int netns_prepare(int netns_fd, struct rtnl *ret) {
        auto_fd home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        int r;

        if (home < 0)
                return -errno;
        if (setns(netns_fd, CLONE_NEWNET) < 0)
                return -errno;
        r = prepare_here(ret);
        if (setns(home, CLONE_NEWNET) < 0)
                abort();
        return r;
}
