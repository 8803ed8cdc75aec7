/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/db.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/describe.h"
#include "engine/internal.h"

enum statement { INSERT, UPDATE, SET_SPEC, SET_PORTS, PORTS, DELETE, SPEC, EACH, OWNER, SLOT, CONSTANT_SET, CONSTANT_GET, VOLUME_INSERT, VOLUME_GET, VOLUME_DELETE, VOLUME_EACH, NETWORK_INSERT, NETWORK_GET, NETWORK_DELETE, NETWORK_EACH, _STATEMENT_MAX };

#define COLUMNS                                                                                                    \
        "id, name, state, created_ns, started_ns, finished_ns, exit_code, pid, restart_count, id_slot, oom_killed, " \
        "stopped_by_user, auto_remove, endpoint, error, image_id, image_name, diff_ids, labels, cgroup_parent, cgroup"

/* In the order of bind_row() and read_row(): parameters 1 to 21, columns 0 to 20. */
static const char *const statements[] = {
        [INSERT] = "INSERT INTO container (" COLUMNS ", spec) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22)",
        [UPDATE] = "UPDATE container SET name=?2, state=?3, started_ns=?5, finished_ns=?6, exit_code=?7, pid=?8, restart_count=?9, "
                   "oom_killed=?11, stopped_by_user=?12, endpoint=?14, error=?15, cgroup=?21 WHERE id=?1",
        [SET_SPEC] = "UPDATE container SET spec=?2 WHERE id=?1",
        [SET_PORTS] = "UPDATE container SET ports=?2 WHERE id=?1",
        [PORTS] = "SELECT ports FROM container WHERE id=?1",
        [DELETE] = "DELETE FROM container WHERE id=?1",
        [SPEC] = "SELECT spec FROM container WHERE id=?1",
        [EACH] = "SELECT " COLUMNS " FROM container ORDER BY created_ns, id",
        [OWNER] = "SELECT id FROM container WHERE name=?1",
        /* The lowest number from 1 up that no row has. */
        [SLOT] = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM container WHERE id_slot=1) UNION ALL "
                 "SELECT * FROM (SELECT a.id_slot+1 FROM container a WHERE a.id_slot>0 AND NOT EXISTS "
                 "(SELECT 1 FROM container b WHERE b.id_slot=a.id_slot+1) ORDER BY a.id_slot LIMIT 1) LIMIT 1",
        [CONSTANT_SET] = "INSERT OR IGNORE INTO constant (key, value) VALUES (?1,?2)",
        [CONSTANT_GET] = "SELECT value FROM constant WHERE key=?1",
        [VOLUME_INSERT] = "INSERT OR IGNORE INTO volume (name, created_ns, anonymous, labels, options) VALUES (?1,?2,?3,?4,?5)",
        [VOLUME_GET] = "SELECT name, created_ns, anonymous, labels, options FROM volume WHERE name=?1",
        [VOLUME_DELETE] = "DELETE FROM volume WHERE name=?1",
        [VOLUME_EACH] = "SELECT name, created_ns, anonymous, labels, options FROM volume ORDER BY name",
        [NETWORK_INSERT] = "INSERT INTO network (id, name, created_ns, spec) VALUES (?1,?2,?3,?4)",
        /* The one of that name, of that id, or two of those whose ids begin so. */
        [NETWORK_GET] = "SELECT id, name, created_ns, spec FROM network WHERE name=?1 OR substr(id,1,length(?1))=?1 ORDER BY name<>?1, id<>?1 LIMIT 2",
        [NETWORK_DELETE] = "DELETE FROM network WHERE id=?1",
        [NETWORK_EACH] = "SELECT id, name, created_ns, spec FROM network ORDER BY created_ns, id",
};
_Static_assert(ARRAY_SIZE(statements) == _STATEMENT_MAX, "every statement has its text");

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
};

struct db {
        pthread_mutex_t lock;
        sqlite3 *sqlite;
        sqlite3_stmt *prepared[_STATEMENT_MAX];
};

