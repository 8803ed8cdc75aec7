/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from the end of a container's init. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "engine/cgroups.h"
#include "engine/db.h"
#include "engine/endpoints.h"
#include "engine/events.h"
#include "engine/exec.h"
#include "engine/health.h"
#include "engine/hooks.h"
#include "engine/internal.h"
#include "engine/monitors.h"
#include "engine/ports.h"
#include "engine/spec.h"
#include "engine/volumes.h"
#include "engine/work.h"
#include "runtime/cgroup/cgroup.h"
#include "storage/storage.h"

enum { LOST_STATUS = 137, BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 60000 };
#define STEADY_NS 10000000000ll /* who ran that long starts again without delay */

bool container_read_exit_file(int dir_fd, int *ret_status, int64_t *ret_started_ns, int64_t *ret_finished_ns) {
        struct monitor_exit_file f;
        auto_fd fd = openat(dir_fd, "exit", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0 || fd_read_all(fd, &f, sizeof(f)) < 0 || f.magic != MONITOR_EXIT_MAGIC)
                return false;
        *ret_status = f.status;
        *ret_started_ns = (int64_t) f.started_unix_ns;
        *ret_finished_ns = (int64_t) f.finished_unix_ns;
        return true;
}

/* The monitor did not say how it ended: its file does, or nobody does. */
static void find_status(struct engine *e, struct container_row *next, int *status, int64_t *finished_ns) {
        auto_fd dir = -EBADF;
        int64_t started;

        if (*status >= 0)
                return;
        if (storage_container_open(e->storage, next->id, &dir, NULL) == 0 && container_read_exit_file(dir, status, &started, finished_ns))
                return;
        *status = LOST_STATUS;
        *finished_ns = time_now_ns();
        snprintf(next->error, sizeof(next->error), "monitor lost");
}

/* Should it start again, and how long from now? */
static bool wants_restart(struct engine *e, struct container *c, int status, int64_t *ret_delay_ms) {
        const struct container_row *row = &c->row;
        auto_json *body = NULL;
        auto_spec s = {};

        if (row->stopped_by_user || row->auto_remove || db_spec(e->db, row->id, &body, NULL) < 0 || spec_parse(body, &s, NULL) < 0)
                return false;
        if (s.restart == SPEC_RESTART_NO)
                return false;
        if (s.restart == SPEC_RESTART_ON_FAILURE && (status == 0 || (s.restart_max && row->restart_count >= s.restart_max)))
                return false;
        if (time_now_ns() - row->started_ns > STEADY_NS || !c->restart_backoff_ms)
                c->restart_backoff_ms = BACKOFF_FIRST_MS;
        else
                c->restart_backoff_ms = c->restart_backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : c->restart_backoff_ms * 2;
        *ret_delay_ms = c->restart_backoff_ms;
        return true;
}

static void clean_up(struct engine *e, struct container *c, struct container_row *row, const char *cgroup) {
        struct err err;
        auto_free char *socket_name = str_format("%s/monitor.sock", row->id);

        if (cgroup && cgroups_remove(e, cgroup, &err) < 0)
                log_warning("container %.12s: %s", row->id, err.msg);
        fault_point("exit", "cgroup");
        ports_unpublish(e, c);
        endpoints_disconnect(e, row);
        hooks_after_stop(e, row->id);
        volumes_unmounted(e, row->id);
        if (socket_name)
                unlinkat(e->run_fd, socket_name, 0);
        run_directory_remove(e, row->id);
}

void container_exited(struct engine *e, struct container *c, int status, int64_t finished_ns) {
        struct container_row next = c->row, was = c->row;
        auto_free char *cgroup = engine_cgroup_path(e, &next);
        struct monitor_link *link = container_set_link(c, NULL);
        uint64_t oom_kills = 0;
        int64_t delay_ms = 0;
        bool restart;

        if (link)
                monitor_link_unref(link);
        if (!container_state_is_live(next.state))
                return;
        find_status(e, &next, &status, &finished_ns);
        next.oom_killed = status & MONITOR_STATUS_OOM;
        status &= ~MONITOR_STATUS_OOM;
        if (cgroup && cgroup_oom_kills(e->cgroups, cgroup, &oom_kills, NULL) == 0 && oom_kills > 0)
                next.oom_killed = true;
        restart = wants_restart(e, c, status, &delay_ms);
        next.state = restart ? CONTAINER_RESTARTING : CONTAINER_EXITED;
        next.exit_code = status;
        next.finished_ns = finished_ns;
        next.pid = 0;
        next.n_endpoints = 0;
        container_store_fact(c, &next);
        fault_point("exit", "row");

        /* Who waits has been told before the tidying up: op is held, so whoever acts on it comes after that. */
        execs_container_ended(e, c);
        health_end(c);
        if (!restart)
                container_notify_waiters(c, HAPPENED_EXIT, status);
        fault_point("exit", "waiters");
        clean_up(e, c, &was, cgroup);
        fault_point("exit", "clean-up");
        if (next.oom_killed)
                events_container(c, "oom", NULL);
        events_container(c, "die", json_pack("{s:o}", "exitCode", json_sprintf("%d", status)));
        if (restart)
                container_schedule_restart(e, c, delay_ms);
        else if (next.auto_remove) {
                struct err err;

                if (remove_container_locked(e, c, true, &err) < 0)
                        log_error("container %.12s: %s", next.id, err.msg);
        }
}

static void restart_drop(void *data) {
        container_unref(data);
}

static void restart_run(void *data) {
        auto_container *c = data;
        auto_op *op = container_op_lock(c);
        struct container_row next = c->row;
        struct err err;

        /* Stopped, started or removed meanwhile. */
        if (c->gone || next.state != CONTAINER_RESTARTING)
                return;
        next.restart_count++;
        container_store_fact(c, &next);
        fault_point("restart", "row");
        if (start_container(c->engine, c, &err) < 0)
                log_warning("container %.12s: restart: %s", next.id, err.msg);
}

void container_schedule_restart(struct engine *e, struct container *c, int64_t delay_ms) {
        if (work_add(e->work, delay_ms, restart_run, restart_drop, container_ref(c)) < 0) {
                log_error("container %.12s: no memory to restart it", c->row.id);
                container_unref(c);
        }
}
