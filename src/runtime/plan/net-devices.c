/* SPDX-License-Identifier: Apache-2.0 */

/* linux.netDevices: devices of the host that become the container's. */

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "runtime/plan/private.h"

/* As the kernel wants them; '%' would make a template of it, whose outcome nobody could tell. */
static bool is_name(const char *s) {
        size_t n = strlen(s);

        if (n == 0 || n >= IFNAMSIZ || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
                return false;
        for (; *s; s++)
                if (*s <= ' ' || *s == 0x7f || *s == '/' || *s == ':' || *s == '%')
                        return false;
        return true;
}

static int add_device(struct planner *p, const char *name, const json_t *object, struct err *err) {
        struct plan_net_device d = { 0 };
        const char *new_name = NULL;
        char at[64];
        int r;

        if (!is_name(name))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.netDevices: \"%s\" is not the name of a network device", name);
        snprintf(at, sizeof(at), "linux.netDevices.%s", name);
        if (!json_is_object(object))
                return err_set(err, ERR_INVALID, -EINVAL, "%s: must be an object", at);
        r = field_string(object, at, "name", &new_name, err);
        if (r < 0)
                return r;
        if (!new_name || !*new_name)
                new_name = name;
        if (!is_name(new_name))
                return err_set(err, ERR_INVALID, -EINVAL, "%s.name: \"%s\" is not the name of a network device", at, new_name);
        d.name = builder_text(&p->builder, name);
        d.new_name = builder_text(&p->builder, new_name);
        d.what = builder_text(&p->builder, at);
        builder_add(&p->builder, BUILD_NET_DEVICES, &d);
        return 0;
}

int plan_net_devices(struct planner *p, struct err *err) {
        const json_t *list = NULL, *object;
        const char *name;
        int r = field_object(p->linux_, "linux", "netDevices", &list, err);

        if (r < 0 || json_object_size(list) == 0)
                return r;
        if (!(p->spaces & CLONE_NEWNET))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.netDevices: needs a network namespace of its own");
        if (json_object_size(list) > 64)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "linux.netDevices: more than 64");
        json_object_foreach((json_t *) list, name, object) {
                r = add_device(p, name, object, err);
                if (r < 0)
                        return r;
        }
        return 0;
}
