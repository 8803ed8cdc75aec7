/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/container-options.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"

#include <fcntl.h>

const struct option container_options[] = {
        { 0, "add-host", OPTION_LIST, "HOST:IP", "Add a line to the container's /etc/hosts" },
        { 'a', "attach", OPTION_LIST, "STREAM", "Attach to stdin, stdout or stderr" },
        { 0, "cap-add", OPTION_LIST, "CAP", "Add a capability (ALL for every one)" },
        { 0, "cap-drop", OPTION_LIST, "CAP", "Drop a capability (ALL for every one)" },
        { 0, "cgroupns", OPTION_TEXT, "MODE", "Cgroup namespace: private or host" },
        { 0, "cidfile", OPTION_TEXT, "FILE", "Write the container's id to this file" },
        { 0, "cpu-period", OPTION_TEXT, "MICROSECONDS", "Period of the CPU quota" },
        { 0, "cpu-quota", OPTION_TEXT, "MICROSECONDS", "CPU time per period" },
        { 'c', "cpu-shares", OPTION_TEXT, "SHARES", "Weight against other containers (1024 is usual)" },
        { 0, "cpus", OPTION_TEXT, "NUMBER", "CPUs to use at most, such as 1.5" },
        { 0, "cpuset-cpus", OPTION_TEXT, "LIST", "CPUs to run on, such as 0-2,4" },
        { 0, "cpuset-mems", OPTION_TEXT, "LIST", "Memory nodes to use" },
        { 0, "detach-keys", OPTION_TEXT, "KEYS", "Keys that detach, such as ctrl-p,ctrl-q" },
        { 0, "device", OPTION_LIST, "DEVICE", "Give the container a device of the host" },
        { 0, "dns", OPTION_LIST, "IP", "Name servers" },
        { 0, "dns-option", OPTION_LIST, "OPTION", "Options of resolv.conf" },
        { 0, "dns-search", OPTION_LIST, "DOMAIN", "Search domains" },
        { 0, "domainname", OPTION_TEXT, "NAME", "NIS domain name" },
        { 0, "entrypoint", OPTION_TEXT, "COMMAND", "Instead of the image's entry point" },
        { 'e', "env", OPTION_LIST, "NAME=VALUE", "Set a variable; NAME alone takes ours" },
        { 0, "env-file", OPTION_LIST, "FILE", "Variables from a file, one per line" },
        { 0, "expose", OPTION_LIST, "PORT", "Note a port that the container serves" },
        { 0, "group-add", OPTION_LIST, "GROUP", "One more group for the process" },
        { 'h', "hostname", OPTION_TEXT, "NAME", "The container's host name" },
        { 0, "init", OPTION_FLAG, NULL, "Run a small init that reaps processes" },
        { 'i', "interactive", OPTION_FLAG, NULL, "Keep standard input open" },
        { 0, "ipc", OPTION_TEXT, "MODE", "IPC namespace: private, shareable, host or none" },
        { 'l', "label", OPTION_LIST, "KEY=VALUE", "A label" },
        { 0, "label-file", OPTION_LIST, "FILE", "Labels from a file, one per line" },
        { 0, "log-driver", OPTION_TEXT, "DRIVER", "Where output is kept: json-file or none" },
        { 0, "log-opt", OPTION_LIST, "KEY=VALUE", "Options of the log: max-size, max-file" },
        { 'm', "memory", OPTION_TEXT, "BYTES", "Memory limit, such as 64m" },
        { 0, "memory-reservation", OPTION_TEXT, "BYTES", "Soft memory limit" },
        { 0, "memory-swap", OPTION_TEXT, "BYTES", "Memory and swap together (-1: no limit)" },
        { 0, "mount", OPTION_LIST, "SPEC", "type=bind|tmpfs,source=…,target=…[,readonly]" },
        { 0, "name", OPTION_TEXT, "NAME", "The container's name" },
        { 0, "network", OPTION_TEXT, "MODE", "bridge, host or none" },
        { 0, "net", OPTION_TEXT, "MODE", "The same as --network" },
        { 0, "oom-score-adj", OPTION_TEXT, "NUMBER", "-1000 to 1000" },
        { 0, "pid", OPTION_TEXT, "MODE", "PID namespace: host, or its own" },
        { 0, "pids-limit", OPTION_TEXT, "NUMBER", "Processes at most (-1: no limit)" },
        { 0, "platform", OPTION_TEXT, "OS/ARCH", "Platform, when the image has several" },
        { 0, "privileged", OPTION_FLAG, NULL, "All capabilities and devices, the host's user ids" },
        { 'p', "publish", OPTION_LIST, "PORTS", "Publish a port on the host" },
        { 0, "pull", OPTION_TEXT, "WHEN", "always, missing or never (default missing)" },
        { 0, "read-only", OPTION_FLAG, NULL, "Make the root file system read-only" },
        { 0, "restart", OPTION_TEXT, "POLICY", "no, on-failure[:N], always or unless-stopped" },
        { 0, "rm", OPTION_FLAG, NULL, "Remove the container when it exits" },
        { 0, "security-opt", OPTION_LIST, "OPTION", "no-new-privileges, seccomp=FILE|unconfined, …" },
        { 0, "shm-size", OPTION_TEXT, "BYTES", "Size of /dev/shm" },
        { 0, "stop-signal", OPTION_TEXT, "SIGNAL", "What `stop` sends" },
        { 0, "stop-timeout", OPTION_TEXT, "SECONDS", "How long `stop` waits before it kills" },
        { 0, "sysctl", OPTION_LIST, "KEY=VALUE", "A kernel parameter of the container's namespaces" },
        { 0, "tmpfs", OPTION_LIST, "DIR[:OPTIONS]", "Mount a tmpfs" },
        { 't', "tty", OPTION_FLAG, NULL, "Give the container a terminal" },
        { 0, "ulimit", OPTION_LIST, "NAME=SOFT[:HARD]", "A resource limit" },
        { 'u', "user", OPTION_TEXT, "USER[:GROUP]", "User name or id" },
        { 0, "userns", OPTION_TEXT, "MODE", "host: no user namespace of its own" },
        { 0, "uts", OPTION_TEXT, "MODE", "UTS namespace: host, or its own" },
        { 'v', "volume", OPTION_LIST, "SRC:DST[:OPTIONS]", "Mount a folder of the host" },
        { 'w', "workdir", OPTION_TEXT, "DIR", "Working directory" },
        { 0 },
};

