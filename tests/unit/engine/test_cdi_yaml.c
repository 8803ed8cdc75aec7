/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/json.h"
#include "base/mem.h"
#include "engine/cdi-yaml.h"

static void reads(void **state) {
        static const struct {
                const char *yaml, *json;
        } cases[] = {
                { "a: b", "{\"a\":\"b\"}" },
                { "- 1\n- 0x1f\n- 0o17\n- 017\n- -5\n- +6\n- 0\n", "[1,31,15,15,-5,6,0]" },
                { "[9223372036854775807, 9223372036854775808, 1.5, 0.6.0, 1e3, 089, 0x, '5', \"6\", !!str 7]", "[9223372036854775807,\"9223372036854775808\",\"1.5\",\"0.6.0\",\"1e3\",\"089\",\"0x\",\"5\",\"6\",\"7\"]" },
                { "[true, False, ~, null, , yes, 'true']", NULL },
                { "[true, False, ~, null, yes, 'true']", "[true,false,null,null,\"yes\",\"true\"]" },
                { "a:\nb: ''\n", "{\"a\":null,\"b\":\"\"}" },
                { "a: |\n  one\n  two\nb: >-\n  three\n  four\n", "{\"a\":\"one\\ntwo\\n\",\"b\":\"three four\"}" },
                { "a: &x {b: 1}\nc: [*x, *x]\n", "{\"a\":{\"b\":1},\"c\":[{\"b\":1},{\"b\":1}]}" },
                { "a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}" },
                { "# comment\n--- # the one\na: b\n...\n", "{\"a\":\"b\"}" },
                { "5: x", "{\"5\":\"x\"}" },
        };

        (void) state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                auto_free char *text = NULL;
                auto_json *value = NULL;
                struct err err;
                int r = cdi_yaml_parse(cases[i].yaml, strlen(cases[i].yaml), "file", &value, &err);

                if (!cases[i].json) {
                        assert_int_equal(r, -EINVAL);
                        continue;
                }
                if (r < 0)
                        fail_msg("%s: %s", cases[i].yaml, err.msg);
                text = json_text(value);
                assert_string_equal(text, cases[i].json);
        }
}

static void refuses(void **state) {
        static const struct {
                const char *yaml, *why;
        } cases[] = {
                { "", "file: it is empty" },
                { "a: 1\na: 2", "file: line 2: a key is there twice" },
                { "a: 1\nb: {<<: {c: 1}}", "file: line 2: merge keys (<<) are not read" },
                { "? [a]\n: b", "file: line 1: a key is no text" },
                { "a: &x b\n*x : c", "file: line 2: a key is no text" },
                { "&x a: b", "file: line 1: a key has an anchor" },
                { "a: *x", "file: line 1: an anchor is not there, or stands for what it is in" },
                { "a: &x [*x]", "file: line 1: an anchor is not there, or stands for what it is in" },
                { "a: !!binary x", "file: line 1: tags are not read" },
                { "a: !thing {b: c}", "file: line 1: tags are not read" },
                { "--- a\n--- b", "file: line 2: there is more than one document" },
                { "a: \"x\\0y\"", "file: line 1: a text has a NUL in it" },
                { "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", "file: line 1: there are more than 32 levels" },
        };

        (void) state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                json_t *value = NULL;
                struct err err;

                assert_int_equal(cdi_yaml_parse(cases[i].yaml, strlen(cases[i].yaml), "file", &value, &err), -EINVAL);
                assert_int_equal(err.kind, ERR_INVALID);
                assert_string_equal(err.msg, cases[i].why);
                assert_null(value);
        }
}

/* Nine of nine of nine …: a few lines that stand for billions. */
static void bombs_are_counted(void **state) {
        auto_free char *text = strdup("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
        json_t *value = NULL;
        struct err err;

        (void) state;
        for (int i = 1; i < 12; i++) {
                char *longer = str_format("%sa%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", text, i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);

                free(text);
                text = longer;
        }
        assert_int_equal(cdi_yaml_parse(text, strlen(text), "file", &value, &err), -EINVAL);
        assert_string_equal(err.msg, "file: line 5: there are more than 65536 values, with what anchors repeat");
        assert_null(value);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(reads),
                cmocka_unit_test(refuses),
                cmocka_unit_test(bombs_are_counted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
