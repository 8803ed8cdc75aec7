/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

/* A worker that was taken over by what it read can fail its own job, and no more. */

static int fake_setup(void **state) {
        struct fixture *f;

        fixture_setup(state);
        f = *state;
        close(f->worker_fd);
        f->worker_fd = open(KIST_FAKE_WORKER, O_PATH | O_CLOEXEC);
        assert_true(f->worker_fd >= 0);
        fixture_reopen(f);
        return 0;
}

static void assert_refused(struct fixture *f, int r, const char *message) {
        print_message("# %s\n", f->err.msg);
        assert_true(r < 0);
        assert_non_null(strstr(f->err.msg, message));
        for (const char *c = f->err.msg; *c; c++)
                assert_true((unsigned char) *c >= ' ');
        assert_int_equal(count_files(f, BLOBS), 0);
        assert_int_equal(count_files(f, LAYERS), 0);
        assert_quiet(f);
}

static void a_hostile_fetcher_fails_its_pull(void **state) {
        static const struct {
                const char *repository, *message;
        } rows[] = {
                { "flood", "longer than 4194304 bytes" }, { "long-message", "longer than 65536 bytes" }, { "garbage", "not valid JSON" },
                { "no-object", "not an event" },          { "no-event", "not an event" },                { "foreign-id", "what was not asked" },
                { "odd-error", "gave no reason" },        { "forged-line", "one?error two" },            { "dies", "died" },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                char reference[100];
                struct image_pull p = { .reference = reference };

                snprintf(reference, sizeof(reference), "localhost:1/x/%s", rows[i].repository);
                assert_refused(f, image_pull(f->store, &p, NULL, NULL, &f->err), rows[i].message);
        }
}

static void a_hostile_loader_fails_its_load(void **state) {
        static const struct {
                const char *archive, *message;
        } rows[] = {
                { "link-index", "index.json" },
                { "fifo-index", "index.json" },
                { "directory-index", "index.json" },
                { "link-blobs", "blobs/sha256" },
                { "no-blobs", "blobs/sha256" },
                { "nothing else", "digest" },
                { "dies", "died" },
                { "offer-nonsense", "offers a layer that makes no sense" },
                { "offer-digest", "offers a layer that makes no sense" },
                { "offer-unnamed", "offers a layer that makes no sense" },
                { "offer-size", "says of a layer what makes no sense" },
                { "offer-sum", "says of a layer what makes no sense" },
                { "offer-id", "says of a layer what makes no sense" },
                { "offer-longer", "says another number" },
                { "offer-escapes", "died" }, /* its ".." end at the root of the directory */
                { "offer-dies", "died" },
                { "offer, and nothing else", "digest" },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                auto_fd archive = -EBADF;

                assert_int_equal(file_write_atomic_at(f->dir, "archive", rows[i].archive, strlen(rows[i].archive), 0600, false), 0);
                archive = openat(f->dir, "archive", O_RDONLY | O_CLOEXEC);
                assert_refused(f, image_load(f->store, archive, NULL, IMAGE_KEEP, NULL, NULL, NULL, &f->err), rows[i].message);
        }
}

static void credentials_of_any_size_are_an_error_at_most(void **state) {
        struct fixture *f = *state;
        char *password = malloc(200001);
        struct image_pull p = { .reference = "localhost:1/x/dies", .username = "a", .password = password };

        memset(password, 'x', 200000);
        password[200000] = '\0';
        assert_refused(f, image_pull(f->store, &p, NULL, NULL, &f->err), "too long");
        strcpy(password, "\xff\xfe");
        assert_refused(f, image_pull(f->store, &p, NULL, NULL, &f->err), "not UTF-8");
        p.password = NULL;
        p.ca_file = "/nonexistent/ca.pem";
        assert_refused(f, image_pull(f->store, &p, NULL, NULL, &f->err), "/nonexistent/ca.pem");
        free(password);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_hostile_fetcher_fails_its_pull, fake_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(a_hostile_loader_fails_its_load, fake_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(credentials_of_any_size_are_an_error_at_most, fake_setup, fixture_teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
