/* SPDX-License-Identifier: Apache-2.0 */
/* update: limits, the restart policy, published ports and rates of containers, whether they run or not. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/container-body.h"

enum kind { TEXT, NUMBER, BYTES, CPUS, RESTART };

static const struct option update_options[] = {
        { 0, "blkio-weight", OPTION_TEXT, "WEIGHT", "Share of block I/O, 10 to 1000" },
        { 0, "cpu-period", OPTION_TEXT, "MICROSECONDS", "Period of the CPU quota" },
        { 0, "cpu-quota", OPTION_TEXT, "MICROSECONDS", "CPU time per period" },
        { 0, "cpu-rt-period", OPTION_TEXT, "MICROSECONDS", "Period of real-time CPU time" },
        { 0, "cpu-rt-runtime", OPTION_TEXT, "MICROSECONDS", "Real-time CPU time per period" },
        { 'c', "cpu-shares", OPTION_TEXT, "SHARES", "Weight against other containers" },
        { 0, "cpus", OPTION_TEXT, "NUMBER", "CPUs to use at most, such as 1.5" },
        { 0, "cpuset-cpus", OPTION_TEXT, "LIST", "CPUs to run on, such as 0-2,4" },
        { 0, "cpuset-mems", OPTION_TEXT, "LIST", "Memory nodes to use" },
        { 'm', "memory", OPTION_TEXT, "BYTES", "Memory limit, such as 64m" },
        { 0, "memory-reservation", OPTION_TEXT, "BYTES", "Soft memory limit" },
        { 0, "memory-swap", OPTION_TEXT, "BYTES", "Memory and swap together (-1: no limit)" },
        { 0, "pids-limit", OPTION_TEXT, "NUMBER", "Processes at most (-1: no limit)" },
        { 0, "restart", OPTION_TEXT, "POLICY", "no, on-failure[:N], always or unless-stopped" },
        { 0, "network-opt", OPTION_LIST, "[NETWORK:]KEY=VALUE", "Rates, as --network-opt of run; an empty VALUE takes one away" },
        { 0, "publish-add", OPTION_LIST, "PORTS", "Publish ports, as --publish of run" },
        { 0, "publish-rm", OPTION_LIST, "PORTS", "Publish ports no more: [[ADDRESS:]PORT:]PORT[/udp]" },
        { 0 },
};

/* In the order of update_options[]. */
static const struct {
        const char *field;
        enum kind kind;
} fields[] = {
        { "BlkioWeight", NUMBER }, { "CpuPeriod", NUMBER }, { "CpuQuota", NUMBER }, { "CpuRealtimePeriod", NUMBER }, { "CpuRealtimeRuntime", NUMBER },
        { "CpuShares", NUMBER }, { "NanoCpus", CPUS }, { "CpusetCpus", TEXT }, { "CpusetMems", TEXT }, { "Memory", BYTES }, { "MemoryReservation", BYTES },
        { "MemorySwap", BYTES }, { "PidsLimit", NUMBER }, { "RestartPolicy", RESTART },
};
_Static_assert(ARRAY_SIZE(fields) + 4 == ARRAY_SIZE(update_options), "a field for each option but the last three");

static bool parse(const char *text, enum kind kind, int64_t *ret) {
        double value;
        char *end;

        if (kind == BYTES)
                return parse_bytes(text, ret);
        errno = 0;
        if (kind == NUMBER) {
                *ret = strtoll(text, &end, 10);
                return errno == 0 && end != text && !*end;
        }
        value = strtod(text, &end);
        *ret = (int64_t) (value * 1e9 + 0.5);
        return end != text && !*end && value >= 0 && value < 1e6;
}

static json_t *restart_policy(const char *text) {
        const char *colon = strchr(text, ':');
        uint64_t retries = 0;

        if (colon && str_to_u64(colon + 1, 0, INT32_MAX, &retries) < 0)
                return NULL;
        return json_pack("{s:s%, s:I}", "Name", text, colon ? (size_t) (colon - text) : strlen(text), "MaximumRetryCount", (json_int_t) retries);
}

