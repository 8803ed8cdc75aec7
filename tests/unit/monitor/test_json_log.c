/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/json-log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/path.h"

#define NAME "abc123-json.log"

struct fixture {
        char path[64];
        int dir;
        struct json_log log;
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        strcpy(f->path, "/tmp/kist-test-log-XXXXXX");
        assert_non_null(mkdtemp(f->path));
        f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(json_log_open(&f->log, f->dir, "abc123", 0, 1), 0);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        json_log_close(&f->log);
        fd_close(f->dir);
        assert_int_equal(path_remove_tree_at(AT_FDCWD, f->path), 0);
        free(f);
        return 0;
}

static char *text_of(const struct fixture *f, const char *name) {
        char *text = NULL;

        if (file_read_at(f->dir, name, 64 << 20, &text, NULL) < 0)
                return NULL;
        return text;
}

static void append(struct fixture *f, int stream, const char *s) {
        json_log_append(&f->log, stream, s, strlen(s));
}

/* The file has `want` as its objects, whatever the times are (which must look like times): want[i] is up to `","time":"`. */
static void assert_objects(const struct fixture *f, const char *name, const char *const *want, size_t n) {
        char *text = text_of(f, name), *at = text;

        assert_non_null(text);
        for (size_t i = 0; i < n; i++) {
                char *time, *end = strchr(at, '\n');

                assert_non_null(end);
                *end = '\0';
                time = strstr(at, ",\"time\":\"20");
                assert_non_null(time);
                assert_int_equal(strlen(time), strlen(",\"time\":\"2026-11-21T22:56:11.123456789Z\"}"));
                assert_string_equal(time + strlen(time) - 3, "Z\"}");
                *time = '\0';
                assert_string_equal(at, want[i]);
                at = end + 1;
        }
        assert_string_equal(at, "");
        free(text);
}
#define assert_log(f, ...)                                                                    \
        do {                                                                                  \
                const char *const _w[] = { __VA_ARGS__ };                                     \
                assert_objects((f), NAME, _w, sizeof(_w) / sizeof(*_w));                      \
        } while (0)

static void test_lines(void **state) {
        struct fixture *f = *state;

        append(f, 1, "one\ntwo\n\nthr");
        append(f, 2, "error\n");
        append(f, 1, "ee\nfour");
        json_log_end(&f->log, 1);
        json_log_end(&f->log, 2); /* nothing unfinished: nothing is added */
        assert_log(f, "{\"log\":\"one\\n\",\"stream\":\"stdout\"", "{\"log\":\"two\\n\",\"stream\":\"stdout\"",
                   "{\"log\":\"\\n\",\"stream\":\"stdout\"", "{\"log\":\"error\\n\",\"stream\":\"stderr\"",
                   "{\"log\":\"three\\n\",\"stream\":\"stdout\"", "{\"log\":\"four\",\"stream\":\"stdout\"");
}

static void test_escapes(void **state) {
        struct fixture *f = *state;
        static const struct {
                const char *raw, *escaped;
        } rows[] = {
                { "\"\\\n", "\\\"\\\\\\n" },
                { "\t\r\x01\x1b[0m\x7f\n", "\\u0009\\r\\u0001\\u001b[0m\x7f\\n" },
                { "<a href='x'>&\n", "\\u003ca href='x'\\u003e\\u0026\\n" },
                { "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\n", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\\n" },
                { "\xe2\x80\xa8\xe2\x80\xa9\n", "\\u2028\\u2029\\n" },
                { "\x80\xff\n", "\\ufffd\\ufffd\\n" },              /* no beginning of anything */
                { "\xc0\xaf\n", "\\ufffd\\ufffd\\n" },              /* overlong '/' */
                { "\xe0\x80\xaf\n", "\\ufffd\\ufffd\\ufffd\\n" },   /* overlong */
                { "\xed\xa0\x80\n", "\\ufffd\\ufffd\\ufffd\\n" },   /* surrogate */
                { "\xf4\x90\x80\x80\n", "\\ufffd\\ufffd\\ufffd\\ufffd\\n" }, /* beyond U+10FFFF */
                { "\xe2\x82\n", "\\ufffd\\ufffd\\n" },              /* cut short */
        };
        char want[256];

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                append(f, 1, rows[i].raw);
                snprintf(want, sizeof(want), "{\"log\":\"%s\",\"stream\":\"stdout\"", rows[i].escaped);
                assert_log(f, want);
                assert_int_equal(ftruncate(f->log.fd, 0), 0);
        }
        json_log_append(&f->log, 1, "a\0b\n", 4);
        assert_log(f, "{\"log\":\"a\\u0000b\\n\",\"stream\":\"stdout\"");
}

