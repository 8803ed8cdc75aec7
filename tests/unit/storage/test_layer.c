/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

static int count(const char *id, void *data) {
        (void) id;
        ++*(int *) data;
        return 0;
}

static int n_layers(struct fixture *f) {
        int n = 0;

        assert_int_equal(storage_layers_each(f->s, count, &n, &f->err), 0);
        return n;
}

static int n_scratch(struct fixture *f) {
        auto_fd fd = openat(f->dir, "tmp", O_RDONLY | O_DIRECTORY);
        struct stat st;

        assert_int_equal(fstat(fd, &st), 0);
        return (int) st.st_nlink - 2; /* subdirectories, on ext4 and tmpfs */
}

static void a_layer_is_there_after_commit_only(void **state) {
        struct fixture *f = *state;
        auto_fd fd = -EBADF;
        char name[64];

        assert_int_equal(storage_layer_begin(f->s, name, &fd, &f->err), 0);
        put_file(fd, "a", "x", 0, 0644);
        assert_false(storage_has_layer(f->s, diff_id(1)));
        assert_int_equal(n_layers(f), 0);
        assert_int_equal(storage_layer_commit(f->s, name, diff_id(1), &f->err), 0);
        assert_true(storage_has_layer(f->s, diff_id(1)));
        assert_int_equal(n_layers(f), 1);
        assert_int_equal(n_scratch(f), 0);
}

static void the_second_of_two_commits_is_dropped(void **state) {
        struct fixture *f = *state;
        auto_fd one = -EBADF, two = -EBADF;
        char name[2][64];

        assert_int_equal(storage_layer_begin(f->s, name[0], &one, &f->err), 0);
        assert_int_equal(storage_layer_begin(f->s, name[1], &two, &f->err), 0);
        put_file(one, "one", "", 0, 0644);
        put_file(two, "two", "", 0, 0644);
        assert_int_equal(storage_layer_commit(f->s, name[0], diff_id(1), &f->err), 0);
        assert_int_equal(storage_layer_commit(f->s, name[1], diff_id(1), &f->err), 0);
        assert_int_equal(n_layers(f), 1);
        assert_int_equal(n_scratch(f), 0);
        assert_true(exists(one, "one"));
        assert_false(exists(two, "two"));
}

static void abort_leaves_nothing(void **state) {
        struct fixture *f = *state;
        auto_fd fd = -EBADF;
        char name[64];

        assert_int_equal(storage_layer_begin(f->s, name, &fd, &f->err), 0);
        put_file(fd, "a", "", 0, 0644);
        storage_layer_abort(f->s, name);
        assert_int_equal(n_scratch(f), 0);
        assert_int_equal(storage_layer_commit(f->s, name, diff_id(1), &f->err), -ENOENT);
}

static void names_that_lead_elsewhere_are_refused(void **state) {
        static const char *const bad_ids[] = { "", "sha256:", "sha256:../../../../etc", "md5:00", "sha512:00",
                "sha256:000000000000000000000000000000000000000000000000000000000000000G",
                "sha256:00000000000000000000000000000000000000000000000000000000000000000", NULL };
        static const char *const bad_names[] = { "", ".", "..", "../layers", "layer-../../x", "layer-", "dead-000000000000000000000000", NULL };
        struct fixture *f = *state;
        uint64_t size;
        auto_fd fd = -EBADF;
        char name[64];

        assert_int_equal(storage_layer_begin(f->s, name, &fd, &f->err), 0);
        for (int i = 0; bad_ids[i]; i++) {
                assert_int_equal(storage_layer_commit(f->s, name, bad_ids[i], &f->err), -EINVAL);
                assert_int_equal(f->err.kind, ERR_INVALID);
                assert_false(storage_has_layer(f->s, bad_ids[i]));
                assert_int_equal(storage_layer_remove(f->s, bad_ids[i], NULL), -EINVAL);
                assert_int_equal(storage_layer_size(f->s, bad_ids[i], &size, NULL), -EINVAL);
        }
        for (int i = 0; bad_names[i]; i++) {
                assert_int_equal(storage_layer_commit(f->s, bad_names[i], diff_id(1), &f->err), -EINVAL);
                storage_layer_abort(f->s, bad_names[i]);
        }
        assert_true(exists(f->dir, "layers/sha256"));
        storage_layer_abort(f->s, name);
}

