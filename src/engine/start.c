/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a container: a list of stages, each with what undoes it. When one fails, those before it are undone in reverse and the container is
 * what it was, with the reason in its state. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/timestamp.h"
#include "engine/apparmor.h"
#include "engine/bind-sources.h"
#include "engine/cdi.h"
#include "engine/cgroups.h"
#include "engine/config.h"
#include "engine/db.h"
#include "engine/endpoints.h"
#include "engine/events.h"
#include "engine/files.h"
#include "engine/health.h"
#include "engine/internal.h"
#include "engine/links.h"
#include "engine/monitors.h"
#include "engine/names.h"
#include "engine/peers.h"
#include "engine/ports.h"
#include "engine/runtimes.h"
#include "engine/sandbox-pool.h"
#include "engine/spec.h"
#include "engine/volumes.h"
#include "runtime/cgroup/cgroup.h"
#include "runtime/namespaces.h"
#include "runtime/plan/plan.h"
#include "storage/storage.h"

enum { TAG_START = 1, TAG_ATTACH = 2, START_TIMEOUT_MS = 60000 };

struct starting {
        struct engine *e;
        struct container *c;
        struct container_row row; /* what is stored next */
        enum container_state was;
        json_t *body;
        struct spec spec;
        const struct runtime *runtime; /* NULL: our own */
        char *cgroup;
        struct scope_holder holder;
        uint32_t first_id;
        struct sandbox *sandbox; /* made ahead; NULL: its namespaces are made now */

        int dir, run_dir;
        int userns, netns, pidns, ipcns, rootfs, plan, log;
        char *shm; /* the source of /dev/shm, when another container's */
        char network_id[CONTAINER_ID_SIZE]; /* whose network it is, when another container's */
        char gateway[16];
        struct monitor_link *link;
};

