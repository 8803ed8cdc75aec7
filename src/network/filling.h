/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Private to src/network: putting attributes into a request. What goes into a message fails only for want of room in it, which these few attributes cannot use
 * up; then the kernel would refuse a message without them. One check at the end: a request that lacks an attribute must not be sent. */

#include "network/addresses6.h"
#include "network/rtnl.h"

struct filling {
        struct nl_msg *m; /* NULL: there was no room for it in the batch */
        int failed;
};

void put(struct filling *f, int type, const void *data, size_t size);
void put_u32(struct filling *f, int type, uint32_t value);
/* Four bytes or sixteen. */
void put_address(struct filling *f, int type, const struct address6 *a);
void put_string(struct filling *f, int type, const char *s);
struct nlattr *nest(struct filling *f, int type);
void nest_end(struct filling *f, struct nlattr *a);
/* rtnl_run() of what is whole. */
int fill_run(struct rtnl *n, struct rtnl_batch *b, const struct filling *f);
