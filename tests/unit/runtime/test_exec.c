/* SPDX-License-Identifier: Apache-2.0 */

/* The executor with real containers: each in its namespaces, as root of this machine. */

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include "container.h"
#include "runtime/cgroup/cgroup.h"

/* What every container must look like, however its user namespace comes about. */
static void container_is_what_was_asked_for(void **state) {
        for (enum userns_mode mode = 0; mode < _USERNS_MODES; mode++) {
                struct container c;

                container_init(&c, mode,
                               "echo \"uid $(id -u) gid $(id -g) pid $$ host $(hostname)\"; cat /proc/self/uid_map; grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status;"
                               "ps | grep -c sh; ls /proc/acpi /sys/firmware 2>&1; cat /proc/timer_list; (echo x >/proc/sys/kernel/domainname) 2>&1;"
                               "echo ipc $(ls /dev/mqueue | grep -c .); readlink /dev/fd; readlink /dev/ptmx; echo x > /dev/null && echo null; ls -la /; exit 42");
                assert_int_equal(container_run(&c), 42);
                assert_true(says(&c, "uid 0 gid 0 pid 1 host kist-test\n"));
                assert_true(says(&c, mode == NO_USERNS ? "0          0 4294967295" : "0    1000000      65536"));
                assert_true(says(&c, "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\n"));
                assert_true(says(&c, "NoNewPrivs:\t0\nSeccomp:\t2\n"));
                assert_true(says(&c, "Read-only file system"));
                assert_true(says(&c, "/proc/self/fd\npts/ptmx\nnull\n"));
                container_done(&c);
        }
}

static void only_three_files_are_open(void **state) {
        for (enum userns_mode mode = 0; mode < _USERNS_MODES; mode++) {
                struct container c;
                int leak = open("/", O_RDONLY | O_DIRECTORY); /* not O_CLOEXEC, as a careless caller would have it */

                container_init(&c, mode, "exec ls /proc/self/fd");
                assert_int_equal(container_run(&c), 0);
                assert_string_equal(c.output, "0\n1\n2\n3\n"); /* 3 is its own, to read the directory */
                container_done(&c);
                close(leak);
        }
}

static void cgroups_are_seen_from_inside_and_read_only(void **state) {
        struct container c;

        container_init(&c, USERNS_BY_FD, "grep /sys/fs/cgroup /proc/self/mountinfo | cut -d' ' -f4-6 2>/dev/null || grep /sys/fs/cgroup /proc/self/mountinfo; touch /sys/fs/cgroup/x; exit 0");
        assert_int_equal(container_run(&c), 0);
        assert_true(says(&c, "Read-only file system"));
        container_done(&c);
}

/* In the cgroup that was given, in every hierarchy, and seen from inside as the root of all. */
static void cgroup_is_entered(void **state) {
        const bool only_v2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
        const char *path = "kist-test-exec";
        struct cgroup_host *host;
        struct container c;
        char *outside;
        char name[32];

        for (enum userns_mode mode = 0; mode < _USERNS_MODES; mode++) {
                container_init(&c, mode, "cat /proc/self/cgroup; exec cat");
                c.options.notify_start = true;
                if (cgroup_host_open(&host, &c.err) < 0 || cgroup_create(host, path, NULL, &c.err) < 0 || cgroup_open(host, path, &c.fds, &c.err) < 0)
                        fail_msg("%s", c.err.msg);
                if (container_start(&c) < 0)
                        fail_msg("%s", c.err.msg);
                snprintf(name, sizeof(name), "/proc/%d/cgroup", c.process.pid);
                assert_int_equal(file_read_at(AT_FDCWD, name, 65536, &outside, NULL), 0);
                assert_non_null(strstr(outside, only_v2 ? "0::/kist-test-exec\n" : "pids:/kist-test-exec\n"));
                free(outside);
                assert_int_equal(exec_release(&c.process, &c.err), 0);
                assert_int_equal(container_finish(&c), 0);
                assert_true(says(&c, only_v2 ? "0::/\n" : "pids:/\n"));
                assert_null(strstr(c.output, path));
                cgroup_close(&c.fds);
                assert_int_equal(cgroup_destroy(host, path, &c.err), 0);
                cgroup_host_free(host);
                container_done(&c);
        }
}

