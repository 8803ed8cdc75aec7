/* SPDX-License-Identifier: Apache-2.0 */

/* linux.seccomp: what a filter does to the calls of a program. */

#include "container.h"

static json_t *json(const char *text) {
        json_t *v = json_loads(text, 0, NULL);

        assert_non_null(v);
        return v;
}

static void actions_do_what_they_say(void **state) {
        static const struct {
                const char *action, *says;
                int status;
        } rows[] = {
                { "SCMP_ACT_ALLOW", "went on\n", 0 },
                { "SCMP_ACT_LOG", "went on\n", 0 },
                { "SCMP_ACT_ERRNO", "Operation not permitted\nwent on\n", 0 },
                { "SCMP_ACT_TRACE", "Function not implemented\nwent on\n", 0 }, /* nobody traces it */
                { "SCMP_ACT_TRAP", "", 128 + SIGSYS },
                { "SCMP_ACT_KILL", "", 128 + SIGSYS },
                { "SCMP_ACT_KILL_THREAD", "", 128 + SIGSYS },
                { "SCMP_ACT_KILL_PROCESS", "", 128 + SIGSYS },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                struct container c;

                /* The shell would say how its child ended: the call is made by PID 1 itself, but for what it lives on after. */
                container_init(&c, USERNS_BY_MAP, rows[i].status ? "exec mkdir /dev/shm/x" : "mkdir /dev/shm/x; echo went on");
                container_set(&c, "linux", "seccomp",
                              json_pack("{s:s, s:[{s:[s,s], s:s}]}", "defaultAction", strcmp(rows[i].action, "SCMP_ACT_ALLOW") == 0 ? "SCMP_ACT_LOG" : "SCMP_ACT_ALLOW",
                                        "syscalls", "names", "mkdir", "mkdirat", "action", rows[i].action));
                assert_int_equal(container_run(&c), rows[i].status);
                assert_true(says(&c, rows[i].says));
                container_done(&c);
        }
}

/* Each comparison with chmod(2)'s mode: what is true of it is refused with an error that chmod(2) does not know. */
static void arguments_are_compared(void **state) {
        static const struct {
                const char *compare;
                const char *refused[4], *allowed[4];
        } rows[] = {
                { "{\"index\":1,\"value\":511,\"op\":\"SCMP_CMP_EQ\"}", { "777" }, { "776", "700" } },
                { "{\"index\":1,\"value\":511,\"op\":\"SCMP_CMP_NE\"}", { "776", "700" }, { "777" } },
                { "{\"index\":1,\"value\":448,\"op\":\"SCMP_CMP_LT\"}", { "600" }, { "700", "701" } },
                { "{\"index\":1,\"value\":448,\"op\":\"SCMP_CMP_LE\"}", { "600", "700" }, { "701" } },
                { "{\"index\":1,\"value\":448,\"op\":\"SCMP_CMP_GE\"}", { "700", "701" }, { "600" } },
                { "{\"index\":1,\"value\":448,\"op\":\"SCMP_CMP_GT\"}", { "701" }, { "600", "700" } },
                { "{\"index\":1,\"value\":2048,\"valueTwo\":2048,\"op\":\"SCMP_CMP_MASKED_EQ\"}", { "4755", "6700" }, { "755" } },
                /* two of one argument are alternatives */
                { "{\"index\":1,\"value\":448,\"op\":\"SCMP_CMP_EQ\"},{\"index\":1,\"value\":384,\"op\":\"SCMP_CMP_EQ\"}", { "700", "600" }, { "777" } },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                struct container c;
                char script[512] = ">/dev/shm/x", profile[512], expected[256] = "";

                for (const char *const *m = rows[i].refused; *m; m++) {
                        snprintf(script + strlen(script), sizeof(script) - strlen(script), "; busybox chmod %s /dev/shm/x 2>/dev/null || echo refused", *m);
                        strcat(expected, "refused\n");
                }
                for (const char *const *m = rows[i].allowed; *m; m++) {
                        snprintf(script + strlen(script), sizeof(script) - strlen(script), "; busybox chmod %s /dev/shm/x && echo allowed", *m);
                        strcat(expected, "allowed\n");
                }
                snprintf(profile, sizeof(profile), "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"chmod\"],\"action\":\"SCMP_ACT_ERRNO\",\"args\":[%s]}]}",
                         rows[i].compare);
                container_init(&c, USERNS_BY_FD, script);
                container_set(&c, "linux", "seccomp", json(profile));
                assert_int_equal(container_run(&c), 0);
                if (strcmp(c.output, expected) != 0)
                        fail_msg("%s: %s", rows[i].compare, c.output);
                container_done(&c);
        }
}

/* Of what no rule speaks of; that of a rule is in filter_forbids_what_it_says. */
static void default_error_is_the_one_asked_for(void **state) {
        struct container c;
        json_t *profile;

        container_init(&c, USERNS_BY_FD, "busybox swapoff /etc/x");
        profile = json_object_get(in_config(&c, "linux"), "seccomp");
        json_object_set_new(profile, "defaultAction", json_string("SCMP_ACT_ERRNO"));
        json_object_set_new(profile, "defaultErrnoRet", json_integer(ENOTTY));
        assert_int_equal(container_run(&c), 1);
        assert_true(says(&c, "/etc/x: Inappropriate ioctl for device"));
        container_done(&c);
}

/* They change nothing that a program could see; the kernel takes them. */
static void flags_are_taken(void **state) {
        struct container c;

        container_init(&c, USERNS_BY_FD, "grep Seccomp: /proc/self/status");
        container_set(&c, "linux", "seccomp",
                      json("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\",\"SECCOMP_FILTER_FLAG_TSYNC\",\"SECCOMP_FILTER_FLAG_SPEC_ALLOW\"],"
                           "\"syscalls\":[{\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_LOG\"}]}"));
        assert_int_equal(container_run(&c), 0);
        assert_string_equal(c.output, "Seccomp:\t2\n");
        container_done(&c);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(actions_do_what_they_say),
                cmocka_unit_test(arguments_are_compared),
                cmocka_unit_test(default_error_is_the_one_asked_for),
                cmocka_unit_test(flags_are_taken),
        };

        if (geteuid() != 0 || (access("/bin/busybox", X_OK) != 0 && access("/usr/bin/busybox", X_OK) != 0)) {
                print_message("1..0 # SKIP needs root and busybox-static\n");
                return 0;
        }
        return cmocka_run_group_tests(tests, NULL, remove_what_is_left);
}
