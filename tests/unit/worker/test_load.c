/* SPDX-License-Identifier: Apache-2.0 */

/* Archives of OCI image layouts through the real program. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "harness.h"
#include "tar.h"

static int userns = -1;

static int setup(void **state) {
        userns = harness_userns();
        return 0;
}

static int teardown(void **state) {
        fd_close(userns);
        return 0;
}

static json_t *load(const struct scratch *s, const void *data, size_t size, const char *more) {
        auto_fd input = harness_memory(data, size);
        int fds[] = { input, s->clone_fd };
        struct worker w = harness_start("load", userns);
        auto_free char *job = str_format("{\"op\":\"load\"%s}", more);
        json_t *result;

        harness_send(&w, job, fds, 2);
        result = harness_result(&w);
        harness_end(&w);
        assert_non_null(result);
        return result;
}

/* "blobs/sha256/…" of a text; a static buffer, two in turn. */
static const char *blob_name(const char *text) {
        static char names[2][100];
        static unsigned turn;
        char *name = names[turn++ % 2];

        strcpy(name, "blobs/sha256/");
        strcat(name, harness_sum(text, strlen(text)) + 7);
        return name;
}

static void add_file(struct tar *t, const char *name, const char *text) {
        tar_add(t, (struct tar_member) { .name = name, .data = text, .uid = 1000 });
}

static void expect_text(const struct scratch *s, const char *path, const char *text) {
        auto_free char *found = NULL;
        struct stat st;

        assert_int_equal(file_read_at(s->dir_fd, path, 1000, &found, NULL), 0);
        assert_string_equal(found, text);
        assert_int_equal(fstatat(s->dir_fd, path, &st, 0), 0);
        assert_int_equal(st.st_uid, 0);
        assert_int_equal(st.st_mode, S_IFREG | 0644);
}

static void a_layout_is_loaded(void **state) {
        for (int packed = 0; packed < 2; packed++) {
                struct tar t = { 0 };
                struct scratch s;
                json_t *result;

                if (userns < 0 || !harness_scratch(&s, userns))
                        skip();
                tar_add(&t, (struct tar_member) { .name = "./", .type = '5' });
                tar_add(&t, (struct tar_member) { .name = "blobs", .type = '5' });
                add_file(&t, "./oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
                add_file(&t, "index.json", "{}");
                add_file(&t, "manifest.json", "[]");
                add_file(&t, "repositories", "{}");
                add_file(&t, blob_name("one"), "one");
                add_file(&t, blob_name("two"), "two");
                add_file(&t, blob_name("one"), "one");
                tar_add(&t, (struct tar_member) { .name = "else", .type = '5' });
                tar_end(&t);
                if (packed) {
                        size_t size;
                        auto_free unsigned char *gz = tar_gzip(t.data, t.size, &size);

                        result = load(&s, gz, size, "");
                } else {
                        result = load(&s, t.data, t.size, "");
                }
                assert_string_equal(json_get_str(result, "event", ""), "done");
                assert_int_equal(json_get_int(result, "blobs", 0), 2);
                expect_text(&s, "index.json", "{}");
                expect_text(&s, "manifest.json", "[]");
                expect_text(&s, blob_name("one"), "one");
                expect_text(&s, blob_name("two"), "two");
                assert_int_equal(faccessat(s.dir_fd, "repositories", F_OK, 0), -1);
                assert_int_equal(faccessat(s.dir_fd, "else", F_OK, 0), -1);
                json_decref(result);
                tar_free(&t);
                harness_scratch_remove(&s);
        }
}

static void hostile_archives_are_refused(void **state) {
        static const char wrong[] = "blobs/sha256/0000000000000000000000000000000000000000000000000000000000000000";
        static const struct {
                struct tar_member m;
                const char *more, *kind, *words;
        } rows[] = {
                { { .name = wrong, .data = "x" }, "", "invalid", "has another digest" },
                { { .name = "blobs/sha256/xyz", .data = "x" }, "", "invalid", "is not the name of a blob" },
                { { .name = "blobs/sha512/abc", .data = "x" }, "", "invalid", "is no part of an OCI image layout" },
                { { .name = "../index.json", .data = "x" }, "", "invalid", "leaves the root" },
                { { .name = "index.json", .type = '2', .link = "/etc/passwd" }, "", "invalid", "is not a plain file" },
                { { .name = "blobs", .type = '2', .link = "/tmp" }, "", "invalid", "is not a plain file" },
                { { .name = "index.json", .type = '1', .link = "oci-layout" }, "", "invalid", "is not a plain file" },
                { { .name = "index.json", .type = '3', .major = 1, .minor = 3 }, "", "invalid", "is not a plain file" },
                { { .name = "evil.sh", .data = "x" }, "", "invalid", "is no part of an OCI image layout" },
                { { .name = "index.json", .size = 5 << 20 }, "", "too large", "is longer than" },
                { { .name = wrong, .size = 1 << 20 }, ",\"limits\":{\"bytes\":1000}", "too large", "limit of 1000 bytes" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct tar t = { 0 };
                struct scratch s;
                json_t *result;

                if (userns < 0 || !harness_scratch(&s, userns))
                        skip();
                tar_add(&t, rows[i].m);
                tar_end(&t);
                result = load(&s, t.data, t.size, rows[i].more);
                assert_string_equal(json_get_str(result, "event", ""), "error");
                if (!strstr(json_get_str(result, "message", ""), rows[i].words))
                        fail_msg("\"%s\" does not say \"%s\"", json_get_str(result, "message", ""), rows[i].words);
                assert_string_equal(json_get_str(result, "kind", ""), rows[i].kind);
                assert_int_equal(faccessat(s.dir_fd, rows[i].m.name, F_OK, AT_SYMLINK_NOFOLLOW), -1);
                json_decref(result);
                tar_free(&t);
                harness_scratch_remove(&s);
        }
}

static void a_job_without_its_fds_is_refused(void **state) {
        struct worker w;
        json_t *result;

        if (userns < 0)
                skip();
        w = harness_start("load", userns);
        harness_send(&w, "{\"op\":\"load\"}", NULL, 0);
        result = harness_result(&w);
        assert_string_equal(json_get_str(result, "kind", ""), "invalid");
        json_decref(result);
        harness_end(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_layout_is_loaded),
                cmocka_unit_test(hostile_archives_are_refused),
                cmocka_unit_test(a_job_without_its_fds_is_refused),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
