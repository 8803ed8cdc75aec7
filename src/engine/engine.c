/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cdi.h"
#include "engine/cgroups.h"
#include "engine/engine.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "dns/dns.h"
#include "engine/apparmor.h"
#include "engine/db.h"
#include "engine/defaults.h"
#include "engine/events.h"
#include "engine/exec.h"
#include "engine/health.h"
#include "engine/internal.h"
#include "engine/metrics.h"
#include "engine/runtimes.h"
#include "engine/monitors.h"
#include "engine/sandbox-pool.h"
#include "engine/volumes.h"
#include "engine/work.h"
#include "network/network.h"
#include "runtime/cgroup/cgroup.h"
#include "runtime/namespaces.h"
#include "storage/storage.h"

char **engine_split_lines(char *text, size_t *ret_n) {
        char **lines = calloc(strlen(text) / 2 + 2, sizeof(*lines)), *save = NULL;
        size_t n = 0;

        if (!lines)
                return NULL;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
                lines[n++] = line;
        *ret_n = n;
        return lines;
}

/* mkdir -p with the mode for what is made, and an fd of it. */
static int make_directory(const char *path, mode_t mode, int *ret_fd, struct err *err) {
        char part[PATH_MAX];

        if (strlen(path) >= sizeof(part))
                return err_errno(err, -ENAMETOOLONG, "%s", path);
        strcpy(part, path);
        for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (mkdir(part, 0755) < 0 && errno != EEXIST)
                        return err_errno(err, -errno, "%s", part);
                *slash = '/';
        }
        if (mkdir(path, mode) < 0 && errno != EEXIST)
                return err_errno(err, -errno, "%s", path);
        *ret_fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        return *ret_fd < 0 ? err_errno(err, -errno, "%s", path) : 0;
}

/* Absolute and without symlinks: it is shown to clients, and mounts are made from it. */
static int real_path(const char *path, char **ret, struct err *err) {
        *ret = realpath(path, NULL);
        return *ret ? 0 : err_errno(err, -errno, "%s", path);
}

static int open_directories(struct engine *e, const struct engine_options *o, struct err *err) {
        auto_free char *run_containers = str_format("%s/containers", o->run_root);
        auto_fd room = -EBADF;
        struct stat st;
        int r;

        if (!run_containers)
                return err_errno(err, -ENOMEM, "%s", o->run_root);
        r = make_directory(o->root, 0710, &e->root_fd, err);
        if (r < 0)
                return r;
        if (fstat(e->root_fd, &st) < 0)
                return err_errno(err, -errno, "%s", o->root);
        /* Set-id programs of every image lie below: nobody else may walk in. */
        if (st.st_mode & 0007 && fchmod(e->root_fd, st.st_mode & 07770) < 0)
                return err_errno(err, -errno, "%s is open to everybody", o->root);
        if ((r = real_path(o->root, &e->root, err)) < 0 || (r = make_directory(run_containers, 0700, &e->run_fd, err)) < 0)
                return r;
        r = real_path(o->run_root, &e->run_root, err);
        if (r < 0)
                return r;
        e->runtime_room = str_format("%s/runtime", e->run_root);
        if (!e->runtime_room)
                return err_errno(err, -ENOMEM, "%s", o->run_root);
        r = make_directory(e->runtime_room, 0711, &room, err);
        return r == 0 && fchmod(room, 0711) < 0 ? err_errno(err, -errno, "%s", e->runtime_room) : r;
}

static int open_database(struct engine *e, struct err *err) {
        auto_free char *path = str_format("%s/kist.db", e->root);
        char id[65] = "";
        int r;

        if (!path || str_random_hex(id, 16) < 0)
                return err_errno(err, -ENOMEM, "database");
        r = db_open(path, &e->db, err);
        return r < 0 ? r : db_constant(e->db, "host id", id, e->host_id, sizeof(e->host_id), err);
}

