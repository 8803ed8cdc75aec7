/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup/private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"

enum { SETTINGS_MAX = 256 };

void resources_done(struct resources *r) {
        free(r->settings);
        free(r->devices);
        *r = (struct resources) { 0 };
}

int resources_add(struct resources *r, const struct setting *s, struct err *err) {
        struct setting *grown;

        if (r->n_settings >= SETTINGS_MAX)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "linux.resources.%s: more than %d settings", s->field, SETTINGS_MAX);
        grown = reallocarray(r->settings, r->n_settings + 1, sizeof(*s));
        if (!grown)
                return err_errno(err, -ENOMEM, "linux.resources.%s", s->field);
        r->settings = grown;
        r->settings[r->n_settings++] = *s;
        if (s->v2)
                r->v2_wanted |= BIT(s->controller);
        return 0;
}

/* --- converters: the spec's number → what the file wants, for values where that differs --- */

typedef void convert_fn(int64_t value, char ret[CGROUP_VALUE_MAX]);

static void plain(int64_t value, char ret[CGROUP_VALUE_MAX]) {
        snprintf(ret, CGROUP_VALUE_MAX, "%" PRId64, value);
}

static void negative_is_max(int64_t value, char ret[CGROUP_VALUE_MAX]) {
        if (value < 0)
                snprintf(ret, CGROUP_VALUE_MAX, "max");
        else
                plain(value, ret);
}

static void none_is_max(int64_t value, char ret[CGROUP_VALUE_MAX]) {
        negative_is_max(value == 0 ? -1 : value, ret);
}

/* cpu.shares 2…262144 (default 1024) onto cpu.weight 1…10000 (default 100): the straight line that all engines use, so that a
 * container weighs the same whoever started it. */
static void shares_to_weight(int64_t value, char ret[CGROUP_VALUE_MAX]) {
        if (value < 2)
                value = 2;
        if (value > 262144)
                value = 262144;
        plain(1 + ((value - 2) * 9999) / 262142, ret);
}

/* --- the table of numbers ---
 *
 * The order is the order of writing. memory.swap, cpu.quota and cpu.period have rules of their own on v2: special_v2(). */

enum { ZERO_COUNTS = 1, BOOLEAN = 2, V2_SPECIAL = 4 };

static const struct number {
        const char *group, *key;
        enum controller controller;
        const char *v1;
        convert_fn *convert_v1;
        const char *v2;
        convert_fn *convert_v2;
        int flags;
} numbers[] = {
        { "memory", "limit", CONTROLLER_MEMORY, "memory.limit_in_bytes", plain, "memory.max", negative_is_max, 0 },
        { "memory", "swap", CONTROLLER_MEMORY, "memory.memsw.limit_in_bytes", plain, "memory.swap.max", NULL, V2_SPECIAL },
        { "memory", "reservation", CONTROLLER_MEMORY, "memory.soft_limit_in_bytes", plain, "memory.low", negative_is_max, 0 },
        { "memory", "kernelTCP", CONTROLLER_MEMORY, "memory.kmem.tcp.limit_in_bytes", plain, NULL, NULL, 0 },
        { "memory", "swappiness", CONTROLLER_MEMORY, "memory.swappiness", plain, NULL, NULL, ZERO_COUNTS },
        { "memory", "disableOOMKiller", CONTROLLER_MEMORY, "memory.oom_control", plain, NULL, NULL, BOOLEAN },
        { "cpu", "shares", CONTROLLER_CPU, "cpu.shares", plain, "cpu.weight", shares_to_weight, 0 },
        { "cpu", "idle", CONTROLLER_CPU, "cpu.idle", plain, "cpu.idle", plain, 0 },
        /* A quota is checked against the period that is in force: the period first. */
        { "cpu", "period", CONTROLLER_CPU, "cpu.cfs_period_us", plain, "cpu.max", NULL, V2_SPECIAL },
        { "cpu", "quota", CONTROLLER_CPU, "cpu.cfs_quota_us", plain, "cpu.max", NULL, V2_SPECIAL },
        { "cpu", "burst", CONTROLLER_CPU, "cpu.cfs_burst_us", plain, "cpu.max.burst", plain, 0 },
        { "cpu", "realtimePeriod", CONTROLLER_CPU, "cpu.rt_period_us", plain, NULL, NULL, 0 },
        { "cpu", "realtimeRuntime", CONTROLLER_CPU, "cpu.rt_runtime_us", plain, NULL, NULL, 0 },
        { "pids", "limit", CONTROLLER_PIDS, "pids.max", none_is_max, "pids.max", none_is_max, ZERO_COUNTS },
};

