/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "engine/container.h"
#include "engine/db.h"

struct fixture {
        char dir[64], path[96];
        struct db *db;
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        strcpy(f->dir, "/tmp/kist-test-db-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        snprintf(f->path, sizeof(f->path), "%s/kist.db", f->dir);
        assert_int_equal(db_open(f->path, &f->db, NULL), 0);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        db_close(f->db);
        path_remove_tree_at(AT_FDCWD, f->dir);
        free(f);
        return 0;
}

static struct container_row row(char digit, const char *name, uint32_t slot) {
        struct container_row r = { .created_ns = digit, .id_slot = slot, .image_id = (char *) "sha256:1", .image_name = (char *) "img", .diff_ids = (char *) "sha256:a\nsha256:b" };

        memset(r.id, digit, 64);
        strcpy(r.name, name);
        return r;
}

static int copy_last(struct container_row *r, void *data) {
        container_row_done(data);
        memcpy(data, r, sizeof(*r));
        r->image_id = r->image_name = r->diff_ids = r->labels = NULL;
        return 0;
}

static void a_row_survives_a_new_daemon(void **state) {
        struct fixture *f = *state;
        struct container_row r = row('a', "one", 3), back = {};
        char owner[65];

        r.labels = (char *) "{\"a\":\"b\"}";
        assert_int_equal(db_insert(f->db, &r, "{\"x\":1}", owner, NULL), 0);
        r.state = CONTAINER_RUNNING;
        r.pid = 77;
        r.exit_code = 137;
        r.n_endpoints = 1;
        strcpy(r.endpoints[0].address, "172.30.0.9");
        r.endpoints[0].prefix = 16;
        strcpy(r.name, "renamed");
        snprintf(r.cgroup, sizeof(r.cgroup), "system.slice/kist-a.scope");
        assert_int_equal(db_update(f->db, &r, NULL), 0);
        db_close(f->db);
        assert_int_equal(db_open(f->path, &f->db, NULL), 0);
        assert_int_equal(db_each(f->db, copy_last, &back, NULL), 0);
        assert_string_equal(back.id, r.id);
        assert_string_equal(back.name, "renamed");
        assert_int_equal(back.state, CONTAINER_RUNNING);
        assert_int_equal(back.pid, 77);
        assert_int_equal(back.id_slot, 3);
        assert_int_equal(back.n_endpoints, 1);
        assert_string_equal(back.endpoints[0].address, "172.30.0.9");
        assert_int_equal(back.endpoints[0].prefix, 16);
        assert_string_equal(back.labels, r.labels);
        assert_string_equal(back.diff_ids, r.diff_ids);
        assert_string_equal(back.cgroup, r.cgroup);
        auto_json *spec = NULL;

        assert_int_equal(db_spec(f->db, r.id, &spec, NULL), 0);
        assert_json_equal(spec, "{'x':1}");
        container_row_done(&back);
}

static void a_name_belongs_to_one(void **state) {
        struct fixture *f = *state;
        struct container_row a = row('a', "one", 1), b = row('b', "one", 2);
        struct err err;
        char owner[65];

        assert_int_equal(db_insert(f->db, &a, "{}", owner, &err), 0);
        assert_int_equal(db_insert(f->db, &b, "{}", owner, &err), -EEXIST);
        assert_int_equal(err.kind, ERR_CONFLICT);
        assert_string_equal(owner, a.id);
        assert_non_null(strstr(err.msg, "Conflict. The container name \"/one\" is already in use"));
        strcpy(b.name, "two");
        assert_int_equal(db_insert(f->db, &b, "{}", owner, &err), 0);
        strcpy(b.name, "one");
        assert_int_equal(db_update(f->db, &b, &err), -EEXIST);
        assert_int_equal(db_delete(f->db, a.id, &err), 0);
        assert_int_equal(db_update(f->db, &b, &err), 0);
}

static void ranges_of_ids_are_the_lowest_free(void **state) {
        struct fixture *f = *state;
        struct container_row a = row('a', "a", 1), b = row('b', "b", 2), c = row('c', "c", 4), none = row('d', "d", 0), none2 = row('e', "e", 0);
        uint32_t slot = 0;
        struct err err;
        char owner[65];

        assert_int_equal(db_free_slot(f->db, 10, &slot, &err), 0);
        assert_int_equal(slot, 1);
        assert_int_equal(db_insert(f->db, &a, "{}", owner, &err), 0);
        assert_int_equal(db_insert(f->db, &b, "{}", owner, &err), 0);
        assert_int_equal(db_insert(f->db, &c, "{}", owner, &err), 0);
        assert_int_equal(db_insert(f->db, &none, "{}", owner, &err), 0);
        assert_int_equal(db_insert(f->db, &none2, "{}", owner, &err), 0);
        assert_int_equal(db_free_slot(f->db, 10, &slot, &err), 0);
        assert_int_equal(slot, 3);
        assert_int_equal(db_free_slot(f->db, 3, &slot, &err), -ENOSPC);
        assert_int_equal(db_delete(f->db, a.id, &err), 0);
        assert_int_equal(db_free_slot(f->db, 10, &slot, &err), 0);
        assert_int_equal(slot, 1);
        /* Two creates that were told the same. */
        struct container_row again = row('f', "f", 2);

        assert_int_equal(db_insert(f->db, &again, "{}", owner, &err), -EAGAIN);
}

static void unknown_rows_are_not_found(void **state) {
        struct fixture *f = *state;
        struct container_row a = row('a', "a", 1);
        auto_json *spec = NULL;
        struct err err;

        assert_int_equal(db_spec(f->db, a.id, &spec, &err), -ENOENT);
        assert_int_equal(db_update(f->db, &a, &err), -ENOENT);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        assert_int_equal(db_delete(f->db, a.id, &err), 0);
}

static void constants_stay(void **state) {
        struct fixture *f = *state;
        char value[16];

        assert_int_equal(db_constant(f->db, "id", "first", value, sizeof(value), NULL), 0);
        assert_string_equal(value, "first");
        assert_int_equal(db_constant(f->db, "id", "second", value, sizeof(value), NULL), 0);
        assert_string_equal(value, "first");
}

static void what_is_no_database_is_refused(void **state) {
        struct fixture *f = *state;
        struct db *db = NULL;
        struct err err;
        char path[128];

        snprintf(path, sizeof(path), "%s/other", f->dir);
        assert_int_equal(file_write_atomic_at(AT_FDCWD, path, "this is not a database at all, it is a text\n", 44, 0600, false), 0);
        assert_true(db_open(path, &db, &err) < 0);
        assert_null(db);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_row_survives_a_new_daemon, setup, teardown),
                cmocka_unit_test_setup_teardown(a_name_belongs_to_one, setup, teardown),
                cmocka_unit_test_setup_teardown(ranges_of_ids_are_the_lowest_free, setup, teardown),
                cmocka_unit_test_setup_teardown(unknown_rows_are_not_found, setup, teardown),
                cmocka_unit_test_setup_teardown(constants_stay, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_no_database_is_refused, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
