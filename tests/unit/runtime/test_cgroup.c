/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/path.h"
#include "runtime/cgroup/private.h"

/* --- without touching the host --- */

static const char hybrid[] =
        "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
        "33 31 0:30 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n"
        "34 31 0:31 / /mnt/a\\040b rw,relatime shared:1 master:2 - cgroup cgroup rw,memory\n"
        "35 31 0:31 / /somewhere/else rw,relatime - cgroup cgroup rw,memory\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
        "garbage\n"
        "1 2 - cgroup\n";

static void test_mountinfo(void **state) {
        struct mount_seen seen[8];
        char text[sizeof(hybrid)];

        memcpy(text, hybrid, sizeof(hybrid));
        assert_int_equal(mountinfo_find_cgroups(text, seen, 8), 4);
        assert_string_equal(seen[0].mount_point, "/sys/fs/cgroup/cpu,cpuacct");
        assert_int_equal(seen[0].controllers, BIT(CONTROLLER_CPU) | BIT(CONTROLLER_CPUACCT));
        assert_int_equal(seen[1].controllers, 0);
        assert_true(seen[1].systemd);
        assert_false(seen[0].systemd || seen[2].systemd || seen[3].systemd);
        assert_string_equal(seen[2].mount_point, "/mnt/a b");
        assert_int_equal(seen[2].controllers, BIT(CONTROLLER_MEMORY));
        assert_true(seen[3].v2);
}

static void test_path_grammar(void **state) {
        static const char *const good[] = { "a", "kist/0123", "a.b/..c", "x/y/z" };
        static const char *const bad[] = { "", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a\nb" };
        struct err err = { 0 };

        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                assert_int_equal(cgroup_path_check(good[i], &err), 0);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                assert_true(cgroup_path_check(bad[i], &err) < 0);
                assert_int_equal(err.kind, ERR_INVALID);
        }
}

static struct cgroup_host v1_host = {
        .v1 = { { -1, BIT(CONTROLLER_CPU) | BIT(CONTROLLER_CPUSET) | BIT(CONTROLLER_MEMORY) | BIT(CONTROLLER_PIDS) | BIT(CONTROLLER_IO) } },
        .n_v1 = 1,
        .v2 = { -1, 0 },
};
static struct cgroup_host v2_host = {
        .v2 = { 0, BIT(CONTROLLER_CPU) | BIT(CONTROLLER_CPUSET) | BIT(CONTROLLER_MEMORY) | BIT(CONTROLLER_PIDS) | BIT(CONTROLLER_IO) },
};

