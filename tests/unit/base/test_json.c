/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/err.h"
#include "base/json.h"

static void unsigned_numbers_keep_their_bits(void **state) {
        static const struct {
                const char *text, *expected; /* NULL: refused */
        } rows[] = {
                { "[1]", "[1]" },
                { "[18446744073709551615]", "[-1]" },
                { "[9223372036854775807,9223372036854775808]", "[9223372036854775807,-9223372036854775808]" },
                { "{\"a\":18446744073709551614,\"18446744073709551615\":\"18446744073709551615\"}",
                  "{\"a\":-2,\"18446744073709551615\":\"18446744073709551615\"}" },
                { "[\"\\\\\",18446744073709551615,\"\\\"18446744073709551615\"]", "[\"\\\\\",-1,\"\\\"18446744073709551615\"]" },
                { "[18446744073709551616]", NULL },
                { "[-9223372036854775809]", NULL },
                { "[99999999999999999999999999999999999999999999]", NULL },
                { "[18446744073709551615,]", NULL },
                { "{\"a\":18446744073709551615,\"a\":1}", NULL },
                { "[018446744073709551615]", NULL },
                { "", NULL },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                auto_json *v = NULL;
                auto_free char *text = NULL;
                struct err err = { 0 };
                int r = json_parse_unsigned(rows[i].text, strlen(rows[i].text), 1000, "it", &v, &err);

                if ((r == 0) != (rows[i].expected != NULL))
                        fail_msg("%s: %s", rows[i].text, r < 0 ? err.msg : "was taken");
                if (r < 0) {
                        assert_int_equal(err.kind, ERR_INVALID);
                        continue;
                }
                text = json_text(v);
                assert_string_equal(text, rows[i].expected);
        }
}

static void the_other_reader_takes_none(void **state) {
        json_t *v = NULL;
        struct err err = { 0 };

        assert_true(json_parse("[18446744073709551615]", 22, 1000, "it", &v, &err) < 0);
        assert_true(json_parse_unsigned("[18446744073709551615]", 22, 21, "it", &v, &err) < 0);
        assert_int_equal(err.kind, ERR_TOO_LARGE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(unsigned_numbers_keep_their_bits),
                cmocka_unit_test(the_other_reader_takes_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
