/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The engine: the life of containers, over image, storage, network and runtime, which do not know each other. The front doors (api, later
 * cri and kube) call it; it knows nothing of HTTP. JSON that goes in and out has the shapes of the Docker Engine API (newest version; the api
 * room renames what older versions called otherwise). Every function may be called from several threads; none holds a lock of another
 * container while it works on one.
 *
 * The truth about a container is: its row in SQLite (what was asked), its monitor (what runs), its cgroup (what to kill). engine_open() compares the
 * three and repairs what a killed daemon left. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "image/image.h"

struct err;
struct engine;

#define ENGINE_API_VERSION "1.52"
#define ENGINE_API_MIN_VERSION "1.24"

struct engine_options {
        const char *root, *run_root;     /* directories, made when missing */
        const char *bridge;
        const char *const *pools;        /* address pools, CIDR */
        size_t n_pools;
        bool ipv6;                       /* of the default network */
        const char *subnet6;             /* NULL: one is found */
        const char *cgroup_parent;       /* "kist"; a slice with the next */
        bool systemd_cgroups;            /* systemd makes the containers' cgroups, as scopes */
        const char *bundled_image;       /* OCI archive that an empty store imports, or NULL */
        uint32_t first_id, n_ids;        /* host ids to hand out to containers, in ranges of 65,536 */
        unsigned sandboxes;              /* how many user and network namespaces are made ahead, with a link in each; 0: none */
        uint64_t log_max_size;
        uint32_t log_max_files;
        const char *const *cdi_dirs;     /* where devices by name are described, the last one counts most; none: /etc/cdi and /var/run/cdi */
        size_t n_cdi_dirs;
        struct image_registries registries;
        const json_t *defaults; /* as for engine_set_defaults(), or NULL */
        const char *const *runtimes; /* other OCI runtimes, "NAME=PATH", each argument behind a line end */
        size_t n_runtimes;
        const char *default_runtime; /* NULL, "": our own */
};

/* Whether these options can be used, for who checks a configuration. */
int engine_set_registries(struct engine *e, const struct image_registries *r, struct err *err);
int engine_check_runtimes(const char *const *texts, size_t n, const char *default_name, struct err *err);

/* The same of what holds the containers' cgroups: ERR_INVALID when systemd is to make them, and it is not a slice. */
int engine_check_cgroup_parent(bool systemd, const char *parent, struct err *err);

int engine_open(const struct engine_options *o, struct engine **ret, struct err *err);
/* Containers live on; threads end, sockets are closed. */
void engine_close(struct engine *e);

/* What new containers get when they do not say: {"HostConfig": {…}, "HostGateway": "10.0.0.1", "Labels": ["a=b"]}; the labels are the daemon's own.
 * ERR_INVALID names the field. The first needs no engine. */
int engine_check_defaults(const json_t *defaults, struct err *err);
int engine_set_defaults(struct engine *e, const json_t *defaults, struct err *err);

/* --- system --- */
int engine_info(struct engine *e, json_t **ret, struct err *err);    /* GET /info */
int engine_version(struct engine *e, json_t **ret, struct err *err); /* GET /version */

/* Figures for Prometheus, in its text format 0.0.4; the caller's. */
int engine_metrics(struct engine *e, char **ret, struct err *err);

enum engine_usage {
        ENGINE_USAGE_IMAGES = 1 << 0,
        ENGINE_USAGE_CONTAINERS = 1 << 1,
        ENGINE_USAGE_VOLUMES = 1 << 2,
        ENGINE_USAGE_BUILD_CACHE = 1 << 3,
        ENGINE_USAGE_ALL = 15,
};
/* GET /system/df; only what `types` (of enum engine_usage) names is looked at, the lists of the others are null. */
/* What crash or hand left over: {"Findings": [{"Kind", "Object", "Problem", "Action", "Mended"}]}; it is mended with `fix`. */
/* With `digests` every blob is read, too: `progress` (bytes) ends that by a negative return. */
struct engine_fsck_options {
        bool fix, digests;
        int (*progress)(uint64_t done, uint64_t total, void *data);
        void *data;
};
int engine_fsck(struct engine *e, const struct engine_fsck_options *o, json_t **ret, struct err *err);
/* The same of what the kernel has of the networks: bridges, addresses, switches, links, the table. */
int engine_network_audit(struct engine *e, bool fix, json_t **ret, struct err *err);
int engine_disk_usage(struct engine *e, unsigned types, json_t **ret, struct err *err);

/* --- containers. `name`: id, unique id prefix, or name. ERR_NOT_FOUND: "No such container: NAME". --- */

