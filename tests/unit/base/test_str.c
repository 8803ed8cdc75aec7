/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static void numbers_are_strict(void **state) {
        static const struct { const char *text; uint64_t min, max, want; int r; } cases[] = {
                { "0", 0, 10, 0, 0 },
                { "10", 0, 10, 10, 0 },
                { "18446744073709551615", 0, UINT64_MAX, UINT64_MAX, 0 },
                { "18446744073709551616", 0, UINT64_MAX, 0, -ERANGE },
                { "99999999999999999999999", 0, UINT64_MAX, 0, -ERANGE },
                { "11", 0, 10, 0, -ERANGE },
                { "1", 2, 10, 0, -ERANGE },
                { "", 0, 10, 0, -EINVAL },
                { "-1", 0, 10, 0, -EINVAL },
                { "+1", 0, 10, 0, -EINVAL },
                { " 1", 0, 10, 0, -EINVAL },
                { "1 ", 0, 10, 0, -EINVAL },
                { "0x1", 0, 10, 0, -EINVAL },
                { "1\n", 0, 10, 0, -EINVAL },
        };

        (void) state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                uint64_t v = 0;

                assert_int_equal(str_to_u64(cases[i].text, cases[i].min, cases[i].max, &v), cases[i].r);
                assert_true(v == cases[i].want);
        }
}

static void buffers_have_a_maximum(void **state) {
        auto_strbuf b;
        size_t size;
        char *text;

        (void) state;
        strbuf_init(&b, 10);
        strbuf_adds(&b, "12345");
        strbuf_addf(&b, "%d", 67890);
        assert_int_equal(strbuf_error(&b), 0);
        assert_string_equal(b.data, "1234567890");
        strbuf_adds(&b, "");
        assert_int_equal(strbuf_error(&b), 0);
        strbuf_adds(&b, "x");
        assert_int_equal(strbuf_error(&b), -E2BIG);
        assert_string_equal(b.data, "1234567890");
        strbuf_adds(&b, ""); /* errors stick */
        assert_int_equal(strbuf_error(&b), -E2BIG);
        assert_null(strbuf_take(&b, &size));
        /* Usable again, with the same maximum. */
        strbuf_addf(&b, "%s", "0123456789");
        text = strbuf_take(&b, &size);
        assert_string_equal(text, "0123456789");
        assert_int_equal(size, 10);
        free(text);
        text = strbuf_take(&b, &size);
        assert_string_equal(text, "");
        assert_int_equal(size, 0);
        free(text);
}

static void buffers_keep_zero_bytes(void **state) {
        auto_strbuf b;

        (void) state;
        strbuf_init(&b, 1 << 20);
        for (int i = 0; i < 1000; i++)
                strbuf_add(&b, "a\0b", 3);
        assert_int_equal(b.size, 3000);
        assert_memory_equal(b.data + 2997, "a\0b", 4);
}

static void random_hex(void **state) {
        char a[129], b[129];

        (void) state;
        assert_int_equal(str_random_hex(a, 64), 0);
        assert_int_equal(str_random_hex(b, 64), 0);
        assert_int_equal(strspn(a, "0123456789abcdef"), 128);
        assert_int_equal(strlen(a), 128);
        assert_string_not_equal(a, b);
        assert_int_equal(str_random_hex(a, 65), -EINVAL);
}

static void small_ones(void **state) {
        auto_free char *s = str_format("%d-%s", 1, "x"), *t = NULL;

        (void) state;
        assert_string_equal(s, "1-x");
        t = take_ptr(&s);
        assert_null(s);
        assert_true(str_starts_with("abc", "ab"));
        assert_true(str_starts_with("abc", ""));
        assert_false(str_starts_with("a", "ab"));
}

static void control_characters_become_plain(void **state) {
        static const struct {
                const char *text, *kept, *want;
        } rows[] = {
                { "", "", "" },
                { "a\033[2Jb\177", "", "a?[2Jb?" },
                { "a\tb\nc\r", "\n\t", "a\tb\nc?" },
                { "a\tb\n", "", "a?b?" },
                { "\302\200\302\233" "2J\302\237", "", "??2J?" },    /* U+0080, U+009B, U+009F: one '?' each */
                { "\302\240\302\277\303\237", "", "\302\240\302\277\303\237" }, /* U+00A0, U+00BF, U+00DF: letters */
                { "\304\233\342\202\254", "", "\304\233\342\202\254" },  /* the same bytes within others: U+011B, U+20AC */
                { "x\302", "", "x\302" },                              /* cut within a character */
                { "\302\033", "", "\302?" },
        };

        (void) state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                auto_free char *text = strdup(rows[i].text);

                assert_int_equal(str_make_plain(text, strlen(text), rows[i].kept), strlen(rows[i].want));
                assert_string_equal(text, rows[i].want);
        }
        /* Not behind the end that is said, whatever is there; and of a NUL within. */
        char bytes[] = { 'a', '\0', (char) 0xc2, (char) 0x9b, 'z' };
        assert_int_equal(str_make_plain(bytes, 3, "\n"), 3);
        assert_memory_equal(bytes, "a?\302", 4);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(numbers_are_strict),
                cmocka_unit_test(buffers_have_a_maximum),
                cmocka_unit_test(buffers_keep_zero_bytes),
                cmocka_unit_test(random_hex),
                cmocka_unit_test(small_ones),
                cmocka_unit_test(control_characters_become_plain),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
