/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A container on disk: ROOT/ID/ with "state.json", "config.json" (the config it was made from), "cgroup" (a symlink whose text is the path
 * of its cgroup), "lock" and, until start, "start" (a fifo). The truth about running is not in these files: it is the process, known
 * by its id and its start time.
 *
 * The lock is fcntl(2)'s: it dies with its holder, and a process of the container that waits at its gate does not inherit it, as it would
 * flock(2)'s. Who makes a container holds it from the first moment, so a directory that is not locked and has no state.json was left by
 * somebody who died. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct options;

enum container_status { STATUS_CREATED, STATUS_RUNNING, STATUS_PAUSED, STATUS_STOPPED };
const char *container_status_name(enum container_status s);

enum { CONTAINER_ID_MAX = 200 };

struct cgroup_host;

struct container {
        int root_fd, dir_fd, lock_fd;
        struct cgroup_host *cgroups; /* opened when first asked for: container_cgroups() */
        char id[CONTAINER_ID_MAX + 1];
        json_t *state; /* what state.json says */
        json_t *config; /* of its maker, who has read it already; else NULL: container_config() */
};
#define CONTAINER_NONE ((struct container) { .root_fd = -EBADF, .dir_fd = -EBADF, .lock_fd = -EBADF })
#define auto_container __attribute__((cleanup(container_done))) struct container
void container_done(struct container *c);

/* Letters, digits and "_+-." */
int container_id_check(const char *id, struct err *err);

/* Claim a new one: ERR_CONFLICT when there is one of that name. What a dead maker left is cleared away. Locked. */
int container_claim(const struct options *o, const char *id, struct container *ret, struct err *err);

/* An existing one. `wait_for_lock`: be alone with it until container_done(). */
int container_open(const struct options *o, const char *id, bool wait_for_lock, struct container *ret, struct err *err);

/* Give the lock back while the process runs, and take it again. -ENOENT: somebody has deleted the container meanwhile. */
void container_unlock(struct container *c);
int container_lock_again(struct container *c);

int container_save(struct container *c, struct err *err);

/* The host's cgroups, owned by *c. */
int container_cgroups(struct container *c, const struct cgroup_host **ret, struct err *err);
/* "": it has none, because its user may not make any. */
const char *container_cgroup_path(const struct container *c);
/* For what needs one: ERR_UNSUPPORTED when there is none. */
int container_need_cgroup(const struct container *c, const char *what, struct err *err);

/* Note where its cgroup will be, before there is one: who clears up after us must know. */
int container_note_cgroup(struct container *c, const char *path, struct err *err);

/* The config.json that it was made from (new reference). */
int container_config(const struct container *c, json_t **ret, struct err *err);

/* Kill what is in its cgroup, remove that, its files and its directory; then run its poststop hooks. */
int container_destroy(const struct options *o, struct container *c, struct err *err);

/* Remove its directory: the name is free at once, the files go after it. */
int container_forget(struct container *c, struct err *err);

/* The absolute path of its directory, which need not be there yet; that of all containers is made. The caller frees. */
int container_path(const struct options *o, const char *id, char **ret, struct err *err);

/* Where compiled filters are kept from one run of this program to the next: a directory beside the containers, made when it is missing.
 * NULL when it cannot be made: then there is no such memory. The caller frees. */
char *container_filter_cache(const struct options *o);

/* Start time of a process in clock ticks since boot; -ESRCH when there is no such process or it is dead (a zombie). */
int process_start_time(pid_t pid, uint64_t *ret);

/* A pidfd of its init, O_CLOEXEC; -ESRCH when that has ended. */
int container_pidfd(const struct container *c);

int container_status(struct container *c, enum container_status *ret, struct err *err);

/* Ids of all processes in it, a JSON array (new reference). */
int container_processes(struct container *c, json_t **ret, struct err *err);

/* All ids below the root, sorted; a JSON array (new reference). */
int container_ids(const struct options *o, json_t **ret, struct err *err);
