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
#include "base/str.h"
#include "harness.h"
#include "tar.h"
#include "worker/job.h"

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

/* --- what looks like a layer is offered --- */

/* Runs a load whose offers are answered by `answer`: their names, each with a blank behind it, in `names`, and what came through the last pipe in *ret_poured. */
static json_t *load_with_offers(const struct scratch *s, const struct tar *t, const char *answer, struct strbuf *names, char **ret_poured, size_t *ret_size) {
        auto_fd input = harness_memory(t->data, t->size);
        int fds[] = { input, s->clone_fd }, ends[2];
        struct worker w = harness_start("load", userns);
        json_t *result;

        *ret_poured = NULL;
        harness_send(&w, "{\"op\":\"load\"}", fds, 2);
        while ((result = harness_result(&w)) && strcmp(json_get_str(result, "event", ""), "layer") == 0) {
                strbuf_addf(names, "%s ", json_get_str(result, "name", json_get_str(result, "digest", "?")));
                json_decref(result);
                if (strstr(answer, "pour")) {
                        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
                        harness_send(&w, answer, &ends[1], 1);
                        close(ends[1]);
                        free(take_ptr(ret_poured));
                        if (!strstr(answer, "away"))
                                assert_int_equal(fd_read_file(ends[0], 64 << 20, ret_poured, ret_size), 0);
                        close(ends[0]);
                } else {
                        harness_send(&w, answer, NULL, 0);
                }
        }
        harness_end(&w);
        assert_non_null(result);
        return result;
}

/* A layout with one plain layer, one of gzip and a text, and two members of Docker's older archives. */
static void make_layers(struct tar *t, struct tar *layer, unsigned char **ret_packed, size_t *ret_packed_size) {
        char name[100];

        tar_add(layer, (struct tar_member) { .name = "big", .size = 700000 });
        tar_end(layer);
        *ret_packed = tar_gzip(layer->data, layer->size, ret_packed_size);
        snprintf(name, sizeof(name), "blobs/sha256/%s", harness_sum(layer->data, layer->size) + 7);
        tar_add(t, (struct tar_member) { .name = name, .data = (char *) layer->data, .size = layer->size });
        snprintf(name, sizeof(name), "blobs/sha256/%s", harness_sum(*ret_packed, *ret_packed_size) + 7);
        tar_add(t, (struct tar_member) { .name = name, .data = (char *) *ret_packed, .size = *ret_packed_size });
        add_file(t, blob_name("text"), "text");
        tar_add(t, (struct tar_member) { .name = "0123/layer.tar", .data = (char *) layer->data, .size = layer->size });
        add_file(t, "0123.json", "{}");
        tar_end(t);
}

static void layers_are_offered_and_poured_kept_or_skipped(void **state) {
        static const struct {
                const char *answer;
                bool poured, kept;
        } rows[] = {
                { "{\"op\":\"layer\",\"do\":\"pour\"}", true, false },
                { "{\"op\":\"layer\",\"do\":\"pour\",\"away\":1}", false, false }, /* its reader goes away at once */
                { "{\"op\":\"layer\",\"do\":\"skip\"}", false, false },
                { "{\"op\":\"layer\",\"do\":\"keep\"}", false, true },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct tar t = { 0 }, layer = { 0 };
                unsigned char *packed;
                char plain_name[100], wanted[1000], *poured;
                auto_strbuf names;
                size_t packed_size, size;
                struct scratch s;
                json_t *result;

                strbuf_init(&names, sizeof(wanted));
                if (userns < 0 || !harness_scratch(&s, userns))
                        skip();
                make_layers(&t, &layer, &packed, &packed_size);
                result = load_with_offers(&s, &t, rows[i].answer, &names, &poured, &size);
                /* Offers come in order; "member" is told of what is kept, and of the text. */
                snprintf(wanted, sizeof(wanted), "%s %s 0123/layer.tar ", harness_sum(layer.data, layer.size), harness_sum(packed, packed_size));
                assert_string_equal(names.data, wanted);
                assert_string_equal(json_get_str(result, "event", ""), "member");
                assert_string_equal(json_get_str(result, "name", ""), rows[i].kept ? "0123/layer.tar" : "0123.json");
                if (rows[i].poured) {
                        assert_int_equal(size, layer.size);
                        assert_memory_equal(poured, layer.data, size);
                }
                snprintf(plain_name, sizeof(plain_name), "blobs/sha256/%s", harness_sum(layer.data, layer.size) + 7);
                assert_int_equal(faccessat(s.dir_fd, plain_name, F_OK, 0), rows[i].kept ? 0 : -1);
                expect_text(&s, blob_name("text"), "text");
                json_decref(result);
                free(poured);
                free(packed);
                tar_free(&t);
                tar_free(&layer);
                harness_scratch_remove(&s);
        }
}

static void what_only_begins_like_a_layer_is_a_file(void **state) {
        static const char *const texts[] = { "{}", "ustar", "\x1f", "\x1f\x8b\x08", "" };
        char block[1024];
        struct scratch s;
        struct tar t = { 0 };
        json_t *result;

        if (userns < 0 || !harness_scratch(&s, userns))
                skip();
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                if (*texts[i])
                        add_file(&t, blob_name(texts[i]), texts[i]);
        memset(block, 'x', sizeof(block)); /* a header's length, and no sum that fits */
        memcpy(block + 257, "ustar", 6);
        memcpy(block + 148, "0000001", 8);
        block[sizeof(block) - 1] = '\0';
        tar_add(&t, (struct tar_member) { .name = "odd.tar", .data = block, .size = sizeof(block) });
        tar_end(&t);
        result = load(&s, t.data, t.size, "");
        assert_string_equal(json_get_str(result, "event", ""), "member");
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                if (*texts[i])
                        expect_text(&s, blob_name(texts[i]), texts[i]);
        json_decref(result);
        tar_free(&t);
        harness_scratch_remove(&s);
}