/* A sysfs shows a network namespace and is given only to its owner: then the host's own is shown, read-only. */
static void host_network_in_a_user_namespace_has_a_sysfs(void **state) {
        struct container c;
        json_t *namespaces;

        container_init(&c, USERNS_BY_MAP, "ls -d /sys/class/net; touch /sys/x 2>&1");
        namespaces = json_object_get(in_config(&c, "linux"), "namespaces");
        for (size_t i = 0; i < json_array_size(namespaces); i++)
                if (strcmp(json_get_str(json_array_get(namespaces, i), "type", ""), "network") == 0)
                        json_array_remove(namespaces, i);
        assert_int_equal(container_run(&c), 1);
        assert_true(says(&c, "/sys/class/net\ntouch: /sys/x: Read-only file system\n"));
        container_done(&c);
}

static void exit_status_and_signals_arrive(void **state) {
        struct container c;

        container_init(&c, USERNS_BY_FD, "trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done");
        assert_int_equal(container_start(&c), 0);
        assert_int_equal(read(c.out[0], c.output, 3), 3);
        assert_int_equal(kill(c.process.pid, SIGTERM), 0);
        assert_int_equal(wait_status(c.process.pid), 9);
        container_done(&c);
}

static void root_can_be_read_only(void **state) {
        for (enum userns_mode mode = 0; mode < _USERNS_MODES; mode++) {
                struct container c;

                container_init(&c, mode, "touch /x 2>&1; touch /dev/shm/x && echo shm");
                container_set(&c, "root", "readonly", json_true());
                assert_int_equal(container_run(&c), 0);
                assert_true(says(&c, "/x: Read-only file system\nshm\n"));
                container_done(&c);
        }
}

static void user_groups_umask_and_cwd(void **state) {
        struct container c;

        container_init(&c, USERNS_BY_FD, "id -u; id -g; id -G; umask; pwd; grep -E 'CapEff|CapPrm|CapAmb' /proc/self/status");
        container_set(&c, "process", "user", json_pack("{s:i,s:i,s:[i,i],s:i}", "uid", 1000, "gid", 1001, "additionalGids", 5, 7, "umask", 077));
        container_set(&c, "process", "cwd", json_string("/srv/work"));
        c.options.create_cwd = true;
        assert_int_equal(container_run(&c), 0);
        assert_true(says(&c, "1000\n1001\n1001 5 7\n0077\n/srv/work\n"));
        assert_true(says(&c, "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapAmb:\t0000000000000000\n"));
        container_done(&c);
}

static void ambient_capabilities_and_no_new_privileges(void **state) {
        struct container c;
        json_t *set = json_pack("[s]", "CAP_NET_BIND_SERVICE");

        container_init(&c, USERNS_BY_FD, "grep -E 'CapAmb|CapEff|CapBnd|NoNew|Seccomp:' /proc/self/status");
        container_set(&c, "process", "user", json_pack("{s:i,s:i}", "uid", 7, "gid", 7));
        container_set(&c, "process", "noNewPrivileges", json_true());
        container_set(&c, "process", "capabilities", json_pack("{s:O,s:O,s:O,s:O,s:O}", "bounding", set, "permitted", set, "effective", set, "inheritable", set, "ambient", set));
        json_decref(set);
        assert_int_equal(container_run(&c), 0);
        assert_true(says(&c, "CapEff:\t0000000000000400\nCapBnd:\t0000000000000400\nCapAmb:\t0000000000000400\nNoNewPrivs:\t1\nSeccomp:\t2\n"));
        container_done(&c);
}

static void limits_and_oom_score(void **state) {
        struct container c;

        container_init(&c, USERNS_BY_FD, "ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj");
        container_set(&c, "process", "rlimits", json_pack("[{s:s,s:i,s:i}]", "type", "RLIMIT_NOFILE", "soft", 33, "hard", 44));
        container_set(&c, "process", "oomScoreAdj", json_integer(321));
        assert_int_equal(container_run(&c), 0);
        assert_true(says(&c, "33\n44\n321\n"));
        container_done(&c);
}

