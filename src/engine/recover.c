/* SPDX-License-Identifier: Apache-2.0 */
/* After the daemon was started anew: what the database says is compared with what runs, and the difference is mended. */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/log.h"
#include "base/path.h"
#include "base/timestamp.h"
#include "dns/dns.h"
#include "engine/cgroups.h"
#include "engine/db.h"
#include "engine/endpoints.h"
#include "engine/health.h"
#include "engine/internal.h"
#include "engine/monitors.h"
#include "engine/networks.h"
#include "engine/projects.h"
#include "engine/spec.h"
#include "engine/volumes.h"
#include "engine/work.h"
#include "network/network.h"
#include "runtime/cgroup/cgroup.h"
#include "storage/storage.h"

enum { HELLO_TIMEOUT_MS = 5000 };

static int load_row(struct container_row *row, void *data) {
        struct engine *e = data;
        auto_container *c = container_new(e, row);

        return c ? table_add(&e->table, c) : -ENOMEM;
}

/* Through /proc/self/fd: the run directory may lie deeper than a socket's address is long. */
static int connect_monitor(struct engine *e, const char *id) {
        auto_free char *name = str_format("%s/monitor.sock", id);
        auto_fd dir = -EBADF, sock = -EBADF;
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct ucred peer;
        socklen_t size = sizeof(peer);

        dir = openat(e->run_fd, id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir < 0 || !name)
                return -ENOENT;
        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/monitor.sock", dir);
        sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (sock < 0 || connect(sock, (struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != 0)
                return -EPERM;
        return move_fd(sock);
}

/* A daemon that died between freezing it and writing so: nobody was told that it is frozen, or that it is not any more. The row is what was told. */
static void freeze_as_stored(struct engine *e, struct container *c) {
        auto_free char *cgroup = engine_cgroup_path(e, &c->row);
        bool wanted = c->row.state == CONTAINER_PAUSED, frozen;
        struct err err;

        if (cgroup && cgroup_is_frozen(e->cgroups, cgroup, &frozen, &err) == 0 && frozen != wanted && cgroup_freeze(e->cgroups, cgroup, wanted, &err) < 0)
                log_warning("container %.12s: %s", c->row.id, err.msg);
}

/* Its monitor lives: take it up again. */
static int adopt(struct engine *e, struct container *c, struct err *err) {
        struct container_row next = c->row;
        struct monitor_hello hello;
        auto_json *body = NULL;
        auto_spec spec = {};
        auto_link *link = NULL;
        auto_fd netns = -EBADF;
        char path[48];
        int sock = connect_monitor(e, next.id), r;

        if (sock < 0)
                return err_errno(err, sock, "monitor of container %.12s", next.id);
        r = monitor_link_new(c, sock, -EBADF, &link, err);
        if (r < 0 || (r = monitor_link_read_hello(link, HELLO_TIMEOUT_MS, &hello, err)) < 0)
                return r;
        if (hello.init_pid <= 0)
                return err_set(err, ERR_UNAVAILABLE, -ESRCH, "the monitor of container %.12s has started nothing", next.id);
        snprintf(path, sizeof(path), "/proc/%d/ns/net", hello.init_pid);
        netns = open(path, O_RDONLY | O_CLOEXEC);
        next.pid = hello.init_pid;
        if ((r = db_spec(e->db, next.id, &body, err)) < 0 || (r = spec_parse(body, &spec, err)) < 0 || (r = endpoints_recover(e, &spec, &next, netns, err)) < 0)
                return r;
        if (next.state == CONTAINER_STARTING)
                next.state = CONTAINER_RUNNING;
        next.started_ns = (int64_t) hello.started_unix_ns;
        container_store_fact(c, &next);
        freeze_as_stored(e, c);
        container_set_link(c, monitor_link_ref(link));
        r = monitor_link_listen(e->monitors, link, err);
        if (r == 0) {
                health_begin(e, c, &spec);
                deadline_begin(e, c, spec.timeout);
        }
        return r;
}

/* It had been running, or was about to. */
static void recover_live(struct engine *e, struct container *c) {
        int64_t started = 0, finished = 0;
        auto_fd dir = -EBADF;
        struct err err;
        int status = -1;

        if (storage_container_open(e->storage, c->row.id, &dir, &err) < 0)
                log_warning("%s", err.msg);
        else if (!container_read_exit_file(dir, &status, &started, &finished)) {
                if (adopt(e, c, &err) == 0)
                        return;
                log_warning("container %.12s: %s", c->row.id, err.msg);
        }
        /* It ended while we were away, perhaps a moment ago: the end is looked up (again) there, and what is left is killed. */
        if (started && c->row.state == CONTAINER_STARTING) {
                struct container_row next = c->row;

                next.started_ns = started;
                container_store_fact(c, &next);
        }
        container_exited(e, c, status, finished);
}

/* Was it to run always, and did nobody stop it? */
static bool wants_start(struct engine *e, struct container *c) {
        auto_json *body = NULL;
        auto_spec s = {};

        if (c->row.started_ns == 0 || db_spec(e->db, c->row.id, &body, NULL) < 0 || spec_parse(body, &s, NULL) < 0)
                return false;
        if (c->row.state == CONTAINER_RESTARTING)
                return true;
        return s.restart == SPEC_RESTART_ALWAYS || (s.restart == SPEC_RESTART_UNLESS_STOPPED && !c->row.stopped_by_user);
}

static void start_again(void *data) {
        auto_container *c = data;
        auto_op *op = container_op_lock(c);
        struct err err;

        if (!c->gone && container_may_move(c->row.state, CONTAINER_STARTING) && start_container(c->engine, c, &err) < 0)
                log_warning("container %.12s: %s", c->row.id, err.msg);
}

static void drop_start(void *data) {
        container_unref(data);
}

static void recover_one(struct engine *e, struct container *c) {
        auto_op *op = container_op_lock(c);
        auto_free char *cgroup = engine_cgroup_path(e, &c->row);
        struct err err;

        if (container_state_is_live(c->row.state))
                recover_live(e, c);
        else if (cgroup && cgroups_remove(e, cgroup, &err) < 0) /* the tidying up after its end was cut short */
                log_warning("container %.12s: %s", c->row.id, err.msg);
        if (c->gone || container_state_is_live(c->row.state))
                return;
        if (c->row.state == CONTAINER_REMOVING || c->row.state == CONTAINER_DEAD || (c->row.state == CONTAINER_EXITED && c->row.auto_remove)) {
                if (remove_container_locked(e, c, c->row.auto_remove, &err) < 0)
                        log_warning("container %.12s: %s", c->row.id, err.msg);
        } else if (c->row.state != CONTAINER_CREATED && wants_start(e, c) && work_add(e->work, 0, start_again, drop_start, container_ref(c)) < 0)
                container_unref(c);
}

static bool is_id(const char *name) {
        return strlen(name) == CONTAINER_ID_SIZE - 1 && strspn(name, "0123456789abcdef") == CONTAINER_ID_SIZE - 1;
}

/* Directories of containers that never came into being, or whose removal was cut short after the row. */
static void sweep(struct engine *e, int dir_fd, bool is_state) {
        int copy = openat(dir_fd, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        DIR *d = copy >= 0 ? fdopendir(copy) : NULL;

        if (!d) {
                fd_close(copy);
                return;
        }
        for (struct dirent *entry; (entry = readdir(d));) {
                auto_container *c = NULL;
                struct err err;

                if (!is_id(entry->d_name) || table_find(&e->table, entry->d_name, &c, NULL) == 0)
                        continue;
                log_info("removing what is left of container %.12s", entry->d_name);
                if (!is_state)
                        path_remove_tree_at(dir_fd, entry->d_name);
                else if (storage_container_remove(e->storage, entry->d_name, &err) < 0)
                        log_warning("%s", err.msg);
        }
        closedir(d);
}

int engine_recover(struct engine *e, struct err *err) {
        auto_fd containers_dir = openat(e->root_fd, "containers", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        struct container **containers;
        struct err why;
        size_t n;
        int r = db_each(e->db, load_row, e, err);

        if (r < 0)
                return r;
        if (containers_dir >= 0)
                sweep(e, containers_dir, true);
        sweep(e, e->run_fd, false);
        engine_sweep_layers(e);
        volumes_recover(e);
        projects_recover(e);
        r = networks_recover(e, err);
        if (r < 0)
                return r;
        r = table_snapshot(&e->table, &containers, &n);
        if (r < 0)
                return err_errno(err, r, "reading the containers");
        for (size_t i = 0; i < n; i++) {
                recover_one(e, containers[i]);
                container_unref(containers[i]);
        }
        free(containers);
        dns_client_begin(e->names);
        if (network_refresh(e->network, &why) < 0)
                log_warning("%s", why.msg);
        return 0;
}