static const struct text {
        const char *group, *key;
        enum controller controller;
        const char *file; /* the same on v1 and v2 */
} texts[] = {
        { "cpu", "cpus", CONTROLLER_CPUSET, "cpuset.cpus" },
        { "cpu", "mems", CONTROLLER_CPUSET, "cpuset.mems" },
};

/* Fields of the spec that no code here honours: refused when they ask for something, never silently dropped. */
static const struct {
        const char *group, *key; /* key NULL: the whole group */
} unsupported[] = {
        { "memory", "kernel" }, { "network", "classID" }, { "network", "priorities" }, { "rdma", NULL },
};

static bool asks_for_something(const json_t *v) {
        switch (v ? json_typeof(v) : JSON_NULL) {
        case JSON_NULL:
        case JSON_FALSE:
                return false;
        case JSON_INTEGER:
                return json_integer_value(v) != 0;
        case JSON_STRING:
                return *json_string_value(v);
        case JSON_OBJECT:
                return json_object_size(v) > 0;
        case JSON_ARRAY:
                return json_array_size(v) > 0;
        default:
                return true;
        }
}

static int refuse_unsupported(const json_t *spec, struct err *err) {
        for (size_t i = 0; i < ARRAY_SIZE(unsupported); i++) {
                const json_t *group = json_object_get(spec, unsupported[i].group);
                const json_t *v = unsupported[i].key ? json_object_get(group, unsupported[i].key) : group;

                if (asks_for_something(v))
                        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "linux.resources.%s%s%s is not supported", unsupported[i].group,
                                       unsupported[i].key ? "." : "", unsupported[i].key ?: "");
        }
        return 0;
}

/* Where a controller lives decides the file: v1's hierarchy when there is one, else v2. */
static int choose(const struct cgroup_host *h, enum controller c, const char *v1, const char *v2, struct setting *s, struct err *err) {
        const char *file;

        s->controller = c;
        s->v2 = !host_find_v1(h, c);
        if (s->v2 && !(host_has_v2(h) && (h->v2.controllers & BIT(c))))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "linux.resources.%s: this host has no %s cgroup controller", s->field,
                               controller_name(c, false));
        file = s->v2 ? v2 : v1;
        if (!file)
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "linux.resources.%s does not exist with cgroup v%c", s->field,
                               s->v2 ? '2' : '1');
        snprintf(s->file, sizeof(s->file), "%s", file);
        return 0;
}

/* memory.swap is memory plus swap in the spec and in v1, swap alone in v2. */
static int swap_v2(const json_t *memory, int64_t swap, char ret[CGROUP_VALUE_MAX], struct err *err) {
        int64_t limit = json_get_int(memory, "limit", 0);

        if (swap < 0) {
                negative_is_max(-1, ret);
                return 0;
        }
        if (limit <= 0)
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.memory.swap: needs memory.limit");
        if (swap < limit)
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.memory.swap: %" PRId64 " is less than memory.limit", swap);
        plain(swap - limit, ret);
        return 0;
}

/* Both in one file. Without a period the kernel keeps the one in force (100 ms when fresh). */
static void quota_v2(const json_t *cpu, char ret[CGROUP_VALUE_MAX]) {
        int64_t quota = json_get_int(cpu, "quota", 0), period = json_get_int(cpu, "period", 0);
        char first[32];

        snprintf(first, sizeof(first), quota > 0 ? "%" PRId64 : "max", quota);
        if (period > 0)
                snprintf(ret, CGROUP_VALUE_MAX, "%s %" PRId64, first, period);
        else
                snprintf(ret, CGROUP_VALUE_MAX, "%s", first);
}

static int read_number(const struct number *n, const json_t *v, const char *field, int64_t *ret, struct err *err) {
        bool right = n->flags & BOOLEAN ? json_is_boolean(v) : json_is_integer(v);

        if (!right)
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.%s is not %s", field, n->flags & BOOLEAN ? "true or false" : "a whole number");
        *ret = json_is_integer(v) ? (int64_t) json_integer_value(v) : json_is_true(v);
        return 0;
}

