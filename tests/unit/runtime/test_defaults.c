/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "runtime/plan/plan.h"

static bool contains(const json_t *array, const char *s) {
        size_t i;
        json_t *v;

        json_array_foreach(array, i, v)
                if (strcmp(json_string_value(v), s) == 0)
                        return true;
        return false;
}

/* The action of a call that has no condition on its arguments; NULL: the default action. */
static const char *action_of(const json_t *profile, const char *call) {
        size_t i;
        json_t *rule;

        json_array_foreach(json_object_get(profile, "syscalls"), i, rule)
                if (contains(json_object_get(rule, "names"), call) && !json_object_get(rule, "args"))
                        return json_get_str(rule, "action", NULL);
        return NULL;
}

static size_t count_conditions(const json_t *profile, const char *call) {
        size_t i, n = 0;
        json_t *rule;

        json_array_foreach(json_object_get(profile, "syscalls"), i, rule)
                n += contains(json_object_get(rule, "names"), call) && json_object_get(rule, "args");
        return n;
}

static void test_capabilities(void **state) {
        auto_json *caps = plan_default_capabilities();

        assert_int_equal(json_array_size(caps), 14);
        assert_true(contains(caps, "CAP_CHOWN"));
        assert_false(contains(caps, "CAP_SYS_ADMIN"));
        assert_false(contains(caps, "CAP_NET_ADMIN"));
}

static void test_seccomp_by_default(void **state) {
        static const char *const refused[] = { "mount", "unshare", "setns", "bpf", "keyctl", "add_key", "io_uring_setup", "userfaultfd", "kexec_load",
                                               "reboot", "swapon", "init_module", "open_by_handle_at", "clock_settime", "perf_event_open", "pivot_root", "chroot" };
        static const char *const allowed[] = { "read", "openat", "execve", "futex", "ptrace", "clone3", "arch_prctl" };
        auto_json *caps = json_pack("[s,s]", "CAP_CHOWN", "CAP_KILL"), *p = plan_default_seccomp(caps);

        assert_string_equal(json_get_str(p, "defaultAction", ""), "SCMP_ACT_ERRNO");
        assert_int_equal(json_get_int(p, "defaultErrnoRet", 0), EPERM);
        for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
                if (action_of(p, refused[i]))
                        fail_msg("%s is not refused", refused[i]);
        for (size_t i = 0; i + 2 < ARRAY_SIZE(allowed); i++)
                assert_string_equal(action_of(p, allowed[i]), "SCMP_ACT_ALLOW");
        /* "not in this kernel", so that a C library falls back to clone(2), whose flags can be looked at */
        assert_string_equal(action_of(p, "clone3"), "SCMP_ACT_ERRNO");
        assert_null(action_of(p, "clone"));
        assert_int_equal(count_conditions(p, "clone"), 1);
        assert_int_equal(count_conditions(p, "personality"), 5);
        assert_int_equal(count_conditions(p, "socket"), 1);
}

static void test_seccomp_with_capabilities(void **state) {
        static const char *const rows[][2] = {
                { "CAP_SYS_ADMIN", "mount" },  { "CAP_SYS_ADMIN", "clone" }, { "CAP_SYS_ADMIN", "clone3" }, { "CAP_SYS_BOOT", "reboot" },
                { "CAP_SYS_CHROOT", "chroot" }, { "CAP_SYS_TIME", "clock_settime" }, { "CAP_DAC_READ_SEARCH", "open_by_handle_at" },
                { "CAP_BPF", "bpf" },          { "CAP_SYSLOG", "syslog" },   { "CAP_SYS_MODULE", "init_module" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                auto_json *caps = json_pack("[s]", rows[i][0]), *with = plan_default_seccomp(caps), *without = plan_default_seccomp(NULL);

                assert_string_equal(action_of(with, rows[i][1]), "SCMP_ACT_ALLOW");
                assert_true(!action_of(without, rows[i][1]) || strcmp(action_of(without, rows[i][1]), "SCMP_ACT_ALLOW") != 0);
        }
}

static void test_no_name_twice_in_a_rule(void **state) {
        auto_json *caps = plan_default_capabilities(), *p = plan_default_seccomp(caps);
        json_t *names = json_object_get(json_array_get(json_object_get(p, "syscalls"), 0), "names");
        auto_json *seen = json_object();
        size_t i;
        json_t *v;

        json_array_foreach(names, i, v) {
                assert_true(strlen(json_string_value(v)) > 1);
                if (json_object_get(seen, json_string_value(v)))
                        fail_msg("%s is there twice", json_string_value(v));
                json_object_set_new(seen, json_string_value(v), json_true());
        }
        assert_true(i > 300);
}

static void test_paths_and_mounts(void **state) {
        auto_json *masked = plan_default_masked_paths(), *readonly = plan_default_readonly_paths(), *mounts = plan_default_mounts(1 << 20);
        bool found = false;
        size_t i;
        json_t *m;

        assert_true(contains(masked, "/proc/kcore"));
        assert_true(contains(masked, "/sys/firmware"));
        assert_true(contains(readonly, "/proc/sys"));
        assert_int_equal(json_array_size(mounts), 7);
        json_array_foreach(mounts, i, m) {
                assert_non_null(json_get_str(m, "destination", NULL));
                assert_non_null(json_get_str(m, "type", NULL));
                if (strcmp(json_get_str(m, "destination", ""), "/dev/shm") == 0)
                        found = contains(json_object_get(m, "options"), "size=1048576");
                if (strcmp(json_get_str(m, "destination", ""), "/sys") == 0)
                        assert_true(contains(json_object_get(m, "options"), "ro"));
        }
        assert_true(found);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_capabilities),       cmocka_unit_test(test_seccomp_by_default), cmocka_unit_test(test_seccomp_with_capabilities),
                cmocka_unit_test(test_no_name_twice_in_a_rule), cmocka_unit_test(test_paths_and_mounts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
