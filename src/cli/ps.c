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

/* What a row is made of. */
struct ps_row {
        const json_t *container; /* an object of GET /containers/json */
        bool whole;
};

static void add_taken(struct strbuf *out, char *text) {
        if (text)
                strbuf_adds(out, text);
        free(text);
}

static void show_id(const void *row, struct strbuf *out) {
        const struct ps_row *r = row;

        add_taken(out, listing_id(json_get_str(r->container, "Id", ""), r->whole));
}

static void show_names(const void *row, struct strbuf *out) {
        json_t *name;
        size_t i;

        json_array_foreach(json_get_array(((const struct ps_row *) row)->container, "Names"), i, name) {
                const char *text = json_is_string(name) ? json_string_value(name) : "";

                if (i > 0)
                        strbuf_adds(out, ",");
                strbuf_adds(out, *text == '/' ? text + 1 : text);
        }
}

static void show_image(const void *row, struct strbuf *out) {
        const struct ps_row *r = row;
        const char *image = json_get_str(r->container, "Image", "");

        if (str_starts_with(image, "sha256:"))
                add_taken(out, listing_id(image, r->whole));
        else
                strbuf_adds(out, *image ? image : "<no image>");
}

static void show_command(const void *row, struct strbuf *out) {
        const struct ps_row *r = row;

        strbuf_adds(out, "\"");
        add_taken(out, listing_cut(json_get_str(r->container, "Command", ""), r->whole ? SIZE_MAX : COMMAND_LETTERS));
        strbuf_adds(out, "\"");
}

static int64_t created(const void *row) {
        return json_get_int(((const struct ps_row *) row)->container, "Created", 0);
}

static void show_created_at(const void *row, struct strbuf *out) {
        char date[64];

        listing_date(created(row), date);
        strbuf_adds(out, date);
}

static void show_running_for(const void *row, struct strbuf *out) {
        char ago[64];

        listing_ago(created(row), ago);
        strbuf_adds(out, ago);
}

static void show_ports(const void *row, struct strbuf *out) {
        const json_t *ports = json_get_array(((const struct ps_row *) row)->container, "Ports");

        if (json_array_size(ports) > 0)
                add_taken(out, ports_text(ports));
}

static void show_state(const void *row, struct strbuf *out) {
        strbuf_adds(out, json_get_str(((const struct ps_row *) row)->container, "State", ""));
}

static void show_status(const void *row, struct strbuf *out) {
        strbuf_adds(out, json_get_str(((const struct ps_row *) row)->container, "Status", ""));
}

