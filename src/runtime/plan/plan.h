/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The planner: an OCI configuration (runtime-spec 1.x, as JSON in memory) → a *plan*, a flat list of resolved steps in a sealed
 * memfd, which src/runtime/exec/ carries out. The planner validates and refuses; it may use the heap and libraries and says
 * which field is wrong. The layout of the memfd is in plan/format.h and belongs to these two rooms alone. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

struct plan_options {
        bool rootfs_by_fd;   /* the root file system is handed to the executor as a detached mount; root.path is not looked at */
        const char *root_place; /* with rootfs_by_fd: a directory of the host at which hooks find the root, in their mount namespace; NULL: they do not */
        bool userns_by_fd;   /* join the user namespace handed to the executor; uid/gid maps are not written */
        bool netns_by_fd;    /* join the network namespace handed to the executor, whatever linux.namespaces says of "network" */
        bool notify_start;   /* stop before execve(2) until exec_release(): `create` and `start` are two calls (OCI) */
        bool start_fifo;     /* with notify_start: the gate is exec_fds.start_fifo, which outlives the caller (see exec.h) */
        bool create_cwd;     /* make process.cwd, owner root and mode 0755, when the root file system has no such directory */
        const char *cache_dir; /* compiled seccomp filters are kept here, for callers that live short; NULL: in this process' memory only.
                                * Ignored unless it belongs to the caller and nobody else may write to it */
        const char *bundle;  /* base of relative paths; NULL: refuse them */
        const char *cgroup_path; /* of the container's cgroup, relative: what a mount of type "cgroup" shows it on v1 when it shares the host's cgroup
                                  * namespace. It need not exist yet. NULL: such a mount shows nothing there */
        const char *mountinfo; /* /proc/self/mountinfo as it is now, for a caller that has it; NULL: it is read when it is needed */
        unsigned n_source_fds; /* bind mounts may say "fd:0" … as their source: exec_fds.sources */
        const char *id;      /* of the container, for the state that hooks and seccomp agents are told; needed when the config has any */
        int pid;             /* plan_process(): of the container's init, for the same */
};

/* config: a whole config.json. *ret_fd is a sealed memfd, O_CLOEXEC, the caller's. ERR_INVALID names the field
 * ("process.user.uid: -1 is not a user id"); ERR_UNSUPPORTED names the field and what the host lacks. */
int plan_container(const json_t *config, const struct plan_options *options, int *ret_fd, struct err *err);

/* A process that joins a running container (exec): `process` is the spec's process object, `config` the container's own. */
int plan_process(const json_t *process, const json_t *config, const struct plan_options *options, int *ret_fd, struct err *err);

/* --- Hooks in the runtime's own namespaces --- */

/* createContainer and startContainer hooks are in the plan. The others are their caller's to run: prestart and createRuntime in
 * exec_fds.runtime_hooks, poststart and poststop when their time comes. plan_container() has checked all six lists. */

/* Runs the hooks of one list ("prestart", "createRuntime", "poststart", "poststop") in order, each with `state` on its standard input and
 * `bundle` (NULL: "/") as its working directory, and waits for each, at most its timeout. Stops at the first that fails: *err names it and
 * holds what it wrote to its standard error. With `warn` a failure is told to it instead, and the others still run (poststop): 0. */
int plan_run_hooks(const json_t *config, const char *list, const json_t *state, const char *bundle,
                   void (*warn)(const struct err *err, void *data), void *data, struct err *err);

/* The state of the runtime-spec, for them: a new reference, or NULL when memory is out. pid 0: left out (stopped). */
json_t *plan_state(const json_t *config, const char *id, const char *bundle, int pid, const char *status);

/* --- For `features`: what configs may say (new references) --- */

json_t *plan_mount_option_names(void);
/* linux.seccomp of the features object: actions, operators, architectures, flags that are known and those that this kernel has. */
json_t *plan_seccomp_features(void);
/* linux.memoryPolicy of it: modes and flags. */
json_t *plan_memory_policy_features(void);

/* --- What engine and runtime both need to make a config --- */

/* The field's default seccomp profile as a linux.seccomp object (new reference), for a process with the given capabilities
 * ("CAP_SYS_ADMIN" … as in process.capabilities.bounding; some calls are allowed only with their capability). */
json_t *plan_default_seccomp(const json_t *capabilities);

/* The fourteen default capabilities, masked and read-only paths, default mounts and /dev of the field, as spec arrays (new references).
 * Docker's lists; `userns`: for a container with its own user namespace. */
json_t *plan_default_capabilities(void);
json_t *plan_default_masked_paths(void);
json_t *plan_default_readonly_paths(void);
json_t *plan_default_mounts(int64_t shm_size);

/* "user", "uid", "user:group", "uid:gid" … looked up in the container's own /etc/passwd and /etc/group below root_fd (read once,
 * line by line, at most 1 MiB each, numbers in 0…2³¹−1: CVE-2024-40635). extra_groups: names or numbers, may be NULL.
 * Fills uid, gid, supplementary groups (the first is gid itself: CVE-2022-36109; then extra_groups, then, unless a group was asked for, those
 * that list the user) and the home directory ("/" when there is none). ERR_INVALID: "no user X in …". *ret is untouched on failure.
 * A file that cannot be read, or is too large, is in the way of names only: of an id, what it would have said is left out. */
struct plan_user {
        uint32_t uid, gid;
        uint32_t groups[128];
        size_t n_groups;
        char home[256];
};
int plan_resolve_user(int root_fd, const char *user, const json_t *extra_groups, struct plan_user *ret, struct err *err);