/* What the objects of a file say, glued together; *ret_n: how many there are. Only for text that needs no escape. */
static char *unlog(const struct fixture *f, const char *name, size_t *ret_n, size_t *ret_longest) {
        char *text = text_of(f, name), *out = text, *at = text;

        *ret_n = *ret_longest = 0;
        while (*at) {
                char *end = strchr(at, '\n'), *from = at + strlen("{\"log\":\""), *to = strstr(from, "\",\"stream\"");
                size_t n = (size_t) (to - from);

                assert_non_null(end);
                assert_true(to && to < end);
                if (n >= 2 && !memcmp(to - 2, "\\n", 2)) {
                        to[-2] = '\n';
                        n--;
                }
                memmove(out, from, n);
                out += n;
                if (n > *ret_longest)
                        *ret_longest = n;
                (*ret_n)++;
                at = end + 1;
        }
        *out = '\0';
        return text;
}

/* Long lines through all sizes of pieces in which they may arrive. */
static void test_long_lines(void **state) {
        struct fixture *f = *state;
        static const size_t pieces[] = { 1, 1000, 4096, JSON_LOG_LINE_MAX - 1, JSON_LOG_LINE_MAX, JSON_LOG_LINE_MAX + 1, 32768, 1 << 20 };
        size_t size = 100000, n, longest;
        char *line = malloc(size + 1), *got;

        memset(line, 'x', size);
        for (size_t i = 0; i < size; i += 100)
                line[i] = (char) ('A' + i / 100 % 26);
        memcpy(line + JSON_LOG_LINE_MAX - 2, "\xf0\x9f\x98\x80", 4); /* a character across the cut */
        memcpy(line + 2 * JSON_LOG_LINE_MAX, "\xc3\xbc", 2);
        line[size - 1] = '\n';
        line[size] = '\0';
        for (size_t p = 0; p < sizeof(pieces) / sizeof(*pieces); p++) {
                for (size_t at = 0; at < size; at += pieces[p])
                        json_log_append(&f->log, 1, line + at, size - at < pieces[p] ? size - at : pieces[p]);
                got = unlog(f, NAME, &n, &longest);
                assert_string_equal(got, line);
                assert_int_equal(n, 7);
                assert_true(longest <= JSON_LOG_LINE_MAX);
                free(got);
                assert_int_equal(ftruncate(f->log.fd, 0), 0);
        }
        free(line);
}

static void test_exact_length(void **state) {
        struct fixture *f = *state;
        char line[JSON_LOG_LINE_MAX + 1], *got;
        size_t n, longest;

        memset(line, 'y', sizeof(line) - 1);
        line[JSON_LOG_LINE_MAX] = '\n';
        json_log_append(&f->log, 1, line, sizeof(line));
        json_log_append(&f->log, 1, line, JSON_LOG_LINE_MAX);
        json_log_append(&f->log, 1, "\n", 1);
        got = unlog(f, NAME, &n, &longest);
        assert_int_equal(n, 2);
        assert_int_equal(longest, JSON_LOG_LINE_MAX + 1);
        free(got);
}

static void test_rotation(void **state) {
        struct fixture *f = *state;
        size_t total = 0, n, longest;
        char line[128];
        struct stat st;

        json_log_close(&f->log);
        assert_int_equal(json_log_open(&f->log, f->dir, "abc123", 1000, 3), 0);
        for (int i = 0; i < 100; i++) {
                snprintf(line, sizeof(line), "line number %03d\n", i);
                append(f, 1, line);
        }
        for (int i = 0; i < 3; i++) {
                static const char *const names[] = { NAME, NAME ".1", NAME ".2" };
                char *text;

                assert_int_equal(fstatat(f->dir, names[i], &st, 0), 0);
                assert_true(st.st_size < 1000 + 100); /* one object may pass the bound */
                text = unlog(f, names[i], &n, &longest);
                total += n;
                /* Each file goes on where the older one ends. */
                snprintf(line, sizeof(line), "line number %03d\n", (int) (100 - total));
                assert_memory_equal(text, line, strlen(line));
                free(text);
        }
        assert_int_equal(fstatat(f->dir, NAME ".3", &st, 0), -1);
        assert_in_range(total, 25, 45);
}

