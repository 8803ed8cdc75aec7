/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The records of execs: shared by who keeps them (exec-list.c) and who makes, starts and describes them (exec.c). */

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>

#include "engine/container.h"
#include "engine/exec.h"

enum exec_state { EXEC_CREATED, EXEC_STARTING, EXEC_RUNNING, EXEC_ENDED };

struct exec {
        struct exec *next;
        unsigned refs;
        char id[CONTAINER_ID_SIZE];
        struct container *container;
        json_t *body;
        bool tty, attach_stdin, attach_stdout, attach_stderr;
        enum exec_state state;
        int exit_code;
        pid_t pid;
        int64_t since_ns; /* when it was made, or when it ended */
};

struct execs {
        pthread_mutex_t lock; /* of the list and of what changes in each */
        struct exec *list;
        size_t n;
};

/* ERR_CONFLICT: too many. The list has the record then, and its one reference. */
int exec_add(struct engine *e, struct exec *x, struct err *err);
/* With a reference of the caller's, for exec_put(). ERR_NOT_FOUND. */
int exec_find(struct engine *e, const char *id, struct exec **ret, struct err *err);
void exec_put(struct engine *e, struct exec *x);
/* exit_code: with EXEC_ENDED. */
void exec_set_state(struct engine *e, struct exec *x, enum exec_state state, int exit_code);
