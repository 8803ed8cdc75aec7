/* SPDX-License-Identifier: Apache-2.0 */
/* ps, logs, top, inspect: looking at containers. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/frames.h"
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

static char *command_text(const char *command, bool whole) {
        /* Docker shows twenty characters between quotes. */
        if (whole || strlen(command) <= 20)
                return str_format("\"%s\"", command);
        return str_format("\"%.19s…\"", command);
}

static char *ports_text(const json_t *ports) {
        auto_strbuf b;
        json_t *port;
        size_t i;

        strbuf_init(&b, 65536);
        json_array_foreach(ports, i, port) {
                const char *ip = json_get_str(port, "IP", NULL);

                if (b.size > 0)
                        strbuf_adds(&b, ", ");
                if (ip)
                        strbuf_addf(&b, "%s:%d->", ip, (int) json_get_int(port, "PublicPort", 0));
                strbuf_addf(&b, "%d/%s", (int) json_get_int(port, "PrivatePort", 0), json_get_str(port, "Type", "tcp"));
        }
        return strbuf_take(&b, NULL);
}

static char *names_text(const json_t *names) {
        auto_strbuf b;
        json_t *name;
        size_t i;

        strbuf_init(&b, 65536);
        json_array_foreach(names, i, name) {
                const char *text = json_string_value(name);

                strbuf_addf(&b, "%s%s", b.size ? "," : "", text && *text == '/' ? text + 1 : text ? text : "");
        }
        return strbuf_take(&b, NULL);
}

/* What --format sees of a container: Docker's column names, all of them text. */
static json_t *ps_row(const json_t *c, bool whole) {
        auto_free char *command = command_text(json_get_str(c, "Command", ""), whole), *ports = ports_text(json_get_array(c, "Ports"));
        auto_free char *names = names_text(json_get_array(c, "Names")), *ago = NULL;
        const char *id = json_get_str(c, "Id", "");
        char created[32];

        human_duration(time(NULL) - json_get_int(c, "Created", 0), created);
        ago = str_format("%s ago", created);
        return json_pack("{s:s%, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:O}", "ID", id, whole ? strlen(id) : (size_t) (strlen(id) < 12 ? strlen(id) : 12),
                         "Image", json_get_str(c, "Image", ""), "Command", command, "RunningFor", ago, "Status", json_get_str(c, "Status", ""),
                         "Ports", ports, "Names", names, "State", json_get_str(c, "State", ""), "Labels",
                         json_object_get(c, "Labels") ? json_object_get(c, "Labels") : json_null());
}

static int run_ps(struct client *c, const struct args *a) {
        static const struct {
                const char *head, *key;
        } columns[] = {
                { "CONTAINER ID", "ID" }, { "IMAGE", "Image" },   { "COMMAND", "Command" }, { "CREATED", "RunningFor" },
                { "STATUS", "Status" },   { "PORTS", "Ports" },   { "NAMES", "Names" },
        };
        const char *format = args_text(a, "format"), *last = args_flag(a, "latest") ? "1" : args_text(a, "last");
        auto_free char *filters = filters_text(a, NULL);
        auto_json *answer = NULL;
        struct err err = { 0 };
        struct table *t = NULL;
        auto_path path = { 0 };
        json_t *container;
        size_t i;

        if (format && format_check(format, &err) < 0)
                return client_complain(&err, 1);
        path_init(&path, "/containers/json");
        path_query_flag(&path, "all", args_flag(a, "all") || last);
        path_query(&path, "limit", last);
        path_query(&path, "filters", filters);
        if (client_call(c, "GET", &path, NULL, &answer, &err) < 0)
                return client_complain(&err, 1);
        if (!format && !args_flag(a, "quiet")) {
                t = table_new(ARRAY_SIZE(columns));
                for (size_t j = 0; j < ARRAY_SIZE(columns); j++)
                        table_cell(t, columns[j].head);
        }
        json_array_foreach(answer, i, container) {
                auto_json *row = ps_row(container, args_flag(a, "no-trunc"));

                if (args_flag(a, "quiet"))
                        printf("%s\n", json_get_str(row, "ID", ""));
                else if (format)
                        format_print(format, row, &err);
                else
                        for (size_t j = 0; j < ARRAY_SIZE(columns); j++)
                                table_cell(t, json_get_str(row, columns[j].key, ""));
        }
        if (t)
                table_print(t);
        table_free(t);
        return 0;
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
        path_query(&path, "since", args_text(a, "since"));
        path_query(&path, "until", args_text(a, "until"));
        path_query(&path, "tail", args_text(a, "tail"));
        if (client_open(c, &h, "GET", &path, NULL, &err) < 0)
                return client_complain(&err, 1);
        while ((n = http_read(&h, data, sizeof(data), &err)) > 0)
                if (frames_write(&frames, data, (size_t) n) < 0)
                        return 1; /* our reader is gone */
        return n < 0 ? client_complain(&err, 1) : 0;
}