static int db_err(struct db *db, struct err *err, const char *doing) {
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
        for (size_t i = 0; i < _STATEMENT_MAX; i++)
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
        for (size_t i = 0; i < _STATEMENT_MAX; i++) {
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

/* A statement for the length of a scope: the mutex is held, and the statement is ready for the next user afterwards. */
struct use {
        struct db *db;
        sqlite3_stmt *s;
};

static struct use use_begin(struct db *db, enum statement which) {
        pthread_mutex_lock(&db->lock);
        return (struct use) { db, db->prepared[which] };
}

static void use_endp(struct use *u) {
        sqlite3_reset(u->s);
        sqlite3_clear_bindings(u->s);
        pthread_mutex_unlock(&u->db->lock);
}
#define auto_use __attribute__((cleanup(use_endp))) struct use

static void bind_text(sqlite3_stmt *s, int i, const char *text) {
        sqlite3_bind_text(s, i, text, -1, SQLITE_STATIC); /* NULL binds NULL */
}

static json_t *endpoint_object(const struct network_endpoint *e) {
        json_t *o = json_pack("{s:s, s:s, s:s, s:i, s:s, s:b, s:s, s:s, s:s}", "network", e->network, "inside", e->link, "address", e->address, "prefix", (int) e->prefix, "gateway",
                              e->gateway, "default", e->is_gateway, "mac", e->mac, "link", e->host_link, "bridge", e->bridge);

        if (*e->address6) {
                json_object_set_new(o, "address6", json_string(e->address6));
                json_object_set_new(o, "prefix6", json_integer(e->prefix6));
                json_object_set_new(o, "gateway6", json_string(e->gateway6));
        }
        if (e->rates.ingress || e->rates.egress)
                json_object_set_new(o, "rates", json_pack("[I, i, I, i]", (json_int_t) e->rates.ingress, (int) e->rates.ingress_burst, (json_int_t) e->rates.egress,
                                                          (int) e->rates.egress_burst));
        return o;
}

static char *endpoint_text(const struct container_row *r) {
        auto_json *list = NULL;

        if (!r->n_endpoints)
                return NULL;
        list = json_array();
        for (size_t i = 0; i < r->n_endpoints; i++)
                json_array_append_new(list, endpoint_object(&r->endpoints[i]));
        return json_text(list);
}

static void copy_text(char *ret, size_t size, const char *text) {
        snprintf(ret, size, "%s", text ? text : "");
}

/* One written by a version that knew the default network only lacks three of the fields. */
static void endpoint_read(const json_t *o, struct network_endpoint *e) {
        const json_t *rates = json_object_get(o, "rates");

        copy_text(e->network, sizeof(e->network), json_get_str(o, "network", network_id("bridge")));
        copy_text(e->link, sizeof(e->link), json_get_str(o, "inside", "eth0"));
        copy_text(e->address, sizeof(e->address), json_get_str(o, "address", ""));
        e->prefix = (uint8_t) json_get_int(o, "prefix", 0);
        copy_text(e->gateway, sizeof(e->gateway), json_get_str(o, "gateway", ""));
        e->is_gateway = json_get_bool(o, "default", true);
        copy_text(e->mac, sizeof(e->mac), json_get_str(o, "mac", ""));
        copy_text(e->host_link, sizeof(e->host_link), json_get_str(o, "link", ""));
        copy_text(e->bridge, sizeof(e->bridge), json_get_str(o, "bridge", ""));
        copy_text(e->address6, sizeof(e->address6), json_get_str(o, "address6", ""));
        e->prefix6 = (uint8_t) json_get_int(o, "prefix6", 0);
        copy_text(e->gateway6, sizeof(e->gateway6), json_get_str(o, "gateway6", ""));
        e->rates = (struct network_rates) {
                .ingress = (uint64_t) json_integer_value(json_array_get(rates, 0)), .ingress_burst = (uint32_t) json_integer_value(json_array_get(rates, 1)),
                .egress = (uint64_t) json_integer_value(json_array_get(rates, 2)), .egress_burst = (uint32_t) json_integer_value(json_array_get(rates, 3)),
        };
}

static void endpoints_parse(const char *text, struct container_row *r) {
        auto_json *o = NULL;

        if (!text || json_parse(text, strlen(text), 16384, "endpoint", &o, NULL) < 0)
                return;
        for (size_t i = 0; i < json_array_size(o) && i < ENDPOINTS_MAX; i++)
                endpoint_read(json_array_get(o, i), &r->endpoints[r->n_endpoints++]);
        if (json_is_object(o))
                endpoint_read(o, &r->endpoints[r->n_endpoints++]);
}

static void bind_row(sqlite3_stmt *s, const struct container_row *r, const char *endpoint) {
        bind_text(s, 1, r->id);
        bind_text(s, 2, r->name);
        sqlite3_bind_int(s, 3, r->state);
        sqlite3_bind_int64(s, 4, r->created_ns);
        sqlite3_bind_int64(s, 5, r->started_ns);
        sqlite3_bind_int64(s, 6, r->finished_ns);
        sqlite3_bind_int(s, 7, r->exit_code);
        sqlite3_bind_int(s, 8, r->pid);
        sqlite3_bind_int64(s, 9, r->restart_count);
        if (r->id_slot)
                sqlite3_bind_int64(s, 10, r->id_slot); /* NULL otherwise: any number of rows may have none */
        sqlite3_bind_int(s, 11, r->oom_killed);
        sqlite3_bind_int(s, 12, r->stopped_by_user);
        sqlite3_bind_int(s, 13, r->auto_remove);
        bind_text(s, 14, endpoint);
        bind_text(s, 15, r->error);
        bind_text(s, 21, *r->cgroup ? r->cgroup : NULL);
}

static char *column_dup(sqlite3_stmt *s, int i) {
        const char *text = (const char *) sqlite3_column_text(s, i);

        return text ? strdup(text) : NULL;
}

static void read_row(sqlite3_stmt *s, struct container_row *r) {
        *r = (struct container_row) {};
        copy_text(r->id, sizeof(r->id), (const char *) sqlite3_column_text(s, 0));
        copy_text(r->name, sizeof(r->name), (const char *) sqlite3_column_text(s, 1));
        r->state = (enum container_state) sqlite3_column_int(s, 2);
        r->created_ns = sqlite3_column_int64(s, 3);
        r->started_ns = sqlite3_column_int64(s, 4);
        r->finished_ns = sqlite3_column_int64(s, 5);
        r->exit_code = sqlite3_column_int(s, 6);
        r->pid = sqlite3_column_int(s, 7);
        r->restart_count = (uint32_t) sqlite3_column_int64(s, 8);
        r->id_slot = (uint32_t) sqlite3_column_int64(s, 9);
        r->oom_killed = sqlite3_column_int(s, 10);
        r->stopped_by_user = sqlite3_column_int(s, 11);
        r->auto_remove = sqlite3_column_int(s, 12);
        endpoints_parse((const char *) sqlite3_column_text(s, 13), r);
        copy_text(r->error, sizeof(r->error), (const char *) sqlite3_column_text(s, 14));
        r->image_id = column_dup(s, 15);
        r->image_name = column_dup(s, 16);
        r->diff_ids = column_dup(s, 17);
        r->labels = column_dup(s, 18);
        r->cgroup_parent = column_dup(s, 19);
        copy_text(r->cgroup, sizeof(r->cgroup), (const char *) sqlite3_column_text(s, 20));
}

int db_constant(struct db *db, const char *key, const char *value, char *ret, size_t size, struct err *err) {
        {
                auto_use set = use_begin(db, CONSTANT_SET);

                bind_text(set.s, 1, key);
                bind_text(set.s, 2, value);
                if (sqlite3_step(set.s) != SQLITE_DONE)
                        return db_err(db, err, key);
        }
        auto_use get = use_begin(db, CONSTANT_GET);

        bind_text(get.s, 1, key);
        if (sqlite3_step(get.s) != SQLITE_ROW)
                return db_err(db, err, key);
        copy_text(ret, size, (const char *) sqlite3_column_text(get.s, 0));
        return 0;
}

/* Whose is the name? False: nobody's. */
static bool name_owner(struct db *db, const char *name, char owner[65]) {
        auto_use u = use_begin(db, OWNER);

        bind_text(u.s, 1, name);
        if (sqlite3_step(u.s) != SQLITE_ROW)
                return false;
        copy_text(owner, 65, (const char *) sqlite3_column_text(u.s, 0));
        return true;
}

static int name_conflict(struct err *err, const char *name, const char *owner) {
        return err_set(err, ERR_CONFLICT, -EEXIST,
                       "Conflict. The container name \"/%s\" is already in use by container \"%s\". You have to remove (or rename) that container to be able to reuse that name.",
                       name, owner);
}

int db_insert(struct db *db, const struct container_row *row, const char *spec, char owner[65], struct err *err) {
        auto_free char *endpoint = endpoint_text(row);
        bool constraint = false;
        int r = 0;

        {
                auto_use u = use_begin(db, INSERT);

                bind_row(u.s, row, endpoint);
                bind_text(u.s, 16, row->image_id);
                bind_text(u.s, 17, row->image_name);
                bind_text(u.s, 18, row->diff_ids);
                bind_text(u.s, 19, row->labels);
                bind_text(u.s, 20, row->cgroup_parent);
                bind_text(u.s, 22, spec);
                if (sqlite3_step(u.s) != SQLITE_DONE) {
                        constraint = (sqlite3_errcode(db->sqlite) & 0xff) == SQLITE_CONSTRAINT;
                        r = db_err(db, err, "creating a container");
                }
        }
        if (!constraint)
                return r;
        if (name_owner(db, row->name, owner))
                return name_conflict(err, row->name, owner);
        return err_set(err, ERR_CONFLICT, -EAGAIN, "the range of ids %u was taken meanwhile", row->id_slot);
}

int db_update(struct db *db, const struct container_row *row, struct err *err) {
        auto_free char *endpoint = endpoint_text(row);
        bool constraint = false;
        char owner[65];
        int r = 0;

        {
                auto_use u = use_begin(db, UPDATE);

                bind_row(u.s, row, endpoint);
                if (sqlite3_step(u.s) != SQLITE_DONE) {
                        constraint = (sqlite3_errcode(db->sqlite) & 0xff) == SQLITE_CONSTRAINT;
                        r = db_err(db, err, "updating a container");
                } else if (sqlite3_changes(db->sqlite) != 1)
                        r = err_set(err, ERR_NOT_FOUND, -ENOENT, "No such container: %s", row->id);
        }
        if (constraint && name_owner(db, row->name, owner))
                return name_conflict(err, row->name, owner);
        return r;
}

int db_set_spec(struct db *db, const char *id, const char *spec, struct err *err) {
        auto_use u = use_begin(db, SET_SPEC);

        bind_text(u.s, 1, id);
        bind_text(u.s, 2, spec);
        return sqlite3_step(u.s) == SQLITE_DONE ? 0 : db_err(db, err, "updating a container");
}

int db_set_ports(struct db *db, const char *id, const char *ports, struct err *err) {
        auto_use u = use_begin(db, SET_PORTS);

        bind_text(u.s, 1, id);
        bind_text(u.s, 2, ports);
        return sqlite3_step(u.s) == SQLITE_DONE ? 0 : db_err(db, err, "publishing ports");
}

int db_ports(struct db *db, const char *id, json_t **ret, struct err *err) {
        auto_use u = use_begin(db, PORTS);
        const char *text;

        bind_text(u.s, 1, id);
        if (sqlite3_step(u.s) != SQLITE_ROW)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "No such container: %s", id);
        text = (const char *) sqlite3_column_text(u.s, 0);
        return text ? json_parse(text, strlen(text), ENGINE_JSON_MAX, "the stored ports", ret, err) : 0;
}

int db_delete(struct db *db, const char *id, struct err *err) {
        auto_use u = use_begin(db, DELETE);

        bind_text(u.s, 1, id);
        return sqlite3_step(u.s) == SQLITE_DONE ? 0 : db_err(db, err, "removing a container");
}

int db_spec(struct db *db, const char *id, json_t **ret, struct err *err) {
        auto_use u = use_begin(db, SPEC);
        const char *text;

        bind_text(u.s, 1, id);
        if (sqlite3_step(u.s) != SQLITE_ROW)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "No such container: %s", id);
        text = (const char *) sqlite3_column_text(u.s, 0);
        if (!text)
                return db_err(db, err, "reading a container");
        return json_parse(text, strlen(text), ENGINE_JSON_MAX, "the stored container", ret, err);
}