static int wrong(const struct args *a, const char *option, const char *value, const char *why) {
        complain("%s: invalid argument \"%s\" for --%s: %s", args_command(a)->name, value, option, why);
        return -1;
}

/* --- single values: option, field, how it is written --- */

enum value_kind { VALUE_TEXT, VALUE_NUMBER, VALUE_BYTES, VALUE_CPUS };

static const struct {
        const char *option, *field;
        enum value_kind kind;
        bool host_config;
} singles[] = {
        { "hostname", "Hostname", VALUE_TEXT, false },
        { "domainname", "Domainname", VALUE_TEXT, false },
        { "user", "User", VALUE_TEXT, false },
        { "workdir", "WorkingDir", VALUE_TEXT, false },
        { "stop-signal", "StopSignal", VALUE_TEXT, false },
        { "stop-timeout", "StopTimeout", VALUE_NUMBER, false },
        { "cgroupns", "CgroupnsMode", VALUE_TEXT, true },
        { "cpu-period", "CpuPeriod", VALUE_NUMBER, true },
        { "cpu-quota", "CpuQuota", VALUE_NUMBER, true },
        { "cpu-shares", "CpuShares", VALUE_NUMBER, true },
        { "cpus", "NanoCpus", VALUE_CPUS, true },
        { "cpuset-cpus", "CpusetCpus", VALUE_TEXT, true },
        { "cpuset-mems", "CpusetMems", VALUE_TEXT, true },
        { "ipc", "IpcMode", VALUE_TEXT, true },
        { "memory", "Memory", VALUE_BYTES, true },
        { "memory-reservation", "MemoryReservation", VALUE_BYTES, true },
        { "memory-swap", "MemorySwap", VALUE_BYTES, true },
        { "network", "NetworkMode", VALUE_TEXT, true },
        { "net", "NetworkMode", VALUE_TEXT, true },
        { "oom-score-adj", "OomScoreAdj", VALUE_NUMBER, true },
        { "pid", "PidMode", VALUE_TEXT, true },
        { "pids-limit", "PidsLimit", VALUE_NUMBER, true },
        { "shm-size", "ShmSize", VALUE_BYTES, true },
        { "userns", "UsernsMode", VALUE_TEXT, true },
        { "uts", "UTSMode", VALUE_TEXT, true },
};

