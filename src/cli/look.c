/* SPDX-License-Identifier: Apache-2.0 */
/* logs, top. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/frames.h"
#include "cli/moment.h"
#include "cli/table.h"

/* --filter a=b --filter a=c → {"a":["b","c"]} */
char *filters_text(const struct args *a, const char *reference) {
        const char *const *items;
        size_t n = args_list(a, "filter", &items);
        auto_json *object = NULL;

        if (n == 0 && !reference)
                return NULL;
        object = json_object();
        if (reference)
                json_object_set_new(object, "reference", json_pack("[s]", reference));
        for (size_t i = 0; i < n; i++) {
                const char *equals = strchr(items[i], '=');
                auto_free char *key = NULL;
                json_t *values;

                if (!equals) {
                        complain("%s: --filter %s: KEY=VALUE is wanted", args_command(a)->name, items[i]);
                        exit(1);
                }
                key = strndup(items[i], (size_t) (equals - items[i]));
                values = json_object_get(object, key);
                if (!values) {
                        values = json_array();
                        json_object_set_new(object, key, values);
                }
                json_array_append_new(values, json_string(equals + 1));
        }
        return json_text(object);
}

static int run_logs(struct client *c, const struct args *a) {
        auto_free char *name = path_escape(args_at(a, 0));
        auto_path look = { 0 }, path = { 0 };
        auto_http h = { .fd = -EBADF };
        auto_json *found = NULL;
        struct err err = { 0 };
        char data[32768];
        struct frames frames = { 0 };
        ssize_t n;

        path_init(&look, "/containers/%s/json", name);
        if (client_call(c, "GET", &look, NULL, &found, &err) < 0)
                return client_complain(&err, 1);
        frames.raw = json_get_bool(json_get_object(found, "Config"), "Tty", false);
        path_init(&path, "/containers/%s/logs", name);
        path_query_flag(&path, "stdout", true);
        path_query_flag(&path, "stderr", true);
        path_query_flag(&path, "follow", args_flag(a, "follow"));
        path_query_flag(&path, "timestamps", args_flag(a, "timestamps"));
        path_query_flag(&path, "details", args_flag(a, "details"));
        if (path_query_moment(&path, a, "since") < 0 || path_query_moment(&path, a, "until") < 0)
                return 1;
        path_query(&path, "tail", args_text(a, "tail"));
        if (client_open(c, &h, "GET", &path, NULL, &err) < 0)
                return client_complain(&err, 1);
        while ((n = http_read(&h, data, sizeof(data), &err)) > 0)
                if (frames_write(&frames, data, (size_t) n) < 0)
                        return 1; /* our reader is gone */
        return n < 0 ? client_complain(&err, 1) : 0;
}

/* A process may call itself anything: it must not move the cursor. */
static void add_cell(struct strbuf *b, const char *before, const char *cell) {
        auto_free char *plain = strdup(cell ? cell : "");

        if (!plain)
                abort();
        strbuf_adds(b, before);
        strbuf_add(b, plain, str_make_plain(plain, strlen(plain), ""));
}

static int run_top(struct client *c, const struct args *a) {
        auto_strbuf options = { 0 };
        auto_free char *name = path_escape(args_at(a, 0));
        auto_json *answer = NULL;
        auto_path path = { 0 };
        struct err err = { 0 };
        json_t *row, *cell;
        auto_strbuf text;
        size_t i, j;

        strbuf_init(&text, 16 << 20);
        strbuf_init(&options, 4096);
        for (i = 1; i < args_count(a); i++)
                strbuf_addf(&options, "%s%s", i > 1 ? " " : "", args_at(a, i));
        path_init(&path, "/containers/%s/top", name);
        path_query(&path, "ps_args", options.data);
        if (client_call(c, "GET", &path, NULL, &answer, &err) < 0)
                return client_complain(&err, 1);
        json_array_foreach(json_get_array(answer, "Titles"), i, cell)
                add_cell(&text, i ? "\t" : "", json_string_value(cell));
        json_array_foreach(json_get_array(answer, "Processes"), i, row)
                json_array_foreach(row, j, cell)
                        add_cell(&text, j ? "\t" : "\n", json_string_value(cell));
        table_print_text(text.data ? text.data : "", 20);
        return 0;
}

static const struct option logs_options[] = {
        { 'f', "follow", OPTION_FLAG, NULL, "Go on as more is written" },
        { 0, "since", OPTION_TEXT, "TIME", "From this time on: Unix seconds, RFC 3339, or how long ago (10m)" },
        { 'n', "tail", OPTION_TEXT, "LINES", "Only the last lines" },
        { 't', "timestamps", OPTION_FLAG, NULL, "The time before each line" },
        { 0, "details", OPTION_FLAG, NULL, "What the log was asked to note besides: labels, variables, the tag" },
        { 0, "until", OPTION_TEXT, "TIME", "Up to this time" },
        { 0 },
};
static const struct option no_options[] = { { 0 } };

const struct command command_logs = {
        "logs", "container", NULL, "[OPTIONS] CONTAINER", "Show what a container has printed", "  kist logs -f --tail 20 web\n",
        logs_options, NULL, 1, 1, false, run_logs,
};
const struct command command_top = {
        "top", "container", NULL, "CONTAINER [PS OPTION...]", "Show the processes of a container", "  kist top web\n  kist top web -o pid,user,rss,args\n", no_options, NULL, 1, SIZE_MAX, true, run_top,
};
