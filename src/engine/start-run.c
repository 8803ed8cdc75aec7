/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a container, the second half: its cgroup, its monitor, and the first process. */

#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/proc.h"
#include "engine/config.h"
#include "engine/hooks.h"
#include "engine/internal.h"
#include "engine/log-driver.h"
#include "engine/monitors.h"
#include "engine/names.h"
#include "engine/runtimes.h"
#include "engine/starting.h"
#include "runtime/cgroup/cgroup.h"

enum { TAG_START = 1, TAG_ATTACH = 2, START_TIMEOUT_MS = 60000 };

int stage_make_cgroup(struct starting *s, struct err *err) {
        auto_json *resources = config_resources(&s->spec);
        int r = cgroups_make(s->e, s->cgroup, resources, &s->holder, err);

        /* Left by an earlier life of this container whose end was not dealt with to the end. */
        if (r == -EEXIST || r == -EBUSY) {
                r = cgroups_clear(s->e, s->cgroup, err);
                if (r == 0)
                        r = cgroups_make(s->e, s->cgroup, resources, &s->holder, err);
        }
        return r;
}

void stage_remove_cgroup(struct starting *s) {
        struct err err;

        scope_release(&s->holder);
        if (cgroups_remove(s->e, s->cgroup, &err) < 0)
                log_warning("container %.12s: %s", s->row.id, err.msg);
}

/* From here on a crash of the daemon finds a row that says that there may be a monitor, a cgroup and an address. */
int stage_store_starting(struct starting *s, struct err *err) {
        s->row.state = CONTAINER_STARTING;
        s->row.error[0] = '\0';
        s->row.exit_code = 0;
        s->row.oom_killed = s->row.stopped_by_user = false;
        s->row.finished_ns = 0;
        return container_store(s->c, &s->row, err);
}

int stage_spawn_monitor(struct starting *s, struct err *err) {
        char *const argv[] = { (char *) "kist-monitor", NULL };
        struct proc_spawn spawn = { .exe_fd = s->e->monitor_fd, .argv = argv, .stdio = { -1, -1, 2 }, .n_fds = 1 };
        auto_fd theirs = -EBADF;
        int pair[2], pidfd = -EBADF, r;
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return err_errno(err, -errno, "socket of the monitor of container %.12s", s->row.id);
        theirs = pair[1];
        spawn.fds = &theirs;
        r = proc_spawn(&spawn, &pid, &pidfd, err);
        if (r < 0) {
                fd_close(pair[0]);
                return r;
        }
        return monitor_link_new(s->c, pair[0], pidfd, &s->link, err);
}

/* Closing its socket is all it takes: a monitor that has started nothing ends, and remove_cgroup() kills what was started. */
void stage_drop_monitor(struct starting *s) {
        monitor_link_unref(s->link);
        s->link = NULL;
}

/* Streams that came before the start. They go first, so that not a byte of output is missed. */
static void hand_over_streams(struct starting *s) {
        struct container *c = s->c;
        struct container_pending *pending;
        size_t n;

        pthread_mutex_lock(&c->lock);
        pending = c->pending;
        n = c->n_pending;
        c->pending = NULL;
        c->n_pending = 0;
        pthread_mutex_unlock(&c->lock);
        for (size_t i = 0; i < n; i++) {
                struct err err;

                pending[i].attach.header = (struct monitor_header) { MONITOR_ATTACH, (uint32_t) (TAG_ATTACH + i) };
                if (monitor_link_send(s->link, &pending[i].attach, sizeof(pending[i].attach), &pending[i].fd, 1, &err) < 0)
                        log_warning("container %.12s: a client's stream: %s", s->row.id, err.msg);
                fd_close(pending[i].fd);
        }
        free(pending);
}

static uint32_t monitor_flags(const struct spec *s) {
        const char *file = log_driver_file(&s->log);

        return (s->tty ? MONITOR_TTY : 0u) | (s->open_stdin ? MONITOR_OPEN_STDIN : 0u) | (s->stdin_once ? MONITOR_STDIN_ONCE : 0u) |
               (!file ? 0u : !strcmp(file, "json") ? MONITOR_LOG_JSON : MONITOR_LOG_LOCAL);
}

