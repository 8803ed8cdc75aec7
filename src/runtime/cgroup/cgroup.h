/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Control groups: one interface over v2, v1 and hybrid hosts. A cgroup is a relative path ("kist/<id>") that exists in every
 * hierarchy that carries a controller we use. Nothing above our own directories is changed but cgroup.subtree_control (v2).
 * Source: kernel Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/exec/exec.h"

struct err;
struct cgroup_host; /* which hierarchies this host has and where: read once from /proc/self/mountinfo */

int cgroup_host_open(struct cgroup_host **ret, struct err *err);
/* The same for a caller that has that file's text already. */
int cgroup_host_open_from(const char *mountinfo, struct cgroup_host **ret, struct err *err);
void cgroup_host_free(struct cgroup_host *h);
/* "1" or "2" as `docker info` says it: 2 only when the memory, cpu and pids controllers are v2's. */
const char *cgroup_host_version(const struct cgroup_host *h);
/* Controllers that exist on this host, for info's warnings: "memory", "cpu", "cpuset", "pids", … */
bool cgroup_host_has(const struct cgroup_host *h, const char *controller);

/* "kist/<id>": relative, no empty part, no "." or "..", no control characters; ERR_INVALID says what is wrong. */
int cgroup_path_check(const char *path, struct err *err);

/* Paths are relative, without "." and ".." (ERR_INVALID). All functions may be called from several threads at once.
 *
 * Make the cgroup and set linux.resources (spec object, may be NULL). ERR_INVALID names the field the kernel refused.
 * All or nothing: on failure no directory of it is left. ERR_CONFLICT when it exists and has processes. */
int cgroup_create(const struct cgroup_host *h, const char *path, const json_t *resources, struct err *err);
/* The same of one that somebody else has just made (systemd), and that is removed by them. Its parents are theirs: ERR_UNSUPPORTED when a controller
 * that is wanted is not enabled there. Of v1 they have made it where they manage controllers; in the other hierarchies it is made here, for
 * cgroup_destroy(), which is to be called after a failure, too. */
int cgroup_adopt(const struct cgroup_host *h, const char *path, const json_t *resources, struct err *err);
/* What of `resources` goes to which file, and its new text, in order. `path`: the cgroup after cgroup_update(), which knows what they mean there; NULL:
 * it is not there yet. The list of devices of v1 is "devices.allow", a rule each, where all that it says is what is allowed; v2 has no file for it. */
typedef int cgroup_setting_fn(bool v2, const char *file, const char *value, void *data, struct err *err);
int cgroup_settings(const struct cgroup_host *h, const char *path, const json_t *resources, cgroup_setting_fn *each, void *data, struct err *err);
/* Change settings of a living one: those that the object names. In order; what came before a refused one stays. */
int cgroup_update(const struct cgroup_host *h, const char *path, const json_t *resources, struct err *err);

/* Fill fds->cgroup_v2, cgroup_v1_procs and n_cgroup_v1 with fds of an existing cgroup (the caller closes them: cgroup_close).
 * A process of one thread, and no other, enters the v1 ones by writing "0" to each. */
int cgroup_open(const struct cgroup_host *h, const char *path, struct exec_fds *fds, struct err *err);
void cgroup_close(struct exec_fds *fds);

/* Kill all in it (cgroup.kill, Linux 5.14; else freezer and SIGKILL in rounds), wait until empty (bounded), remove it and its children
 * in every hierarchy. A missing one is no error. */
int cgroup_destroy(const struct cgroup_host *h, const char *path, struct err *err);
/* The names of the cgroups right below `path`, each as often as there are hierarchies that have it. */
int cgroup_children(const struct cgroup_host *h, const char *path, int (*fn)(const char *name, void *data), void *data, struct err *err);
bool cgroup_exists(const struct cgroup_host *h, const char *path);
int cgroup_kill(const struct cgroup_host *h, const char *path, int signal, struct err *err);
int cgroup_freeze(const struct cgroup_host *h, const char *path, bool frozen, struct err *err);
/* The absolute path of the directory that freezes it, for a program that does so by itself; the caller frees. ERR_UNSUPPORTED: there is none. */
int cgroup_freezer_path(const struct cgroup_host *h, const char *path, char **ret, struct err *err);
int cgroup_is_frozen(const struct cgroup_host *h, const char *path, bool *ret, struct err *err);
/* Process ids in it and below; *ret is the caller's to free. */
int cgroup_pids(const struct cgroup_host *h, const char *path, pid_t **ret, size_t *ret_n, struct err *err);
/* Was a process of it killed by the kernel for memory? (v1 memory.oom_control oom_kill; v2 memory.events oom_kill) */
int cgroup_oom_kills(const struct cgroup_host *h, const char *path, uint64_t *ret, struct err *err);
/* What tells of kills for memory to who has no path to it: fds, the caller's; −1 for what there is not. v2: "memory.events" of it and of the cgroup that it is
 * in. v1: "memory.oom_control", and an eventfd that counts how often its memory was out (before anybody is killed), and once more when it is removed. */
struct cgroup_oom_files {
        int own, parent, event;
};
#define CGROUP_OOM_FILES_NONE ((struct cgroup_oom_files) { -1, -1, -1 })
void cgroup_oom_files(const struct cgroup_host *h, const char *path, struct cgroup_oom_files *ret);
void cgroup_oom_files_close(struct cgroup_oom_files *f);

/* Limits are 0 where there is none. A figure that this kernel does not keep is 0. */
struct cgroup_stats {
        uint64_t cpu_usage_ns, cpu_user_ns, cpu_system_ns;
        uint64_t periods, throttled_periods, throttled_ns;
        uint64_t memory_usage, memory_limit, memory_inactive_file, memory_max_usage;
        uint64_t pids, pids_limit;
        uint64_t io_read_bytes, io_write_bytes;
};
int cgroup_read_stats(const struct cgroup_host *h, const char *path, struct cgroup_stats *ret, struct err *err);

/* All that the kernel counts in it, named as in the output of `events --stats` of OCI runtimes ("cpu.usage.total" …): an object, a new reference.
 * A figure that this kernel does not keep is left out. ERR_NOT_FOUND: no such cgroup. */
int cgroup_describe(const struct cgroup_host *h, const char *path, json_t **ret, struct err *err);

/* Wait for the memory to be out: poll `fd` for reading, then ask how often it was since that was last asked (perhaps never: wait on).
 * cgroup_oom_watch_read(): -ENODEV when the cgroup is gone. */
struct cgroup_oom_watch {
        int fd, control;
        bool v2;
        uint64_t seen;
};
#define CGROUP_OOM_WATCH_NONE ((struct cgroup_oom_watch) { .fd = -1, .control = -1 })
int cgroup_oom_watch_open(const struct cgroup_host *h, const char *path, struct cgroup_oom_watch *ret, struct err *err);
int cgroup_oom_watch_read(struct cgroup_oom_watch *w, uint64_t *ret);
void cgroup_oom_watch_close(struct cgroup_oom_watch *w);
