/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Health checks: a command that is run in a container from time to time; its exit status says how the container is. What they found lives in memory
 * only: after a restart of the daemon a container is "starting" again. */

#include <jansson.h>

struct container;
struct engine;
struct err;
struct health;
struct health_checks;
struct spec;

int health_checks_new(struct health_checks **ret, struct err *err);
/* Ends the checks that run, and waits for them. Before the execs are freed. */
void health_checks_free(struct health_checks *h);

/* The container has started (or was found running): from now on it is checked, if it asked for it. c->op is held. */
void health_begin(struct engine *e, struct container *c, const struct spec *s);
/* It has ended. c->op is held. */
void health_end(struct container *c);
void health_unref(struct health *h);

/* "starting", "healthy", "unhealthy"; NULL: it is not checked. */
const char *health_status(struct container *c);
/* {Status, FailingStreak, Log: [{Start, End, ExitCode, Output}]}, or NULL. */
json_t *health_describe(struct container *c);