static const struct row {
        const char *spec;
        const char *v1, *v2; /* "file=value …", or "!part of the message" */
} rows[] = {
        { "{}", "", "" },
        { "{\"memory\":{}, \"cpu\":{}, \"blockIO\":{\"weight\":0}, \"network\":{}, \"pids\":null}", "", "" },
        { "{\"memory\":{\"limit\":67108864}}", "memory.limit_in_bytes=67108864;", "memory.max=67108864;" },
        { "{\"memory\":{\"limit\":100,\"swap\":250}}", "memory.limit_in_bytes=100;memory.memsw.limit_in_bytes=250;", "memory.max=100;memory.swap.max=150;" },
        { "{\"memory\":{\"limit\":100,\"swap\":-1}}", "memory.limit_in_bytes=100;memory.memsw.limit_in_bytes=-1;", "memory.max=100;memory.swap.max=max;" },
        { "{\"memory\":{\"limit\":-1}}", "memory.limit_in_bytes=-1;", "memory.max=max;" },
        { "{\"memory\":{\"swappiness\":0}}", "memory.swappiness=0;", "!does not exist with cgroup v2" },
        { "{\"memory\":{\"disableOOMKiller\":false}}", "", "" },
        { "{\"memory\":{\"disableOOMKiller\":true}}", "memory.oom_control=1;", "!does not exist with cgroup v2" },
        { "{\"memory\":{\"limit\":\"64m\"}}", "!memory.limit is not a whole number", "!memory.limit is not a whole number" },
        { "{\"memory\":{\"kernel\":1}}", "!memory.kernel is not supported", "!memory.kernel is not supported" },
        { "{\"memory\":{\"kernel\":-1,\"useHierarchy\":true,\"checkBeforeUpdate\":true}}", "", "" },
        { "{\"memory\":{\"kernel\":\"1\"}}", "!memory.kernel is not a whole number", "!memory.kernel is not a whole number" },
        { "{\"memory\":{\"useHierarchy\":false}}", "!memory.useHierarchy", "!memory.useHierarchy" },
        { "{\"memory\":{\"useHierarchy\":1}}", "!memory.useHierarchy is not true or false", "!memory.useHierarchy is not true or false" },
        { "{\"memory\":{\"checkBeforeUpdate\":1}}", "!memory.checkBeforeUpdate is not", "!memory.checkBeforeUpdate is not" },
        { "{\"memory\":{\"kernelTCP\":4096}}", "memory.kmem.tcp.limit_in_bytes=4096;", "!memory.kernelTCP does not exist with cgroup v2" },
        { "{\"memory\":{\"reservation\":4096}}", "memory.soft_limit_in_bytes=4096;", "memory.low=4096;" },
        { "{\"memory\":{\"reservation\":-2}}", "!memory.reservation: -2", "!memory.reservation: -2" },
        { "{\"memory\":{\"kernelTCP\":-2}}", "!memory.kernelTCP: -2", "!memory.kernelTCP: -2" },
        { "{\"memory\":{\"swappiness\":101}}", "!memory.swappiness: 101", "!memory.swappiness: 101" },
        { "{\"memory\":{\"disableOOMKiller\":1}}", "!memory.disableOOMKiller is not true or false", "!memory.disableOOMKiller is not true or false" },
        { "{\"memory\":{\"swap\":100}}", "memory.memsw.limit_in_bytes=100;", "!memory.swap: needs memory.limit" },
        { "{\"memory\":7}", "!linux.resources.memory is not an object", "!linux.resources.memory is not an object" },
        { "{\"cpu\":{\"shares\":1024}}", "cpu.shares=1024;", "cpu.weight=39;" },
        { "{\"cpu\":{\"shares\":2}}", "cpu.shares=2;", "cpu.weight=1;" },
        { "{\"cpu\":{\"shares\":262144}}", "cpu.shares=262144;", "cpu.weight=10000;" },
        { "{\"cpu\":{\"quota\":50000,\"period\":100000}}", "cpu.cfs_period_us=100000;cpu.cfs_quota_us=50000;", "cpu.max=50000 100000;" },
        { "{\"cpu\":{\"quota\":-1}}", "cpu.cfs_quota_us=-1;", "cpu.max=max;" },
        { "{\"cpu\":{\"period\":50000}}", "cpu.cfs_period_us=50000;", "cpu.max=max 50000;" },
        { "{\"cpu\":{\"shares\":512,\"idle\":1}}", "cpu.idle=1;", "cpu.idle=1;" },
        { "{\"cpu\":{\"shares\":512,\"idle\":0}}", "cpu.idle=0;cpu.shares=512;", "cpu.idle=0;cpu.weight=20;" },
        { "{\"cpu\":{\"idle\":2}}", "!cpu.idle: 2", "!cpu.idle: 2" },
        { "{\"cpu\":{\"quota\":50000,\"burst\":20000}}", "cpu.cfs_quota_us=50000;cpu.cfs_burst_us=20000;", "cpu.max=50000;cpu.max.burst=20000;" },
        { "{\"cpu\":{\"burst\":-1}}", "!cpu.burst: -1", "!cpu.burst: -1" },
        { "{\"cpu\":{\"realtimePeriod\":500000}}", "cpu.rt_period_us=500000;", "!cpu.realtimePeriod does not exist with cgroup v2" },
        { "{\"cpu\":{\"realtimeRuntime\":1000}}", "cpu.rt_runtime_us=1000;", "!cpu.realtimeRuntime does not exist with cgroup v2" },
        { "{\"cpu\":{\"realtimePeriod\":\"1s\"}}", "!cpu.realtimePeriod is not", "!cpu.realtimePeriod is not" },
        { "{\"cpu\":{\"realtimeRuntime\":-2}}", "!cpu.realtimeRuntime: -2", "!cpu.realtimeRuntime: -2" },
        { "{\"cpu\":{\"mems\":0}}", "!cpu.mems: not a list", "!cpu.mems: not a list" },
        { "{\"cpu\":{\"cpus\":\"0-1\",\"mems\":\"0\"}}", "cpuset.cpus=0-1;cpuset.mems=0;", "cpuset.cpus=0-1;cpuset.mems=0;" },
        { "{\"cpu\":{\"cpus\":\"0;1\"}}", "!cpu.cpus: not a list", "!cpu.cpus: not a list" },
        { "{\"pids\":{\"limit\":7}}", "pids.max=7;", "pids.max=7;" },
        { "{\"pids\":{\"limit\":-1}}", "pids.max=max;", "pids.max=max;" },
        { "{\"pids\":{\"limit\":0}}", "pids.max=max;", "pids.max=max;" },
        { "{\"blockIO\":{\"weight\":500}}", "blkio.bfq.weight=500;", "io.bfq.weight=500;" },
        { "{\"blockIO\":{\"leafWeight\":500}}", "!blockIO.leafWeight is not supported", "!blockIO.leafWeight is not supported" },
        { "{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":300}]}}", "blkio.bfq.weight_device=8:0 300;", "io.bfq.weight=8:0 300;" },
        { "{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":3}]}}", "!blockIO.weightDevice[0]", "!blockIO.weightDevice[0]" },
        { "{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":300,\"leafWeight\":300}]}}", "!blockIO.weightDevice[0].leafWeight",
          "!blockIO.weightDevice[0].leafWeight" },
        { "{\"blockIO\":{\"weightDevice\":7}}", "!blockIO.weightDevice is not an array", "!blockIO.weightDevice is not an array" },
        { "{\"blockIO\":{\"throttleWriteBpsDevice\":{}}}", "!blockIO.throttleWriteBpsDevice is not an array", "!throttleWriteBpsDevice is not an array" },
        { "{\"blockIO\":{\"throttleReadIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":-1}]}}", "!throttleReadIOPSDevice[0]: wants a rate",
          "!throttleReadIOPSDevice[0]: wants a rate" },
        { "{\"blockIO\":{\"throttleReadIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":7}],\"throttleWriteBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":9}]}}",
          "blkio.throttle.write_bps_device=8:0 9;blkio.throttle.read_iops_device=8:0 7;", "io.max=8:0 wbps=9;io.max=8:0 riops=7;" },
        { "{\"blockIO\":{\"weight\":5}}", "!blockIO.weight", "!blockIO.weight" },
        { "{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":1048576}]}}",
          "blkio.throttle.read_bps_device=8:0 1048576;", "io.max=8:0 rbps=1048576;" },
        { "{\"blockIO\":{\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":0}]}}",
          "blkio.throttle.write_iops_device=8:0 0;", "io.max=8:0 wiops=max;" },
        { "{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":-1,\"minor\":0,\"rate\":1}]}}", "!throttleReadBpsDevice[0]", "!throttleReadBpsDevice[0]" },
        { "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":1}]}", "!no hugetlb", "!no hugetlb" },
        { "{\"hugepageLimits\":{}}", "!hugepageLimits is not an array", "!hugepageLimits is not an array" },
        { "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":-1}]}", "!hugepageLimits[0]: the limit", "!hugepageLimits[0]: the limit" },
        { "{\"hugepageLimits\":[{\"pageSize\":\"../2MB\",\"limit\":1}]}", "!hugepageLimits[0]: wants", "!hugepageLimits[0]: wants" },
        { "{\"unified\":{\"memory.high\":\"99\"}}", "!unified.memory.high", "memory.high=99;" },
        { "{\"unified\":{\"memory./../x\":\"99\"}}", "!unified.memory./../x", "!unified.memory./../x" },
        { "{\"unified\":{\"cgroup.procs\":\"1\"}}", "!unified.cgroup.procs", "!unified.cgroup.procs" },
        { "{\"unified\":{\"cgroup.max.depth\":\"3\"}}", "!there is no cgroup v2 here", "cgroup.max.depth=3;" },
        { "{\"unified\":{\"memory.high\":99}}", "!unified.memory.high: not a short text", "!unified.memory.high: not a short text" },
        { "{\"network\":{\"classID\":3}}", "!network.classID: this host has no net_cls", "!network.classID: this host has no net_cls" },
        { "{\"network\":{\"classID\":4294967296}}", "!network.classID: not a number of 32 bits", "!network.classID: not a number of 32 bits" },
        { "{\"network\":{\"priorities\":[{\"name\":\"lo\",\"priority\":3}]}}", "!network.priorities[0]: this host has no net_prio",
          "!network.priorities[0]: this host has no net_prio" },
        { "{\"network\":{\"priorities\":[{\"name\":\"lo 9\",\"priority\":3}]}}", "!network.priorities[0]: wants", "!network.priorities[0]: wants" },
        { "{\"network\":{\"priorities\":[{\"name\":\"lo\"}]}}", "!network.priorities[0]: wants", "!network.priorities[0]: wants" },
        { "{\"network\":{\"priorities\":5}}", "!network.priorities is not an array", "!network.priorities is not an array" },
        { "{\"rdma\":{\"mlx\":{\"hcaHandles\":3}}}", "!rdma.mlx: this host has no rdma", "!rdma.mlx: this host has no rdma" },
        { "{\"rdma\":{\"mlx\":{}}}", "!rdma.mlx: wants hcaHandles", "!rdma.mlx: wants hcaHandles" },
        { "{\"rdma\":{\"m x\":{\"hcaHandles\":3}}}", "!rdma.m x: not the name", "!rdma.m x: not the name" },
        { "{\"rdma\":{\"mlx\":{\"hcaObjects\":-1}}}", "!rdma.mlx.hcaObjects: not a number", "!rdma.mlx.hcaObjects: not a number" },
        { "{\"rdma\":{\"mlx\":3}}", "!rdma.mlx is not an object", "!rdma.mlx is not an object" },
        { "{\"devices\":7}", "!devices is not an array", "!devices is not an array" },
        { "{\"devices\":[7]}", "!devices[0] is not an object", "!devices[0] is not an object" },
        { "{\"devices\":[{\"allow\":true,\"type\":\"z\"}]}", "!devices[0].type", "!devices[0].type" },
        { "{\"devices\":[{\"allow\":true,\"access\":\"x\"}]}", "!devices[0].access", "!devices[0].access" },
        { "{\"devices\":[{\"allow\":true,\"major\":\"1\"}]}", "!devices[0]: major", "!devices[0]: major" },
        { "[]", "!linux.resources is not an object", "!linux.resources is not an object" },
};