static int prepare(struct starting *s, struct err *err) {
        struct engine *e = s->e;
        int r;

        r = db_spec(e->db, s->row.id, &s->body, err);
        if (r < 0 || (r = spec_parse(s->body, &s->spec, err)) < 0 || (r = spec_find_devices(&s->spec, err)) < 0 || (r = cdi_apply(&s->spec, e->cdi_dirs, err)) < 0 ||
            (r = spec_find_block_devices(&s->spec, err)) < 0 ||
            (r = runtime_find(e, s->spec.runtime, &s->runtime, err)) < 0)
                return r;
        if (s->spec.init && !e->init_path)
                return err_set(err, ERR_UNSUPPORTED, -ENOENT, "HostConfig.Init: the program kist-init is not installed beside kistd");
        r = cgroups_choose(e, &s->row, err);
        if (r < 0)
                return r;
        s->cgroup = engine_cgroup_path(e, &s->row);
        if (!s->cgroup)
                return err_errno(err, -ENOMEM, "starting container %.12s", s->row.id);
        s->first_id = s->row.id_slot ? e->first_id + s->row.id_slot * ENGINE_ID_RANGE : 0;
        r = storage_container_open(e->storage, s->row.id, &s->dir, err);
        if (r < 0)
                return r;
        if (mkdirat(e->run_fd, s->row.id, 0700) < 0 && errno != EEXIST)
                return err_errno(err, -errno, "run directory of container %.12s", s->row.id);
        s->run_dir = openat(e->run_fd, s->row.id, O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (s->run_dir < 0)
                return err_errno(err, -errno, "run directory of container %.12s", s->row.id);
        /* What an earlier run left: a daemon that is started anew must not take it for this one's. */
        unlinkat(s->dir, "exit", 0);
        unlinkat(s->run_dir, "monitor.sock", 0);
        return 0;
}

static void undo_prepare(struct starting *s) {
        unlinkat(s->run_dir, "monitor.sock", 0);
        unlinkat(s->e->run_fd, s->row.id, AT_REMOVEDIR);
}

/* Into those of other containers; a network of its own it may still have. */
static int join_namespaces(struct starting *s, struct err *err) {
        struct peer_spaces p;
        int r = peers_open(s->e, &s->spec, &p, err);

        if (r < 0)
                return r;
        memcpy(s->network_id, p.network_id, sizeof(s->network_id));
        s->netns = move_fd(p.netns);
        s->pidns = move_fd(p.pidns);
        s->ipcns = move_fd(p.ipcns);
        if (p.shm >= 0)
                r = spec_add_source(&s->spec, move_fd(p.shm), &s->shm, err);
        if (p.userns < 0)
                s->spec.host_userns = true;
        else if (!s->spec.host_userns) {
                s->userns = move_fd(p.userns);
                s->first_id = p.first_id;
        }
        peers_close(&p);
        if (r < 0)
                return r;
        if (s->netns >= 0 || s->spec.network == SPEC_NETWORK_HOST)
                return 0;
        return namespace_make_netns_in(s->e->namespaces, s->userns, &s->netns, err);
}

static int make_namespaces(struct starting *s, struct err *err) {
        bool own_net = s->spec.network != SPEC_NETWORK_HOST;

        if (s->spec.network_of || s->spec.pid_of || s->spec.ipc_of)
                return join_namespaces(s, err);
        s->sandbox = sandbox_pool_take(s->e->sandboxes, &s->spec, s->first_id);
        if (s->sandbox) {
                s->userns = move_fd(s->sandbox->spaces.userns);
                s->netns = move_fd(s->sandbox->spaces.netns);
                return 0;
        }
        if (!s->spec.host_userns)
                return namespace_make(s->e->namespaces, s->first_id, ENGINE_ID_RANGE, &s->userns, own_net ? &s->netns : NULL, err);
        return own_net ? namespace_make_netns(s->e->namespaces, &s->netns, err) : 0;
}

static int mount_rootfs(struct starting *s, struct err *err) {
        auto_free char *text = strdup(s->row.diff_ids);
        auto_free char **diff_ids = NULL;
        struct storage_rootfs r = {
                .container_id = s->row.id,
                .userns_fd = s->userns,
                .first_id = s->first_id,
                .ephemeral = s->row.auto_remove,
                /* With --read-only too it is writable until all mount points are made: root.readonly of the plan closes it then. */
        };

        diff_ids = text ? engine_split_lines(text, &r.n_diff_ids) : NULL;
        if (!diff_ids)
                return err_errno(err, -ENOMEM, "layers of container %.12s", s->row.id);
        r.diff_ids = (const char *const *) diff_ids;
        return storage_rootfs_mount(s->e->storage, &r, &s->rootfs, err);
}

static int mount_volumes(struct starting *s, struct err *err) {
        return volumes_mount(s->e, &s->spec, s->row.id, s->rootfs, s->userns, s->first_id, err);
}

static void forget_volumes(struct starting *s) {
        volumes_unmounted(s->e, s->row.id);
}

static int connect_network(struct starting *s, struct err *err) {
        int r = endpoints_connect(s->e, &s->spec, s->netns, s->sandbox ? &s->sandbox->link : NULL, &s->row, err);

        for (size_t i = 0; i < s->row.n_endpoints; i++)
                if (!*s->gateway || s->row.endpoints[i].is_gateway)
                        memcpy(s->gateway, s->row.endpoints[i].gateway, sizeof(s->gateway));
        return r;
}

static int find_links(struct starting *s, struct err *err) {
        return links_find(s->e, &s->spec, &s->row, err);
}

static void disconnect_network(struct starting *s) {
        endpoints_disconnect(s->e, &s->row);
}

static int publish_ports(struct starting *s, struct err *err) {
        return ports_publish(s->e, s->c, &s->spec, &s->row, err);
}

static void unpublish_ports(struct starting *s) {
        ports_unpublish(s->e, s->c);
}

/* Where the container has a user namespace, nodes of its own lie in its directory and are mounted: with its ids, and its to change. */
static int make_devices(struct starting *s, struct err *err) {
        for (size_t i = 0; i < s->spec.n_devices_found && !s->spec.host_userns; i++) {
                const struct spec_device *d = &s->spec.devices_found[i];
                char name[CONFIG_DEVICE_NAME_SIZE];

                config_device_name(i, name);
                unlinkat(s->dir, name, 0);
                if (mknodat(s->dir, name, d->mode, makedev(d->major, d->minor)) < 0 || fchownat(s->dir, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
                    fchmodat(s->dir, name, d->mode & 07777, 0) < 0)
                        return err_errno(err, -errno, "device %s for container %.12s", d->host, s->row.id);
        }
        return 0;
}

static int write_files(struct starting *s, struct err *err) {
        struct names_resolvers resolvers;
        int r;

        names_resolvers(s->e, &s->row, &resolvers);
        r = files_write(s->dir, &s->spec, &s->row, s->gateway, &resolvers, err);
        if (r == 0)
                r = timezone_write(s->dir, &s->spec, err);
        if (r == 0)
                r = log_driver_prepare(&s->spec, &s->row, &s->log, err);
        if (r == 0)
                r = make_devices(s, err);
        return r < 0 ? r : bind_sources_prepare(s->e, &s->spec, err);
}

static int make_plan(struct starting *s, struct err *err) {
        struct plan_options options = {
                .rootfs_by_fd = true,
                .userns_by_fd = s->userns >= 0,
                .netns_by_fd = s->netns >= 0,
                .create_cwd = true,
                .n_source_fds = (unsigned) s->spec.n_source_fds,
                .cgroup_path = s->cgroup,
        };
        auto_free char *dir = str_format("%s/containers/%s", s->e->root, s->row.id);
        auto_free char *files_dir = *s->network_id ? str_format("%s/containers/%s", s->e->root, s->network_id) : NULL;
        auto_free char *pid_path = s->pidns >= 0 ? str_format("/proc/%d/fd/%d", (int) getpid(), s->pidns) : NULL;
        auto_free char *ipc_path = s->ipcns >= 0 ? str_format("/proc/%d/fd/%d", (int) getpid(), s->ipcns) : NULL;
        struct config_input in = { .spec = &s->spec, .id = s->row.id, .state_dir = dir, .files_dir = files_dir ? files_dir : dir, .init_path = s->e->init_path, .pid_path = pid_path, .ipc_path = ipc_path, .shm_source = s->shm, .apparmor = apparmor_profile(s->e, &s->spec) };
        struct plan_user user = {};
        auto_free char *localtime = NULL;
        auto_json *config = NULL;
        int r;

        if (!dir || (*s->network_id && !files_dir) || (s->pidns >= 0 && !pid_path) || (s->ipcns >= 0 && !ipc_path))
                return err_errno(err, -ENOMEM, "starting container %.12s", s->row.id);
        r = plan_resolve_user(s->rootfs, s->spec.user, s->spec.group_add, &user, err);
        if (r < 0)
                return r;
        in.user = &user;
        in.first_id = s->first_id;
        in.localtime = localtime = *s->spec.timezone ? timezone_target(s->rootfs) : NULL;
        r = config_container(&in, &config, err);
        if (r < 0)
                return r;
        r = plan_container(config, &options, &s->plan, err);
        if (r < 0 || !s->runtime)
                return r;
        /* The plan has done its work: what our own runtime refuses is refused with others, too. */
        s->plan = fd_close(s->plan);
        return runtime_plan(s->runtime, &s->spec, config, s->cgroup, s->first_id, s->netns >= 0, &s->plan, err);
}

static int make_cgroup(struct starting *s, struct err *err) {
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

static void remove_cgroup(struct starting *s) {
        struct err err;

        scope_release(&s->holder);
        if (cgroups_remove(s->e, s->cgroup, &err) < 0)
                log_warning("container %.12s: %s", s->row.id, err.msg);
}

/* From here on a crash of the daemon finds a row that says that there may be a monitor, a cgroup and an address. */
static int store_starting(struct starting *s, struct err *err) {
        s->row.state = CONTAINER_STARTING;
        s->row.error[0] = '\0';
        s->row.exit_code = 0;
        s->row.oom_killed = s->row.stopped_by_user = false;
        s->row.finished_ns = 0;
        return container_store(s->c, &s->row, err);
}

static int spawn_monitor(struct starting *s, struct err *err) {
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
static void drop_monitor(struct starting *s) {
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
        int fds[FD_PASS_MAX], r;
        size_t n = 0;

        r = cgroup_open(s->e->cgroups, s->cgroup, &cgroups, err);
        if (r < 0)
                return r;
        const int given[] = {
                [MONITOR_FD_PLAN] = s->plan,   [MONITOR_FD_ROOTFS] = s->rootfs,          [MONITOR_FD_USERNS] = s->userns,
                [MONITOR_FD_NETNS] = s->netns, [MONITOR_FD_CGROUP_V2] = cgroups.cgroup_v2, [MONITOR_FD_STATE_DIR] = s->dir,
                [MONITOR_FD_RUN_DIR] = s->run_dir, [MONITOR_FD_LOG] = s->log,
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
        cgroup_close(&cgroups);
        return r;
}

static int run_monitor(struct starting *s, struct err *err) {
        union monitor_message answer;
        int r;

        hand_over_streams(s);
        r = send_start(s, err);
        if (r == 0)
                r = monitor_link_read_answer(s->link, TAG_START, START_TIMEOUT_MS, &answer, err);
        if (r < 0)
                return r;
        s->row.pid = answer.started.pid;
        s->row.started_ns = (int64_t) answer.started.started_unix_ns;
        return 0;
}

static int settle_cgroup(struct starting *s, struct err *err) {
        auto_json *resources = config_resources(&s->spec);

        return cgroups_settle(s->e, s->cgroup, resources, &s->holder, err);
}

static int store_running(struct starting *s, struct err *err) {
        s->row.state = CONTAINER_RUNNING;
        return container_store(s->c, &s->row, err);
}

static int listen_to_monitor(struct starting *s, struct err *err) {
        container_set_link(s->c, monitor_link_ref(s->link));
        /* Last: the end of the container may be heard from this moment on, by another thread. */
        return monitor_link_listen(s->e->monitors, s->link, err);
}

static void forget_link(struct starting *s) {
        struct monitor_link *old = container_set_link(s->c, NULL);

        if (old)
                monitor_link_unref(old);
}

/* In order; the order is what makes undoing simple. */
static const struct stage {
        const char *name;
        int (*apply)(struct starting *s, struct err *err);
        void (*undo)(struct starting *s);
} stages[] = {
        { "prepare", prepare, undo_prepare },
        { "namespaces", make_namespaces, NULL },           /* before the root: its ids; before the network: where eth0 goes   */
        { "rootfs", mount_rootfs, NULL },                  /* gone with its fd */
        { "network", connect_network, disconnect_network }, /* before the files: /etc/hosts has the address                    */
        { "links", find_links, NULL },                     /* after the network: one that both are on; before the files      */
        { "ports", publish_ports, unpublish_ports },       /* after the network: they lead to its address                     */
        { "volumes", mount_volumes, forget_volumes },      /* after the root: what it has in their place                      */
        { "files", write_files, NULL },
        { "plan", make_plan, NULL },                       /* needs the root, to look up the user                             */
        { "row", store_starting, NULL },                   /* before anything that outlives this process                      */
        { "cgroup", make_cgroup, remove_cgroup },
        { "monitor", spawn_monitor, drop_monitor },
        { "run", run_monitor, NULL },                      /* undone by killing the cgroup                                    */
        { "settle", settle_cgroup, NULL },                 /* after the first process is in the cgroup                        */
        { "commit", store_running, NULL },
        { "listen", listen_to_monitor, forget_link },
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
                health_begin(e, c, &s.spec);
                deadline_begin(e, c, s.spec.timeout);
                events_container(c, "start", NULL);
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
