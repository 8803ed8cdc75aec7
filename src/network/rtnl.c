/* SPDX-License-Identifier: Apache-2.0 */
#include "network/rtnl.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

enum { ANSWER_SIZE = 32768, DUMP_TRIES = 8, PAGE = 4096 };

static int open_netlink(int protocol, struct rtnl *ret) {
        static const int options[] = { NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK };
        auto_fd fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
        struct sockaddr_nl address = { .nl_family = AF_NETLINK };

        if (fd < 0)
                return -errno;
        if (bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        /* Better messages, shorter answers, dumps that filter: nothing fails for the lack of them. */
        for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
                setsockopt(fd, SOL_NETLINK, options[i], &(int) { 1 }, sizeof(int));
        *ret = (struct rtnl) { .fd = move_fd(fd), .seq = 1 };
        return 0;
}

int rtnl_open(struct rtnl *ret) {
        return open_netlink(NETLINK_ROUTE, ret);
}

int rtnl_open_netfilter(struct rtnl *ret) {
        return open_netlink(NETLINK_NETFILTER, ret);
}

void rtnl_close(struct rtnl *n) {
        n->fd = fd_close(n->fd);
}

void rtnl_batch_done(struct rtnl_batch *b) {
        for (size_t i = 0; i < b->n; i++)
                nlmsg_free(b->msgs[i]);
        *b = (struct rtnl_batch) { 0 };
}

struct nl_msg *rtnl_add(struct rtnl_batch *b, int type, int flags, const void *header, size_t size) {
        return rtnl_add_large(b, type, flags, header, size, PAGE);
}

struct nl_msg *rtnl_add_large(struct rtnl_batch *b, int type, int flags, const void *header, size_t size, size_t room) {
        struct nl_msg *m = b->n < RTNL_BATCH_MAX ? nlmsg_alloc_size(room) : NULL;

        if (m && !nlmsg_put(m, NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, NLM_F_REQUEST | flags)) {
                nlmsg_free(m);
                m = NULL;
        }
        if (m && nlmsg_append(m, (void *) header, size, NLMSG_ALIGNTO) < 0) {
                nlmsg_free(m);
                m = NULL;
        }
        if (!m)
                b->failed = -ENOMEM;
        else
                b->msgs[b->n++] = m;
        return m;
}

static int send_batch(struct rtnl *n, struct rtnl_batch *b, int flags, uint32_t *ret_first) {
        struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        struct iovec parts[RTNL_BATCH_MAX];
        struct msghdr msg = { .msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = parts, .msg_iovlen = b->n };

        if (b->failed < 0)
                return b->failed;
        *ret_first = n->seq;
        n->said[0] = '\0';
        for (size_t i = 0; i < b->n; i++) {
                struct nlmsghdr *h = nlmsg_hdr(b->msgs[i]);

                h->nlmsg_seq = n->seq++;
                h->nlmsg_flags |= (uint16_t) flags;
                parts[i] = (struct iovec) { h, NLMSG_ALIGN(h->nlmsg_len) };
        }
        while (sendmsg(n->fd, &msg, MSG_NOSIGNAL) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

/* The kernel's answers only: another process can send to our port, too. */
static ssize_t receive(struct rtnl *n, void *buf, size_t size) {
        for (;;) {
                struct sockaddr_nl from = { 0 };
                struct iovec part = { buf, size };
                struct msghdr msg = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1 };
                ssize_t got = recvmsg(n->fd, &msg, 0);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return -errno;
                if (from.nl_pid != 0)
                        continue;
                return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : got;
        }
}

static void keep_words(struct rtnl *n, struct nlmsghdr *h) {
        struct nlmsgerr *e = NLMSG_DATA(h);
        size_t head = NLMSG_LENGTH(sizeof(*e));
        struct nlattr *a;

        if (!(h->nlmsg_flags & NLM_F_ACK_TLVS) || n->said[0])
                return;
        if (!(h->nlmsg_flags & NLM_F_CAPPED))
                head += NLMSG_ALIGN(e->msg.nlmsg_len) - sizeof(e->msg);
        if (head >= h->nlmsg_len)
                return;
        a = nla_find((struct nlattr *) ((char *) h + head), (int) (h->nlmsg_len - head), NLMSGERR_ATTR_MSG);
        if (a)
                snprintf(n->said, sizeof(n->said), "%.*s", nla_len(a), (char *) nla_data(a));
}

/* The number in an NLMSG_ERROR or NLMSG_DONE. */
static int verdict(struct rtnl *n, struct nlmsghdr *h) {
        int num = 0;

        if (h->nlmsg_len < NLMSG_LENGTH(sizeof(num)))
                return h->nlmsg_type == NLMSG_DONE ? 0 : -EPROTO;
        memcpy(&num, NLMSG_DATA(h), sizeof(num));
        if (num < 0 && h->nlmsg_type == NLMSG_ERROR && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr)))
                keep_words(n, h);
        return num < 0 ? num : 0;
}

