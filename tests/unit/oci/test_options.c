/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "oci/oci.h"

static struct options parsed;
static char *args[16];
static int n_args;
static struct err err;

static int parse(unsigned bits, bool only_options, bool verbatim, char **argv) {
        int at = 0, argc = 0;

        while (argv[argc])
                argc++;
        memset(&parsed, 0, sizeof(parsed));
        n_args = 0;
        return options_parse(argv, argc, &at, bits, only_options, verbatim, &parsed, args, &n_args, &err) < 0 ? -1 : at;
}
#define PARSE(bits, only, verbatim, ...) parse(bits, only, verbatim, (char *[]) { __VA_ARGS__, NULL })

static void test_forms(void **state) {
        assert_int_equal(PARSE(OF_RUN, false, false, "--bundle", "x", "id"), 3);
        assert_string_equal(parsed.bundle, "x");
        assert_int_equal(n_args, 1);
        assert_int_equal(PARSE(OF_RUN, false, false, "id", "--bundle=y", "-d"), 3);
        assert_string_equal(parsed.bundle, "y");
        assert_true(parsed.detach);
        assert_int_equal(PARSE(OF_RUN, false, false, "-b", "z", "-d"), 3);
        assert_string_equal(parsed.bundle, "z");
        assert_int_equal(PARSE(OF_RUN, false, false, "-bz"), 1);
        assert_string_equal(parsed.bundle, "z");
        assert_int_equal(PARSE(OF_RUN, false, false, "--detach=false"), 1);
        assert_false(parsed.detach);
        assert_int_equal(PARSE(OF_RUN, false, false, "--", "--detach"), 2);
        assert_false(parsed.detach);
        assert_string_equal(args[0], "--detach");
}

static void test_verbatim_rest(void **state) {
        assert_int_equal(PARSE(OF_EXEC, false, true, "-e", "A=1", "-e", "B=2", "id", "ls", "-e", "--help"), 8);
        assert_int_equal(parsed.env.n, 2);
        assert_string_equal(parsed.env.at[1], "B=2");
        assert_int_equal(n_args, 4);
        assert_string_equal(args[2], "-e");
        assert_false(parsed.help);
}

static void test_stops_at_the_command(void **state) {
        assert_int_equal(PARSE(OF_GLOBAL, true, false, "--root", "/r", "--debug", "run", "--root"), 3);
        assert_string_equal(parsed.root, "/r");
        assert_int_equal(n_args, 0);
}

static void test_refused(void **state) {
        assert_int_equal(PARSE(OF_RUN, false, false, "--nonsense"), -1);
        assert_non_null(strstr(err.msg, "unknown option --nonsense"));
        assert_int_equal(PARSE(OF_RUN, false, false, "-x"), -1);
        assert_int_equal(PARSE(OF_RUN, false, false, "--bundle"), -1);
        assert_non_null(strstr(err.msg, "needs a value"));
        assert_int_equal(PARSE(OF_RUN, false, false, "--detach=maybe"), -1);
        /* an option of another command */
        assert_int_equal(PARSE(OF_STATE, false, false, "--bundle", "x"), -1);
        assert_int_equal(PARSE(OF_DELETE, false, false, "--bund", "x"), -1);
}

static void test_list_is_bounded(void **state) {
        char *argv[2 * LIST_MAX + 8];
        int n = 0;

        for (int i = 0; i <= LIST_MAX; i++) {
                argv[n++] = (char *) "-e";
                argv[n++] = (char *) "A=1";
        }
        argv[n] = NULL;
        assert_int_equal(parse(OF_EXEC, false, true, argv), -1);
        assert_int_equal(err.kind, ERR_TOO_LARGE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_forms),   cmocka_unit_test(test_verbatim_rest),   cmocka_unit_test(test_stops_at_the_command),
                cmocka_unit_test(test_refused), cmocka_unit_test(test_list_is_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
