/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/line-queue.h"

static bool push(struct line_queue *q, const char *a, const char *b, size_t sent) {
        const struct iovec parts[] = { { (void *) a, strlen(a) }, { (void *) b, strlen(b) } };

        return line_queue_push(q, parts, 2, sent);
}

static void assert_first(const struct line_queue *q, const char *text) {
        struct iovec parts[2];
        char got[256] = "";
        size_t n = line_queue_first(q, parts), at = 0;

        for (size_t i = 0; i < n; i++) {
                memcpy(got + at, parts[i].iov_base, parts[i].iov_len);
                at += parts[i].iov_len;
        }
        got[at] = '\0';
        assert_string_equal(got, text);
}

static void test_in_order(void **state) {
        struct line_queue q = { 0 };

        (void) state;
        assert_false(push(&q, "a", "b", 0)); /* none was opened */
        assert_int_equal(line_queue_open(&q, 1), 0);
        assert_true(line_queue_is_empty(&q));
        assert_first(&q, "");
        assert_true(push(&q, "one ", "line", 3));
        assert_true(push(&q, "two", "", 0));
        assert_first(&q, " line");
        line_queue_rewind(&q);
        assert_first(&q, "one line");
        line_queue_advance(&q, 4);
        assert_first(&q, "line");
        line_queue_advance(&q, 4);
        assert_first(&q, "two");
        line_queue_pop(&q);
        assert_true(line_queue_is_empty(&q));
        line_queue_close(&q);
        assert_false(push(&q, "a", "b", 0));
}

/* Lines of all lengths go round the end of the ring many times; what does not fit is not taken, and harms nothing. */
static void test_round_and_round(void **state) {
        struct line_queue q = { 0 };
        unsigned pushed = 0, popped = 0, refused = 0;
        char line[256], filler[200];

        (void) state;
        memset(filler, 'x', sizeof(filler));
        assert_int_equal(line_queue_open(&q, 0), 0);
        for (unsigned round = 0; round < 20000; round++) {
                snprintf(line, sizeof(line), "%u:%.*s", pushed, (int) (pushed * 7 % 199), filler);
                if (push(&q, line, "\n", 0))
                        pushed++;
                else
                        refused++;
                if (round % 3 == 0 || refused % 5 == 4) {
                        snprintf(line, sizeof(line), "%u:%.*s\n", popped, (int) (popped * 7 % 199), filler);
                        assert_first(&q, line);
                        line_queue_advance(&q, 2);
                        assert_first(&q, line + 2);
                        line_queue_advance(&q, strlen(line) - 2);
                        popped++;
                }
                assert_true(q.used <= q.room);
        }
        assert_true(refused > 1000 && popped > 1000);
        line_queue_close(&q);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_in_order),
                cmocka_unit_test(test_round_and_round),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
