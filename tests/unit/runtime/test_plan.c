/* SPDX-License-Identifier: Apache-2.0 */

/* The planner: what it refuses, naming the field; and that what it makes is a plan that the executor's check takes. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "runtime/exec/exec.h"
#include "runtime/plan/plan.h"

static const char base_config[] =
        "{ \"ociVersion\": \"1.0.2\", \"root\": { \"path\": \"/rootfs\" }, \"hostname\": \"box\","
        "  \"process\": { \"args\": [\"true\"], \"cwd\": \"/\", \"user\": { \"uid\": 0, \"gid\": 0 } },"
        "  \"mounts\": [ { \"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\" } ],"
        "  \"linux\": { \"namespaces\": [ {\"type\": \"mount\"}, {\"type\": \"pid\"}, {\"type\": \"uts\"}, {\"type\": \"network\"}, {\"type\": \"ipc\"} ] } }";

static json_t *parse(const char *text) {
        json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);

        assert_non_null(v);
        return v;
}

/* Set "linux.sysctl" and the like; the objects on the way are there or are made. */
static void set_at(json_t *object, const char *path, const char *value) {
        char part[64];
        const char *dot;

        while ((dot = strchr(path, '.'))) {
                json_t *next;

                snprintf(part, sizeof(part), "%.*s", (int) (dot - path), path);
                next = json_object_get(object, part);
                if (!next) {
                        next = json_object();
                        json_object_set_new(object, part, next);
                }
                object = next;
                path = dot + 1;
        }
        json_object_set_new(object, path, parse(value));
}

/* The kind of the error, ERR_NONE when a plan was made; the message in `message`. */
static enum err_kind plan_with(const char *path, const char *value, struct plan_options options, char message[496]) {
        auto_json *config = parse(base_config);
        struct err err = { 0 };
        auto_fd fd = -EBADF;

        if (path)
                set_at(config, path, value);
        if (plan_container(config, &options, &fd, &err) == 0) {
                assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
                return ERR_NONE;
        }
        assert_true(err.num < 0);
        assert_int_equal(fd, -EBADF);
        strcpy(message, err.msg);
        return err.kind;
}

struct row {
        const char *path, *value;
        enum err_kind kind;
        const char *names; /* is in the message */
};

static void check_rows(const struct row *rows, size_t n) {
        for (size_t i = 0; i < n; i++) {
                char message[496] = "";
                enum err_kind kind = plan_with(rows[i].path, rows[i].value, (struct plan_options) { 0 }, message);

                if (kind != rows[i].kind || (rows[i].names && !strstr(message, rows[i].names)))
                        fail_msg("%s = %s: got \"%s\": %s", rows[i].path, rows[i].value, err_kind_name(kind), message);
        }
}
#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof(*(rows)))

static void accepts(void **state) {
        static const struct row rows[] = {
                { NULL, NULL, ERR_NONE, NULL },
                { "process.user", "{\"uid\": 2147483647, \"gid\": 1, \"additionalGids\": [1, 2], \"umask\": 63}", ERR_NONE, NULL },
                { "process.rlimits", "[{\"type\": \"RLIMIT_NOFILE\", \"soft\": 10, \"hard\": 20}]", ERR_NONE, NULL },
                { "process.rlimits", "[{\"type\": \"RLIMIT_CORE\", \"soft\": 0, \"hard\": 18446744073709551615.0}]", ERR_NONE, NULL },
                { "process.capabilities", "{\"bounding\": [\"CAP_CHOWN\", \"CAP_OF_TOMORROW\"]}", ERR_NONE, NULL },
                { "process.apparmorProfile", "\"\"", ERR_NONE, NULL },
                { "hooks", "{\"prestart\": []}", ERR_NONE, NULL },
                { "unknown", "{\"a\": 1}", ERR_NONE, NULL },
                { "linux.sysctl", "{\"net.ipv4.ip_forward\": \"1\", \"kernel.shmmax\": \"1\", \"net/ipv4/conf/eth0.1/forwarding\": \"0\"}", ERR_NONE, NULL },
                { "mounts", "[{\"destination\": \"/x\", \"type\": \"bind\", \"source\": \"/etc\", \"options\": [\"rbind\", \"rro\", \"rslave\"]}]", ERR_NONE, NULL },
                { "mounts", "[{\"destination\": \"/proc/cpuinfo\", \"type\": \"bind\", \"source\": \"/etc/passwd\"}]", ERR_NONE, NULL },
                { "mounts", "[{\"destination\": \"/t\", \"type\": \"tmpfs\", \"source\": \"tmpfs\", \"options\": [\"size=1m\", \"nosuid\"]}]", ERR_NONE, NULL },
                { "linux.devices", "[{\"path\": \"/dev/fuse\", \"type\": \"c\", \"major\": 10, \"minor\": 229, \"fileMode\": 438}]", ERR_NONE, NULL },
                { "linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"chmod\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 38}]}", ERR_NONE, NULL },
        };

        CHECK(rows);
}