static bool parse_number(const char *text, int64_t *ret) {
        char *end;

        errno = 0;
        *ret = strtoll(text, &end, 10);
        return errno == 0 && end != text && !*end;
}

/* "64m", "1.5g", "1048576", "1024k", "512b": powers of 1024, as Docker reads them. */
static bool parse_bytes(const char *text, int64_t *ret) {
        static const char units[] = "bkmgtp";
        double value, unit = 1;
        const char *found;
        char *end;

        if (strcmp(text, "-1") == 0) {
                *ret = -1;
                return true;
        }
        if (!isdigit((unsigned char) *text))
                return false;
        value = strtod(text, &end);
        if (*end) {
                found = strchr(units, tolower((unsigned char) *end));
                if (!found)
                        return false;
                for (const char *u = units; u < found; u++)
                        unit *= 1024;
                end++;
                if (tolower((unsigned char) *end) == 'i' && unit > 1)
                        end++;
                if (tolower((unsigned char) *end) == 'b' && unit > 1)
                        end++;
                if (*end)
                        return false;
        }
        value *= unit;
        if (!(value >= 0 && value < 9e18))
                return false;
        *ret = (int64_t) value;
        return true;
}

static bool parse_cpus(const char *text, int64_t *ret) {
        char *end;
        double value = strtod(text, &end);

        if (end == text || *end || !isfinite(value) || value < 0 || value > 1e6)
                return false;
        *ret = (int64_t) llround(value * 1e9);
        return true;
}

static int set_singles(const struct args *a, json_t *config, json_t *host) {
        static const char *const why[] = {
                [VALUE_NUMBER] = "not a whole number",
                [VALUE_BYTES] = "not a size such as 64m or 1g",
                [VALUE_CPUS] = "not a number of CPUs such as 1.5",
        };
        static bool (*const parse[])(const char *, int64_t *) = {
                [VALUE_NUMBER] = parse_number,
                [VALUE_BYTES] = parse_bytes,
                [VALUE_CPUS] = parse_cpus,
        };

        for (size_t i = 0; i < ARRAY_SIZE(singles); i++) {
                const char *text = args_text(a, singles[i].option);
                enum value_kind kind = singles[i].kind;
                json_t *to = singles[i].host_config ? host : config;
                int64_t number;

                if (!text)
                        continue;
                if (kind == VALUE_TEXT) {
                        json_object_set_new(to, singles[i].field, json_string(text));
                        continue;
                }
                if (!parse[kind](text, &number))
                        return wrong(a, singles[i].option, text, why[kind]);
                json_object_set_new(to, singles[i].field, json_integer(number));
        }
        return 0;
}

/* --- lists that go as they are --- */

static const struct {
        const char *option, *field;
} lists[] = {
        { "add-host", "ExtraHosts" }, { "cap-add", "CapAdd" },        { "cap-drop", "CapDrop" },   { "dns", "Dns" },
        { "dns-option", "DnsOptions" }, { "dns-search", "DnsSearch" }, { "group-add", "GroupAdd" }, { "volume", "Binds" },
};

static void set_lists(const struct args *a, json_t *host) {
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
                const char *const *items;
                size_t n = args_list(a, lists[i].option, &items);
                json_t *array;

                if (n == 0)
                        continue;
                array = json_array();
                for (size_t j = 0; j < n; j++)
                        json_array_append_new(array, json_string(items[j]));
                json_object_set_new(host, lists[i].field, array);
        }
}

/* --- KEY=VALUE lists --- */

static void set_pair(json_t *object, const char *pair, char separator) {
        const char *at = strchr(pair, separator);
        auto_free char *key = at ? strndup(pair, (size_t) (at - pair)) : strdup(pair);

        json_object_set_new(object, key, json_string(at ? at + 1 : ""));
}

static int each_line(const struct args *a, const char *option, const char *file, void (*line)(char *text, void *data), void *data) {
        auto_free char *text = NULL;
        char *save = NULL;
        int r = file_read_at(AT_FDCWD, file, 16 << 20, &text, NULL);

        if (r < 0)
                return wrong(a, option, file, strerror(-r));
        for (char *p = strtok_r(text, "\n", &save); p; p = strtok_r(NULL, "\n", &save)) {
                p += strspn(p, " \t");
                p[strcspn(p, "\r")] = '\0';
                if (*p && *p != '#')
                        line(p, data);
        }
        return 0;
}

