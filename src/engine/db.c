/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/db-internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/describe.h"
#include "engine/internal.h"

#define COLUMNS                                                                                                    \
        "id, name, state, created_ns, started_ns, finished_ns, exit_code, pid, restart_count, id_slot, oom_killed, " \
        "stopped_by_user, auto_remove, endpoint, error, image_id, image_name, diff_ids, labels, cgroup_parent, cgroup"

/* In the order of bind_row() and read_row(): parameters 1 to 21, columns 0 to 20. */
static const char *const statements[] = {
        [DB_INSERT] = "INSERT INTO container (" COLUMNS ", spec) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22)",
        [DB_UPDATE] = "UPDATE container SET name=?2, state=?3, started_ns=?5, finished_ns=?6, exit_code=?7, pid=?8, restart_count=?9, "
                   "oom_killed=?11, stopped_by_user=?12, endpoint=?14, error=?15, cgroup=?21 WHERE id=?1",
        [DB_SET_SPEC] = "UPDATE container SET spec=?2 WHERE id=?1",
        [DB_SET_PORTS] = "UPDATE container SET ports=?2 WHERE id=?1",
        [DB_PORTS] = "SELECT ports FROM container WHERE id=?1",
        [DB_DELETE] = "DELETE FROM container WHERE id=?1",
        [DB_SPEC] = "SELECT spec FROM container WHERE id=?1",
        [DB_EACH] = "SELECT " COLUMNS " FROM container ORDER BY created_ns, id",
        [DB_OWNER] = "SELECT id FROM container WHERE name=?1",
        /* The lowest number from 1 up that no row has. */
        [DB_SLOT] = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM container WHERE id_slot=1) UNION ALL "
                 "SELECT * FROM (SELECT a.id_slot+1 FROM container a WHERE a.id_slot>0 AND NOT EXISTS "
                 "(SELECT 1 FROM container b WHERE b.id_slot=a.id_slot+1) ORDER BY a.id_slot LIMIT 1) LIMIT 1",
        [DB_CONSTANT_SET] = "INSERT OR IGNORE INTO constant (key, value) VALUES (?1,?2)",
        [DB_CONSTANT_GET] = "SELECT value FROM constant WHERE key=?1",
        [DB_VOLUME_INSERT] = "INSERT OR IGNORE INTO volume (name, created_ns, anonymous, labels, options) VALUES (?1,?2,?3,?4,?5)",
        [DB_VOLUME_GET] = "SELECT name, created_ns, anonymous, labels, options FROM volume WHERE name=?1",
        [DB_VOLUME_DELETE] = "DELETE FROM volume WHERE name=?1",
        [DB_VOLUME_EACH] = "SELECT name, created_ns, anonymous, labels, options FROM volume ORDER BY name",
        [DB_NETWORK_INSERT] = "INSERT INTO network (id, name, created_ns, spec) VALUES (?1,?2,?3,?4)",
        /* The one of that name, of that id, or two of those whose ids begin so. */
        [DB_NETWORK_GET] = "SELECT id, name, created_ns, spec FROM network WHERE name=?1 OR substr(id,1,length(?1))=?1 ORDER BY name<>?1, id<>?1 LIMIT 2",
        [DB_NETWORK_DELETE] = "DELETE FROM network WHERE id=?1",
        [DB_NETWORK_EACH] = "SELECT id, name, created_ns, spec FROM network ORDER BY created_ns, id",
        /* The lowest number from ?1 up that no row has. */
        [DB_PROJECT_FREE] = "SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM project WHERE id=?1) UNION ALL "
                            "SELECT * FROM (SELECT a.id+1 FROM project a WHERE a.id>=?1 AND NOT EXISTS "
                            "(SELECT 1 FROM project b WHERE b.id=a.id+1) ORDER BY a.id LIMIT 1) LIMIT 1",
        [DB_PROJECT_INSERT] = "INSERT INTO project (id, owner, bytes) VALUES (?1,?2,?3)",
        [DB_PROJECT_GET] = "SELECT id, owner, bytes FROM project WHERE owner=?1",
        [DB_PROJECT_DELETE] = "DELETE FROM project WHERE owner=?1",
        [DB_PROJECT_EACH] = "SELECT id, owner, bytes FROM project ORDER BY id",
};
_Static_assert(ARRAY_SIZE(statements) == _DB_STATEMENT_MAX, "every statement has its text");

/* Entry i brings a database of version i to version i+1. Entries are never changed once a release has gone out with them. */
static const char *const migrations[] = {
        "CREATE TABLE constant (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE container ("
        " id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, state INTEGER NOT NULL, created_ns INTEGER NOT NULL,"
        " started_ns INTEGER NOT NULL, finished_ns INTEGER NOT NULL, exit_code INTEGER NOT NULL, pid INTEGER NOT NULL,"
        " restart_count INTEGER NOT NULL, id_slot INTEGER, oom_killed INTEGER NOT NULL, stopped_by_user INTEGER NOT NULL,"
        " auto_remove INTEGER NOT NULL, endpoint TEXT, error TEXT NOT NULL, image_id TEXT NOT NULL, image_name TEXT NOT NULL,"
        " diff_ids TEXT NOT NULL, labels TEXT, spec TEXT NOT NULL) WITHOUT ROWID;"
        "CREATE UNIQUE INDEX container_id_slot ON container (id_slot);",
        "CREATE TABLE volume (name TEXT PRIMARY KEY, created_ns INTEGER NOT NULL, anonymous INTEGER NOT NULL, labels TEXT) WITHOUT ROWID;",
        "ALTER TABLE container ADD COLUMN cgroup_parent TEXT; ALTER TABLE volume ADD COLUMN options TEXT;",
        "CREATE TABLE network (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_ns INTEGER NOT NULL, spec TEXT NOT NULL) WITHOUT ROWID;",
        "ALTER TABLE container ADD COLUMN ports TEXT;",
        "ALTER TABLE container ADD COLUMN cgroup TEXT;",
        "CREATE TABLE project (id INTEGER PRIMARY KEY, owner TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL);",
};

