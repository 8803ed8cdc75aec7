/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/exec.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "engine/apparmor.h"
#include "engine/attach.h"
#include "engine/config.h"
#include "engine/db.h"
#include "engine/events.h"
#include "engine/internal.h"
#include "engine/runtimes.h"
#include "engine/monitors.h"
#include "engine/spec.h"
#include "runtime/cgroup/cgroup.h"
#include "runtime/plan/plan.h"

enum { EXECS_MAX = 4096, EXECS_PER_CONTAINER_MAX = 512 };
#define EXEC_KEPT_NS (5 * 60 * 1000000000ll)

enum exec_state { EXEC_CREATED, EXEC_STARTING, EXEC_RUNNING, EXEC_ENDED };

struct exec {
        struct exec *next;
        unsigned refs;
        char id[CONTAINER_ID_SIZE];
        struct container *container;
        json_t *body;
        bool tty, attach_stdin, attach_stdout, attach_stderr;
        enum exec_state state;
        int exit_code;
        pid_t pid;
        int64_t since_ns; /* when it was made, or when it ended */
};

struct execs {
        pthread_mutex_t lock; /* of the list and of what changes in each */
        struct exec *list;
        size_t n;
};

int execs_new(struct execs **ret, struct err *err) {
        struct execs *x = calloc(1, sizeof(*x));

        if (!x)
                return err_errno(err, -ENOMEM, "execs");
        pthread_mutex_init(&x->lock, NULL);
        *ret = x;
        return 0;
}

/* The list's lock is held. */
static void exec_unref_locked(struct exec *x) {
        if (--x->refs > 0)
                return;
        json_decref(x->body);
        container_unref(x->container);
        free(x);
}

void execs_free(struct execs *x) {
        if (!x)
                return;
        while (x->list) {
                struct exec *next = x->list->next;

                exec_unref_locked(x->list);
                x->list = next;
        }
        pthread_mutex_destroy(&x->lock);
        free(x);
}

static void put(struct engine *e, struct exec *x) {
        pthread_mutex_lock(&e->execs->lock);
        exec_unref_locked(x);
        pthread_mutex_unlock(&e->execs->lock);
}

/* Drop what ended long ago, and what nobody started. The list's lock is held. */
static void collect_locked(struct execs *list) {
        int64_t limit = time_now_ns() - EXEC_KEPT_NS;

        for (struct exec **at = &list->list; *at;) {
                struct exec *x = *at;
                bool idle = x->state == EXEC_CREATED || x->state == EXEC_ENDED;

                if (!idle || x->since_ns > limit) {
                        at = &x->next;
                        continue;
                }
                *at = x->next;
                list->n--;
                exec_unref_locked(x);
        }
}

static int exec_find(struct engine *e, const char *id, struct exec **ret, struct err *err) {
        struct exec *x;

        pthread_mutex_lock(&e->execs->lock);
        collect_locked(e->execs);
        for (x = e->execs->list; x && strcmp(x->id, id) != 0; x = x->next)
                ;
        if (x)
                x->refs++;
        pthread_mutex_unlock(&e->execs->lock);
        if (!x)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "No such exec instance: %s", id);
        *ret = x;
        return 0;
}

static void set_state(struct engine *e, struct exec *x, enum exec_state state, int exit_code) {
        pthread_mutex_lock(&e->execs->lock);
        x->state = state;
        if (state == EXEC_ENDED) {
                x->exit_code = exit_code;
                x->pid = 0;
                x->since_ns = time_now_ns();
        }
        pthread_mutex_unlock(&e->execs->lock);
}

static void publish_end(struct exec *x) {
        events_container(x->container, "exec_die", json_pack("{s:s, s:o}", "execID", x->id, "exitCode", json_sprintf("%d", x->exit_code)));
}

void exec_ended(struct engine *e, const char *exec_id, int status) {
        struct exec *x;

        if (exec_find(e, exec_id, &x, NULL) < 0)
                return;
        set_state(e, x, EXEC_ENDED, status);
        publish_end(x);
        fault_point("exec", "end");
        put(e, x);
}