static int parse_number(const struct cgroup_host *h, const json_t *spec, const struct number *n, struct resources *r, struct err *err) {
        const json_t *group = json_object_get(spec, n->group), *v = json_object_get(group, n->key);
        struct setting s = { 0 };
        int64_t value = 0;
        int e;

        if (!v || json_is_null(v))
                return 0;
        snprintf(s.field, sizeof(s.field), "%s.%s", n->group, n->key);
        e = read_number(n, v, s.field, &value, err);
        if (e < 0)
                return e;
        if (value == 0 && !(n->flags & ZERO_COUNTS))
                return 0;
        e = choose(h, n->controller, n->v1, n->v2, &s, err);
        if (e < 0)
                return e;
        if (!s.v2) {
                n->convert_v1(value, s.value);
        } else if (!(n->flags & V2_SPECIAL)) {
                n->convert_v2(value, s.value);
        } else if (strcmp(n->key, "swap") == 0) {
                e = swap_v2(group, value, s.value, err);
                if (e < 0)
                        return e;
        } else {
                /* period and quota are one line; the quota's row writes it when both are there. */
                if (strcmp(n->key, "period") == 0 && json_get_int(group, "quota", 0) != 0)
                        return 0;
                quota_v2(group, s.value);
        }
        return resources_add(r, &s, err);
}

static int parse_text(const struct cgroup_host *h, const json_t *spec, const struct text *t, struct resources *r, struct err *err) {
        const json_t *v = json_object_get(json_object_get(spec, t->group), t->key);
        struct setting s = { 0 };
        const char *value;
        int e;

        if (!v || json_is_null(v))
                return 0;
        snprintf(s.field, sizeof(s.field), "%s.%s", t->group, t->key);
        value = json_string_value(v);
        if (!value || strlen(value) >= sizeof(s.value) || strspn(value, "0123456789,-") != strlen(value))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.%s: not a list such as \"0-3,5\"", s.field);
        if (!*value)
                return 0;
        e = choose(h, t->controller, t->file, t->file, &s, err);
        if (e < 0)
                return e;
        snprintf(s.value, sizeof(s.value), "%s", value);
        return resources_add(r, &s, err);
}

/* hugepageLimits: [{"pageSize": "2MB", "limit": 4194304}] */
static int parse_huge_pages(const struct cgroup_host *h, const json_t *list, struct resources *r, struct err *err) {
        size_t i;
        json_t *v;

        json_array_foreach(list, i, v) {
                const char *size = json_get_str(v, "pageSize", "");
                struct setting s = { 0 };
                char v1[64], v2[64];
                int e;

                snprintf(s.field, sizeof(s.field), "hugepageLimits[%zu]", i);
                if (!*size || strlen(size) > 16 || strspn(size, "0123456789KMGB") != strlen(size) || !json_is_integer(json_object_get(v, "limit")))
                        return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.%s: wants a pageSize such as \"2MB\" and a limit", s.field);
                snprintf(v1, sizeof(v1), "hugetlb.%s.limit_in_bytes", size);
                snprintf(v2, sizeof(v2), "hugetlb.%s.max", size);
                e = choose(h, CONTROLLER_HUGETLB, v1, v2, &s, err);
                if (e < 0)
                        return e;
                plain(json_get_int(v, "limit", 0), s.value);
                e = resources_add(r, &s, err);
                if (e < 0)
                        return e;
        }
        return 0;
}

/* unified: {"memory.high": "1048576"}: files of v2 by name. */
static int parse_unified(const struct cgroup_host *h, json_t *map, struct resources *r, struct err *err) {
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
                if (strlen(key) >= sizeof(s.file) || strchr(key, '/') || s.controller == _CONTROLLER_MAX)
                        return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.%s: not a file of a cgroup controller", s.field);
                if (!value || strlen(value) >= sizeof(s.value))
                        return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.%s: not a short text", s.field);
                if (!host_has_v2(h) || !(h->v2.controllers & BIT(s.controller)))
                        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "linux.resources.%s: controller %s is not in cgroup v2 here", s.field,
                                       controller_name(s.controller, true));
                snprintf(s.file, sizeof(s.file), "%s", key);
                snprintf(s.value, sizeof(s.value), "%s", value);
                if (resources_add(r, &s, err) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int parse_all(const struct cgroup_host *h, const json_t *spec, struct resources *r, struct err *err) {
        int e = refuse_unsupported(spec, err);

        for (size_t i = 0; e == 0 && i < ARRAY_SIZE(numbers); i++)
                e = parse_number(h, spec, &numbers[i], r, err);
        for (size_t i = 0; e == 0 && i < ARRAY_SIZE(texts); i++)
                e = parse_text(h, spec, &texts[i], r, err);
        if (e == 0)
                e = resources_parse_block_io(h, json_object_get(spec, "blockIO"), r, err);
        if (e == 0)
                e = parse_huge_pages(h, json_get_array(spec, "hugepageLimits"), r, err);
        if (e == 0)
                e = parse_unified(h, json_get_object(spec, "unified"), r, err);
        if (e == 0)
                e = resources_parse_devices(json_object_get(spec, "devices"), r, err);
        if (e == 0 && json_get_bool(json_object_get(spec, "memory"), "checkBeforeUpdate", false))
                r->memory_check = (uint64_t) json_get_int(json_object_get(spec, "memory"), "limit", 0);
        return e;
}

int resources_parse(const struct cgroup_host *h, const json_t *spec, struct resources *ret, struct err *err) {
        static const char *const objects[] = { "memory", "cpu", "pids", "blockIO", "unified", "network", "rdma" };
        struct resources r = { 0 };
        int e;

        if (spec && !json_is_null(spec) && !json_is_object(spec))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources is not an object");
        for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
                const json_t *group = json_object_get(spec, objects[i]);

                if (group && !json_is_null(group) && !json_is_object(group))
                        return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.%s is not an object", objects[i]);
        }
        e = parse_all(h, spec, &r, err);
        if (e < 0)
                resources_done(&r);
        else
                *ret = r;
        return e;
}

