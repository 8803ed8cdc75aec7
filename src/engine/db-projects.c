/* SPDX-License-Identifier: Apache-2.0 */
/* Projects of limits of size: see projects.h. */

#include "engine/db-internal.h"
#include "engine/internal.h"

static void read_project(sqlite3_stmt *s, struct db_project *p) {
        *p = (struct db_project) { .id = (uint32_t) sqlite3_column_int64(s, 0), .bytes = (uint64_t) sqlite3_column_int64(s, 2) };
        db_copy_text(p->owner, sizeof(p->owner), (const char *) sqlite3_column_text(s, 1));
}

int db_project_free(struct db *db, uint32_t from, uint32_t *ret, struct err *err) {
        auto_use u = db_use_begin(db, DB_PROJECT_FREE);

        sqlite3_bind_int64(u.s, 1, from);
        if (sqlite3_step(u.s) != SQLITE_ROW)
                return db_err(db, err, "looking for a project");
        *ret = (uint32_t) sqlite3_column_int64(u.s, 0);
        return 0;
}

int db_project_insert(struct db *db, const struct db_project *p, struct err *err) {
        auto_use u = db_use_begin(db, DB_PROJECT_INSERT);

        sqlite3_bind_int64(u.s, 1, p->id);
        db_bind_text(u.s, 2, p->owner);
        sqlite3_bind_int64(u.s, 3, (sqlite3_int64) p->bytes);
        return sqlite3_step(u.s) == SQLITE_DONE ? 0 : db_err(db, err, "taking a project");
}

int db_project_get(struct db *db, const char *owner, struct db_project *ret, struct err *err) {
        auto_use u = db_use_begin(db, DB_PROJECT_GET);
        int r;

        db_bind_text(u.s, 1, owner);
        r = sqlite3_step(u.s);
        if (r == SQLITE_DONE)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "%s has no limit of size", owner);
        if (r != SQLITE_ROW)
                return db_err(db, err, "reading a project");
        read_project(u.s, ret);
        return 0;
}

int db_project_delete(struct db *db, const char *owner, struct err *err) {
        auto_use u = db_use_begin(db, DB_PROJECT_DELETE);

        db_bind_text(u.s, 1, owner);
        return sqlite3_step(u.s) == SQLITE_DONE ? 0 : db_err(db, err, "giving back a project");
}

int db_projects_each(struct db *db, int (*fn)(const struct db_project *p, void *data), void *data, struct err *err) {
        auto_use u = db_use_begin(db, DB_PROJECT_EACH);
        int r;

        while ((r = sqlite3_step(u.s)) == SQLITE_ROW) {
                struct db_project p;

                read_project(u.s, &p);
                r = fn(&p, data);
                if (r < 0)
                        return err_errno(err, r, "reading the projects");
        }
        return r == SQLITE_DONE ? 0 : db_err(db, err, "reading the projects");
}
