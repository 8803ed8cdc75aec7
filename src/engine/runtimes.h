/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* OCI runtimes other than our own, by the names that the daemon's options give them, and how one of them is asked for a container. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct engine_options;
struct err;
struct spec;

#define RUNTIME_OWN "kist"

struct runtime {
        char *name, *path;
        char **args; /* behind the path */
        size_t n_args;
};

/* Reads engine_options.runtimes and .default_runtime. */
int runtimes_open(struct engine *e, const struct engine_options *o, struct err *err);
void runtimes_close(struct engine *e);

/* *ret NULL: our own. ERR_INVALID: "unknown or invalid runtime name: NAME". */
int runtime_find(const struct engine *e, const char *name, const struct runtime **ret, struct err *err);
/* What an OCI runtime cannot be asked for, by name. */
int runtime_check(const struct runtime *r, const struct spec *s, struct err *err);
/* {NAME: {"path", "runtimeArgs"}}: for GET /info. */
json_t *runtimes_describe(const struct engine *e);

/* A memfd with the struct monitor_runtime for this config.json of config_container(), which is changed for it. room: an empty directory, on which the
 * monitor lays what the runtime needs. Ids are first_id …; 0: the host's. net: the container gets a network namespace by fd. */
int runtime_plan(const struct runtime *r, const struct spec *s, const char *room, json_t *config, const char *cgroup, uint32_t first_id, bool net, int *ret, struct err *err);
/* A memfd with a process.json. */
int runtime_plan_exec(const json_t *process, int *ret, struct err *err);