/* NAME=VALUE as it is; NAME alone takes our own value, or nothing when we have none. */
static void add_env(char *text, void *data) {
        if (!strchr(text, '=')) {
                const char *own = getenv(text);
                auto_free char *pair = own ? str_format("%s=%s", text, own) : NULL;

                if (pair)
                        json_array_append_new(data, json_string(pair));
                return;
        }
        json_array_append_new(data, json_string(text));
}

static void add_label(char *text, void *data) {
        set_pair(data, text, '=');
}

static int set_env_and_labels(const struct args *a, json_t *config) {
        json_t *env = json_array(), *labels = json_object();
        const char *const *items;
        size_t n;

        json_object_set_new(config, "Env", env);
        json_object_set_new(config, "Labels", labels);
        n = args_list(a, "env-file", &items);
        for (size_t i = 0; i < n; i++)
                if (each_line(a, "env-file", items[i], add_env, env) < 0)
                        return -1;
        n = args_list(a, "env", &items);
        for (size_t i = 0; i < n; i++)
                add_env((char *) items[i], env);
        n = args_list(a, "label-file", &items);
        for (size_t i = 0; i < n; i++)
                if (each_line(a, "label-file", items[i], add_label, labels) < 0)
                        return -1;
        n = args_list(a, "label", &items);
        for (size_t i = 0; i < n; i++)
                set_pair(labels, items[i], '=');
        return 0;
}

static int set_sysctls_and_tmpfs(const struct args *a, json_t *host) {
        const char *const *items;
        size_t n = args_list(a, "sysctl", &items);
        json_t *object;

        if (n > 0) {
                object = json_object();
                json_object_set_new(host, "Sysctls", object);
                for (size_t i = 0; i < n; i++) {
                        if (!strchr(items[i], '='))
                                return wrong(a, "sysctl", items[i], "KEY=VALUE is wanted");
                        set_pair(object, items[i], '=');
                }
        }
        n = args_list(a, "tmpfs", &items);
        if (n > 0) {
                object = json_object();
                json_object_set_new(host, "Tmpfs", object);
                for (size_t i = 0; i < n; i++)
                        set_pair(object, items[i], ':');
        }
        return 0;
}

static int set_ulimits(const struct args *a, json_t *host) {
        const char *const *items;
        size_t n = args_list(a, "ulimit", &items);
        json_t *array;

        if (n == 0)
                return 0;
        array = json_array();
        json_object_set_new(host, "Ulimits", array);
        for (size_t i = 0; i < n; i++) {
                long long soft, hard;
                char name[32];
                int used = 0, got = sscanf(items[i], "%31[a-z]=%lld%n:%lld%n", name, &soft, &used, &hard, &used);

                if (got < 2 || items[i][used])
                        return wrong(a, "ulimit", items[i], "NAME=SOFT[:HARD] is wanted, such as nofile=1024:2048");
                json_array_append_new(array, json_pack("{s:s, s:I, s:I}", "Name", name, "Soft", (json_int_t) soft, "Hard",
                                                       (json_int_t) (got == 3 ? hard : soft)));
        }
        return 0;
}

/* --mount type=bind,source=/a,target=/b,readonly */
static int add_mount(const struct args *a, const char *text, json_t *array) {
        auto_free char *copy = strdup(text);
        json_t *mount = json_pack("{s:s}", "Type", "volume");
        char *save = NULL;

        json_array_append_new(array, mount);
        for (char *p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
                char *value = strchr(p, '=');
                int64_t size;

                if (value)
                        *value++ = '\0';
                if (strcmp(p, "type") == 0 && value) {
                        json_object_set_new(mount, "Type", json_string(value));
                } else if ((strcmp(p, "source") == 0 || strcmp(p, "src") == 0) && value) {
                        json_object_set_new(mount, "Source", json_string(value));
                } else if ((strcmp(p, "target") == 0 || strcmp(p, "dst") == 0 || strcmp(p, "destination") == 0) && value) {
                        json_object_set_new(mount, "Target", json_string(value));
                } else if (strcmp(p, "readonly") == 0 || strcmp(p, "ro") == 0) {
                        json_object_set_new(mount, "ReadOnly", json_boolean(!value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0));
                } else if (strcmp(p, "bind-propagation") == 0 && value) {
                        json_object_set_new(mount, "BindOptions", json_pack("{s:s}", "Propagation", value));
                } else if (strcmp(p, "tmpfs-size") == 0 && value && parse_bytes(value, &size)) {
                        json_object_set_new(mount, "TmpfsOptions", json_pack("{s:I}", "SizeBytes", (json_int_t) size));
                } else {
                        return wrong(a, "mount", text, "type, source, target, readonly, bind-propagation and tmpfs-size are known");
                }
        }
        if (!json_get_str(mount, "Target", NULL))
                return wrong(a, "mount", text, "target is missing");
        return 0;
}

