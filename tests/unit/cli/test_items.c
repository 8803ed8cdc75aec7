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
#include "cli/items.h"

/* Members as text, one per line. "stop" ends the list. */
static int note(json_t *item, void *data, struct err *err) {
        auto_free char *text = json_text(item);

        if (strcmp(text, "[\"stop\"]") == 0)
                return err_set(err, ERR_CONFLICT, -ECANCELED, "stopped");
        strbuf_addf(data, "%s\n", text);
        return 0;
}

/* The text in pieces of `step` bytes. */
static int feed(const char *text, size_t step, struct strbuf *seen, struct err *err) {
        size_t size = strlen(text);
        auto_items items;
        int r = 0;

        strbuf_done(seen);
        items_init(&items, note, seen, "the answer");
        for (size_t at = 0; r == 0 && at < size; at += step)
                r = items_add(&items, text + at, size - at < step ? size - at : step, err);
        return r < 0 ? r : items_end(&items, err);
}

static const size_t steps[] = { 1, 2, 3, 7, 1000 };

static void members_come_whole_however_the_text_is_cut(void **state) {
        static const struct {
                const char *text, *want;
        } rows[] = {
                { "[]", "" },
                { " [ \r\n\t] \n", "" },
                { "", "" },
                { " \n", "" },
                { "null", "" },
                { " null\n", "" },
                { "[{\"a\":[1,2,{\"b\":\"]\"}]},{\"x\":1} , [true,null]]\n", "{\"a\":[1,2,{\"b\":\"]\"}]}\n{\"x\":1}\n[true,null]\n" },
                { "[[\"a\\\\\"],[\"\\\"]\"],[\"{,\"]]", "[\"a\\\\\"]\n[\"\\\"]\"]\n[\"{,\"]\n" },
                { "[[],[[]],{}]", "[]\n[[]]\n{}\n" },
                { "[[\"\xc3\xa9\"]]", "[\"\xc3\xa9\"]\n" },
        };
        auto_strbuf seen;

        strbuf_init(&seen, 65536);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                for (size_t k = 0; k < ARRAY_SIZE(steps); k++) {
                        struct err err = { 0 };

                        if (feed(rows[i].text, steps[k], &seen, &err) < 0)
                                fail_msg("%s in pieces of %zu: %s", rows[i].text, steps[k], err.msg);
                        assert_string_equal(seen.data ? seen.data : "", rows[i].want);
                }
}

static void what_is_no_list_is_refused(void **state) {
        static const struct {
                const char *text, *want;
        } rows[] = {
                { "[", "ends in the middle" },
                { "[{}", "ends in the middle" },
                { "[{},", "ends in the middle" },
                { "[{\"a\":\"]", "ends in the middle" },
                { "[,]", "not valid JSON" },
                { "[{},]", "not valid JSON" },
                { "[,{}]", "not valid JSON" },
                { "[{} {}]", "not valid JSON" },
                { "[{}}", "that nothing opened" },
                { "[{]]", "not valid JSON" },
                { "[{}] x", "behind its end" },
                { "[[]][[]]", "behind its end" },
                { "[{}],", "behind its end" },
                { "{\"message\":\"no\"}", "is not a list" },
                { "[12]", "not valid JSON" }, /* members are objects or lists */
                { "12", "not valid JSON" },
                { "<html>", "not valid JSON" },
                { "[{\"a\":1,\"a\":2}]", "duplicate" },
                { "[[\"\xff\"]]", "not valid JSON" },
                { "[[\"\\u0000\"]]", "not valid JSON" },
                { "]", "not valid JSON" },
        };
        auto_strbuf seen;

        strbuf_init(&seen, 65536);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                for (size_t k = 0; k < ARRAY_SIZE(steps); k++) {
                        struct err err = { 0 };

                        if (feed(rows[i].text, steps[k], &seen, &err) >= 0)
                                fail_msg("%s is taken", rows[i].text);
                        assert_int_equal(err.kind, ERR_INVALID);
                        if (!strstr(err.msg, rows[i].want))
                                fail_msg("%s: %s", rows[i].text, err.msg);
                }
}

static void what_came_before_a_fault_was_taken(void **state) {
        struct err err = { 0 };
        auto_strbuf seen;

        strbuf_init(&seen, 65536);
        assert_int_equal(feed("[{},[\"stop\"],{}]", 1, &seen, &err), -ECANCELED);
        assert_string_equal(seen.data, "{}\n");
        assert_string_equal(err.msg, "stopped");
}

static void depth_and_size_have_bounds(void **state) {
        auto_free char *piece = malloc(1 << 20);
        struct err err = { 0 };
        auto_strbuf seen;
        auto_items items;
        int r = 0;

        strbuf_init(&seen, 65536);
        memset(piece, '[', 1000);
        memset(piece + 1000, ']', 1000);
        piece[2000] = '\0';
        assert_int_equal(feed(piece, 100, &seen, &err), -EINVAL);
        assert_non_null(strstr(err.msg, "nested more than"));
        /* One text that never ends. */
        memset(piece, 'a', 1 << 20);
        items_init(&items, note, &seen, "the answer");
        r = items_add(&items, "[\"", 2, &err);
        for (int i = 0; i < 20 && r == 0; i++)
                r = items_add(&items, piece, 1 << 20, &err);
        assert_int_equal(r, -E2BIG);
        assert_int_equal(err.kind, ERR_TOO_LARGE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(members_come_whole_however_the_text_is_cut),
                cmocka_unit_test(what_is_no_list_is_refused),
                cmocka_unit_test(what_came_before_a_fault_was_taken),
                cmocka_unit_test(depth_and_size_have_bounds),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
