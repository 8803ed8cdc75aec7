/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/hooks.h"
#include "oci/launch.h"
#include "oci/notify.h"
#include "oci/oci.h"

/* Others may kill it, or execute something beside it, while we wait; they may also delete it, and make another of its name. */
static int wait_and_delete(const struct options *o, struct launched *l, struct notify *n, struct err *err) {
        int status, r;

        container_unlock(&l->container);
        status = foreground_wait(&l->process, n, err);
        if (status < 0 || o->keep)
                return status;
        r = container_lock_again(&l->container);
        if (r == 0)
                r = container_destroy(o, &l->container, err);
        else if (r == -ENOENT)
                r = 0;
        else
                r = err_errno(err, r, "container %s: lock", l->container.id);
        return r < 0 ? r : status;
}

int command_run(const struct options *o, char **args, int n_args, struct err *err) {
        auto_notify n = NOTIFY_NONE;
        struct launched l;
        int r;

        if (!o->detach)
                foreground_block();
        r = launch_container(o, args[0], false, &l, err);
        if (r < 0)
                return r;
        /* Who waits is the main process of our caller's service, and its exit status counts; else that is the container's. */
        r = notify_open(&l.container, o->detach ? l.process.pid : 0, &n, err);
        if (r == 0) {
                r = exec_release(&l.process, err);
                if (r < 0)
                        l.process.pid = 0; /* reaped by exec_release() */
        }
        if (r == 0)
                r = hooks_after_start(&l.container, err);
        if (r < 0) {
                launch_undo(o, &l, NULL);
        } else if (!o->detach) {
                r = wait_and_delete(o, &l, &n, err);
        } else {
                container_unlock(&l.container); /* waiting must be in nobody's way */
                notify_await(&n, l.process.pidfd);
        }
        launched_done(&l);
        return r;
}