static void check_row(const struct cgroup_host *h, const char *spec, const char *expected) {
        json_t *json = json_loads(spec, 0, NULL);
        struct resources r = { 0 };
        struct err err = { 0 };
        char got[512] = "";
        int e;

        assert_non_null(json);
        e = resources_parse(h, json, &r, &err);
        if (*expected == '!') {
                assert_true(e < 0);
                if (!strstr(err.msg, expected + 1))
                        fail_msg("%s: \"%s\" does not say \"%s\"", spec, err.msg, expected + 1);
        } else {
                if (e < 0)
                        fail_msg("%s: %s", spec, err.msg);
                for (size_t i = 0; i < r.n_settings; i++)
                        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s=%s;", r.settings[i].file, r.settings[i].value);
                assert_string_equal(got, expected);
                resources_done(&r);
        }
        json_decref(json);
}

static void test_resources(void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                check_row(&v1_host, rows[i].spec, rows[i].v1);
                check_row(&v2_host, rows[i].spec, rows[i].v2);
        }
}

/* Hosts with the controllers that few have. */
static const struct row rare_rows[] = {
        { "{\"network\":{\"classID\":1048577}}", "net_cls.classid=1048577;", "!network.classID: this host has no net_cls" },
        { "{\"network\":{\"priorities\":[{\"name\":\"lo\",\"priority\":5},{\"name\":\"eth0\",\"priority\":0}]}}",
          "net_prio.ifpriomap=lo 5;net_prio.ifpriomap=eth0 0;", "!network.priorities[0]: this host has no net_prio" },
        { "{\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3,\"hcaObjects\":10000},\"rxe0\":{\"hcaObjects\":4294967295}}}",
          "rdma.max=mlx5_1 hca_handle=3 hca_object=10000;rdma.max=rxe0 hca_object=max;",
          "rdma.max=mlx5_1 hca_handle=3 hca_object=10000;rdma.max=rxe0 hca_object=max;" },
        { "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}]}", "hugetlb.2MB.limit_in_bytes=4194304;hugetlb.2MB.rsvd.limit_in_bytes=4194304;",
          "hugetlb.2MB.max=4194304;hugetlb.2MB.rsvd.max=4194304;" },
        { "{\"unified\":{\"misc.max\":\"res 1\"}}", "!there is no cgroup v2", "misc.max=res 1;" },
};

