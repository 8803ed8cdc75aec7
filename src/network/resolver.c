/* SPDX-License-Identifier: Apache-2.0 */

/* Asking for names on the loopback of a network namespace. A socket on port 53 would take that from whoever in there wants to serve names itself on all addresses; so
 * the kernel leads there what is sent to it, by a table of that namespace. Root of it may take the table away: then it has no names. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "network/netns.h"
#include "network/network.h"
#include "network/nft.h"

enum { BACKLOG = 64 };

/* The link may still be down. */
static int open_one(int type, int *ret, uint16_t *ret_port) {
        auto_fd fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_in a = { .sin_family = AF_INET };
        socklen_t size = sizeof(a);

        inet_pton(AF_INET, NETWORK_RESOLVER, &a.sin_addr);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2) < 0 || setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &(int) { 1 }, sizeof(int)) < 0 ||
            bind(fd, (const struct sockaddr *) &a, sizeof(a)) < 0 || (type == SOCK_STREAM && listen(fd, BACKLOG) < 0) || getsockname(fd, (struct sockaddr *) &a, &size) < 0)
                return -errno;
        *ret_port = ntohs(a.sin_port);
        *ret = move_fd(fd);
        return 0;
}

struct opening {
        int fds[2];
        char said[NFT_SAID_SIZE];
};

static int open_here(void *data) {
        struct opening *o = data;
        uint16_t udp = 0, tcp = 0;
        char commands[512];
        int r = open_one(SOCK_DGRAM, &o->fds[0], &udp);

        if (r == 0)
                r = open_one(SOCK_STREAM, &o->fds[1], &tcp);
        if (r < 0)
                return r;
        snprintf(commands, sizeof(commands),
                "table ip kist-names\n"
                "delete table ip kist-names\n"
                "table ip kist-names {\n"
                "  chain output {\n"
                "    type nat hook output priority -100; policy accept;\n"
                "    ip daddr " NETWORK_RESOLVER " udp dport 53 dnat to " NETWORK_RESOLVER ":%u\n"
                "    ip daddr " NETWORK_RESOLVER " tcp dport 53 dnat to " NETWORK_RESOLVER ":%u\n"
                "  }\n"
                "}\n", udp, tcp);
        return nft_run(commands, NULL, o->said);
}

int network_open_resolver(int ns, int ret[2], struct err *err) {
        struct opening o = { .fds = { -EBADF, -EBADF } };
        int r = netns_visit(ns, open_here, &o);

        if (r < 0) {
                fd_close(o.fds[0]);
                fd_close(o.fds[1]);
                return *o.said ? err_set(err, ERR_UNSUPPORTED, r, "a resolver on " NETWORK_RESOLVER ": %s", o.said) : err_errno(err, r, "a resolver on " NETWORK_RESOLVER);
        }
        memcpy(ret, o.fds, sizeof(o.fds));
        return 0;
}
