/* SPDX-License-Identifier: Apache-2.0 */
/* stats: samples of all containers, once a second; on a terminal the table is drawn anew in its place. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/listing.h"
#include "cli/table.h"
#include "cli/terminal.h"

static const struct listing_column columns[] = {
        { "Container", "CONTAINER" }, { "ID", "CONTAINER ID" }, { "Name", "NAME" },         { "CPUPerc", "CPU %" },     { "MemUsage", "MEM USAGE / LIMIT" },
        { "MemPerc", "MEM %" },       { "NetIO", "NET I/O" },   { "BlockIO", "BLOCK I/O" }, { "PIDs", "PIDS" },         { "CPUPressure", "CPU PSI" },
        { "MemPressure", "MEM PSI" }, { "IOPressure", "I/O PSI" }, { 0 },
};

/* What a share of CPU time is worked out against: the sample before, by container id. */
struct watch {
        struct client *client;
        const struct args *args;
        json_t *before; /* {id: {"cpu", "system"}} */
        bool named;     /* the user said which */
};

static int64_t sum_networks(const json_t *sample, const char *counter) {
        const char *name;
        json_t *network;
        int64_t sum = 0;

        json_object_foreach(json_get_object(sample, "networks"), name, network)
                sum += json_get_int(network, counter, 0);
        return sum;
}

static int64_t sum_blocks(const json_t *sample, const char *op) {
        json_t *entry;
        int64_t sum = 0;
        size_t i;

        json_array_foreach(json_get_array(json_get_object(sample, "blkio_stats"), "io_service_bytes_recursive"), i, entry)
                if (strcasecmp(json_get_str(entry, "op", ""), op) == 0)
                        sum += json_get_int(entry, "value", 0);
        return sum;
}

static double cpu_percent(struct watch *w, const char *id, const json_t *sample) {
        const json_t *stats = json_get_object(sample, "cpu_stats"), *before = json_get_object(w->before, id);
        int64_t cpu = json_get_int(json_get_object(stats, "cpu_usage"), "total_usage", 0), system = json_get_int(stats, "system_cpu_usage", 0);
        int64_t used = cpu - json_get_int(before, "cpu", cpu), passed = system - json_get_int(before, "system", system);

        json_object_set_new(w->before, id, json_pack("{s:I, s:I}", "cpu", (json_int_t) cpu, "system", (json_int_t) system));
        return used > 0 && passed > 0 ? 100.0 * (double) used / (double) passed * (double) json_get_int(stats, "online_cpus", 1) : 0;
}

/* Caches that go when they must are no use of memory: as Docker counts. */
static int64_t memory_used(const json_t *memory) {
        const json_t *details = json_get_object(memory, "stats");
        int64_t usage = json_get_int(memory, "usage", 0), inactive = json_get_int(details, "total_inactive_file", json_get_int(details, "inactive_file", 0));

        return inactive < usage ? usage - inactive : usage;
}

/* "some" of the last ten seconds: the share of time in which something waited. */
static json_t *pressure(const json_t *sample, const char *what) {
        const json_t *some = json_get_object(json_get_object(json_get_object(sample, what), "psi"), "some"), *value = json_object_get(some, "avg10");

        return json_is_number(value) ? json_sprintf("%.2f%%", json_number_value(value)) : json_string("--");
}

static json_t *two_sizes(int64_t a, int64_t b, void (*human)(uint64_t, char[32])) {
        char x[32], y[32];

        human((uint64_t) a, x);
        human((uint64_t) b, y);
        return json_sprintf("%s / %s", x, y);
}

static json_t *stats_row(struct watch *w, const char *asked, const json_t *sample) {
        const json_t *memory = json_get_object(sample, "memory_stats");
        const char *whole = json_get_str(sample, "id", asked), *name = json_get_str(sample, "name", "");
        auto_free char *id = listing_id(whole, args_flag(w->args, "no-trunc"));
        int64_t used = memory_used(memory), limit = json_get_int(memory, "limit", 0);

        return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "Container", w->named ? asked : id, "ID", id, "Name", *name == '/' ? name + 1 : name,
                         "CPUPerc", json_sprintf("%.2f%%", cpu_percent(w, whole, sample)), "MemUsage", two_sizes(used, limit, human_memory), "MemPerc",
                         json_sprintf("%.2f%%", limit > 0 ? 100.0 * (double) used / (double) limit : 0), "NetIO",
                         two_sizes(sum_networks(sample, "rx_bytes"), sum_networks(sample, "tx_bytes"), human_size), "BlockIO",
                         two_sizes(sum_blocks(sample, "read"), sum_blocks(sample, "write"), human_size), "PIDs",
                         json_sprintf("%lld", (long long) json_get_int(json_get_object(sample, "pids_stats"), "current", 0)), "CPUPressure", pressure(sample, "cpu_stats"),
                         "MemPressure", pressure(sample, "memory_stats"), "IOPressure", pressure(sample, "blkio_stats"));
}