static void test_rare_controllers(void **state) {
        struct cgroup_host v1 = v1_host, v2 = v2_host;

        v1.rare[v1.n_rare++] = (struct hierarchy) { -1, BIT(CONTROLLER_NET_CLS) | BIT(CONTROLLER_NET_PRIO) };
        v1.rare[v1.n_rare++] = (struct hierarchy) { -1, BIT(CONTROLLER_RDMA) };
        v1.rare[v1.n_rare++] = (struct hierarchy) { -1, BIT(CONTROLLER_HUGETLB) };
        v2.v2.controllers |= BIT(CONTROLLER_RDMA) | BIT(CONTROLLER_HUGETLB) | BIT(CONTROLLER_MISC);
        for (size_t i = 0; i < ARRAY_SIZE(rare_rows); i++) {
                check_row(&v1, rare_rows[i].spec, rare_rows[i].v1);
                check_row(&v2, rare_rows[i].spec, rare_rows[i].v2);
        }
}

/* --- on a directory tree that stands in for a hierarchy: what no machine of ours has --- */

struct stand_in {
        char dir[64];
        int fd;
};

static int make_stand_in(void **state) {
        static struct stand_in s;

        strcpy(s.dir, "/tmp/kist-unit-cgroup-XXXXXX");
        if (!mkdtemp(s.dir))
                return -1;
        s.fd = open(s.dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        *state = &s;
        return mkdirat(s.fd, "box", 0755);
}

static int remove_stand_in(void **state) {
        struct stand_in *s = *state;

        close(s->fd);
        return path_remove_tree_at(AT_FDCWD, s->dir);
}

static void has_file(const struct stand_in *s, const char *name) {
        char path[128];
        int fd;

        snprintf(path, sizeof(path), "box/%s", name);
        fd = openat(s->fd, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        assert_true(fd >= 0);
        close(fd);
}

static void says(const struct stand_in *s, const char *name, const char *expected) {
        char text[256];

        assert_int_equal(cgroup_file_read(s->fd, "box", name, text, sizeof(text)), 0);
        assert_string_equal(text, expected);
}

static int apply_text(const struct cgroup_host *h, const char *spec, bool fresh, struct err *err) {
        json_t *json = json_loads(spec, 0, NULL);
        struct resources r = { 0 };
        int e;

        assert_non_null(json);
        e = resources_parse(h, json, &r, err);
        if (e == 0) {
                r.devices_allowed = true;
                r.has_devices = false;
                e = resources_apply(h, "box", &r, fresh, err);
        }
        resources_done(&r);
        json_decref(json);
        return e;
}

static void test_files_of_rare_controllers(void **state) {
        const struct stand_in *s = *state;
        struct cgroup_host v1 = { .rare = { { s->fd, BIT(CONTROLLER_RDMA) } }, .n_rare = 1, .v2 = { -1, 0 } };
        struct cgroup_host v2 = { .v2 = { s->fd, BIT(CONTROLLER_RDMA) | BIT(CONTROLLER_IO) | BIT(CONTROLLER_HUGETLB) } };
        struct err err = { 0 };

        /* A container that was made without it has not entered that hierarchy. */
        assert_true(apply_text(&v1, "{\"rdma\":{\"mlx\":{\"hcaHandles\":3}}}", false, &err) < 0);
        assert_non_null(strstr(err.msg, "linux.resources.rdma.mlx: must be given when the container is made"));
        has_file(s, "rdma.max");
        assert_int_equal(apply_text(&v1, "{\"rdma\":{\"mlx\":{\"hcaHandles\":3}}}", false, &err), 0);
        says(s, "rdma.max", "mlx hca_handle=3");
        has_file(s, "rdma.max");
        assert_int_equal(apply_text(&v2, "{\"rdma\":{\"mlx\":{\"hcaObjects\":7}}}", false, &err), 0);
        says(s, "rdma.max", "mlx hca_object=7");
        /* Reserved pages are counted by newer kernels only. */
        has_file(s, "hugetlb.2MB.max");
        assert_int_equal(apply_text(&v2, "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}]}", false, &err), 0);
        says(s, "hugetlb.2MB.max", "4194304");
        has_file(s, "hugetlb.2MB.rsvd.max");
        assert_int_equal(apply_text(&v2, "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":2097152}]}", false, &err), 0);
        says(s, "hugetlb.2MB.rsvd.max", "2097152");
        assert_true(apply_text(&v2, "{\"hugepageLimits\":[{\"pageSize\":\"3MB\",\"limit\":1}]}", false, &err) < 0);
        assert_non_null(strstr(err.msg, "linux.resources.hugepageLimits[0]: this kernel has no hugetlb.3MB.max"));
}

/* bfq's weight where there is bfq, else iocost's, else neither. */
static void test_weight_of_who_is_there(void **state) {
        const struct stand_in *s = *state;
        struct cgroup_host v2 = { .v2 = { s->fd, BIT(CONTROLLER_IO) } };
        const char *both = "{\"blockIO\":{\"weight\":505}}", *device = "{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":1000}]}}";
        struct err err = { 0 };

        assert_true(apply_text(&v2, both, false, &err) < 0);
        assert_non_null(strstr(err.msg, "linux.resources.blockIO.weight: this kernel has no io.bfq.weight"));
        has_file(s, "io.weight");
        assert_int_equal(apply_text(&v2, both, false, &err), 0);
        says(s, "io.weight", "default 5000");
        has_file(s, "io.weight");
        assert_int_equal(apply_text(&v2, device, false, &err), 0);
        says(s, "io.weight", "8:0 10000");
        has_file(s, "io.bfq.weight");
        assert_int_equal(apply_text(&v2, both, false, &err), 0);
        says(s, "io.bfq.weight", "505");
}

