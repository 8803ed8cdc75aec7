/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/err.h"
#include "systemd/systemd.h"

static void files_of_a_cgroup(void **state) {
        static const struct {
                const char *file, *value, *first, *second; /* NULL: nothing */
                bool v1;
        } rows[] = {
                { "memory.max", "33554432", "MemoryMax=33554432", NULL },
                { "memory.max", "max", "MemoryMax=infinity", NULL },
                { "memory.max", "32M", NULL, NULL },
                { "pids.max", "20", "TasksMax=20", NULL },
                { "cpu.weight", "20", "CPUWeight=20", NULL },
                { "cpu.max", "20000 100000", "CPUQuotaPeriodUSec=100000", "CPUQuotaPerSecUSec=200000" },
                { "cpu.max", "max 50000", "CPUQuotaPeriodUSec=50000", "CPUQuotaPerSecUSec=infinity" },
                { "cpu.max", "15000", "CPUQuotaPerSecUSec=150000", NULL },
                { "cpu.max", "12345 100000", "CPUQuotaPeriodUSec=100000", "CPUQuotaPerSecUSec=130000" }, /* never less than asked for */
                { "cpu.max", "1 1000000", "CPUQuotaPeriodUSec=1000000", "CPUQuotaPerSecUSec=10000" },
                { "cpu.max", "max", "CPUQuotaPerSecUSec=infinity", NULL },
                { "cpu.max", "x", NULL, NULL },
                { "cpuset.cpus", "0-3,5", "AllowedCPUs=0-3,5", NULL },
                { "cpuset.mems", "0", "AllowedMemoryNodes=0", NULL },
                { "io.weight", "default 200", "IOWeight=200", NULL },
                { "io.weight", "8:0 200", NULL, NULL },
                { "io.bfq.weight", "50", "IOWeight=50", NULL },
                { "io.bfq.weight", "100", "IOWeight=100", NULL },
                { "io.bfq.weight", "500", "IOWeight=4500", NULL },
                { "io.bfq.weight", "1000", "IOWeight=10000", NULL },
                { "io.bfq.weight", "8:0 200", NULL, NULL },
                { "cpu.idle", "1", "CPUWeight=0", NULL },
                { "cpu.idle", "0", "CPUWeight=infinity", NULL },
                { "hugetlb.2MB.max", "0", NULL, NULL },
                { "memory.limit_in_bytes", "33554432", "MemoryLimit=33554432", NULL, true },
                { "memory.limit_in_bytes", "-1", "MemoryLimit=infinity", NULL, true },
                { "memory.max", "33554432", NULL, NULL, true },
                { "memory.limit_in_bytes", "33554432", NULL, NULL },
                { "pids.max", "max", "TasksMax=infinity", NULL, true },
                { "cpu.shares", "512", "CPUShares=512", NULL, true },
                { "cpu.cfs_quota_us", "20000", "CPUQuotaPerSecUSec=200000", NULL, true },
                { "cpu.cfs_quota_us", "-1", "CPUQuotaPerSecUSec=infinity", NULL, true },
                { "cpu.cfs_period_us", "50000", "CPUQuotaPeriodUSec=50000", NULL, true },
                { "blkio.bfq.weight", "50", "BlockIOWeight=50", NULL, true },
                { "blkio.bfq.weight", "150", "BlockIOWeight=650", NULL, true },
                { "blkio.bfq.weight", "500", "BlockIOWeight=1000", NULL, true },
                { "cpuset.cpus", "0", NULL, NULL, true },
                { "devices.allow", "c 1:3 rwm", "DevicePolicy=strict", "DeviceAllow=/dev/char/1:3 rwm", true },
                { "devices.allow", "b *:* m", "DevicePolicy=strict", "DeviceAllow=block-* m", true },
                { "devices.allow", "c 4095:* rw", NULL, NULL, true }, /* nobody has it */
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                auto_scope_settings s = { .n = 0 };

                assert_int_equal(scope_add_file(&s, !rows[i].v1, rows[i].file, rows[i].value, NULL), 0);
                assert_int_equal(s.n, rows[i].second ? 2 : rows[i].first ? 1 : 0);
                if (rows[i].first)
                        assert_string_equal(s.at[0], rows[i].first);
                if (rows[i].second)
                        assert_string_equal(s.at[1], rows[i].second);
        }
}