void exec_detached(struct engine *e, const char *exec_id) {
        struct exec *x;

        if (exec_find(e, exec_id, &x, NULL) < 0)
                return;
        events_container(x->container, "exec_detach", json_pack("{s:s}", "execID", x->id));
        put(e, x);
}

void exec_forget(struct engine *e, const char *exec_id) {
        pthread_mutex_lock(&e->execs->lock);
        for (struct exec **at = &e->execs->list; *at; at = &(*at)->next) {
                struct exec *x = *at;

                if (strcmp(x->id, exec_id) != 0)
                        continue;
                *at = x->next;
                e->execs->n--;
                exec_unref_locked(x);
                break;
        }
        pthread_mutex_unlock(&e->execs->lock);
}

void execs_container_ended(struct engine *e, struct container *c) {
        pthread_mutex_lock(&e->execs->lock);
        for (struct exec *x = e->execs->list; x; x = x->next) {
                if (x->container != c || x->state == EXEC_ENDED)
                        continue;
                x->state = EXEC_ENDED;
                x->exit_code = 137;
                x->pid = 0;
                x->since_ns = time_now_ns();
        }
        pthread_mutex_unlock(&e->execs->lock);
}

json_t *execs_ids(struct engine *e, struct container *c) {
        json_t *ids = NULL;

        pthread_mutex_lock(&e->execs->lock);
        collect_locked(e->execs);
        for (struct exec *x = e->execs->list; x; x = x->next) {
                if (x->container != c || x->state == EXEC_ENDED)
                        continue;
                if (!ids)
                        ids = json_array();
                json_array_append_new(ids, json_string(x->id));
        }
        pthread_mutex_unlock(&e->execs->lock);
        return json_or_null(ids);
}

static int check_running(struct container *c, struct err *err) {
        struct container_row row;

        container_peek(c, &row);
        if (row.state == CONTAINER_PAUSED)
                return err_set(err, ERR_CONFLICT, -EBUSY, "container %s is paused, unpause the container before exec", row.name);
        if (row.state != CONTAINER_RUNNING)
                return err_set(err, ERR_CONFLICT, -ESRCH, "container %s is not running", row.id);
        return 0;
}

static bool is_text_array(const json_t *v) {
        const json_t *item;
        size_t i;

        json_array_foreach((json_t *) v, i, item)
                if (!json_is_string(item) || strlen(json_string_value(item)) != json_string_length(item))
                        return false;
        return true;
}

static int add(struct engine *e, struct exec *x, struct err *err) {
        size_t of_container = 0;
        int r = 0;

        pthread_mutex_lock(&e->execs->lock);
        collect_locked(e->execs);
        for (struct exec *i = e->execs->list; i; i = i->next)
                of_container += i->container == x->container;
        if (e->execs->n >= EXECS_MAX || of_container >= EXECS_PER_CONTAINER_MAX)
                r = err_set(err, ERR_CONFLICT, -EAGAIN, "too many execs: at most %d of one container and %d in all are remembered", EXECS_PER_CONTAINER_MAX, EXECS_MAX);
        else {
                x->next = e->execs->list;
                e->execs->list = x;
                e->execs->n++;
        }
        pthread_mutex_unlock(&e->execs->lock);
        return r;
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

        if (r < 0 || (r = check_running(c, err)) < 0)
                return r;
        if (!json_array_size(json_get_array(body, "Cmd")))
                return err_set(err, ERR_INVALID, -EINVAL, "No exec command specified");
        if (!is_text_array(json_get_array(body, "Cmd")) || !is_text_array(json_get_array(body, "Env")))
                return err_set(err, ERR_INVALID, -EINVAL, "exec: Cmd and Env are arrays of strings");
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
        r = r < 0 ? err_errno(err, r, "exec") : add(e, x, err);
        if (r < 0) {
                put(e, x);
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
        put(e, x);
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
                set_state(e, x, EXEC_ENDED, err->kind == ERR_NO_COMMAND ? 127 : 126);
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
        put(e, x);
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
        put(e, x);
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
        put(e, x);
        return r;
}
