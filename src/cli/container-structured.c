/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/container-body.h"

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
                        return option_wrong(a, "ulimit", items[i], "NAME=SOFT[:HARD] is wanted, such as nofile=1024:2048");
                json_array_append_new(array, json_pack("{s:s, s:I, s:I}", "Name", name, "Soft", (json_int_t) soft, "Hard",
                                                       (json_int_t) (got == 3 ? hard : soft)));
        }
        return 0;
}

/* vendor.com/class=name: a device of the Container Device Interface; no path has that form. */
static bool is_cdi_name(const char *text) {
        const char *slash = strchr(text, '/'), *equals = strchr(text, '=');

        return *text != '/' && slash && equals > slash;
}

/* /dev/x[:/dev/y[:rwm]] */
static json_t *device_object(const char *text) {
        auto_free char *copy = strdup(text);
        char *inside = strchr(copy, ':'), *rights = NULL;

        if (inside) {
                *inside++ = '\0';
                rights = strchr(inside, ':');
                if (rights)
                        *rights++ = '\0';
                /* /dev/x:rw: the rights alone */
                if (!rights && *inside && strspn(inside, "rwm") == strlen(inside)) {
                        rights = inside;
                        inside = NULL;
                }
        }
        return json_pack("{s:s, s:s, s:s}", "PathOnHost", copy, "PathInContainer", inside ? inside : copy, "CgroupPermissions", rights ? rights : "rwm");
}

static void set_devices(const struct args *a, json_t *host) {
        const char *const *items;
        size_t n = args_list(a, "device", &items);
        auto_json *paths = json_array(), *names = json_array();

        for (size_t i = 0; i < n; i++) {
                if (is_cdi_name(items[i]))
                        json_array_append_new(names, json_string(items[i]));
                else
                        json_array_append_new(paths, device_object(items[i]));
        }
        if (json_array_size(paths))
                json_object_set(host, "Devices", paths);
        if (json_array_size(names)) {
                if (!json_object_get(host, "DeviceRequests"))
                        json_object_set_new(host, "DeviceRequests", json_array());
                json_array_append_new(json_object_get(host, "DeviceRequests"),
                                      json_pack("{s:s, s:i, s:O, s:[], s:{}}", "Driver", "cdi", "Count", 0, "DeviceIDs", names, "Capabilities", "Options"));
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
                        return option_wrong(a, "security-opt", items[i], strerror(-r));
                option = str_format("seccomp=%s", text);
                json_array_append_new(array, json_string(option));
        }
        return 0;
}

bool parse_duration(const char *text, int64_t *ret) {
        static const struct {
                const char *name;
                int64_t ns;
        } units[] = { { "ms", 1000000 }, { "us", 1000 }, { "ns", 1 }, { "h", 3600000000000 }, { "m", 60000000000 }, { "s", 1000000000 } };
        double sum = 0;

        if (!*text)
                return false;
        while (*text) {
                double value;
                char *end;
                size_t i = 0;

                if (!isdigit((unsigned char) *text))
                        return false;
                value = strtod(text, &end);
                while (i < ARRAY_SIZE(units) && !str_starts_with(end, units[i].name))
                        i++;
                if (i == ARRAY_SIZE(units))
                        return false;
                sum += value * (double) units[i].ns;
                text = end + strlen(units[i].name);
        }
        if (sum > 9e18)
                return false;
        *ret = (int64_t) sum;
        return true;
}

static int set_health(const struct args *a, json_t *config) {
        static const struct {
                const char *option, *field;
        } times[] = {
                { "health-interval", "Interval" },
                { "health-timeout", "Timeout" },
                { "health-start-period", "StartPeriod" },
                { "health-start-interval", "StartInterval" },
        };
        const char *command = args_text(a, "health-cmd"), *retries = args_text(a, "health-retries");
        auto_json *check = json_object();
        uint64_t count;
        int64_t ns;

        for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
                const char *text = args_text(a, times[i].option);

                if (text && !parse_duration(text, &ns))
                        return option_wrong(a, times[i].option, text, "not a time such as 30s or 1m30s");
                if (text)
                        json_object_set_new(check, times[i].field, json_integer(ns));
        }
        if (retries && str_to_u64(retries, 0, 1000000, &count) < 0)
                return option_wrong(a, "health-retries", retries, "not a whole number");
        if (retries)
                json_object_set_new(check, "Retries", json_integer((json_int_t) count));
        if (command)
                json_object_set_new(check, "Test", json_pack("[s, s]", "CMD-SHELL", command));
        if (args_flag(a, "no-healthcheck")) {
                if (json_object_size(check) > 0)
                        return option_wrong(a, "no-healthcheck", "true", "--health-… options say the opposite");
                json_object_set_new(check, "Test", json_pack("[s]", "NONE"));
        }
        if (json_object_size(check) > 0)
                json_object_set(config, "Healthcheck", check);
        return 0;
}

int set_structured(const struct args *a, json_t *config, json_t *host) {
        set_devices(a, host);
        if (set_ulimits(a, host) < 0 || set_mounts(a, host) < 0 || set_security(a, host) < 0 || set_ports(a, config, host) < 0 ||
            set_health(a, config) < 0)
                return -1;
        return 0;
}
