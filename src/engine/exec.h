/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Execs: more processes in a running container. Records live in memory only, as in Docker: bounded in number, dropped some minutes after their end. */

#include <jansson.h>

struct container;
struct engine;
struct err;
struct execs;

int execs_new(struct execs **ret, struct err *err);
void execs_free(struct execs *x);
/* The monitor says that it ended. Unknown ids (of a daemon before us) are no error. */
void exec_ended(struct engine *e, const char *exec_id, int status);
/* Its client typed the keys that leave it. */
void exec_detached(struct engine *e, const char *exec_id);
/* None of its execs runs any more. */
void execs_container_ended(struct engine *e, struct container *c);
/* Ids of those that a container has: a new array, or null when there is none. */
json_t *execs_ids(struct engine *e, struct container *c);
/* Of a health check: nobody will ask for it any more. */
void exec_forget(struct engine *e, const char *exec_id);
