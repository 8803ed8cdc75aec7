/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/limits.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "oci/oci.h"

enum form { COUNT, SIZE, WORDS };

/* Each flag of `update` and the field of linux.resources that it means. */
static const struct flag {
        const char *name, *group, *key;
        size_t offset;
        enum form form;
} flags[] = {
#define AT(member) offsetof(struct options, limits.member)
        { "blkio-weight", "blockIO", "weight", AT(blkio_weight), COUNT },
        { "cpu-period", "cpu", "period", AT(cpu_period), COUNT },
        { "cpu-quota", "cpu", "quota", AT(cpu_quota), COUNT },
        { "cpu-burst", "cpu", "burst", AT(cpu_burst), COUNT },
        { "cpu-share", "cpu", "shares", AT(cpu_share), COUNT },
        { "cpu-rt-period", "cpu", "realtimePeriod", AT(cpu_rt_period), COUNT },
        { "cpu-rt-runtime", "cpu", "realtimeRuntime", AT(cpu_rt_runtime), COUNT },
        { "cpu-idle", "cpu", "idle", AT(cpu_idle), COUNT },
        { "cpuset-cpus", "cpu", "cpus", AT(cpuset_cpus), WORDS },
        { "cpuset-mems", "cpu", "mems", AT(cpuset_mems), WORDS },
        { "memory", "memory", "limit", AT(memory), SIZE },
        { "memory-reservation", "memory", "reservation", AT(memory_reservation), SIZE },
        { "memory-swap", "memory", "swap", AT(memory_swap), SIZE },
        { "pids-limit", "pids", "limit", AT(pids_limit), COUNT },
#undef AT
};

/* "-1", "64", "64m", "64MB", "64MiB": units are powers of 1024. */
static int parse_size(const char *s, bool units, int64_t *ret) {
        static const char letters[] = "kmgtp";
        char *end;
        long long v;
        int shift = 0;

        errno = 0;
        v = strtoll(s, &end, 10);
        if (errno || end == s || v < -1)
                return -EINVAL;
        if (units && *end && v >= 0) {
                const char *letter = strchr(letters, *end | 0x20);

                if (letter) {
                        shift = 10 * (int) (letter - letters + 1);
                        end++;
                        if (*end == 'i' && (end[1] | 0x20) == 'b')
                                end++;
                }
                if ((*end | 0x20) == 'b')
                        end++;
        }
        if (*end || v > INT64_MAX >> shift)
                return -EINVAL;
        *ret = v < 0 ? v : (int64_t) ((uint64_t) v << shift);
        return 0;
}

static int add(json_t *resources, const struct flag *f, const char *value, struct err *err) {
        json_t *group = json_object_get(resources, f->group), *v;
        int64_t n = 0;

        if (f->form == WORDS)
                v = json_string(value);
        else if (parse_size(value, f->form == SIZE, &n) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "--%s %s: not a %s", f->name, value, f->form == SIZE ? "size" : "number");
        else
                v = json_integer((json_int_t) n);
        if (!group)
                json_object_set_new(resources, f->group, group = json_object());
        return json_object_set_new(group, f->key, v) < 0 ? err_set(err, ERR_INVALID, -EINVAL, "--%s: not UTF-8", f->name) : 0;
}

int limits_add(const struct options *o, json_t *resources, struct err *err) {
        for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
                const char *value = *(const char *const *) ((const char *) o + flags[i].offset);
                int r = value ? add(resources, &flags[i], value, err) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}