/* What is in use is looked at before the new limit is set. */
static void test_memory_in_use_is_checked(void **state) {
        const struct stand_in *s = *state;
        struct cgroup_host v2 = { .v2 = { s->fd, BIT(CONTROLLER_MEMORY) } };
        const char *spec = "{\"memory\":{\"limit\":1000000,\"checkBeforeUpdate\":true}}";
        struct err err = { 0 };

        has_file(s, "memory.max");
        has_file(s, "memory.current");
        assert_int_equal(cgroup_file_write(s->fd, "box", "memory.current", "1000001"), 0);
        assert_true(apply_text(&v2, spec, false, &err) < 0);
        assert_non_null(strstr(err.msg, "linux.resources.memory.limit: 1000000 is less than the 1000001 in use"));
        says(s, "memory.max", "");
        has_file(s, "memory.current");
        assert_int_equal(cgroup_file_write(s->fd, "box", "memory.current", "1000000"), 0);
        assert_int_equal(apply_text(&v2, spec, false, &err), 0);
        says(s, "memory.max", "1000000");
}

static void test_device_rules(void **state) {
        json_t *open = json_loads("[{\"allow\":false,\"type\":\"c\",\"major\":1}, {\"allow\":true}]", 0, NULL);
        json_t *closed = json_loads("[{\"allow\":true}, {\"allow\":false,\"access\":\"rwm\"}, {\"allow\":true,\"major\":10,\"minor\":229,\"access\":\"rw\"}]", 0, NULL);
        struct resources r = { 0 };
        struct err err = { 0 };

        assert_int_equal(resources_parse_devices(open, &r, &err), 0);
        assert_true(r.devices_allowed);
        assert_int_equal(r.n_devices, 0);
        resources_done(&r);
        assert_int_equal(resources_parse_devices(closed, &r, &err), 0);
        assert_false(r.devices_allowed);
        /* type "a" of one number is a block and a character rule; then what all containers get */
        assert_true(r.n_devices > 2);
        assert_int_equal(r.devices[0].type, 'b');
        assert_int_equal(r.devices[1].type, 'c');
        assert_int_equal(r.devices[1].major, 10);
        assert_false(r.devices[1].mknod);
        resources_done(&r);
        assert_int_equal(resources_parse_devices(NULL, &r, &err), 0);
        assert_false(r.devices_allowed);
        resources_done(&r);
        json_decref(open);
        json_decref(closed);
}

/* --- on this host --- */

struct fixture {
        struct cgroup_host *h;
        char path[64], parent[32];
};

static int set_up(void **state) {
        static int count;
        struct fixture *f = calloc(1, sizeof(*f));
        struct err err = { 0 };

        if (!f || cgroup_host_open(&f->h, &err) < 0)
                return -1;
        snprintf(f->parent, sizeof(f->parent), "kist-unit-%d-%d", (int) getpid(), count++);
        snprintf(f->path, sizeof(f->path), "%s/box", f->parent);
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        struct fixture *f = *state;
        struct err err = { 0 };
        int r = cgroup_destroy(f->h, f->parent, &err);

        cgroup_host_free(f->h);
        free(f);
        return r;
}

static bool may_make_cgroups(const struct fixture *f) {
        struct err err = { 0 };
        int r;

        if (!host_tracker(f->h)) {
                print_message("no cgroup hierarchy is mounted here\n");
                return false;
        }
        r = cgroup_create(f->h, f->path, NULL, &err);
        if (r == -EROFS || r == -EACCES || r == -EPERM) {
                print_message("cgroups cannot be made here: %s\n", err.msg);
                return false;
        }
        if (r < 0)
                fail_msg("%s", err.msg);
        assert_int_equal(cgroup_destroy(f->h, f->path, &err), 0);
        return true;
}

/* In how many hierarchies is it there? */
static size_t places(const struct fixture *f, const char *path) {
        size_t n = 0;

        for (size_t i = 0; i < f->h->n_v1; i++)
                n += faccessat(f->h->v1[i].dir_fd, path, F_OK, 0) == 0;
        return n + (host_has_v2(f->h) && faccessat(f->h->v2.dir_fd, path, F_OK, 0) == 0);
}

static void leave_with_42(int sig) {
        (void) sig;
        _exit(42);
}

/* A child that has entered the cgroup as a container's init does, and then runs `body`. */
static pid_t start_in(const struct fixture *f, void (*body)(void)) {
        struct exec_fds fds;
        struct err err = { 0 };
        pid_t pid;
        int ready[2];
        char c;

        if (cgroup_open(f->h, f->path, &fds, &err) < 0)
                fail_msg("%s", err.msg);
        assert_int_equal(pipe(ready), 0);
        if (fds.cgroup_v2 >= 0) {
                struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t) fds.cgroup_v2 };

                pid = (pid_t) syscall(SYS_clone3, &args, sizeof(args));
        } else {
                pid = fork();
        }
        assert_true(pid >= 0);
        if (pid == 0) {
                signal(SIGUSR1, leave_with_42);
                for (size_t i = 0; i < fds.n_cgroup_v1; i++)
                        if (write(fds.cgroup_v1_procs[i], "0", 1) != 1)
                                _exit(99);
                if (write(ready[1], "x", 1) != 1)
                        _exit(99);
                body();
                _exit(0);
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &c, 1), 1);
        close(ready[0]);
        cgroup_close(&fds);
        return pid;
}

