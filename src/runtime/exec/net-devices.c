/* SPDX-License-Identifier: Apache-2.0 */

/* linux.netDevices. The kernel flushes a device's addresses when it changes its namespace: they are noted before, set again after, and the
 * device is brought up. Done by the caller, who has one thread and so may look into another network namespace for a moment. */

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/exec/netlink.h"
#include "runtime/exec/private.h"

enum { ADDRESSES_MAX = 32 };

struct address {
        struct ifaddrmsg body;
        uint32_t flags;
        uint8_t local[16], peer[16];
        uint8_t n_local, n_peer; /* 0: not given */
};

struct device {
        int index;
        struct address addresses[ADDRESSES_MAX];
        size_t n_addresses;
};

static int copy(const struct nlmsghdr *h, uint16_t type, uint8_t to[16], uint8_t *ret_n) {
        size_t size;
        const void *data = netlink_attribute(h, sizeof(struct ifaddrmsg), type, &size);

        if (!data)
                return 0;
        if (size > 16)
                return -EBADMSG;
        memcpy(to, data, size);
        *ret_n = (uint8_t) size;
        return 0;
}

/* Those that somebody has set; what the kernel or a router has given is of the old network. */
static int note_address(const struct nlmsghdr *h, void *data) {
        struct device *d = data;
        struct address a = { 0 };
        const void *flags;
        size_t size;

        memcpy(&a.body, (const uint8_t *) h + NLMSG_HDRLEN, sizeof(a.body));
        flags = netlink_attribute(h, sizeof(a.body), IFA_FLAGS, &size);
        a.flags = a.body.ifa_flags;
        if (flags && size == sizeof(a.flags))
                memcpy(&a.flags, flags, size);
        if ((int) a.body.ifa_index != d->index || !(a.flags & IFA_F_PERMANENT) || a.body.ifa_scope == RT_SCOPE_LINK)
                return 0;
        if (d->n_addresses == ADDRESSES_MAX)
                return -E2BIG;
        if (copy(h, IFA_LOCAL, a.local, &a.n_local) < 0 || copy(h, IFA_ADDRESS, a.peer, &a.n_peer) < 0)
                return -EBADMSG;
        d->addresses[d->n_addresses++] = a;
        return 0;
}

static int note_addresses(int sock, struct device *d) {
        struct ifaddrmsg all = { .ifa_family = AF_UNSPEC };
        struct netlink_request q;

        netlink_init(&q, RTM_GETADDR, NLM_F_DUMP, &all, sizeof(all));
        return netlink_list(sock, &q, RTM_NEWADDR, sizeof(all), note_address, d);
}

static int find_index(int sock, const char *name) {
        struct ifreq request = { 0 };

        memcpy(request.ifr_name, name, strlen(name) < IFNAMSIZ ? strlen(name) : IFNAMSIZ - 1);
        return ioctl(sock, SIOCGIFINDEX, &request) < 0 ? -errno : request.ifr_ifindex;
}

static int move(int sock, int index, int netns, const char *new_name) {
        struct ifinfomsg body = { .ifi_family = AF_UNSPEC, .ifi_index = index };
        struct netlink_request q;
        uint32_t fd = (uint32_t) netns;

        netlink_init(&q, RTM_NEWLINK, 0, &body, sizeof(body));
        netlink_put(&q, IFLA_NET_NS_FD, &fd, sizeof(fd));
        netlink_put(&q, IFLA_IFNAME, new_name, strlen(new_name) + 1);
        return netlink_call(sock, &q);
}

static int set_address(int sock, int index, const struct address *a) {
        struct ifaddrmsg body = a->body;
        uint32_t flags = a->flags & (IFA_F_NODAD | IFA_F_NOPREFIXROUTE | IFA_F_HOMEADDRESS);
        struct netlink_request q;

        body.ifa_index = (uint32_t) index;
        body.ifa_flags = 0;
        netlink_init(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof(body));
        netlink_put(&q, IFA_FLAGS, &flags, sizeof(flags));
        if (a->n_local > 0)
                netlink_put(&q, IFA_LOCAL, a->local, a->n_local);
        if (a->n_peer > 0)
                netlink_put(&q, IFA_ADDRESS, a->peer, a->n_peer);
        return netlink_call(sock, &q);
}

static int bring_up(int sock, int index) {
        struct ifinfomsg body = { .ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
        struct netlink_request q;

        netlink_init(&q, RTM_NEWLINK, 0, &body, sizeof(body));
        return netlink_call(sock, &q);
}

/* A socket belongs to the namespace in which it was made. */
static int open_socket_in(int proc_fd, int netns) {
        auto_fd own = openat(proc_fd, "self/ns/net", O_RDONLY | O_CLOEXEC), sock = -EBADF;
        int r;

        if (own < 0 || setns(netns, CLONE_NEWNET) < 0)
                return -errno;
        sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
        r = sock < 0 ? -errno : 0;
        if (setns(own, CLONE_NEWNET) < 0)
                return -errno;
        return r < 0 ? r : move_fd(sock);
}

static int move_device(struct launch *l, const struct plan_net_device *p, const int socks[2], int netns, struct err *err) {
        const char *what = plan_text(&l->plan, p->what), *name = plan_text(&l->plan, p->name), *new_name = plan_text(&l->plan, p->new_name);
        struct device d = { .index = find_index(socks[0], name) };
        int r;

        if (d.index < 0)
                return raw_fail(err, d.index, what, "no such network device");
        /* The kernel would find out when the device is there already, and it would end with the container. */
        if (find_index(socks[1], new_name) >= 0)
                return raw_fail(err, EEXIST, what, new_name);
        r = note_addresses(socks[0], &d);
        if (r < 0)
                return raw_fail(err, r, what, "list its addresses");
        r = move(socks[0], d.index, netns, new_name);
        if (r < 0)
                return raw_fail(err, r, what, "move it into the container");
        d.index = find_index(socks[1], new_name);
        if (d.index < 0)
                return raw_fail(err, d.index, what, "find it in the container");
        for (size_t i = 0; i < d.n_addresses; i++) {
                r = set_address(socks[1], d.index, &d.addresses[i]);
                if (r < 0)
                        return raw_fail(err, r, what, "set its addresses again");
        }
        r = bring_up(socks[1], d.index);
        return r < 0 ? raw_fail(err, r, what, "bring it up") : 0;
}

int host_move_devices(struct launch *l, struct err *err) {
        const struct plan_net_device *p = plan_records(&l->plan, l->plan.header->net_devices);
        auto_fd netns = -EBADF, here = -EBADF, there = -EBADF;
        char name[32], *at;
        int r = 0;

        if (l->plan.header->net_devices.count == 0)
                return 0;
        at = raw_put_number(name, name + sizeof(name) - 1, (uint64_t) l->pid);
        raw_put_text(at, name + sizeof(name) - 1, "/ns/net");
        netns = openat(l->proc_fd, name, O_RDONLY | O_CLOEXEC);
        if (netns < 0)
                return raw_fail(err, errno, "linux.netDevices", "the container's network namespace");
        here = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
        if (here < 0)
                return raw_fail(err, errno, "linux.netDevices", "netlink socket");
        there = open_socket_in(l->proc_fd, netns);
        if (there < 0)
                return raw_fail(err, there, "linux.netDevices", "netlink socket in the container");
        for (uint32_t i = 0; r == 0 && i < l->plan.header->net_devices.count; i++)
                r = move_device(l, &p[i], (const int[]) { here, there }, netns, err);
        return r;
}