static int run_top(struct client *c, const struct args *a) {
        auto_free char *name = path_escape(args_at(a, 0));
        auto_json *answer = NULL;
        auto_path path = { 0 };
        struct err err = { 0 };
        json_t *titles, *row, *cell;
        struct table *t;
        size_t i, j;

        path_init(&path, "/containers/%s/top", name);
        path_query(&path, "ps_args", args_at(a, 1));
        if (client_call(c, "GET", &path, NULL, &answer, &err) < 0)
                return client_complain(&err, 1);
        titles = json_get_array(answer, "Titles");
        t = table_new(json_array_size(titles) ? json_array_size(titles) : 1);
        json_array_foreach(titles, i, cell)
                table_cell(t, json_string_value(cell));
        json_array_foreach(json_get_array(answer, "Processes"), i, row)
                json_array_foreach(row, j, cell)
                        table_cell(t, json_string_value(cell));
        table_print(t);
        table_free(t);
        return 0;
}

/* A container, else an image; --type chooses. */
static int inspect_one(struct client *c, const char *name, const char *type, bool size, json_t **ret, struct err *err) {
        static const struct {
                const char *type, *path;
        } kinds[] = { { "container", "/containers/%s/json" }, { "image", "/images/%s/json" } };
        auto_free char *escaped = path_escape(name);

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                auto_path path = { 0 };
                int r;

                if (type && strcmp(type, kinds[i].type) != 0)
                        continue;
                path_init(&path, kinds[i].path, escaped);
                if (i == 0)
                        path_query_flag(&path, "size", size);
                r = client_call(c, "GET", &path, NULL, ret, err);
                if (r == 0 || err->kind != ERR_NOT_FOUND || type)
                        return r;
        }
        return err_set(err, ERR_NOT_FOUND, -ENOENT, "no such object: %s", name);
}

static int run_inspect(struct client *c, const struct args *a) {
        const char *format = args_text(a, "format"), *type = args_text(a, "type");
        auto_json *all = json_array();
        struct err err = { 0 };
        json_t *object;
        int status = 0;
        size_t i;

        if (type && strcmp(type, "container") != 0 && strcmp(type, "image") != 0) {
                complain("inspect: --type %s: container or image", type);
                return 1;
        }
        if (format && format_check(format, &err) < 0)
                return client_complain(&err, 1);
        for (i = 0; i < args_count(a); i++) {
                json_t *found;

                if (inspect_one(c, args_at(a, i), type, args_flag(a, "size"), &found, &err) < 0)
                        status = client_complain(&err, 1);
                else
                        json_array_append_new(all, found);
        }
        if (!format) {
                json_dumpf(all, stdout, JSON_INDENT(4));
                putchar('\n');
                return status;
        }
        json_array_foreach(all, i, object)
                format_print(format, object, &err);
        return status;
}

static const struct option ps_options[] = {
        { 'a', "all", OPTION_FLAG, NULL, "Those that do not run as well" },
        { 'f', "filter", OPTION_LIST, "KEY=VALUE", "Only those that match: name, id, status, label, ancestor, exited" },
        { 0, "format", OPTION_TEXT, "TEMPLATE", "{{.ID}} {{.Names}} …, or json" },
        { 'n', "last", OPTION_TEXT, "NUMBER", "The last ones created" },
        { 'l', "latest", OPTION_FLAG, NULL, "The last one created" },
        { 0, "no-trunc", OPTION_FLAG, NULL, "Whole ids and commands" },
        { 'q', "quiet", OPTION_FLAG, NULL, "Ids only" },
        { 0 },
};
static const struct option logs_options[] = {
        { 'f', "follow", OPTION_FLAG, NULL, "Go on as more is written" },
        { 0, "since", OPTION_TEXT, "TIME", "From this time on: Unix seconds or RFC 3339" },
        { 'n', "tail", OPTION_TEXT, "LINES", "Only the last lines" },
        { 't', "timestamps", OPTION_FLAG, NULL, "The time before each line" },
        { 0, "until", OPTION_TEXT, "TIME", "Up to this time" },
        { 0 },
};
static const struct option inspect_options[] = {
        { 'f', "format", OPTION_TEXT, "TEMPLATE", "{{.State.ExitCode}} …, or json" },
        { 's', "size", OPTION_FLAG, NULL, "With file sizes" },
        { 0, "type", OPTION_TEXT, "TYPE", "container or image" },
        { 0 },
};
static const struct option no_options[] = { { 0 } };

const struct command command_ps = {
        "ps", "container", "ls", "[OPTIONS]", "List containers", "  kist ps -a\n  kist ps --filter status=exited --format '{{.Names}}'\n",
        ps_options, NULL, 0, 0, false, run_ps,
};
const struct command command_logs = {
        "logs", "container", NULL, "[OPTIONS] CONTAINER", "Show what a container has printed", "  kist logs -f --tail 20 web\n",
        logs_options, NULL, 1, 1, false, run_logs,
};
const struct command command_top = {
        "top", "container", NULL, "CONTAINER", "Show the processes of a container", NULL, no_options, NULL, 1, 2, false, run_top,
};
const struct command command_inspect = {
        "inspect", "container", NULL, "[OPTIONS] NAME [NAME...]", "Show everything about containers and images",
        "  kist inspect -f '{{.State.ExitCode}}' job\n", inspect_options, NULL, 1, SIZE_MAX, false, run_inspect,
};
