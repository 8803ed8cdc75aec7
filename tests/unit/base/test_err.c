/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/err.h"

static void kinds_come_from_errnos(void **state) {
        static const struct { int num; enum err_kind kind; } cases[] = {
                { -ENOENT, ERR_NOT_FOUND }, { EEXIST, ERR_CONFLICT }, { -EBUSY, ERR_CONFLICT }, { -ENOSPC, ERR_NO_SPACE }, { -EDQUOT, ERR_NO_SPACE },
                { -EACCES, ERR_DENIED }, { EPERM, ERR_DENIED }, { -EINVAL, ERR_INVALID }, { -EPIPE, ERR_INTERNAL },
        };
        struct err e;

        (void) state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                int r = err_errno(&e, cases[i].num, "object %d", 7);

                assert_int_equal(r, cases[i].num < 0 ? cases[i].num : -cases[i].num);
                assert_int_equal(e.kind, cases[i].kind);
                assert_int_equal(e.num, r);
                assert_int_equal(strncmp(e.msg, "object 7: ", 10), 0);
                assert_non_null(strstr(e.msg, strerror(-r)));
        }
}

static void a_message_is_one_line(void **state) {
        char raw[sizeof(((struct err *) 0)->msg) * 2];
        struct err e;

        (void) state;
        err_set(&e, ERR_INVALID, -EINVAL, "%s", "a\nb\r\033[31mc\x7f");
        assert_string_equal(e.msg, "a?b??[31mc?");
        /* U+009B is a terminal's ESC [, too. */
        err_set(&e, ERR_INVALID, -EINVAL, "%s", "a\302\233" "2Jb\303\251");
        assert_string_equal(e.msg, "a?2Jb\303\251");
        err_set_raw(&e, ERR_INTERNAL, -EIO, "a\302\233" "2Jb", "\302\205" "c");
        assert_int_equal(strncmp(e.msg, "a?2Jb: ?c: ", 11), 0);
        memset(raw, 'x', sizeof(raw));
        raw[sizeof(raw) - 1] = '\0';
        err_set(&e, ERR_INVALID, -EINVAL, "%s", raw);
        assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
        err_prefix(&e, "%s", raw);
        assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
        err_set_raw(&e, ERR_INTERNAL, -EIO, "what\n", raw);
        assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
        assert_int_equal(strncmp(e.msg, "what?: xxx", 10), 0);
}

static void prefixes_keep_the_rest(void **state) {
        struct err e;

        (void) state;
        assert_int_equal(err_set(&e, ERR_DENIED, -EPERM, "inner %d", 1), -EPERM);
        assert_int_equal(err_prefix(&e, "outer %s", "x"), -EPERM);
        assert_string_equal(e.msg, "outer x: inner 1");
        assert_int_equal(e.kind, ERR_DENIED);
}

static void a_name_is_said_once(void **state) {
        struct err e;

        (void) state;
        assert_int_equal(err_set(&e, ERR_NOT_FOUND, -ENOENT, "not found"), -ENOENT);
        assert_int_equal(err_name(&e, ""), -ENOENT);
        assert_string_equal(e.msg, "not found");
        for (int i = 0; i < 2; i++) {
                assert_int_equal(err_name(&e, "a:1"), -ENOENT);
                assert_string_equal(e.msg, "a:1: not found");
        }
        assert_int_equal(err_name(NULL, "a:1"), -EIO);
}

static void raw_messages(void **state) {
        struct err e;

        (void) state;
        assert_int_equal(err_set_raw(&e, ERR_NOT_FOUND, ENOENT, "open", "/x"), -ENOENT);
        assert_string_equal(e.msg, "open: /x: No such file or directory");
        assert_int_equal(err_set_raw(&e, ERR_INTERNAL, 0, "open", NULL), -EIO);
        assert_string_equal(e.msg, "open");
}

static void nothing_to_fill_is_fine(void **state) {
        (void) state;
        assert_int_equal(err_set(NULL, ERR_INTERNAL, 0, "x"), -EIO);
        assert_int_equal(err_errno(NULL, EINVAL, "x"), -EINVAL);
        assert_int_equal(err_prefix(NULL, "x"), -EIO);
        assert_int_equal(err_set_raw(NULL, ERR_INTERNAL, -EPERM, "x", "y"), -EPERM);
        errno = ENOTTY;
        err_set(NULL, ERR_INTERNAL, 0, "x");
        assert_int_equal(errno, ENOTTY);
}

static void percent_m_is_errno(void **state) {
        struct err e;

        (void) state;
        errno = ENOTTY;
        err_set(&e, ERR_INTERNAL, -ENOTTY, "tty: %m");
        assert_non_null(strstr(e.msg, strerror(ENOTTY)));
        assert_int_equal(errno, ENOTTY);
}

static void every_kind_has_a_name(void **state) {
        (void) state;
        for (int k = 0; k < _ERR_KIND_MAX; k++) {
                assert_non_null(err_kind_name((enum err_kind) k));
                for (int j = 0; j < k; j++)
                        assert_string_not_equal(err_kind_name((enum err_kind) k), err_kind_name((enum err_kind) j));
        }
        assert_string_equal(err_kind_name((enum err_kind) 99), "unknown");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(kinds_come_from_errnos),
                cmocka_unit_test(a_message_is_one_line),
                cmocka_unit_test(prefixes_keep_the_rest), cmocka_unit_test(a_name_is_said_once),
                cmocka_unit_test(raw_messages),
                cmocka_unit_test(nothing_to_fill_is_fine),
                cmocka_unit_test(percent_m_is_errno),
                cmocka_unit_test(every_kind_has_a_name),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