static void sleep_on(void) {
        for (;;)
                pause();
}

static int status_of(pid_t pid) {
        int status;

        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void test_create_and_destroy(void **state) {
        struct fixture *f = *state;
        struct err err = { 0 };

        if (!may_make_cgroups(f))
                skip();
        assert_int_equal(cgroup_create(f->h, f->path, NULL, &err), 0);
        assert_int_equal(places(f, f->path), f->h->n_v1 + host_has_v2(f->h));
        /* Left by somebody who died: an empty one is taken over. */
        assert_int_equal(cgroup_create(f->h, f->path, NULL, &err), 0);
        assert_int_equal(cgroup_destroy(f->h, f->path, &err), 0);
        assert_int_equal(places(f, f->path), 0);
        assert_int_equal(cgroup_destroy(f->h, f->path, &err), 0);
}

static void test_kill_and_conflict(void **state) {
        struct fixture *f = *state;
        struct err err = { 0 };
        pid_t pid, *pids = NULL;
        size_t n = 0;

        if (!may_make_cgroups(f))
                skip();
        assert_int_equal(cgroup_create(f->h, f->path, NULL, &err), 0);
        pid = start_in(f, sleep_on);
        assert_int_equal(cgroup_pids(f->h, f->path, &pids, &n, &err), 0);
        assert_int_equal(n, 1);
        assert_int_equal(pids[0], pid);
        free(pids);
        assert_int_equal(cgroup_create(f->h, f->path, NULL, &err), -EBUSY);
        assert_int_equal(err.kind, ERR_CONFLICT);
        assert_int_equal(places(f, f->path), f->h->n_v1 + host_has_v2(f->h));
        assert_int_equal(cgroup_kill(f->h, f->path, SIGTERM, &err), 0);
        assert_int_equal(status_of(pid), 128 + SIGTERM);
        pid = start_in(f, sleep_on);
        assert_int_equal(cgroup_destroy(f->h, f->path, &err), 0);
        assert_int_equal(status_of(pid), 128 + SIGKILL);
        assert_int_equal(places(f, f->path), 0);
}

/* Cgroups that the container made inside its own, with processes in them. */
static void test_destroy_nested(void **state) {
        struct fixture *f = *state;
        struct err err = { 0 };
        const struct hierarchy *tracker;
        char deep[256];
        pid_t pid;

        if (!may_make_cgroups(f))
                skip();
        tracker = host_tracker(f->h);
        assert_int_equal(cgroup_create(f->h, f->path, NULL, &err), 0);
        pid = start_in(f, sleep_on);
        snprintf(deep, sizeof(deep), "%s", f->path);
        for (int i = 0; i < 20; i++) {
                strcat(deep, i % 2 ? "/a" : "/bc");
                assert_int_equal(mkdirat(tracker->dir_fd, deep, 0755), 0);
        }
        char number[16];
        snprintf(number, sizeof(number), "%d", (int) pid);
        assert_int_equal(cgroup_file_write(tracker->dir_fd, deep, "cgroup.procs", number), 0);
        assert_int_equal(cgroup_destroy(f->h, f->path, &err), 0);
        assert_int_equal(status_of(pid), 128 + SIGKILL);
        assert_int_equal(places(f, f->path), 0);
}

/* It has left the hierarchy where it is tracked, and is still in the others: found there. */
static void test_destroy_finds_who_has_left(void **state) {
        struct fixture *f = *state;
        struct err err = { 0 };
        char number[16];
        pid_t pid;

        if (!host_has_v2(f->h) || f->h->n_v1 == 0) {
                print_message("this is not a hybrid host\n");
                skip();
        }
        if (!may_make_cgroups(f))
                skip();
        assert_int_equal(cgroup_create(f->h, f->path, NULL, &err), 0);
        signal(SIGCHLD, SIG_IGN);
        pid = start_in(f, sleep_on);
        snprintf(number, sizeof(number), "%d", (int) pid);
        assert_int_equal(cgroup_file_write(f->h->v2.dir_fd, ".", "cgroup.procs", number), 0);
        if (cgroup_destroy(f->h, f->path, &err) < 0)
                fail_msg("%s", err.msg);
        signal(SIGCHLD, SIG_DFL);
        assert_int_equal(kill(pid, 0), -1);
        assert_int_equal(places(f, f->path), 0);
}

static void test_limits_are_set_and_updated(void **state) {
        struct fixture *f = *state;
        struct err err = { 0 };
        struct cgroup_stats s;
        json_t *spec, *more;

        if (!may_make_cgroups(f))
                skip();
        if (!cgroup_host_has(f->h, "memory") || !cgroup_host_has(f->h, "pids")) {
                print_message("no memory or pids controller here\n");
                skip();
        }
        spec = json_loads("{\"memory\":{\"limit\":67108864,\"swap\":67108864},\"pids\":{\"limit\":33},\"cpu\":{\"quota\":50000,\"period\":100000}}", 0, NULL);
        more = json_loads("{\"memory\":{\"limit\":134217728,\"swap\":134217728},\"cpu\":{\"quota\":1000,\"period\":1000}}", 0, NULL);
        if (cgroup_create(f->h, f->path, spec, &err) < 0)
                fail_msg("%s", err.msg);
        assert_int_equal(cgroup_read_stats(f->h, f->path, &s, &err), 0);
        assert_int_equal(s.memory_limit, 67108864);
        assert_int_equal(s.pids_limit, 33);
        /* Both grow, and the old quota is too much for the new period. */
        if (cgroup_update(f->h, f->path, more, &err) < 0)
                fail_msg("%s", err.msg);
        assert_int_equal(cgroup_read_stats(f->h, f->path, &s, &err), 0);
        assert_int_equal(s.memory_limit, 134217728);
        json_decref(spec);
        json_decref(more);
}

static void test_refused_value_leaves_nothing(void **state) {
        static const char *const bad[][2] = {
                { "{\"cpu\":{\"cpus\":\"4000\"}}", "linux.resources.cpu.cpus" },
                { "{\"cpu\":{\"quota\":1}}", "linux.resources.cpu.quota" },
                { "{\"memory\":{\"limit\":67108864,\"swap\":1048576}}", "linux.resources.memory.swap" },
        };
        struct fixture *f = *state;

        if (!may_make_cgroups(f))
                skip();
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                json_t *spec = json_loads(bad[i][0], 0, NULL);
                struct err err = { 0 };
                int r = cgroup_create(f->h, f->path, spec, &err);

                json_decref(spec);
                if (err.kind == ERR_UNSUPPORTED)
                        continue; /* no such controller here */
                assert_true(r < 0);
                assert_int_equal(err.kind, ERR_INVALID);
                assert_non_null(strstr(err.msg, bad[i][1]));
                assert_int_equal(places(f, f->path), 0);
        }
}

