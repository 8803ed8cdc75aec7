/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "monitor/monitor.h"
#include "monitor/oom.h"

/* Ids come NUL-terminated and go into file names. */
static bool id_is_valid(const char id[MONITOR_ID_MAX], bool may_be_empty) {
        size_t n = strnlen(id, MONITOR_ID_MAX);

        for (size_t i = 0; i < n; i++)
                if (!((id[i] >= '0' && id[i] <= '9') || (id[i] >= 'a' && id[i] <= 'z') || (id[i] >= 'A' && id[i] <= 'Z')))
                        return false;
        return n < MONITOR_ID_MAX && (n > 0 || may_be_empty);
}

/* The container itself, or one of its execs. */
static struct process *find(const char exec_id[MONITOR_ID_MAX], struct err *err) {
        if (!id_is_valid(exec_id, true)) {
                err_set_raw(err, ERR_INVALID, -EINVAL, "id of an exec", NULL);
                return NULL;
        }
        if (!exec_id[0])
                return &monitor.init;
        for (size_t i = 0; i < MONITOR_EXEC_MAX; i++) {
                struct process *p = monitor.execs[i];

                if (p && !p->reported && !strcmp(p->exec_id, exec_id))
                        return p;
        }
        err_set_raw(err, ERR_NOT_FOUND, -ESRCH, "exec", exec_id);
        return NULL;
}

/* --- START --- */

/* The fds by their place in the list: those whose bit is not set were not sent. */
static int sort_fds(const struct monitor_start *m, const struct fd_list *list, int ret[MONITOR_FD_CGROUP_V1]) {
        size_t n = 0;

        for (int i = 0; i < MONITOR_FD_CGROUP_V1; i++) {
                ret[i] = -1;
                if (!(m->fd_mask & 1u << i))
                        continue;
                if (n == list->n)
                        return -EINVAL;
                ret[i] = list->fds[n++];
        }
        return m->n_cgroup_v1 <= EXEC_CGROUP_V1_MAX && m->n_sources <= EXEC_SOURCES_MAX && n + m->n_sources + m->n_cgroup_v1 == list->n ? 0 : -EINVAL;
}

static void no_fds(struct exec_fds *fds) {
        *fds = (struct exec_fds) { -1, -1, -1, -1, -1, .stdio = { -1, -1, -1 }, .target_pidfd = -1, .listen = -1, .start_fifo = -1 };
}

/* Everything that must be there before the container is: after it nothing may fail. */
static int prepare(const struct monitor_start *m, int log_options, struct err *err) {
        int r;

        r = control_listen(monitor.run_dir, err);
        if (r < 0)
                return r;
        if (log_options >= 0) {
                r = forward_open(&monitor.forward, log_options, err);
                if (r < 0)
                        return r;
                if (monitor.forward.how.forward == MONITOR_FORWARD_NONE)
                        monitor.log.attributes = monitor.forward.how.text;
                else
                        monitor.log.forward = &monitor.forward;
        }
        monitor.log.local = m->flags & MONITOR_LOG_LOCAL;
        monitor.log.unkept = !(m->flags & (MONITOR_LOG_JSON | MONITOR_LOG_LOCAL));
        if (!monitor.log.unkept || monitor.log.forward) {
                r = json_log_open(&monitor.log, monitor.state_dir, m->id, m->log_max_size, m->log_max_files);
                if (r < 0)
                        return err_set_raw(err, ERR_INTERNAL, r, "container's log", monitor.log.name);
                monitor.init.log = &monitor.log;
        }
        r = exit_file_prepare(monitor.state_dir, err);
        if (r < 0)
                return r;
        monitor.exit_file = r;
        return 0;
}