/* --- keep --- */

static json_t *keep(const struct scratch *s, const void *data, size_t size, const char *more) {
        auto_fd input = harness_memory(data, size);
        int fds[] = { input, s->clone_fd };
        struct worker w = harness_start("load", userns);
        auto_free char *job = str_format("{\"op\":\"keep\"%s}", more);
        json_t *result;

        harness_send(&w, job, fds, 2);
        result = harness_result(&w);
        harness_end(&w);
        assert_non_null(result);
        return result;
}

static void an_archive_is_kept_as_it_comes_and_summed(void **state) {
        struct tar t = { 0 };
        unsigned char *packed;
        size_t packed_size;

        tar_add(&t, (struct tar_member) { .name = "file", .size = 900000 });
        tar_end(&t);
        packed = tar_gzip(t.data, t.size, &packed_size);
        for (int i = 0; i < 2; i++) {
                const void *data = i ? (void *) packed : (void *) t.data;
                size_t size = i ? packed_size : t.size, kept_size;
                auto_free char *kept = NULL;
                struct scratch s;
                struct stat st;
                json_t *result;

                if (userns < 0 || !harness_scratch(&s, userns))
                        skip();
                result = keep(&s, data, size, "");
                assert_string_equal(json_get_str(result, "event", ""), "done");
                assert_string_equal(json_get_str(result, "digest", ""), harness_sum(data, size));
                assert_string_equal(json_get_str(result, "diff_id", ""), harness_sum(t.data, t.size));
                assert_string_equal(json_get_str(result, "compression", ""), i ? "gzip" : "uncompressed");
                assert_int_equal(json_get_int(result, "size", 0), size);
                assert_int_equal(file_read_at(s.dir_fd, WORKER_KEPT_LAYER, 2 << 20, &kept, &kept_size), 0);
                assert_int_equal(kept_size, size);
                assert_memory_equal(kept, data, size);
                assert_int_equal(fstatat(s.dir_fd, WORKER_KEPT_LAYER, &st, 0), 0);
                assert_int_equal(st.st_mode, S_IFREG | 0600);
                json_decref(result);
                harness_scratch_remove(&s);
        }
        free(packed);
        tar_free(&t);
}

static void what_cannot_be_kept_is_refused(void **state) {
        static const struct {
                const char *data;
                size_t size;
                const char *more, *kind, *words;
        } rows[] = {
                { "", 0, "", "invalid", "is empty" },
                { "\xfd" "7zXZ\0\0\0", 8, "", "invalid", "is compressed by xz" },
                { "BZh91AY", 7, "", "invalid", "is compressed by bzip2" },
                { "\x04\x22\x4d\x18....", 8, "", "invalid", "is compressed by lz4" },
                { "\x1f\x8b\x08\0not gzip at all", 20, "", "invalid", "corrupt" },
                { "\x1f\x8b\x08\0\0\0\0\0\0\x03", 10, "", "invalid", "ends in the middle" },
                { NULL, 9000, ",\"limits\":{\"bytes\":10,\"entries\":1}", "too large", "unpacks to more than" },
        };
        static char zeros[9000];

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct scratch s;
                json_t *result;

                if (userns < 0 || !harness_scratch(&s, userns))
                        skip();
                result = keep(&s, rows[i].data ? rows[i].data : zeros, rows[i].size, rows[i].more);
                assert_string_equal(json_get_str(result, "event", ""), "error");
                if (!strstr(json_get_str(result, "message", ""), rows[i].words))
                        fail_msg("\"%s\" does not say \"%s\"", json_get_str(result, "message", ""), rows[i].words);
                assert_string_equal(json_get_str(result, "kind", ""), rows[i].kind);
                json_decref(result);
                harness_scratch_remove(&s);
        }
}

/* The name is the worker's own: what has it already is not written into. */
static void what_is_there_is_not_overwritten(void **state) {
        auto_free char *found = NULL;
        struct scratch s;
        json_t *result;

        if (userns < 0 || !harness_scratch(&s, userns))
                skip();
        assert_int_equal(file_write_atomic_at(s.dir_fd, "other", "mine", 4, 0666, false), 0);
        assert_int_equal(symlinkat("other", s.dir_fd, WORKER_KEPT_LAYER), 0);
        result = keep(&s, "new", 3, "");
        assert_string_equal(json_get_str(result, "event", ""), "error");
        assert_int_equal(file_read_at(s.dir_fd, "other", 100, &found, NULL), 0);
        assert_string_equal(found, "mine");
        json_decref(result);
        harness_scratch_remove(&s);
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
                cmocka_unit_test(layers_are_offered_and_poured_kept_or_skipped),
                cmocka_unit_test(what_only_begins_like_a_layer_is_a_file),
                cmocka_unit_test(an_archive_is_kept_as_it_comes_and_summed),
                cmocka_unit_test(what_cannot_be_kept_is_refused),
                cmocka_unit_test(what_is_there_is_not_overwritten),
                cmocka_unit_test(a_job_without_its_fds_is_refused),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