/* body: POST /containers/create ({…Config, HostConfig, NetworkingConfig}). name may be NULL: one is made up. *ret: {"Id", "Warnings"}.
 * ERR_NOT_FOUND for the image; ERR_CONFLICT for the name; ERR_INVALID names the field. */
int engine_create(struct engine *e, const char *name, const json_t *body, json_t **ret, struct err *err);
int engine_start(struct engine *e, const char *name, struct err *err);          /* ERR_NOT_MODIFIED when it runs */
int engine_stop(struct engine *e, const char *name, int timeout_s, int signal, struct err *err); /* timeout −1: the container's own, −2: for ever; signal 0: its own */
int engine_restart(struct engine *e, const char *name, int timeout_s, int signal, struct err *err);
int engine_kill(struct engine *e, const char *name, const char *signal, struct err *err);        /* "KILL", "SIGTERM", "9" */
int engine_pause(struct engine *e, const char *name, bool paused, struct err *err);
int engine_remove(struct engine *e, const char *name, bool force, bool volumes, struct err *err);
int engine_rename(struct engine *e, const char *name, const char *new_name, struct err *err);
/* Limits and restart policy; changes: the body of POST /containers/NAME/update. Empty fields are left as they are. *ret: {"Warnings"}. */
int engine_update(struct engine *e, const char *name, const json_t *changes, json_t **ret, struct err *err);
int engine_inspect(struct engine *e, const char *name, bool size, json_t **ret, struct err *err); /* GET /containers/ID/json */
/* filters: {"name": ["a"], "status": […], "label": […], "id", "ancestor", "exited", …} as decoded from the query, or NULL. limit 0: all. */
int engine_list(struct engine *e, bool all, int limit, bool size, const json_t *filters, json_t **ret, struct err *err);
/* The same as the text of a JSON array, quickly: what is said of a container is kept until it changes. */
struct engine_list_text {
        unsigned version;                            /* what `shape` is told */
        void (*shape)(unsigned version, json_t *entry); /* the entry as that version has it; always the same for the same version */
        bool brief;                                  /* what `kist ps` shows: the id's first digits; without image id, host config, networks, mounts, labels, and ports where there are none */
};
int engine_list_text(struct engine *e, bool all, int limit, bool size, const json_t *filters, const struct engine_list_text *how, char **ret, struct err *err);
/* Remove those that do not run. filters: "until", "label", "label!". *ret: {"ContainersDeleted", "SpaceReclaimed"}. */
int engine_prune(struct engine *e, const json_t *filters, json_t **ret, struct err *err);
int engine_top(struct engine *e, const char *name, const char *ps_args, json_t **ret, struct err *err);
int engine_resize(struct engine *e, const char *name, uint16_t rows, uint16_t columns, struct err *err);
int engine_stats(struct engine *e, const char *name, json_t **ret, struct err *err); /* one sample */

enum engine_wait { ENGINE_WAIT_NOT_RUNNING, ENGINE_WAIT_NEXT_EXIT, ENGINE_WAIT_REMOVED };
/* Two steps, because a client that waits for "next-exit" must be registered before its answer's header is sent: begin returns at once;
 * finish blocks until it happens, until *cancel_fd becomes readable (−ECANCELED), and frees the handle. *ret_status: exit code. */
struct engine_waiter;
int engine_wait_begin(struct engine *e, const char *name, enum engine_wait condition, struct engine_waiter **ret, struct err *err);
int engine_wait_finish(struct engine_waiter *w, int cancel_fd, int *ret_status, struct err *err);

/* --- streams --- */

struct engine_attach {
        bool stdin_, stdout_, stderr_;
        bool logs;          /* what was logged so far first */
        bool stream;        /* then live */
        bool unframed;      /* both streams as one, without headers, whether there is a terminal or not */
        const char *detach_keys; /* "ctrl-p,ctrl-q" form, NULL: that default */
};
/* Checks the container and says whether it has a terminal (which decides the content type), before the connection is upgraded. */
int engine_attach_check(struct engine *e, const char *name, bool *ret_tty, struct err *err);
/* stream_fd is the client's connection; it is duplicated and given to the monitor: the daemon is not in the data path. Of a container that was
 * created but not started the stream waits for start. */
int engine_attach(struct engine *e, const char *name, const struct engine_attach *a, int stream_fd, struct err *err);

struct engine_logs {
        bool stdout_, stderr_, follow, timestamps, details;
        int64_t since_ns, until_ns; /* 0: no bound */
        int64_t tail;               /* −1: all */
};
struct engine_log_sink {
        /* One call per line (or piece): stream 1 or 2, the text with its newline; framing is the caller's. A negative return ends it. */
        int (*line)(int stream, const char *text, size_t size, void *data);
        int (*flush)(void *data); /* nothing more for now: what was collected goes out; or NULL */
        void *data;
};
/* Blocks while following; cancel_fd as in wait. */
int engine_logs(struct engine *e, const char *name, const struct engine_logs *l, int cancel_fd, const struct engine_log_sink *sink, struct err *err);