int db_each(struct db *db, int (*fn)(struct container_row *row, void *data), void *data, struct err *err) {
        auto_use u = use_begin(db, EACH);
        int r;

        while ((r = sqlite3_step(u.s)) == SQLITE_ROW) {
                struct container_row row;

                read_row(u.s, &row);
                r = fn(&row, data);
                container_row_done(&row);
                if (r < 0)
                        return err_errno(err, r, "reading the containers");
        }
        return r == SQLITE_DONE ? 0 : db_err(db, err, "reading the containers");
}

void db_volume_done(struct db_volume *v) {
        free(v->labels);
        free(v->options);
        v->labels = v->options = NULL;
}

int db_volume_insert(struct db *db, const struct db_volume *v, bool *ret_made, struct err *err) {
        auto_use u = use_begin(db, VOLUME_INSERT);

        bind_text(u.s, 1, v->name);
        sqlite3_bind_int64(u.s, 2, v->created_ns);
        sqlite3_bind_int(u.s, 3, v->anonymous);
        bind_text(u.s, 4, v->labels);
        bind_text(u.s, 5, v->options);
        if (sqlite3_step(u.s) != SQLITE_DONE)
                return db_err(db, err, "making a volume");
        *ret_made = sqlite3_changes(db->sqlite) == 1;
        return 0;
}

