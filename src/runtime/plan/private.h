/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Inside of the planner. One file per part of the configuration, each adding to the plan in the making. */

#include "base/err.h"
#include "base/json.h"
#include "runtime/plan/builder.h"
#include "runtime/plan/fields.h"
#include "runtime/plan/plan.h"

struct planner {
        struct builder builder;
        const struct plan_options *options;
        const json_t *config, *process, *linux_; /* the last two may be NULL */
        uint32_t spaces;   /* CLONE_NEW*: namespaces other than the caller's, made or joined */
        bool nodes_are_bound; /* nobody can make a node in a user namespace: those of the host are mounted */
        bool dev_is_bound; /* /dev is a tree of the host: nothing is made in it */
};

/* spaces.c: linux.namespaces, id maps, time offsets. First: the others ask p->spaces. */
int plan_spaces(struct planner *p, struct err *err);
/* The same for a process that joins. */
int plan_spaces_to_join(struct planner *p, struct err *err);
/* An array of id maps into a table; returns the number of them in *ret_n when that is not NULL. */
int plan_id_maps(struct planner *p, const json_t *object, const char *at, const char *key, enum builder_table table, uint32_t *ret_n,
                 struct err *err);

/* root.c, mounts.c, mount-options.c, cgroup-mount.c */
int plan_root(struct planner *p, struct err *err);
int plan_mounts(struct planner *p, struct err *err);
int plan_cgroup_mount(struct planner *p, const char *what, const char *target, uint64_t attr, struct err *err);
/* A path of the host: as it is, or below the bundle. The caller frees. */
int plan_host_path(struct planner *p, const char *what, const char *path, char **ret, struct err *err);

struct mount_options {
        uint64_t attr_set, attr_clear, tree_set, tree_clear;
        uint64_t propagation, tree_propagation;
        bool bind, remount, recursive, idmap, idmap_recursive, copy_up, has_mode;
        uint32_t first_param, n_params; /* what is the file system's own, for fsconfig(2) */
        const char *first_data;         /* the first of those, for messages */
};
int plan_mount_options(struct planner *p, const json_t *mount, const char *at, struct mount_options *ret, struct err *err);

/* devices.c: /dev, masked and read-only paths */
int plan_devices(struct planner *p, struct err *err);
int plan_hidden_paths(struct planner *p, struct err *err);

/* kernel.c: hostname, domainname, sysctls */
int plan_kernel(struct planner *p, struct err *err);

/* hooks.c. One entry of a list; `ret` borrows. */
struct hook {
        const char *path;
        char at[48]; /* "hooks.poststart[0]" */
        const json_t *args, *env;
        uint32_t timeout;
};
int plan_hooks(struct planner *p, struct err *err);
/* The text that the executor completes to the state of the container; once, for all that want it. */
int plan_state_head(struct planner *p, const char *what, struct err *err);
int hook_list(const json_t *config, const char *list, const json_t **ret, struct err *err);
int hook_parse(const json_t *array, const char *list, size_t i, struct hook *ret, struct err *err);

/* process.c, capabilities.c, filter.c */
int plan_process_fields(struct planner *p, struct err *err);
int plan_capabilities(struct planner *p, struct err *err);
int plan_filter(struct planner *p, struct err *err);
/* listener.c: who is asked about system calls of SCMP_ACT_NOTIFY */
int plan_listener(struct planner *p, const json_t *seccomp, struct err *err);

/* net-devices.c */
int plan_net_devices(struct planner *p, struct err *err);

/* labels.c: AppArmor and SELinux */
int plan_labels(struct planner *p, struct err *err);
/* linux.mountLabel as a parameter of a new file system of this type; none when there is no label, or the type takes none. Counts it in *n. */
int plan_mount_label(struct planner *p, const char *type, uint32_t *n, struct err *err);

/* tuning.c: how the kernel treats the process: scheduler, priorities, CPUs, personality, NUMA */
int plan_tuning(struct planner *p, struct err *err);