static int set_port_changes(const struct args *a, json_t *body) {
        static const char *const options[][2] = { { "publish-add", "PublishAdd" }, { "publish-rm", "PublishRm" } };

        for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
                auto_json *exposed = json_object(), *bindings = json_object();
                const char *const *items, *why;
                size_t n = args_list(a, options[i][0], &items);

                for (size_t k = 0; k < n; k++)
                        if (publish_parse(items[k], exposed, bindings, &why) < 0)
                                return option_wrong(a, options[i][0], items[k], why);
                if (n)
                        json_object_set(body, options[i][1], bindings);
        }
        return 0;
}

/* [NETWORK:]KEY=VALUE; without a network, of the container's first. */
static int set_network_options(const struct args *a, json_t *body) {
        const char *const *items;
        size_t n = args_list(a, "network-opt", &items);
        auto_json *networks = json_object();

        for (size_t i = 0; i < n; i++) {
                const char *colon = strchr(items[i], ':'), *equals = strchr(items[i], '=');
                bool named = colon && equals && colon < equals;
                auto_free char *network = named ? strndup(items[i], (size_t) (colon - items[i])) : strdup("");
                json_t *options = json_object_get(networks, network);

                if (!equals)
                        return option_wrong(a, "network-opt", items[i], "not [NETWORK:]KEY=VALUE");
                if (!options)
                        json_object_set_new(networks, network, options = json_object());
                set_pair(options, named ? colon + 1 : items[i], '=');
        }
        if (n)
                json_object_set(body, "NetworkOptions", networks);
        return 0;
}

static json_t *body_of(const struct args *a) {
        static const char *const why[] = {
                [NUMBER] = "not a whole number", [BYTES] = "not a size such as 64m or 1g", [CPUS] = "not a number of CPUs such as 1.5", [RESTART] = "no such policy",
        };
        auto_json *body = json_object();

        for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
                const char *text = args_text(a, update_options[i].name);
                json_t *value = NULL;
                int64_t number;

                if (!text)
                        continue;
                if (fields[i].kind == TEXT)
                        value = json_string(text);
                else if (fields[i].kind == RESTART)
                        value = restart_policy(text);
                else if (parse(text, fields[i].kind, &number))
                        value = json_integer(number);
                if (!value) {
                        option_wrong(a, update_options[i].name, text, why[fields[i].kind]);
                        return NULL;
                }
                json_object_set_new(body, fields[i].field, value);
        }
        if (set_port_changes(a, body) < 0 || set_network_options(a, body) < 0)
                return NULL;
        if (json_object_size(body) == 0) {
                complain("update: nothing to change: give at least one option");
                return NULL;
        }
        return take_ptr(&body);
}

static int run_update(struct client *c, const struct args *a) {
        auto_json *body = body_of(a);
        int status = 0;

        if (!body)
                return 1;
        for (size_t i = 0; i < args_count(a); i++) {
                auto_free char *name = path_escape(args_at(a, i));
                auto_json *answer = NULL;
                auto_path path = { 0 };
                struct err err = { 0 };
                json_t *warning;
                size_t k;

                path_init(&path, "/containers/%s/update", name);
                if (client_call(c, "POST", &path, body, &answer, &err) < 0) {
                        status = client_complain(&err, 1);
                        continue;
                }
                printf("%s\n", args_at(a, i));
                json_array_foreach(json_get_array(answer, "Warnings"), k, warning)
                        warn_loudly(json_is_string(warning) ? json_string_value(warning) : "");
        }
        return status;
}

const struct command command_update = {
        "update", "container", NULL, "[OPTIONS] CONTAINER [CONTAINER...]", "Change limits, the restart policy and published ports of containers",
        "  kist update -m 256m --memory-swap 512m web\n  kist update --restart unless-stopped $(kist ps -q)\n  kist update --publish-add 8080:80 web\n", update_options, NULL, 1, SIZE_MAX, false, run_update,
};
