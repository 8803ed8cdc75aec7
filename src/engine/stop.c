/* SPDX-License-Identifier: Apache-2.0 */
/* stop, kill, restart, pause, resize: what is done to a container that runs. */

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/db.h"
#include "engine/events.h"
#include "engine/internal.h"
#include "engine/monitors.h"
#include "engine/spec.h"
#include "engine/volumes.h"
#include "runtime/cgroup/cgroup.h"

enum { DEFAULT_STOP_S = 10, KILL_WAIT_MS = 10000 };

int engine_signal_parse(const char *text, int *ret, struct err *err) {
        const char *name = !strncasecmp(text, "SIG", 3) ? text + 3 : text;
        uint64_t n;

        if (str_to_u64(text, 1, (uint64_t) SIGRTMAX, &n) == 0) {
                *ret = (int) n;
                return 0;
        }
        for (int i = 1; i < SIGRTMIN; i++) {
                const char *known = sigabbrev_np(i);

                if (known && !strcasecmp(known, name)) {
                        *ret = i;
                        return 0;
                }
        }
        /* The two that the C library keeps for itself are counted by the kernel's numbers: RTMIN is 34 as everywhere else. */
        if (!strncasecmp(name, "RTMIN", 5) && (!name[5] || (name[5] == '+' && str_to_u64(name + 6, 0, (uint64_t) (SIGRTMAX - SIGRTMIN), &n) == 0))) {
                *ret = SIGRTMIN + (name[5] ? (int) n : 0);
                return 0;
        }
        if (!strncasecmp(name, "RTMAX", 5) && (!name[5] || (name[5] == '-' && str_to_u64(name + 6, 0, (uint64_t) (SIGRTMAX - SIGRTMIN), &n) == 0))) {
                *ret = SIGRTMAX - (name[5] ? (int) n : 0);
                return 0;
        }
        return err_set(err, ERR_INVALID, -EINVAL, "invalid signal: %s", text);
}

static int not_running(struct err *err, const struct container_row *row) {
        return err_set(err, ERR_CONFLICT, -ESRCH, "container %s is not running", row->name);
}

/* The monitor delivers it: it is the parent of init, so the pid cannot be somebody else's by now. */
static int send_signal(struct container *c, int signal, struct err *err) {
        auto_link *link = container_get_link(c);

        if (!link)
                return not_running(err, &c->row);
        return monitor_link_signal(link, NULL, signal, err);
}

static int thaw(struct engine *e, struct container *c, struct err *err) {
        auto_free char *cgroup = engine_cgroup_path(e, &c->row);
        struct container_row next = c->row;
        int r;

        if (next.state != CONTAINER_PAUSED)
                return 0;
        r = cgroup ? cgroup_freeze(e->cgroups, cgroup, false, err) : -ENOMEM;
        if (r < 0)
                return r;
        next.state = CONTAINER_RUNNING;
        return container_store(c, &next, err);
}

/* The spec's own words about stopping. */
static void stop_defaults(struct engine *e, struct container *c, int *timeout_s, int *signal) {
        auto_json *body = NULL;
        auto_spec s = {};

        if (db_spec(e->db, c->row.id, &body, NULL) == 0 && spec_parse(body, &s, NULL) == 0) {
                if (*timeout_s == -1 && s.stop_timeout >= -1 && json_is_integer(json_object_get(body, "StopTimeout")))
                        *timeout_s = s.stop_timeout == -1 ? -2 : (int) s.stop_timeout;
                if (*signal == 0 && *s.stop_signal)
                        engine_signal_parse(s.stop_signal, signal, NULL);
        }
        if (*timeout_s == -1)
                *timeout_s = DEFAULT_STOP_S;
        if (*signal == 0)
                *signal = SIGTERM;
}

/* Remember that a person wanted it, so that no restart policy brings it back, and send the first signal. */
static int begin_stop(struct engine *e, struct container *c, int signal, struct err *err) {
        auto_op *op = container_op_lock(c);
        struct container_row next = c->row;
        int r;

        if (c->gone)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "No such container: %s", c->row.id);
        if (next.state == CONTAINER_RESTARTING) {
                next.state = CONTAINER_EXITED;
                next.stopped_by_user = true;
                r = container_store(c, &next, err);
                if (r == 0)
                        container_notify_waiters(c, HAPPENED_EXIT, next.exit_code);
                return r;
        }
        if (!container_state_is_live(next.state))
                return err_set(err, ERR_NOT_MODIFIED, -EALREADY, "container %s is already stopped", next.name);
        /* Its last words may be written into a volume. */
        if (next.state == CONTAINER_PAUSED && signal != SIGKILL && (r = volumes_check_idle(e, next.id, err)) < 0)
                return r;
        next.stopped_by_user = true;
        container_store_fact(c, &next); /* a full disk must not keep anybody from stopping what fills it */
        fault_point("stop", "row");
        r = send_signal(c, signal, err);
        fault_point("stop", "signal");
        /* A frozen process takes a signal when it thaws. */
        if (r == 0 || c->row.state == CONTAINER_PAUSED)
                r = thaw(e, c, err);
        return r;
}

