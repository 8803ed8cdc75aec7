/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/timestamp.h"

#define S INT64_C(1000000000)

static void known_points(void **state) {
        static const struct { int64_t ns; const char *text; } cases[] = {
                { 0, "1970-01-01T00:00:00.000000000Z" },
                { -1, "1969-12-31T23:59:59.999999999Z" },
                { 951782400 * S, "2000-02-29T00:00:00.000000000Z" },
                { 1795302971 * S + 123456789, "2026-11-21T23:16:11.123456789Z" },
                { 4107542400 * S, "2100-03-01T00:00:00.000000000Z" },
                { 1709251199 * S + 999999999, "2024-02-29T23:59:59.999999999Z" },
        };

        (void) state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                char text[TIME_RFC3339_SIZE];
                int64_t ns = 1;

                time_format_ns(cases[i].ns, text);
                assert_string_equal(text, cases[i].text);
                assert_int_equal(time_parse(text, &ns), 0);
                assert_true(ns == cases[i].ns);
        }
}

static void agrees_with_the_library(void **state) {
        uint64_t seed = 42;

        (void) state;
        for (int i = 0; i < 20000; i++) {
                char text[TIME_RFC3339_SIZE], want[64];
                struct timespec t;
                struct tm tm;

                seed = seed * 6364136223846793005u + 1442695040888963407u;
                t = (struct timespec) { (time_t) ((seed >> 16) % 9000000000u) - 2000000000, (long) (seed % 1000000000) };
                time_format(&t, text);
                gmtime_r(&t.tv_sec, &tm);
                strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S", &tm);
                snprintf(want + strlen(want), sizeof(want) - strlen(want), ".%09ldZ", t.tv_nsec);
                assert_string_equal(text, want);
        }
}

static void forms_that_are_taken(void **state) {
        static const struct { const char *text; int64_t ns; } cases[] = {
                { "1970-01-01T00:00:01Z", S },
                { "1970-01-01T01:00:00+01:00", 0 },
                { "1969-12-31T18:30:00-05:30", 0 },
                { "1970-01-01T00:00:00.5Z", S / 2 },
                { "1970-01-01T00:00:00.000000001Z", 1 },
        };

        (void) state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                int64_t ns = -7;

                assert_int_equal(time_parse(cases[i].text, &ns), 0);
                assert_true(ns == cases[i].ns);
        }
}

static void forms_that_are_not(void **state) {
        static const char *const bad[] = { "", "1970", "1970-01-01", "1970-01-01T00:00:00", "1970-13-01T00:00:00Z", "1970-00-01T00:00:00Z",
                "1970-01-32T00:00:00Z", "1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z", "1970-01-01T00:00:61Z", "1970-01-01T00:00:00.Z",
                "1970-01-01T00:00:00.0000000001Z", "1970-01-01T00:00:00Zx", " 1970-01-01T00:00:00Z", "1970-01-01T00:00:00+1:00",
                "1970-01-01T00:00:00+0100", "-970-01-01T00:00:00Z", "1971-02-29T00:00:00Z", "2100-02-29T00:00:00Z", NULL };

        (void) state;
        for (int i = 0; bad[i]; i++) {
                int64_t ns = -7;

                if (time_parse(bad[i], &ns) != -EINVAL)
                        fail_msg("\"%s\" was taken", bad[i]);
                assert_true(ns == -7);
        }
}

static void now_is_now(void **state) {
        char text[TIME_RFC3339_SIZE];
        int64_t before = time_now_ns(), ns, after;

        (void) state;
        time_format_now(text);
        after = time_now_ns();
        assert_int_equal(time_parse(text, &ns), 0);
        assert_true(before <= ns && ns <= after);
        assert_true(llabs(before / S - (int64_t) time(NULL)) <= 2);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(known_points),
                cmocka_unit_test(agrees_with_the_library),
                cmocka_unit_test(forms_that_are_taken),
                cmocka_unit_test(forms_that_are_not),
                cmocka_unit_test(now_is_now),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