static int set_mounts(const struct args *a, json_t *host) {
        const char *const *items;
        size_t n = args_list(a, "mount", &items);
        json_t *array;

        if (n == 0)
                return 0;
        array = json_array();
        json_object_set_new(host, "Mounts", array);
        for (size_t i = 0; i < n; i++)
                if (add_mount(a, items[i], array) < 0)
                        return -1;
        return 0;
}

/* /dev/x[:/dev/y[:rwm]] */
static void set_devices(const struct args *a, json_t *host) {
        const char *const *items;
        size_t n = args_list(a, "device", &items);
        json_t *array;

        if (n == 0)
                return;
        array = json_array();
        json_object_set_new(host, "Devices", array);
        for (size_t i = 0; i < n; i++) {
                auto_free char *copy = strdup(items[i]);
                char *inside = strchr(copy, ':'), *rights = NULL;

                if (inside) {
                        *inside++ = '\0';
                        rights = strchr(inside, ':');
                        if (rights)
                                *rights++ = '\0';
                }
                json_array_append_new(array, json_pack("{s:s, s:s, s:s}", "PathOnHost", copy, "PathInContainer", inside ? inside : copy,
                                                       "CgroupPermissions", rights ? rights : "rwm"));
        }
}

/* A seccomp profile is a file of ours: its text goes to the daemon, which may be on another side of a mount namespace. */
static int set_security(const struct args *a, json_t *host) {
        const char *const *items;
        size_t n = args_list(a, "security-opt", &items);
        json_t *array;

        if (n == 0)
                return 0;
        array = json_array();
        json_object_set_new(host, "SecurityOpt", array);
        for (size_t i = 0; i < n; i++) {
                auto_free char *text = NULL, *option = NULL;
                int r;

                if (!str_starts_with(items[i], "seccomp=") || strcmp(items[i], "seccomp=unconfined") == 0 ||
                    strcmp(items[i], "seccomp=builtin") == 0) {
                        json_array_append_new(array, json_string(items[i]));
                        continue;
                }
                r = file_read_at(AT_FDCWD, items[i] + strlen("seccomp="), 4 << 20, &text, NULL);
                if (r < 0)
                        return wrong(a, "security-opt", items[i], strerror(-r));
                option = str_format("seccomp=%s", text);
                json_array_append_new(array, json_string(option));
        }
        return 0;
}

static int set_log(const struct args *a, json_t *host) {
        const char *driver = args_text(a, "log-driver");
        const char *const *items;
        size_t n = args_list(a, "log-opt", &items);
        json_t *options;

        if (!driver && n == 0)
                return 0;
        options = json_object();
        for (size_t i = 0; i < n; i++)
                set_pair(options, items[i], '=');
        json_object_set_new(host, "LogConfig", json_pack("{s:s, s:o}", "Type", driver ? driver : "", "Config", options));
        return 0;
}

static int set_restart(const struct args *a, json_t *host) {
        const char *text = args_text(a, "restart"), *colon;
        auto_free char *name = NULL;
        uint64_t tries = 0;

        if (!text)
                return 0;
        colon = strchr(text, ':');
        name = colon ? strndup(text, (size_t) (colon - text)) : strdup(text);
        if (colon && str_to_u64(colon + 1, 0, INT_MAX, &tries) < 0)
                return wrong(a, "restart", text, "the number behind the colon is not one");
        json_object_set_new(host, "RestartPolicy",
                            json_pack("{s:s, s:I}", "Name", name, "MaximumRetryCount", (json_int_t) tries));
        return 0;
}

