/* SPDX-License-Identifier: Apache-2.0 */

/* Cgroups that another program makes and removes: what it has to be told, and the rest. */

#include "runtime/cgroup/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

/* One that is there may be the other program's, with a process in it: it is taken as it is. */
static int make_rest(const struct cgroup_host *h, const char *path, const struct resources *r, struct err *err) {
        for (size_t i = 0; i < h->n_v1 + h->n_rare; i++) {
                const struct hierarchy *in = i < h->n_v1 ? &h->v1[i] : &h->rare[i - h->n_v1];
                int e;

                if (i >= h->n_v1 && !(in->controllers & r->v1_wanted))
                        continue;
                e = make_parents(in->dir_fd, path);
                if (e == 0 && mkdirat(in->dir_fd, path, 0755) < 0 && errno != EEXIST)
                        e = -errno;
                if (e < 0)
                        return err_errno(err, e, "cgroup %s", path);
        }
        return 0;
}

int cgroup_adopt(const struct cgroup_host *h, const char *path, const json_t *spec, struct err *err) {
        const struct hierarchy *cpuset = host_find_v1(h, CONTROLLER_CPUSET);
        struct resources r = { 0 };
        int e = host_has_v2(h) ? must_exist(h, path, err) : cgroup_path_check(path, err);

        if (e == 0)
                e = resources_parse(h, spec, &r, err);
        if (e < 0)
                return e;
        e = make_rest(h, path, &r, err);
        if (e == 0 && cpuset)
                e = v1_fill_cpuset(cpuset->dir_fd, path, err);
        /* Of v2 a file that is missing names its controller: nothing is enabled in cgroups that are not ours. */
        if (e == 0)
                e = resources_apply(h, path, &r, true, err);
        resources_done(&r);
        return e;
}

/* Which of the two files will be written, see resources_apply(). */
static bool takes_other(const struct cgroup_host *h, const char *path, const struct setting *s) {
        char file[CGROUP_FILE_MAX];
        int n;

        if (s->otherwise != ELSE_OTHER || !path)
                return s->otherwise == ELSE_OTHER;
        n = snprintf(file, sizeof(file), "%s/%s", path, s->file);
        return n > 0 && (size_t) n < sizeof(file) && faccessat(h->v2.dir_fd, file, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

/* A quota alone is one of the period that is in force, which the cgroup knows. */
static int tell_quota(const struct cgroup_host *h, const char *path, const struct setting *s, cgroup_setting_fn *each, void *data, struct err *err) {
        char text[CGROUP_VALUE_MAX];
        int e = 0;

        if (s->v2 && cgroup_file_read(h->v2.dir_fd, path, s->file, text, sizeof(text)) == 0) {
                text[strcspn(text, "\n")] = '\0';
                return each(true, s->file, text, data, err);
        }
        if (!s->v2 && cgroup_file_read(host_find_v1(h, CONTROLLER_CPU)->dir_fd, path, "cpu.cfs_period_us", text, sizeof(text)) == 0) {
                text[strcspn(text, "\n")] = '\0';
                e = each(false, "cpu.cfs_period_us", text, data, err);
        }
        return e < 0 ? e : each(s->v2, s->file, s->value, data, err);
}

static int tell(const struct cgroup_host *h, const char *path, const struct setting *s, cgroup_setting_fn *each, void *data, struct err *err) {
        bool other = s->v2 && takes_other(h, path, s);

        if (path && strcmp(s->file, s->v2 ? "cpu.max" : "cpu.cfs_quota_us") == 0)
                return tell_quota(h, path, s, each, data, err);
        return each(s->v2, other ? s->other_file : s->file, other ? s->other_value : s->value, data, err);
}

static int tell_devices(const struct cgroup_host *h, const struct resources *r, cgroup_setting_fn *each, void *data, struct err *err) {
        int e = 0;

        if (!host_find_v1(h, CONTROLLER_DEVICES) || r->devices_allowed)
                return 0;
        for (size_t i = 0; i < r->n_devices; i++)
                if (!r->devices[i].allow)
                        return 0;
        for (size_t i = 0; e == 0 && i < r->n_devices; i++) {
                char line[DEVICE_LINE_MAX];

                device_rule_line(&r->devices[i], line);
                e = each(false, "devices.allow", line, data, err);
        }
        return e;
}

int cgroup_settings(const struct cgroup_host *h, const char *path, const json_t *spec, cgroup_setting_fn *each, void *data, struct err *err) {
        struct resources r = { 0 };
        int e = resources_parse(h, spec, &r, err);

        for (size_t i = 0; e == 0 && i < r.n_settings; i++)
                e = tell(h, path, &r.settings[i], each, data, err);
        /* An update that does not speak of devices leaves them. */
        if (e == 0 && (!path || r.has_devices))
                e = tell_devices(h, &r, each, data, err);
        resources_done(&r);
        return e;
}
