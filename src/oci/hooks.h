/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <sys/types.h>

struct container;
struct err;
struct options;

/* Hooks that run in the host's namespaces; those inside of the container are the executor's. `config` is what the container was made from. */

/* prestart and createRuntime. They are told the state that is not on disk yet. */
int hooks_before_start(const json_t *config, const char *id, const char *bundle, pid_t pid, struct err *err);

/* poststart: the first that fails decides. */
int hooks_after_start(struct container *c, struct err *err);

/* poststop, when nothing of the container is left: what fails is told to the log, and the others still run. */
void hooks_after_stop(const struct options *o, const json_t *config, const char *id, const char *bundle);
