/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/container-body.h"
#include "cli/container-options.h"

int option_wrong(const struct args *a, const char *option, const char *value, const char *why) {
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
        { "umask", "Umask", VALUE_TEXT, false },
        { "tz", "Timezone", VALUE_TEXT, false },
        { "health-on-failure", "HealthcheckOnFailureAction", VALUE_TEXT, false },
        { "blkio-weight", "BlkioWeight", VALUE_NUMBER, true },
        { "cgroup-parent", "CgroupParent", VALUE_TEXT, true },
        { "cgroupns", "CgroupnsMode", VALUE_TEXT, true },
        { "cpu-rt-period", "CpuRealtimePeriod", VALUE_NUMBER, true },
        { "cpu-rt-runtime", "CpuRealtimeRuntime", VALUE_NUMBER, true },
        { "isolation", "Isolation", VALUE_TEXT, true },
        { "memory-swappiness", "MemorySwappiness", VALUE_NUMBER, true },
        { "personality", "Personality", VALUE_TEXT, true },
        { "runtime", "Runtime", VALUE_TEXT, true },
        { "timeout", "Timeout", VALUE_NUMBER, true },
        { "volume-driver", "VolumeDriver", VALUE_TEXT, true },
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

bool parse_bytes(const char *text, int64_t *ret) {
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
                        return option_wrong(a, singles[i].option, text, why[kind]);
                json_object_set_new(to, singles[i].field, json_integer(number));
        }
        return 0;
}

/* --- lists that go as they are --- */

static const struct {
        const char *option, *field;
} lists[] = {
        { "add-host", "ExtraHosts" }, { "cap-add", "CapAdd" },        { "cap-drop", "CapDrop" },   { "dns", "Dns" },
        { "device-cgroup-rule", "DeviceCgroupRules" },
        { "dns-option", "DnsOptions" }, { "dns-search", "DnsSearch" }, { "group-add", "GroupAdd" }, { "volume", "Binds" },
        { "link", "Links" },            { "volumes-from", "VolumesFrom" },
};

static void set_lists(const struct args *a, json_t *config, json_t *host) {
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
                const char *const *items;
                size_t n = args_list(a, lists[i].option, &items);
                json_t *array;

                if (n == 0)
                        continue;
                array = json_array();
                for (size_t j = 0; j < n; j++) {
                        /* -v /dir alone is an anonymous volume, and goes by another field. */
                        if (strcmp(lists[i].option, "volume") == 0 && !strchr(items[j], ':')) {
                                if (!json_object_get(config, "Volumes"))
                                        json_object_set_new(config, "Volumes", json_object());
                                json_object_set_new(json_object_get(config, "Volumes"), items[j], json_object());
                                continue;
                        }
                        json_array_append_new(array, json_string(items[j]));
                }
                json_object_set_new(host, lists[i].field, array);
        }
}

/* --- KEY=VALUE lists --- */

void set_pair(json_t *object, const char *pair, char separator) {
        const char *at = strchr(pair, separator);
        auto_free char *key = at ? strndup(pair, (size_t) (at - pair)) : strdup(pair);

        json_object_set_new(object, key, json_string(at ? at + 1 : ""));
}

static int each_line(const struct args *a, const char *option, const char *file, void (*line)(char *text, void *data), void *data) {
        auto_free char *text = NULL;
        char *save = NULL;
        int r = file_read_at(AT_FDCWD, file, 16 << 20, &text, NULL);

        if (r < 0)
                return option_wrong(a, option, file, strerror(-r));
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
        if (args_flag(a, "env-host"))
                for (char **own = environ; *own; own++)
                        if (**own != '=' && strchr(*own, '='))
                                json_array_append_new(env, json_string(*own));
        n = args_list(a, "env-file", &items);
        for (size_t i = 0; i < n; i++)
                if (each_line(a, "env-file", items[i], add_env, env) < 0)
                        return -1;
        n = args_list(a, "env", &items);
        for (size_t i = 0; i < n; i++)
                add_env((char *) items[i], env);
        n = args_list(a, "unsetenv", &items);
        if (n > 0)
                json_object_set_new(config, "UnsetEnv", json_array());
        for (size_t i = 0; i < n; i++)
                json_array_append_new(json_object_get(config, "UnsetEnv"), json_string(items[i]));
        n = args_list(a, "label-file", &items);
        for (size_t i = 0; i < n; i++)
                if (each_line(a, "label-file", items[i], add_label, labels) < 0)
                        return -1;
        n = args_list(a, "label", &items);
        for (size_t i = 0; i < n; i++)
                set_pair(labels, items[i], '=');
        return 0;
}

/* Options that become objects of texts. */
static int set_maps(const struct args *a, json_t *host) {
        static const struct {
                const char *option, *field;
                bool needs_value;
        } maps[] = { { "annotation", "Annotations", false }, { "storage-opt", "StorageOpt", true }, { "sysctl", "Sysctls", true } };
        const char *const *items;
        json_t *object;
        size_t n;

        for (size_t m = 0; m < ARRAY_SIZE(maps); m++) {
                n = args_list(a, maps[m].option, &items);
                if (n == 0)
                        continue;
                object = json_object();
                json_object_set_new(host, maps[m].field, object);
                for (size_t i = 0; i < n; i++) {
                        if (maps[m].needs_value && !strchr(items[i], '='))
                                return option_wrong(a, maps[m].option, items[i], "KEY=VALUE is wanted");
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
                return option_wrong(a, "restart", text, "the number behind the colon is not one");
        json_object_set_new(host, "RestartPolicy",
                            json_pack("{s:s, s:I}", "Name", name, "MaximumRetryCount", (json_int_t) tries));
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

static int check_streams(const struct args *a) {
        const char *const *items;
        size_t n = args_list(a, "attach", &items);

        for (size_t i = 0; i < n; i++)
                if (strcasecmp(items[i], "stdin") != 0 && strcasecmp(items[i], "stdout") != 0 && strcasecmp(items[i], "stderr") != 0)
                        return option_wrong(a, "attach", items[i], "stdin, stdout or stderr is wanted");
        return 0;
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
        set_lists(a, config, host);
        json_object_set_new(host, "AutoRemove", json_boolean(args_flag(a, "rm")));
        json_object_set_new(host, "Privileged", json_boolean(args_flag(a, "privileged")));
        json_object_set_new(host, "ReadonlyRootfs", json_boolean(args_flag(a, "read-only")));
        if (args_flag(a, "oom-kill-disable"))
                json_object_set_new(host, "OomKillDisable", json_true());
        if (args_given(a, "init"))
                json_object_set_new(host, "Init", json_boolean(args_flag(a, "init")));
        if (check_streams(a) < 0 || set_singles(a, config, host) < 0 || set_env_and_labels(a, config) < 0 || set_maps(a, host) < 0 ||
            set_log(a, host) < 0 || set_restart(a, host) < 0 || set_limits(a, host) < 0 || set_structured(a, config, host) < 0 ||
            set_networks(a, config, host) < 0)
                return -1;
        *ret = take_ptr(&config);
        return 0;
}
