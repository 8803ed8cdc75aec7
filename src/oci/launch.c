/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/launch.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "oci/config.h"
#include "oci/hooks.h"
#include "oci/notify.h"
#include "oci/oci.h"
#include "oci/scope.h"
#include "runtime/cgroup/cgroup.h"
#include "runtime/plan/plan.h"

enum { PRESERVE_MAX = 1024, MOUNTINFO_MAX = 16 << 20 };

int launch_check_options(const struct options *o, unsigned *ret_preserve, struct err *err) {
        uint64_t n = 0;

        if (o->no_pivot)
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "--no-pivot is not supported");
        if (o->preserve_fds && str_to_u64(o->preserve_fds, 0, PRESERVE_MAX, &n) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "--preserve-fds %s: not a number up to %d", o->preserve_fds, PRESERVE_MAX);
        for (int fd = 3; fd < 3 + (int) n; fd++)
                if (fcntl(fd, F_GETFD) < 0)
                        return err_set(err, ERR_INVALID, -EBADF, "--preserve-fds %s: file descriptor %d is not open", o->preserve_fds, fd);
        *ret_preserve = (unsigned) n;
        return 0;
}

/* Socket activation, see sd_listen_fds(3): the sockets come first, then what else is handed on. */
static int hand_on_sockets(json_t *process, unsigned *preserve, struct err *err) {
        const char *text = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
        auto_free char *count = NULL, *named = NULL;
        json_t *env = json_get_array(process, "env");
        uint64_t n;

        if (!text || str_to_u64(text, 1, PRESERVE_MAX, &n) < 0 || !json_is_object(process))
                return 0;
        for (int fd = 3; fd < 3 + (int) n; fd++)
                if (fcntl(fd, F_GETFD) < 0)
                        return err_set(err, ERR_INVALID, -EBADF, "LISTEN_FDS=%s: file descriptor %d is not open", text, fd);
        if (!env)
                json_object_set_new(process, "env", env = json_array());
        count = str_format("LISTEN_FDS=%s", text);
        named = str_format("LISTEN_FDNAMES=%s", names ?: "");
        json_array_append_new(env, json_string(count ?: ""));
        json_array_append_new(env, json_string("LISTEN_PID=1"));
        if (names)
                json_array_append_new(env, json_string(named ?: ""));
        *preserve += (unsigned) n;
        return 0;
}

int launch_check_terminal(const struct options *o, bool terminal, bool detached, struct err *err) {
        if (terminal && detached && !o->console_socket)
                return err_set(err, ERR_INVALID, -EINVAL, "process.terminal: nobody would hold the terminal: give --console-socket");
        if (!terminal && o->console_socket)
                return err_set(err, ERR_INVALID, -EINVAL, "--console-socket: the process has no terminal");
        return 0;
}

int launch_send_console(const struct options *o, struct exec_process *p, struct err *err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        auto_fd sock = -EBADF;
        char link[32], name[64];
        ssize_t n;
        int r;

        if (!o->console_socket || p->pty < 0)
                return 0;
        if (strlen(o->console_socket) >= sizeof(address.sun_path))
                return err_set(err, ERR_INVALID, -ENAMETOOLONG, "console socket %s: the path is too long", o->console_socket);
        strcpy(address.sun_path, o->console_socket);
        sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (sock < 0 || connect(sock, (struct sockaddr *) &address, sizeof(address)) < 0)
                return err_errno(err, -errno, "console socket %s", o->console_socket);
        /* The message beside the fd is the name of the terminal: what receivers expect there is not specified, but must not be nothing. */
        snprintf(link, sizeof(link), "/proc/self/fd/%d", p->pty);
        n = readlink(link, name, sizeof(name));
        if (n <= 0)
                return err_errno(err, -errno, "name of the terminal");
        r = fd_send(sock, name, (size_t) n, &p->pty, 1);
        if (r < 0)
                return err_errno(err, r, "console socket %s", o->console_socket);
        p->pty = fd_close(p->pty);
        return 0;
}

