/* SPDX-License-Identifier: Apache-2.0 */

/* Settings → files of a cgroup that exists. */

#include "runtime/cgroup/private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

static bool is_rare(const struct cgroup_host *h, const struct setting *s) {
        const struct hierarchy *in = s->v2 ? NULL : host_find_v1(h, s->controller);

        return in && in >= h->rare && in < h->rare + h->n_rare;
}

static int explain(const struct cgroup_host *h, const struct setting *s, bool fresh, int e, struct err *err) {
        if (e == -ENOENT && !fresh && is_rare(h, s))
                return err_set(err, ERR_UNSUPPORTED, e, "linux.resources.%s: must be given when the container is made: it has not entered the hierarchy of %s",
                               s->field, controller_name(s->controller, false));
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

/* Of these the kernel allows some pairs only, and so sometimes one order only: limit <= limit with swap, quota <= period … When the first is
 * refused it is tried again after the second. The row of the second is then written twice, which does no harm. */
static const char *const pairs[][2] = {
        { "memory.limit", "memory.swap" },
        { "cpu.period", "cpu.quota" },
        { "cpu.quota", "cpu.burst" },
        { "cpu.realtimePeriod", "cpu.realtimeRuntime" },
};

static const struct setting *partner(const struct resources *r, const struct setting *s) {
        for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
                for (size_t k = 0; k < r->n_settings && strcmp(s->field, pairs[i][0]) == 0; k++)
                        if (strcmp(r->settings[k].field, pairs[i][1]) == 0)
                                return &r->settings[k];
        return NULL;
}

static int write_setting(const struct cgroup_host *h, const char *path, const struct setting *s) {
        int fd = hierarchy_of(h, s), e = cgroup_file_write(fd, path, s->file, s->value);

        if (e == -ENOENT && s->otherwise == ELSE_NOTHING)
                return 0;
        if (e == -ENOENT && s->otherwise == ELSE_OTHER)
                return cgroup_file_write(fd, path, s->other_file, s->other_value);
        return e;
}

static int apply_one(const struct cgroup_host *h, const char *path, const struct resources *r, size_t i) {
        const struct setting *s = &r->settings[i], *second = partner(r, s);
        int e = write_setting(h, path, s);

        if (e == -EINVAL && second && write_setting(h, path, second) == 0)
                e = write_setting(h, path, s);
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
                        return explain(h, &r->settings[i], fresh, e, err);
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