static void read_volume(sqlite3_stmt *s, struct db_volume *v) {
        *v = (struct db_volume) { .created_ns = sqlite3_column_int64(s, 1), .anonymous = sqlite3_column_int(s, 2), .labels = column_dup(s, 3), .options = column_dup(s, 4) };
        copy_text(v->name, sizeof(v->name), (const char *) sqlite3_column_text(s, 0));
}

static int no_such_volume(const char *name, struct err *err) {
        return err_set(err, ERR_NOT_FOUND, -ENOENT, "get %s: no such volume", name);
}

int db_volume_get(struct db *db, const char *name, struct db_volume *ret, struct err *err) {
        auto_use u = use_begin(db, VOLUME_GET);
        int r;

        bind_text(u.s, 1, name);
        r = sqlite3_step(u.s);
        if (r == SQLITE_DONE)
                return no_such_volume(name, err);
        if (r != SQLITE_ROW)
                return db_err(db, err, "reading a volume");
        read_volume(u.s, ret);
        return 0;
}

int db_volume_delete(struct db *db, const char *name, struct err *err) {
        auto_use u = use_begin(db, VOLUME_DELETE);

        bind_text(u.s, 1, name);
        if (sqlite3_step(u.s) != SQLITE_DONE)
                return db_err(db, err, "removing a volume");
        return sqlite3_changes(db->sqlite) == 1 ? 0 : no_such_volume(name, err);
}