static void a_quota_of_v1_is_of_the_period_before_it(void **state) {
        auto_scope_settings s = { .n = 0 };

        assert_int_equal(scope_add_file(&s, false, "cpu.cfs_period_us", "50000", NULL), 0);
        assert_int_equal(scope_add_file(&s, false, "cpu.cfs_quota_us", "20000", NULL), 0);
        assert_int_equal(s.n, 2);
        assert_string_equal(s.at[1], "CPUQuotaPerSecUSec=400000");
}

static void devices_are_one_list(void **state) {
        auto_scope_settings s = { .n = 0 };

        assert_int_equal(scope_add_file(&s, false, "devices.allow", "c *:* m", NULL), 0);
        assert_int_equal(scope_add_file(&s, false, "devices.allow", "c 1:3 rwm", NULL), 0);
        assert_int_equal(scope_add_file(&s, false, "devices.allow", "c 136:* rw", NULL), 0);
        assert_int_equal(s.n, 2);
        assert_string_equal(s.at[0], "DevicePolicy=strict");
        assert_string_equal(s.at[1], "DeviceAllow=char-* m,/dev/char/1:3 rwm,char-pts rw");
}

static void annotations_of_the_list(void **state) {
        static const struct {
                const char *key, *value, *setting; /* NULL: nothing */
                int r;
        } rows[] = {
                { "org.systemd.property.TimeoutStopUSec", "uint64 5", "TimeoutStopUSec=5", 0 },
                { "org.systemd.property.TimeoutStopUSec", "5", "TimeoutStopUSec=5", 0 },
                { "org.systemd.property.TimeoutStopUSec", "uint64 x", NULL, -EINVAL },
                { "org.systemd.property.TimeoutStopUSec", "uint32 5", NULL, -EINVAL },
                { "org.systemd.property.TimeoutStopUSec", "'5'", NULL, -EINVAL },
                { "org.systemd.property.CollectMode", "'inactive'", "CollectMode=inactive", 0 },
                { "org.systemd.property.CollectMode", "inactive", NULL, -EINVAL },
                { "org.systemd.property.Description", "\"a box\"", "Description=a box", 0 },
                { "org.systemd.property.Description", "'a' 'b'", NULL, -EINVAL },
                { "org.systemd.property.Description", "'a\\n'", NULL, -EINVAL },
                { "org.systemd.property.Description", "'a", NULL, -EINVAL },
                { "org.systemd.property.DefaultDependencies", "true", "DefaultDependencies=true", 0 },
                { "org.systemd.property.DefaultDependencies", "1", NULL, -EINVAL },
                { "org.systemd.property.After", "['a.service']", "After=a.service", 0 },
                { "org.systemd.property.After", "['a.service', \"b.service\"]", "After=a.service b.service", 0 },
                { "org.systemd.property.After", "['a.service',]", NULL, -EINVAL },
                { "org.systemd.property.After", "['a.service'", NULL, -EINVAL },
                { "org.systemd.property.After", "['a service']", NULL, -EINVAL },
                { "org.systemd.property.After", "[]", NULL, -EINVAL },
                { "org.systemd.property.After", "", NULL, -EINVAL },
                /* What could run something, or lift a limit. */
                { "org.systemd.property.ExecStartPre", "'x'", NULL, -EPERM },
                { "org.systemd.property.MemoryMax", "uint64 5", NULL, -EPERM },
                { "org.systemd.property.Slice", "'a.slice'", NULL, -EPERM },
                { "org.systemd.property.BindsTo", "['a.service']", NULL, -EPERM },
                { "org.systemd.property.PIDs", "uint64 1", NULL, -EPERM },
                { "org.systemd.property.", "true", NULL, -EPERM },
                { "org.systemd.property.After=x", "true", NULL, -EPERM },
                { "other", "anything", NULL, 0 },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                auto_scope_settings s = { .n = 0 };

                assert_int_equal(scope_add_annotation(&s, rows[i].key, rows[i].value, NULL), rows[i].r);
                assert_int_equal(s.n, rows[i].setting ? 1 : 0);
                if (rows[i].setting)
                        assert_string_equal(s.at[0], rows[i].setting);
        }
}

static void not_without_end(void **state) {
        auto_scope_settings s = { .n = 0 };
        int r = 0;

        for (size_t i = 0; r == 0 && i <= SETTINGS_OF_SCOPE_MAX; i++)
                r = scope_add_file(&s, true, "pids.max", "1", NULL);
        assert_int_equal(r, -E2BIG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(files_of_a_cgroup),
                cmocka_unit_test(a_quota_of_v1_is_of_the_period_before_it),
                cmocka_unit_test(devices_are_one_list),
                cmocka_unit_test(annotations_of_the_list),
                cmocka_unit_test(not_without_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
