/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "capture.h"
#include "cli/format.h"
#include "cli/frames.h"
#include "cli/listing.h"

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
                { "{{upper .Name}} {{lower .Name}}", "BOX box\n" },
                { "{{.State.Nope}} {{.name}}", "<no value> box\n" },
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

/* Nothing is printed by a template that fails. */
static void test_failures(void **state) {
        static const struct {
                const char *template, *want;
        } rows[] = {
                { "{{.A", "--format: 1:5: {{ without }}" },
                { "a{{.Nope}}", "--format: 1:4: there is no field .Nope" },
        };
        auto_json *o = json_pack("{s:s}", "Name", "box");

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct err err = { 0 };

                capture_begin();
                assert_true(format_print(rows[i].template, o, &err) < 0);
                assert_string_equal(capture_end(), "");
                assert_string_equal(err.msg, rows[i].want);
        }
        assert_int_equal(format_check("{{.Nope}}", NULL), 0);
        assert_int_equal(format_check("json", NULL), 0);
        assert_true(format_check("{{nope}}", NULL) < 0);
}

static const struct listing_column columns[] = { { "ID", "THE ID" }, { "Name", "NAME" }, { "Labels", "LABELS" }, { 0 } };

static const char *list(const char *format) {
        auto_json *a = json_pack("{s:s, s:s, s:s}", "ID", "1", "Name", "a\tb", "Labels", "k=v"), *calls = json_pack("{s:{s:s}}", "Label", "k.n", "v");
        auto_json *b = json_pack("{s:s, s:s, s:s}", "ID", "234567890", "Name", "", "Labels", "");
        struct err err = { 0 };
        struct listing *l;

        if (listing_new(format, "{{.ID}}\t{{.Name}}", columns, &l, &err) < 0)
                fail_msg("%s", err.msg);
        capture_begin();
        if (listing_add(l, a, calls, &err) < 0 || listing_add(l, b, calls, &err) < 0)
                printf("%s\n", err.msg);
        listing_end(l);
        return capture_end();
}

static void test_listing(void **state) {
        /* A column is three wider than its widest cell, and ten at least; a tab in a value is no column. */
        assert_string_equal(list(NULL), "THE ID      NAME\n1           a?b\n234567890   \n");
        assert_string_equal(list("table"), list(NULL));
        assert_string_equal(list("table {{.Labels}}\\t{{.Label \"k.n\"}}\\t{{lower .Name}}"), "LABELS    n         NAME\nk=v       v         a?b\n          v         \n");
        assert_string_equal(list("{{.ID}}:{{.Name}}"), "1:a\tb\n234567890:\n");
        assert_string_equal(list("json"), "{\"ID\":\"1\",\"Labels\":\"k=v\",\"Name\":\"a\\tb\"}\n{\"ID\":\"234567890\",\"Labels\":\"\",\"Name\":\"\"}\n");
        assert_true(listing_is_table(NULL) && listing_is_table("table {{.ID}}") && !listing_is_table("{{.ID}}") && !listing_is_table("tables"));
}

/* The same rows from columns that are made when they are asked for. */
struct made_row {
        const char *id, *name, *labels;
};

static void show_id(const void *row, struct strbuf *out) {
        strbuf_adds(out, ((const struct made_row *) row)->id);
}

static void show_name(const void *row, struct strbuf *out) {
        strbuf_adds(out, ((const struct made_row *) row)->name);
}

static size_t labels_made;

static void show_labels(const void *row, struct strbuf *out) {
        labels_made++;
        strbuf_adds(out, ((const struct made_row *) row)->labels);
}

static const struct listing_column made_columns[] = {
        { "ID", "THE ID", show_id }, { "Name", "NAME", show_name }, { "Labels", "LABELS", show_labels, .seldom = true }, { 0 },
};

static const char *list_made(const char *format, bool *ret_usual) {
        auto_json *calls = json_pack("{s:{s:s}}", "Label", "k.n", "v");
        struct err err = { 0 };
        struct listing *l;

        if (listing_new(format, "{{.ID}}\t{{.Name}}", made_columns, &l, &err) < 0)
                fail_msg("%s", err.msg);
        *ret_usual = listing_is_usual(l);
        labels_made = 0;
        capture_begin();
        if (listing_add_row(l, &(struct made_row) { "1", "a\tb", "k=v" }, calls, &err) < 0 || listing_add_row(l, &(struct made_row) { "234567890", "", "" }, calls, &err) < 0)
                printf("%s\n", err.msg);
        listing_end(l);
        return capture_end();
}

static void test_made_columns(void **state) {
        static const struct {
                const char *format;
                bool usual, labels;
        } rows[] = {
                { NULL, true, false },
                { "table", true, false },
                { "{{.ID}}:{{.Name}}", true, false },
                { "a\\tb\\n{{.ID}}{{/* nothing */}}", true, false },
                { "table {{.Labels}}\\t{{.ID}}", false, true },
                { "{{.Labels}}", false, true },
                /* More than text and columns: the whole row is made. */
                { "table {{.ID}}\\t{{.Label \"k.n\"}}\\t{{lower .Name}}", false, true },
                { "{{$x := .ID}}{{$x}}", false, true },
                { "{{.ID | len}}", false, true },
                { "{{if .Name}}{{.Name}}{{end}}", false, true },
                { "{{.ID}}{{.Nope}}", false, true },
                { "{{.ID.Nope}}", false, true },
                { "{{.}}", false, true },
                { "json", false, true },
                { "", false, true },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                auto_free char *want = strdup(list(rows[i].format));
                bool usual;
                const char *got = list_made(rows[i].format, &usual);

                assert_string_equal(got, want);
                assert_int_equal(usual, rows[i].usual);
                assert_int_equal(labels_made > 0, rows[i].labels);
        }
}

static void test_labels(void **state) {
        auto_json *labels = json_pack("{s:s, s:s}", "z", "1", "a", "2");
        auto_free char *text = listing_labels(labels), *none = listing_labels(NULL);

        assert_string_equal(text, "a=2,z=1");
        assert_string_equal(none, "");
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
                cmocka_unit_test(test_failures),
                cmocka_unit_test(test_listing),
                cmocka_unit_test(test_made_columns),
                cmocka_unit_test(test_labels),
                cmocka_unit_test(test_frames),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
