/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup/private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"

static int weight_value(const json_t *v, const char *field, int64_t *ret, struct err *err) {
        *ret = json_is_integer(v) ? (int64_t) json_integer_value(v) : -1;
        if (*ret < 10 || *ret > 1000)
                return err_set(err, ERR_INVALID, -ERANGE, "linux.resources.%s: not a number from 10 to 1000", field);
        return 0;
}

static int device_of(const json_t *v, const char *field, char ret[48], struct err *err) {
        const json_t *major = json_object_get(v, "major"), *minor = json_object_get(v, "minor");

        if (!json_is_integer(major) || !json_is_integer(minor) || json_integer_value(major) < 0 || json_integer_value(minor) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.%s: wants major and minor numbers", field);
        snprintf(ret, 48, "%" PRId64 ":%" PRId64, (int64_t) json_integer_value(major), (int64_t) json_integer_value(minor));
        return 0;
}

static int locate(const struct cgroup_host *h, struct setting *s, struct err *err) {
        s->controller = CONTROLLER_IO;
        s->v2 = !host_find_v1(h, CONTROLLER_IO);
        if (s->v2 && !(host_has_v2(h) && (h->v2.controllers & BIT(CONTROLLER_IO))))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "linux.resources.%s: this host has no blkio cgroup controller", s->field);
        return 0;
}

/* Weights are known by the bfq scheduler, which counts from 1 to 1000, and in v2 by iocost, whose 10 … 1000 are 1 … 10000. The kernel has the file
 * of each while that is there. */
static int add_weight(const struct cgroup_host *h, const json_t *weight, const json_t *device, const char *field, struct resources *r,
                      struct err *err) {
        struct setting s = { 0 };
        char number[48];
        int64_t value = 0;
        int e;

        snprintf(s.field, sizeof(s.field), "%s", field);
        e = locate(h, &s, err);
        if (e == 0)
                e = weight_value(weight, field, &value, err);
        if (e == 0 && device)
                e = device_of(device, field, number, err);
        if (e < 0)
                return e;
        snprintf(s.file, sizeof(s.file), "%s", s.v2 ? "io.bfq.weight" : device ? "blkio.bfq.weight_device" : "blkio.bfq.weight");
        snprintf(s.value, sizeof(s.value), "%s%s%" PRId64, device ? number : "", device ? " " : "", value);
        if (s.v2) {
                s.otherwise = ELSE_OTHER;
                snprintf(s.other_file, sizeof(s.other_file), "io.weight");
                snprintf(s.other_value, sizeof(s.other_value), "%s %" PRId64, device ? number : "default", 1 + (value - 10) * 9999 / 990);
        }
        return resources_add(r, &s, err);
}

static const struct {
        const char *key, *v1, *v2;
} throttles[] = {
        { "throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps" },
        { "throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps" },
        { "throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops" },
        { "throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops" },
};

static int add_throttle(const struct cgroup_host *h, const json_t *v, size_t kind, size_t index, struct resources *r, struct err *err) {
        const json_t *rate = json_object_get(v, "rate");
        struct setting s = { 0 };
        char device[48];
        int e;

        snprintf(s.field, sizeof(s.field), "blockIO.%s[%zu]", throttles[kind].key, index);
        e = locate(h, &s, err);
        if (e == 0)
                e = device_of(v, s.field, device, err);
        if (e < 0)
                return e;
        if (!json_is_integer(rate) || json_integer_value(rate) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "linux.resources.%s: wants a rate", s.field);
        if (s.v2) {
                snprintf(s.file, sizeof(s.file), "io.max");
                /* 0 takes a limit away in v1; v2 has a word for it. */
                if (json_integer_value(rate) == 0)
                        snprintf(s.value, sizeof(s.value), "%s %s=max", device, throttles[kind].v2);
                else
                        snprintf(s.value, sizeof(s.value), "%s %s=%" PRId64, device, throttles[kind].v2, (int64_t) json_integer_value(rate));
        } else {
                snprintf(s.file, sizeof(s.file), "%s", throttles[kind].v1);
                snprintf(s.value, sizeof(s.value), "%s %" PRId64, device, (int64_t) json_integer_value(rate));
        }
        return resources_add(r, &s, err);
}

/* What competes with the cgroups below has had no weight of its own since Linux 5.0. */
static int refuse_leaf_weight(const json_t *object, const char *field, struct err *err) {
        const json_t *leaf = json_object_get(object, "leafWeight");

        if (!leaf || json_is_null(leaf) || (json_is_integer(leaf) && json_integer_value(leaf) == 0))
                return 0;
        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "linux.resources.%s.leafWeight is not supported: kernels since 5.0 have no such weight", field);
}

int resources_parse_block_io(const struct cgroup_host *h, const json_t *spec, struct resources *r, struct err *err) {
        const json_t *weight = json_object_get(spec, "weight");
        char field[64];
        json_t *list, *v;
        size_t i;
        int e = refuse_leaf_weight(spec, "blockIO", err);

        if (e < 0)
                return e;
        if (weight && !json_is_null(weight) && !(json_is_integer(weight) && json_integer_value(weight) == 0))
                e = add_weight(h, weight, NULL, "blockIO.weight", r, err);
        if (e == 0)
                e = resources_array(spec, "blockIO.", "weightDevice", &list, err);
        if (e < 0)
                return e;
        json_array_foreach(list, i, v) {
                snprintf(field, sizeof(field), "blockIO.weightDevice[%zu]", i);
                if (e == 0)
                        e = refuse_leaf_weight(v, field, err);
                if (e == 0)
                        e = add_weight(h, json_object_get(v, "weight"), v, field, r, err);
        }
        for (size_t kind = 0; e == 0 && kind < ARRAY_SIZE(throttles); kind++) {
                e = resources_array(spec, "blockIO.", throttles[kind].key, &list, err);
                if (e < 0)
                        return e;
                json_array_foreach(list, i, v)
                        if (e == 0)
                                e = add_throttle(h, v, kind, i, r, err);
        }
        return e;
}