/* What --init is mounted from. A daemon that lacks it runs all other containers. */
static void find_init(struct engine *e) {
        auto_fd fd = -EBADF;
        char link[32], path[PATH_MAX];
        ssize_t n;

        if (proc_open_program("kist-init", &fd, NULL) < 0)
                return;
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path) - 1);
        if (n > 0)
                e->init_path = strndup(path, (size_t) n);
}

/* Without it containers are as they would be on a host that has no AppArmor, and it is said. */
static void load_apparmor(struct engine *e) {
        struct err why;

        if (!apparmor_is_on())
                return;
        e->has_apparmor_profile = apparmor_load_default(&why) == 0;
        if (!e->has_apparmor_profile)
                log_warning("%s", why.msg);
}

static int open_rooms(struct engine *e, const struct engine_options *o, struct err *err) {
        struct network_options network = { .bridge = o->bridge, .pools = o->pools, .n_pools = o->n_pools, .nat = true, .ipv6 = o->ipv6, .subnet6 = o->subnet6 };
        struct image_sink sink;
        int r;

        if ((r = proc_seal_program("kist-monitor", &e->monitor_fd, err)) < 0 || (r = proc_open_program("kist-worker", &e->worker_fd, err)) < 0 ||
            (r = cgroup_host_open(&e->cgroups, err)) < 0 || (r = storage_open(e->root_fd, &e->storage, err)) < 0 ||
            (r = network_host_open(&network, &e->network, err)) < 0 || (r = dns_client_new(e->run_root, network_open_resolver, &e->names, err)) < 0 || (r = namespace_factory_new(e->monitor_fd, &e->namespaces, err)) < 0 ||
            (r = sandbox_pool_new(e, o->sandboxes, &e->sandboxes, err)) < 0)
                return r;
        /* The first range is the workers': whatever they unpack or break, no container has their ids. */
        r = namespace_make(e->namespaces, e->first_id, ENGINE_ID_RANGE, &e->worker_userns, NULL, err);
        if (r < 0)
                return r;
        find_init(e);
        load_apparmor(e);
        engine_fill_sink(e, &sink);
        r = image_store_open(e->root_fd, e->worker_fd, &sink, &e->images, err);
        return r < 0 ? r : image_store_set_registries(e->images, &o->registries, err);
}

static int copy_options(struct engine *e, const struct engine_options *o, struct err *err) {
        if (o->n_ids < 2 * ENGINE_ID_RANGE || o->first_id == 0 || (uint64_t) o->first_id + o->n_ids > INT32_MAX)
                return err_set(err, ERR_INVALID, -EINVAL, "host ids %u to %llu: at least two ranges of %u are needed, above 0 and below 2^31", o->first_id,
                               (unsigned long long) o->first_id + o->n_ids, ENGINE_ID_RANGE);
        e->first_id = o->first_id;
        e->n_ids = o->n_ids;
        e->log_max_size = o->log_max_size;
        e->log_max_files = o->log_max_files;
        e->cdi_dirs = o->n_cdi_dirs ? json_array() : json_pack("[s, s]", CDI_DEFAULT_DIRS);
        for (size_t i = 0; i < o->n_cdi_dirs; i++)
                if (json_array_append_new(e->cdi_dirs, json_string(o->cdi_dirs[i])) < 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "cdi-spec-dirs: a directory's name is not text");
        if (o->defaults && engine_set_defaults(e, o->defaults, err) < 0)
                return err->num;
        if (runtimes_open(e, o, err) < 0)
                return err->num;
        e->ipv6 = o->ipv6;
        e->bridge = strdup(o->bridge);
        e->cgroup_parent = strdup(o->cgroup_parent);
        e->systemd_cgroups = o->systemd_cgroups;
        return e->bridge && e->cgroup_parent ? 0 : err_errno(err, -ENOMEM, "options");
}