static void filter_forbids_what_it_says(void **state) {
        for (int no_new_privs = 0; no_new_privs < 2; no_new_privs++) {
                struct container c;

                container_init(&c, NO_USERNS, "mkdir /etc/x; echo still here");
                container_set(&c, "process", "noNewPrivileges", json_boolean(no_new_privs));
                container_set(&c, "linux", "seccomp",
                              json_pack("{s:s, s:[{s:[s,s], s:s, s:i}]}", "defaultAction", "SCMP_ACT_ALLOW", "syscalls", "names", "mkdir", "mkdirat", "action",
                                        "SCMP_ACT_ERRNO", "errnoRet", ENOTTY));
                assert_int_equal(container_run(&c), 0);
                assert_true(says(&c, "Inappropriate ioctl for device"));
                assert_true(says(&c, "still here"));
                container_done(&c);
        }
}

static void sysctls_of_own_namespaces(void **state) {
        struct container c;

        container_init(&c, USERNS_BY_FD, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_unprivileged_port_start");
        container_set(&c, "linux", "sysctl", json_pack("{s:s,s:s}", "net.ipv4.ip_forward", "1", "net.ipv4.ip_unprivileged_port_start", "77"));
        assert_int_equal(container_run(&c), 0);
        assert_string_equal(c.output, "1\n77\n");
        container_done(&c);
}

static void namespaces_are_joined_by_path(void **state) {
        struct container c;
        char user[64], net[64];
        struct stat st;

        container_init(&c, NO_USERNS, "cat /proc/self/uid_map; stat -Lc %i /proc/self/ns/user /proc/self/ns/net");
        make_namespaces(&c.fds.userns, &c.fds.netns);
        assert_int_equal(chown(c.root, FIRST_ID, FIRST_ID), 0);
        snprintf(user, sizeof(user), "/proc/self/fd/%d", c.fds.userns);
        snprintf(net, sizeof(net), "/proc/self/fd/%d", c.fds.netns);
        container_set(&c, "linux", "namespaces",
                      json_pack("[{s:s,s:s},{s:s,s:s},{s:s},{s:s},{s:s},{s:s}]", "type", "user", "path", user, "type", "network", "path", net, "type", "mount", "type", "pid",
                                "type", "ipc", "type", "uts"));
        assert_int_equal(container_run(&c), 0);
        assert_true(says(&c, "0    1000000      65536"));
        for (int i = 0; i < 2; i++) {
                char inode[32];

                assert_int_equal(fstat(i ? c.fds.netns : c.fds.userns, &st), 0);
                snprintf(inode, sizeof(inode), "\n%llu\n", (unsigned long long) st.st_ino);
                assert_true(says(&c, inode));
        }
        container_done(&c);
}

static void time_has_its_own_offset(void **state) {
        for (enum userns_mode mode = 0; mode < _USERNS_MODES; mode++) {
                struct container c;

                container_init(&c, mode, "cat /proc/self/timens_offsets");
                json_array_append_new(json_object_get(in_config(&c, "linux"), "namespaces"), json_pack("{s:s}", "type", "time"));
                container_set(&c, "linux", "timeOffsets", json_pack("{s:{s:i,s:i}}", "boottime", "secs", 7000, "nanosecs", 5));
                assert_int_equal(container_run(&c), 0);
                assert_true(says(&c, "boottime         7000         5"));
                container_done(&c);
        }
}

/* --- Mounts --- */

static void bind_mounts_are_idmapped_made_and_read_only(void **state) {
        struct container c;
        char dir[] = "/tmp/kist-bind-XXXXXX", path[64], mount[256];

        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof(path), "%s/file", dir);
        close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
        container_init(&c, USERNS_BY_FD, "stat -c %u /data /data/file; touch /data/new && stat -c %u /data/new; touch /ro/x 2>&1; ls -d /a/b/file");
        snprintf(mount, sizeof(mount), "{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"%s\",\"options\":[\"rbind\",\"idmap\"]}", dir);
        container_add_mount(&c, mount);
        snprintf(mount, sizeof(mount), "{\"destination\":\"/ro\",\"type\":\"bind\",\"source\":\"%s\",\"options\":[\"bind\",\"ro\",\"idmap\"]}", dir);
        container_add_mount(&c, mount);
        snprintf(mount, sizeof(mount), "{\"destination\":\"/a/b/file\",\"type\":\"bind\",\"source\":\"%s\",\"options\":[\"bind\",\"idmap\"]}", path);
        container_add_mount(&c, mount);
        assert_int_equal(container_run(&c), 0);
        assert_true(says(&c, "0\n0\n0\ntouch: /ro/x: Read-only file system\n/a/b/file\n"));
        unlink(path);
        snprintf(path, sizeof(path), "%s/new", dir);
        assert_int_equal(unlink(path), 0); /* root's on the host, too: rmdir would fail otherwise */
        assert_int_equal(rmdir(dir), 0);
        container_done(&c);
}

