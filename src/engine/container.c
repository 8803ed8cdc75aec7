/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/container.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "engine/db.h"
#include "engine/health.h"
#include "engine/internal.h"
#include "engine/monitors.h"

static const char *const state_names[] = {
        [CONTAINER_CREATED] = "created",       [CONTAINER_STARTING] = "created", [CONTAINER_RUNNING] = "running",
        [CONTAINER_PAUSED] = "paused",         [CONTAINER_RESTARTING] = "restarting", [CONTAINER_EXITED] = "exited",
        [CONTAINER_REMOVING] = "removing",     [CONTAINER_DEAD] = "dead",
};
_Static_assert(ARRAY_SIZE(state_names) == _CONTAINER_STATE_MAX, "every state has a name");

#define TO(s) (1u << (s))
/* From where to where. A state may always be stored again with other details (a new name, a new error). */
static const unsigned moves[] = {
        [CONTAINER_CREATED] = TO(CONTAINER_STARTING) | TO(CONTAINER_REMOVING),
        /* back to created or exited: the start failed; restarting: a daemon died in it, and its successor applies the policy */
        [CONTAINER_STARTING] = TO(CONTAINER_RUNNING) | TO(CONTAINER_CREATED) | TO(CONTAINER_EXITED) | TO(CONTAINER_RESTARTING) | TO(CONTAINER_REMOVING),
        [CONTAINER_RUNNING] = TO(CONTAINER_PAUSED) | TO(CONTAINER_EXITED) | TO(CONTAINER_RESTARTING),
        [CONTAINER_PAUSED] = TO(CONTAINER_RUNNING) | TO(CONTAINER_EXITED) | TO(CONTAINER_RESTARTING),
        [CONTAINER_RESTARTING] = TO(CONTAINER_STARTING) | TO(CONTAINER_EXITED) | TO(CONTAINER_REMOVING),
        [CONTAINER_EXITED] = TO(CONTAINER_STARTING) | TO(CONTAINER_REMOVING),
        [CONTAINER_REMOVING] = TO(CONTAINER_DEAD),
        [CONTAINER_DEAD] = TO(CONTAINER_REMOVING),
};
_Static_assert(ARRAY_SIZE(moves) == _CONTAINER_STATE_MAX, "every state has its moves");

const char *container_state_name(enum container_state s) {
        return (unsigned) s < _CONTAINER_STATE_MAX ? state_names[s] : "dead";
}

bool container_state_is_live(enum container_state s) {
        return s == CONTAINER_STARTING || s == CONTAINER_RUNNING || s == CONTAINER_PAUSED;
}

bool container_may_move(enum container_state from, enum container_state to) {
        if ((unsigned) from >= _CONTAINER_STATE_MAX || (unsigned) to >= _CONTAINER_STATE_MAX)
                return false;
        return from == to || (moves[from] & TO(to));
}

void container_row_done(struct container_row *r) {
        free(r->image_id);
        free(r->image_name);
        free(r->diff_ids);
        free(r->labels);
        free(r->cgroup_parent);
        r->image_id = r->image_name = r->diff_ids = r->labels = r->cgroup_parent = NULL;
}

struct container *container_new(struct engine *e, struct container_row *row) {
        struct container *c = calloc(1, sizeof(*c));
        pthread_condattr_t attr;

        if (!c)
                return NULL;
        atomic_init(&c->refs, 1);
        c->engine = e;
        pthread_mutex_init(&c->op, NULL);
        pthread_mutex_init(&c->lock, NULL);
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&c->changed, &attr);
        pthread_condattr_destroy(&attr);
        c->row = *row;
        row->image_id = row->image_name = row->diff_ids = row->labels = row->cgroup_parent = NULL;
        return c;
}

struct container *container_ref(struct container *c) {
        atomic_fetch_add(&c->refs, 1);
        return c;
}

void container_unref(struct container *c) {
        if (atomic_fetch_sub(&c->refs, 1) != 1)
                return;
        if (c->link)
                monitor_link_unref(c->link);
        for (size_t i = 0; i < c->n_pending; i++)
                fd_close(c->pending[i].fd);
        free(c->pending);
        health_unref(c->health);
        json_decref(c->ports);
        free(c->listed.text);
        container_row_done(&c->row);
        pthread_cond_destroy(&c->changed);
        pthread_mutex_destroy(&c->lock);
        pthread_mutex_destroy(&c->op);
        free(c);
}

int table_add(struct container_table *t, struct container *c) {
        int r = 0;

        pthread_rwlock_wrlock(&t->lock);
        if (t->n == t->room) {
                size_t room = t->room ? t->room * 2 : 16;
                struct container **v = reallocarray(t->v, room, sizeof(*v));

                if (v) {
                        t->v = v;
                        t->room = room;
                } else
                        r = -ENOMEM;
        }
        if (!r)
                t->v[t->n++] = container_ref(c);
        pthread_rwlock_unlock(&t->lock);
        return r;
}

void table_remove(struct container_table *t, struct container *c) {
        bool found = false;

        pthread_rwlock_wrlock(&t->lock);
        for (size_t i = 0; i < t->n; i++) {
                if (t->v[i] != c)
                        continue;
                memmove(t->v + i, t->v + i + 1, (t->n - i - 1) * sizeof(*t->v));
                t->n--;
                found = true;
                break;
        }
        pthread_rwlock_unlock(&t->lock);
        if (found)
                container_unref(c);
}

