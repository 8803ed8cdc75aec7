/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>

#include "base/fault.h"
#include "engine/cgroups.h"
#include "engine/db.h"
#include "engine/events.h"
#include "engine/exec.h"
#include "engine/hooks.h"
#include "engine/internal.h"
#include "engine/metrics.h"
#include "engine/monitors.h"
#include "engine/projects.h"
#include "engine/volumes.h"
#include "storage/storage.h"

#define REMOVE_VOLUMES "RemoveVolumes" /* in the stored body: they were to go too */

/* The body when volumes go with the container. That they do is written down, for the daemon that does the rest if this one dies. */
static int decide_volumes(struct engine *e, struct container *c, bool volumes, json_t **ret, struct err *err) {
        auto_json *body = NULL;
        auto_free char *text = NULL;

        if (!volumes && c->row.state != CONTAINER_REMOVING && c->row.state != CONTAINER_DEAD)
                return 0;
        if (db_spec(e->db, c->row.id, &body, NULL) < 0 || !json_object_size(json_get_object(body, VOLUMES_ANONYMOUS)))
                return 0;
        if (!json_get_bool(body, REMOVE_VOLUMES, false)) {
                int r;

                if (!volumes)
                        return 0;
                json_object_set_new(body, REMOVE_VOLUMES, json_true());
                text = json_text(body);
                r = text ? container_set_spec(c, text, err) : err_errno(err, -ENOMEM, "container %s", c->row.name);
                if (r < 0)
                        return r;
        }
        *ret = take_ptr(&body);
        return 0;
}

/* The row goes last: a daemon that dies in between finds "removing" and does the rest. */
int remove_container_locked(struct engine *e, struct container *c, bool volumes, struct err *err) {
        auto_free char *cgroup = engine_cgroup_path(e, &c->row);
        struct container_row next = c->row;
        int64_t begun = metrics_begin();
        char owner[PROJECT_OWNER_SIZE];
        auto_json *body = NULL;
        int r = decide_volumes(e, c, volumes, &body, err);

        if (r < 0)
                return r;
        next.state = CONTAINER_REMOVING;
        r = container_store(c, &next, err);
        if (r < 0)
                return r;
        fault_point("remove", "mark");
        project_of_container(next.id, owner);
        execs_container_ended(e, c);
        r = cgroup ? cgroups_remove(e, cgroup, err) : 0;
        fault_point("remove", "cgroup");
        if (r == 0)
                r = storage_container_remove(e->storage, next.id, err);
        fault_point("remove", "directory");
        if (r == 0)
                project_release(e, owner);
        if (r == 0 && body)
                volumes_remove_anonymous(e, next.id, body);
        fault_point("remove", "volumes");
        if (r == 0)
                r = db_delete(e->db, next.id, err);
        fault_point("remove", "row");
        if (r < 0) {
                next.state = CONTAINER_DEAD;
                container_store_fact(c, &next);
                container_notify_waiters(c, HAPPENED_REMOVAL, next.exit_code);
                return r;
        }
        run_directory_remove(e, next.id);
        table_remove(&e->table, c);
        pthread_mutex_lock(&c->lock);
        c->gone = true;
        pthread_cond_broadcast(&c->changed);
        pthread_mutex_unlock(&c->lock);
        container_notify_waiters(c, HAPPENED_REMOVAL, next.exit_code);
        metrics_end(e->metrics, METRICS_CONTAINER_DELETE, begun);
        events_container(c, "destroy", NULL);
        return 0;
}

int engine_remove(struct engine *e, const char *name, bool force, bool volumes, struct err *err) {
        auto_container *c = NULL;
        int r = table_find(&e->table, name, &c, err);

        if (r < 0)
                return r;
        for (;;) {
                {
                        auto_op *op = container_op_lock(c);

                        if (c->gone) /* --rm was faster */
                                return force ? 0 : err_set(err, ERR_NOT_FOUND, -ENOENT, "No such container: %s", name);
                        if (!container_state_is_live(c->row.state))
                                return remove_container_locked(e, c, volumes, err);
                }
                if (!force)
                        return err_set(err, ERR_CONFLICT, -EBUSY, "cannot remove container \"%s\": container is %s: stop the container before removing or force remove", name,
                                       container_state_name(c->row.state));
                r = engine_stop(e, c->row.id, 0, SIGKILL, err);
                if (r < 0 && err && err->kind != ERR_NOT_MODIFIED && err->kind != ERR_NOT_FOUND)
                        return r;
        }
}
