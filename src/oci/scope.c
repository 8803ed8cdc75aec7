/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/scope.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "oci/container.h"
#include "oci/oci.h"
#include "runtime/cgroup/cgroup.h"

bool scope_wanted(const struct options *o) {
        return o->systemd_cgroup || (o->cgroup_manager && strcmp(o->cgroup_manager, "systemd") == 0);
}

int scope_of_config(const struct options *o, const json_t *config, const char *id, struct scope *ret, struct err *err) {
        const json_t *path = json_object_get(json_object_get(config, "linux"), "cgroupsPath");

        if (path && !json_is_null(path) && !json_is_string(path))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.cgroupsPath is not a text");
        return scope_parse(json_string_value(path), id, rootless(o), ret, err);
}

static int add_file(const char *file, const char *value, void *data, struct err *err) {
        return scope_add_file(data, file, value, err);
}

static int add_annotations(struct scope_settings *s, const json_t *annotations, struct err *err) {
        const char *key;
        json_t *value;
        int r = 0;

        json_object_foreach((json_t *) annotations, key, value) {
                if (r == 0 && json_is_string(value))
                        r = scope_add_annotation(s, key, json_string_value(value), err);
        }
        return r;
}

static const json_t *resources_of(const json_t *config) {
        return json_object_get(json_object_get(config, "linux"), "resources");
}

static int64_t pids_limit(const json_t *config) {
        return json_get_int(json_object_get(resources_of(config), "pids"), "limit", 0);
}

/* The files of the cgroup are ours (Delegate=yes): all of the resources go there, what systemd has no property for and what it has. The holder
 * is one process more than the container may have. */
static int write_limits(struct container *c, const json_t *config, const char *cgroup, struct err *err) {
        auto_json *resources = json_deep_copy(resources_of(config));
        const struct cgroup_host *h = NULL;
        int r = container_cgroups(c, &h, err);

        if (r == 0 && pids_limit(config) > 0)
                json_object_set_new(json_object_get(resources, "pids"), "limit", json_integer(pids_limit(config) + 1));
        return r < 0 ? r : cgroup_adopt(h, cgroup, resources, err);
}

static int note(struct container *c, const struct scope *s, struct err *err) {
        auto_free char *text = str_format("%s/%s", s->user ? "user" : "system", s->unit);

        if (!text || symlinkat(text, c->dir_fd, "scope") < 0)
                return err_errno(err, text ? -errno : -ENOMEM, "container %s: note of its scope", c->id);
        return 0;
}

/* Of a note only the unit is known, which is all that is needed to speak of it. */
static bool read_note(const struct container *c, struct scope *ret) {
        char text[UNIT_NAME_MAX + 16], *unit;
        ssize_t n = readlinkat(c->dir_fd, "scope", text, sizeof(text) - 1);

        if (n <= 0)
                return false;
        text[n] = '\0';
        unit = strchr(text, '/');
        if (!unit || strlen(unit + 1) > UNIT_NAME_MAX)
                return false;
        *ret = (struct scope) { .user = str_starts_with(text, "user/"), .slice = "system.slice" };
        memcpy(ret->unit, unit + 1, strlen(unit + 1) + 1);
        return true;
}

int scope_make(struct container *c, const struct scope *s, const json_t *config, struct scope_holder *ret, char **ret_cgroup, struct err *err) {
        auto_scope_settings settings = { .n = 0 };
        struct scope_holder holder = SCOPE_HOLDER_NONE;
        const struct cgroup_host *h = NULL;
        char *cgroup = NULL;
        int r = container_cgroups(c, &h, err);

        if (r == 0)
                r = scope_check_host(s, err);
        if (r == 0 && strcmp(cgroup_host_version(h), "2") != 0)
                r = err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "systemd keeps its cgroups in v1 here, which this driver does not");
        if (r == 0)
                r = cgroup_settings_v2(h, resources_of(config), add_file, &settings, err);
        if (r == 0)
                r = add_annotations(&settings, json_get_object(config, "annotations"), err);
        if (r == 0)
                r = note(c, s, err);
        if (r < 0)
                return r;
        r = scope_start(s, &settings, &holder, &cgroup, err);
        if (r < 0) {
                /* There is none that is ours: one of the same name is somebody else's. */
                unlinkat(c->dir_fd, "scope", 0);
                return r;
        }
        r = write_limits(c, config, cgroup, err);
        if (r < 0) {
                scope_release(&holder);
                free(cgroup);
                return r;
        }
        *ret = holder;
        *ret_cgroup = cgroup;
        return 0;
}

int scope_entered(struct container *c, const json_t *config, const char *cgroup, struct scope_holder *h, struct err *err) {
        auto_json *pids = json_pack("{s:{s:I}}", "pids", "limit", (json_int_t) pids_limit(config));
        const struct cgroup_host *host = NULL;
        int r;

        scope_release(h);
        r = pids_limit(config) > 0 ? container_cgroups(c, &host, err) : 0;
        return r == 0 && host ? cgroup_update(host, cgroup, pids, err) : r;
}

int scope_update(struct container *c, const json_t *resources, struct err *err) {
        auto_scope_settings settings = { .n = 0 };
        const struct cgroup_host *h = NULL;
        struct scope s;
        int r = 0;

        if (!read_note(c, &s))
                return 0;
        r = container_cgroups(c, &h, err);
        if (r == 0)
                r = cgroup_settings_v2(h, resources, add_file, &settings, err);
        return r < 0 ? r : scope_set(&s, &settings, err);
}

int scope_forget(struct container *c, struct err *err) {
        struct scope s;
        int r;

        if (!read_note(c, &s))
                return 0;
        r = scope_stop(&s, err);
        if (r == 0)
                unlinkat(c->dir_fd, "scope", 0);
        return r;
}