static int send_start(struct starting *s, struct err *err) {
        struct exec_fds cgroups = { .cgroup_v2 = -1 };
        struct monitor_start m = {
                .header = { MONITOR_START, TAG_START },
                .flags = monitor_flags(&s->spec) | (s->runtime ? MONITOR_FOREIGN : 0u),
                .log_max_size = s->spec.log.max_size ? s->spec.log.max_size : s->e->log_max_size,
                .log_max_files = s->spec.log.max_files ? s->spec.log.max_files : s->e->log_max_files,
        };
        struct cgroup_oom_files oom;
        int fds[FD_PASS_MAX], r;
        size_t n = 0;

        r = cgroup_open(s->e->cgroups, s->cgroup, &cgroups, err);
        if (r < 0)
                return r;
        cgroups_oom_files(s->e, s->cgroup, &oom);
        const int given[] = {
                [MONITOR_FD_PLAN] = s->plan,   [MONITOR_FD_ROOTFS] = s->rootfs,          [MONITOR_FD_USERNS] = s->userns,
                [MONITOR_FD_NETNS] = s->netns, [MONITOR_FD_CGROUP_V2] = cgroups.cgroup_v2, [MONITOR_FD_STATE_DIR] = s->dir,
                [MONITOR_FD_RUN_DIR] = s->run_dir, [MONITOR_FD_LOG] = s->log,
                [MONITOR_FD_OOM] = oom.own,    [MONITOR_FD_OOM_PARENT] = oom.parent,      [MONITOR_FD_OOM_EVENT] = oom.event,
        };

        memcpy(m.id, s->row.id, sizeof(m.id));
        m.rows = (uint16_t) json_integer_value(json_array_get(s->spec.console_size, 0));
        m.columns = (uint16_t) json_integer_value(json_array_get(s->spec.console_size, 1));
        for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
                if (given[i] < 0)
                        continue;
                m.fd_mask |= 1u << i;
                fds[n++] = given[i];
        }
        for (size_t i = 0; i < s->spec.n_source_fds; i++)
                fds[n++] = s->spec.source_fds[i];
        m.n_sources = (uint32_t) s->spec.n_source_fds;
        for (size_t i = 0; i < cgroups.n_cgroup_v1 && n < FD_PASS_MAX; i++)
                fds[n++] = cgroups.cgroup_v1_procs[i];
        if (cgroups.n_cgroup_v1)
                m.fd_mask |= 1u << MONITOR_FD_CGROUP_V1;
        m.n_cgroup_v1 = (uint32_t) cgroups.n_cgroup_v1;
        r = monitor_link_send(s->link, &m, sizeof(m), fds, n, err);
        cgroup_oom_files_close(&oom);
        cgroup_close(&cgroups);
        return r;
}

/* The container is made, but for its program, and its monitor waits until those hooks have run that expect it so. */
static int run_hooks(struct starting *s, int32_t pid, struct err *err) {
        struct monitor_failed done = { .header = { MONITOR_HOOKS_DONE, TAG_START } };
        int r, sent;

        r = s->hooked ? hooks_before_start(s->e, s->hooked, s->row.id, pid, &done.err) : err_set(&done.err, ERR_INTERNAL, -EPROTO, "hooks that nobody asked for");
        sent = monitor_link_send(s->link, &done, sizeof(done), NULL, 0, err);
        /* The monitor says it once more, when it has undone what it did. */
        return r < 0 ? monitor_link_read_answer(s->link, TAG_START, START_TIMEOUT_MS, NULL, err) : sent;
}

int stage_run_monitor(struct starting *s, struct err *err) {
        int timeout_ms = START_TIMEOUT_MS + hooks_seconds(&s->spec) * 1000, r;
        union monitor_message answer;

        hand_over_streams(s);
        s->hooks_began = s->hooked != NULL;
        r = send_start(s, err);
        if (r == 0)
                r = monitor_link_read_answer(s->link, TAG_START, timeout_ms, &answer, err);
        if (r == 0 && answer.header.type == MONITOR_HOOKS) {
                r = run_hooks(s, answer.started.pid, err);
                if (r == 0)
                        r = monitor_link_read_answer(s->link, TAG_START, timeout_ms, &answer, err);
        }
        if (r < 0)
                return r;
        s->row.pid = answer.started.pid;
        s->row.started_ns = (int64_t) answer.started.started_unix_ns;
        return 0;
}

int stage_settle_cgroup(struct starting *s, struct err *err) {
        auto_json *resources = config_resources(&s->spec);

        return cgroups_settle(s->e, s->cgroup, resources, &s->holder, err);
}

/* From now on they end with it, and can be had again without us. */
int stage_tell_names(struct starting *s, struct err *err) {
        (void) err;
        names_listen(s->e, &s->row, -EBADF, s->row.pid);
        return 0;
}

int stage_store_running(struct starting *s, struct err *err) {
        s->row.state = CONTAINER_RUNNING;
        return container_store(s->c, &s->row, err);
}

int stage_listen_to_monitor(struct starting *s, struct err *err) {
        container_set_link(s->c, monitor_link_ref(s->link));
        /* Last: the end of the container may be heard from this moment on, by another thread. */
        return monitor_link_listen(s->e->monitors, s->link, err);
}

void stage_forget_link(struct starting *s) {
        struct monitor_link *old = container_set_link(s->c, NULL);

        if (old)
                monitor_link_unref(old);
}