static void devices_are_the_ones_meant(void **state) {
        for (enum userns_mode mode = 0; mode < _USERNS_MODES; mode++) {
                struct container c;

                container_init(&c, mode, "stat -c '%F %t:%T' /dev/null /dev/kmsg");
                container_set(&c, "linux", "devices", json_pack("[{s:s,s:s,s:i,s:i}]", "path", "/dev/kmsg", "type", "c", "major", 1, "minor", 11));
                assert_int_equal(container_run(&c), 0);
                assert_string_equal(c.output, "character special file 1:3\ncharacter special file 1:b\n");
                container_done(&c);
        }
}

/* In a user namespace the host's node is bound: only when it is that device. */
static void another_device_of_that_name_is_refused(void **state) {
        struct container c;

        container_init(&c, USERNS_BY_FD, "true");
        container_set(&c, "linux", "devices", json_pack("[{s:s,s:s,s:i,s:i}]", "path", "/dev/kmsg", "type", "c", "major", 1, "minor", 2));
        assert_true(container_start(&c) < 0);
        assert_int_equal(c.err.kind, ERR_UNSUPPORTED);
        assert_non_null(strstr(c.err.msg, "linux.devices[0]"));
        container_done(&c);
}

/* A masked file shows the null device, a directory is empty and read-only, and one that is not there is no error. */
static void masks_hide_files_and_directories(void **state) {
        struct container c;
        char path[128];

        container_init(&c, USERNS_BY_FD, "cat /etc/secret /etc/dir/x 2>&1; stat -c %F /etc/secret; ls /etc/dir | wc -l 2>/dev/null; touch /etc/dir/y 2>&1");
        snprintf(path, sizeof(path), "%s/etc/dir", c.root);
        assert_int_equal(mkdir(path, 0755), 0);
        snprintf(path, sizeof(path), "%s/etc/dir/x", c.root);
        close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
        snprintf(path, sizeof(path), "%s/etc/secret", c.root);
        close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
        json_array_append_new(json_object_get(in_config(&c, "linux"), "maskedPaths"), json_string("/etc/secret"));
        json_array_append_new(json_object_get(in_config(&c, "linux"), "maskedPaths"), json_string("/etc/dir"));
        json_array_append_new(json_object_get(in_config(&c, "linux"), "maskedPaths"), json_string("/not/there"));
        assert_int_equal(container_run(&c), 1);
        assert_true(says(&c, "cat: can't open '/etc/dir/x': No such file or directory\ncharacter special file\n"));
        assert_true(says(&c, "/etc/dir/y: Read-only file system"));
        container_done(&c);
}

static void idmap_by_maps_of_the_mount(void **state) {
        struct container c;

        container_init(&c, NO_USERNS, "stat -c '%u %g' /data");
        container_add_mount(&c, "{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"/tmp\",\"options\":[\"bind\"],"
                                "\"uidMappings\":[{\"containerID\":0,\"hostID\":500,\"size\":10}],\"gidMappings\":[{\"containerID\":0,\"hostID\":600,\"size\":10}]}");
        assert_int_equal(container_run(&c), 0);
        assert_string_equal(c.output, "500 600\n");
        container_done(&c);
}

static void file_system_without_idmap_is_said(void **state) {
        struct container c;

        container_init(&c, USERNS_BY_FD, "true");
        container_add_mount(&c, "{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"/sys\",\"options\":[\"bind\",\"idmap\"]}");
        assert_true(container_start(&c) < 0);
        assert_int_equal(c.err.kind, ERR_UNSUPPORTED);
        assert_non_null(strstr(c.err.msg, "--userns=host"));
        c.process.pid = 0;
        container_done(&c);
}

