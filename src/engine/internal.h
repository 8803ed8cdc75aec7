/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of this room share. Order of locks, outermost first:
 *
 *     images_lock → container.op → volumes_lock → table.lock → container.lock → the small ones (monitor links, execs, events, database, work, defaults, projects)
 *
 * and nobody holds anything but a container's own `op` while waiting for its monitor. */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "image/image.h"

struct db;
struct storage;
struct network_host;
struct dns_client;
struct cgroup_host;
struct namespace_factory;
struct work;
struct events;
struct metrics;
struct monitors;
struct execs;
struct health_checks;
struct sandbox_pool;

#define ENGINE_ID_RANGE 65536u          /* host ids of one container */
#define ENGINE_JSON_MAX (4u << 20)      /* a container's row; bodies are bounded by the API before */
#define ENGINE_SOCKET_TIMEOUT_MS 15000  /* for a monitor's answer */

struct engine {
        char *root, *run_root, *bridge, *cgroup_parent;
        char *runtime_room; /* RUN_ROOT/runtime: empty; monitors mount on it, in namespaces of their own, what another OCI runtime needs */
        bool ipv6; /* of the default network */
        bool systemd_cgroups; /* cgroups.h */
        uint32_t first_id, n_ids;
        bool has_apparmor_profile; /* the default one is loaded */
        uint64_t log_max_size;
        uint32_t log_max_files;
        json_t *cdi_dirs; /* array of paths */
        json_t *defaults; /* defaults.h; read and replaced under its lock */
        pthread_mutex_t defaults_lock;
        struct runtime *runtimes;
        size_t n_runtimes;
        char *default_runtime;
        int64_t opened_ns;
        char host_id[65]; /* made once per --root */

        int root_fd;
        int run_fd; /* RUN_ROOT/containers */
        int monitor_fd, worker_fd;
        char *init_path; /* of kist-init, for --init; NULL: not installed */
        int worker_userns; /* lives in the first range of ids */

        struct db *db;
        struct storage *storage;
        struct image_store *images;
        struct network_host *network;
        struct dns_client *names;
        struct cgroup_host *cgroups;
        struct namespace_factory *namespaces;
        struct sandbox_pool *sandboxes;
        struct work *work;
        struct events *events;
        struct metrics *metrics;
        struct monitors *monitors;
        struct execs *execs;
        struct health_checks *health;

        pthread_rwlock_t images_lock; /* read: an image is about to be used by a new container; write: images are removed */
        struct volume_mounts *volume_mounts;
        struct volume_jobs *volume_jobs;
        pthread_mutex_t volumes_lock;  /* who takes volumes into use, and who removes them */
        pthread_mutex_t projects_lock; /* who takes ids of limits of size: projects.h */
        struct container_table table;
};

/* cgroups.c: where the container's cgroup is since it was started last ("kist/<id>"), or would be when it is now; the caller's. NULL: no memory, or a
 * container that was never started, and cannot be (cgroups_choose()). */
char *engine_cgroup_path(const struct engine *e, const struct container_row *row);
/* A spec string array of diff ids, for storage; text of the row: one per line. Free the array, then the text. */
char **engine_split_lines(char *text, size_t *ret_n);

/* create.c */
bool engine_name_is_valid(const char *name);

/* start.c: c->op is held. */
int start_container(struct engine *e, struct container *c, struct err *err);
/* deadline.c: --timeout: it is killed `seconds` after its start, when it still runs then; 0: never. c->op is held. */
void deadline_begin(struct engine *e, struct container *c, int64_t seconds);
/* stop.c: reads "KILL", "SIGTERM", "9", "RTMIN+1". */
int engine_signal_parse(const char *text, int *ret, struct err *err);
/* remove.c: c->op is held and it does not run. Consumes nothing; the container is out of the table when this returns 0. volumes: with those that
 * have no name of the user's. */
int remove_container_locked(struct engine *e, struct container *c, bool volumes, struct err *err);
/* exit.c: what happens after the end of a container's init. `status` −1: the monitor is lost. c->op is held. */
void container_exited(struct engine *e, struct container *c, int status, int64_t finished_ns);
void container_schedule_restart(struct engine *e, struct container *c, int64_t delay_ms);
/* layer-sink.c */
void engine_fill_sink(struct engine *e, struct image_sink *sink);
/* After a death: layers that no image and no container holds. Before anything is pulled. */
void engine_sweep_layers(struct engine *e);
bool engine_layer_in_use(struct engine *e, const char *diff_id); /* by a container */
/* −EBUSY: one under a container's root stays, whatever becomes of the image; the next sweep at start takes it. */
int engine_drop_layer(const char *diff_id, void *engine);
/* images.c */
bool engine_image_has_users(struct engine *e, const char *id); /* a container was made from it, or has it mounted */
int engine_import_bundled(struct engine *e, const char *path, struct err *err);
/* recover.c */
int engine_recover(struct engine *e, struct err *err);
/* Reads the file "exit" of the state directory; false when there is none. */
bool container_read_exit_file(int dir_fd, int *ret_status, int64_t *ret_started_ns, int64_t *ret_finished_ns);
