/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/exec/netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define ALIGNED(n) (((n) + 3u) & ~(size_t) 3)

void netlink_init(struct netlink_request *q, uint16_t type, uint16_t flags, const void *body, size_t size) {
        memset(q, 0, sizeof(*q));
        q->header.nlmsg_type = type;
        q->header.nlmsg_flags = (uint16_t) (NLM_F_REQUEST | flags);
        q->header.nlmsg_len = (uint32_t) (NLMSG_HDRLEN + ALIGNED(size));
        memcpy(q->bytes + NLMSG_HDRLEN, body, size);
}

void netlink_put(struct netlink_request *q, uint16_t type, const void *data, size_t size) {
        struct nlattr a = { .nla_type = type };
        size_t at = q->header.nlmsg_len;

        if (size > sizeof(q->bytes) || ALIGNED(NLA_HDRLEN + size) > sizeof(q->bytes) - at) {
                q->too_long = true;
                return;
        }
        a.nla_len = (uint16_t) (NLA_HDRLEN + size);
        memcpy(q->bytes + at, &a, sizeof(a));
        memcpy(q->bytes + at + NLA_HDRLEN, data, size);
        q->header.nlmsg_len = (uint32_t) (at + ALIGNED(NLA_HDRLEN + size));
}

static int send_request(int sock, struct netlink_request *q) {
        if (q->too_long)
                return -EMSGSIZE;
        while (send(sock, q->bytes, q->header.nlmsg_len, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

static ssize_t receive(int sock, void *data, size_t size) {
        ssize_t n;

        do
                n = recv(sock, data, size, MSG_TRUNC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        return (size_t) n > size ? -EMSGSIZE : n;
}

static int error_of(const struct nlmsghdr *h) {
        struct nlmsgerr e;

        if (h->nlmsg_len < NLMSG_HDRLEN + sizeof(e))
                return -EBADMSG;
        memcpy(&e, (const uint8_t *) h + NLMSG_HDRLEN, sizeof(e));
        return e.error > 0 ? -EBADMSG : e.error;
}

int netlink_call(int sock, struct netlink_request *q) {
        _Alignas(struct nlmsghdr) uint8_t buffer[4096];
        ssize_t n;
        int r;

        q->header.nlmsg_flags |= NLM_F_ACK;
        r = send_request(sock, q);
        if (r < 0)
                return r;
        n = receive(sock, buffer, sizeof(buffer));
        if (n < 0)
                return (int) n;
        if ((size_t) n < sizeof(struct nlmsghdr) || ((struct nlmsghdr *) buffer)->nlmsg_type != NLMSG_ERROR ||
            ((struct nlmsghdr *) buffer)->nlmsg_len > (size_t) n)
                return -EBADMSG;
        return error_of((struct nlmsghdr *) buffer);
}

int netlink_list(int sock, struct netlink_request *q, uint16_t type, size_t size, int (*each)(const struct nlmsghdr *h, void *data),
                 void *data) {
        _Alignas(struct nlmsghdr) uint8_t buffer[32768]; /* the kernel never sends more at once to who did not ask for it */
        int r = send_request(sock, q);

        while (r == 0) {
                ssize_t n = receive(sock, buffer, sizeof(buffer));
                size_t at = 0;

                if (n < 0)
                        return (int) n;
                while (at + sizeof(struct nlmsghdr) <= (size_t) n) {
                        const struct nlmsghdr *h = (const void *) (buffer + at);

                        if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > (size_t) n - at)
                                return -EBADMSG;
                        if (h->nlmsg_type == NLMSG_DONE)
                                return 0;
                        if (h->nlmsg_type == NLMSG_ERROR)
                                return error_of(h);
                        if (h->nlmsg_type == type && h->nlmsg_len >= NLMSG_HDRLEN + size && (r = each(h, data)) < 0)
                                return r;
                        at += ALIGNED(h->nlmsg_len);
                }
                if (n == 0)
                        return -EBADMSG;
        }
        return r;
}

const void *netlink_attribute(const struct nlmsghdr *h, size_t size, uint16_t type, size_t *ret_size) {
        const uint8_t *bytes = (const uint8_t *) h;
        size_t at = NLMSG_HDRLEN + ALIGNED(size);

        while (at + NLA_HDRLEN <= h->nlmsg_len) {
                struct nlattr a;

                memcpy(&a, bytes + at, sizeof(a));
                if (a.nla_len < NLA_HDRLEN || a.nla_len > h->nlmsg_len - at)
                        return NULL;
                if ((a.nla_type & NLA_TYPE_MASK) == type) {
                        *ret_size = a.nla_len - NLA_HDRLEN;
                        return bytes + at + NLA_HDRLEN;
                }
                at += ALIGNED((size_t) a.nla_len);
        }
        return NULL;
}
