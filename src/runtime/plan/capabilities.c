/* SPDX-License-Identifier: Apache-2.0 */

/* process.capabilities. A set that is not given is empty. Capabilities that this kernel or this host does not have are left out, as the
 * runtime-spec asks for: a container may well start without a privilege. */

#include <sched.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "base/mem.h"
#include "runtime/plan/private.h"

static const struct {
        const char *key;
        enum plan_capability_set set;
} sets[] = {
        { "bounding", PLAN_CAP_BOUNDING },       { "effective", PLAN_CAP_EFFECTIVE }, { "permitted", PLAN_CAP_PERMITTED },
        { "inheritable", PLAN_CAP_INHERITABLE }, { "ambient", PLAN_CAP_AMBIENT },
};
_Static_assert(ARRAY_SIZE(sets) == _PLAN_CAP_MAX, "a set without a name");

/* What can be had at all. In a user namespace of its own root has everything; on the host only what we have ourselves. */
static uint64_t available(const struct planner *p) {
        uint64_t all = 0;

        for (int cap = 0; cap < 64; cap++) {
                int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

                if (has < 0)
                        break;
                if (has || (p->spaces & CLONE_NEWUSER))
                        all |= (uint64_t) 1 << cap;
        }
        return all;
}

static int parse_set(const json_t *capabilities, const char *key, uint64_t *ret, struct err *err) {
        const json_t *list = NULL;
        uint64_t bits = 0;
        int r = field_array(capabilities, "process.capabilities", key, &list, err);

        for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
                const char *name;
                cap_value_t cap;

                r = field_item(list, i, "process.capabilities", key, &name, err);
                if (r < 0)
                        return r;
                if (strncmp(name, "CAP_", 4) != 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "process.capabilities.%s[%zu]: \"%s\" is not a capability", key, i, name);
                if (cap_from_name(name, &cap) == 0 && cap < 64)
                        bits |= (uint64_t) 1 << cap;
        }
        *ret = bits;
        return r;
}

int plan_capabilities(struct planner *p, struct err *err) {
        uint64_t *c = p->builder.header.capabilities, all = available(p);
        const json_t *capabilities = NULL;
        int r = field_object(p->process, "process", "capabilities", &capabilities, err);

        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sets); i++) {
                r = parse_set(capabilities, sets[i].key, &c[sets[i].set], err);
                c[sets[i].set] &= all;
        }
        if (r < 0)
                return r;
        /* The kernel's own rules; without them capset(2) would say no more than "invalid". */
        c[PLAN_CAP_EFFECTIVE] &= c[PLAN_CAP_PERMITTED];
        c[PLAN_CAP_INHERITABLE] &= c[PLAN_CAP_BOUNDING] | c[PLAN_CAP_PERMITTED];
        c[PLAN_CAP_AMBIENT] &= c[PLAN_CAP_PERMITTED] & c[PLAN_CAP_INHERITABLE];
        return 0;
}