static int handle_start(const union monitor_message *message, struct fd_list *list, struct monitor_started *ret, struct err *err) {
        const struct monitor_start *m = &message->start;
        struct process_start start = { .rows = m->rows, .columns = m->columns, .foreign = m->flags & MONITOR_FOREIGN };
        int fds[MONITOR_FD_CGROUP_V1], r;

        if (monitor.init.state != PROCESS_NONE || monitor.failed)
                return err_set_raw(err, ERR_CONFLICT, -EALREADY, "container was started before", NULL);
        monitor.failed = true; /* until it is not */
        if (!id_is_valid(m->id, false) || sort_fds(m, list, fds) < 0 || fds[MONITOR_FD_PLAN] < 0 || fds[MONITOR_FD_STATE_DIR] < 0 ||
            fds[MONITOR_FD_RUN_DIR] < 0)
                return err_set_raw(err, ERR_INVALID, -EINVAL, "start message", NULL);
        memcpy(monitor.id, m->id, sizeof(monitor.id));
        monitor.init.flags = m->flags;
        monitor.state_dir = fds[MONITOR_FD_STATE_DIR];
        monitor.run_dir = fds[MONITOR_FD_RUN_DIR];
        for (size_t i = 0; i < list->n; i++) /* these stay */
                if (list->fds[i] == monitor.state_dir || list->fds[i] == monitor.run_dir || list->fds[i] == fds[MONITOR_FD_OOM] ||
                    list->fds[i] == fds[MONITOR_FD_OOM_PARENT] || list->fds[i] == fds[MONITOR_FD_OOM_EVENT])
                        list->fds[i] = -EBADF;
        oom_watch(fds[MONITOR_FD_OOM], fds[MONITOR_FD_OOM_PARENT], fds[MONITOR_FD_OOM_EVENT]);
        r = prepare(m, fds[MONITOR_FD_LOG], err);
        if (r < 0)
                return r;
        no_fds(&start.exec);
        start.exec.runtime_hooks = control_ask_for_hooks;
        start.exec.plan = fds[MONITOR_FD_PLAN];
        start.exec.rootfs = fds[MONITOR_FD_ROOTFS];
        start.exec.userns = fds[MONITOR_FD_USERNS];
        start.exec.netns = fds[MONITOR_FD_NETNS];
        start.exec.cgroup_v2 = fds[MONITOR_FD_CGROUP_V2];
        start.exec.n_cgroup_v1 = m->n_cgroup_v1;
        memcpy(start.exec.cgroup_v1_procs, list->fds + list->n - m->n_cgroup_v1, m->n_cgroup_v1 * sizeof(int));
        start.exec.n_sources = m->n_sources;
        memcpy(start.exec.sources, list->fds + list->n - m->n_cgroup_v1 - m->n_sources, m->n_sources * sizeof(int));
        r = process_start(&monitor.init, &start, err);
        if (r < 0)
                return r;
        monitor.failed = false;
        monitor.n_starts++;
        ret->pid = monitor.init.pid;
        ret->started_unix_ns = monitor.init.started_ns;
        return 0;
}

/* --- EXEC --- */

/* A free slot; when there is none, one of those that only background children still write to: they now learn that nobody reads. */
static int find_slot(void) {
        for (int i = 0; i < MONITOR_EXEC_MAX; i++)
                if (!monitor.execs[i])
                        return i;
        for (int i = 0; i < MONITOR_EXEC_MAX; i++) {
                if (!monitor.execs[i]->reported)
                        continue;
                request_free_exec((size_t) i);
                return i;
        }
        return -EBUSY;
}

void request_free_exec(size_t slot) {
        process_done(monitor.execs[slot]);
        munmap(monitor.execs[slot], sizeof(struct process));
        monitor.execs[slot] = NULL;
}

unsigned request_count_execs(void) {
        unsigned n = 0;

        for (size_t i = 0; i < MONITOR_EXEC_MAX; i++)
                n += monitor.execs[i] && !monitor.execs[i]->reported;
        return n;
}

static int start_exec(struct process *p, const struct monitor_exec *m, const struct fd_list *list, struct err *err) {
        struct process_start start = { .is_exec = true, .foreign = monitor.init.flags & MONITOR_FOREIGN, .detached = m->detached, .rows = m->rows, .columns = m->columns };
        size_t n = 0;

        process_init(p);
        memcpy(p->exec_id, m->exec_id, sizeof(p->exec_id));
        p->flags = (m->flags & (MONITOR_TTY | MONITOR_OPEN_STDIN)) | MONITOR_STDIN_ONCE;
        no_fds(&start.exec);
        start.exec.plan = list->fds[n++];
        if (m->has_cgroup_v2)
                start.exec.cgroup_v2 = list->fds[n++];
        start.exec.n_cgroup_v1 = m->n_cgroup_v1;
        memcpy(start.exec.cgroup_v1_procs, list->fds + n, m->n_cgroup_v1 * sizeof(int));
        start.exec.target_pidfd = monitor.init.pidfd.fd;
        return process_start(p, &start, err);
}