/* "8080:80", "127.0.0.1:8080:80/tcp", "80": [[address:]port:]port[/protocol]. */
static int set_ports(const struct args *a, json_t *config, json_t *host) {
        json_t *exposed = json_object(), *bindings = json_object();
        const char *const *items;
        size_t n = args_list(a, "expose", &items);

        json_object_set_new(config, "ExposedPorts", exposed);
        json_object_set_new(host, "PortBindings", bindings);
        for (size_t i = 0; i < n; i++) {
                auto_free char *key = strchr(items[i], '/') ? strdup(items[i]) : str_format("%s/tcp", items[i]);

                json_object_set_new(exposed, key, json_object());
        }
        n = args_list(a, "publish", &items);
        for (size_t i = 0; i < n; i++) {
                auto_free char *copy = strdup(items[i]), *key = NULL;
                char *inside = strrchr(copy, ':'), *outside = NULL, *address = NULL;

                if (inside) {
                        *inside++ = '\0';
                        outside = strrchr(copy, ':');
                        if (outside) {
                                *outside++ = '\0';
                                address = copy;
                        } else {
                                outside = copy;
                        }
                } else {
                        inside = copy;
                }
                if (!isdigit((unsigned char) *inside))
                        return wrong(a, "publish", items[i], "[[ADDRESS:]PORT:]PORT[/PROTOCOL] is wanted");
                key = strchr(inside, '/') ? strdup(inside) : str_format("%s/tcp", inside);
                json_object_set_new(exposed, key, json_object());
                json_object_set_new(bindings, key, json_pack("[{s:s, s:s}]", "HostIp", address ? address : "", "HostPort", outside ? outside : ""));
        }
        return 0;
}

static bool attaches(const struct args *a, const char *stream) {
        const char *const *items;
        size_t n = args_list(a, "attach", &items);

        for (size_t i = 0; i < n; i++)
                if (strcasecmp(items[i], stream) == 0)
                        return true;
        return false;
}

static void set_streams(const struct args *a, json_t *config) {
        bool interactive = args_flag(a, "interactive"), chosen = args_given(a, "attach");

        json_object_set_new(config, "Tty", json_boolean(args_flag(a, "tty")));
        json_object_set_new(config, "OpenStdin", json_boolean(interactive));
        json_object_set_new(config, "StdinOnce", json_boolean(interactive));
        json_object_set_new(config, "AttachStdin", json_boolean(chosen ? attaches(a, "stdin") : interactive));
        json_object_set_new(config, "AttachStdout", json_boolean(chosen ? attaches(a, "stdout") : true));
        json_object_set_new(config, "AttachStderr", json_boolean(chosen ? attaches(a, "stderr") : true));
}

static void set_command(const struct args *a, json_t *config) {
        const char *entrypoint = args_text(a, "entrypoint");
        json_t *command = json_array();

        json_object_set_new(config, "Image", json_string(args_at(a, 0)));
        for (size_t i = 1; i < args_count(a); i++)
                json_array_append_new(command, json_string(args_at(a, i)));
        if (json_array_size(command) > 0)
                json_object_set(config, "Cmd", command);
        json_decref(command);
        /* --entrypoint "" takes the image's away. */
        if (entrypoint)
                json_object_set_new(config, "Entrypoint", json_pack("[s]", entrypoint));
}

int container_body(const struct args *a, json_t **ret) {
        auto_json *config = json_object();
        json_t *host = json_object();

        json_object_set_new(config, "HostConfig", host);
        set_command(a, config);
        set_streams(a, config);
        set_lists(a, host);
        set_devices(a, host);
        json_object_set_new(host, "AutoRemove", json_boolean(args_flag(a, "rm")));
        json_object_set_new(host, "Privileged", json_boolean(args_flag(a, "privileged")));
        json_object_set_new(host, "ReadonlyRootfs", json_boolean(args_flag(a, "read-only")));
        if (args_given(a, "init"))
                json_object_set_new(host, "Init", json_boolean(args_flag(a, "init")));
        if (set_singles(a, config, host) < 0 || set_env_and_labels(a, config) < 0 || set_sysctls_and_tmpfs(a, host) < 0 ||
            set_ulimits(a, host) < 0 || set_mounts(a, host) < 0 || set_security(a, host) < 0 || set_log(a, host) < 0 ||
            set_restart(a, host) < 0 || set_ports(a, config, host) < 0)
                return -1;
        *ret = take_ptr(&config);
        return 0;
}
