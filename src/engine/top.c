/* SPDX-License-Identifier: Apache-2.0 */
/* GET /containers/NAME/top. */

#include "engine/top.h"

#include "engine/events.h"
#include "engine/internal.h"
#include "runtime/cgroup/cgroup.h"

int engine_top(struct engine *e, const char *name, const char *ps_args, json_t **ret, struct err *err) {
        auto_container *c = NULL;
        auto_free char *cgroup = NULL;
        auto_free pid_t *pids = NULL;
        struct container_row row;
        struct top_format format;
        struct top_clock clock;
        uint32_t first;
        json_t *lines;
        size_t n = 0;
        int r = table_find(&e->table, name, &c, err);

        if (r < 0 || (r = top_format_parse(ps_args, &format, err)) < 0)
                return r;
        container_peek(c, &row);
        if (row.state == CONTAINER_RESTARTING)
                return err_set(err, ERR_CONFLICT, -EBUSY, "Container %s is restarting, wait until the container is running", row.id);
        if (row.state != CONTAINER_RUNNING && row.state != CONTAINER_PAUSED)
                return err_set(err, ERR_CONFLICT, -ESRCH, "container %s is not running", row.id);
        cgroup = engine_cgroup_path(e, &row);
        r = cgroup ? cgroup_pids(e->cgroups, cgroup, &pids, &n, err) : err_errno(err, -ENOMEM, "top");
        if (r < 0)
                return r;
        top_clock_read(&clock);
        first = row.id_slot ? e->first_id + row.id_slot * ENGINE_ID_RANGE : UINT32_MAX;
        lines = json_array();
        for (size_t i = 0; i < n; i++) {
                struct top_process p;

                if (!top_process_read(pids[i], first, &p))
                        continue;
                json_array_append_new(lines, top_format_line(&format, &clock, &p));
                top_process_done(&p);
        }
        events_container(c, "top", NULL);
        *ret = json_pack("{s:o, s:o}", "Titles", top_format_titles(&format), "Processes", lines);
        return *ret ? 0 : err_errno(err, -ENOMEM, "top");
}
