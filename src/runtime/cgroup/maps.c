/* SPDX-License-Identifier: Apache-2.0 */

/* The parts of linux.resources that are lists and maps: huge pages by size, network interfaces and RDMA devices by name, files of v2. */

#include "runtime/cgroup/private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"

/* hugepageLimits: [{"pageSize": "2MB", "limit": 4194304}]: of pages in use, and of reserved ones where the kernel counts them (Linux 5.7), or a
 * process could reserve all of the host's and only fail when it touches them. */
static int add_huge_page(const struct cgroup_host *h, const json_t *v, size_t i, struct resources *r, struct err *err) {
        static const char *const kinds[] = { "", ".rsvd" };
        const char *size = json_get_str(v, "pageSize", "");
        const json_t *limit = json_object_get(v, "limit");
        struct setting s = { 0 };
        int e = 0;

        snprintf(s.field, sizeof(s.field), "hugepageLimits[%zu]", i);
        if (!*size || strlen(size) > 16 || strspn(size, "0123456789KMGB") != strlen(size) || !json_is_integer(limit))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.%s: wants a pageSize such as \"2MB\" and a limit", s.field);
        if (json_integer_value(limit) < 0)
                return err_set(err, ERR_INVALID, -ERANGE, "linux.resources.%s: the limit is less than nothing", s.field);
        snprintf(s.value, sizeof(s.value), "%" PRId64, (int64_t) json_integer_value(limit));
        for (size_t k = 0; e == 0 && k < ARRAY_SIZE(kinds); k++) {
                char v1[64], v2[64];

                snprintf(v1, sizeof(v1), "hugetlb.%s%s.limit_in_bytes", size, kinds[k]);
                snprintf(v2, sizeof(v2), "hugetlb.%s%s.max", size, kinds[k]);
                s.otherwise = k > 0 ? ELSE_NOTHING : ELSE_REFUSE;
                e = resources_choose(h, CONTROLLER_HUGETLB, v1, v2, &s, err);
                if (e == 0)
                        e = resources_add(r, &s, err);
        }
        return e;
}

int resources_parse_huge_pages(const struct cgroup_host *h, const json_t *spec, struct resources *r, struct err *err) {
        json_t *list, *v;
        size_t i;
        int e = resources_array(spec, "", "hugepageLimits", &list, err);

        json_array_foreach(list, i, v)
                if (e == 0)
                        e = add_huge_page(h, v, i, r, err);
        return e;
}

/* network.classID */
static int add_class_id(const struct cgroup_host *h, const json_t *v, struct resources *r, struct err *err) {
        struct setting s = { .field = "network.classID" };
        int e;

        if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > UINT32_MAX)
                return err_set(err, ERR_INVALID, -ERANGE, "linux.resources.%s: not a number of 32 bits", s.field);
        if (json_integer_value(v) == 0)
                return 0;
        snprintf(s.value, sizeof(s.value), "%" PRId64, (int64_t) json_integer_value(v));
        e = resources_choose(h, CONTROLLER_NET_CLS, "net_cls.classid", NULL, &s, err);
        return e < 0 ? e : resources_add(r, &s, err);
}

/* A word that is one word in the kernel's file, too. */
static bool is_plain_name(const char *s, size_t max) {
        size_t n = strlen(s);

        if (n == 0 || n > max)
                return false;
        for (; *s; s++)
                if ((unsigned char) *s <= ' ' || *s == 0x7f || *s == '/')
                        return false;
        return true;
}

/* network.priorities: [{"name": "eth0", "priority": 5}] */
static int add_priority(const struct cgroup_host *h, const json_t *v, size_t i, struct resources *r, struct err *err) {
        enum { IFNAME_MAX = 15 };
        const char *name = json_get_str(v, "name", "");
        const json_t *priority = json_object_get(v, "priority");
        struct setting s = { 0 };
        int e;

        snprintf(s.field, sizeof(s.field), "network.priorities[%zu]", i);
        if (!is_plain_name(name, IFNAME_MAX) || !json_is_integer(priority) || json_integer_value(priority) < 0 || json_integer_value(priority) > UINT32_MAX)
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.%s: wants the name of an interface and a priority of 32 bits", s.field);
        snprintf(s.value, sizeof(s.value), "%s %" PRId64, name, (int64_t) json_integer_value(priority));
        e = resources_choose(h, CONTROLLER_NET_PRIO, "net_prio.ifpriomap", NULL, &s, err);
        return e < 0 ? e : resources_add(r, &s, err);
}

