/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/db-internal.h"

#include <string.h>

#include "engine/internal.h"

void db_volume_done(struct db_volume *v) {
        free(v->labels);
        free(v->options);
        v->labels = v->options = NULL;
}

int db_volume_insert(struct db *db, const struct db_volume *v, bool *ret_made, struct err *err) {
        auto_use u = db_use_begin(db, DB_VOLUME_INSERT);

        db_bind_text(u.s, 1, v->name);
        sqlite3_bind_int64(u.s, 2, v->created_ns);
        sqlite3_bind_int(u.s, 3, v->anonymous);
        db_bind_text(u.s, 4, v->labels);
        db_bind_text(u.s, 5, v->options);
        if (sqlite3_step(u.s) != SQLITE_DONE)
                return db_err(db, err, "making a volume");
        *ret_made = sqlite3_changes(db->sqlite) == 1;
        return 0;
}

static void read_volume(sqlite3_stmt *s, struct db_volume *v) {
        *v = (struct db_volume) { .created_ns = sqlite3_column_int64(s, 1), .anonymous = sqlite3_column_int(s, 2), .labels = db_column_dup(s, 3), .options = db_column_dup(s, 4) };
        db_copy_text(v->name, sizeof(v->name), (const char *) sqlite3_column_text(s, 0));
}

static int no_such_volume(const char *name, struct err *err) {
        return err_set(err, ERR_NOT_FOUND, -ENOENT, "get %s: no such volume", name);
}

int db_volume_get(struct db *db, const char *name, struct db_volume *ret, struct err *err) {
        auto_use u = db_use_begin(db, DB_VOLUME_GET);
        int r;

        db_bind_text(u.s, 1, name);
        r = sqlite3_step(u.s);
        if (r == SQLITE_DONE)
                return no_such_volume(name, err);
        if (r != SQLITE_ROW)
                return db_err(db, err, "reading a volume");
        read_volume(u.s, ret);
        return 0;
}

int db_volume_delete(struct db *db, const char *name, struct err *err) {
        auto_use u = db_use_begin(db, DB_VOLUME_DELETE);

        db_bind_text(u.s, 1, name);
        if (sqlite3_step(u.s) != SQLITE_DONE)
                return db_err(db, err, "removing a volume");
        return sqlite3_changes(db->sqlite) == 1 ? 0 : no_such_volume(name, err);
}

int db_volumes_each(struct db *db, int (*fn)(struct db_volume *v, void *data), void *data, struct err *err) {
        auto_use u = db_use_begin(db, DB_VOLUME_EACH);
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
