/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a container: a list of stages, each with what undoes it. When one fails, those before it are undone in reverse and the container is
 * what it was, with the reason in its state. */

#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "engine/events.h"
#include "engine/health.h"
#include "engine/hooks.h"
#include "engine/internal.h"
#include "engine/metrics.h"
#include "engine/monitors.h"
#include "engine/sandbox-pool.h"
#include "engine/spec.h"
#include "engine/starting.h"

/* In order; the order is what makes undoing simple. */
static const struct stage {
        const char *name;
        int (*apply)(struct starting *s, struct err *err);
        void (*undo)(struct starting *s);
} stages[] = {
        { "prepare", stage_prepare, stage_undo_prepare },
        { "namespaces", stage_make_namespaces, NULL },                  /* before the root: its ids; before the network: where eth0 goes */
        { "rootfs", stage_mount_rootfs, NULL },                         /* gone with its fd                                              */
        { "network", stage_connect_network, stage_disconnect_network }, /* before the files: /etc/hosts has the address                  */
        { "links", stage_find_links, NULL },                            /* after the network: one that both are on; before the files     */
        { "ports", stage_publish_ports, stage_unpublish_ports },        /* after the network: they lead to its address                   */
        { "volumes", stage_mount_volumes, stage_forget_volumes },       /* after the root: what it has in their place                    */
        { "files", stage_write_files, NULL },
        { "plan", stage_make_plan, NULL },                              /* needs the root, to look up the user                           */
        { "row", stage_store_starting, NULL },                          /* before anything that outlives this process                    */
        { "cgroup", stage_make_cgroup, stage_remove_cgroup },
        { "monitor", stage_spawn_monitor, stage_drop_monitor },
        { "run", stage_run_monitor, NULL },                             /* undone by killing the cgroup                                  */
        { "settle", stage_settle_cgroup, NULL },                        /* after the first process is in the cgroup                      */
        { "names", stage_tell_names, NULL },                            /* after the first process is there                              */
        { "commit", stage_store_running, NULL },
        { "listen", stage_listen_to_monitor, stage_forget_link },
};

static void starting_done(struct starting *s) {
        sandbox_pool_drop(s->e->sandboxes, s->sandbox);
        sandbox_pool_end(s->e->sandboxes);
        fd_close(s->dir);
        fd_close(s->run_dir);
        fd_close(s->userns);
        fd_close(s->netns);
        fd_close(s->pidns);
        fd_close(s->ipcns);
        fd_close(s->rootfs);
        fd_close(s->plan);
        fd_close(s->log);
        spec_done(&s->spec);
        json_decref(s->body);
        json_decref(s->hooked);
        free(s->cgroup);
        free(s->shm);
        if (s->link)
                monitor_link_unref(s->link);
}

/* Docker's words and exit codes: its command line tells 127 and 126 from the text. */
static void explain(struct starting *s, struct err *err) {
        static const char before[] = "failed to create task for container: failed to create shim task: OCI runtime create failed: ";
        const char *command = json_string_value(json_array_get(s->spec.entrypoint, 0));
        struct err reason = *err;

        if (!command)
                command = json_string_value(json_is_string(s->spec.cmd) ? s->spec.cmd : json_array_get(s->spec.cmd, 0));
        if (!command)
                command = "";
        if (err->kind == ERR_NO_COMMAND && !strchr(command, '/'))
                err_set(err, ERR_NO_COMMAND, reason.num, "%sexec: \"%s\": executable file not found in $PATH", before, command);
        else if (err->kind == ERR_NO_COMMAND)
                err_set(err, ERR_NO_COMMAND, reason.num, "%sexec: \"%s\": stat %s: no such file or directory", before, command, command);
        else if (err->kind == ERR_NOT_EXECUTABLE)
                err_set(err, ERR_NOT_EXECUTABLE, reason.num, "%sexec: \"%s\": %s", before, command, reason.num == -EISDIR ? "is a directory" : reason.num == -ENOEXEC ? "exec format error" : "permission denied");
}

static int exit_code_of(const struct err *err) {
        return err->kind == ERR_NO_COMMAND ? 127 : err->kind == ERR_NOT_EXECUTABLE ? 126 : 128;
}

