/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "oci/config.h"
#include "oci/container.h"
#include "oci/limits.h"
#include "oci/oci.h"
#include "oci/scope.h"
#include "runtime/cgroup/cgroup.h"

static int load(const char *path, json_t **ret, struct err *err) {
        auto_free char *text = NULL;
        bool from_input = strcmp(path, "-") == 0;
        size_t size;
        int r = from_input ? fd_read_file(STDIN_FILENO, CONFIG_MAX, &text, &size) : file_read_at(AT_FDCWD, path, CONFIG_MAX, &text, &size);

        if (r < 0)
                return err_errno(err, r, "resources %s", path);
        return json_parse_unsigned(text, size, CONFIG_MAX, "resources", ret, err);
}

static int resources_of_flags(const struct options *o, json_t **ret, struct err *err) {
        auto_json *resources = json_object();
        int r = limits_add(o, resources, err);

        if (r == 0 && json_object_size(resources) == 0)
                r = err_set(err, ERR_INVALID, -EINVAL, "update needs --resources, or the flag of a limit");
        if (r == 0)
                *ret = json_incref(resources);
        return r;
}

int command_update(const struct options *o, char **args, int n_args, struct err *err) {
        auto_container c = CONTAINER_NONE;
        auto_json *resources = NULL;
        const struct cgroup_host *h = NULL;
        enum container_status status;
        int r;

        if (o->resources)
                r = load(o->resources, &resources, err);
        else
                r = resources_of_flags(o, &resources, err);
        if (r == 0)
                r = container_open(o, args[0], true, &c, err);
        if (r == 0)
                r = container_status(&c, &status, err);
        if (r == 0 && status == STATUS_STOPPED)
                r = err_set(err, ERR_CONFLICT, -ESRCH, "container not running: %s", c.id);
        if (r == 0)
                r = container_need_cgroup(&c, "update", err);
        if (r == 0)
                r = container_cgroups(&c, &h, err);
        if (r == 0)
                r = cgroup_update(h, container_cgroup_path(&c), resources, err);
        /* After it, as the kernel's refusal names the field; systemd must know, or it would write its old value again. */
        return r < 0 ? r : scope_update(&c, resources, err);
}