/* --- exec --- */
int engine_exec_create(struct engine *e, const char *name, const json_t *body, json_t **ret, struct err *err); /* {"Id"} */
int engine_exec_inspect(struct engine *e, const char *exec_id, json_t **ret, struct err *err);
/* Start the process; with `detach` it runs unattached. Else its output waits for engine_exec_attach(). *ret_tty as above. ERR_NO_COMMAND sets
 * the exec's exit code to 127; any other failure to 126, when *ret_tried says that it was to start: its client is to read of it in the stream. */
int engine_exec_start(struct engine *e, const char *exec_id, bool detach, bool tty, uint16_t rows, uint16_t columns, bool *ret_tty, bool *ret_tried,
                      struct err *err);
int engine_exec_attach(struct engine *e, const char *exec_id, int stream_fd, struct err *err);
int engine_exec_resize(struct engine *e, const char *exec_id, uint16_t rows, uint16_t columns, struct err *err);

/* --- files of containers: archive.c, changes.c, commit.c. Streams go straight between a confined worker and the fd; cancel_fd as in wait. --- */

/* ret NULL: only the look. *ret_stat: {"name","size","mode" (as Go's os.FileMode),"mtime","linkTarget"}. ERR_NOT_FOUND for the path. */
struct engine_archive;
int engine_archive_get(struct engine *e, const char *name, const char *path, json_t **ret_stat, struct engine_archive **ret, struct err *err);
/* The tar stream itself, into a pipe. Fails in the middle when the file system does. */
int engine_archive_read(struct engine_archive *a, int out_fd, int cancel_fd, struct err *err);
void engine_archive_free(struct engine_archive *a);

struct engine_archive_put {
        const char *path;  /* a directory of the container */
        bool keep_kinds;   /* a directory never takes the place of something else, nor the other way round */
        bool own_user;     /* all is to belong to the container's user, when it has one */
};
int engine_archive_put(struct engine *e, const char *name, const struct engine_archive_put *p, int in_fd, int cancel_fd, struct err *err);
int engine_export(struct engine *e, const char *name, int out_fd, int cancel_fd, struct err *err);
int engine_changes(struct engine *e, const char *name, json_t **ret, struct err *err); /* [{"Path","Kind"}]: 0 changed, 1 added, 2 deleted */

struct engine_commit {
        const char *reference; /* the image's name, or NULL */
        const char *author, *comment;
        const char *const *changes; /* lines of a Dockerfile: "CMD …" */
        size_t n_changes;
        const json_t *config; /* what is to differ from the container's, or NULL */
        bool pause;
};
int engine_commit(struct engine *e, const char *name, const struct engine_commit *c, json_t **ret, struct err *err); /* {"Id"} */

/* --- images --- */
struct engine_import {
        int archive_fd, cancel_fd;
        const char *reference, *comment, *platform; /* may be NULL */
        const char *const *changes;
        size_t n_changes;
        int64_t made_unix_s; /* what it says of when it was made; 0: now */
};
/* The archive of a file system as a new image; its id is the only progress. */
int engine_image_import(struct engine *e, const struct engine_import *i, image_progress_fn progress, void *data, struct err *err);
/* A tar of an OCI layout, with Docker's manifest.json, of all the images named. */
int engine_image_save(struct engine *e, const char *const *names, size_t n, int out_fd, int cancel_fd, struct err *err);
int engine_image_pull(struct engine *e, const struct image_pull *p, image_progress_fn progress, void *data, struct err *err);
int engine_image_push(struct engine *e, const struct image_push *p, image_progress_fn progress, void *data, struct err *err);
/* POST /auth: {"Status", "IdentityToken"} of what the registry says to the credentials. */
int engine_login(struct engine *e, const struct image_login *l, json_t **ret, struct err *err);
int engine_image_load(struct engine *e, int archive_fd, enum image_discard discard, image_progress_fn progress, void *data, struct err *err);
/* filters: "is-official", "is-automated", "stars". */
int engine_image_search(struct engine *e, const struct image_search *s, const json_t *filters, json_t **ret, struct err *err);
/* GET /distribution/NAME/json: {"Descriptor","Platforms"} as the registry has them; nothing is kept. With `whole` the text, too (image_describe_remote()). */
int engine_distribution(struct engine *e, const struct image_pull *p, bool whole, json_t **ret, struct err *err);
int engine_referrers(struct engine *e, const struct image_pull *p, const char *artifact_type, json_t **ret, struct err *err); /* image_referrers() */
int engine_delete_remote(struct engine *e, const struct image_pull *p, json_t **ret, struct err *err);                       /* image_delete_remote() */
int engine_list_push(struct engine *e, const struct image_list_push *p, json_t **ret, struct err *err); /* image_push_list() */
/* GET /images/json. */
struct engine_image_list {
        bool shared; /* count what each has in common with others, too */
        bool brief;  /* only what `kist images` shows: the id's first digits, tags or, without any, digests, time and size */
};
int engine_image_list(struct engine *e, const struct engine_image_list *how, const json_t *filters, json_t **ret, struct err *err);
int engine_image_inspect(struct engine *e, const char *name, json_t **ret, struct err *err);     /* GET /images/NAME/json */
int engine_image_history(struct engine *e, const char *name, json_t **ret, struct err *err);
int engine_image_remove(struct engine *e, const char *name, bool force, json_t **ret, struct err *err);
/* Those without a name, or with {"dangling": ["false"]} all that no container has. filters: "until", "label", "label!" too. */
int engine_image_prune(struct engine *e, const json_t *filters, json_t **ret, struct err *err);
/* Its lower layers as an image: up to `layer` (a diff id or the beginning of its digits), or without so many on top ("-1"). {"Id"} */
int engine_image_checkout(struct engine *e, const char *name, const char *layer, const char *reference, json_t **ret, struct err *err);
int engine_image_tag(struct engine *e, const char *name, const char *target, struct err *err);

