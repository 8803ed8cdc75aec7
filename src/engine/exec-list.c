/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/exec-list.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/timestamp.h"
#include "engine/events.h"
#include "engine/internal.h"

enum { EXECS_MAX = 4096, EXECS_PER_CONTAINER_MAX = 512 };
#define EXEC_KEPT_NS (5 * 60 * 1000000000ll)

int execs_new(struct execs **ret, struct err *err) {
        struct execs *x = calloc(1, sizeof(*x));

        if (!x)
                return err_errno(err, -ENOMEM, "execs");
        pthread_mutex_init(&x->lock, NULL);
        *ret = x;
        return 0;
}

/* The list's lock is held. */
static void exec_unref_locked(struct exec *x) {
        if (--x->refs > 0)
                return;
        json_decref(x->body);
        container_unref(x->container);
        free(x);
}

void execs_free(struct execs *x) {
        if (!x)
                return;
        while (x->list) {
                struct exec *next = x->list->next;

                exec_unref_locked(x->list);
                x->list = next;
        }
        pthread_mutex_destroy(&x->lock);
        free(x);
}

void exec_put(struct engine *e, struct exec *x) {
        pthread_mutex_lock(&e->execs->lock);
        exec_unref_locked(x);
        pthread_mutex_unlock(&e->execs->lock);
}

/* Drop what ended long ago, and what nobody started. The list's lock is held. */
static void collect_locked(struct execs *list) {
        int64_t limit = time_now_ns() - EXEC_KEPT_NS;

        for (struct exec **at = &list->list; *at;) {
                struct exec *x = *at;
                bool idle = x->state == EXEC_CREATED || x->state == EXEC_ENDED;

                if (!idle || x->since_ns > limit) {
                        at = &x->next;
                        continue;
                }
                *at = x->next;
                list->n--;
                exec_unref_locked(x);
        }
}

int exec_find(struct engine *e, const char *id, struct exec **ret, struct err *err) {
        struct exec *x;

        pthread_mutex_lock(&e->execs->lock);
        collect_locked(e->execs);
        for (x = e->execs->list; x && strcmp(x->id, id) != 0; x = x->next)
                ;
        if (x)
                x->refs++;
        pthread_mutex_unlock(&e->execs->lock);
        if (!x)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "No such exec instance: %s", id);
        *ret = x;
        return 0;
}

void exec_set_state(struct engine *e, struct exec *x, enum exec_state state, int exit_code) {
        pthread_mutex_lock(&e->execs->lock);
        x->state = state;
        if (state == EXEC_ENDED) {
                x->exit_code = exit_code;
                x->pid = 0;
                x->since_ns = time_now_ns();
        }
        pthread_mutex_unlock(&e->execs->lock);
}

static void publish_end(struct exec *x) {
        events_container(x->container, "exec_die", json_pack("{s:s, s:o}", "execID", x->id, "exitCode", json_sprintf("%d", x->exit_code)));
}

void exec_ended(struct engine *e, const char *exec_id, int status) {
        struct exec *x;

        if (exec_find(e, exec_id, &x, NULL) < 0)
                return;
        exec_set_state(e, x, EXEC_ENDED, status);
        publish_end(x);
        fault_point("exec", "end");
        exec_put(e, x);
}

void exec_detached(struct engine *e, const char *exec_id) {
        struct exec *x;

        if (exec_find(e, exec_id, &x, NULL) < 0)
                return;
        events_container(x->container, "exec_detach", json_pack("{s:s}", "execID", x->id));
        exec_put(e, x);
}

void exec_forget(struct engine *e, const char *exec_id) {
        pthread_mutex_lock(&e->execs->lock);
        for (struct exec **at = &e->execs->list; *at; at = &(*at)->next) {
                struct exec *x = *at;

                if (strcmp(x->id, exec_id) != 0)
                        continue;
                *at = x->next;
                e->execs->n--;
                exec_unref_locked(x);
                break;
        }
        pthread_mutex_unlock(&e->execs->lock);
}

void execs_container_ended(struct engine *e, struct container *c) {
        pthread_mutex_lock(&e->execs->lock);
        for (struct exec *x = e->execs->list; x; x = x->next) {
                if (x->container != c || x->state == EXEC_ENDED)
                        continue;
                x->state = EXEC_ENDED;
                x->exit_code = 137;
                x->pid = 0;
                x->since_ns = time_now_ns();
        }
        pthread_mutex_unlock(&e->execs->lock);
}

json_t *execs_ids(struct engine *e, struct container *c) {
        json_t *ids = NULL;

        pthread_mutex_lock(&e->execs->lock);
        collect_locked(e->execs);
        for (struct exec *x = e->execs->list; x; x = x->next) {
                if (x->container != c || x->state == EXEC_ENDED)
                        continue;
                if (!ids)
                        ids = json_array();
                json_array_append_new(ids, json_string(x->id));
        }
        pthread_mutex_unlock(&e->execs->lock);
        return json_or_null(ids);
}

int exec_add(struct engine *e, struct exec *x, struct err *err) {
        size_t of_container = 0;
        int r = 0;

        pthread_mutex_lock(&e->execs->lock);
        collect_locked(e->execs);
        for (struct exec *i = e->execs->list; i; i = i->next)
                of_container += i->container == x->container;
        if (e->execs->n >= EXECS_MAX || of_container >= EXECS_PER_CONTAINER_MAX)
                r = err_set(err, ERR_CONFLICT, -EAGAIN, "too many execs: at most %d of one container and %d in all are remembered", EXECS_PER_CONTAINER_MAX, EXECS_MAX);
        else {
                x->next = e->execs->list;
                e->execs->list = x;
                e->execs->n++;
        }
        pthread_mutex_unlock(&e->execs->lock);
        return r;
}