static void test_freeze(void **state) {
        struct fixture *f = *state;
        struct err err = { 0 };
        pid_t pid;

        if (!may_make_cgroups(f))
                skip();
        assert_int_equal(cgroup_create(f->h, f->path, NULL, &err), 0);
        pid = start_in(f, sleep_on);
        if (cgroup_freeze(f->h, f->path, true, &err) < 0)
                fail_msg("%s", err.msg);
        /* A signal with a handler: the kernel lets a frozen process die of one without. */
        assert_int_equal(kill(pid, SIGUSR1), 0);
        usleep(20000);
        assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
        assert_int_equal(cgroup_freeze(f->h, f->path, false, &err), 0);
        assert_int_equal(status_of(pid), 42);
        /* A frozen one can be destroyed. */
        pid = start_in(f, sleep_on);
        assert_int_equal(cgroup_freeze(f->h, f->path, true, &err), 0);
        assert_int_equal(cgroup_destroy(f->h, f->path, &err), 0);
        assert_int_equal(status_of(pid), 128 + SIGKILL);
}

/* --- devices --- */

static char node_null[64], node_kmsg[64];

static int try_open(const char *path, int flags) {
        int fd = open(path, flags | O_CLOEXEC);

        if (fd < 0)
                return errno;
        close(fd);
        return 0;
}

static void use_devices(void) {
        if (try_open(node_null, O_RDWR) != 0)
                _exit(1);
        if (try_open(node_kmsg, O_RDONLY | O_NONBLOCK) != EPERM)
                _exit(2);
        _exit(42);
}

static void use_kmsg(void) {
        if (try_open(node_kmsg, O_RDONLY | O_NONBLOCK) != 0)
                _exit(1);
        if (try_open(node_kmsg, O_WRONLY) != EPERM)
                _exit(2);
        if (try_open(node_null, O_RDWR) != 0)
                _exit(3);
        _exit(42);
}

static void make_nodes(void) {
        snprintf(node_null, sizeof(node_null), "/tmp/kist-unit-null-%d", (int) getpid());
        snprintf(node_kmsg, sizeof(node_kmsg), "/tmp/kist-unit-kmsg-%d", (int) getpid());
        assert_int_equal(mknod(node_null, S_IFCHR | 0600, makedev(1, 3)), 0);
        assert_int_equal(mknod(node_kmsg, S_IFCHR | 0600, makedev(1, 11)), 0);
}

static void remove_nodes(void) {
        unlink(node_null);
        unlink(node_kmsg);
}

static void check_devices(struct fixture *f) {
        json_t *spec = json_loads("{\"devices\":[{\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":11,\"access\":\"r\"}]}", 0, NULL);
        struct err err = { 0 };

        make_nodes();
        if (cgroup_create(f->h, f->path, NULL, &err) < 0)
                fail_msg("%s", err.msg);
        assert_int_equal(status_of(start_in(f, use_devices)), 42);
        if (cgroup_update(f->h, f->path, spec, &err) < 0)
                fail_msg("%s", err.msg);
        assert_int_equal(status_of(start_in(f, use_kmsg)), 42);
        json_decref(spec);
        remove_nodes();
}

static void test_devices(void **state) {
        struct fixture *f = *state;

        if (!may_make_cgroups(f))
                skip();
        if (!cgroup_host_has(f->h, "devices")) {
                print_message("no device controller here\n");
                skip();
        }
        check_devices(f);
}

/* The eBPF program is tested on a hybrid host too: look at its v2 tree alone. */
static void test_devices_by_program(void **state) {
        struct fixture *f = *state;
        struct cgroup_host only_v2 = { .v2 = f->h->v2 };
        struct fixture v2 = *f;
        struct err err = { 0 };

        v2.h = &only_v2;
        if (!host_has_v2(f->h)) {
                print_message("no cgroup v2 here\n");
                skip();
        }
        if (!may_make_cgroups(f))
                skip();
        check_devices(&v2);
        assert_int_equal(cgroup_destroy(&only_v2, f->path, &err), 0);
}

/* Controllers are enabled from the root of v2 down to our own parent. On a hybrid host that is what v1 has left over: hugetlb. The root's
 * list is put back. */
