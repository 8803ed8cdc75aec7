/* SPDX-License-Identifier: Apache-2.0 */

/* What src/network relies on.
 *
 * - A netlink socket stays in the network namespace in which it was opened, whatever its thread does later (Linux 2.6.29).
 * - setns(2) moves one thread only, and /proc/sys/net shows that thread's namespace (4.x), not that of the process.
 * - conf/default of a namespace is taken over by an interface that is made in it later: IPv6 is off from its first moment.
 * - One request makes both ends of a veth: one here as a port of a bridge, one in another namespace; neither may be switched on in it. */

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <unistd.h>

#include "check.h"

static char message[1024];

static struct nlmsghdr *head(void) {
        return (struct nlmsghdr *) message;
}

static struct rtattr *put(int type, const void *data, size_t size) {
        struct rtattr *a = (struct rtattr *) (message + NLMSG_ALIGN(head()->nlmsg_len));

        a->rta_type = (unsigned short) type;
        a->rta_len = (unsigned short) RTA_LENGTH(size);
        if (size)
                memcpy(RTA_DATA(a), data, size);
        head()->nlmsg_len = NLMSG_ALIGN(head()->nlmsg_len) + RTA_ALIGN(a->rta_len);
        return a;
}

static void nest_end(struct rtattr *a) {
        a->rta_len = (unsigned short) (message + head()->nlmsg_len - (char *) a);
}

static void start_link(const char *name, unsigned flags) {
        memset(message, 0, sizeof(message));
        head()->nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg));
        head()->nlmsg_type = RTM_NEWLINK;
        head()->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
        ((struct ifinfomsg *) NLMSG_DATA(head()))->ifi_flags = flags;
        ((struct ifinfomsg *) NLMSG_DATA(head()))->ifi_change = flags;
        put(IFLA_IFNAME, name, strlen(name) + 1);
}

/* 0, or negative errno. */
static int ask(int fd) {
        char answer[4096];

        CHECK(send(fd, message, head()->nlmsg_len, 0) == (ssize_t) head()->nlmsg_len);
        CHECK(recv(fd, answer, sizeof(answer), 0) > 0);
        CHECK(((struct nlmsghdr *) answer)->nlmsg_type == NLMSG_ERROR);
        return ((struct nlmsgerr *) NLMSG_DATA(answer))->error;
}

static int add_bridge(int fd, const char *name) {
        struct rtattr *info;

        start_link(name, 0);
        info = put(IFLA_LINKINFO, NULL, 0);
        put(IFLA_INFO_KIND, "bridge", 7);
        nest_end(info);
        return ask(fd);
}

static int add_veth(int fd, const char *name, unsigned master, int netns, unsigned peer_flags) {
        struct ifinfomsg peer_head = { .ifi_flags = peer_flags, .ifi_change = peer_flags };
        struct rtattr *info, *data, *peer;

        start_link(name, 0);
        put(IFLA_MASTER, &master, sizeof(master));
        info = put(IFLA_LINKINFO, NULL, 0);
        put(IFLA_INFO_KIND, "veth", 5);
        data = put(IFLA_INFO_DATA, NULL, 0);
        peer = put(VETH_INFO_PEER, &peer_head, sizeof(peer_head));
        put(IFLA_IFNAME, "eth0", 5);
        put(IFLA_NET_NS_FD, &netns, sizeof(netns));
        nest_end(peer);
        nest_end(data);
        nest_end(info);
        return ask(fd);
}

static ino_t here(void) {
        struct stat st;

        CHECK(stat("/proc/thread-self/ns/net", &st) == 0);
        return st.st_ino;
}

static void *other_thread(void *data) {
        *(ino_t *) data = here();
        return NULL;
}

static int read_value(const char *path) {
        FILE *f = fopen(path, "re");
        int v = -1;

        if (!f)
                return -1;
        CHECK(fscanf(f, "%d", &v) == 1);
        fclose(f);
        return v;
}

static void write_value(const char *path, const char *value) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        CHECK(fd >= 0 && write(fd, value, strlen(value)) > 0);
        close(fd);
}

#define DISABLE "/proc/sys/net/ipv6/conf/default/disable_ipv6"

int main(void) {
        int home, away, host, inside, at_home;
        bool ipv6 = access(DISABLE, F_OK) == 0;
        pthread_t thread;
        ino_t before, seen = 0;

        if (geteuid() != 0)
                SKIP("needs root");
        if (unshare(CLONE_NEWNET) < 0)
                SKIP("no network namespaces");
        home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        CHECK(home >= 0 && unshare(CLONE_NEWNET) == 0);
        away = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        CHECK(away >= 0 && setns(home, CLONE_NEWNET) == 0);
        before = here();
        at_home = read_value(DISABLE);
        host = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

        /* A visit. */
        CHECK(setns(away, CLONE_NEWNET) == 0 && here() != before);
        inside = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
        if (ipv6)
                write_value(DISABLE, at_home == 1 ? "0" : "1");
        CHECK(pthread_create(&thread, NULL, other_thread, &seen) == 0 && pthread_join(thread, NULL) == 0);
        CHECK(seen == here()); /* a new thread starts where its maker is: make none during a visit */
        CHECK(setns(home, CLONE_NEWNET) == 0 && here() == before);
        CHECK(read_value(DISABLE) == at_home);

        if (add_bridge(host, "kt0") < 0)
                SKIP("no bridges");
        CHECK(if_nametoindex("kt0") > 0);
        CHECK(add_veth(host, "kt1", if_nametoindex("kt0"), away, IFF_UP) == -ENOTCONN);
        CHECK(add_veth(host, "kt1", if_nametoindex("kt0"), away, 0) == 0);
        CHECK(if_nametoindex("kt1") > 0);
        CHECK(if_nametoindex("eth0") == 0);

        /* The socket is where it was opened. */
        CHECK(add_bridge(inside, "eth0") == -EEXIST);
        CHECK(add_bridge(inside, "kt0") == 0);
        CHECK(add_bridge(host, "kt0") == -EEXIST);

        CHECK(setns(away, CLONE_NEWNET) == 0);
        CHECK(if_nametoindex("eth0") > 0);
        if (ipv6)
                CHECK(read_value("/proc/sys/net/ipv6/conf/eth0/disable_ipv6") == !at_home);
        puts("network namespaces can be visited as relied on");
        return 0;
}