static void missing_source_is_named(void **state) {
        struct container c;

        container_init(&c, USERNS_BY_FD, "true");
        container_add_mount(&c, "{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"/no/such/dir\",\"options\":[\"bind\"]}");
        assert_true(container_start(&c) < 0);
        assert_int_equal(c.err.kind, ERR_NOT_FOUND);
        assert_non_null(strstr(c.err.msg, "/no/such/dir: No such file or directory"));
        container_done(&c);
}

/* CVE-2019-19921, CVE-2026-41579: an image whose /proc or /dev leads elsewhere. */
static void symlinked_mount_points_are_refused(void **state) {
        static const char *const names[] = { "proc", "dev", "sys" };

        for (size_t i = 0; i < 3; i++)
                for (enum userns_mode mode = 0; mode < _USERNS_MODES; mode++) {
                        struct container c;
                        char link[128];

                        container_init(&c, mode, "true");
                        snprintf(link, sizeof(link), "%s/%s", c.root, names[i]);
                        assert_int_equal(symlink("/etc", link), 0);
                        assert_true(container_start(&c) < 0);
                        assert_non_null(strstr(c.err.msg, names[i]));
                        container_done(&c);
                }
}

/* A symlink of the image is followed inside of the image only. */
static void symlinked_bind_target_stays_inside(void **state) {
        struct container c;
        char link[128], outside[] = "/tmp/kist-outside-XXXXXX";

        assert_non_null(mkdtemp(outside));
        container_init(&c, NO_USERNS, "ls -d /tmp/kist-outside*/sub");
        snprintf(link, sizeof(link), "%s/out", c.root);
        assert_int_equal(symlink(outside, link), 0);
        snprintf(link, sizeof(link), "%s/tmp", c.root);
        assert_int_equal(mkdir(link, 0755), 0);
        snprintf(link, sizeof(link), "%s%s", c.root, outside);
        assert_int_equal(mkdir(link, 0755), 0);
        container_add_mount(&c, "{\"destination\":\"/out/sub\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}");
        assert_int_equal(container_run(&c), 0);
        assert_int_equal(rmdir(outside), 0); /* still empty */
        container_done(&c);
}

static void host_mount_table_does_not_change(void **state) {
        struct container c;
        char *before, *during;

        container_init(&c, NO_USERNS, "cat");
        c.options.notify_start = true;
        assert_int_equal(file_read_at(AT_FDCWD, "/proc/self/mountinfo", 1 << 20, &before, NULL), 0);
        assert_int_equal(container_start(&c), 0);
        assert_int_equal(file_read_at(AT_FDCWD, "/proc/self/mountinfo", 1 << 20, &during, NULL), 0);
        assert_string_equal(before, during);
        free(before);
        free(during);
        assert_int_equal(exec_release(&c.process, &c.err), 0);
        assert_int_equal(container_finish(&c), 0);
        container_done(&c);
}

/* --- The command --- */

static void commands_that_cannot_be_run(void **state) {
        static const struct {
                const char *command;
                enum err_kind kind;
                const char *message;
        } rows[] = {
                { "nonesuch", ERR_NO_COMMAND, "exec: \"nonesuch\": executable file not found in $PATH" },
                { "/nonesuch", ERR_NO_COMMAND, "exec: \"/nonesuch\": no such file or directory" },
                { "/bin/sh/x", ERR_NO_COMMAND, "exec: \"/bin/sh/x\": not a directory" },
                { "/etc", ERR_NOT_EXECUTABLE, "exec: \"/etc\": is a directory" },
                { "/etc/plain", ERR_NOT_EXECUTABLE, "exec: \"/etc/plain\": permission denied" },
                { "/etc/garbage", ERR_NOT_EXECUTABLE, "exec: \"/etc/garbage\": exec format error" },
                { "", ERR_NO_COMMAND, "exec: \"\": " },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
                for (int gate = 0; gate < 2; gate++) {
                        struct container c;
                        char path[128];
                        int r;

                        container_init(&c, USERNS_BY_FD, "true");
                        snprintf(path, sizeof(path), "%s/etc/plain", c.root);
                        close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
                        snprintf(path, sizeof(path), "%s/etc/garbage", c.root);
                        close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755));
                        container_set(&c, "process", "args", json_pack("[s]", rows[i].command));
                        c.options.notify_start = gate;
                        r = container_start(&c);
                        /* That it is missing is known before the gate; what the kernel alone can know comes after it. */
                        if (gate && r == 0)
                                r = exec_release(&c.process, &c.err);
                        else
                                c.process.pid = 0;
                        assert_true(r < 0);
                        assert_int_equal(c.err.kind, rows[i].kind);
                        if (!strstr(c.err.msg, rows[i].message))
                                fail_msg("%s: %s", rows[i].command, c.err.msg);
                        container_done(&c);
                }
}

