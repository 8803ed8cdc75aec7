/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/template.h"

static json_t *object(void) {
        static const char text[] =
                "{\"Name\":\"box one\",\"N\":7,\"Zero\":0,\"Empty\":\"\",\"Half\":0.5,\"Big\":1e21,\"Yes\":true,\"Null\":null,\"None\":[],"
                "\"State\":{\"Running\":true,\"ExitCode\":7},\"List\":[\"a\",\"b\",\"c\"],\"Labels\":{\"z\":\"26\",\"a.b\":\"1\"},"
                "\"Ports\":{\"80/tcp\":[{\"HostIp\":\"::\",\"HostPort\":\"8080\"}],\"9/udp\":null},\"Mixed\":{\"a\":1},\"Uni\":\"h\\u00e9llo\"}";
        json_t *o = json_loads(text, 0, NULL);

        assert_non_null(o);
        return o;
}

static int render(const char *text, const struct template_mode *mode, char out[4096], struct err *err) {
        auto_json *o = object();
        struct template *t;
        auto_strbuf b = { 0 };
        int r;

        *err = (struct err) { 0 };
        r = template_parse(text, &t, err);
        if (r < 0)
                return r;
        strbuf_init(&b, 4000);
        r = template_run(t, o, mode, &b, err);
        template_free(t);
        snprintf(out, 4096, "%.*s", (int) b.size, b.data ? b.data : "");
        return r;
}

struct row {
        const char *text, *want;
};

static void check(const struct row *rows, size_t n, const struct template_mode *mode) {
        for (size_t i = 0; i < n; i++) {
                struct err err;
                char got[4096];

                if (render(rows[i].text, mode, got, &err) < 0)
                        fail_msg("%s: %s", rows[i].text, err.msg);
                if (strcmp(got, rows[i].want) != 0)
                        fail_msg("%s gave %s and not %s", rows[i].text, got, rows[i].want);
        }
}

static void test_values(void **state) {
        static const struct row rows[] = {
                { "plain", "plain" },
                { "{{.Name}}", "box one" },
                { "{{ .State.ExitCode }}/{{.State.Running}}", "7/true" },
                { "{{.State}}", "map[ExitCode:7 Running:true]" },
                { "{{.List}} {{.None}} {{.Null}} {{.Half}} {{.Big}}", "[a b c] [] <no value> 0.5 1e+21" },
                { "{{.Labels.nope}}", "<no value>" },
                { "{{index .Labels \"a.b\"}}{{index .Labels \"nope\"}}", "1" },
                { "{{index .Mixed \"nope\"}}", "<no value>" },
                { "{{index .List 1}}", "b" },
                { "{{(index (index .Ports \"80/tcp\") 0).HostPort}}", "8080" },
                { "{{index .Ports \"80/tcp\" 0 \"HostIp\"}}", "::" },
                { "{{$.Name}}{{$x := .N}} {{$x}}", "box one 7" },
                { "{{$x := 1}}{{$x = 2}}{{$x}}", "2" },
                { "{{\"a\\\"b\\t\\u00e9\"}}{{`raw\\n`}}", "a\"b\t\xc3\xa9raw\\n" },
                { "{{true}} {{12}} {{-3}} {{1.5}} {{0x10}}", "true 12 -3 1.5 16" },
                { "a {{- .N -}} b", "a7b" },
                { "a {{/* a comment */}}b{{- /* another */ -}} c", "a bc" },
                { "a\\tb", "a\\tb" },
                { "{{/**/}}", "" },
                { "} }} { {{.N}}", "} }} { 7" },
        };

        check(rows, ARRAY_SIZE(rows), &(struct template_mode) { 0 });
}

