/* SPDX-License-Identifier: Apache-2.0 */
/* States, signals, detach keys, words for times, filters. */
#include "test.h"

#include <signal.h>

#include "engine/attach.h"
#include "engine/container.h"
#include "engine/describe.h"
#include "engine/filters.h"
#include "engine/internal.h"

static void only_the_moves_of_the_table(void **state) {
        static const struct {
                enum container_state from, to;
                bool may;
        } rows[] = {
                { CONTAINER_CREATED, CONTAINER_STARTING, true },   { CONTAINER_CREATED, CONTAINER_RUNNING, false }, { CONTAINER_STARTING, CONTAINER_RUNNING, true },
                { CONTAINER_STARTING, CONTAINER_CREATED, true },   { CONTAINER_RUNNING, CONTAINER_EXITED, true },   { CONTAINER_RUNNING, CONTAINER_REMOVING, false },
                { CONTAINER_RUNNING, CONTAINER_STARTING, false },  { CONTAINER_PAUSED, CONTAINER_RUNNING, true },   { CONTAINER_EXITED, CONTAINER_RUNNING, false },
                { CONTAINER_EXITED, CONTAINER_STARTING, true },    { CONTAINER_EXITED, CONTAINER_REMOVING, true },  { CONTAINER_REMOVING, CONTAINER_DEAD, true },
                { CONTAINER_REMOVING, CONTAINER_STARTING, false }, { CONTAINER_DEAD, CONTAINER_REMOVING, true },    { CONTAINER_RUNNING, CONTAINER_RUNNING, true },
                { CONTAINER_RESTARTING, CONTAINER_STARTING, true }, { CONTAINER_STARTING, CONTAINER_RESTARTING, true },
        };

        (void) state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (container_may_move(rows[i].from, rows[i].to) != rows[i].may)
                        fail_msg("%s to %s", container_state_name(rows[i].from), container_state_name(rows[i].to));
        assert_false(container_may_move((enum container_state) 99, CONTAINER_CREATED));
        assert_string_equal(container_state_name(CONTAINER_STARTING), "created");
}

static void signals_by_name_and_number(void **state) {
        static const struct {
                const char *text;
                int signal; /* 0: refused */
        } rows[] = {
                { "KILL", SIGKILL }, { "SIGTERM", SIGTERM }, { "sigint", SIGINT }, { "9", 9 }, { "0", 0 }, { "65", 0 }, { "-1", 0 }, { "", 0 }, { "NOPE", 0 },
                { "RTMIN+3", 37 }, { "SIGRTMIN", 34 }, { "RTMAX-1", 63 }, { "RTMIN+99", 0 },
        };

        (void) state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                int signal = 0, r = engine_signal_parse(rows[i].text, &signal, NULL);

                if ((r == 0) != (rows[i].signal != 0) || signal != rows[i].signal)
                        fail_msg("\"%s\": %d", rows[i].text, signal);
        }
}

static void detach_keys(void **state) {
        struct monitor_attach m;

        (void) state;
        assert_int_equal(attach_parse_detach_keys(NULL, &m, NULL), 0);
        assert_int_equal(m.n_detach_keys, 2);
        assert_int_equal(m.detach_keys[0], 16);
        assert_int_equal(m.detach_keys[1], 17);
        assert_int_equal(attach_parse_detach_keys("a,ctrl-[", &m, NULL), 0);
        assert_int_equal(m.detach_keys[0], 'a');
        assert_int_equal(m.detach_keys[1], 27);
        assert_int_equal(attach_parse_detach_keys("ctrl-", &m, NULL), -EINVAL);
        assert_int_equal(attach_parse_detach_keys("word", &m, NULL), -EINVAL);
        assert_int_equal(attach_parse_detach_keys("a,b,c,d,e,f,g,h,i", &m, NULL), -EINVAL);
}

static void names(void **state) {
        (void) state;
        assert_true(engine_name_is_valid("web-1.a_B"));
        assert_false(engine_name_is_valid("a"));
        assert_false(engine_name_is_valid("-ab"));
        assert_false(engine_name_is_valid("a/b"));
        assert_false(engine_name_is_valid("a b"));
        assert_false(engine_name_is_valid(""));
}

static void lengths_of_time(void **state) {
        static const struct {
                int64_t seconds;
                const char *words;
        } rows[] = {
                { 0, "Less than a second" }, { 1, "1 second" }, { 59, "59 seconds" }, { 60, "About a minute" }, { 150, "2 minutes" }, { 3600, "About an hour" },
                { 7200, "2 hours" }, { 3 * 86400, "3 days" }, { 21 * 86400, "3 weeks" }, { 90 * 86400, "3 months" }, { 3 * 365 * 86400, "3 years" }, { -5, "Less than a second" },
        };
        char text[64];

        (void) state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                describe_duration(rows[i].seconds * 1000000000ll, text, sizeof(text));
                assert_string_equal(text, rows[i].words);
        }
}

static void filters_old_and_new(void **state) {
        static const char *const known[] = { "name", "label", "label!", NULL };
        auto_json *f = js("{'name':['we.','x'],'label':['a','b=2']}"), *old = js("{'name':{'web':true,'no':false}}"), *odd = js("{'nmae':['x']}"), *bad = js("{'name':'x'}");
        auto_json *labels = js("{'a':'1','b':'2'}"), *fewer = js("{'a':'1','b':'3'}"), *not = js("{'label!':['a']}");

        (void) state;
        assert_int_equal(filters_check(f, known, NULL), 0);
        assert_int_equal(filters_check(old, known, NULL), 0);
        assert_int_equal(filters_check(NULL, known, NULL), 0);
        assert_int_equal(filters_check(odd, known, NULL), -EINVAL);
        assert_int_equal(filters_check(bad, known, NULL), -EINVAL);
        assert_true(filter_pattern(f, "name", "my-web"));
        assert_false(filter_pattern(f, "name", "db"));
        assert_true(filter_text(f, "other", "anything"));
        assert_true(filter_text(old, "name", "web"));
        assert_false(filter_text(old, "name", "no"));
        assert_true(filter_labels(f, "label", labels));
        assert_false(filter_labels(f, "label", fewer));
        assert_false(filter_labels(f, "label", NULL));
        assert_false(filter_labels(not, "label", labels));
        assert_true(filter_labels(not, "label", NULL));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(only_the_moves_of_the_table), cmocka_unit_test(signals_by_name_and_number), cmocka_unit_test(detach_keys), cmocka_unit_test(names),
                cmocka_unit_test(lengths_of_time),             cmocka_unit_test(filters_old_and_new),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
