/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <dirent.h>

#include "engine/log-entry.h"
#include "engine/log-files.h"
#include "engine/log-keeper.h"

#define TIME "2026-11-21T23:20:20.123456789Z"
#define LINE(text, stream) "{\"log\":\"" text "\",\"stream\":\"" stream "\",\"time\":\"" TIME "\"}"

static void lines_are_decoded(void **state) {
        static const struct {
                const char *line, *text;
                int stream; /* 0: refused */
        } rows[] = {
                { LINE("hello\\n", "stdout"), "hello\n", 1 },
                { LINE("", "stderr"), "", 2 },
                { LINE("a\\\"b\\\\c\\t\\u003c\\u00e9\\ufffd", "stdout"), "a\"b\\c\t<\xc3\xa9\xef\xbf\xbd", 1 },
                { LINE("\\ud83d\\ude00!", "stdout"), "\xf0\x9f\x98\x80!", 1 },
                { "{\"time\":\"" TIME "\",\"stream\":\"stderr\",\"log\":\"other order\"}", "other order", 2 },
                { "{\"log\":\"noted\",\"stream\":\"stdout\",\"time\":\"" TIME "\",\"attrs\":{\"tag\":\"x\"}}", "noted", 1 },
                { TIME " stdout F a line", "a line\n", 1 },
                { TIME " stderr P a part", "a part", 2 },
                { TIME " stdout F ", "\n", 1 },
                { TIME " stdout X no", "", 0 },
                { TIME " stdall F no", "", 0 },
                { "yesterday stdout F no", "", 0 },
                { TIME, "", 0 },
                { LINE("torn", "stdout") "x", "", 0 },
                { "{\"log\":\"torn", "", 0 },
                { "{\"log\":\"x\",\"stream\":\"stdout\",\"time\":\"yesterday\"}", "", 0 },
                { LINE("bad\\u00", "stdout"), "", 0 },
                { "", "", 0 },
        };

        (void) state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                auto_free char *line = strdup(rows[i].line);
                struct log_entry e;
                int r = log_entry_decode(line, strlen(line), &e);

                if ((r == 0) != (rows[i].stream != 0))
                        fail_msg("row %zu: %d", i, r);
                if (r < 0)
                        continue;
                assert_int_equal(e.stream, rows[i].stream);
                assert_int_equal(e.size, strlen(rows[i].text));
                assert_memory_equal(e.text, rows[i].text, e.size);
                assert_int_equal(e.time_size, strlen(TIME));
                assert_memory_equal(e.time, TIME, e.time_size);
                assert_int_equal(e.time_ns % 1000000000, 123456789);
        }
}