static void drop_pending(struct container *c) {
        pthread_mutex_lock(&c->lock);
        for (size_t i = 0; i < c->n_pending; i++)
                fd_close(c->pending[i].fd);
        free(c->pending);
        c->pending = NULL;
        c->n_pending = 0;
        pthread_mutex_unlock(&c->lock);
}

static void store_failure(struct starting *s, const struct err *err) {
        struct container *c = s->c;
        struct container_row next = c->row;

        next.state = container_state_is_live(next.state) || next.state == CONTAINER_RESTARTING ? s->was : next.state;
        next.exit_code = exit_code_of(err);
        next.n_endpoints = 0;
        next.pid = 0;
        snprintf(next.error, sizeof(next.error), "%.*s", (int) sizeof(next.error) - 1, err->msg);
        /* RUNNING may only become EXITED: that it ran for a moment is the truth. */
        if (!container_may_move(c->row.state, next.state))
                next.state = CONTAINER_EXITED;
        container_store_fact(c, &next);
        drop_pending(c);
        container_notify_waiters(c, HAPPENED_EXIT, next.exit_code);
}

int start_container(struct engine *e, struct container *c, struct err *err) {
        struct starting s = { .e = e, .c = c, .row = c->row, .holder = SCOPE_HOLDER_NONE, .dir = -1, .run_dir = -1, .userns = -1, .netns = -1, .pidns = -1, .ipcns = -1, .rootfs = -1, .plan = -1, .log = -1 };
        int64_t begun = metrics_begin();
        struct err mine;
        size_t i;
        int r = 0;

        if (!err)
                err = &mine;
        /* A restart that fails is over. */
        s.was = c->row.state == CONTAINER_CREATED ? CONTAINER_CREATED : CONTAINER_EXITED;
        sandbox_pool_begin(e->sandboxes);
        for (i = 0; i < ARRAY_SIZE(stages); i++) {
                r = stages[i].apply(&s, err);
                if (r < 0) {
                        log_debug("container %.12s: start failed at %s: %s", s.row.id, stages[i].name, err->msg);
                        break;
                }
                fault_point("start", stages[i].name);
        }
        if (r < 0) {
                while (i-- > 0)
                        if (stages[i].undo)
                                stages[i].undo(&s);
                explain(&s, err);
                store_failure(&s, err);
        } else {
                metrics_end(e->metrics, METRICS_CONTAINER_START, begun);
                health_begin(e, c, &s.spec);
                deadline_begin(e, c, s.spec.timeout);
                events_container(c, "start", NULL);
                if (s.hooked)
                        hooks_after_start(e, s.hooked, &s.row);
        }
        starting_done(&s);
        return r;
}

int engine_start(struct engine *e, const char *name, struct err *err) {
        auto_container *c = NULL;
        int r = table_find(&e->table, name, &c, err);

        if (r < 0)
                return r;
        {
                auto_op *op = container_op_lock(c);
                bool first = c->row.started_ns == 0;

                if (c->gone)
                        return err_set(err, ERR_NOT_FOUND, -ENOENT, "No such container: %s", name);
                if (c->row.state == CONTAINER_PAUSED)
                        return err_set(err, ERR_CONFLICT, -EBUSY, "cannot start a paused container, try unpause instead");
                if (container_state_is_live(c->row.state))
                        return err_set(err, ERR_NOT_MODIFIED, -EALREADY, "container %s is already running", c->row.name);
                if (!container_may_move(c->row.state, CONTAINER_STARTING))
                        return err_set(err, ERR_CONFLICT, -EBUSY, "container is marked for removal and cannot be started");
                c->restart_backoff_ms = 0;
                if (c->row.restart_count) {
                        struct container_row next = c->row;

                        next.restart_count = 0; /* a person's start begins to count anew */
                        container_store_fact(c, &next);
                }
                r = start_container(e, c, err);
                /* --rm of something that never ran: nobody would remove it later. */
                if (r < 0 && first && c->row.auto_remove && !container_state_is_live(c->row.state))
                        remove_container_locked(e, c, true, NULL);
        }
        return r;
}
