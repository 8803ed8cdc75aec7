/* SPDX-License-Identifier: Apache-2.0 */
#include "network/filling.h"

#include <errno.h>
#include <string.h>

void put(struct filling *f, int type, const void *data, size_t size) {
        if (!f->failed && (!f->m || nla_put(f->m, type, (int) size, data) < 0))
                f->failed = -ENOMEM;
}

void put_u32(struct filling *f, int type, uint32_t value) {
        put(f, type, &value, sizeof(value));
}

void put_address(struct filling *f, int type, const struct address6 *a) {
        if (address6_is_ipv4(a))
                put(f, type, a->b + 12, 4);
        else
                put(f, type, a->b, sizeof(a->b));
}

void put_string(struct filling *f, int type, const char *s) {
        put(f, type, s, strlen(s) + 1);
}

struct nlattr *nest(struct filling *f, int type) {
        struct nlattr *a = f->failed || !f->m ? NULL : nla_nest_start(f->m, type);

        if (!a)
                f->failed = -ENOMEM;
        return a;
}

void nest_end(struct filling *f, struct nlattr *a) {
        if (!f->failed)
                nla_nest_end(f->m, a);
}

int fill_run(struct rtnl *n, struct rtnl_batch *b, const struct filling *f) {
        return f->failed < 0 ? f->failed : rtnl_run(n, b);
}