static void working_directory_must_exist(void **state) {
        struct container c;

        container_init(&c, USERNS_BY_FD, "true");
        container_set(&c, "process", "cwd", json_string("/missing"));
        assert_true(container_start(&c) < 0);
        assert_non_null(strstr(c.err.msg, "process.cwd: /missing"));
        c.process.pid = 0;
        container_done(&c);
}

/* CVE-2024-21626: a directory of the host that the caller had open. */
static void working_directory_through_a_leaked_fd_is_refused(void **state) {
        for (int fd = 3; fd < 20; fd++) {
                struct container c;
                char cwd[64];
                int leak = open("/", O_RDONLY | O_DIRECTORY); /* not O_CLOEXEC, as a careless caller would have it */

                container_init(&c, NO_USERNS, "ls");
                snprintf(cwd, sizeof(cwd), "/proc/self/fd/%d", fd);
                container_set(&c, "process", "cwd", json_string(cwd));
                if (container_start(&c) == 0) {
                        container_finish(&c);
                        fail_msg("%s: %s", cwd, c.output);
                }
                c.process.pid = 0;
                container_done(&c);
                close(leak);
        }
}

/* --- Gates --- */

static void gate_holds_until_released(void **state) {
        struct container c;
        struct pollfd p;

        container_init(&c, USERNS_BY_FD, "echo started");
        c.options.notify_start = true;
        assert_int_equal(container_start(&c), 0);
        p = (struct pollfd) { .fd = c.out[0], .events = POLLIN };
        assert_int_equal(poll(&p, 1, 50), 0);
        assert_int_equal(exec_release(&c.process, &c.err), 0);
        assert_int_equal(container_finish(&c), 0);
        assert_string_equal(c.output, "started\n");
        container_done(&c);
}

static void container_dies_with_its_caller_before_the_start(void **state) {
        struct container c;
        int pids[2];
        pid_t caller, init = 0;
        char name[32], target[64];

        container_init(&c, USERNS_BY_FD, "sleep 100");
        c.options.notify_start = true;
        assert_int_equal(pipe2(pids, O_CLOEXEC), 0);
        caller = fork();
        if (caller == 0) {
                if (container_start(&c) < 0 || write(pids[1], &c.process.pid, sizeof(pid_t)) < 0)
                        _exit(1);
                pause();
        }
        assert_int_equal(read(pids[0], &init, sizeof(init)), sizeof(init));
        kill(caller, SIGKILL);
        waitpid(caller, NULL, 0);
        /* Gone, or a zombie that the reaper of this machine will see to. */
        snprintf(name, sizeof(name), "/proc/%d/exe", init);
        for (int i = 0; i < 200 && readlink(name, target, sizeof(target)) >= 0; i++)
                usleep(10000);
        assert_int_equal(readlink(name, target, sizeof(target)), -1);
        close(pids[0]);
        close(pids[1]);
        container_done(&c);
}

