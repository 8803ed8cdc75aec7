/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "engine/commit-changes.h"

static void each_instruction_changes_its_field(void **state) {
        static const struct {
                const char *line, *field, *want;
        } rows[] = {
                { "CMD [\"a\", \"b c\"]", "Cmd", "[\"a\",\"b c\"]" },
                { "cmd echo hi", "Cmd", "[\"/bin/sh\",\"-c\",\"echo hi\"]" },
                { "ENTRYPOINT [\"x\"]", "Entrypoint", "[\"x\"]" },
                { "ENV A=1 B=\"2 3\" C=4\\ 5", "Env", "[\"OLD=o\",\"A=1\",\"B=2 3\",\"C=4 5\"]" },
                { "ENV OLD new value", "Env", "[\"OLD=new value\"]" },
                { "LABEL a=b", "Labels", "{\"a\":\"b\"}" },
                { "EXPOSE 80 53/udp", "ExposedPorts", "{\"80/tcp\":{},\"53/udp\":{}}" },
                { "VOLUME [\"/a\", \"/b\"]", "Volumes", "{\"/a\":{},\"/b\":{}}" },
                { "VOLUME /c", "Volumes", "{\"/c\":{}}" },
                { "WORKDIR sub", "WorkingDir", "/srv/sub" },
                { "WORKDIR /abs", "WorkingDir", "/abs" },
                { "USER 7:8", "User", "7:8" },
                { "STOPSIGNAL SIGINT", "StopSignal", "SIGINT" },
                { "ONBUILD RUN true", "OnBuild", "[\"RUN true\"]" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                auto_json *config = json_pack("{s:[s], s:s}", "Env", "OLD=o", "WorkingDir", "/srv");
                struct err err = { 0 };
                const json_t *value;
                auto_free char *text = NULL;

                assert_int_equal(commit_change(config, rows[i].line, &err), 0);
                value = json_object_get(config, rows[i].field);
                text = json_is_string(value) ? strdup(json_string_value(value)) : json_text(value);
                assert_string_equal(text, rows[i].want);
        }
}

static void bad_lines_are_refused(void **state) {
        static const char *const lines[] = { "RUN true", "", "ENV", "ENV =x", "LABEL a", "EXPOSE", "USER", "WORKDIR", "ONBUILD", "CMD a\nUSER b", "FROM x" };

        for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
                auto_json *config = json_object();
                struct err err = { 0 };

                assert_true(commit_change(config, lines[i], &err) < 0);
                assert_int_equal(err.kind, ERR_INVALID);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_instruction_changes_its_field),
                cmocka_unit_test(bad_lines_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
