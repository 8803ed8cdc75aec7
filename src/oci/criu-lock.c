/* SPDX-License-Identifier: Apache-2.0 */

/* One message of nftables: delete a table of criu's. nf_tables takes changes in batches only, see nfnetlink(7) and linux/netfilter/nf_tables.h. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/criu.h"

struct batch {
        char data[256];
        size_t n;
};

static struct nlmsghdr *put_message(struct batch *b, uint16_t type, uint16_t flags, uint8_t family, uint16_t subsystem, uint32_t sequence) {
        struct nlmsghdr *h = (struct nlmsghdr *) (void *) (b->data + b->n);
        struct nfgenmsg *body = NLMSG_DATA(h);

        *h = (struct nlmsghdr) { .nlmsg_len = NLMSG_LENGTH(sizeof(*body)), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = sequence };
        *body = (struct nfgenmsg) { .nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(subsystem) };
        b->n += NLMSG_ALIGN(h->nlmsg_len);
        return h;
}

/* A socket that is in another network namespace, while we are not. */
static int socket_in(const char *path) {
        auto_fd ours = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), theirs = open(path, O_RDONLY | O_CLOEXEC), sock = -EBADF;
        int r = 0;

        if (ours < 0 || theirs < 0 || setns(theirs, CLONE_NEWNET) < 0)
                return -errno;
        sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
        if (sock < 0)
                r = -errno;
        if (setns(ours, CLONE_NEWNET) < 0)
                return -errno;
        return r < 0 ? r : move_fd(sock);
}

static int read_answer(int sock) {
        char data[1024] __attribute__((aligned(NLMSG_ALIGNTO)));
        ssize_t n = recv(sock, data, sizeof(data), 0);
        const struct nlmsghdr *h = (const struct nlmsghdr *) (const void *) data;

        if (n < 0)
                return -errno;
        if ((size_t) n < NLMSG_LENGTH(sizeof(struct nlmsgerr)) || h->nlmsg_type != NLMSG_ERROR)
                return -EPROTO;
        return ((const struct nlmsgerr *) NLMSG_DATA(h))->error;
}

bool criu_lock_is_name(const char *name) {
        size_t n = strlen(name);

        return n > 5 && n < CRIU_LOCK_MAX && strncmp(name, "CRIU-", 5) == 0 && strspn(name + 5, "0123456789") == n - 5;
}

int criu_unlock(const char *namespace, const char *name) {
        struct batch b = { .n = 0 };
        auto_fd sock = socket_in(namespace);
        struct nlmsghdr *h;
        struct nlattr *attribute;
        size_t size = strlen(name) + 1;
        int r;

        if (sock < 0)
                return sock;
        put_message(&b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, 1);
        h = put_message(&b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, NLM_F_ACK, NFPROTO_INET, 0, 2);
        attribute = (struct nlattr *) (void *) (b.data + b.n);
        *attribute = (struct nlattr) { .nla_len = (uint16_t) (NLA_HDRLEN + size), .nla_type = NFTA_TABLE_NAME };
        memcpy((char *) attribute + NLA_HDRLEN, name, size);
        b.n += NLA_ALIGN(attribute->nla_len);
        h->nlmsg_len += (uint32_t) NLA_ALIGN(attribute->nla_len);
        put_message(&b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, 3);
        if (send(sock, b.data, b.n, 0) < 0)
                return -errno;
        r = read_answer(sock);
        /* A kernel without nf_tables has no such subsystem, and no such table. */
        return r == -ENOENT || r == -EOPNOTSUPP || r == -EINVAL ? 0 : r;
}