int launch_write_pid_file(const struct options *o, pid_t pid, struct err *err) {
        auto_free char *path = NULL;
        auto_fd dir = -EBADF;
        char text[16], *slash;
        int r;

        if (!o->pid_file)
                return 0;
        path = strdup(o->pid_file);
        if (!path)
                return err_errno(err, -ENOMEM, "pid file");
        slash = strrchr(path, '/');
        if (slash)
                *slash = '\0';
        dir = open(!slash ? "." : *path ? path : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return err_errno(err, -errno, "pid file %s", o->pid_file);
        snprintf(text, sizeof(text), "%d", (int) pid);
        r = file_write_atomic_at(dir, slash ? slash + 1 : path, text, strlen(text), 0644, false);
        return r < 0 ? err_errno(err, r, "pid file %s", o->pid_file) : 0;
}

/* --- a new container --- */

struct making {
        const struct options *options;
        bool gate, terminal;
        struct bundle bundle;
        char *cgroup_path, *cache_dir, *mountinfo;
        struct exec_fds fds;
        const char *id;
        struct container *container;
        struct scope scope; /* with --systemd-cgroup: unit is not empty */
        struct scope_holder holder;
        bool has_cgroup, hooks_ran;
};

static void making_done(struct making *m) {
        bundle_done(&m->bundle);
        free(m->cgroup_path);
        free(m->cache_dir);
        free(m->mountinfo);
        m->fds.plan = fd_close(m->fds.plan);
        m->fds.start_fifo = fd_close(m->fds.start_fifo);
        cgroup_close(&m->fds);
        scope_release(&m->holder);
}

static int choose_cgroup(struct making *m, const char *id, struct err *err) {
        int r;

        if (!scope_wanted(m->options))
                return config_cgroup_path(m->bundle.config, id, &m->cgroup_path, err);
        r = scope_of_config(m->options, m->bundle.config, id, &m->scope, err);
        if (r < 0)
                return r;
        m->cgroup_path = scope_cgroup_path(&m->scope);
        return m->cgroup_path ? 0 : err_errno(err, -ENOMEM, "linux.cgroupsPath");
}

/* Everything that can be wrong without having touched the host yet. */
static int prepare(struct making *m, const char *id, struct err *err) {
        struct plan_options plan = { .notify_start = true, .start_fifo = m->gate, .create_cwd = true };
        json_t *process;
        int r = container_id_check(id, err);

        if (r == 0)
                r = launch_check_options(m->options, &m->fds.preserve, err);
        if (r == 0)
                r = bundle_load(m->options->bundle, &m->bundle, err);
        if (r < 0)
                return r;
        if (geteuid() != 0)
                r = rootless_enter(m->bundle.config, err);
        if (r < 0)
                return r;
        process = json_object_get(m->bundle.config, "process");
        r = hand_on_sockets(process, &m->fds.preserve, err);
        if (r < 0)
                return r;
        r = notify_plan(m->options, id, m->bundle.config, err);
        if (r < 0)
                return r;
        launch_fit_host(m->options, process);
        m->terminal = json_get_bool(process, "terminal", false);
        if (m->terminal && !m->options->console_socket)
                foreground_set_size(process);
        plan.bundle = m->bundle.path;
        plan.id = id;
        if (json_object_get(json_object_get(m->bundle.config, "linux"), "seccomp"))
                plan.cache_dir = m->cache_dir = container_filter_cache(m->options);
        r = launch_check_terminal(m->options, m->terminal, m->gate || m->options->detach, err);
        if (r == 0)
                r = choose_cgroup(m, id, err);
        /* Where there may be none in the end, there is none to show. */
        plan.cgroup_path = rootless(m->options) ? NULL : m->cgroup_path;
        /* Once for the planner and for cgroups: where many containers are, it is long. */
        if (r == 0 && file_read_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &m->mountinfo, NULL) == 0)
                plan.mountinfo = m->mountinfo;
        if (r == 0)
                r = plan_container(m->bundle.config, &plan, &m->fds.plan, err);
        return r;
}

/* A user to whom no cgroup was delegated has none to give: the container runs, but not with limits that nobody enforces. The list of devices is
 * not one of them: in a user namespace no node can be made. */
