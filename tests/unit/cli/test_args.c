/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "capture.h"
#include "cli/command.h"
#include "cli/table.h"

static const struct option options[] = {
        { 'd', "detach", OPTION_FLAG, NULL, "" }, { 'i', "interactive", OPTION_FLAG, NULL, "" }, { 'e', "env", OPTION_LIST, "X", "" },
        { 0, "name", OPTION_TEXT, "X", "" },      { 'm', "memory", OPTION_TEXT, "X", "" },      { 0 },
};
static const struct command command = { "run", "container", NULL, "…", "…", NULL, options, NULL, 1, 3, true, NULL };
static const struct command mixed = { "rm", "container", NULL, "…", "…", NULL, options, NULL, 1, 2, false, NULL };

static int parse(const struct command *c, struct args **ret, const char *first, ...) {
        char *words[16];
        int n = 0, r;
        va_list ap;

        va_start(ap, first);
        for (const char *w = first; w; w = va_arg(ap, const char *))
                words[n++] = (char *) w;
        va_end(ap);
        capture_begin();
        r = args_parse(c, n, words, ret);
        capture_end();
        return r;
}

static void test_forms(void **state) {
        const char *const *items;
        struct args *a;

        assert_int_equal(parse(&command, &a, "-di", "-eA=b", "-e", "C", "--env=D", "--name", "x", "--memory=1m", "image", "-x", "--y", NULL), 0);
        assert_true(args_flag(a, "detach"));
        assert_true(args_flag(a, "interactive"));
        assert_int_equal(args_list(a, "env", &items), 3);
        assert_string_equal(items[0], "A=b");
        assert_string_equal(items[2], "D");
        assert_string_equal(args_text(a, "name"), "x");
        assert_string_equal(args_text(a, "memory"), "1m");
        /* What follows the image belongs to its command. */
        assert_int_equal(args_count(a), 3);
        assert_string_equal(args_at(a, 1), "-x");
        assert_null(args_at(a, 3));
        args_free(a);
}

static void test_flags_take_booleans(void **state) {
        struct args *a;

        assert_int_equal(parse(&command, &a, "--detach", "--detach=false", "x", NULL), 0);
        assert_false(args_flag(a, "detach"));
        assert_true(args_given(a, "detach"));
        assert_false(args_given(a, "interactive"));
        args_free(a);
        assert_int_equal(parse(&command, &a, "--detach=maybe", "x", NULL), -1);
}

static void test_options_behind_arguments(void **state) {
        struct args *a;

        assert_int_equal(parse(&mixed, &a, "one", "-d", "two", NULL), 0);
        assert_true(args_flag(a, "detach"));
        assert_int_equal(args_count(a), 2);
        args_free(a);
        assert_int_equal(parse(&mixed, &a, "--", "-d", NULL), 0);
        assert_string_equal(args_at(a, 0), "-d");
        args_free(a);
}

static void test_refusals(void **state) {
        struct args *a;

        assert_int_equal(parse(&command, &a, "--nope", "x", NULL), -1);
        assert_int_equal(parse(&command, &a, "-z", "x", NULL), -1);
        assert_int_equal(parse(&command, &a, "--name", NULL), -1);
        assert_int_equal(parse(&command, &a, "-e", NULL), -1);
        assert_int_equal(parse(&command, &a, NULL, NULL), -1);
        assert_int_equal(parse(&mixed, &a, "1", "2", "3", NULL), -1);
        assert_int_equal(parse(&command, &a, "--help", NULL), 1);
}

static const char *const words[] = { "run", "rm", "images", "pull" };

static const char *word(size_t i) {
        return words[i];
}

static void test_nearest(void **state) {
        assert_string_equal(help_nearest("ruin", word, 4), "run");
        assert_string_equal(help_nearest("image", word, 4), "images");
        assert_string_equal(help_nearest("pul", word, 4), "pull");
        assert_null(help_nearest("xy", word, 4));
        assert_null(help_nearest("completely", word, 4));
}

static void test_human(void **state) {
        static const struct {
                int64_t seconds;
                const char *words;
        } spans[] = {
                { 0, "Less than a second" }, { 1, "1 second" },       { 59, "59 seconds" },      { 61, "About a minute" },
                { 180, "3 minutes" },        { 3700, "About an hour" }, { 36000, "10 hours" },   { 86400 * 3, "3 days" },
                { 86400 * 21, "3 weeks" },   { 86400 * 90, "3 months" }, { 86400 * 800LL, "2 years" },
        };
        char text[32];

        for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
                human_duration(spans[i].seconds, text);
                assert_string_equal(text, spans[i].words);
        }
        human_size(0, text);
        assert_string_equal(text, "0B");
        human_size(4260000, text);
        assert_string_equal(text, "4.26MB");
        human_size(999, text);
        assert_string_equal(text, "999B");
        human_size(1200000000, text);
        assert_string_equal(text, "1.2GB");
}

static void test_table(void **state) {
        struct table *t = table_new(2);

        table_cell(t, "A");
        table_cell(t, "B");
        table_cell(t, "long…");
        table_cell(t, "\033[2Jevil");
        capture_begin();
        table_print(t);
        assert_string_equal(capture_end(), "A         B\nlong…     ?[2Jevil\n");
        table_free(t);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_forms),    cmocka_unit_test(test_flags_take_booleans), cmocka_unit_test(test_options_behind_arguments),
                cmocka_unit_test(test_refusals), cmocka_unit_test(test_nearest),             cmocka_unit_test(test_human),
                cmocka_unit_test(test_table),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
