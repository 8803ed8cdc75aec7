/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/json.h"
#include "capture.h"
#include "cli/format.h"
#include "cli/frames.h"

static void test_templates(void **state) {
        static const struct {
                const char *template, *want;
        } rows[] = {
                { "{{.Name}}", "box\n" },
                { "{{ .State.ExitCode }}/{{.State.Running}}", "7/true\n" },
                { "{{json .State}}", "{\"ExitCode\":7,\"Running\":true}\n" },
                { "{{json .}}", "{\"Name\":\"box\",\"State\":{\"ExitCode\":7,\"Running\":true},\"List\":[1,\"a\"]}\n" },
                { "json", "{\"Name\":\"box\",\"State\":{\"ExitCode\":7,\"Running\":true},\"List\":[1,\"a\"]}\n" },
                { "{{.List}} {{len .List}}", "[1 a] 2\n" },
                { "{{.State}}", "map[ExitCode:7 Running:true]\n" },
                { "{{upper .Name}}\\t{{lower .Name}}", "BOX\tbox\n" },
                { "{{.Nope.Deeper}}", "<no value>\n" },
                { "plain", "plain\n" },
        };
        auto_json *o = json_pack("{s:s, s:{s:i, s:b}, s:[i, s]}", "Name", "box", "State", "ExitCode", 7, "Running", 1, "List", 1, "a");

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct err err = { 0 };
                const char *got;

                capture_begin();
                assert_int_equal(format_print(rows[i].template, o, &err), 0);
                got = capture_end();
                assert_string_equal(got, rows[i].want);
        }
}

static void test_refusals(void **state) {
        static const char *const rows[] = { "{{.A", "{{range .X}}", "{{nope .A}}", "{{}}", "{{.A | .B}}", "{{\"a\"}}" };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct err err = { 0 };

                if (format_check(rows[i], &err) == 0)
                        fail_msg("%s was taken", rows[i]);
                assert_int_equal(err.kind, ERR_INVALID);
        }
}

/* However the bytes are cut, the same comes out. */
static void test_frames(void **state) {
        static const char stream[] = "\1\0\0\0\0\0\0\5hello\2\0\0\0\0\0\0\3err\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\1!";

        for (size_t cut = 1; cut < sizeof(stream); cut++) {
                struct frames f = { 0 };
                const char *got;

                capture_begin();
                for (size_t at = 0; at < sizeof(stream) - 1; at += cut) {
                        size_t n = sizeof(stream) - 1 - at < cut ? sizeof(stream) - 1 - at : cut;

                        frames_write(&f, stream + at, n);
                }
                got = capture_end();
                assert_string_equal(got, "helloerr!");
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_templates),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_frames),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
