/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/exec-list.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "engine/apparmor.h"
#include "engine/attach.h"
#include "engine/config.h"
#include "engine/db.h"
#include "engine/events.h"
#include "engine/fields.h"
#include "engine/internal.h"
#include "engine/runtimes.h"
#include "engine/monitors.h"
#include "engine/spec.h"
#include "runtime/cgroup/cgroup.h"
#include "runtime/plan/plan.h"

static int check_running(struct container *c, struct err *err) {
        struct container_row row;

        container_peek(c, &row);
        if (row.state == CONTAINER_PAUSED)
                return err_set(err, ERR_CONFLICT, -EBUSY, "container %s is paused, unpause the container before exec", row.name);
        if (row.state != CONTAINER_RUNNING)
                return err_set(err, ERR_CONFLICT, -ESRCH, "container %s is not running", row.id);
        return 0;
}

/* "sh -c date", for events. */
static json_t *command_text(const json_t *command) {
        auto_strbuf b;
        json_t *v;
        size_t i;

        strbuf_init(&b, 8192);
        json_array_foreach((json_t *) command, i, v)
                strbuf_addf(&b, "%s%s", i ? " " : "", json_string_value(v));
        return json_string(strbuf_error(&b) || !b.data ? "" : b.data);
}

static void publish_command(struct exec *x, const char *action) {
        auto_json *text = command_text(json_get_array(x->body, "Cmd"));
        auto_free char *event = text ? str_format("%s: %s", action, json_string_value(text)) : NULL;

        if (event)
                events_container(x->container, event, json_pack("{s:s}", "execID", x->id));
}

int engine_exec_create(struct engine *e, const char *name, const json_t *body, json_t **ret, struct err *err) {
        auto_container *c = NULL;
        struct exec *x;
        int r = table_find(&e->table, name, &c, err);

        if (r < 0 || (r = fields_check_exec(body, err)) < 0 || (r = check_running(c, err)) < 0)
                return r;
        if (!json_array_size(json_get_array(body, "Cmd")))
                return err_set(err, ERR_INVALID, -EINVAL, "No exec command specified");
        r = attach_parse_detach_keys(json_get_str(body, "DetachKeys", NULL), &(struct monitor_attach) { 0 }, err);
        if (r < 0)
                return r;
        x = calloc(1, sizeof(*x));
        if (!x)
                return err_errno(err, -ENOMEM, "exec");
        *x = (struct exec) {
                .refs = 1,
                .container = container_ref(c),
                .body = json_incref((json_t *) body),
                .tty = json_get_bool(body, "Tty", false),
                .attach_stdin = json_get_bool(body, "AttachStdin", false),
                .attach_stdout = json_get_bool(body, "AttachStdout", false),
                .attach_stderr = json_get_bool(body, "AttachStderr", false),
                .since_ns = time_now_ns(),
        };
        r = str_random_hex(x->id, 32);
        r = r < 0 ? err_errno(err, r, "exec") : exec_add(e, x, err);
        if (r < 0) {
                exec_put(e, x);
                return r;
        }
        publish_command(x, "exec_create");
        fault_point("exec", "create");
        *ret = json_pack("{s:s}", "Id", x->id);
        return 0;
}

/* A client asks for the exit status as soon as its stream has ended: what the monitor said before that end must be heard before the answer. */
static void hear_monitor(struct engine *e, struct exec *x) {
        struct monitor_header ping = { .type = MONITOR_PING };
        auto_link *link = NULL;
        bool running;

        pthread_mutex_lock(&e->execs->lock);
        running = x->state == EXEC_RUNNING;
        pthread_mutex_unlock(&e->execs->lock);
        if (running)
                link = container_get_link(x->container);
        if (link)
                monitor_link_call(link, &ping, sizeof(ping), NULL, 0, NULL, NULL);
}

int engine_exec_inspect(struct engine *e, const char *exec_id, json_t **ret, struct err *err) {
        struct exec *x;
        const json_t *cmd;
        json_t *rest;
        int r = exec_find(e, exec_id, &x, err);

        if (r < 0)
                return r;
        hear_monitor(e, x);
        cmd = json_get_array(x->body, "Cmd");
        rest = json_array();
        for (size_t i = 1; i < json_array_size(cmd); i++)
                json_array_append(rest, json_array_get(cmd, i));
        pthread_mutex_lock(&e->execs->lock);
        *ret = json_pack("{s:s, s:b, s:o, s:{s:b, s:O, s:o, s:b, s:s}, s:b, s:b, s:b, s:b, s:s, s:s, s:i}", "ID", x->id, "Running",
                         x->state == EXEC_STARTING || x->state == EXEC_RUNNING, "ExitCode", x->state == EXEC_ENDED ? json_integer(x->exit_code) : json_null(),
                         "ProcessConfig", "tty", x->tty, "entrypoint", json_array_get(cmd, 0), "arguments", rest, "privileged",
                         json_get_bool(x->body, "Privileged", false), "user", json_get_str(x->body, "User", ""), "OpenStdin", x->attach_stdin, "OpenStderr",
                         x->attach_stderr, "OpenStdout", x->attach_stdout, "CanRemove", x->state == EXEC_ENDED, "ContainerID", x->container->row.id, "DetachKeys",
                         json_get_str(x->body, "DetachKeys", ""), "Pid", (int) x->pid);
        pthread_mutex_unlock(&e->execs->lock);
        exec_put(e, x);
        return *ret ? 0 : err_errno(err, -ENOMEM, "exec %s", exec_id);
}