static void size_counts_hard_links_once(void **state) {
        struct fixture *f = *state;
        auto_fd fd = -EBADF, file = -EBADF;
        uint64_t size = 0;
        char name[64], block[4096];

        memset(block, 'x', sizeof(block));
        assert_int_equal(storage_layer_begin(f->s, name, &fd, &f->err), 0);
        file = openat(fd, "big", O_WRONLY | O_CREAT, 0644);
        for (int i = 0; i < 256; i++)
                assert_int_equal(fd_write_all(file, block, sizeof(block)), 0);
        for (char link[] = "a"; link[0] < 'e'; link[0]++)
                assert_int_equal(linkat(fd, "big", fd, link, 0), 0);
        assert_int_equal(storage_layer_commit(f->s, name, diff_id(1), &f->err), 0);
        assert_int_equal(storage_layer_size(f->s, diff_id(1), &size, &f->err), 0);
        assert_in_range(size, 1 << 20, (1 << 20) + (64 << 10));
        assert_int_equal(storage_layer_size(f->s, diff_id(2), &size, &f->err), -ENOENT);
        assert_int_equal(f->err.kind, ERR_NOT_FOUND);
}

static void remove_is_whole(void **state) {
        struct fixture *f = *state;

        make_layer(f, 1, "a", "x");
        assert_int_equal(storage_layer_remove(f->s, diff_id(1), &f->err), 0);
        assert_false(storage_has_layer(f->s, diff_id(1)));
        assert_int_equal(n_scratch(f), 0);
        assert_int_equal(storage_layer_remove(f->s, diff_id(1), &f->err), -ENOENT);
        assert_int_equal(f->err.kind, ERR_NOT_FOUND);
}

static void open_clears_what_was_half_made(void **state) {
        struct fixture *f = *state;
        auto_fd fd = -EBADF, deep = -EBADF;
        char name[64];

        make_layer(f, 1, "a", "x");
        assert_int_equal(storage_layer_begin(f->s, name, &fd, &f->err), 0);
        deep = path_mkdir_in(fd, "a/b/c", 0700);
        put_file(fd, "a/b/c/d", "", 0, 0000);
        storage_free(f->s);
        f->s = NULL;
        assert_int_equal(storage_open(f->dir, &f->s, &f->err), 0);
        assert_int_equal(n_scratch(f), 0);
        assert_true(storage_has_layer(f->s, diff_id(1)));
}

static void the_data_directory_is_private_and_owned_by_one(void **state) {
        static const char *const dirs[] = { "tmp", "layers", "layers/sha256", "containers", NULL };
        struct fixture *f = *state;
        struct storage *other = NULL;
        struct stat st;

        assert_int_equal(storage_open(f->dir, &other, &f->err), -EBUSY);
        assert_int_equal(f->err.kind, ERR_CONFLICT);
        storage_free(f->s);
        f->s = NULL;
        assert_int_equal(fchmodat(f->dir, "containers", 0755, 0), 0);
        assert_int_equal(storage_open(f->dir, &f->s, &f->err), 0);
        for (int i = 0; dirs[i]; i++) {
                assert_int_equal(fstatat(f->dir, dirs[i], &st, 0), 0);
                assert_int_equal(st.st_mode & 0067, 0);
        }
        storage_free(f->s);
        f->s = NULL;
        assert_int_equal(fchownat(f->dir, "containers", 1234, 0, 0), 0);
        assert_int_equal(storage_open(f->dir, &f->s, &f->err), -EPERM);
        assert_non_null(strstr(f->err.msg, "containers"));
        assert_null(f->s);
}

static void containers_have_a_directory_each(void **state) {
        struct fixture *f = *state;
        auto_fd fd = -EBADF, again = -EBADF;
        char id[65];
        struct stat st;

        memset(id, 'a', 64);
        id[64] = '\0';
        assert_int_equal(storage_container_open(f->s, id, &fd, &f->err), -ENOENT);
        assert_int_equal(storage_container_create(f->s, id, NULL, &fd, &f->err), 0);
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        assert_true(exists(fd, "upper") && exists(fd, "work"));
        assert_int_equal(storage_container_create(f->s, id, NULL, &again, &f->err), -EEXIST);
        assert_int_equal(f->err.kind, ERR_CONFLICT);
        assert_int_equal(storage_container_open(f->s, id, &again, &f->err), 0);
        assert_int_equal(n_scratch(f), 0);
        assert_int_equal(storage_container_remove(f->s, id, &f->err), 0);
        assert_int_equal(storage_container_remove(f->s, id, &f->err), 0);
        assert_int_equal(n_scratch(f), 0);
        for (const char *const *bad = (const char *const[]) { "", ".", "..", "a/b", "../x", "-a", NULL }; *bad; bad++)
                assert_int_equal(storage_container_create(f->s, *bad, NULL, &again, &f->err), -EINVAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                T(a_layer_is_there_after_commit_only),
                T(the_second_of_two_commits_is_dropped),
                T(abort_leaves_nothing),
                T(names_that_lead_elsewhere_are_refused),
                T(size_counts_hard_links_once),
                T(remove_is_whole),
                T(open_clears_what_was_half_made),
                T(the_data_directory_is_private_and_owned_by_one),
                T(containers_have_a_directory_each),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
