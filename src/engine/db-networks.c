/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/db-internal.h"

#include <string.h>

#include "engine/internal.h"

int db_network_insert(struct db *db, const struct db_network *n, struct err *err) {
        auto_use u = db_use_begin(db, DB_NETWORK_INSERT);

        db_bind_text(u.s, 1, n->id);
        db_bind_text(u.s, 2, n->name);
        sqlite3_bind_int64(u.s, 3, n->created_ns);
        db_bind_text(u.s, 4, n->spec);
        if (sqlite3_step(u.s) == SQLITE_DONE)
                return 0;
        if ((sqlite3_errcode(db->sqlite) & 0xff) == SQLITE_CONSTRAINT)
                return err_set(err, ERR_CONFLICT, -EEXIST, "network with name %s already exists", n->name);
        return db_err(db, err, "making a network");
}

static void read_network(sqlite3_stmt *s, struct db_network *n) {
        *n = (struct db_network) { .created_ns = sqlite3_column_int64(s, 2), .spec = db_column_dup(s, 3) };
        db_copy_text(n->id, sizeof(n->id), (const char *) sqlite3_column_text(s, 0));
        db_copy_text(n->name, sizeof(n->name), (const char *) sqlite3_column_text(s, 1));
}

int db_network_get(struct db *db, const char *name, struct db_network *ret, size_t *ret_n, struct err *err) {
        auto_use u = db_use_begin(db, DB_NETWORK_GET);
        size_t n = 0;
        int r;

        db_bind_text(u.s, 1, name);
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
        auto_use u = db_use_begin(db, DB_NETWORK_DELETE);

        db_bind_text(u.s, 1, id);
        return sqlite3_step(u.s) == SQLITE_DONE ? 0 : db_err(db, err, "removing a network");
}

int db_networks_each(struct db *db, int (*fn)(struct db_network *n, void *data), void *data, struct err *err) {
        auto_use u = db_use_begin(db, DB_NETWORK_EACH);
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