/* For State and Status alike. */
static enum colour state_colour(const void *row) {
        const json_t *c = ((const struct ps_row *) row)->container;
        const char *state = json_get_str(c, "State", ""), *status = json_get_str(c, "Status", "");
        static const struct {
                const char *state, *status; /* what is in it; "": whatever it is */
                enum colour colour;
        } rows[] = {
                { "running", "(unhealthy)", COLOUR_BAD },
                { "running", "(health: starting)", COLOUR_CAUTION },
                { "running", "", COLOUR_GOOD },
                { "exited", "Exited (0)", COLOUR_PLAIN },
                { "exited", "", COLOUR_BAD },
                { "dead", "", COLOUR_BAD },
                { "paused", "", COLOUR_CAUTION },
                { "restarting", "", COLOUR_CAUTION },
                { "removing", "", COLOUR_CAUTION },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (strcmp(state, rows[i].state) == 0 && strstr(status, rows[i].status))
                        return rows[i].colour;
        return COLOUR_PLAIN;
}

static void show_size(const void *row, struct strbuf *out) {
        const json_t *c = ((const struct ps_row *) row)->container;
        int64_t whole = json_get_int(c, "SizeRootFs", 0);
        char size[32];

        human_size((uint64_t) json_get_int(c, "SizeRw", 0), size);
        strbuf_adds(out, size);
        human_size((uint64_t) whole, size);
        if (whole > 0)
                strbuf_addf(out, " (virtual %s)", size);
}

static void show_labels(const void *row, struct strbuf *out) {
        add_taken(out, listing_labels(json_get_object(((const struct ps_row *) row)->container, "Labels")));
}

static void show_mounts(const void *row, struct strbuf *out) {
        const struct ps_row *r = row;
        json_t *mount;
        size_t i;

        json_array_foreach(json_get_array(r->container, "Mounts"), i, mount) {
                const char *name = json_get_str(mount, "Name", "");

                if (i > 0)
                        strbuf_adds(out, ",");
                add_taken(out, listing_cut(*name ? name : json_get_str(mount, "Source", ""), r->whole ? SIZE_MAX : MOUNT_LETTERS));
        }
}

static void show_local_volumes(const void *row, struct strbuf *out) {
        size_t i, local = 0;
        json_t *mount;

        json_array_foreach(json_get_array(((const struct ps_row *) row)->container, "Mounts"), i, mount)
                local += strcmp(json_get_str(mount, "Driver", ""), "local") == 0;
        strbuf_addf(out, "%zu", local);
}

static void show_networks(const void *row, struct strbuf *out) {
        json_t *networks = json_get_object(json_get_object(((const struct ps_row *) row)->container, "NetworkSettings"), "Networks"), *value;
        const char *name;
        bool first = true;

        json_object_foreach(networks, name, value) {
                if (!first)
                        strbuf_adds(out, ",");
                strbuf_adds(out, name);
                first = false;
        }
}

static const struct listing_column columns[] = {
        { "ID", "CONTAINER ID", show_id },
        { "Names", "NAMES", show_names },
        { "Image", "IMAGE", show_image },
        { "Command", "COMMAND", show_command },
        { "CreatedAt", "CREATED AT", show_created_at },
        { "RunningFor", "CREATED", show_running_for },
        { "Ports", "PORTS", show_ports },
        { "State", "STATE", show_state, state_colour },
        { "Status", "STATUS", show_status, state_colour },
        { "Size", "SIZE", show_size, .seldom = true },
        { "Labels", "LABELS", show_labels, .seldom = true },
        { "Mounts", "MOUNTS", show_mounts, .seldom = true },
        { "LocalVolumes", "LOCAL VOLUMES", show_local_volumes, .seldom = true },
        { "Networks", "NETWORKS", show_networks, .seldom = true },
        { 0 },
};

json_t *container_columns(const json_t *container) {
        return listing_row(columns, &(struct ps_row) { .container = container });
}

struct ps {
        struct listing *listing;
        bool whole, usual;
};

static int add_container(json_t *container, void *data, struct err *err) {
        const struct ps *ps = data;
        auto_json *calls = ps->usual ? NULL : json_pack("{s:O?}", "Label", json_get_object(container, "Labels"));

        return listing_add_row(ps->listing, &(struct ps_row) { container, ps->whole }, calls, err);
}

static int run_ps(struct client *c, const struct args *a) {
        static const char own[] = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}",
                          with_size[] = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}\t{{.Size}}";
        const char *format = config_format(args_text(a, "format"), args_flag(a, "quiet"), "psFormat"), *last = args_flag(a, "latest") ? "1" : args_text(a, "last");
        auto_free char *filters = filters_text(a, NULL);
        struct ps ps = { .whole = args_flag(a, "no-trunc") };
        struct err err = { 0 };
        auto_path path = { 0 };
        int r;

        if (args_flag(a, "quiet") && listing_is_table(format))
                format = "{{.ID}}";
        if (listing_new(format, args_flag(a, "size") ? with_size : own, columns, &ps.listing, &err) < 0)
                return client_complain(&err, 1);
        ps.usual = listing_is_usual(ps.listing) && !ps.whole;
        path_init(&path, "/containers/json");
        path_query_flag(&path, "all", args_flag(a, "all") || last);
        path_query_flag(&path, "size", args_flag(a, "size") || (format && listing_wants(ps.listing, "Size")));
        path_query_flag(&path, "brief", ps.usual); /* half the answer, with short ids; other daemons do not know it, and send all */
        path_query(&path, "limit", last);
        path_query(&path, "filters", filters);
        r = client_list(c, &path, add_container, &ps, &err);
        listing_close(ps.listing, r);
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
