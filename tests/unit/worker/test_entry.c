/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "worker/entry.h"

static void paths_are_made_plain(void **state) {
        static const struct {
                const char *raw, *plain;
                int r;
        } rows[] = {
                { "a", "a" },
                { "./", "" },
                { ".", "" },
                { "", "" },
                { "/", "" },
                { "/etc/passwd", "etc/passwd" },
                { "./a//b/./c/", "a/b/c" },
                { "...", "..." },
                { "a/..b", "a/..b" },
                { "..", NULL, -EXDEV },
                { "../x", NULL, -EXDEV },
                { "a/../../x", NULL, -EXDEV },
                { "a/..", NULL, -EXDEV },
                { "/..", NULL, -EXDEV },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                char path[ENTRY_PATH_SIZE];

                assert_int_equal(entry_path(rows[i].raw, path), rows[i].r);
                if (rows[i].plain)
                        assert_string_equal(path, rows[i].plain);
        }
}

static void long_and_deep_paths_are_refused(void **state) {
        char raw[3 * PATH_MAX], path[ENTRY_PATH_SIZE];

        memset(raw, 'a', NAME_MAX);
        raw[NAME_MAX] = '\0';
        assert_int_equal(entry_path(raw, path), 0);
        raw[NAME_MAX] = 'a';
        raw[NAME_MAX + 1] = '\0';
        assert_int_equal(entry_path(raw, path), -ENAMETOOLONG);

        for (int i = 0; i < ENTRY_DEPTH_MAX; i++)
                memcpy(raw + 2 * i, "d/", 3);
        assert_int_equal(entry_path(raw, path), 0);
        memcpy(raw + 2 * ENTRY_DEPTH_MAX, "d", 2);
        assert_int_equal(entry_path(raw, path), -ENAMETOOLONG);

        for (int i = 0; i < 2 * PATH_MAX; i++)
                raw[i] = i % 200 == 199 ? '/' : 'x';
        raw[2 * PATH_MAX] = '\0';
        assert_int_equal(entry_path(raw, path), -ENAMETOOLONG);
        raw[PATH_MAX - 1] = '\0'; /* as long as it may be: PATH_MAX with the NUL */
        assert_int_equal(entry_path(raw, path), 0);
        assert_string_equal(path, raw);
}

static void whiteouts_are_told_apart(void **state) {
        static const struct {
                const char *path;
                enum entry_whiteout kind;
                const char *then;
        } rows[] = {
                { "a", ENTRY_PLAIN, "a" },
                { "", ENTRY_PLAIN, "" },
                { "a/.wha", ENTRY_PLAIN, "a/.wha" },
                { ".wh.a", ENTRY_WHITEOUT, "a" },
                { "a/b/.wh.c", ENTRY_WHITEOUT, "a/b/c" },
                { ".wh..a", ENTRY_WHITEOUT, ".a" },
                { ".wh..wh..opq", ENTRY_OPAQUE, "" },
                { "a/b/.wh..wh..opq", ENTRY_OPAQUE, "a/b" },
                { ".wh..wh.aufs", ENTRY_AUFS, NULL },
                { ".wh..wh.plnk/12.3", ENTRY_AUFS, NULL },
                { "a/.wh..wh.orph", ENTRY_AUFS, NULL },
                { ".wh.", ENTRY_BAD, NULL },
                { ".wh..", ENTRY_BAD, NULL },
                { "a/.wh...", ENTRY_BAD, NULL },
                { ".wh.a/b", ENTRY_BAD, NULL },
                { "x/.wh.a/b/c", ENTRY_BAD, NULL },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                char path[ENTRY_PATH_SIZE];

                strcpy(path, rows[i].path);
                assert_int_equal(entry_whiteout(path), rows[i].kind);
                if (rows[i].then)
                        assert_string_equal(path, rows[i].then);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(paths_are_made_plain),
                cmocka_unit_test(long_and_deep_paths_are_refused),
                cmocka_unit_test(whiteouts_are_told_apart),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