/* The containers of this round: those that were named, else those that run (with --all those that do not as well). */
static int names_of(struct watch *w, json_t **ret, struct err *err) {
        auto_json *list = NULL;
        auto_path path = { 0 };
        json_t *c;
        size_t i;
        int r;

        *ret = json_array();
        for (i = 0; i < args_count(w->args); i++)
                json_array_append_new(*ret, json_string(args_at(w->args, i)));
        if (w->named)
                return 0;
        path_init(&path, "/containers/json");
        path_query_flag(&path, "all", args_flag(w->args, "all"));
        r = client_call(w->client, "GET", &path, NULL, &list, err);
        json_array_foreach(list, i, c)
                json_array_append_new(*ret, json_string(json_get_str(c, "Id", "")));
        return r;
}

/* One round: a sample of each. l NULL: only to have what the next round is compared with. */
static int sample_all(struct watch *w, struct listing *l, struct err *err) {
        auto_json *names = NULL;
        json_t *name;
        size_t i;
        int r = names_of(w, &names, err);

        json_array_foreach(names, i, name) {
                auto_free char *escaped = path_escape(json_string_value(name));
                auto_json *sample = NULL, *row = NULL;
                auto_path path = { 0 };

                path_init(&path, "/containers/%s/stats", escaped);
                path_query(&path, "stream", "0");
                path_query(&path, "one-shot", "1");
                r = client_call(w->client, "GET", &path, NULL, &sample, err);
                /* Removed since it was listed. */
                if (r < 0 && err->kind == ERR_NOT_FOUND && !w->named) {
                        r = 0;
                        continue;
                }
                if (r < 0)
                        break;
                row = stats_row(w, json_string_value(name), sample);
                if (l && (r = listing_add(l, row, NULL, err)) < 0)
                        break;
        }
        return r;
}

static int run_stats(struct client *c, const struct args *a) {
        static const char own[] = "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
                          psi[] = "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}\t{{.CPUPressure}}\t{{.MemPressure}}\t"
                                  "{{.IOPressure}}";
        const char *format = config_format(args_text(a, "format"), false, "statsFormat");
        auto_json *before = json_object();
        struct watch w = { .client = c, .args = a, .before = before, .named = args_count(a) > 0 };
        bool once = args_flag(a, "no-stream"), redraw = !once && terminal_obeys(stdout);
        struct err err = { 0 };
        struct listing *l;
        int r = 0;

        for (bool first = true; r == 0; first = false) {
                r = listing_new(format, args_flag(a, "psi") ? psi : own, columns, &l, &err);
                if (r < 0)
                        break;
                /* A share of CPU time needs two samples. */
                if (first) {
                        r = sample_all(&w, NULL, &err);
                        if (r == 0)
                                sleep(1);
                }
                if (redraw && r == 0)
                        fputs("\033[2J\033[H", stdout);
                if (r == 0)
                        r = sample_all(&w, l, &err);
                listing_close(l, r);
                if (r == 0 && fflush(stdout) != 0)
                        return 1; /* our reader is gone */
                if (once)
                        break;
                if (r == 0)
                        sleep(1);
        }
        return r < 0 ? client_complain(&err, 1) : 0;
}

static const struct option stats_options[] = {
        { 'a', "all", OPTION_FLAG, NULL, "Those that do not run as well" },
        { 0, "format", OPTION_TEXT, "TEMPLATE", "table, json, or a template: {{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.CPUPressure}} …" },
        { 0, "no-stream", OPTION_FLAG, NULL, "Once, and not every second" },
        { 0, "no-trunc", OPTION_FLAG, NULL, "Whole ids" },
        { 0, "psi", OPTION_FLAG, NULL, "With the share of time in which something waited for CPU, memory or I/O (last ten seconds)" },
        { 0 },
};

const struct command command_stats = {
        "stats", "container", NULL, "[OPTIONS] [CONTAINER...]", "Show what containers use, every second",
        "  kist stats\n  kist stats --no-stream --format 'table {{.Name}}\\t{{.MemUsage}}' web\n  kist stats --psi\n", stats_options, NULL, 0, SIZE_MAX, false, run_stats,
};
