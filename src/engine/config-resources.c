/* SPDX-License-Identifier: Apache-2.0 */
/* linux.resources: limits and devices. */

#include <sys/stat.h>

#include "base/mem.h"
#include "engine/config.h"
#include "engine/spec.h"

enum { DEFAULT_CPU_PERIOD = 100000 };

/* --device-cgroup-rule: "c 1:* rmw"; their grammar was checked. */
static void add_own_rules(json_t *rules, const json_t *texts) {
        json_t *v;
        size_t i;

        json_array_foreach((json_t *) texts, i, v) {
                struct device_rule r;
                json_t *rule;

                if (!device_rule_parse(json_string_value(v), &r))
                        continue;
                rule = json_pack("{s:b, s:s, s:s}", "allow", 1, "type", r.type, "access", r.access);
                if (r.major >= 0)
                        json_object_set_new(rule, "major", json_integer(r.major));
                if (r.minor >= 0)
                        json_object_set_new(rule, "minor", json_integer(r.minor));
                json_array_append_new(rules, rule);
        }
}

/* Docker's rules: the usual harmless devices, any mknod (CAP_MKNOD is another gate), terminals. */
static json_t *device_rules(const struct spec *s) {
        static const struct {
                char type[2];
                int major, minor; /* −1: any */
                const char *access;
        } allowed[] = {
                { "c", -1, -1, "m" }, { "b", -1, -1, "m" }, { "c", 1, 3, "rwm" }, { "c", 1, 5, "rwm" }, { "c", 1, 7, "rwm" }, { "c", 1, 8, "rwm" },
                { "c", 1, 9, "rwm" }, { "c", 5, 0, "rwm" }, { "c", 5, 1, "rwm" }, { "c", 5, 2, "rwm" }, { "c", 136, -1, "rwm" }, { "c", 10, 200, "rwm" },
        };
        json_t *rules = json_array();

        if (s->privileged) {
                json_array_append_new(rules, json_pack("{s:b, s:s}", "allow", 1, "access", "rwm"));
                return rules;
        }
        json_array_append_new(rules, json_pack("{s:b, s:s}", "allow", 0, "access", "rwm"));
        for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
                json_t *rule = json_pack("{s:b, s:s, s:s}", "allow", 1, "type", allowed[i].type, "access", allowed[i].access);

                if (allowed[i].major >= 0)
                        json_object_set_new(rule, "major", json_integer(allowed[i].major));
                if (allowed[i].minor >= 0)
                        json_object_set_new(rule, "minor", json_integer(allowed[i].minor));
                json_array_append_new(rules, rule);
        }
        for (size_t i = 0; i < s->n_devices_found; i++)
                json_array_append_new(rules, json_pack("{s:b, s:s, s:I, s:I, s:s}", "allow", 1, "type", S_ISBLK(s->devices_found[i].mode) ? "b" : "c", "major",
                                                       (json_int_t) s->devices_found[i].major, "minor", (json_int_t) s->devices_found[i].minor, "access",
                                                       s->devices_found[i].access));
        add_own_rules(rules, s->device_rules);
        return rules;
}

/* An object inside of another, made when it is not there yet. */
static json_t *section(json_t *object, const char *name) {
        if (!json_object_get(object, name))
                json_object_set_new(object, name, json_object());
        return json_object_get(object, name);
}

static void put_int(json_t *object, const char *name, const char *key, int64_t value) {
        json_object_set_new(section(object, name), key, json_integer(value));
}

static void put_blocks(json_t *resources, const struct spec *s) {
        static const char *const lists[] = {
                [SPEC_BLOCK_WEIGHT] = "weightDevice",
                [SPEC_BLOCK_READ_BPS] = "throttleReadBpsDevice",
                [SPEC_BLOCK_WRITE_BPS] = "throttleWriteBpsDevice",
                [SPEC_BLOCK_READ_IOPS] = "throttleReadIOPSDevice",
                [SPEC_BLOCK_WRITE_IOPS] = "throttleWriteIOPSDevice",
        };

        for (size_t i = 0; i < s->n_blocks; i++) {
                const struct spec_block *b = &s->blocks[i];
                json_t *all = section(resources, "blockIO");

                if (!json_object_get(all, lists[b->kind]))
                        json_object_set_new(all, lists[b->kind], json_array());
                json_array_append_new(json_object_get(all, lists[b->kind]), json_pack("{s:I, s:I, s:I}", "major", (json_int_t) b->major, "minor", (json_int_t) b->minor,
                                                                                      b->kind == SPEC_BLOCK_WEIGHT ? "weight" : "rate", (json_int_t) b->value));
        }
}

json_t *config_resources(const struct spec *s) {
        json_t *r = json_object();

        json_object_set_new(r, "devices", device_rules(s));
        if (s->memory) {
                put_int(r, "memory", "limit", s->memory);
                /* Unsaid: as much swap as memory, as Docker has it. */
                put_int(r, "memory", "swap", s->memory_swap ? s->memory_swap : s->memory > INT64_MAX / 2 ? -1 : s->memory * 2);
        }
        if (s->memory_reservation)
                put_int(r, "memory", "reservation", s->memory_reservation);
        if (s->nano_cpus) {
                put_int(r, "cpu", "period", DEFAULT_CPU_PERIOD);
                put_int(r, "cpu", "quota", (int64_t) ((__int128) s->nano_cpus * DEFAULT_CPU_PERIOD / 1000000000));
        }
        if (s->cpu_period)
                put_int(r, "cpu", "period", s->cpu_period);
        if (s->cpu_quota)
                put_int(r, "cpu", "quota", s->cpu_quota);
        if (s->cpu_shares)
                put_int(r, "cpu", "shares", s->cpu_shares);
        if (*s->cpuset_cpus)
                json_object_set_new(section(r, "cpu"), "cpus", json_string(s->cpuset_cpus));
        if (*s->cpuset_mems)
                json_object_set_new(section(r, "cpu"), "mems", json_string(s->cpuset_mems));
        if (s->pids_limit)
                put_int(r, "pids", "limit", s->pids_limit);
        if (s->cpu_rt_period)
                put_int(r, "cpu", "realtimePeriod", s->cpu_rt_period);
        if (s->cpu_rt_runtime)
                put_int(r, "cpu", "realtimeRuntime", s->cpu_rt_runtime);
        if (s->memory_swappiness >= 0)
                put_int(r, "memory", "swappiness", s->memory_swappiness);
        if (s->oom_kill_disable)
                json_object_set_new(section(r, "memory"), "disableOOMKiller", json_true());
        if (s->blkio_weight)
                put_int(r, "blockIO", "weight", s->blkio_weight);
        if (s->class_id)
                put_int(r, "network", "classID", s->class_id);
        put_blocks(r, s);
        return r;
}