/* --- volumes: named directories that outlive containers. ERR_NOT_FOUND: "get NAME: no such volume". --- */
int engine_volume_create(struct engine *e, const json_t *body, json_t **ret, struct err *err); /* POST /volumes/create; one that is there is left as it is */
int engine_volume_inspect(struct engine *e, const char *name, json_t **ret, struct err *err);
int engine_volume_list(struct engine *e, const json_t *filters, json_t **ret, struct err *err);
int engine_volume_remove(struct engine *e, const char *name, bool force, struct err *err); /* ERR_CONFLICT while a container has it */
/* Those that no container has: without a name of the user's, or all of them. */
int engine_volume_prune(struct engine *e, bool named_too, const json_t *filters, json_t **ret, struct err *err);
/* Kist's own. ERR_CONFLICT while a container that may write to it runs, and for a new name that is taken. What is made is there whole, or not at all.
 * cancel_fd as in wait. export: a tar archive to out_fd; import: from one. *ret: as inspect; of the last two with "Copied": {"SharedFiles", "CopiedFiles"}. */
int engine_volume_export(struct engine *e, const char *name, int out_fd, int cancel_fd, struct err *err);
int engine_volume_import(struct engine *e, const char *name, const json_t *labels, const json_t *options, int in_fd, int cancel_fd, json_t **ret, struct err *err);
int engine_volume_clone(struct engine *e, const char *name, const json_t *body, int cancel_fd, json_t **ret, struct err *err);
int engine_volume_snapshot(struct engine *e, const char *name, const json_t *body, int cancel_fd, json_t **ret, struct err *err);

/* --- networks: those that are always there (bridge, host, none), and those that were made. By name, id or prefix of the id. --- */
int engine_network_create(struct engine *e, const json_t *body, json_t **ret, struct err *err);       /* POST /networks/create: {"Id", "Warning"} */
int engine_network_remove(struct engine *e, const char *name, struct err *err);                       /* ERR_DENIED while a container runs on it */
int engine_network_prune(struct engine *e, const json_t *filters, json_t **ret, struct err *err);     /* those that nobody runs on: {"NetworksDeleted"} */
/* body: {"Container", "EndpointConfig"} and {"Container", "Force"}; the container may run. */
int engine_network_connect(struct engine *e, const char *network, const json_t *body, struct err *err);
int engine_network_disconnect(struct engine *e, const char *network, const json_t *body, struct err *err);
int engine_network_list(struct engine *e, const json_t *filters, json_t **ret, struct err *err);      /* GET /networks */
int engine_network_inspect(struct engine *e, const char *name, json_t **ret, struct err *err);        /* GET /networks/NAME: name, id or prefix */

/* --- events: {"Type","Action","Actor":{…},"scope","time","timeNano", …}; those since `since_ns` that are still kept (the last 1,024), then live. --- */
int engine_events(struct engine *e, int64_t since_ns, int64_t until_ns, const json_t *filters, int cancel_fd,
                  int (*event)(json_t *event, void *data), void *data, struct err *err); /* each event is the callee's to change, not to keep */