int db_err(struct db *db, struct err *err, const char *doing) {
        int code = db->sqlite ? sqlite3_errcode(db->sqlite) & 0xff : SQLITE_NOMEM;

        if (code == SQLITE_FULL)
                return err_set(err, ERR_NO_SPACE, -ENOSPC, "database: %s: the disk is full", doing);
        return err_set(err, ERR_INTERNAL, -EIO, "database: %s: %s", doing, db->sqlite ? sqlite3_errmsg(db->sqlite) : "out of memory");
}

static int migrate(struct db *db, struct err *err) {
        sqlite3_stmt *s = NULL;
        char text[64];
        int version;

        if (sqlite3_prepare_v2(db->sqlite, "PRAGMA user_version", -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW) {
                sqlite3_finalize(s);
                return db_err(db, err, "reading its version");
        }
        version = sqlite3_column_int(s, 0);
        sqlite3_finalize(s);
        if (version < 0 || version > (int) ARRAY_SIZE(migrations))
                return err_set(err, ERR_UNSUPPORTED, -EPROTONOSUPPORT, "database: schema version %d was written by a newer Kist; this one knows up to %zu",
                               version, ARRAY_SIZE(migrations));
        for (; version < (int) ARRAY_SIZE(migrations); version++) {
                snprintf(text, sizeof(text), "PRAGMA user_version=%d; COMMIT", version + 1);
                if (sqlite3_exec(db->sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
                    sqlite3_exec(db->sqlite, migrations[version], NULL, NULL, NULL) != SQLITE_OK ||
                    sqlite3_exec(db->sqlite, text, NULL, NULL, NULL) != SQLITE_OK) {
                        int r = db_err(db, err, "bringing the schema up to date");

                        sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
                        return r;
                }
        }
        return 0;
}

void db_close(struct db *db) {
        if (!db)
                return;
        for (size_t i = 0; i < _DB_STATEMENT_MAX; i++)
                sqlite3_finalize(db->prepared[i]);
        sqlite3_close(db->sqlite);
        pthread_mutex_destroy(&db->lock);
        free(db);
}

/* The variables of containers are in it: not for others to read, whatever becomes of the directory. The journal takes its mode from it. */
static int make_private(const char *path, struct err *err) {
        auto_fd fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

        return fd < 0 || fchmod(fd, 0600) < 0 ? err_errno(err, -errno, "%s", path) : 0;
}

int db_open(const char *path, struct db **ret, struct err *err) {
        /* A small cache: rows are read once each, and the pages are in the kernel's cache anyway. */
        static const char pragmas[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-128; PRAGMA temp_store=MEMORY;"
                                      "PRAGMA foreign_keys=ON; PRAGMA busy_timeout=5000;";
        struct db *db;
        int r = make_private(path, err);

        if (r < 0)
                return r;
        db = calloc(1, sizeof(*db));
        if (!db)
                return err_errno(err, -ENOMEM, "database");
        pthread_mutex_init(&db->lock, NULL);
        r = sqlite3_open_v2(path, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
        if (r != SQLITE_OK || sqlite3_exec(db->sqlite, pragmas, NULL, NULL, NULL) != SQLITE_OK) {
                r = db_err(db, err, path);
                goto fail;
        }
        r = migrate(db, err);
        if (r < 0)
                goto fail;
        for (size_t i = 0; i < _DB_STATEMENT_MAX; i++) {
                if (sqlite3_prepare_v3(db->sqlite, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &db->prepared[i], NULL) == SQLITE_OK)
                        continue;
                r = db_err(db, err, "preparing a statement");
                goto fail;
        }
        *ret = db;
        return 0;
fail:
        db_close(db);
        return r;
}

struct db_use db_use_begin(struct db *db, enum db_statement which) {
        pthread_mutex_lock(&db->lock);
        return (struct db_use) { db, db->prepared[which] };
}

void db_use_end(struct db_use *u) {
        sqlite3_reset(u->s);
        sqlite3_clear_bindings(u->s);
        pthread_mutex_unlock(&u->db->lock);
}

void db_bind_text(sqlite3_stmt *s, int i, const char *text) {
        sqlite3_bind_text(s, i, text, -1, SQLITE_STATIC); /* NULL binds NULL */
}

void db_copy_text(char *ret, size_t size, const char *text) {
        snprintf(ret, size, "%s", text ? text : "");
}

char *db_column_dup(sqlite3_stmt *s, int i) {
        const char *text = (const char *) sqlite3_column_text(s, i);

        return text ? strdup(text) : NULL;
}

int db_constant(struct db *db, const char *key, const char *value, char *ret, size_t size, struct err *err) {
        {
                auto_use set = db_use_begin(db, DB_CONSTANT_SET);

                db_bind_text(set.s, 1, key);
                db_bind_text(set.s, 2, value);
                if (sqlite3_step(set.s) != SQLITE_DONE)
                        return db_err(db, err, key);
        }
        auto_use get = db_use_begin(db, DB_CONSTANT_GET);

        db_bind_text(get.s, 1, key);
        if (sqlite3_step(get.s) != SQLITE_ROW)
                return db_err(db, err, key);
        db_copy_text(ret, size, (const char *) sqlite3_column_text(get.s, 0));
        return 0;
}
