/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The database ROOT/kist.db (SQLite, write-ahead log): what was asked for, and how it went. One connection behind a mutex. A change is
 * committed when the function returns 0; it survives the death of the daemon at any instruction (synchronous=NORMAL: of the host, all but the
 * last moments). */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct container_row;
struct db;
struct err;

/* Made when missing, brought to the newest schema when older; ERR_UNSUPPORTED when a newer program has written it. */
int db_open(const char *path, struct db **ret, struct err *err);
void db_close(struct db *db);

/* A text that stays the same for the life of the database: `value` is stored the first time, what is stored is returned. */
int db_constant(struct db *db, const char *key, const char *value, char *ret, size_t size, struct err *err);

/* ERR_CONFLICT when the name is taken: the id of its owner is in `owner` (65 bytes) then. `spec`: JSON text. */
int db_insert(struct db *db, const struct container_row *row, const char *spec, char owner[65], struct err *err);
int db_update(struct db *db, const struct container_row *row, struct err *err);
/* Replace the spec: what an update changed. */
int db_set_spec(struct db *db, const char *id, const char *spec, struct err *err);
/* What is published, JSON text; NULL: nothing. */
int db_set_ports(struct db *db, const char *id, const char *ports, struct err *err);
int db_ports(struct db *db, const char *id, json_t **ret, struct err *err); /* *ret untouched when nothing is */
int db_delete(struct db *db, const char *id, struct err *err);
int db_spec(struct db *db, const char *id, json_t **ret, struct err *err);

/* All rows, oldest first; fn takes over the strings of *row. Stops at the first negative return. Not from inside fn: other calls of db_*(). */
int db_each(struct db *db, int (*fn)(struct container_row *row, void *data), void *data, struct err *err);

/* Volumes. *made: it was not there before. */
struct db_volume {
        char name[256];
        int64_t created_ns;
        bool anonymous; /* nobody gave it a name */
        char *labels;   /* JSON text or NULL */
        char *options;  /* DriverOpts: JSON text or NULL */
};
void db_volume_done(struct db_volume *v);
int db_volume_insert(struct db *db, const struct db_volume *v, bool *ret_made, struct err *err);
/* The caller frees it with db_volume_done(). ERR_NOT_FOUND. */
int db_volume_get(struct db *db, const char *name, struct db_volume *ret, struct err *err);
int db_volume_delete(struct db *db, const char *name, struct err *err);
/* By name; fn may take over the strings (setting them NULL), else they are freed. As db_each(). */
int db_volumes_each(struct db *db, int (*fn)(struct db_volume *v, void *data), void *data, struct err *err);

/* Networks that were made. */
struct db_network {
        char id[65], name[256];
        int64_t created_ns;
        char *spec; /* JSON text */
};
int db_network_insert(struct db *db, const struct db_network *n, struct err *err); /* ERR_CONFLICT: the name is taken */
/* By name, id, or prefix of the id, in this order. *ret_n: 0, none; 2: several, of which *ret is the best (a name or a whole id is for sure). The caller
 * frees ret->spec when it is not 0. */
int db_network_get(struct db *db, const char *name, struct db_network *ret, size_t *ret_n, struct err *err);
int db_network_delete(struct db *db, const char *id, struct err *err);
/* Oldest first; fn may take over n->spec (setting it NULL), else it is freed. As db_each(). */
int db_networks_each(struct db *db, int (*fn)(struct db_network *n, void *data), void *data, struct err *err);

/* Ranges of host ids: the lowest free slot in [1, max), kept as long as the row that is inserted with it. Two creates at once may be told the same:
 * then the second db_insert() fails with ERR_CONFLICT and −EAGAIN, and it tries again. ERR_NO_SPACE when all are taken. */
int db_free_slot(struct db *db, uint32_t max, uint32_t *ret, struct err *err);

/* Projects of limits of size (projects.h): who has which. */
struct db_project {
        uint32_t id;
        char owner[280];
        uint64_t bytes;
};
int db_project_free(struct db *db, uint32_t from, uint32_t *ret, struct err *err); /* the lowest from `from` on without a row */
int db_project_insert(struct db *db, const struct db_project *p, struct err *err);
int db_project_get(struct db *db, const char *owner, struct db_project *ret, struct err *err); /* ERR_NOT_FOUND */
int db_project_delete(struct db *db, const char *owner, struct err *err);
int db_projects_each(struct db *db, int (*fn)(const struct db_project *p, void *data), void *data, struct err *err); /* as db_each() */