static void test_enable_on_v2(void **state) {
        struct fixture *f = *state;
        json_t *spec = json_loads("{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}]}", 0, NULL);
        char before[256], control[256], grandchild[96];
        struct err err = { 0 };
        uint64_t limit;
        int r;

        if (!host_has_v2(f->h) || !(f->h->v2.controllers & BIT(CONTROLLER_HUGETLB)) || host_find_v1(f->h, CONTROLLER_HUGETLB)) {
                print_message("hugetlb is not in cgroup v2 here\n");
                skip();
        }
        if (!may_make_cgroups(f))
                skip();
        assert_int_equal(cgroup_file_read(f->h->v2.dir_fd, ".", "cgroup.subtree_control", before, sizeof(before)), 0);
        snprintf(grandchild, sizeof(grandchild), "%s/deeper", f->path);
        r = cgroup_create(f->h, grandchild, spec, &err);
        if (err.kind == ERR_UNSUPPORTED && strstr(err.msg, "hugetlb.2MB.max")) {
                print_message("no huge pages of 2 MB here\n");
                cgroup_destroy(f->h, f->path, &err);
                json_decref(spec);
                skip();
        }
        if (r < 0)
                fail_msg("%s", err.msg);
        assert_int_equal(cgroup_file_read_u64(f->h->v2.dir_fd, grandchild, "hugetlb.2MB.max", &limit), 0);
        assert_int_equal(limit, 4194304);
        assert_int_equal(cgroup_file_read(f->h->v2.dir_fd, f->path, "cgroup.subtree_control", control, sizeof(control)), 0);
        assert_non_null(strstr(control, "hugetlb"));
        assert_int_equal(cgroup_destroy(f->h, f->parent, &err), 0);
        if (!strstr(before, "hugetlb"))
                assert_int_equal(cgroup_file_write(f->h->v2.dir_fd, ".", "cgroup.subtree_control", "-hugetlb"), 0);
        json_decref(spec);
}

static void test_parent_with_processes_on_v2(void **state) {
        struct fixture *f = *state;
        json_t *spec = json_loads("{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}]}", 0, NULL);
        char before[256], child[96];
        struct err err = { 0 };
        pid_t pid;
        int r;

        if (!host_has_v2(f->h) || !(f->h->v2.controllers & BIT(CONTROLLER_HUGETLB)) || host_find_v1(f->h, CONTROLLER_HUGETLB)) {
                print_message("hugetlb is not in cgroup v2 here\n");
                skip();
        }
        if (!may_make_cgroups(f))
                skip();
        assert_int_equal(cgroup_file_read(f->h->v2.dir_fd, ".", "cgroup.subtree_control", before, sizeof(before)), 0);
        assert_int_equal(cgroup_create(f->h, f->path, NULL, &err), 0);
        pid = start_in(f, sleep_on);
        snprintf(child, sizeof(child), "%s/child", f->path);
        r = cgroup_create(f->h, child, spec, &err);
        assert_int_equal(r, -EBUSY);
        assert_int_equal(err.kind, ERR_CONFLICT);
        assert_non_null(strstr(err.msg, "has processes of its own"));
        assert_int_equal(places(f, child), 0);
        assert_int_equal(cgroup_destroy(f->h, f->parent, &err), 0);
        assert_int_equal(status_of(pid), 128 + SIGKILL);
        if (!strstr(before, "hugetlb"))
                assert_int_equal(cgroup_file_write(f->h->v2.dir_fd, ".", "cgroup.subtree_control", "-hugetlb"), 0);
        json_decref(spec);
}

/* A v1-only view of this host: freezer and signals instead of cgroup.kill. */
static void test_kill_v1(void **state) {
        struct fixture *f = *state, v1 = *f;
        struct cgroup_host only_v1 = *f->h;
        struct err err = { 0 };
        pid_t pid;

        only_v1.v2.dir_fd = -1;
        v1.h = &only_v1;
        if (only_v1.n_v1 == 0) {
                print_message("no cgroup v1 here\n");
                skip();
        }
        if (!may_make_cgroups(f))
                skip();
        assert_int_equal(cgroup_create(&only_v1, f->path, NULL, &err), 0);
        /* A zombie leaves its cgroup, but is still ours to reap: let the kernel do it. */
        signal(SIGCHLD, SIG_IGN);
        pid = start_in(&v1, sleep_on);
        if (host_find_v1(&only_v1, CONTROLLER_FREEZER))
                assert_int_equal(cgroup_freeze(&only_v1, f->path, true, &err), 0);
        if (cgroup_destroy(&only_v1, f->path, &err) < 0)
                fail_msg("%s", err.msg);
        signal(SIGCHLD, SIG_DFL);
        assert_int_equal(kill(pid, 0), -1);
        assert_int_equal(places(f, f->path), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mountinfo),
                cmocka_unit_test(test_path_grammar),
                cmocka_unit_test(test_resources),
                cmocka_unit_test(test_rare_controllers),
                cmocka_unit_test_setup_teardown(test_files_of_rare_controllers, make_stand_in, remove_stand_in),
                cmocka_unit_test_setup_teardown(test_weight_of_who_is_there, make_stand_in, remove_stand_in),
                cmocka_unit_test_setup_teardown(test_memory_in_use_is_checked, make_stand_in, remove_stand_in),
                cmocka_unit_test(test_device_rules),
                cmocka_unit_test_setup_teardown(test_create_and_destroy, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_kill_and_conflict, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_destroy_nested, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_destroy_finds_who_has_left, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_limits_are_set_and_updated, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_refused_value_leaves_nothing, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_freeze, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_devices, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_devices_by_program, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_enable_on_v2, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_parent_with_processes_on_v2, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_kill_v1, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
