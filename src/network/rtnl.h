/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One rtnetlink socket: several requests in one system call, and dumps. libnl builds and reads the messages; it does not move
 * them, because its own way is one request, one answer. A socket belongs to the network namespace in which it was opened, and to one
 * thread at a time. Functions return negative errno. */

#include <stddef.h>
#include <stdint.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

struct rtnl {
        int fd;
        uint32_t seq;
        char said[128]; /* the kernel's own words about the last error, or "" */
};

int rtnl_open(struct rtnl *ret);
/* The same for nf_tables: netlink is one protocol with many families of messages. */
int rtnl_open_netfilter(struct rtnl *ret);
void rtnl_close(struct rtnl *n);
#define auto_rtnl __attribute__((cleanup(rtnl_close))) struct rtnl

enum { RTNL_BATCH_MAX = 8 };

/* Requests that are sent together. The messages belong to the batch; an append that failed is reported by rtnl_run(). */
struct rtnl_batch {
        struct nl_msg *msgs[RTNL_BATCH_MAX];
        size_t n;
        int failed;
};
void rtnl_batch_done(struct rtnl_batch *b);
#define auto_batch __attribute__((cleanup(rtnl_batch_done))) struct rtnl_batch

/* A new request at the end of the batch, with its fixed header (ifinfomsg, …) copied in; borrowed. NULL when there is no room or memory. */
struct nl_msg *rtnl_add(struct rtnl_batch *b, int type, int flags, const void *header, size_t size);

/* For one that a page does not hold: `room` bytes in all. */
struct nl_msg *rtnl_add_large(struct rtnl_batch *b, int type, int flags, const void *header, size_t size, size_t room);

/* Send all, wait for all the answers. The kernel does them in order and does not stop at one that fails: the first error is returned. */
int rtnl_run(struct rtnl *n, struct rtnl_batch *b);
/* Send what the kernel does as a whole or not at all (nf_tables), its begin and its end with it. Only those with NLM_F_ACK are answered. */
int rtnl_run_whole(struct rtnl *n, struct rtnl_batch *b);

/* Send the one request, of type RTM_GET…, and call fn for each answer. Stops on its first negative return, and returns that. */
int rtnl_get(struct rtnl *n, struct rtnl_batch *b, int (*fn)(struct nlmsghdr *answer, void *data), void *data);
