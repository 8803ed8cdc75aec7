/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of the database share: db.c opens it and has the texts of the statements; db-containers.c, db-volumes.c, db-networks.c and db-projects.c run them. */

#include <pthread.h>
#include <sqlite3.h>

#include "engine/db.h"

/* In the order of their texts in db.c. */
enum db_statement {
        DB_INSERT, DB_UPDATE, DB_SET_SPEC, DB_SET_PORTS, DB_PORTS, DB_DELETE, DB_SPEC, DB_EACH, DB_OWNER, DB_SLOT,
        DB_CONSTANT_SET, DB_CONSTANT_GET,
        DB_VOLUME_INSERT, DB_VOLUME_GET, DB_VOLUME_DELETE, DB_VOLUME_EACH,
        DB_NETWORK_INSERT, DB_NETWORK_GET, DB_NETWORK_DELETE, DB_NETWORK_EACH,
        DB_PROJECT_FREE, DB_PROJECT_INSERT, DB_PROJECT_GET, DB_PROJECT_DELETE, DB_PROJECT_EACH,
        _DB_STATEMENT_MAX
};

struct db {
        pthread_mutex_t lock;
        sqlite3 *sqlite;
        sqlite3_stmt *prepared[_DB_STATEMENT_MAX];
};

/* SQLite's last error. */
int db_err(struct db *db, struct err *err, const char *doing);

/* A statement for the length of a scope: the mutex is held, and the statement is ready for the next user afterwards. */
struct db_use {
        struct db *db;
        sqlite3_stmt *s;
};
struct db_use db_use_begin(struct db *db, enum db_statement which);
void db_use_end(struct db_use *u);
#define auto_use __attribute__((cleanup(db_use_end))) struct db_use

/* NULL binds NULL; the text must outlive the use. */
void db_bind_text(sqlite3_stmt *s, int i, const char *text);
/* NULL is "". */
void db_copy_text(char *ret, size_t size, const char *text);
/* The caller's; NULL stays NULL. */
char *db_column_dup(sqlite3_stmt *s, int i);
