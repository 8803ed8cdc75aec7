/* SPDX-License-Identifier: Apache-2.0 */

/* How the kernel treats the process: asked of the kernel, from inside or by its pid. */

#include <sys/resource.h>
#include <sys/syscall.h>

#include "container.h"

static json_t *json(const char *text) {
        json_t *v = json_loads(text, 0, NULL);

        assert_non_null(v);
        return v;
}

/* Fields 19 and 41 of /proc/PID/stat: the nice value and the policy. */
#define NICE_AND_POLICY "busybox cut -d' ' -f19,41 /proc/self/stat"

static void scheduler_is_set(void **state) {
        /* With SCHED_IDLE the nice value has no meaning, and the kernel leaves the one that is inherited. */
        const int own = getpriority(PRIO_PROCESS, 0);
        const struct {
                const char *scheduler;
                int nice, policy;
        } rows[] = {
                { "{\"policy\": \"SCHED_BATCH\", \"nice\": 7}", 7, 3 },
                { "{\"policy\": \"SCHED_OTHER\", \"nice\": 3}", 3, 0 },
                { "{\"policy\": \"SCHED_IDLE\"}", own, 5 },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
                for (enum userns_mode mode = 0; mode < _USERNS_MODES; mode++) {
                        struct container c;
                        char seen[32];

                        snprintf(seen, sizeof(seen), "%d %d\n", rows[i].nice, rows[i].policy);
                        container_init(&c, mode, NICE_AND_POLICY);
                        container_set(&c, "process", "scheduler", json(rows[i].scheduler));
                        assert_int_equal(container_run(&c), 0);
                        assert_string_equal(c.output, seen);
                        container_done(&c);
                }
}

/* With a real-time policy, where this host gives one to anybody. */
static void real_time_scheduler_is_set_or_refused_by_name(void **state) {
        struct sched_param normal = { 0 }, priority = { .sched_priority = 5 };
        bool may = sched_setscheduler(0, SCHED_RR, &priority) == 0;
        struct container c;

        assert_int_equal(sched_setscheduler(0, SCHED_OTHER, &normal), 0);
        container_init(&c, USERNS_BY_MAP, "busybox cut -d' ' -f40,41 /proc/self/stat");
        container_set(&c, "process", "scheduler", json("{\"policy\": \"SCHED_RR\", \"priority\": 5}"));
        if (may) {
                assert_int_equal(container_run(&c), 0);
                assert_string_equal(c.output, "5 2\n");
        } else {
                assert_true(container_start(&c) < 0);
                assert_non_null(strstr(c.err.msg, "process.scheduler"));
        }
        container_done(&c);
}

/* It does not fit: no task may run longer than its deadline. The kernel's no is told with the name of the field. */
static void impossible_deadline_is_refused(void **state) {
        struct container c;

        container_init(&c, NO_USERNS, "true");
        container_set(&c, "process", "scheduler", json("{\"policy\": \"SCHED_DEADLINE\", \"runtime\": 5000000, \"deadline\": 1000000, \"period\": 1000000}"));
        assert_true(container_start(&c) < 0);
        assert_non_null(strstr(c.err.msg, "process.scheduler"));
        container_done(&c);
}

static void io_priority_is_set(void **state) {
        static const struct {
                const char *priority;
                int value;
        } rows[] = {
                { "{\"class\": \"IOPRIO_CLASS_BE\", \"priority\": 6}", 2 << 13 | 6 },
                { "{\"class\": \"IOPRIO_CLASS_IDLE\"}", 3 << 13 },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
                for (enum userns_mode mode = 0; mode < _USERNS_MODES; mode++) {
                        struct container c;

                        container_init(&c, mode, "true");
                        c.options.notify_start = true;
                        container_set(&c, "process", "ioPriority", json(rows[i].priority));
                        if (container_start(&c) < 0)
                                fail_msg("%s", c.err.msg);
                        assert_int_equal(syscall(SYS_ioprio_get, 1, c.process.pid), rows[i].value);
                        assert_int_equal(exec_release(&c.process, &c.err), 0);
                        assert_int_equal(container_finish(&c), 0);
                        container_done(&c);
                }
}

static int run_in(struct container *c, const char *key, json_t *value, const char *script, char *output, size_t size) {
        auto_json *process = json_deep_copy(in_config(c, "process"));
        struct exec_fds fds = { .plan = -1, .rootfs = -1, .userns = -1, .netns = -1, .cgroup_v2 = -1, .listen = -1, .target_pidfd = c->process.pidfd };
        struct exec_process p = { 0 };
        int out[2], r;
        ssize_t n;
        size_t used = 0;

        json_object_set_new(process, "args", json_pack("[s,s,s]", "sh", "-c", script));
        if (key)
                json_object_set_new(process, key, value);
        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        fds.stdio[0] = -1;
        fds.stdio[1] = fds.stdio[2] = out[1];
        r = plan_process(process, c->config, &c->options, &fds.plan, &c->err);
        if (r == 0)
                r = exec_process(&fds, &p, &c->err);
        close(out[1]);
        while (r == 0 && used + 1 < size && (n = read(out[0], output + used, size - 1 - used)) > 0)
                used += (size_t) n;
        output[used] = '\0';
        if (r == 0) {
                assert_int_equal(wait_status(p.pid), 0);
                fd_close(p.pidfd);
        }
        close(out[0]);
        fd_close(fds.plan);
        return r;
}

static void start_sleeper(struct container *c, enum userns_mode mode) {
        char up[3];

        container_init(c, mode, "trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done");
        container_set(c, "linux", "personality", json("{\"domain\": \"LINUX32\"}"));
        container_set(c, "process", "execCPUAffinity", json("{\"initial\": \"0\", \"final\": \"0\"}")); /* not for init */
        if (container_start(c) < 0)
                fail_msg("%s", c->err.msg);
        assert_int_equal(read(c->out[0], up, 3), 3);
}

static void stop_sleeper(struct container *c) {
        assert_int_equal(kill(c->process.pid, SIGTERM), 0);
        assert_int_equal(wait_status(c->process.pid), 0);
        container_done(c);
}

static void exec_has_its_cpus(void **state) {
        static const struct {
                const char *affinity, *seen;
        } rows[] = {
                { "{\"initial\": \"0\"}", "0\n" },
                { "{\"final\": \"1\"}", "1\n" },
                { "{\"initial\": \"0\", \"final\": \"1\"}", "1\n" },
                { "{\"initial\": \"0-1\"}", "0-1\n" },
        };
        cpu_set_t cpus, after;

        assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
        if (!CPU_ISSET(0, &cpus) || !CPU_ISSET(1, &cpus)) {
                print_message("needs CPUs 0 and 1\n");
                skip();
        }
        for (enum userns_mode mode = 0; mode < _USERNS_MODES; mode++) {
                struct container c;
                char output[256], all[64];

                start_sleeper(&c, mode);
                assert_int_equal(run_in(&c, "execCPUAffinity", json("{}"), "grep Cpus_allowed_list /proc/1/status", all, sizeof(all)), 0);
                assert_null(strstr(all, "\t0\n")); /* init's are as they were */
                for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                        assert_int_equal(run_in(&c, "execCPUAffinity", json(rows[i].affinity), "grep Cpus_allowed_list /proc/self/status", output, sizeof(output)), 0);
                        assert_string_equal(strchr(output, '\t') + 1, rows[i].seen);
                }
                assert_true(run_in(&c, "execCPUAffinity", json("{\"final\": \"1000\"}"), "true", output, sizeof(output)) < 0);
                assert_non_null(strstr(c.err.msg, "process.execCPUAffinity.final"));
                assert_true(run_in(&c, "execCPUAffinity", json("{\"initial\": \"1000\"}"), "true", output, sizeof(output)) < 0);
                assert_non_null(strstr(c.err.msg, "process.execCPUAffinity.initial"));
                stop_sleeper(&c);
        }
        assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
        assert_true(CPU_EQUAL(&cpus, &after)); /* the caller's own are as they were */
}

static void exec_has_its_scheduler(void **state) {
        struct container c;
        char output[256];

        start_sleeper(&c, USERNS_BY_MAP);
        assert_int_equal(run_in(&c, "scheduler", json("{\"policy\": \"SCHED_BATCH\", \"nice\": 9}"), NICE_AND_POLICY, output, sizeof(output)), 0);
        assert_string_equal(output, "9 3\n");
        stop_sleeper(&c);
}

static void personality_is_that_of_all_processes(void **state) {
#ifdef __x86_64__
        struct container c;
        char output[256];

        container_init(&c, USERNS_BY_FD, "busybox uname -m");
        container_set(&c, "linux", "personality", json("{\"domain\": \"LINUX32\"}"));
        assert_int_equal(container_run(&c), 0);
        assert_string_equal(c.output, "i686\n");
        container_done(&c);
        container_init(&c, USERNS_BY_FD, "busybox uname -m");
        container_set(&c, "linux", "personality", json("{\"domain\": \"LINUX\"}"));
        assert_int_equal(container_run(&c), 0);
        assert_string_equal(c.output, "x86_64\n");
        container_done(&c);
        start_sleeper(&c, NO_USERNS);
        assert_int_equal(run_in(&c, NULL, NULL, "busybox uname -m", output, sizeof(output)), 0);
        assert_string_equal(output, "i686\n");
        stop_sleeper(&c);
#else
        print_message("knows the names of x86 only\n");
        skip();
#endif
}

static void memory_policy_is_set(void **state) {
        static const struct {
                const char *policy, *seen;
        } rows[] = {
                { "{\"mode\": \"MPOL_BIND\", \"nodes\": \"0\"}", " bind:0 " },
                { "{\"mode\": \"MPOL_BIND\", \"nodes\": \"0\", \"flags\": [\"MPOL_F_STATIC_NODES\"]}", " bind=static:0 " },
                { "{\"mode\": \"MPOL_INTERLEAVE\", \"nodes\": \"0-0\"}", " interleave:0 " },
                { "{\"mode\": \"MPOL_LOCAL\"}", " local " },
        };

        if (access("/proc/self/numa_maps", F_OK) != 0) {
                print_message("this kernel has no NUMA\n");
                skip();
        }
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                struct container c;

                container_init(&c, USERNS_BY_MAP, "cat /proc/self/numa_maps");
                container_set(&c, "linux", "memoryPolicy", json(rows[i].policy));
                assert_int_equal(container_run(&c), 0);
                assert_true(says(&c, rows[i].seen));
                container_done(&c);
        }
}

