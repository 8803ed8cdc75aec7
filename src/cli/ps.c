/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/listing.h"
#include "cli/ports.h"
#include "cli/table.h"

enum { COMMAND_LETTERS = 20, MOUNT_LETTERS = 15 };

static const struct listing_column columns[] = {
        { "ID", "CONTAINER ID" },    { "Names", "NAMES" },   { "Image", "IMAGE" },   { "Command", "COMMAND" }, { "CreatedAt", "CREATED AT" },
        { "RunningFor", "CREATED" }, { "Ports", "PORTS" },   { "State", "STATE" },   { "Status", "STATUS" },   { "Size", "SIZE" },
        { "Labels", "LABELS" },      { "Mounts", "MOUNTS" }, { "LocalVolumes", "LOCAL VOLUMES" },              { "Networks", "NETWORKS" },
        { 0 },
};

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

static char *mounts_text(const json_t *mounts, bool whole, size_t *ret_local) {
        auto_strbuf b;
        json_t *mount;
        size_t i;

        *ret_local = 0;
        strbuf_init(&b, 1 << 20);
        json_array_foreach(mounts, i, mount) {
                const char *name = json_get_str(mount, "Name", "");
                auto_free char *cut = listing_cut(*name ? name : json_get_str(mount, "Source", ""), whole ? SIZE_MAX : MOUNT_LETTERS);

                *ret_local += strcmp(json_get_str(mount, "Driver", ""), "local") == 0;
                strbuf_addf(&b, "%s%s", i ? "," : "", cut);
        }
        return strbuf_take(&b, NULL);
}

static char *networks_text(const json_t *networks) {
        const char *name;
        json_t *value;
        auto_strbuf b;

        strbuf_init(&b, 65536);
        json_object_foreach((json_t *) networks, name, value)
                strbuf_addf(&b, "%s%s", b.size ? "," : "", name);
        return strbuf_take(&b, NULL);
}

static char *size_text(const json_t *c) {
        int64_t whole = json_get_int(c, "SizeRootFs", 0);
        char own[32], virtual[32];

        human_size((uint64_t) json_get_int(c, "SizeRw", 0), own);
        human_size((uint64_t) whole, virtual);
        return whole > 0 ? str_format("%s (virtual %s)", own, virtual) : strdup(own);
}

static void add_seldom(json_t *row, const json_t *c, bool whole) {
        size_t local;
        auto_free char *mounts = mounts_text(json_get_array(c, "Mounts"), whole, &local), *size = size_text(c), *labels = listing_labels(json_get_object(c, "Labels"));
        auto_free char *networks = networks_text(json_get_object(json_get_object(c, "NetworkSettings"), "Networks"));
        auto_json *more = NULL;
        char date[64];

        listing_date(json_get_int(c, "Created", 0), date);
        more = json_pack("{s:s, s:s, s:s, s:s, s:o, s:s}", "CreatedAt", date, "Size", size, "Labels", labels, "Mounts", mounts, "LocalVolumes", json_sprintf("%zu", local), "Networks",
                         networks);
        json_object_update(row, more);
}

json_t *container_columns(const json_t *c, bool whole, bool usual) {
        auto_free char *command = listing_cut(json_get_str(c, "Command", ""), whole ? SIZE_MAX : COMMAND_LETTERS);
        auto_free char *quoted = str_format("\"%s\"", command), *ports = ports_text(json_get_array(c, "Ports"));
        auto_free char *names = names_text(json_get_array(c, "Names")), *id = listing_id(json_get_str(c, "Id", ""), whole);
        const char *image = json_get_str(c, "Image", "");
        auto_free char *image_id = str_starts_with(image, "sha256:") ? listing_id(image, whole) : strdup(*image ? image : "<no image>");
        json_t *row;
        char ago[64];

        listing_ago(json_get_int(c, "Created", 0), ago);
        row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "ID", id, "Names", names, "Image", image_id, "Command", quoted, "RunningFor", ago, "Ports", ports, "State",
                        json_get_str(c, "State", ""), "Status", json_get_str(c, "Status", ""));
        if (row && !usual)
                add_seldom(row, c, whole);
        return row;
}

static int run_ps(struct client *c, const struct args *a) {
        static const char own[] = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}",
                          with_size[] = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}\t{{.Size}}";
        const char *format = config_format(args_text(a, "format"), args_flag(a, "quiet"), "psFormat"), *last = args_flag(a, "latest") ? "1" : args_text(a, "last");
        auto_free char *filters = filters_text(a, NULL);
        auto_json *answer = NULL;
        struct err err = { 0 };
        auto_path path = { 0 };
        struct listing *l;
        json_t *container;
        bool usual;
        int r;
        size_t i;

        if (args_flag(a, "quiet") && listing_is_table(format))
                format = "{{.ID}}";
        if (listing_new(format, args_flag(a, "size") ? with_size : own, columns, &l, &err) < 0)
                return client_complain(&err, 1);
        usual = (!format || strcmp(format, "table") == 0 || strcmp(format, "{{.ID}}") == 0) && !args_flag(a, "size");
        path_init(&path, "/containers/json");
        path_query_flag(&path, "all", args_flag(a, "all") || last);
        path_query_flag(&path, "size", args_flag(a, "size") || (format && listing_wants(l, "Size")));
        path_query_flag(&path, "brief", usual); /* half the answer; other daemons do not know it, and send all */
        path_query(&path, "limit", last);
        path_query(&path, "filters", filters);
        r = client_call(c, "GET", &path, NULL, &answer, &err);
        json_array_foreach(answer, i, container) {
                auto_json *row = container_columns(container, args_flag(a, "no-trunc"), usual), *calls = json_pack("{s:O?}", "Label", json_get_object(container, "Labels"));

                if ((r = listing_add(l, row, calls, &err)) < 0)
                        break;
        }
        listing_close(l, r);
        return r < 0 ? client_complain(&err, 1) : 0;
}

static const struct option ps_options[] = {
        { 'a', "all", OPTION_FLAG, NULL, "Those that do not run as well" },
        { 'f', "filter", OPTION_LIST, "KEY=VALUE", "Only those that match: ancestor, before, exited, expose, health, id, label, name, network, publish, since, status, volume" },
        { 0, "format", OPTION_TEXT, "TEMPLATE", "table, json, or a template: {{.ID}} {{.Names}} {{.Label \"key\"}} …" },
        { 'n', "last", OPTION_TEXT, "NUMBER", "The last ones created" },
        { 'l', "latest", OPTION_FLAG, NULL, "The last one created" },
        { 0, "no-trunc", OPTION_FLAG, NULL, "Whole ids, commands and mounts" },
        { 'q', "quiet", OPTION_FLAG, NULL, "Ids only" },
        { 's', "size", OPTION_FLAG, NULL, "With what they have written, and with their image (virtual)" },
        { 0 },
};

const struct command command_ps = {
        "ps", "container", "ls", "[OPTIONS]", "List containers",
        "  kist ps -a\n  kist ps --filter status=exited --format '{{.Names}}'\n  kist ps --format 'table {{.Names}}\\t{{.Status}}\\t{{.Label \"tier\"}}'\n",
        ps_options, NULL, 0, 0, false, run_ps,
};