/* Answers to `wanted` of the n requests from `first` on. One that is not to be answered is when it fails, and with it all. */
static int await(struct rtnl *n, const struct rtnl_batch *b, uint32_t first, size_t wanted) {
        _Alignas(struct nlmsghdr) char buf[8192];
        size_t answered = 0;
        int result = 0;

        while (answered < wanted) {
                ssize_t got = receive(n, buf, sizeof(buf));
                int left = (int) got;

                if (got < 0)
                        return (int) got;
                for (struct nlmsghdr *h = (void *) buf; NLMSG_OK(h, (unsigned) left); h = NLMSG_NEXT(h, left)) {
                        int r;

                        if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq - first >= b->n)
                                continue;
                        answered++;
                        r = verdict(n, h);
                        if (r < 0 && result == 0)
                                result = r;
                        if (!(nlmsg_hdr(b->msgs[h->nlmsg_seq - first])->nlmsg_flags & NLM_F_ACK))
                                return result < 0 ? result : -EPROTO;
                }
        }
        return result;
}

int rtnl_run(struct rtnl *n, struct rtnl_batch *b) {
        uint32_t first;
        int r = send_batch(n, b, NLM_F_ACK, &first);

        return r < 0 ? r : await(n, b, first, b->n);
}

int rtnl_run_whole(struct rtnl *n, struct rtnl_batch *b) {
        size_t wanted = 0;
        uint32_t first;
        int r = send_batch(n, b, 0, &first);

        for (size_t i = 0; i < b->n; i++)
                wanted += (nlmsg_hdr(b->msgs[i])->nlmsg_flags & NLM_F_ACK) != 0;
        return r < 0 ? r : await(n, b, first, wanted);
}

/* Reads on to the end after fn refused, so that the socket stays in step. */
static int collect(struct rtnl *n, uint32_t seq, int (*fn)(struct nlmsghdr *, void *), void *data) {
        _Alignas(struct nlmsghdr) char buf[ANSWER_SIZE];
        int result = 0;
        bool torn = false;

        for (;;) {
                ssize_t got = receive(n, buf, sizeof(buf));
                int left = (int) got;

                if (got < 0)
                        return (int) got;
                for (struct nlmsghdr *h = (void *) buf; NLMSG_OK(h, (unsigned) left); h = NLMSG_NEXT(h, left)) {
                        if (h->nlmsg_seq != seq)
                                continue;
                        torn |= (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
                        if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
                                int r = verdict(n, h);

                                return r < 0 ? r : result < 0 ? result : torn ? -EINTR : 0;
                        }
                        if (result == 0)
                                result = fn(h, data);
                        if (!(h->nlmsg_flags & NLM_F_MULTI))
                                return result < 0 ? result : 0;
                }
        }
}

int rtnl_get(struct rtnl *n, struct rtnl_batch *b, int (*fn)(struct nlmsghdr *, void *), void *data) {
        int r = -EINTR;

        /* A dump is torn when links or routes change under it: fn may see an object twice. */
        for (int i = 0; i < DUMP_TRIES && r == -EINTR; i++) {
                uint32_t seq;

                r = send_batch(n, b, 0, &seq);
                if (r == 0)
                        r = collect(n, seq, fn, data);
        }
        return r;
}
