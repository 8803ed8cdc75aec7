/* SPDX-License-Identifier: Apache-2.0 */
/* A seccomp profile in Docker's form is the spec's, plus conditions: rules that count only with or without a capability, on an architecture, or
 * from a kernel version on. The planner gets those that count here. */

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/err.h"
#include "base/json.h"
#include "engine/config.h"

#if defined(__x86_64__)
#define HERE "amd64"
#define HERE_SCMP "SCMP_ARCH_X86_64"
#elif defined(__aarch64__)
#define HERE "arm64"
#define HERE_SCMP "SCMP_ARCH_AARCH64"
#else
#define HERE "unknown"
#define HERE_SCMP "SCMP_ARCH_NATIVE"
#endif

static bool contains(const json_t *list, const char *text) {
        json_t *v;
        size_t i;

        json_array_foreach((json_t *) list, i, v)
                if (json_is_string(v) && !strcmp(json_string_value(v), text))
                        return true;
        return false;
}

static bool kernel_is_at_least(const char *wanted) {
        int want_major, want_minor, major, minor;
        struct utsname u;

        if (sscanf(wanted, "%d.%d", &want_major, &want_minor) != 2 || uname(&u) < 0 || sscanf(u.release, "%d.%d", &major, &minor) != 2)
                return false;
        return major > want_major || (major == want_major && minor >= want_minor);
}

static bool has_all(const json_t *caps, const json_t *wanted) {
        json_t *v;
        size_t i;

        json_array_foreach((json_t *) wanted, i, v)
                if (!json_is_string(v) || !contains(caps, json_string_value(v)))
                        return false;
        return true;
}

static bool has_any(const json_t *caps, const json_t *wanted) {
        json_t *v;
        size_t i;

        json_array_foreach((json_t *) wanted, i, v)
                if (json_is_string(v) && contains(caps, json_string_value(v)))
                        return true;
        return false;
}

static bool rule_counts(const json_t *rule, const json_t *caps) {
        const json_t *in = json_get_object(rule, "includes"), *out = json_get_object(rule, "excludes");
        const char *kernel;

        if (json_array_size(json_get_array(in, "arches")) && !contains(json_get_array(in, "arches"), HERE))
                return false;
        if (contains(json_get_array(out, "arches"), HERE))
                return false;
        if (!has_all(caps, json_get_array(in, "caps")) || has_any(caps, json_get_array(out, "caps")))
                return false;
        kernel = json_get_str(in, "minKernel", NULL);
        if (kernel && !kernel_is_at_least(kernel))
                return false;
        kernel = json_get_str(out, "minKernel", NULL);
        return !kernel || !kernel_is_at_least(kernel);
}

static json_t *rule_object(const json_t *rule) {
        static const char *const copied[] = { "action", "errnoRet", "args" };
        const char *name = json_get_str(rule, "name", NULL);
        json_t *o = json_object();

        json_object_set_new(o, "names", name ? json_pack("[s]", name) : json_incref(json_object_get(rule, "names")));
        for (size_t i = 0; i < ARRAY_SIZE(copied); i++) {
                json_t *v = json_object_get(rule, copied[i]);

                if (v && !json_is_null(v))
                        json_object_set(o, copied[i], v);
        }
        return o;
}

static json_t *architectures(const json_t *profile) {
        json_t *list = json_array(), *v;
        size_t i;

        json_array_foreach(json_get_array(profile, "archMap"), i, v) {
                if (strcmp(json_get_str(v, "architecture", ""), HERE_SCMP) != 0)
                        continue;
                json_array_append(list, json_object_get(v, "architecture"));
                json_array_extend(list, json_get_array(v, "subArchitectures"));
        }
        json_array_extend(list, json_get_array(profile, "architectures"));
        return list;
}

int config_seccomp(const json_t *profile, const json_t *capabilities, json_t **ret, struct err *err) {
        static const char *const copied[] = { "defaultErrnoRet", "flags" };
        const char *action = json_get_str(profile, "defaultAction", NULL);
        auto_json *o = NULL;
        json_t *rule, *rules, *list;
        size_t i;

        if (!action)
                return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.SecurityOpt: the seccomp profile has no defaultAction");
        rules = json_array();
        o = json_pack("{s:s, s:o}", "defaultAction", action, "syscalls", rules);
        list = architectures(profile);
        if (json_array_size(list))
                json_object_set(o, "architectures", list);
        json_decref(list);
        for (i = 0; i < ARRAY_SIZE(copied); i++) {
                json_t *v = json_object_get(profile, copied[i]);

                if (v && !json_is_null(v))
                        json_object_set(o, copied[i], v);
        }
        json_array_foreach(json_get_array(profile, "syscalls"), i, rule) {
                if (!json_is_object(rule) || (!json_get_array(rule, "names") && !json_get_str(rule, "name", NULL)) || !json_get_str(rule, "action", NULL))
                        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.SecurityOpt: the seccomp profile's rule %zu has no name or no action", i);
                if (rule_counts(rule, capabilities))
                        json_array_append_new(rules, rule_object(rule));
        }
        *ret = take_ptr(&o);
        return 0;
}
