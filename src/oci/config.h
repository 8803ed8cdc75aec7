/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <stddef.h>

struct err;

enum { CONFIG_MAX = 16 << 20 };

/* A bundle: its absolute path and its config.json, as text and as JSON. */
struct bundle {
        char *path, *text;
        size_t size;
        json_t *config;
};
#define auto_bundle __attribute__((cleanup(bundle_done))) struct bundle
void bundle_done(struct bundle *b);

/* `path` NULL: the current directory. Refuses what this runtime would otherwise ignore silently. */
int bundle_load(const char *path, struct bundle *ret, struct err *err);

/* linux.cgroupsPath without its leading slashes, or "kist/ID". The caller frees. */
int config_cgroup_path(const json_t *config, const char *id, char **ret, struct err *err);
