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
        if (s->controller != _CONTROLLER_MAX)
                *(s->v2 ? &r->v2_wanted : &r->v1_wanted) |= BIT(s->controller);
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
 * The order is the order of writing. memory.swap, cpu.quota and cpu.period have rules of their own on v2. */

enum {
        ZERO_COUNTS = 1,   /* 0 is a value, not "leave it" */
        ZERO_IF_THERE = 2, /* the same; but a kernel without the file has 0 anyway */
        BOOLEAN = 4,
        V2_SPECIAL = 8,
};

static const struct number {
        const char *group, *key;
        int64_t min, max;
        enum controller controller;
        const char *v1;
        convert_fn *convert_v1;
        const char *v2;
        convert_fn *convert_v2;
        int flags;
} numbers[] = {
#define ANY INT64_MIN, INT64_MAX
#define FROM(n) n, INT64_MAX
        { "memory", "limit", FROM(-1), CONTROLLER_MEMORY, "memory.limit_in_bytes", plain, "memory.max", negative_is_max, 0 },
        { "memory", "swap", FROM(-1), CONTROLLER_MEMORY, "memory.memsw.limit_in_bytes", plain, "memory.swap.max", NULL, V2_SPECIAL },
        { "memory", "reservation", FROM(-1), CONTROLLER_MEMORY, "memory.soft_limit_in_bytes", plain, "memory.low", negative_is_max, 0 },
        { "memory", "kernelTCP", FROM(-1), CONTROLLER_MEMORY, "memory.kmem.tcp.limit_in_bytes", plain, NULL, NULL, 0 },
        { "memory", "swappiness", 0, 100, CONTROLLER_MEMORY, "memory.swappiness", plain, NULL, NULL, ZERO_COUNTS },
        { "memory", "disableOOMKiller", 0, 1, CONTROLLER_MEMORY, "memory.oom_control", plain, NULL, NULL, BOOLEAN },
        /* An idle group takes no shares: it has to be woken before. */
        { "cpu", "idle", 0, 1, CONTROLLER_CPU, "cpu.idle", plain, "cpu.idle", plain, ZERO_IF_THERE },
        { "cpu", "shares", FROM(0), CONTROLLER_CPU, "cpu.shares", plain, "cpu.weight", shares_to_weight, 0 },
        /* A quota is checked against the period that is in force: the period first. */
        { "cpu", "period", FROM(0), CONTROLLER_CPU, "cpu.cfs_period_us", plain, "cpu.max", NULL, V2_SPECIAL },
        { "cpu", "quota", ANY, CONTROLLER_CPU, "cpu.cfs_quota_us", plain, "cpu.max", NULL, V2_SPECIAL },
        { "cpu", "burst", FROM(0), CONTROLLER_CPU, "cpu.cfs_burst_us", plain, "cpu.max.burst", plain, ZERO_IF_THERE },
        { "cpu", "realtimePeriod", FROM(0), CONTROLLER_CPU, "cpu.rt_period_us", plain, NULL, NULL, 0 },
        { "cpu", "realtimeRuntime", FROM(-1), CONTROLLER_CPU, "cpu.rt_runtime_us", plain, NULL, NULL, 0 },
        { "pids", "limit", ANY, CONTROLLER_PIDS, "pids.max", none_is_max, "pids.max", none_is_max, ZERO_COUNTS },
#undef ANY
#undef FROM
};

static const struct text {
        const char *group, *key;
        enum controller controller;
        const char *file; /* the same on v1 and v2 */
} texts[] = {
        { "cpu", "cpus", CONTROLLER_CPUSET, "cpuset.cpus" },
        { "cpu", "mems", CONTROLLER_CPUSET, "cpuset.mems" },
};

int resources_choose(const struct cgroup_host *h, enum controller c, const char *v1, const char *v2, struct setting *s, struct err *err) {
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
        if (*ret < n->min || *ret > n->max)
                return err_set(err, ERR_INVALID, -ERANGE, "linux.resources.%s: %" PRId64 " is not from %" PRId64 " to %" PRId64, field, *ret, n->min, n->max);
        return 0;
}

/* An idle group has the least weight there is, whatever else is asked for. */
static bool is_overruled(const struct number *n, const json_t *group) {
        return strcmp(n->key, "shares") == 0 && json_get_int(group, "idle", 0) == 1;
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
        if ((value == 0 && !(n->flags & (ZERO_COUNTS | ZERO_IF_THERE))) || is_overruled(n, group))
                return 0;
        e = resources_choose(h, n->controller, n->v1, n->v2, &s, err);
        if (value == 0 && (n->flags & ZERO_IF_THERE)) {
                if (e < 0)
                        return 0;
                s.otherwise = ELSE_NOTHING;
        }
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
        e = resources_choose(h, t->controller, t->file, t->file, &s, err);
        if (e < 0)
                return e;
        snprintf(s.value, sizeof(s.value), "%s", value);
        return resources_add(r, &s, err);
}

/* What is asked of memory, and is no number of a file. */
static int parse_memory_rest(const json_t *spec, struct resources *r, struct err *err) {
        static const char *const booleans[] = { "useHierarchy", "checkBeforeUpdate" };
        const json_t *memory = json_object_get(spec, "memory"), *kernel = json_object_get(memory, "kernel");

        for (size_t i = 0; i < ARRAY_SIZE(booleans); i++) {
                const json_t *v = json_object_get(memory, booleans[i]);

                if (v && !json_is_null(v) && !json_is_boolean(v))
                        return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.memory.%s is not true or false", booleans[i]);
        }
        if (kernel && !json_is_null(kernel) && !json_is_integer(kernel))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.memory.kernel is not a whole number");
        if (json_integer_value(kernel) > 0)
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "linux.resources.memory.kernel is not supported: kernels since 5.16 have no such limit");
        /* Linux 5.11 took the choice away. */
        if (json_is_false(json_object_get(memory, "useHierarchy")))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "linux.resources.memory.useHierarchy: the memory of cgroups below always counts");
        if (json_is_true(json_object_get(memory, "checkBeforeUpdate")))
                r->memory_check = (uint64_t) json_get_int(memory, "limit", 0);
        return 0;
}

int resources_array(const json_t *spec, const char *at, const char *key, json_t **ret, struct err *err) {
        json_t *v = json_object_get(spec, key);

        *ret = json_is_null(v) ? NULL : v;
        if (*ret && !json_is_array(v))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.%s%s is not an array", at, key);
        return 0;
}

static int parse_all(const struct cgroup_host *h, const json_t *spec, struct resources *r, struct err *err) {
        int e = parse_memory_rest(spec, r, err);

        for (size_t i = 0; e == 0 && i < ARRAY_SIZE(numbers); i++)
                e = parse_number(h, spec, &numbers[i], r, err);
        for (size_t i = 0; e == 0 && i < ARRAY_SIZE(texts); i++)
                e = parse_text(h, spec, &texts[i], r, err);
        if (e == 0)
                e = resources_parse_block_io(h, json_object_get(spec, "blockIO"), r, err);
        if (e == 0)
                e = resources_parse_huge_pages(h, spec, r, err);
        if (e == 0)
                e = resources_parse_network(h, json_object_get(spec, "network"), r, err);
        if (e == 0)
                e = resources_parse_rdma(h, json_object_get(spec, "rdma"), r, err);
        /* After the fields that have a name: what is said in the kernel's own words has the last one. */
        if (e == 0)
                e = resources_parse_unified(h, json_object_get(spec, "unified"), r, err);
        if (e == 0)
                e = resources_parse_devices(json_object_get(spec, "devices"), r, err);
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