static int do_without_cgroup(struct making *m, struct container *c, const json_t *resources, struct err *err) {
        const char *key;
        json_t *value;

        json_object_foreach((json_t *) resources, key, value)
                if (strcmp(key, "devices") != 0 && (json_object_size(value) > 0 || json_array_size(value) > 0))
                        return err_prefix(err, "linux.resources.%s", key);
        report_debug(m->options, "container %s: no cgroup, which this user may not make", c->id);
        unlinkat(c->dir_fd, "cgroup", 0);
        *m->cgroup_path = '\0';
        return 0;
}

/* Of the system's manager the path was known before, and stands in the plan. Where a user's has its own cgroup is its secret until now. */
static int make_scope(struct making *m, struct container *c, struct err *err) {
        char *cgroup = NULL;
        int r = scope_make(c, &m->scope, m->bundle.config, &m->holder, &cgroup, err);

        if (r < 0)
                return err_prefix(err, "--systemd-cgroup");
        if (!m->scope.user && strcmp(cgroup, m->cgroup_path) != 0)
                r = err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "--systemd-cgroup: systemd has put %s into %s", m->scope.unit, cgroup);
        free(m->cgroup_path);
        m->cgroup_path = cgroup;
        return r < 0 || !m->scope.user ? r : container_note_cgroup(c, cgroup, err);
}

static int make_cgroup(struct making *m, struct container *c, struct err *err) {
        const json_t *resources = json_object_get(json_object_get(m->bundle.config, "linux"), "resources");
        const struct cgroup_host *h = NULL;
        int r = c->cgroups || !m->mountinfo ? 0 : cgroup_host_open_from(m->mountinfo, &c->cgroups, err);

        if (r == 0)
                r = container_cgroups(c, &h, err);
        if (r == 0)
                r = *m->scope.unit ? make_scope(m, c, err) : cgroup_create(h, m->cgroup_path, resources, err);
        if (!*m->scope.unit && (r == -EACCES || r == -EPERM || r == -EROFS) && rootless(m->options))
                return do_without_cgroup(m, c, resources, err);
        if (r < 0)
                return r;
        m->has_cgroup = true;
        report_debug(m->options, "container %s: cgroup %s", c->id, m->cgroup_path);
        return cgroup_open(h, m->cgroup_path, &m->fds, err);
}

/* Mode 0622: the process may have any id by the time it opens its end, and the directory is closed to all others. */
static int make_gate(struct making *m, const struct container *c, struct err *err) {
        if (!m->gate)
                return 0;
        if (mkfifoat(c->dir_fd, "start", 0600) < 0 || fchmodat(c->dir_fd, "start", 0622, 0) < 0)
                return err_errno(err, -errno, "container %s: start gate", c->id);
        m->fds.start_fifo = openat(c->dir_fd, "start", O_PATH | O_NOFOLLOW | O_CLOEXEC);
        return m->fds.start_fifo < 0 ? err_errno(err, -errno, "container %s: start gate", c->id) : 0;
}

/* Where the root is on the host: callers read it in the state. */
static char *root_path(const struct bundle *b) {
        const char *path = json_get_str(json_object_get(b->config, "root"), "path", "");

        return *path == '/' ? strdup(path) : str_format("%s/%s", b->path, path);
}