/* The container's root as its init sees it. The pid is that of a process whose monitor still holds it: it is checked again after the open. */
static int open_root(struct container *c, struct monitor_link *link, int *ret, struct err *err) {
        struct container_row row;
        char path[64];
        int fd;

        container_peek(c, &row);
        snprintf(path, sizeof(path), "/proc/%d/root", row.pid);
        fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || monitor_link_has_ended(link)) {
                fd_close(fd);
                return err_set(err, ERR_CONFLICT, -ESRCH, "container %s is not running", row.id);
        }
        *ret = fd;
        return 0;
}

static int make_plan(struct engine *e, struct exec *x, struct monitor_link *link, int *ret_plan, struct err *err) {
        struct container *c = x->container;
        auto_json *body = NULL, *config = NULL, *process = NULL;
        const char *user_name = json_get_str(x->body, "User", "");
        struct plan_options options = {};
        struct config_input in = { .id = c->row.id };
        struct plan_user user = {};
        auto_fd root = -EBADF, plan = -EBADF;
        auto_spec s = {};
        int r;

        r = open_root(c, link, &root, err);
        if (r < 0 || (r = db_spec(e->db, c->row.id, &body, err)) < 0 || (r = spec_parse(body, &s, err)) < 0)
                return r;
        r = plan_resolve_user(root, *user_name ? user_name : s.user, s.group_add, &user, err);
        if (r < 0)
                return r;
        in.spec = &s;
        in.apparmor = apparmor_profile(e, &s);
        in.user = &user;
        if ((r = config_container(&in, &config, err)) < 0 || (r = config_exec(&in, x->body, x->tty, &process, err)) < 0)
                return r;
        r = plan_process(process, config, &options, &plan, err);
        if (r == 0 && *s.runtime && strcmp(s.runtime, RUNTIME_OWN) != 0)
                return runtime_plan_exec(process, ret_plan, err);
        *ret_plan = move_fd(plan);
        return r;
}

static int send_exec(struct engine *e, struct exec *x, struct monitor_link *link, int plan, bool detach, uint16_t rows, uint16_t columns, struct err *err) {
        auto_free char *path = engine_cgroup_path(e, &x->container->row);
        struct exec_fds cgroups = { .cgroup_v2 = -1 };
        struct monitor_exec m = { .header.type = MONITOR_EXEC, .detached = detach, .rows = rows, .columns = columns };
        union monitor_message answer;
        int fds[FD_PASS_MAX], r;
        size_t n = 0;

        r = path ? cgroup_open(e->cgroups, path, &cgroups, err) : err_errno(err, -ENOMEM, "exec");
        if (r < 0)
                return r;
        memcpy(m.exec_id, x->id, sizeof(m.exec_id));
        m.flags = (x->tty ? MONITOR_TTY : 0u) | (x->attach_stdin ? MONITOR_OPEN_STDIN | MONITOR_STDIN_ONCE : 0u);
        fds[n++] = plan;
        if (cgroups.cgroup_v2 >= 0) {
                m.has_cgroup_v2 = 1;
                fds[n++] = cgroups.cgroup_v2;
        }
        for (size_t i = 0; i < cgroups.n_cgroup_v1 && n < FD_PASS_MAX; i++)
                fds[n++] = cgroups.cgroup_v1_procs[i];
        m.n_cgroup_v1 = (uint32_t) cgroups.n_cgroup_v1;
        r = monitor_link_call(link, &m, sizeof(m), fds, n, &answer, err);
        cgroup_close(&cgroups);
        if (r < 0)
                return r;
        pthread_mutex_lock(&e->execs->lock);
        /* It may have ended already: then its end was heard first. */
        if (x->state == EXEC_STARTING) {
                x->state = EXEC_RUNNING;
                x->pid = answer.started.pid;
        }
        pthread_mutex_unlock(&e->execs->lock);
        return 0;
}

