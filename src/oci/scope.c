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

static const json_t *resources_of(const json_t *config) {
        return json_object_get(json_object_get(config, "linux"), "resources");
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
        const struct cgroup_host *h = NULL;
        int r = container_cgroups(c, &h, err);

        if (r == 0)
                r = note(c, s, err);
        if (r < 0)
                return r;
        r = scope_make_limited(s, h, resources_of(config), json_get_object(config, "annotations"), ret, ret_cgroup, err);
        /* There is none that is ours: one of the same name is somebody else's. */
        if (r < 0)
                unlinkat(c->dir_fd, "scope", 0);
        return r;
}

int scope_entered(struct container *c, const json_t *config, const char *cgroup, struct scope_holder *h, struct err *err) {
        const struct cgroup_host *host = NULL;
        int r = container_cgroups(c, &host, err);

        return r < 0 ? r : scope_settle(host, cgroup, resources_of(config), h, err);
}

int scope_update(struct container *c, const json_t *resources, struct err *err) {
        const struct cgroup_host *h = NULL;
        struct scope s;
        int r;

        if (!read_note(c, &s))
                return 0;
        r = container_cgroups(c, &h, err);
        return r < 0 ? r : scope_update_limits(&s, h, container_cgroup_path(c), resources, err);
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