int engine_stop(struct engine *e, const char *name, int timeout_s, int signal, struct err *err) {
        auto_container *c = NULL;
        auto_free char *cgroup = NULL;
        struct err ignored;
        int r = table_find(&e->table, name, &c, err);

        if (r < 0)
                return r;
        stop_defaults(e, c, &timeout_s, &signal);
        r = begin_stop(e, c, signal, &ignored);
        if (r < 0 && (ignored.kind == ERR_NOT_MODIFIED || ignored.kind == ERR_NOT_FOUND || ignored.kind == ERR_INTERNAL || r == -EBUSY)) {
                if (err)
                        *err = ignored;
                return r;
        }
        events_container(c, "kill", json_pack("{s:o}", "signal", json_sprintf("%d", signal)));
        r = container_wait_stopped(c, timeout_s == -2 ? -1 : timeout_s * 1000ll);
        if (r == -ETIMEDOUT) {
                send_signal(c, SIGKILL, NULL);
                if (signal != SIGKILL)
                        events_container(c, "kill", json_pack("{s:s}", "signal", "9"));
                r = container_wait_stopped(c, KILL_WAIT_MS);
        }
        /* A monitor that does not do as it is told. */
        if (r == -ETIMEDOUT && (cgroup = engine_cgroup_path(e, &c->row))) {
                cgroup_kill(e->cgroups, cgroup, SIGKILL, NULL);
                r = container_wait_stopped(c, KILL_WAIT_MS);
        }
        if (r < 0)
                return err_set(err, ERR_INTERNAL, r, "container %s does not end, not even by SIGKILL", c->row.name);
        events_container(c, "stop", NULL);
        fault_point("stop", "answer");
        return 0;
}

int engine_kill(struct engine *e, const char *name, const char *signal_text, struct err *err) {
        auto_container *c = NULL;
        int signal = SIGKILL, r;

        if (signal_text && *signal_text && (r = engine_signal_parse(signal_text, &signal, err)) < 0)
                return r;
        r = table_find(&e->table, name, &c, err);
        if (r < 0)
                return r;
        {
                auto_op *op = container_op_lock(c);
                struct container_row next = c->row;

                if (c->gone || !container_state_is_live(next.state))
                        return err_set(err, ERR_CONFLICT, -ESRCH, "cannot kill container: %s: container %s is not running", name, next.id);
                if (next.state == CONTAINER_PAUSED && signal != SIGKILL)
                        return err_set(err, ERR_CONFLICT, -EBUSY, "cannot kill container: %s: container is paused, unpause it first", name);
                /* Only what ends it for sure counts as the user's wish that it be down. */
                if (signal == SIGKILL || signal == SIGTERM) {
                        next.stopped_by_user = true;
                        container_store_fact(c, &next);
                }
                r = send_signal(c, signal, err);
                if (r == 0)
                        r = thaw(e, c, err);
        }
        if (r == 0)
                events_container(c, "kill", json_pack("{s:o}", "signal", json_sprintf("%d", signal)));
        return r;
}

int engine_restart(struct engine *e, const char *name, int timeout_s, int signal, struct err *err) {
        auto_container *c = NULL;
        struct err stopping;
        int r = table_find(&e->table, name, &c, err);

        if (r < 0)
                return r;
        r = engine_stop(e, c->row.id, timeout_s, signal, &stopping);
        if (r < 0 && stopping.kind != ERR_NOT_MODIFIED) {
                if (err)
                        *err = stopping;
                return r;
        }
        r = engine_start(e, c->row.id, err);
        if (r == 0)
                events_container(c, "restart", NULL);
        return r;
}

int engine_pause(struct engine *e, const char *name, bool paused, struct err *err) {
        auto_container *c = NULL;
        int r = table_find(&e->table, name, &c, err);

        if (r < 0)
                return r;
        {
                auto_op *op = container_op_lock(c);
                auto_free char *cgroup = engine_cgroup_path(e, &c->row);
                struct container_row next = c->row;

                if (c->gone || (paused && !container_state_is_live(next.state)))
                        return not_running(err, &next);
                if ((next.state == CONTAINER_PAUSED) == paused)
                        return err_set(err, ERR_CONFLICT, -EALREADY, paused ? "container %s is already paused" : "container %s is not paused", next.name);
                if (!cgroup)
                        return err_errno(err, -ENOMEM, "container %s", next.name);
                r = paused ? 0 : volumes_check_idle(e, next.id, err);
                if (r == 0)
                        r = cgroup_freeze(e->cgroups, cgroup, paused, err);
                if (r < 0)
                        return r;
                fault_point("pause", "frozen");
                next.state = paused ? CONTAINER_PAUSED : CONTAINER_RUNNING;
                r = container_store(c, &next, err);
                if (r < 0) {
                        cgroup_freeze(e->cgroups, cgroup, !paused, NULL);
                        return r;
                }
        }
        fault_point("pause", "row");
        events_container(c, paused ? "pause" : "unpause", NULL);
        return 0;
}

int engine_resize(struct engine *e, const char *name, uint16_t rows, uint16_t columns, struct err *err) {
        auto_container *c = NULL;
        auto_link *link = NULL;
        struct container_row row;
        int r = table_find(&e->table, name, &c, err);

        if (r < 0)
                return r;
        container_peek(c, &row);
        link = container_get_link(c);
        if (!link)
                return not_running(err, &row);
        r = monitor_link_resize(link, NULL, rows, columns, err);
        if (r == 0)
                events_container(c, "resize", json_pack("{s:o, s:o}", "height", json_sprintf("%u", rows), "width", json_sprintf("%u", columns)));
        return r;
}
