/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/container.h"
#include "oci/oci.h"

/* Something of that name may have been half made by somebody who died: claiming clears it away. */
static int delete_abandoned(const struct options *o, const char *id, struct err *err) {
        auto_container c = CONTAINER_NONE;
        int r = container_claim(o, id, &c, err);

        return r < 0 ? r : container_forget(&c, err);
}

int command_delete(const struct options *o, char **args, int n_args, struct err *err) {
        auto_container c = CONTAINER_NONE;
        enum container_status status;
        int r = container_open(o, args[0], true, &c, err);

        if (r == -ENOENT && err->kind == ERR_NOT_FOUND && o->force)
                return delete_abandoned(o, args[0], err);
        if (r == 0)
                r = container_status(&c, &status, err);
        if (r < 0)
                return r;
        /* One that was never started has done nothing yet: it goes without force, as it does with the other runtimes. */
        if (!o->force && (status == STATUS_RUNNING || status == STATUS_PAUSED))
                return err_set(err, ERR_CONFLICT, -EBUSY, "cannot delete container %s that is not stopped: %s", c.id, container_status_name(status));
        return container_destroy(o, &c, err);
}
