/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* As much of rtnetlink(7) as it takes to move a device. No length is trusted, neither of what is put together nor of what comes back
 * (CVE-2021-43784). All functions return 0 or a negative errno. */

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A request in the making. */
struct netlink_request {
        union {
                struct nlmsghdr header;
                uint8_t bytes[512];
        };
        bool too_long; /* sticks */
};

void netlink_init(struct netlink_request *q, uint16_t type, uint16_t flags, const void *body, size_t size);
void netlink_put(struct netlink_request *q, uint16_t type, const void *data, size_t size);

/* Send it and wait for the kernel's answer. */
int netlink_call(int sock, struct netlink_request *q);

/* Send a request to list objects, and call `each` with every answer of `type` that is at least `size` bytes long. It stops on a negative
 * return. */
int netlink_list(int sock, struct netlink_request *q, uint16_t type, size_t size, int (*each)(const struct nlmsghdr *h, void *data),
                 void *data);

/* The attribute of that type among those behind `size` bytes of body; NULL when there is none. Its payload goes to *ret_size. */
const void *netlink_attribute(const struct nlmsghdr *h, size_t size, uint16_t type, size_t *ret_size);