static void test_blocks(void **state) {
        static const struct row rows[] = {
                { "{{if .Yes}}y{{end}}{{if .Zero}}n{{else}}z{{end}}", "yz" },
                { "{{if .Empty}}1{{else if .None}}2{{else if .N}}3{{else}}4{{end}}", "3" },
                { "{{if and .Yes (not .Zero)}}y{{end}}", "y" },
                { "{{with .State}}{{.ExitCode}}{{end}}{{with .Null}}n{{else}}e{{end}}", "7e" },
                { "{{with .Null}}1{{else with .N}}{{.}}{{end}}", "7" },
                { "{{range .List}}<{{.}}>{{end}}", "<a><b><c>" },
                { "{{range .None}}x{{else}}none{{end}}", "none" },
                { "{{range $i, $v := .List}}{{$i}}={{$v}} {{end}}", "0=a 1=b 2=c " },
                { "{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}", "a.b=1;z=26;" },
                { "{{range $v := .List}}{{if eq $v \"b\"}}{{continue}}{{end}}{{$v}}{{end}}", "ac" },
                { "{{range .List}}{{if eq . \"b\"}}{{break}}{{end}}{{.}}{{end}}", "a" },
                { "{{range .List}}{{$.N}}{{end}}", "777" },
                { "{{range $p, $c := .Ports}}{{$p}}{{range $c}}->{{.HostPort}}{{end}} {{end}}", "80/tcp->8080 9/udp " },
                { "{{range 3}}{{.}}{{end}}", "012" },
                { "{{$n := 0}}{{range .List}}{{$n = .}}{{end}}{{$n}}", "c" },
                { "{{if true}}{{$x := 1}}{{end}}{{with $x := 2}}{{$x}}{{end}}", "2" },
        };

        check(rows, ARRAY_SIZE(rows), &(struct template_mode) { 0 });
}

static void test_functions(void **state) {
        static const struct row rows[] = {
                { "{{json .State}} {{json .Name}} {{json .Null}}", "{\"Running\":true,\"ExitCode\":7} \"box one\" null" },
                { "{{len .List}} {{len .Name}} {{len .State}}", "3 7 2" },
                { "{{upper .Name}} {{lower \"ABC\"}} {{title \"some words\"}}", "BOX ONE abc Some Words" },
                { "{{join .List \", \"}}|{{split .Name \" \"}}", "a, b, c|[box one]" },
                { "{{truncate .Name 3}} {{truncate .Uni 2}}", "box h\xc3\xa9" },
                { "{{pad \"x\" 1 2}}|", " x  |" },
                { "{{.Name | upper | printf \"%s!\"}}", "BOX ONE!" },
                { "{{printf \"%s|%5s|%-5s|%q|%d|%05d|%v|%t|%x|%.2f|%%\" \"a\" \"b\" \"c\" \"d\\n\" 4 5 .List true 255 .Half}}",
                  "a|    b|c    |\"d\\n\"|4|00005|[a b c]|true|ff|0.50|%" },
                { "{{printf \"%d %s\" \"x\"}}", "%!d(string=x) %!s(MISSING)" },
                { "{{printf \"%s\" \"x\" 1}}", "x%!(EXTRA int=1)" },
                { "{{println \"a\" 1}}", "a 1\n" },
                { "{{print \"a\" 1 2 \"b\"}}", "a1 2b" },
                { "{{eq .N 7}} {{ne .N 7}} {{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 2 2}} {{eq .N 1 2 7}}", "true false true true false true true" },
                { "{{lt \"a\" \"b\"}} {{eq .Name \"box one\"}} {{eq 1 1.0}}", "true true true" },
                { "{{or .Empty .Name}} {{and .N .Name}} {{or .Empty .Zero}}", "box one box one 0" },
                /* What is not needed is not looked at. */
                { "{{or .Yes (index .List 9)}}{{and .Zero (index .List 9)}}", "true0" },
                { "{{slice .Name 4}} {{slice .Name 0 3}} {{slice .List 1 2}}", "one box [b]" },
                { "{{not .Zero}}", "true" },
        };

        check(rows, ARRAY_SIZE(rows), &(struct template_mode) { 0 });
}

static void test_modes(void **state) {
        static const struct row any_case[] = { { "{{.name}} {{.STATE.exitcode}}", "box one 7" } };
        static const struct row escapes[] = { { "a\\tb\\nc\\d", "a\tb\nc\\d" } };
        static const struct row heads[] = { { "{{json .Name}}|{{truncate .Name 1}}|{{.Name | upper}}|{{.Label \"k\"}}", "box one|box one|box one|k" } };
        static const struct row control[] = { { "{{\"a\\u001bb\\u009bc\\td\"}}", "a?b?c\td" } };
        static const struct row calls[] = { { "{{.Label \"k\"}}|{{.Label \"no\"}}|", "v||" } };
        auto_json *table = json_pack("{s:{s:s}}", "Label", "k", "v");

        check(any_case, 1, &(struct template_mode) { .any_case = true });
        check(escapes, 1, &(struct template_mode) { .escapes = true });
        check(heads, 1, &(struct template_mode) { .heads = true, .calls = table });
        check(control, 1, &(struct template_mode) { .no_control = true });
        check(calls, 1, &(struct template_mode) { .calls = table });
}