int resources_parse_network(const struct cgroup_host *h, const json_t *spec, struct resources *r, struct err *err) {
        const json_t *class = json_object_get(spec, "classID");
        json_t *list, *v;
        size_t i;
        int e = resources_array(spec, "network.", "priorities", &list, err);

        if (e == 0 && class && !json_is_null(class))
                e = add_class_id(h, class, r, err);
        json_array_foreach(list, i, v)
                if (e == 0)
                        e = add_priority(h, v, i, r, err);
        return e;
}

/* rdma: {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}} → "mlx5_1 hca_handle=3 hca_object=10000" */
static int add_rdma(const struct cgroup_host *h, const char *device, const json_t *limits, struct resources *r, struct err *err) {
        enum { DEVICE_MAX = 63 }; /* IB_DEVICE_NAME_MAX - 1 */
        static const struct {
                const char *field, *word;
        } kinds[] = { { "hcaHandles", "hca_handle" }, { "hcaObjects", "hca_object" } };
        struct setting s = { 0 };
        size_t n;
        int e;

        snprintf(s.field, sizeof(s.field), "rdma.%.40s", device);
        if (!is_plain_name(device, DEVICE_MAX))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.%s: not the name of a device", s.field);
        if (!json_is_object(limits))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.%s is not an object", s.field);
        n = (size_t) snprintf(s.value, sizeof(s.value), "%s", device);
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                const json_t *v = json_object_get(limits, kinds[i].field);

                if (!v || json_is_null(v))
                        continue;
                if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > UINT32_MAX)
                        return err_set(err, ERR_INVALID, -ERANGE, "linux.resources.%s.%s: not a number of 32 bits", s.field, kinds[i].field);
                /* The kernel counts in int, and has a word for more than that. */
                if (json_integer_value(v) > INT32_MAX)
                        n += (size_t) snprintf(s.value + n, sizeof(s.value) - n, " %s=max", kinds[i].word);
                else
                        n += (size_t) snprintf(s.value + n, sizeof(s.value) - n, " %s=%d", kinds[i].word, (int) json_integer_value(v));
        }
        if (n == strlen(device))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.%s: wants hcaHandles, hcaObjects or both", s.field);
        e = resources_choose(h, CONTROLLER_RDMA, "rdma.max", "rdma.max", &s, err);
        return e < 0 ? e : resources_add(r, &s, err);
}

int resources_parse_rdma(const struct cgroup_host *h, json_t *spec, struct resources *r, struct err *err) {
        const char *device;
        json_t *limits;

        json_object_foreach(spec, device, limits) {
                int e = add_rdma(h, device, limits, r, err);

                if (e < 0)
                        return e;
        }
        return 0;
}

/* Files of a v2 cgroup itself that limit it. The others are ours: who is in it, whether it is frozen, what is enabled below. */
static bool is_limit_of_core(const char *file) {
        static const char *const files[] = { "cgroup.max.depth", "cgroup.max.descendants", "cgroup.pressure" };

        for (size_t i = 0; i < ARRAY_SIZE(files); i++)
                if (strcmp(files[i], file) == 0)
                        return true;
        return false;
}

/* unified: {"memory.high": "1048576"}: files of v2 by name. */
int resources_parse_unified(const struct cgroup_host *h, json_t *map, struct resources *r, struct err *err) {
        const char *key;
        json_t *v;

        json_object_foreach(map, key, v) {
                struct setting s = { .v2 = true, .controller = _CONTROLLER_MAX };
                const char *value = json_string_value(v);

                snprintf(s.field, sizeof(s.field), "unified.%.40s", key);
                for (enum controller c = 0; c < _CONTROLLER_MAX; c++) {
                        const char *name = controller_name(c, true);

                        if (name && strncmp(key, name, strlen(name)) == 0 && key[strlen(name)] == '.')
                                s.controller = c;
                }
                bool core = is_limit_of_core(key);

                if (strlen(key) >= sizeof(s.file) || strchr(key, '/') || (s.controller == _CONTROLLER_MAX && !core))
                        return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.%s: not a file of a cgroup controller", s.field);
                if (!value || strlen(value) >= sizeof(s.value))
                        return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.%s: not a short text", s.field);
                if (!host_has_v2(h))
                        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "linux.resources.%s: there is no cgroup v2 here", s.field);
                if (!core && !(h->v2.controllers & BIT(s.controller)))
                        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "linux.resources.%s: controller %s is not in cgroup v2 here", s.field,
                                       controller_name(s.controller, true));
                snprintf(s.file, sizeof(s.file), "%s", key);
                snprintf(s.value, sizeof(s.value), "%s", value);
                if (resources_add(r, &s, err) < 0)
                        return -ENOMEM;
        }
        return 0;
}
