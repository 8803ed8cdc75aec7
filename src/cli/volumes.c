/* SPDX-License-Identifier: Apache-2.0 */
/* volume create, ls, rm, update; prune.c and inspect.c have the rest. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/container-body.h"
#include "cli/listing.h"
#include "cli/table.h"

static const struct listing_column columns[] = {
        { "Name", "VOLUME NAME" }, { "Driver", "DRIVER" }, { "Scope", "SCOPE" }, { "Mountpoint", "MOUNTPOINT" }, { "Labels", "LABELS" },
        { "Links", "LINKS" },      { "Size", "SIZE" },     { "Status", "STATUS" }, { "Availability", "AVAILABILITY" }, { "Group", "GROUP" }, { 0 },
};

json_t *volume_columns(const json_t *v) {
        const json_t *usage = json_get_object(v, "UsageData");
        auto_free char *labels = listing_labels(json_get_object(v, "Labels"));
        char size[32];

        human_sum((uint64_t) json_get_int(usage, "Size", 0), size);
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:s}", "Name", json_get_str(v, "Name", ""), "Driver", json_get_str(v, "Driver", ""), "Scope",
                         json_get_str(v, "Scope", ""), "Mountpoint", json_get_str(v, "Mountpoint", ""), "Labels", labels, "Links",
                         usage ? json_sprintf("%lld", (long long) json_get_int(usage, "RefCount", 0)) : json_string("N/A"), "Size", usage ? size : "N/A", "Status",
                         "N/A", "Availability", "N/A", "Group", "N/A");
}

static int run_ls(struct client *c, const struct args *a) {
        const char *format = config_format(args_text(a, "format"), args_flag(a, "quiet"), "volumesFormat");
        auto_free char *filters = filters_text(a, NULL);
        auto_json *answer = NULL;
        struct err err = { 0 };
        auto_path path = { 0 };
        struct listing *l;
        json_t *volume;
        int r;
        size_t i;

        if (args_flag(a, "quiet") && listing_is_table(format))
                format = "{{.Name}}";
        if (listing_new(format, "{{.Driver}}\t{{.Name}}", columns, &l, &err) < 0)
                return client_complain(&err, 1);
        path_init(&path, "/volumes");
        path_query(&path, "filters", filters);
        r = client_call(c, "GET", &path, NULL, &answer, &err);
        json_array_foreach(json_get_array(answer, "Volumes"), i, volume) {
                auto_json *row = volume_columns(volume), *calls = json_pack("{s:O?}", "Label", json_get_object(volume, "Labels"));

                if ((r = listing_add(l, row, calls, &err)) < 0)
                        break;
        }
        listing_close(l, r);
        return r < 0 ? client_complain(&err, 1) : 0;
}

json_t *option_pairs(const struct args *a, const char *option) {
        json_t *object = json_object();
        const char *const *items;
        size_t n = args_list(a, option, &items);

        for (size_t i = 0; i < n; i++)
                set_pair(object, items[i], '=');
        return object;
}

static int run_create(struct client *c, const struct args *a) {
        const char *driver = args_text(a, "driver"), *name = args_at(a, 0) ? args_at(a, 0) : args_text(a, "name");
        auto_json *body = json_pack("{s:s, s:o, s:o}", "Driver", driver ? driver : "local", "DriverOpts", option_pairs(a, "opt"), "Labels", option_pairs(a, "label"));
        auto_json *answer = NULL;
        struct err err = { 0 };
        auto_path path = { 0 };

        if (args_at(a, 0) && args_text(a, "name")) {
                complain("volume create: the name is given twice");
                return 1;
        }
        if (name)
                json_object_set_new(body, "Name", json_string(name));
        path_init(&path, "/volumes/create");
        if (client_call(c, "POST", &path, body, &answer, &err) < 0)
                return client_complain(&err, 1);
        printf("%s\n", json_get_str(answer, "Name", ""));
        return 0;
}

static int run_rm(struct client *c, const struct args *a) {
        int status = 0;

        for (size_t i = 0; i < args_count(a); i++) {
                auto_free char *name = path_escape(args_at(a, i));
                struct err err = { 0 };
                auto_path path = { 0 };

                path_init(&path, "/volumes/%s", name);
                path_query_flag(&path, "force", args_flag(a, "force"));
                if (client_call(c, "DELETE", &path, NULL, NULL, &err) < 0)
                        status = client_complain(&err, 1);
                else
                        printf("%s\n", args_at(a, i));
        }
        return status;
}

static int run_update(struct client *c, const struct args *a) {
        complain("volume update: only volumes of a cluster's storage can be updated, and Kist has none; the volume %s stays as it is", args_at(a, 0));
        return EXIT_DAEMON;
}

static const struct option ls_options[] = {
        { 'f', "filter", OPTION_LIST, "KEY=VALUE", "Only those that match: dangling, driver, label, name" },
        { 0, "format", OPTION_TEXT, "TEMPLATE", "table, json, or a template: {{.Name}} {{.Mountpoint}} …" },
        { 'q', "quiet", OPTION_FLAG, NULL, "Names only" },
        { 0 },
};
static const struct option create_options[] = {
        { 'd', "driver", OPTION_TEXT, "DRIVER", "Only local" },
        { 0, "label", OPTION_LIST, "KEY=VALUE", "A label" },
        { 0, "name", OPTION_TEXT, "NAME", "The name, as an option" },
        { 'o', "opt", OPTION_LIST, "KEY=VALUE", "An option of the driver" },
        { 0 },
};
static const struct option rm_options[] = {
        { 'f', "force", OPTION_FLAG, NULL, "One that is not there is no error" },
        { 0 },
};
static const struct option no_options[] = { { 0 } };

const struct command command_volume_ls = {
        "volume ls", "volume", "ls", "[OPTIONS]", "List volumes", "  kist volume ls -q --filter dangling=true\n", ls_options, NULL, 0, 0, false, run_ls,
};
const struct command command_volume_create = {
        "volume create", "volume", "create", "[OPTIONS] [NAME]", "Make a volume", "  kist volume create --label tier=db data\n", create_options, NULL, 0, 1, false, run_create,
};
const struct command command_volume_rm = {
        "volume rm", "volume", "rm", "[OPTIONS] VOLUME [VOLUME...]", "Remove volumes that no container has", "  kist volume rm data\n", rm_options, NULL, 1, SIZE_MAX, false, run_rm,
};
const struct command command_volume_update = {
        "volume update", "volume", "update", "VOLUME", "Refused: only volumes of a cluster can be updated", NULL, no_options, NULL, 1, 1, false, run_update,
};