/* One line that begins with the position. */
static void test_refusals(void **state) {
        static const struct row rows[] = {
                { "{{.A", "1:5: {{ without }}" },
                { "a\n{{nope .A}}", "2:3: function \"nope\" is not defined" },
                { "{{range .X}}", "1:3: this block has no {{end}}" },
                { "{{if}}x{{end}}", "1:5: a value is missing" },
                { "{{}}", "1:3: a value is missing" },
                { "{{end}}", "1:6: {{end}} without a block" },
                { "{{else}}", "1:7: {{else}} without a block" },
                { "{{if 1}}{{else}}{{else}}{{end}}", "1:23: a second else" },
                { "{{.A | .B}}", "1:8: what stands behind | must be a function" },
                { "{{\"a}}", "1:3: a string without its end" },
                { "{{\"\\y\"}}", "1:4: an unknown escape in a string" },
                { "{{(.A}}", "1:6: a bracket is not closed" },
                { "{{.A)}}", "1:5: }} is missing" },
                { "{{1x}}", "1:3: a bad number" },
                { "{{\"a\" .A}}", "1:7: only a function or a field takes arguments" },
                { "{{define \"x\"}}{{end}}", "1:3: {{define}} is not supported" },
                { "{{break}}", "1:3: {{break}} outside of {{range}}" },
                { "{{/* x", "1:3: a comment without its end" },
                { "{{$a, $b := .List}}", "1:3: only range has two variables" },
                { "{{with $a, $b := .List}}{{end}}", "1:3: only range has two variables" },
                { "{{#}}", "1:3: '#' is not understood here" },
                /* Only found when it runs. */
                { "{{.Nope}}", "1:3: there is no field .Nope" },
                { "{{.State.Nope.Deeper}}", "1:3: there is no value to take .Deeper of" },
                { "{{.Name.X}}", "1:3: a string has no .X" },
                { "{{index .List 3}}", "1:3: index: 3 is outside of a list of 3" },
                { "{{len .N}}", "1:3: len: a int has no length" },
                { "{{len}}", "1:3: len wants 1 argument, and has 0" },
                { "{{upper .N}}", "1:3: upper: wants a string, and has a value of type int" },
                { "{{lt .Name 1}}", "1:3: lt: a string and a int cannot be compared" },
                { "{{$x}}", "1:3: variable $x is not defined" },
                { "{{.Label \"x\"}}", "1:3: .Label takes no arguments" },
                { "{{range .N}}{{range 9999999}}{{end}}{{end}}", NULL },
                { "{{range .Name}}{{end}}", "1:9: range can't go over a string" },
                { "{{printf \"%99999d\" 1}}", "1:3: printf: \"%99999d\" is no verb" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct err err;
                char got[4096];

                if (render(rows[i].text, &(struct template_mode) { 0 }, got, &err) == 0)
                        fail_msg("%s was taken and gave %s", rows[i].text, got);
                assert_int_equal(err.kind, ERR_INVALID);
                if (rows[i].want && strcmp(err.msg, rows[i].want) != 0)
                        fail_msg("%s: %s, and not %s", rows[i].text, err.msg, rows[i].want);
        }
}

static void test_bounds(void **state) {
        static char text[TEMPLATE_TEXT_MAX + 16];
        struct err err;
        char got[4096];

        /* Depth. */
        strcpy(text, "{{");
        for (int i = 0; i < TEMPLATE_DEPTH_MAX + 1; i++)
                strcat(text, "(");
        assert_int_not_equal(render(text, &(struct template_mode) { 0 }, got, &err), 0);
        assert_non_null(strstr(err.msg, "inside each other"));
        /* Size. */
        memset(text, 'x', TEMPLATE_TEXT_MAX + 1);
        text[TEMPLATE_TEXT_MAX + 1] = '\0';
        assert_int_not_equal(render(text, &(struct template_mode) { 0 }, got, &err), 0);
        /* Output: the buffer has 4,000 bytes. */
        assert_int_not_equal(render("{{range 1000}}longer{{end}}", &(struct template_mode) { 0 }, got, &err), 0);
        assert_non_null(strstr(err.msg, "too long"));
        /* Steps. */
        assert_int_not_equal(render("{{range 100000}}{{range 100000}}{{end}}{{end}}", &(struct template_mode) { 0 }, got, &err), 0);
        assert_non_null(strstr(err.msg, "too many steps"));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values), cmocka_unit_test(test_blocks),   cmocka_unit_test(test_functions),
                cmocka_unit_test(test_modes),  cmocka_unit_test(test_refusals), cmocka_unit_test(test_bounds),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
