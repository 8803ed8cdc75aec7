/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/container.h"
#include "oci/oci.h"
#include "runtime/cgroup/cgroup.h"

static int freeze(const struct options *o, const char *id, bool frozen, struct err *err) {
        const enum container_status wanted = frozen ? STATUS_RUNNING : STATUS_PAUSED;
        auto_container c = CONTAINER_NONE;
        const struct cgroup_host *h = NULL;
        enum container_status status;
        int r = container_open(o, id, true, &c, err);

        if (r == 0)
                r = container_status(&c, &status, err);
        if (r < 0)
                return r;
        if (status != wanted)
                return err_set(err, ERR_CONFLICT, -EBUSY, "container not %s: cannot %s %s that is %s", frozen ? "running" : "paused",
                               frozen ? "pause" : "resume", id, container_status_name(status));
        r = container_need_cgroup(&c, frozen ? "pause" : "resume", err);
        if (r == 0)
                r = container_cgroups(&c, &h, err);
        return r < 0 ? r : cgroup_freeze(h, container_cgroup_path(&c), frozen, err);
}

int command_pause(const struct options *o, char **args, int n_args, struct err *err) {
        return freeze(o, args[0], true, err);
}

int command_resume(const struct options *o, char **args, int n_args, struct err *err) {
        return freeze(o, args[0], false, err);
}