static void refuses_invalid(void **state) {
        static const struct row rows[] = {
                { "ociVersion", "\"2.0.0\"", ERR_INVALID, "ociVersion" },
                { "process", "7", ERR_INVALID, "process: must be an object" },
                { "process.args", "[]", ERR_INVALID, "process.args" },
                { "process.args", "\"sh\"", ERR_INVALID, "process.args: must be an array" },
                { "process.args", "[\"sh\", 1]", ERR_INVALID, "process.args[1]" },
                { "process.env", "[\"PATH\"]", ERR_INVALID, "process.env[0]" },
                { "process.env", "[\"=x\"]", ERR_INVALID, "process.env[0]" },
                { "process.cwd", "\"tmp\"", ERR_INVALID, "process.cwd" },
                { "process.cwd", "null", ERR_INVALID, "process.cwd" },
                { "process.user", "{\"uid\": -1, \"gid\": 0}", ERR_INVALID, "process.user.uid: -1" },
                { "process.user", "{\"uid\": 2147483648, \"gid\": 0}", ERR_INVALID, "process.user.uid" },
                { "process.user", "{\"uid\": \"root\"}", ERR_INVALID, "process.user.uid: must be an integer" },
                { "process.user", "{\"additionalGids\": [-4]}", ERR_INVALID, "process.user.additionalGids[0]" },
                { "process.rlimits", "[{\"type\": \"RLIMIT_FOO\", \"soft\": 1, \"hard\": 1}]", ERR_INVALID, "process.rlimits[0].type" },
                { "process.rlimits", "[{\"type\": \"RLIMIT_CPU\", \"soft\": 2, \"hard\": 1}]", ERR_INVALID, "process.rlimits[0]" },
                { "process.rlimits", "[{\"type\": \"RLIMIT_CPU\", \"soft\": 1, \"hard\": 1},{\"type\": \"RLIMIT_CPU\", \"soft\": 1, \"hard\": 1}]", ERR_INVALID, "twice" },
                { "process.oomScoreAdj", "1001", ERR_INVALID, "process.oomScoreAdj" },
                { "process.capabilities", "{\"bounding\": [\"CHOWN\"]}", ERR_INVALID, "process.capabilities.bounding[0]" },
                { "process.terminal", "1", ERR_INVALID, "process.terminal: must be true or false" },
                { "process.consoleSize", "{\"height\": 70000, \"width\": 1}", ERR_INVALID, "process.consoleSize.height" },
                { "root", "{}", ERR_INVALID, "root.path" },
                { "root", "{\"path\": \"relative\"}", ERR_INVALID, "root.path" },
                { "mounts", "[{\"destination\": \"x\", \"type\": \"tmpfs\"}]", ERR_INVALID, "mounts[0].destination" },
                { "mounts", "[{\"destination\": \"/a/../b\", \"type\": \"tmpfs\"}]", ERR_INVALID, "mounts[0].destination" },
                { "mounts", "[{\"destination\": \"/\", \"type\": \"tmpfs\"}]", ERR_INVALID, "mounts[0].destination" },
                { "mounts", "[{\"destination\": \"/a\"}]", ERR_INVALID, "mounts[0].type" },
                { "mounts", "[{\"destination\": \"/a\", \"type\": \"bind\"}]", ERR_INVALID, "mounts[0].source" },
                { "mounts", "[{\"destination\": \"/a\", \"type\": \"bind\", \"source\": \"/b\", \"options\": [\"rwx\"]}]", ERR_INVALID, "\"rwx\"" },
                { "mounts", "[{\"destination\": \"/a\", \"type\": \"bind\", \"source\": \"/b\", \"options\": [\"idmap\"]}]", ERR_INVALID, "idmap" },
                { "mounts", "[{\"destination\": \"/proc\", \"type\": \"tmpfs\"}]", ERR_DENIED, "/proc" },
                { "mounts", "[{\"destination\": \"//proc/./sys\", \"type\": \"bind\", \"source\": \"/etc\"}]", ERR_DENIED, "inside of /proc" },
                { "linux.namespaces", "[{\"type\": \"pid\"}]", ERR_INVALID, "mount namespace" },
                { "linux.namespaces", "[{\"type\": \"mount\"}, {\"type\": \"mount\"}]", ERR_INVALID, "linux.namespaces[1]" },
                { "linux.namespaces", "[{\"type\": \"moon\"}]", ERR_INVALID, "linux.namespaces[0].type" },
                { "linux.namespaces", "[{\"type\": \"mount\"}, {\"type\": \"user\"}, {\"type\": \"uts\"}]", ERR_INVALID, "linux.uidMappings" },
                { "linux.uidMappings", "[{\"containerID\": 0, \"hostID\": 0, \"size\": 1}]", ERR_INVALID, "linux.uidMappings" },
                { "linux.timeOffsets", "{\"monotonic\": {\"secs\": 1}}", ERR_INVALID, "time namespace" },
                { "linux.rootfsPropagation", "\"sideways\"", ERR_INVALID, "linux.rootfsPropagation" },
                { "linux.maskedPaths", "[\"proc/kcore\"]", ERR_INVALID, "linux.maskedPaths[0]" },
                { "linux.devices", "[{\"path\": \"/dev/x\", \"type\": \"z\"}]", ERR_INVALID, "linux.devices[0].type" },
                { "linux.devices", "[{\"path\": \"/dev/../etc/x\", \"type\": \"c\", \"major\": 1, \"minor\": 1}]", ERR_INVALID, "linux.devices[0].path" },
                { "linux.sysctl", "{\"kernel.hostname\": \"x\"}", ERR_INVALID, "hostname" },
                { "linux.sysctl", "{\"kernel.panic\": \"1\"}", ERR_INVALID, "kernel.panic" },
                { "linux.sysctl", "{\"net.ipv4/../../kernel/panic\": \"1\"}", ERR_INVALID, "linux.sysctl" },
                { "linux.sysctl", "{\"net/../kernel/panic\": \"1\"}", ERR_INVALID, "linux.sysctl" },
                { "linux.sysctl", "{\"net.core.somaxconn\": \"1\\n2\"}", ERR_INVALID, "control characters" },
                { "linux.sysctl", "{\"net.core.somaxconn\": 1}", ERR_INVALID, "must be a string" },
                { "linux.seccomp", "{\"defaultAction\": \"ALLOW\"}", ERR_INVALID, "linux.seccomp.defaultAction" },
                { "linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"architectures\": [\"SCMP_ARCH_PDP11\"]}", ERR_INVALID, "linux.seccomp.architectures[0]" },
                { "process.scheduler", "{\"nice\": 1}", ERR_INVALID, "process.scheduler.policy" },
                { "process.scheduler", "{\"policy\": \"SCHED_ISO\"}", ERR_INVALID, "process.scheduler.policy" },
                { "process.scheduler", "{\"policy\": \"SCHED_OTHER\", \"nice\": 20}", ERR_INVALID, "process.scheduler.nice" },
                { "process.scheduler", "{\"policy\": \"SCHED_FIFO\", \"nice\": 1}", ERR_INVALID, "process.scheduler.nice" },
                { "process.scheduler", "{\"policy\": \"SCHED_OTHER\", \"priority\": 1}", ERR_INVALID, "process.scheduler.priority" },
                { "process.scheduler", "{\"policy\": \"SCHED_RR\", \"runtime\": 1}", ERR_INVALID, "SCHED_DEADLINE" },
                { "process.scheduler", "{\"policy\": \"SCHED_RR\", \"flags\": [\"SCHED_FLAG_FAST\"]}", ERR_INVALID, "process.scheduler.flags[0]" },
                { "process.ioPriority", "{\"priority\": 1}", ERR_INVALID, "process.ioPriority.class" },
                { "process.ioPriority", "{\"class\": \"IOPRIO_CLASS_BE\", \"priority\": 8}", ERR_INVALID, "process.ioPriority.priority" },
                { "process.execCPUAffinity", "{\"initial\": \"0,\"}", ERR_INVALID, "process.execCPUAffinity.initial" },
                { "process.execCPUAffinity", "{\"initial\": \"3-1\"}", ERR_INVALID, "process.execCPUAffinity.initial" },
                { "process.execCPUAffinity", "{\"final\": \"1024\"}", ERR_INVALID, "process.execCPUAffinity.final" },
                { "process.execCPUAffinity", "{\"final\": \"0 1\"}", ERR_INVALID, "process.execCPUAffinity.final" },
                { "linux.personality", "{\"domain\": \"LINUX64\"}", ERR_INVALID, "linux.personality.domain" },
                { "linux.personality", "{\"domain\": \"LINUX\", \"flags\": [\"ADDR_NO_RANDOMIZE\"]}", ERR_INVALID, "linux.personality.flags[0]" },
                { "linux.memoryPolicy", "{\"mode\": \"MPOL_FAR\"}", ERR_INVALID, "linux.memoryPolicy.mode" },
                { "linux.memoryPolicy", "{\"mode\": \"MPOL_BIND\", \"nodes\": \"x\"}", ERR_INVALID, "linux.memoryPolicy.nodes" },
                { "linux.memoryPolicy", "{\"mode\": \"MPOL_BIND\", \"nodes\": \"0\", \"flags\": [\"MPOL_F_NONE\"]}", ERR_INVALID, "linux.memoryPolicy.flags[0]" },
                { "domainname", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", ERR_INVALID, "domainname" },
                { "process.user", "{\"gid\": 0}", ERR_INVALID, "process.user.uid: missing" },
                { "process.user", "{\"uid\": 0}", ERR_INVALID, "process.user.gid: missing" },
                { "annotations", "7", ERR_INVALID, "annotations: must be an object" },
                { "annotations", "{\"a\": 7}", ERR_INVALID, "annotations.a: must be a string" },
                { "process.rlimits", "[{\"type\": \"RLIMIT_CPU\", \"soft\": 1, \"hard\": 1.5}]", ERR_INVALID, "process.rlimits[0].hard" },
                { "linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"action\": \"SCMP_ACT_LOG\"}]}", ERR_INVALID, "linux.seccomp.syscalls[0].names: missing" },
                { "linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"chmod\"], \"action\": \"SCMP_ACT_LOG\", \"args\": [{\"index\": 1, \"op\": \"SCMP_CMP_EQ\"}]}]}", ERR_INVALID, "linux.seccomp.syscalls[0].args[0].value: missing" },
                { "linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"chmod\"], \"action\": \"SCMP_ACT_LOG\", \"args\": [{\"index\": 1, \"value\": 1.5, \"op\": \"SCMP_CMP_EQ\"}]}]}", ERR_INVALID, "linux.seccomp.syscalls[0].args[0].value" },
                { "process.user", "{\"umask\": 512}", ERR_INVALID, "process.user.umask" },
                { "process.user", "{\"additionalGids\": [-1]}", ERR_INVALID, "process.user.additionalGids[0]" },
                { "linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_NOTIFY\"}", ERR_INVALID, "linux.seccomp.defaultAction" },
                { "linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"mount\"], \"action\": \"SCMP_ACT_NOTIFY\"}]}", ERR_INVALID, "linux.seccomp.listenerPath" },
                { "linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"listenerPath\": \"relative\", \"syscalls\": [{\"names\": [\"mount\"], \"action\": \"SCMP_ACT_NOTIFY\"}]}", ERR_INVALID, "linux.seccomp.listenerPath" },
                { "linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"listenerPath\": \"/s\", \"syscalls\": [{\"names\": [\"mount\"], \"action\": \"SCMP_ACT_NOTIFY\"}]}", ERR_INVALID, "has not said the id" },
                { "linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"listenerMetadata\": \"x\"}", ERR_INVALID, "linux.seccomp.listenerMetadata" },
                { "linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"flags\": [\"SECCOMP_FILTER_FLAG_FAST\"]}", ERR_INVALID, "linux.seccomp.flags[0]" },
                { "linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"flags\": [\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"]}", ERR_INVALID, "WAIT_KILLABLE_RECV" },
                { "linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"mount\"], \"action\": \"SCMP_ACT_NOTIFY\", \"errnoRet\": 1}], \"listenerPath\": \"/s\"}", ERR_INVALID, "has not said the id" },
                { "process.apparmorProfile", "\"a\\nb\"", ERR_INVALID, "process.apparmorProfile" },
                { "process.selinuxLabel", "\"unlabelled\"", ERR_INVALID, "process.selinuxLabel" },
                { "process.selinuxLabel", "\"a:b c:d\"", ERR_INVALID, "process.selinuxLabel" },
                { "linux.mountLabel", "7", ERR_INVALID, "linux.mountLabel" },
                { "linux.netDevices", "{\"eth/0\": {}}", ERR_INVALID, "linux.netDevices" },
                { "linux.netDevices", "{\"eth0\": 1}", ERR_INVALID, "linux.netDevices.eth0" },
                { "linux.netDevices", "{\"eth0\": {\"name\": \"eth%d\"}}", ERR_INVALID, "linux.netDevices.eth0.name" },
                { "linux.netDevices", "{\"eth0\": {\"name\": \"a23456789012345x\"}}", ERR_INVALID, "linux.netDevices.eth0.name" },
                { "mounts", "[{\"destination\": \"/a\", \"type\": \"ramfs\", \"options\": [\"tmpcopyup\"]}]", ERR_INVALID, "tmpcopyup" },
                { "mounts", "[{\"destination\": \"/a\", \"type\": \"bind\", \"source\": \"/b\", \"options\": [\"tmpcopyup\"]}]", ERR_INVALID, "tmpcopyup" },
                { "mounts", "[{\"destination\": \"/a\", \"options\": [\"remount\", \"size=1m\"]}]", ERR_INVALID, "\"size=1m\" cannot be changed" },
                { "linux.namespaces", "[{\"type\": \"mount\", \"path\": \"/proc/self/ns/mnt\"}, {\"type\": \"uts\"}]", ERR_INVALID, "mount namespace" },
                { "root", "{\"path\": \"/r\", \"readonly\": 1}", ERR_INVALID, "root.readonly" },
                { "process.noNewPrivileges", "\"yes\"", ERR_INVALID, "process.noNewPrivileges" },
                { "process.consoleSize", "{\"height\": 1, \"width\": -1}", ERR_INVALID, "process.consoleSize.width" },
                { "process.user", "{\"uid\": 0, \"gid\": 4294967295}", ERR_INVALID, "process.user.gid" },
                { "process.rlimits", "[{\"type\": \"RLIMIT_CPU\", \"hard\": 1}]", ERR_INVALID, "process.rlimits[0].soft" },
                { "process.rlimits", "[{\"type\": \"RLIMIT_CPU\", \"soft\": 1, \"hard\": \"x\"}]", ERR_INVALID, "process.rlimits[0].hard" },
                { "process.capabilities", "{\"effective\": [\"x\"]}", ERR_INVALID, "process.capabilities.effective[0]" },
                { "process.capabilities", "{\"permitted\": [\"x\"]}", ERR_INVALID, "process.capabilities.permitted[0]" },
                { "process.capabilities", "{\"inheritable\": [\"x\"]}", ERR_INVALID, "process.capabilities.inheritable[0]" },
                { "process.capabilities", "{\"ambient\": \"x\"}", ERR_INVALID, "process.capabilities.ambient" },
                { "process.scheduler", "{\"policy\": \"SCHED_DEADLINE\", \"runtime\": -1}", ERR_INVALID, "process.scheduler.runtime" },
                { "process.scheduler", "{\"policy\": \"SCHED_DEADLINE\", \"deadline\": -1}", ERR_INVALID, "process.scheduler.deadline" },
                { "process.scheduler", "{\"policy\": \"SCHED_DEADLINE\", \"period\": -1}", ERR_INVALID, "process.scheduler.period" },
                { "mounts", "[{\"destination\": \"/a\", \"type\": \"tmpfs\", \"options\": \"ro\"}]", ERR_INVALID, "mounts[0].options" },
                { "mounts", "[{\"destination\": \"/a\", \"type\": \"bind\", \"source\": \"/b\", \"uidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 1}]}]", ERR_INVALID, "mounts[0]: uidMappings and gidMappings" },
                { "mounts", "[{\"destination\": \"/a\", \"type\": \"bind\", \"source\": \"/b\", \"gidMappings\": [{\"containerID\": 0, \"hostID\": 0}]}]", ERR_INVALID, "mounts[0].gidMappings[0]" },
                { "linux", "{\"namespaces\": [{\"type\": \"mount\"}, {\"type\": \"pid\", \"path\": \"ns/pid\"}]}", ERR_INVALID, "linux.namespaces[1].path" },
                { "linux", "{\"namespaces\": [{\"type\": \"mount\"}, {\"type\": \"user\"}], \"uidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 0}]}", ERR_INVALID, "linux.uidMappings[0].size" },
                { "linux", "{\"namespaces\": [{\"type\": \"mount\"}, {\"type\": \"user\"}], \"uidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 1}]}", ERR_INVALID, "linux.gidMappings" },
                { "linux", "{\"namespaces\": [{\"type\": \"mount\"}, {\"type\": \"time\"}], \"timeOffsets\": {\"realtime\": {\"secs\": 1}}}", ERR_INVALID, "linux.timeOffsets.realtime" },
                { "linux", "{\"namespaces\": [{\"type\": \"mount\"}, {\"type\": \"time\"}], \"timeOffsets\": {\"monotonic\": {\"secs\": \"1\"}}}", ERR_INVALID, "linux.timeOffsets.monotonic.secs" },
                { "linux", "{\"namespaces\": [{\"type\": \"mount\"}, {\"type\": \"time\"}], \"timeOffsets\": {\"boottime\": {\"nanosecs\": 1000000000}}}", ERR_INVALID, "linux.timeOffsets.boottime.nanosecs" },
                { "linux", "{\"namespaces\": [{\"type\": \"mount\"}, {\"type\": \"uts\"}], \"netDevices\": {\"eth0\": {}}}", ERR_INVALID, "linux.netDevices: needs a network namespace" },
                { "linux.devices", "[{\"path\": \"/dev/x\", \"type\": \"c\", \"minor\": 1}]", ERR_INVALID, "linux.devices[0]: major and minor" },
                { "linux.devices", "[{\"path\": \"/dev/x\", \"type\": \"c\", \"major\": 4096, \"minor\": 1}]", ERR_INVALID, "linux.devices[0].major" },
                { "linux.devices", "[{\"path\": \"/dev/x\", \"type\": \"c\", \"major\": 1, \"minor\": -1}]", ERR_INVALID, "linux.devices[0].minor" },
                { "linux.devices", "[{\"path\": \"/dev/x\", \"type\": \"p\", \"fileMode\": \"0666\"}]", ERR_INVALID, "linux.devices[0].fileMode" },
                { "linux.devices", "[{\"path\": \"/dev/x\", \"type\": \"p\", \"uid\": -1}]", ERR_INVALID, "linux.devices[0].uid" },
                { "linux.devices", "[{\"path\": \"/dev/x\", \"type\": \"p\", \"gid\": -1}]", ERR_INVALID, "linux.devices[0].gid" },
                { "linux.readonlyPaths", "[\"proc/sys\"]", ERR_INVALID, "linux.readonlyPaths[0]" },
                { "linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 5000}", ERR_INVALID, "linux.seccomp.defaultErrnoRet" },
                { "linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [1], \"action\": \"SCMP_ACT_LOG\"}]}", ERR_INVALID, "linux.seccomp.syscalls[0].names[0]" },
                { "linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"chmod\"], \"action\": \"SCMP_ACT_NO\"}]}", ERR_INVALID, "linux.seccomp.syscalls[0].action" },
                { "linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"chmod\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": -1}]}", ERR_INVALID, "linux.seccomp.syscalls[0].errnoRet" },
                { "linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"chmod\"], \"action\": \"SCMP_ACT_LOG\", \"args\": [{\"index\": 6, \"op\": \"SCMP_CMP_EQ\"}]}]}", ERR_INVALID, "linux.seccomp.syscalls[0].args[0].index" },
                { "linux.seccomp", "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"chmod\"], \"action\": \"SCMP_ACT_LOG\", \"args\": [{\"index\": 1, \"op\": \"==\"}]}]}", ERR_INVALID, "linux.seccomp.syscalls[0].args[0].op" },
                { "hooks", "{\"poststop\": [{\"path\": \"true\"}]}", ERR_INVALID, "hooks.poststop[0].path" },
                { "hooks", "{\"prestart\": [{}]}", ERR_INVALID, "hooks.prestart[0].path" },
                { "hooks", "{\"createRuntime\": [7]}", ERR_INVALID, "hooks.createRuntime[0]" },
                { "hooks", "{\"createContainer\": {}}", ERR_INVALID, "hooks.createContainer" },
                { "hooks", "{\"poststart\": [{\"path\": \"/x\", \"timeout\": 0}]}", ERR_INVALID, "hooks.poststart[0].timeout" },
                { "hooks", "{\"startContainer\": [{\"path\": \"/x\", \"env\": [\"A\"]}]}", ERR_INVALID, "hooks.startContainer[0].env[0]" },
                { "hooks", "{\"startContainer\": [{\"path\": \"/x\", \"args\": [1]}]}", ERR_INVALID, "hooks.startContainer[0].args[0]" },
                { "hostname", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", ERR_INVALID, "hostname" },
        };

        CHECK(rows);
}

/* Fields that would be a promise: never ignored. */
static void refuses_unsupported(void **state) {
        static const struct row rows[] = {
                { "linux.intelRdt", "{\"closID\": \"x\"}", ERR_UNSUPPORTED, "linux.intelRdt" },
        };

        CHECK(rows);
}

/* A label that nobody would enforce is refused; where somebody would, a plan is made. */
static void labels_need_their_security_module(void **state) {
        static const struct row rows[] = {
                { "process.apparmorProfile", "\"strict\"", ERR_UNSUPPORTED, "process.apparmorProfile: this host has no AppArmor" },
                { "process.selinuxLabel", "\"a:b:c:s0\"", ERR_UNSUPPORTED, "process.selinuxLabel: this host has no SELinux" },
                { "linux.mountLabel", "\"a:b:c:s0\"", ERR_UNSUPPORTED, "linux.mountLabel: this host has no SELinux" },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                bool there = access(i == 0 ? "/sys/module/apparmor" : "/sys/fs/selinux/enforce", F_OK) == 0;
                struct row row = rows[i];

                if (there)
                        row = (struct row) { row.path, row.value, ERR_NONE, NULL };
                check_rows(&row, 1);
        }
}

/* The host's own namespace under another name is the host's: its sysctls are not the container's to set. */
static void host_network_by_path_has_no_sysctls(void **state) {
        auto_json *config = parse(base_config);
        struct plan_options options = { 0 };
        struct err err = { 0 };
        int fd = -1;

        set_at(config, "linux.namespaces", "[{\"type\": \"mount\"}, {\"type\": \"uts\"}, {\"type\": \"network\", \"path\": \"/proc/self/ns/net\"}]");
        set_at(config, "linux.sysctl", "{\"net.ipv4.ip_forward\": \"1\"}");
        assert_true(plan_container(config, &options, &fd, &err) < 0);
        assert_non_null(strstr(err.msg, "needs a network namespace of its own"));
}

static void relative_paths_need_a_bundle(void **state) {
        char message[496];
        struct plan_options options = { .bundle = "/bundle" };

        assert_int_equal(plan_with("root", "{\"path\": \"rootfs\"}", options, message), ERR_NONE);
}

static void nul_in_a_text_is_refused(void **state) {
        auto_json *config = parse(base_config);
        struct plan_options options = { 0 };
        struct err err = { 0 };
        int fd = -1;

        json_object_set_new(json_object_get(config, "process"), "args", json_pack("[o]", json_stringn("sh\0-c", 5)));
        assert_true(plan_container(config, &options, &fd, &err) < 0);
        assert_int_equal(err.kind, ERR_INVALID);
}

static int plan_filtered(const char *cache_dir, unsigned number, char **ret, size_t *ret_size) {
        auto_json *config = parse(base_config);
        struct plan_options options = { .cache_dir = cache_dir };
        char profile[128];
        struct err err = { 0 };
        auto_fd fd = -EBADF;

        snprintf(profile, sizeof(profile), "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": %u}", number);
        set_at(config, "linux.seccomp", profile);
        if (plan_container(config, &options, &fd, &err) < 0)
                return err.num;
        return fd_read_file(fd, 1 << 20, ret, ret_size);
}

/* A filter from the directory is the one that would be compiled; a damaged file and a directory open to others are as none. */
static void filters_are_cached(void **state) {
        char dir[] = "/tmp/kist-cache-XXXXXX", name[64] = "";
        auto_free char *first = NULL, *other = NULL, *second = NULL, *third = NULL;
        size_t n_first, n;
        int fd, found = 0;

        assert_non_null(mkdtemp(dir));
        assert_int_equal(plan_filtered(dir, 11, &first, &n_first), 0);
        for (int slot = 0; slot < 16; slot++) {
                char path[64];

                snprintf(path, sizeof(path), "%s/filter-%d", dir, slot);
                if (access(path, R_OK) == 0) {
                        strcpy(name, path);
                        found++;
                }
        }
        assert_int_equal(found, 1);
        assert_int_equal(plan_filtered(NULL, 12, &other, &n), 0); /* so that memory no longer has it */
        assert_int_equal(plan_filtered(dir, 11, &second, &n), 0);
        assert_int_equal(n, n_first);
        assert_memory_equal(first, second, n);
        free(other);
        assert_int_equal(plan_filtered(NULL, 12, &other, &n), 0);
        fd = open(name, O_WRONLY | O_CLOEXEC);
        assert_true(lseek(fd, -3, SEEK_END) > 0);
        assert_int_equal(write(fd, "xyz", 3), 3);
        close(fd);
        assert_int_equal(plan_filtered(dir, 11, &third, &n), 0);
        assert_memory_equal(first, third, n_first);
        assert_int_equal(unlink(name), 0);
        assert_int_equal(chmod(dir, 0777), 0);
        free(other);
        assert_int_equal(plan_filtered(dir, 13, &other, &n), 0);
        assert_int_equal(rmdir(dir), 0); /* still empty */
}

/* The executor believes no file that is not a sealed plan of the right kind. */
static void executor_refuses_what_is_no_plan(void **state) {
        auto_json *config = parse(base_config);
        struct plan_options options = { .rootfs_by_fd = true };
        struct exec_fds fds = { .rootfs = -1, .userns = -1, .netns = -1, .cgroup_v2 = -1, .stdio = { -1, -1, -1 }, .target_pidfd = -1, .listen = -1 };
        struct exec_process p;
        struct err err = { 0 };
        auto_fd plan = -EBADF, other = -EBADF;

        assert_int_equal(plan_container(config, &options, &plan, &err), 0);
        fds.plan = plan;
        assert_true(exec_process(&fds, &p, &err) < 0); /* it is a container's */
        other = open("/dev/zero", O_RDONLY | O_CLOEXEC);
        fds.plan = other;
        assert_true(exec_container(&fds, &p, &err) < 0);
        assert_non_null(strstr(err.msg, "not a sealed memory file"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(accepts),
                cmocka_unit_test(refuses_invalid),
                cmocka_unit_test(refuses_unsupported),
                cmocka_unit_test(labels_need_their_security_module),
                cmocka_unit_test(host_network_by_path_has_no_sysctls),
                cmocka_unit_test(relative_paths_need_a_bundle),
                cmocka_unit_test(nul_in_a_text_is_refused),
                cmocka_unit_test(filters_are_cached),
                cmocka_unit_test(executor_refuses_what_is_no_plan),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
