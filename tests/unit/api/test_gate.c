/* SPDX-License-Identifier: Apache-2.0 */

/* A start waits for the attaches that were begun before it, and for no later ones. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/gate.h"

static struct gate gate;
static atomic_int passed;

static void *pass(void *arg) {
        gate_wait(&gate, 5000);
        passed = 1;
        return NULL;
}

static void waits_for_older_tickets_only(void **state) {
        struct gate_ticket older[3], later;
        pthread_t thread;

        gate_init(&gate);
        passed = 0;
        for (int i = 0; i < 3; i++)
                gate_enter(&gate, &older[i]);
        pthread_create(&thread, NULL, pass, NULL);
        usleep(50000);
        gate_enter(&gate, &later);
        gate_leave(&gate, &older[1]);
        gate_leave(&gate, &older[1]);
        gate_leave(&gate, &older[0]);
        usleep(50000);
        assert_int_equal(passed, 0);
        gate_leave(&gate, &older[2]);
        pthread_join(thread, NULL);
        assert_int_equal(passed, 1);
        gate_leave(&gate, &later);
        assert_null(gate.oldest);
        assert_null(gate.newest);
        gate_done(&gate);
}

static void gives_up_in_time(void **state) {
        struct gate_ticket stuck;
        time_t before = time(NULL);

        gate_init(&gate);
        gate_enter(&gate, &stuck);
        gate_wait(&gate, 100);
        assert_in_range(time(NULL) - before, 0, 3);
        gate_leave(&gate, &stuck);
        gate_wait(&gate, 100000);
        gate_done(&gate);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(waits_for_older_tickets_only),
                cmocka_unit_test(gives_up_in_time),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