int db_volumes_each(struct db *db, int (*fn)(struct db_volume *v, void *data), void *data, struct err *err) {
        auto_use u = use_begin(db, VOLUME_EACH);
        int r;

        while ((r = sqlite3_step(u.s)) == SQLITE_ROW) {
                struct db_volume v;

                read_volume(u.s, &v);
                r = fn(&v, data);
                db_volume_done(&v);
                if (r < 0)
                        return err_errno(err, r, "reading the volumes");
        }
        return r == SQLITE_DONE ? 0 : db_err(db, err, "reading the volumes");
}

int db_network_insert(struct db *db, const struct db_network *n, struct err *err) {
        auto_use u = use_begin(db, NETWORK_INSERT);

        bind_text(u.s, 1, n->id);
        bind_text(u.s, 2, n->name);
        sqlite3_bind_int64(u.s, 3, n->created_ns);
        bind_text(u.s, 4, n->spec);
        if (sqlite3_step(u.s) == SQLITE_DONE)
                return 0;
        if ((sqlite3_errcode(db->sqlite) & 0xff) == SQLITE_CONSTRAINT)
                return err_set(err, ERR_CONFLICT, -EEXIST, "network with name %s already exists", n->name);
        return db_err(db, err, "making a network");
}

static void read_network(sqlite3_stmt *s, struct db_network *n) {
        *n = (struct db_network) { .created_ns = sqlite3_column_int64(s, 2), .spec = column_dup(s, 3) };
        copy_text(n->id, sizeof(n->id), (const char *) sqlite3_column_text(s, 0));
        copy_text(n->name, sizeof(n->name), (const char *) sqlite3_column_text(s, 1));
}

int db_network_get(struct db *db, const char *name, struct db_network *ret, size_t *ret_n, struct err *err) {
        auto_use u = use_begin(db, NETWORK_GET);
        size_t n = 0;
        int r;

        bind_text(u.s, 1, name);
        while ((r = sqlite3_step(u.s)) == SQLITE_ROW)
                if (n++ == 0)
                        read_network(u.s, ret);
        if (r != SQLITE_DONE) {
                if (n)
                        free(ret->spec);
                return db_err(db, err, "reading a network");
        }
        *ret_n = n;
        return 0;
}

int db_network_delete(struct db *db, const char *id, struct err *err) {
        auto_use u = use_begin(db, NETWORK_DELETE);

        bind_text(u.s, 1, id);
        return sqlite3_step(u.s) == SQLITE_DONE ? 0 : db_err(db, err, "removing a network");
}

int db_networks_each(struct db *db, int (*fn)(struct db_network *n, void *data), void *data, struct err *err) {
        auto_use u = use_begin(db, NETWORK_EACH);
        int r;

        while ((r = sqlite3_step(u.s)) == SQLITE_ROW) {
                struct db_network n;

                read_network(u.s, &n);
                r = fn(&n, data);
                free(n.spec);
                if (r < 0)
                        return err_errno(err, r, "reading the networks");
        }
        return r == SQLITE_DONE ? 0 : db_err(db, err, "reading the networks");
}

int db_free_slot(struct db *db, uint32_t max, uint32_t *ret, struct err *err) {
        auto_use u = use_begin(db, SLOT);
        uint32_t slot = 1;

        if (sqlite3_step(u.s) == SQLITE_ROW)
                slot = (uint32_t) sqlite3_column_int64(u.s, 0);
        if (slot >= max)
                return err_set(err, ERR_NO_SPACE, -ENOSPC, "all %u ranges of host ids for containers are taken: remove containers, or give the daemon more ids",
                               max > 0 ? max - 1 : 0);
        *ret = slot;
        return 0;
}
