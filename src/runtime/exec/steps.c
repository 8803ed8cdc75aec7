/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/exec/private.h"

int step_fail(const struct child *c, const struct plan_step *s, int num, struct err *err) {
        return raw_fail(err, num, plan_text(c->plan, s->what), plan_text(c->plan, s->target));
}

static int (*const operations[])(struct child *c, const struct plan_step *s, struct err *err) = {
        [PLAN_MOUNT_TREE] = step_mount_tree,
        [PLAN_MOUNT_FS] = step_mount_fs,
        [PLAN_SET_ATTR] = step_set_attr,
        [PLAN_SYMLINK] = step_symlink,
        [PLAN_NODE] = step_node,
        [PLAN_CONSOLE] = step_console,
        [PLAN_HOSTNAME] = step_hostname,
        [PLAN_DOMAINNAME] = step_domainname,
        [PLAN_SYSCTL] = step_sysctl,
        [PLAN_READONLY] = step_readonly,
        [PLAN_MASK] = step_mask,
};
_Static_assert(EXEC_ARRAY_SIZE(operations) == _PLAN_OP_MAX, "an operation without a function");

int stage_steps(struct child *c, struct err *err) {
        const struct plan_step *s = plan_records(c->plan, c->header->steps);

        for (uint32_t i = 0; i < c->header->steps.count; i++) {
                int r = operations[s[i].op](c, &s[i], err);

                if (r < 0)
                        return r;
        }
        return 0;
}
