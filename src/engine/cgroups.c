/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cgroups.h"

#include <stdio.h>
#include <string.h>

#include "base/proc.h"
#include "engine/internal.h"
#include "runtime/cgroup/cgroup.h"

const char *cgroups_driver(const struct engine *e) {
        return e->systemd_cgroups ? "systemd" : "cgroupfs";
}

int cgroups_check_host(const struct engine *e, struct err *err) {
        auto_fd program = -EBADF;
        int r;

        if (!e->systemd_cgroups)
                return 0;
        r = scope_check_host(&(struct scope) { .user = false }, err);
        if (r == 0)
                r = proc_open_program("kist-systemd", &program, err);
        return r < 0 ? err_prefix(err, "native.cgroupdriver=systemd") : 0;
}

static int scope_of_row(const char *parent, const char *id, struct scope *ret, struct err *err) {
        auto_free char *text = str_format("%s:kist:%s", parent, id);

        if (!text)
                return err_errno(err, -ENOMEM, "cgroup of container %.12s", id);
        if (scope_parse(text, id, false, ret, NULL) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\", not \"%s\"", parent);
        return 0;
}

int engine_check_cgroup_parent(bool systemd, const char *parent, struct err *err) {
        struct scope s;

        return systemd ? scope_of_row(parent, "0", &s, err) : 0;
}

int cgroups_check_parent(const struct engine *e, const char *parent, struct err *err) {
        return parent ? engine_check_cgroup_parent(e->systemd_cgroups, parent, err) : 0;
}

int cgroups_choose(const struct engine *e, struct container_row *row, struct err *err) {
        const char *parent = row->cgroup_parent ? row->cgroup_parent : e->cgroup_parent;
        auto_free char *path = NULL;
        struct scope s;
        int r = e->systemd_cgroups ? scope_of_row(parent, row->id, &s, err) : 0;

        if (r < 0)
                return r;
        path = e->systemd_cgroups ? scope_cgroup_path(&s) : str_format("%s/%s", parent, row->id);
        if (!path)
                return err_errno(err, -ENOMEM, "cgroup of container %.12s", row->id);
        if (strlen(path) >= sizeof(row->cgroup))
                return err_set(err, ERR_INVALID, -ENAMETOOLONG, "HostConfig.CgroupParent: \"%.80s\" is too long", parent);
        snprintf(row->cgroup, sizeof(row->cgroup), "%s", path);
        return 0;
}

char *engine_cgroup_path(const struct engine *e, const struct container_row *row) {
        struct container_row of_now;

        if (*row->cgroup)
                return strdup(row->cgroup);
        of_now = *row;
        return cgroups_choose(e, &of_now, NULL) < 0 ? NULL : strdup(of_now.cgroup);
}

/* "a.slice/a-b.slice/UNIT.scope": false when it is none of systemd's. */
static bool scope_of_path(const char *path, struct scope *ret) {
        static const char suffix[] = ".scope";
        const char *unit = strrchr(path, '/'), *slice = path;
        size_t n;

        unit = unit ? unit + 1 : path;
        n = strlen(unit);
        if (n <= strlen(suffix) || n > UNIT_NAME_MAX || strcmp(unit + n - strlen(suffix), suffix) != 0)
                return false;
        *ret = (struct scope) { .slice = "-.slice" };
        memcpy(ret->unit, unit, n + 1);
        for (const char *slash; (slash = strchr(slice, '/')) && slash + 1 != unit;)
                slice = slash + 1;
        if (slice < unit)
                snprintf(ret->slice, sizeof(ret->slice), "%.*s", (int) (unit - 1 - slice), slice);
        return true;
}

int cgroups_make(struct engine *e, const char *path, const json_t *resources, struct scope_holder *ret, struct err *err) {
        auto_free char *made = NULL;
        struct scope s;
        int r;

        if (!scope_of_path(path, &s))
                return cgroup_create(e->cgroups, path, resources, err);
        r = scope_make_limited(&s, e->cgroups, resources, NULL, ret, &made, err);
        if (r == 0 && strcmp(made, path) != 0) {
                r = err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "systemd has put %s into %s", s.unit, made);
                scope_release(ret);
        }
        return r;
}

int cgroups_settle(struct engine *e, const char *path, const json_t *resources, struct scope_holder *holder, struct err *err) {
        return holder->pid > 0 ? scope_settle(e->cgroups, path, resources, holder, err) : 0;
}

int cgroups_update(struct engine *e, const char *path, const json_t *resources, struct err *err) {
        struct scope s;
        int r = cgroup_update(e->cgroups, path, resources, err);

        /* After it, as the kernel's refusal names the field; systemd must know, or it would write its old value again. */
        return r < 0 || !scope_of_path(path, &s) ? r : scope_update_limits(&s, e->cgroups, path, resources, err);
}

int cgroups_clear(struct engine *e, const char *path, struct err *err) {
        int r = cgroup_destroy(e->cgroups, path, err);
        struct scope s;

        return r < 0 || !scope_of_path(path, &s) ? r : scope_stop(&s, err);
}

int cgroups_remove(struct engine *e, const char *path, struct err *err) {
        struct scope s;

        /* Systemd was faster: it removes what is empty in v2, and in the hierarchies of v1 that are its own. */
        if (scope_of_path(path, &s) && !cgroup_exists(e->cgroups, path))
                return 0;
        return cgroups_clear(e, path, err);
}

void cgroups_oom_files(struct engine *e, const char *path, struct cgroup_oom_files *ret) {
        struct scope s;

        *ret = CGROUP_OOM_FILES_NONE;
        if (scope_of_path(path, &s))
                cgroup_oom_files(e->cgroups, path, ret);
}
