/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/json.h"
#include "oci/limits.h"
#include "oci/oci.h"

static void test_sizes(void **state) {
        static const struct {
                const char *text;
                int64_t value; /* -2: refused */
        } rows[] = {
                { "0", 0 },      { "-1", -1 },       { "64", 64 },       { "64k", 65536 },  { "64K", 65536 }, { "64kb", 65536 }, { "64KiB", 65536 },
                { "64b", 64 },   { "1m", 1 << 20 },  { "1g", 1 << 30 },  { "1t", 1ll << 40 }, { "1p", 1ll << 50 }, { "", -2 },     { "k", -2 },
                { "-2", -2 },    { "-1k", -2 },      { "64x", -2 },      { "64mm", -2 },    { "64 m", -2 },   { "64mi", -2 },   { "0x10", -2 },
                { "8191p", 8191ll << 50 }, { "8192p", -2 }, { "9223372036854775807", INT64_MAX }, { "9223372036854775808", -2 },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                struct options o = { .limits.memory = rows[i].text };
                auto_json *resources = json_object();
                struct err err = { 0 };
                int r = limits_add(&o, resources, &err);

                if (rows[i].value == -2) {
                        if (r != -EINVAL)
                                fail_msg("\"%s\" was taken", rows[i].text);
                        assert_non_null(strstr(err.msg, "--memory"));
                        continue;
                }
                if (r < 0 || json_get_int(json_object_get(resources, "memory"), "limit", -3) != rows[i].value)
                        fail_msg("\"%s\": %d, %s", rows[i].text, r, err.msg);
        }
}

static void test_groups(void **state) {
        struct options o = { .limits = { .cpu_quota = "-1", .cpu_share = "77", .cpuset_cpus = "0-1", .pids_limit = "5" } };
        auto_json *resources = json_object();
        auto_free char *text = NULL;
        struct err err = { 0 };

        assert_int_equal(limits_add(&o, resources, &err), 0);
        text = json_text(resources);
        assert_string_equal(text, "{\"cpu\":{\"quota\":-1,\"shares\":77,\"cpus\":\"0-1\"},\"pids\":{\"limit\":5}}");
        o.limits.pids_limit = "5k"; /* a count has no unit */
        assert_int_equal(limits_add(&o, resources, &err), -EINVAL);
        o = (struct options) { .limits.cpuset_mems = "\xff" };
        assert_int_equal(limits_add(&o, resources, &err), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_groups),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