static int open_all(struct engine *e, const struct engine_options *o, struct err *err) {
        struct err import;
        int r;

        if ((r = copy_options(e, o, err)) < 0 || (r = cgroups_check_host(e, err)) < 0 || (r = open_directories(e, o, err)) < 0 || (r = open_database(e, err)) < 0 || (r = open_rooms(e, o, err)) < 0 ||
            (r = defaults_check_host(e, e->defaults, err)) < 0 ||
            (r = (e->volume_mounts = volume_mounts_new()) && (e->volume_jobs = volume_jobs_new()) ? 0 : err_errno(err, -ENOMEM, "volumes")) < 0 || (r = work_new(&e->work, err)) < 0 || (r = events_new(&e->events, err)) < 0 || (r = (e->metrics = metrics_new()) ? 0 : err_errno(err, -ENOMEM, "metrics")) < 0 || (r = execs_new(&e->execs, err)) < 0 ||
            (r = health_checks_new(&e->health, err)) < 0 ||
            (r = monitors_new(e, &e->monitors, err)) < 0 || (r = engine_recover(e, err)) < 0)
                return r;
        /* A daemon without its first image is a daemon still. */
        if (o->bundled_image && engine_import_bundled(e, o->bundled_image, &import) < 0)
                log_warning("%s", import.msg);
        return 0;
}

int engine_open(const struct engine_options *o, struct engine **ret, struct err *err) {
        struct engine *e = calloc(1, sizeof(*e));
        int r;

        if (!e)
                return err_errno(err, -ENOMEM, "engine");
        e->root_fd = e->run_fd = e->monitor_fd = e->worker_fd = e->worker_userns = -EBADF;
        e->opened_ns = time_now_ns();
        pthread_rwlock_init(&e->images_lock, NULL);
        pthread_rwlock_init(&e->table.lock, NULL);
        pthread_mutex_init(&e->volumes_lock, NULL);
        pthread_mutex_init(&e->projects_lock, NULL);
        pthread_mutex_init(&e->defaults_lock, NULL);
        r = open_all(e, o, err);
        if (r < 0) {
                engine_close(e);
                return r;
        }
        *ret = e;
        return 0;
}

void engine_close(struct engine *e) {
        if (!e)
                return;
        /* First who brings work, then who does it, then what it is done with. */
        health_checks_free(e->health);
        monitors_free(e->monitors);
        work_free(e->work);
        for (size_t i = 0; i < e->table.n; i++) {
                struct monitor_link *link = container_set_link(e->table.v[i], NULL);

                if (link)
                        monitor_link_unref(link);
                container_unref(e->table.v[i]);
        }
        free(e->table.v);
        execs_free(e->execs);
        events_free(e->events);
        metrics_free(e->metrics);
        if (e->images)
                image_store_free(e->images);
        sandbox_pool_free(e->sandboxes);
        if (e->namespaces)
                namespace_factory_free(e->namespaces);
        dns_client_free(e->names);
        if (e->network)
                network_host_free(e->network);
        if (e->storage)
                storage_free(e->storage);
        if (e->cgroups)
                cgroup_host_free(e->cgroups);
        db_close(e->db);
        fd_close(e->worker_userns);
        fd_close(e->worker_fd);
        fd_close(e->monitor_fd);
        fd_close(e->run_fd);
        fd_close(e->root_fd);
        pthread_rwlock_destroy(&e->table.lock);
        pthread_rwlock_destroy(&e->images_lock);
        volume_mounts_free(e->volume_mounts);
        volume_jobs_free(e->volume_jobs);
        pthread_mutex_destroy(&e->volumes_lock);
        pthread_mutex_destroy(&e->projects_lock);
        free(e->root);
        free(e->run_root);
        free(e->runtime_room);
        json_decref(e->cdi_dirs);
        json_decref(e->defaults);
        pthread_mutex_destroy(&e->defaults_lock);
        runtimes_close(e);
        free(e->bridge);
        free(e->cgroup_parent);
        free(e->init_path);
        free(e);
}