/* Nobody looks for it before there is a state.json. */
static int write_config(const struct making *m, const struct container *c, struct err *err) {
        auto_fd fd = openat(c->dir_fd, "config.json", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        int r = fd < 0 ? -errno : fd_write_all(fd, m->bundle.text, m->bundle.size);

        return r < 0 ? err_errno(err, r, "container %s: config.json", c->id) : 0;
}

/* While the process sets itself up: all that is to be written of it, but for state.json, which says that the container has been made. */
static int note_process(pid_t pid, void *data, struct err *err) {
        const struct making *m = data;
        struct container *c = m->container;
        const json_t *config = m->bundle.config;
        auto_free char *rootfs = root_path(&m->bundle);
        char now[TIME_RFC3339_SIZE];
        uint64_t start = 0;
        int r = rootfs ? process_start_time(pid, &start) : -ENOMEM;

        /* One that is gone already has said why, and is heard next. */
        if (r < 0 && r != -ESRCH && r != -ENOENT)
                return err_errno(err, r, "container %s: its process", c->id);
        time_format_now(now);
        c->state = json_pack("{s:s, s:s, s:i, s:I, s:s, s:s, s:s, s:s, s:s, s:O?}", "ociVersion", json_get_str(config, "ociVersion", OCI_VERSION),
                             "id", c->id, "pid", (int) pid, "start_time", (json_int_t) start, "bundle", m->bundle.path, "rootfs", rootfs, "created",
                             now, "owner", "root", "cgroup", m->cgroup_path, "annotations", json_get_object(config, "annotations"));
        if (c->state && *m->scope.unit)
                json_object_set_new(c->state, "systemd-scope", json_string(m->scope.unit));
        if (!c->state)
                return err_set(err, ERR_INVALID, -EINVAL, "container %s: its state is not UTF-8", c->id);
        return write_config(m, c, err);
}

static int runtime_hooks(pid_t pid, void *data, struct err *err) {
        struct making *m = data;

        m->hooks_ran = true;
        return hooks_before_start(m->bundle.config, m->id, m->bundle.path, pid, err);
}

static int start_process(struct making *m, struct container *c, struct exec_process *p, struct err *err) {
        int r = m->scope.user ? 0 : container_note_cgroup(c, m->cgroup_path, err);

        m->container = c;
        c->config = json_incref(m->bundle.config);
        if (r == 0)
                r = make_cgroup(m, c, err);
        if (r == 0)
                r = make_gate(m, c, err);
        if (r == 0)
                r = notify_make(c, err);
        if (r == 0)
                r = exec_container(&m->fds, p, err);
        if (r == 0 && *m->scope.unit)
                r = scope_entered(c, m->bundle.config, m->cgroup_path, &m->holder, err);
        if (r < 0)
                return r;
        report_debug(m->options, "container %s: process %d is ready", c->id, (int) p->pid);
        r = launch_send_console(m->options, p, err);
        if (r == 0)
                r = container_save(c, err);
        if (r == 0)
                r = launch_write_pid_file(m->options, p->pid, err);
        return r;
}

static void reap(struct exec_process *p) {
        if (p->pid <= 0)
                return;
        syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
        while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        p->pid = 0;
}

static void undo(struct making *m, struct container *c, struct exec_process *p) {
        reap(p);
        scope_release(&m->holder);
        if (m->has_cgroup)
                cgroup_destroy(c->cgroups, m->cgroup_path, NULL);
        scope_forget(c, NULL);
        container_forget(c, NULL);
        /* They undo what the first ones have done. */
        if (m->hooks_ran)
                hooks_after_stop(m->options, m->bundle.config, m->id, m->bundle.path);
}

int launch_container(const struct options *o, const char *id, bool gate, struct launched *ret, struct err *err) {
        struct making m = {
                .options = o,
                .gate = gate,
                .id = id,
                .holder = SCOPE_HOLDER_NONE,
                .fds = { .plan = -1, .rootfs = -1, .userns = -1, .netns = -1, .cgroup_v2 = -1, .stdio = { 0, 1, 2 }, .target_pidfd = -1, .listen = -1,
                         .start_fifo = -1 },
        };
        struct launched l = { .container = CONTAINER_NONE, .process = { .pidfd = -1, .pty = -1, .release = -1 } };
        int r = prepare(&m, id, err);

        m.fds.runtime_hooks = runtime_hooks;
        m.fds.meanwhile = note_process;
        m.fds.calls_data = &m;
        if (r == 0)
                r = container_claim(o, id, &l.container, err);
        if (r == 0) {
                r = start_process(&m, &l.container, &l.process, err);
                if (r < 0)
                        undo(&m, &l.container, &l.process);
        }
        making_done(&m);
        if (r < 0)
                launched_done(&l);
        else
                *ret = l;
        return r;
}

void launched_done(struct launched *l) {
        container_done(&l->container);
        l->process.pidfd = fd_close(l->process.pidfd);
        l->process.pty = fd_close(l->process.pty);
        l->process.release = fd_close(l->process.release);
}

int launch_undo(const struct options *o, struct launched *l, struct err *err) {
        reap(&l->process);
        return container_destroy(o, &l->container, err);
}