static void missing_memory_node_is_refused(void **state) {
        struct container c;

        container_init(&c, NO_USERNS, "true");
        container_set(&c, "linux", "memoryPolicy", json("{\"mode\": \"MPOL_BIND\", \"nodes\": \"900\"}"));
        assert_true(container_start(&c) < 0);
        assert_non_null(strstr(c.err.msg, "linux.memoryPolicy"));
        container_done(&c);
}

static void domainname_is_seen(void **state) {
        struct container c;

        container_init(&c, USERNS_BY_FD, "cat /proc/sys/kernel/domainname /proc/sys/kernel/hostname");
        json_object_set_new(c.config, "domainname", json_string("example.org"));
        assert_int_equal(container_run(&c), 0);
        assert_string_equal(c.output, "example.org\nkist-test\n");
        container_done(&c);
}

/* "unconfined" is a profile of every host with AppArmor; of another one only its absence is sure. */
static void apparmor_profile_is_entered(void **state) {
        struct container c;

        if (access("/sys/module/apparmor", F_OK) != 0) {
                print_message("this host has no AppArmor\n");
                skip();
        }
        for (enum userns_mode mode = 0; mode < _USERNS_MODES; mode++) {
                container_init(&c, mode, "cat /proc/self/attr/current");
                container_set(&c, "process", "apparmorProfile", json_string("unconfined"));
                assert_int_equal(container_run(&c), 0);
                assert_true(says(&c, "unconfined"));
                container_done(&c);
                container_init(&c, mode, "true");
                container_set(&c, "process", "apparmorProfile", json_string("kist-no-such-profile"));
                assert_true(container_start(&c) < 0);
                assert_non_null(strstr(c.err.msg, "process.apparmorProfile: kist-no-such-profile"));
                container_done(&c);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(scheduler_is_set),
                cmocka_unit_test(real_time_scheduler_is_set_or_refused_by_name),
                cmocka_unit_test(impossible_deadline_is_refused),
                cmocka_unit_test(io_priority_is_set),
                cmocka_unit_test(exec_has_its_cpus),
                cmocka_unit_test(exec_has_its_scheduler),
                cmocka_unit_test(personality_is_that_of_all_processes),
                cmocka_unit_test(memory_policy_is_set),
                cmocka_unit_test(missing_memory_node_is_refused),
                cmocka_unit_test(domainname_is_seen),
                cmocka_unit_test(apparmor_profile_is_entered),
        };

        if (geteuid() != 0 || (access("/bin/busybox", X_OK) != 0 && access("/usr/bin/busybox", X_OK) != 0)) {
                print_message("1..0 # SKIP needs root and busybox-static\n");
                return 0;
        }
        return cmocka_run_group_tests(tests, NULL, remove_what_is_left);
}