static int handle_exec(const union monitor_message *message, struct fd_list *list, struct monitor_started *ret, struct err *err) {
        const struct monitor_exec *m = &message->exec;
        struct process *p;
        int slot, r;

        if (monitor.init.state != PROCESS_RUNNING)
                return err_set_raw(err, ERR_CONFLICT, -ESRCH, "exec", "the container is not running");
        if (!id_is_valid(m->exec_id, false) || m->n_cgroup_v1 > EXEC_CGROUP_V1_MAX ||
            list->n != 1 + (m->has_cgroup_v2 ? 1 : 0) + m->n_cgroup_v1)
                return err_set_raw(err, ERR_INVALID, -EINVAL, "exec message", NULL);
        if (find(m->exec_id, NULL))
                return err_set_raw(err, ERR_CONFLICT, -EEXIST, "exec", m->exec_id);
        slot = find_slot();
        if (slot < 0)
                return err_set_raw(err, ERR_CONFLICT, slot, "exec", "too many run in this container already");
        p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
                return err_set_raw(err, ERR_INTERNAL, -errno, "exec", "memory");
        monitor.execs[slot] = p;
        r = start_exec(p, m, list, err);
        if (r < 0) {
                request_free_exec((size_t) slot);
                return r;
        }
        monitor.n_starts++;
        ret->pid = p->pid;
        ret->started_unix_ns = p->started_ns;
        return 0;
}

void request_report(struct process *p) {
        struct monitor_exited m = { .header = { MONITOR_EXITED, 0 }, .status = p->status, .finished_unix_ns = p->finished_ns };

        memcpy(m.exec_id, p->exec_id, sizeof(m.exec_id));
        p->reported = true;
        control_broadcast(&m, sizeof(m));
}

void request_report_detached(const struct process *p) {
        struct monitor_detached m = { .header = { MONITOR_DETACHED, 0 } };

        memcpy(m.exec_id, p->exec_id, sizeof(m.exec_id));
        control_broadcast(&m, sizeof(m));
}

/* --- the small ones --- */

static int handle_attach(const union monitor_message *m, struct fd_list *list, struct monitor_started *ret, struct err *err) {
        struct process *p = find(m->attach.exec_id, err);

        if (!p)
                return err->num;
        if (list->n != 1)
                return err_set_raw(err, ERR_INVALID, -EINVAL, "attach message", NULL);
        if (p->state == PROCESS_CLOSED)
                return err_set_raw(err, ERR_CONFLICT, -ESRCH, "attach", "the process has ended");
        return client_attach(p, &m->attach, &list->fds[0], err);
}

static int handle_resize(const union monitor_message *m, struct fd_list *list, struct monitor_started *ret, struct err *err) {
        struct process *p = find(m->resize.exec_id, err);

        return p ? process_resize(p, m->resize.rows, m->resize.columns, err) : err->num;
}

static int handle_signal(const union monitor_message *m, struct fd_list *list, struct monitor_started *ret, struct err *err) {
        struct process *p = find(m->signal.exec_id, err);

        if (p == &monitor.init && m->signal.signal == SIGKILL)
                oom_killed_by_us();
        return p ? process_signal(p, m->signal.signal, err) : err->num;
}

static int handle_close_log(const union monitor_message *m, struct fd_list *list, struct monitor_started *ret, struct err *err) {
        int r;

        if (!monitor.init.log)
                return err_set_raw(err, ERR_CONFLICT, -ENOENT, "container keeps no log", NULL);
        r = json_log_reopen(&monitor.log);
        return r < 0 ? err_set_raw(err, ERR_INTERNAL, r, "container's log", monitor.log.name) : 0;
}

/* The answer comes behind everything that was said before: whoever has it has heard all that happened until now. */
static int handle_ping(const union monitor_message *m, struct fd_list *list, struct monitor_started *ret, struct err *err) {
        return 0;
}

int request_handle(const union monitor_message *m, size_t size, struct fd_list *fds, struct monitor_started *ret, struct err *err) {
        static const struct {
                uint32_t type;
                size_t size;
                int (*handle)(const union monitor_message *, struct fd_list *, struct monitor_started *, struct err *);
        } requests[] = {
                { MONITOR_START, sizeof(m->start), handle_start },
                { MONITOR_ATTACH, sizeof(m->attach), handle_attach },
                { MONITOR_EXEC, sizeof(m->exec), handle_exec },
                { MONITOR_RESIZE, sizeof(m->resize), handle_resize },
                { MONITOR_SIGNAL, sizeof(m->signal), handle_signal },
                { MONITOR_CLOSE_LOG, sizeof(m->header), handle_close_log },
                { MONITOR_PING, sizeof(m->header), handle_ping },
        };

        *err = (struct err) { 0 };
        if (monitor.finished)
                return err_set_raw(err, ERR_CONFLICT, -ESRCH, "the container has ended", NULL);
        for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
                if (requests[i].type == m->header.type && requests[i].size == size)
                        return requests[i].handle(m, fds, ret, err);
        return err_set_raw(err, ERR_INVALID, -EPROTO, "message of unknown type or size", NULL);
}