/* Docker's words: its command line tells 127 and 126 from them. */
static void explain(struct exec *x, struct err *err) {
        const char *command = json_string_value(json_array_get(json_get_array(x->body, "Cmd"), 0));
        struct err reason = *err;

        if (err->kind == ERR_NO_COMMAND)
                err_set(err, ERR_NO_COMMAND, reason.num, "OCI runtime exec failed: exec failed: unable to start container process: exec: \"%s\": %s", command,
                        strchr(command, '/') ? "no such file or directory" : "executable file not found in $PATH");
        else if (err->kind == ERR_NOT_EXECUTABLE)
                err_set(err, ERR_NOT_EXECUTABLE, reason.num, "OCI runtime exec failed: exec failed: unable to start container process: exec: \"%s\": %s", command,
                        reason.num == -EISDIR ? "is a directory" : reason.num == -ENOEXEC ? "exec format error" : "permission denied");
        else if (err->kind == ERR_NOT_FOUND)
                /* The directory, say; the exec itself is there. */
                err_set(err, ERR_INVALID, reason.num, "OCI runtime exec failed: exec failed: unable to start container process: %s", reason.msg);
}

static bool begin_start(struct engine *e, struct exec *x) {
        bool first;

        pthread_mutex_lock(&e->execs->lock);
        first = x->state == EXEC_CREATED;
        if (first)
                x->state = EXEC_STARTING;
        pthread_mutex_unlock(&e->execs->lock);
        return first;
}

static int start(struct engine *e, struct exec *x, bool detach, uint16_t rows, uint16_t columns, bool *ret_tried, struct err *err) {
        auto_link *link = NULL;
        auto_fd plan = -EBADF;
        int r = check_running(x->container, err);

        if (r < 0)
                return r;
        link = container_get_link(x->container);
        if (!link)
                return err_set(err, ERR_CONFLICT, -ESRCH, "container %s is not running", x->container->row.id);
        if (!begin_start(e, x))
                return err_set(err, ERR_CONFLICT, -EALREADY, "exec %s has already run", x->id);
        *ret_tried = true;
        publish_command(x, "exec_start");
        r = make_plan(e, x, link, &plan, err);
        fault_point("exec", "plan");
        if (r == 0)
                r = send_exec(e, x, link, plan, detach, rows, columns, err);
        if (r < 0) {
                exec_set_state(e, x, EXEC_ENDED, err->kind == ERR_NO_COMMAND ? 127 : 126);
                explain(x, err);
        }
        return r;
}

int engine_exec_start(struct engine *e, const char *exec_id, bool detach, bool tty, uint16_t rows, uint16_t columns, bool *ret_tty, bool *ret_tried,
                      struct err *err) {
        struct err mine;
        struct exec *x;
        int r;

        if (!err)
                err = &mine;
        *ret_tried = false;
        r = exec_find(e, exec_id, &x, err);
        if (r < 0)
                return r;
        if (tty && !x->tty && !detach)
                r = err_set(err, ERR_INVALID, -EINVAL, "exec %s was created without a terminal", exec_id);
        else
                r = start(e, x, detach, rows, columns, ret_tried, err);
        fault_point("exec", "start");
        if (r == 0)
                *ret_tty = x->tty;
        exec_put(e, x);
        return r;
}

int engine_exec_attach(struct engine *e, const char *exec_id, int stream_fd, struct err *err) {
        struct monitor_attach m = { .header.type = MONITOR_ATTACH };
        auto_link *link = NULL;
        struct exec *x;
        int r = exec_find(e, exec_id, &x, err);

        if (r < 0)
                return r;
        link = container_get_link(x->container);
        memcpy(m.exec_id, x->id, sizeof(m.exec_id));
        m.flags = (x->attach_stdin ? MONITOR_ATTACH_STDIN : 0u) | (x->attach_stdout ? MONITOR_ATTACH_STDOUT : 0u) |
                  (x->attach_stderr ? MONITOR_ATTACH_STDERR : 0u) | (x->tty ? 0u : MONITOR_ATTACH_FRAMED);
        r = attach_parse_detach_keys(json_get_str(x->body, "DetachKeys", NULL), &m, err);
        if (r == 0 && !link)
                r = err_set(err, ERR_CONFLICT, -ESRCH, "container %s is not running", x->container->row.id);
        if (r == 0)
                r = monitor_link_call(link, &m, sizeof(m), &stream_fd, 1, NULL, err);
        fault_point("exec", "attach");
        exec_put(e, x);
        return r;
}

int engine_exec_resize(struct engine *e, const char *exec_id, uint16_t rows, uint16_t columns, struct err *err) {
        auto_link *link = NULL;
        struct exec *x;
        int r = exec_find(e, exec_id, &x, err);

        if (r < 0)
                return r;
        if (x->state == EXEC_STARTING || x->state == EXEC_RUNNING)
                link = container_get_link(x->container);
        r = link ? monitor_link_resize(link, x->id, rows, columns, err) : err_set(err, ERR_CONFLICT, -ESRCH, "exec %s does not run", exec_id);
        exec_put(e, x);
        return r;
}