/* Names win over prefixes of ids, as in Docker; a whole id wins over everything. */
int table_find(struct container_table *t, const char *name, struct container **ret, struct err *err) {
        struct container *by_name = NULL, *by_prefix = NULL;
        bool ambiguous = false;
        size_t length;

        if (*name == '/')
                name++;
        length = strlen(name);
        pthread_rwlock_rdlock(&t->lock);
        for (size_t i = 0; i < t->n && length; i++) {
                struct container *c = t->v[i];
                bool named, prefixed;

                pthread_mutex_lock(&c->lock);
                named = !strcmp(c->row.name, name);
                prefixed = length < CONTAINER_ID_SIZE && !strncmp(c->row.id, name, length);
                pthread_mutex_unlock(&c->lock);
                if (named)
                        by_name = c;
                if (!prefixed)
                        continue;
                ambiguous = by_prefix != NULL;
                by_prefix = c;
                if (length == CONTAINER_ID_SIZE - 1) {
                        by_name = c;
                        break;
                }
        }
        if (!by_name && !ambiguous)
                by_name = by_prefix;
        if (by_name)
                container_ref(by_name);
        pthread_rwlock_unlock(&t->lock);
        if (by_name) {
                *ret = by_name;
                return 0;
        }
        if (ambiguous)
                return err_set(err, ERR_INVALID, -ENOTUNIQ, "Multiple IDs found with provided prefix: %s", name);
        return err_set(err, ERR_NOT_FOUND, -ENOENT, "No such container: %s", name);
}

int table_snapshot(struct container_table *t, struct container ***ret, size_t *ret_n) {
        struct container **v;

        pthread_rwlock_rdlock(&t->lock);
        v = calloc(t->n + 1, sizeof(*v));
        if (v) {
                for (size_t i = 0; i < t->n; i++)
                        v[i] = container_ref(t->v[i]);
                *ret = v;
                *ret_n = t->n;
        }
        pthread_rwlock_unlock(&t->lock);
        return v ? 0 : -ENOMEM;
}

void container_unlist(struct container *c) {
        free(c->listed.text);
        c->listed.text = NULL;
        c->listed.generation++;
}

static void publish(struct container *c, const struct container_row *next) {
        const size_t constant = offsetof(struct container_row, name);

        pthread_mutex_lock(&c->lock);
        memcpy((char *) &c->row + constant, (const char *) next + constant, sizeof(*next) - constant);
        container_unlist(c);
        pthread_cond_broadcast(&c->changed);
        pthread_mutex_unlock(&c->lock);
}

int container_set_spec(struct container *c, const char *spec, struct err *err) {
        int r = db_set_spec(c->engine->db, c->row.id, spec, err);

        pthread_mutex_lock(&c->lock);
        container_unlist(c);
        pthread_mutex_unlock(&c->lock);
        return r;
}

int container_store(struct container *c, const struct container_row *next, struct err *err) {
        int r;

        if (!container_may_move(c->row.state, next->state)) {
                assert(!"a container may not move like this");
                return err_set(err, ERR_CONFLICT, -EINVAL, "container %.12s is %s and cannot become %s", c->row.id,
                               container_state_name(c->row.state), container_state_name(next->state));
        }
        r = db_update(c->engine->db, next, err);
        if (r < 0)
                return r;
        publish(c, next);
        return 0;
}

void container_store_fact(struct container *c, const struct container_row *next) {
        struct err err;

        if (container_store(c, next, &err) == 0)
                return;
        log_error("container %.12s: %s", next->id, err.msg);
        publish(c, next);
}

void container_peek(struct container *c, struct container_row *ret) {
        pthread_mutex_lock(&c->lock);
        *ret = c->row;
        pthread_mutex_unlock(&c->lock);
}

struct monitor_link *container_set_link(struct container *c, struct monitor_link *link) {
        struct monitor_link *old;

        pthread_mutex_lock(&c->lock);
        old = c->link;
        c->link = link;
        pthread_cond_broadcast(&c->changed);
        pthread_mutex_unlock(&c->lock);
        return old;
}

struct monitor_link *container_get_link(struct container *c) {
        struct monitor_link *link;

        pthread_mutex_lock(&c->lock);
        link = c->link ? monitor_link_ref(c->link) : NULL;
        pthread_mutex_unlock(&c->lock);
        return link;
}

int container_wait_stopped(struct container *c, int64_t timeout_ms) {
        struct timespec until;
        int r = 0;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += timeout_ms / 1000;
        until.tv_nsec += timeout_ms % 1000 * 1000000;
        if (until.tv_nsec >= 1000000000) {
                until.tv_sec++;
                until.tv_nsec -= 1000000000;
        }
        pthread_mutex_lock(&c->lock);
        while (container_state_is_live(c->row.state) && r == 0)
                r = timeout_ms < 0 ? pthread_cond_wait(&c->changed, &c->lock)
                                   : pthread_cond_timedwait(&c->changed, &c->lock, &until);
        pthread_mutex_unlock(&c->lock);
        return -r;
}