struct fixture {
        char path[64];
        int dir;
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        strcpy(f->path, "/tmp/kist-test-logs-XXXXXX");
        assert_non_null(mkdtemp(f->path));
        f->dir = open(f->path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        fd_close(f->dir);
        path_remove_tree_at(AT_FDCWD, f->path);
        free(f);
        return 0;
}

static void put(struct fixture *f, const char *name, const char *text) {
        assert_int_equal(file_write_atomic_at(f->dir, name, text, strlen(text), 0600, false), 0);
}

static void rest(const struct log_files *files, char *ret, size_t size) {
        size_t at = 0;

        for (size_t i = 0; i < files->n; i++) {
                ssize_t n = read(files->fds[i], ret + at, size - at - 1);

                assert_true(n >= 0);
                at += (size_t) n;
        }
        ret[at] = '\0';
}

static void the_tail_spans_files(void **state) {
        static const char *const tails[] = { "", "6\n", "5\n6\n", "4\n5\n6\n", "3\n4\n5\n6\n", "2\n3\n4\n5\n6\n", "1\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\n5\n6\n" };
        struct fixture *f = *state;

        put(f, "c-json.log.2", "1\n2\n");
        put(f, "c-json.log.1", "3\n4\n");
        put(f, "c-json.log", "5\n6\n");
        for (size_t n = 0; n < ARRAY_SIZE(tails); n++) {
                struct log_files files;
                char text[64];

                assert_int_equal(log_files_open(&files, f->dir, "c", "json"), 0);
                assert_int_equal(log_files_seek_tail(&files, n), 0);
                rest(&files, text, sizeof(text));
                assert_string_equal(text, tails[n]);
                log_files_close(&files);
        }
}

static void no_log_is_an_empty_log(void **state) {
        struct fixture *f = *state;
        struct log_files files;

        assert_int_equal(log_files_open(&files, f->dir, "c", "json"), 0);
        assert_int_equal(log_files_seek_tail(&files, 5), 0);
        assert_int_equal(files.n, 0);
        log_files_close(&files);
}

static void the_next_file_is_found_after_rotation(void **state) {
        struct fixture *f = *state;
        struct log_files files;
        int next = -1;
        char text[8] = "";

        put(f, "c-json.log", "old\n");
        assert_int_equal(log_files_open(&files, f->dir, "c", "json"), 0);
        assert_int_equal(log_files_next(&files, files.fds[0], &next), 0);
        assert_int_equal(renameat(f->dir, "c-json.log", f->dir, "c-json.log.1"), 0);
        assert_int_equal(log_files_next(&files, files.fds[0], &next), 0); /* between the rename and the new file */
        put(f, "c-json.log", "new\n");
        assert_int_equal(log_files_next(&files, files.fds[0], &next), 1);
        assert_int_equal(read(next, text, 4), 4);
        assert_string_equal(text, "new\n");
        fd_close(next);
        /* Ours fell off the end. */
        assert_int_equal(unlinkat(f->dir, "c-json.log.1", 0), 0);
        assert_int_equal(log_files_next(&files, files.fds[0], &next), 1);
        fd_close(next);
        log_files_close(&files);
}

/* How many files below the fixture's directory this process has open. */
static size_t open_files(const struct fixture *f) {
        DIR *all = opendir("/proc/self/fd");
        struct dirent *d;
        size_t n = 0;

        assert_non_null(all);
        while ((d = readdir(all))) {
                char target[256] = "";

                if (readlinkat(dirfd(all), d->d_name, target, sizeof(target) - 1) > 0)
                        n += !strncmp(target, f->path, strlen(f->path)) && target[strlen(f->path)] == '/';
        }
        closedir(all);
        return n;
}

/* Two files are kept, and the reader sleeps through forty. */
static void a_follower_loses_no_file(void **state) {
        struct fixture *f = *state;
        struct log_keeper *k = NULL;
        struct log_files files;
        int next = -1, last = -1;

        put(f, "c-json.log", "0");
        assert_int_equal(log_files_open(&files, f->dir, "c", "json"), 0);
        assert_int_equal(log_keeper_start(&files, files.fds[0], &k), 0);
        assert_int_equal(log_keeper_next(k, &next), 0);
        for (int i = 1; i <= 40; i++) {
                char text[8];

                snprintf(text, sizeof(text), "%d", i);
                assert_int_equal(renameat(f->dir, "c-json.log", f->dir, "c-json.log.1"), 0);
                put(f, "c-json.log", text);
                while (open_files(f) < (size_t) i + 1)
                        usleep(1000);
        }
        for (int i = 1; i <= 40; i++) {
                char text[8] = "";

                assert_int_equal(log_keeper_next(k, &next), 1);
                fd_close(last);
                last = next;
                assert_true(read(next, text, sizeof(text)) > 0);
                assert_int_equal(atoi(text), i);
        }
        assert_int_equal(log_keeper_next(k, &next), 0);
        log_keeper_stop(k);
        fd_close(last);
        log_files_close(&files);
        assert_int_equal(open_files(f), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lines_are_decoded),
                cmocka_unit_test_setup_teardown(the_tail_spans_files, setup, teardown),
                cmocka_unit_test_setup_teardown(no_log_is_an_empty_log, setup, teardown),
                cmocka_unit_test_setup_teardown(the_next_file_is_found_after_rotation, setup, teardown),
                cmocka_unit_test_setup_teardown(a_follower_loses_no_file, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
