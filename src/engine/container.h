/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One container in memory, and the table of all of them. What was asked for (the body of create) stays in the database as text and is
 * parsed when it is needed, so that thousands of containers that nobody looks at cost little. */

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "monitor/protocol.h"
#include "engine/spec.h"
#include "network/network.h"

struct err;
struct engine;
struct engine_waiter;
struct health;
struct monitor_link;

#define CONTAINER_ID_SIZE 65
#define CONTAINER_NAME_SIZE 256
#define CONTAINER_PENDING_MAX MONITOR_CLIENTS_MAX

/* Stored as numbers: never renumber. */
enum container_state {
        CONTAINER_CREATED,
        CONTAINER_STARTING, /* from before its monitor is spawned until it answered: what a killed daemon leaves here is swept up */
        CONTAINER_RUNNING,
        CONTAINER_PAUSED,
        CONTAINER_RESTARTING, /* ended; waits for its restart policy */
        CONTAINER_EXITED,
        CONTAINER_REMOVING,
        CONTAINER_DEAD, /* its removal failed half-way */
        _CONTAINER_STATE_MAX,
};

/* As Docker writes it: "created", "running", … (starting is "created"). */
const char *container_state_name(enum container_state s);
bool container_state_is_live(enum container_state s); /* a process may exist */
bool container_may_move(enum container_state from, enum container_state to);

/* What the table "container" of the database holds besides the spec. Plain data but for the five strings, which never change after the
 * container was made: a shallow copy may be edited and handed to container_store(). */
struct container_row {
        /* What never changes after the container was made: may be read without a lock. */
        char id[CONTAINER_ID_SIZE];
        bool auto_remove;
        uint32_t id_slot; /* which range of host ids; 0: none (--userns=host) */
        int64_t created_ns;
        char *image_id, *image_name;
        char *diff_ids; /* one per line, lowest first */
        char *labels;   /* JSON text, or NULL when there is none */
        char *cgroup_parent; /* --cgroup-parent; NULL: the daemon's */
        /* What changes; `name` is the first. */
        char name[CONTAINER_NAME_SIZE];
        enum container_state state;
        int64_t started_ns, finished_ns; /* 0: never */
        int32_t exit_code;
        int32_t pid; /* host pid of init while it runs */
        uint32_t restart_count;
        bool oom_killed;
        char cgroup[272];     /* since the last start; "": never */
        bool stopped_by_user; /* a stop or kill was asked for since the last start */
        size_t n_endpoints; /* of networks of its own, while it runs; eth0's is the first */
        struct network_endpoint endpoints[ENDPOINTS_MAX];
        char error[200];
};
void container_row_done(struct container_row *r);

/* A stream that came before the start. */
struct container_pending {
        int fd;
        struct monitor_attach attach;
};

/* What the list of containers says of one, but for the status, which changes with time: kept until something of it changes. */
struct container_listed {
        char *text;   /* the members of the JSON object, first those that Kist's own client asks for; NULL: not made yet */
        size_t size, brief_size;
        unsigned form;       /* which version of the API */
        unsigned generation; /* of what is known of the container: one more with each change */
};

struct container {
        atomic_uint refs;
        struct engine *engine;

        pthread_mutex_t op;   /* held by whoever starts, removes, renames … it: one at a time; may be held for long */
        pthread_mutex_t lock; /* held for moments only */
        pthread_cond_t changed; /* on `lock`: the row or the link changed */

        struct container_row row;  /* written with op and lock, read with either */
        struct monitor_link *link; /* the same */
        bool gone;                 /* the same: it is out of the table */

        struct engine_waiter *waiters; /* lock */
        struct container_listed listed; /* lock */
        json_t *ports;                 /* lock; what is published: see ports.h; NULL: nothing */
        struct health *health;         /* lock; NULL: it is not checked */
        struct container_pending *pending; /* lock; freed when handed over */
        size_t n_pending;
        unsigned restart_backoff_ms; /* op */
        atomic_bool paused_for_commit; /* it goes on in a moment, without being asked */
};

struct container_table {
        pthread_rwlock_t lock;
        struct container **v; /* oldest first */
        size_t n, room;
};

/* A new object with one reference; takes over the strings of *row. */
struct container *container_new(struct engine *e, struct container_row *row);
struct container *container_ref(struct container *c);
void container_unref(struct container *c);
static inline void container_unrefp(struct container **c) {
        if (*c)
                container_unref(*c);
}
#define auto_container __attribute__((cleanup(container_unrefp))) struct container

/* The lock `op` for the length of a scope. */
static inline void container_op_unlockp(pthread_mutex_t **m) {
        if (*m)
                pthread_mutex_unlock(*m);
}
static inline pthread_mutex_t *container_op_lock(struct container *c) {
        pthread_mutex_lock(&c->op);
        return &c->op;
}
#define auto_op __attribute__((cleanup(container_op_unlockp), unused)) pthread_mutex_t

int table_add(struct container_table *t, struct container *c); /* takes its own reference */
void table_remove(struct container_table *t, struct container *c);
/* By id, unique prefix of the id, or name (with or without a leading slash). ERR_NOT_FOUND; ERR_INVALID for an ambiguous prefix. */
int table_find(struct container_table *t, const char *name, struct container **ret, struct err *err);
/* References to all; the caller unrefs each and frees the array. */
int table_snapshot(struct container_table *t, struct container ***ret, size_t *ret_n);
/* Commit *next to the database, then make it what others see. The move from the state that was must be one of the table; op is held. */
int container_store(struct container *c, const struct container_row *next, struct err *err);
/* Replace the spec; op is held. */
int container_set_spec(struct container *c, const char *spec, struct err *err);
/* `lock` is held: what the list says of it is no longer true. */
void container_unlist(struct container *c);
/* For what has happened already, whether the database can take it or not: a disk that is full does not make a process live on. What could not be
 * written is found out again by the next start of the daemon. */
void container_store_fact(struct container *c, const struct container_row *next);
/* A copy of what changes, taken under `lock`; the strings are borrowed from c. */
void container_peek(struct container *c, struct container_row *ret);
/* Put a link in or take it out (NULL); returns what was there, now the caller's. op is held. */
struct monitor_link *container_set_link(struct container *c, struct monitor_link *link);
/* The link with a reference of the caller's own, or NULL. */
struct monitor_link *container_get_link(struct container *c);
/* Wait until `c` is not live any more; −ETIMEDOUT. timeout_ms < 0: for ever. op is NOT held. */
int container_wait_stopped(struct container *c, int64_t timeout_ms);

/* wait.c */
enum container_happening { HAPPENED_EXIT, HAPPENED_REMOVAL };
void container_notify_waiters(struct container *c, enum container_happening what, int status);
