/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What was asked for → an OCI configuration for the planner. Knows Docker's defaults; opens nothing, asks nobody. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct plan_user;
struct spec;

struct config_input {
        const struct spec *spec;
        const char *id;
        const char *state_dir;         /* path of ROOT/containers/ID, where the nodes of its devices lie; NULL: mount none */
        const char *files_dir;         /* the same of whose network it has: "hosts", "hostname" and "resolv.conf"; NULL: mount none of them */
        uint32_t first_id;             /* where its ids begin; 0: they are the host's */
        const char *localtime;         /* where its time zone goes, when that is not /etc/localtime */
        const char *init_path;         /* kist-init on the host, for --init; NULL without */
        const char *apparmor;          /* profile of its processes; NULL: none */
        const char *pid_path, *ipc_path; /* namespaces of other containers; NULL: its own */
        const char *shm_source;        /* with ipc_path: what is /dev/shm there */
        const struct plan_user *user;  /* the user looked up in the root file system */
};

/* The name of its i-th device's node in state_dir. */
enum { CONFIG_DEVICE_NAME_SIZE = 32 };
void config_device_name(size_t i, char ret[CONFIG_DEVICE_NAME_SIZE]);

/* A whole config.json (new reference). */
int config_container(const struct config_input *in, json_t **ret, struct err *err);
/* Are the names of CapAdd and CapDrop those of capabilities? */
int config_check_capabilities(const struct spec *s, struct err *err);
/* config-mounts.c: its `mounts`. */
#define CONFIG_INIT_TARGET "/sbin/docker-init"
json_t *config_mounts(const struct config_input *in);
/* linux.resources, for cgroup_create(). */
json_t *config_resources(const struct spec *s);

/* The `process` of an exec. body: Docker's ExecConfig {Cmd, Env, User, WorkingDir, Tty, Privileged}. */
int config_exec(const struct config_input *in, const json_t *body, bool tty, json_t **ret, struct err *err);

/* The name that the container sees as its own: asked for, or the first 12 digits of its id. */
void config_hostname(const struct spec *s, const char *id, char ret[64]);

/* seccomp.c: Docker's form of a profile (names, archMap, includes, excludes) → linux.seccomp, for a process with these capabilities. */
int config_seccomp(const json_t *profile, const json_t *capabilities, json_t **ret, struct err *err);
