/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The options that `run` and `create` share, and what the Engine API calls them. */

#include <jansson.h>

#include "cli/command.h"

extern const struct option container_options[];

/* The body of POST /containers/create from a parsed command line (image and command are its positional arguments). A value that is not well formed
 * prints one line that names the option, and returns −1. */
int container_body(const struct args *args, json_t **ret);

/* Into the body's Env: the proxies of config.json for the daemon at `host`, unless the command line says others. */
void container_add_proxies(const struct args *args, const char *host, json_t *body);