/* One large chunk must not make the file pass its bound by more than one object. */
static void test_rotation_within_chunk(void **state) {
        struct fixture *f = *state;
        char chunk[32000];
        struct stat st;

        json_log_close(&f->log);
        assert_int_equal(json_log_open(&f->log, f->dir, "abc123", 2000, 2), 0);
        memset(chunk, '\n', sizeof(chunk));
        json_log_append(&f->log, 2, chunk, sizeof(chunk));
        assert_int_equal(fstatat(f->dir, NAME ".1", &st, 0), 0);
        assert_in_range(st.st_size, 2000, 2100);
        assert_int_equal(fstatat(f->dir, NAME, &st, 0), 0);
        assert_in_range(st.st_size, 1, 2100);
}

static void test_rotation_of_one_file(void **state) {
        struct fixture *f = *state;
        struct stat st;

        json_log_close(&f->log);
        assert_int_equal(json_log_open(&f->log, f->dir, "abc123", 200, 1), 0);
        for (int i = 0; i < 50; i++)
                append(f, 1, "again and again\n");
        assert_int_equal(fstatat(f->dir, NAME, &st, 0), 0);
        assert_in_range(st.st_size, 1, 300);
        assert_int_equal(fstatat(f->dir, NAME ".1", &st, 0), -1);
}

static void test_goes_on_after_torn_line(void **state) {
        struct fixture *f = *state;
        char *text;

        json_log_close(&f->log);
        assert_int_equal(file_write_atomic_at(f->dir, NAME, "{\"log\":\"to", 10, 0640, false), 0);
        assert_int_equal(json_log_open(&f->log, f->dir, "abc123", 0, 1), 0);
        append(f, 1, "whole\n");
        text = text_of(f, NAME);
        assert_memory_equal(text, "{\"log\":\"to\n{\"log\":\"whole\\n\"", 27);
        free(text);
}

static void test_reopen(void **state) {
        struct fixture *f = *state;

        append(f, 1, "before\n");
        assert_int_equal(renameat(f->dir, NAME, f->dir, "moved"), 0);
        assert_int_equal(json_log_reopen(&f->log), 0);
        append(f, 1, "after\n");
        assert_log(f, "{\"log\":\"after\\n\",\"stream\":\"stdout\"");
}

static void test_refuses_symlink(void **state) {
        struct fixture *f = *state;
        struct json_log *other = calloc(1, sizeof(*other));

        assert_int_equal(symlinkat("elsewhere", f->dir, "evil-json.log"), 0);
        assert_int_equal(json_log_open(other, f->dir, "evil", 0, 1), -ELOOP);
        free(other);
}

/* On a full disk lines are lost, but none is torn, and the log goes on when there is room again. */
static void test_full_disk(void **state) {
        struct fixture *f = *state;
        char *big, *text, path[128];
        size_t n, longest;
        int dir;

        snprintf(path, sizeof(path), "%s/small", f->path);
        assert_int_equal(mkdir(path, 0700), 0);
        if (mount("tmpfs", path, "tmpfs", 0, "size=64k") < 0) {
                print_message("no tmpfs can be mounted here\n");
                skip();
        }
        dir = f->dir;
        f->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        json_log_close(&f->log);
        assert_int_equal(json_log_open(&f->log, f->dir, "abc123", 0, 1), 0);
        big = malloc(15001);
        memset(big, 'z', 15000);
        big[14999] = '\n';
        for (int i = 0; i < 10; i++)
                json_log_append(&f->log, 1, big, 15000);
        text = unlog(f, NAME, &n, &longest); /* asserts that each object is whole */
        assert_in_range(n, 2, 4);
        free(text);
        assert_int_equal(ftruncate(f->log.fd, 0), 0);
        assert_int_equal(json_log_reopen(&f->log), 0);
        append(f, 1, "room again\n");
        assert_log(f, "{\"log\":\"room again\\n\",\"stream\":\"stdout\"");
        free(big);
        json_log_close(&f->log);
        fd_close(f->dir);
        f->dir = dir;
        assert_int_equal(umount2(path, MNT_DETACH), 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
                cmocka_unit_test_setup_teardown(test_escapes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_long_lines, setup, teardown),
                cmocka_unit_test_setup_teardown(test_exact_length, setup, teardown),
                cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
                cmocka_unit_test_setup_teardown(test_rotation_within_chunk, setup, teardown),
                cmocka_unit_test_setup_teardown(test_rotation_of_one_file, setup, teardown),
                cmocka_unit_test_setup_teardown(test_goes_on_after_torn_line, setup, teardown),
                cmocka_unit_test_setup_teardown(test_reopen, setup, teardown),
                cmocka_unit_test_setup_teardown(test_refuses_symlink, setup, teardown),
                cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