/* Start by a fifo, as `create` and `start` do, the one gone when the other comes. */
static void start_by_fifo(const char *command, int expected, enum err_kind kind) {
        struct container c;
        struct err err = { 0 };
        char fifo[128];
        int fd, status;
        ssize_t n;
        pid_t creator;

        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        container_init(&c, USERNS_BY_FD, "");
        container_set(&c, "process", "args", json_pack("[s,s,s]", command, "-c", "exit 5"));
        snprintf(fifo, sizeof(fifo), "%s/fifo", c.root);
        assert_int_equal(mkfifo(fifo, 0600), 0);
        assert_int_equal(chmod(fifo, 0622), 0);
        snprintf(fifo, sizeof(fifo), "%s/etc/garbage", c.root);
        close(open(fifo, O_CREAT | O_WRONLY | O_CLOEXEC, 0755));
        snprintf(fifo, sizeof(fifo), "%s/fifo", c.root);
        c.options.notify_start = c.options.start_fifo = true;
        c.fds.start_fifo = open(fifo, O_PATH | O_CLOEXEC);
        creator = fork();
        if (creator == 0)
                _exit(container_start(&c) < 0);
        assert_int_equal(wait_status(creator), 0);
        fd = open(fifo, O_RDONLY | O_CLOEXEC);
        n = read(fd, &err, sizeof(err));
        assert_int_equal(n, kind == ERR_NONE ? 0 : sizeof(err));
        assert_int_equal(err.kind, kind);
        close(fd);
        assert_true(wait(&status) > 0); /* ours by adoption */
        assert_int_equal(WEXITSTATUS(status), expected);
        close(c.fds.start_fifo);
        container_done(&c);
        prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void fifo_gate_outlives_its_creator(void **state) {
        start_by_fifo("sh", 5, ERR_NONE);
        start_by_fifo("/etc/garbage", 126, ERR_NOT_EXECUTABLE);
}

/* --- Terminal and exec --- */

static void terminal_is_the_containers_own(void **state) {
        for (enum userns_mode mode = 0; mode < _USERNS_MODES; mode++) {
                struct container c;
                struct winsize size;

                container_init(&c, mode, "tty; echo to console >/dev/console; echo to tty >/dev/tty; stat -c %t:%T /dev/console; exit 4");
                container_set(&c, "process", "terminal", json_true());
                container_set(&c, "process", "consoleSize", json_pack("{s:i,s:i}", "height", 33, "width", 99));
                assert_int_equal(container_start(&c), 0);
                assert_true(c.process.pty >= 0);
                assert_int_equal(ioctl(c.process.pty, TIOCGWINSZ, &size), 0);
                assert_int_equal(size.ws_row, 33);
                assert_int_equal(size.ws_col, 99);
                assert_int_equal(container_finish(&c), 4);
                assert_true(says(&c, "/dev/pts/0\r\nto console\r\nto tty\r\n88:0\r\n"));
                container_done(&c);
        }
}

static void run_in(struct container *c, const char *script, bool terminal, int expected, char *output, size_t size) {
        auto_json *process = json_deep_copy(in_config(c, "process"));
        struct exec_fds fds = { .rootfs = -1, .userns = -1, .netns = -1, .cgroup_v2 = -1, .listen = -1, .target_pidfd = c->process.pidfd };
        struct exec_process p;
        struct err err = { 0 };
        int out[2];
        ssize_t n;
        size_t used = 0;

        json_object_set_new(process, "args", json_pack("[s,s,s]", "sh", "-c", script));
        json_object_set_new(process, "terminal", json_boolean(terminal));
        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        fds.stdio[0] = -1;
        fds.stdio[1] = fds.stdio[2] = out[1];
        if (plan_process(process, c->config, &c->options, &fds.plan, &err) < 0 || exec_process(&fds, &p, &err) < 0)
                fail_msg("%s", err.msg);
        close(out[1]);
        while (used + 1 < size && (n = read(terminal ? p.pty : out[0], output + used, size - 1 - used)) > 0)
                used += (size_t) n;
        output[used] = '\0';
        assert_int_equal(wait_status(p.pid), expected);
        fd_close(p.pidfd);
        fd_close(p.pty);
        close(out[0]);
        close(fds.plan);
}

static void exec_joins_a_running_container(void **state) {
        for (enum userns_mode mode = 0; mode < _USERNS_MODES; mode++) {
                struct container c;
                char output[4096];

                container_init(&c, mode, "trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done");
                json_array_append_new(json_object_get(in_config(&c, "linux"), "namespaces"), json_pack("{s:s}", "type", "time"));
                assert_int_equal(container_start(&c), 0);
                assert_int_equal(read(c.out[0], output, 3), 3);
                run_in(&c, "for n in time user pid net ipc uts mnt cgroup; do [ $(readlink /proc/1/ns/$n) = $(readlink /proc/self/ns/$n) ] || echo not $n; done;"
                           "id -u; hostname; grep -E 'CapEff|Seccomp:' /proc/self/status; exit 6",
                       false, 6, output, sizeof(output));
                assert_string_equal(output, "0\nkist-test\nCapEff:\t00000000a80425fb\nSeccomp:\t2\n");
                run_in(&c, "exec ls /proc/self/fd", false, 0, output, sizeof(output));
                assert_string_equal(output, "0\n1\n2\n3\n"); /* 3 is its own, to read the directory */
                run_in(&c, "tty; exit 8", true, 8, output, sizeof(output));
                assert_string_equal(output, "/dev/pts/0\r\n");
                assert_int_equal(kill(c.process.pid, SIGTERM), 0);
                assert_int_equal(wait_status(c.process.pid), 0);
                container_done(&c);
        }
}

static void exec_of_a_missing_command(void **state) {
        struct container c;
        auto_json *process = NULL;
        struct exec_fds fds = { .rootfs = -1, .userns = -1, .netns = -1, .cgroup_v2 = -1, .listen = -1, .stdio = { -1, -1, -1 } };
        struct exec_process p;
        char up[3];

        container_init(&c, USERNS_BY_FD, "trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done");
        assert_int_equal(container_start(&c), 0);
        assert_int_equal(read(c.out[0], up, 3), 3);
        process = json_deep_copy(in_config(&c, "process"));
        json_object_set_new(process, "args", json_pack("[s]", "nonesuch"));
        fds.target_pidfd = c.process.pidfd;
        assert_int_equal(plan_process(process, c.config, &c.options, &fds.plan, &c.err), 0);
        assert_true(exec_process(&fds, &p, &c.err) < 0);
        assert_int_equal(c.err.kind, ERR_NO_COMMAND);
        close(fds.plan);
        kill(c.process.pid, SIGTERM);
        assert_int_equal(wait_status(c.process.pid), 0);
        container_done(&c);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(container_is_what_was_asked_for),
                cmocka_unit_test(only_three_files_are_open),
                cmocka_unit_test(cgroups_are_seen_from_inside_and_read_only),
                cmocka_unit_test(cgroup_is_entered),
                cmocka_unit_test(host_network_in_a_user_namespace_has_a_sysfs),
                cmocka_unit_test(exit_status_and_signals_arrive),
                cmocka_unit_test(root_can_be_read_only),
                cmocka_unit_test(user_groups_umask_and_cwd),
                cmocka_unit_test(ambient_capabilities_and_no_new_privileges),
                cmocka_unit_test(limits_and_oom_score),
                cmocka_unit_test(filter_forbids_what_it_says),
                cmocka_unit_test(sysctls_of_own_namespaces),
                cmocka_unit_test(namespaces_are_joined_by_path),
                cmocka_unit_test(time_has_its_own_offset),
                cmocka_unit_test(bind_mounts_are_idmapped_made_and_read_only),
                cmocka_unit_test(devices_are_the_ones_meant),
                cmocka_unit_test(another_device_of_that_name_is_refused),
                cmocka_unit_test(masks_hide_files_and_directories),
                cmocka_unit_test(idmap_by_maps_of_the_mount),
                cmocka_unit_test(file_system_without_idmap_is_said),
                cmocka_unit_test(missing_source_is_named),
                cmocka_unit_test(symlinked_mount_points_are_refused),
                cmocka_unit_test(symlinked_bind_target_stays_inside),
                cmocka_unit_test(host_mount_table_does_not_change),
                cmocka_unit_test(commands_that_cannot_be_run),
                cmocka_unit_test(working_directory_must_exist),
                cmocka_unit_test(working_directory_through_a_leaked_fd_is_refused),
                cmocka_unit_test(gate_holds_until_released),
                cmocka_unit_test(container_dies_with_its_caller_before_the_start),
                cmocka_unit_test(fifo_gate_outlives_its_creator),
                cmocka_unit_test(terminal_is_the_containers_own),
                cmocka_unit_test(exec_joins_a_running_container),
                cmocka_unit_test(exec_of_a_missing_command),
        };

        if (geteuid() != 0 || (access("/bin/busybox", X_OK) != 0 && access("/usr/bin/busybox", X_OK) != 0)) {
                print_message("1..0 # SKIP needs root and busybox-static\n");
                return 0;
        }
        return cmocka_run_group_tests(tests, NULL, remove_what_is_left);
}
