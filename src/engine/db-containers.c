/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/db-internal.h"

#include <stdio.h>
#include <string.h>

#include "engine/describe.h"
#include "engine/internal.h"

static json_t *endpoint_object(const struct network_endpoint *e) {
        json_t *o = json_pack("{s:s, s:s, s:s, s:i, s:s, s:b, s:s, s:s, s:s}", "network", e->network, "inside", e->link, "address", e->address, "prefix", (int) e->prefix, "gateway",
                              e->gateway, "default", e->is_gateway, "mac", e->mac, "link", e->host_link, "bridge", e->bridge);

        if (*e->address6) {
                json_object_set_new(o, "address6", json_string(e->address6));
                json_object_set_new(o, "prefix6", json_integer(e->prefix6));
                json_object_set_new(o, "gateway6", json_string(e->gateway6));
        }
        if (e->on_link)
                json_object_set_new(o, "on_link", json_true());
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

/* One written by a version that knew the default network only lacks three of the fields. */
static void endpoint_read(const json_t *o, struct network_endpoint *e) {
        const json_t *rates = json_object_get(o, "rates");

        db_copy_text(e->network, sizeof(e->network), json_get_str(o, "network", network_id("bridge")));
        db_copy_text(e->link, sizeof(e->link), json_get_str(o, "inside", "eth0"));
        db_copy_text(e->address, sizeof(e->address), json_get_str(o, "address", ""));
        e->prefix = (uint8_t) json_get_int(o, "prefix", 0);
        db_copy_text(e->gateway, sizeof(e->gateway), json_get_str(o, "gateway", ""));
        e->is_gateway = json_get_bool(o, "default", true);
        db_copy_text(e->mac, sizeof(e->mac), json_get_str(o, "mac", ""));
        db_copy_text(e->host_link, sizeof(e->host_link), json_get_str(o, "link", ""));
        db_copy_text(e->bridge, sizeof(e->bridge), json_get_str(o, "bridge", ""));
        db_copy_text(e->address6, sizeof(e->address6), json_get_str(o, "address6", ""));
        e->prefix6 = (uint8_t) json_get_int(o, "prefix6", 0);
        db_copy_text(e->gateway6, sizeof(e->gateway6), json_get_str(o, "gateway6", ""));
        e->on_link = json_get_bool(o, "on_link", false);
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
        db_bind_text(s, 1, r->id);
        db_bind_text(s, 2, r->name);
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
        db_bind_text(s, 14, endpoint);
        db_bind_text(s, 15, r->error);
        db_bind_text(s, 21, *r->cgroup ? r->cgroup : NULL);
}

static void read_row(sqlite3_stmt *s, struct container_row *r) {
        *r = (struct container_row) {};
        db_copy_text(r->id, sizeof(r->id), (const char *) sqlite3_column_text(s, 0));
        db_copy_text(r->name, sizeof(r->name), (const char *) sqlite3_column_text(s, 1));
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
        db_copy_text(r->error, sizeof(r->error), (const char *) sqlite3_column_text(s, 14));
        r->image_id = db_column_dup(s, 15);
        r->image_name = db_column_dup(s, 16);
        r->diff_ids = db_column_dup(s, 17);
        r->labels = db_column_dup(s, 18);
        r->cgroup_parent = db_column_dup(s, 19);
        db_copy_text(r->cgroup, sizeof(r->cgroup), (const char *) sqlite3_column_text(s, 20));
}

/* Whose is the name? False: nobody's. */
static bool name_owner(struct db *db, const char *name, char owner[65]) {
        auto_use u = db_use_begin(db, DB_OWNER);

        db_bind_text(u.s, 1, name);
        if (sqlite3_step(u.s) != SQLITE_ROW)
                return false;
        db_copy_text(owner, 65, (const char *) sqlite3_column_text(u.s, 0));
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
                auto_use u = db_use_begin(db, DB_INSERT);

                bind_row(u.s, row, endpoint);
                db_bind_text(u.s, 16, row->image_id);
                db_bind_text(u.s, 17, row->image_name);
                db_bind_text(u.s, 18, row->diff_ids);
                db_bind_text(u.s, 19, row->labels);
                db_bind_text(u.s, 20, row->cgroup_parent);
                db_bind_text(u.s, 22, spec);
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
                auto_use u = db_use_begin(db, DB_UPDATE);

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
        auto_use u = db_use_begin(db, DB_SET_SPEC);

        db_bind_text(u.s, 1, id);
        db_bind_text(u.s, 2, spec);
        return sqlite3_step(u.s) == SQLITE_DONE ? 0 : db_err(db, err, "updating a container");
}

int db_set_ports(struct db *db, const char *id, const char *ports, struct err *err) {
        auto_use u = db_use_begin(db, DB_SET_PORTS);

        db_bind_text(u.s, 1, id);
        db_bind_text(u.s, 2, ports);
        return sqlite3_step(u.s) == SQLITE_DONE ? 0 : db_err(db, err, "publishing ports");
}

int db_ports(struct db *db, const char *id, json_t **ret, struct err *err) {
        auto_use u = db_use_begin(db, DB_PORTS);
        const char *text;

        db_bind_text(u.s, 1, id);
        if (sqlite3_step(u.s) != SQLITE_ROW)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "No such container: %s", id);
        text = (const char *) sqlite3_column_text(u.s, 0);
        return text ? json_parse(text, strlen(text), ENGINE_JSON_MAX, "the stored ports", ret, err) : 0;
}

int db_delete(struct db *db, const char *id, struct err *err) {
        auto_use u = db_use_begin(db, DB_DELETE);

        db_bind_text(u.s, 1, id);
        return sqlite3_step(u.s) == SQLITE_DONE ? 0 : db_err(db, err, "removing a container");
}

int db_spec(struct db *db, const char *id, json_t **ret, struct err *err) {
        auto_use u = db_use_begin(db, DB_SPEC);
        const char *text;

        db_bind_text(u.s, 1, id);
        if (sqlite3_step(u.s) != SQLITE_ROW)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "No such container: %s", id);
        text = (const char *) sqlite3_column_text(u.s, 0);
        if (!text)
                return db_err(db, err, "reading a container");
        return json_parse(text, strlen(text), ENGINE_JSON_MAX, "the stored container", ret, err);
}

int db_each(struct db *db, int (*fn)(struct container_row *row, void *data), void *data, struct err *err) {
        auto_use u = db_use_begin(db, DB_EACH);
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

int db_free_slot(struct db *db, uint32_t max, uint32_t *ret, struct err *err) {
        auto_use u = db_use_begin(db, DB_SLOT);
        uint32_t slot = 1;

        if (sqlite3_step(u.s) == SQLITE_ROW)
                slot = (uint32_t) sqlite3_column_int64(u.s, 0);
        if (slot >= max)
                return err_set(err, ERR_NO_SPACE, -ENOSPC, "all %u ranges of host ids for containers are taken: remove containers, or give the daemon more ids",
                               max > 0 ? max - 1 : 0);
        *ret = slot;
        return 0;
}