/* --- writing them --- */

static int explain(const struct setting *s, int e, struct err *err) {
        if (e == -ENOENT)
                return err_set(err, ERR_UNSUPPORTED, e, "linux.resources.%s: this kernel has no %s", s->field, s->file);
        if (e == -EBUSY && strstr(s->file, "limit_in_bytes"))
                return err_set(err, ERR_INVALID, e, "linux.resources.%s: %s is less than what is in use", s->field, s->value);
        if (e == -EINVAL || e == -ERANGE || e == -EBUSY || e == -ENODEV || e == -ENXIO || e == -EACCES || e == -E2BIG)
                return err_set(err, ERR_INVALID, e, "linux.resources.%s: the kernel refuses \"%s\": %s", s->field, s->value, strerror(-e));
        return err_errno(err, e, "linux.resources.%s: %s", s->field, s->file);
}

static int hierarchy_of(const struct cgroup_host *h, const struct setting *s) {
        return s->v2 ? h->v2.dir_fd : host_find_v1(h, s->controller)->dir_fd;
}

static int apply_one(const struct cgroup_host *h, const char *path, const struct resources *r, size_t i) {
        const struct setting *s = &r->settings[i], *next = i + 1 < r->n_settings ? s + 1 : NULL;
        int fd = hierarchy_of(h, s), e = cgroup_file_write(fd, path, s->file, s->value);

        /* v1 keeps limit <= limit with swap at all times: when both grow, the larger one has to go first. The swap row that follows
         * is then written a second time, which does no harm. */
        if (e == -EINVAL && next && strcmp(s->field, "memory.limit") == 0 && strcmp(next->field, "memory.swap") == 0 && !s->v2) {
                e = cgroup_file_write(fd, path, next->file, next->value);
                if (e == 0)
                        e = cgroup_file_write(fd, path, s->file, s->value);
        }
        /* The same of an old quota that is too large for a new period. */
        if (e == -EINVAL && next && strcmp(s->field, "cpu.period") == 0 && strcmp(next->field, "cpu.quota") == 0 && !s->v2) {
                e = cgroup_file_write(fd, path, next->file, next->value);
                if (e == 0)
                        e = cgroup_file_write(fd, path, s->file, s->value);
        }
        return e;
}

static int check_memory_in_use(const struct cgroup_host *h, const char *path, uint64_t limit, struct err *err) {
        const struct hierarchy *v1 = host_find_v1(h, CONTROLLER_MEMORY);
        uint64_t used;
        int e = cgroup_file_read_u64(v1 ? v1->dir_fd : h->v2.dir_fd, path, v1 ? "memory.usage_in_bytes" : "memory.current", &used);

        if (e == 0 && used > limit)
                return err_set(err, ERR_INVALID, -EBUSY, "linux.resources.memory.limit: %" PRIu64 " is less than the %" PRIu64 " in use", limit, used);
        return 0;
}

int resources_apply(const struct cgroup_host *h, const char *path, const struct resources *r, bool fresh, struct err *err) {
        const struct hierarchy *devices = host_find_v1(h, CONTROLLER_DEVICES);
        int e;

        if (r->memory_check && !fresh) {
                e = check_memory_in_use(h, path, r->memory_check, err);
                if (e < 0)
                        return e;
        }
        for (size_t i = 0; i < r->n_settings; i++) {
                e = apply_one(h, path, r, i);
                if (e < 0)
                        return explain(&r->settings[i], e, err);
        }
        /* An update that does not speak of devices leaves them; a new cgroup always gets the closed list. */
        if (!fresh && !r->has_devices)
                return 0;
        if (devices)
                return v1_apply_devices(devices->dir_fd, path, r, fresh, err);
        if (host_has_v2(h))
                return v2_apply_devices(h->v2.dir_fd, path, r, fresh, err);
        return r->devices_allowed ? 0 : err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "linux.resources.devices: this host has no cgroup for devices");
}
