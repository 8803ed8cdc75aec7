/* SPDX-License-Identifier: Apache-2.0 */
/* version, events. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/timestamp.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/moment.h"
#include "cli/terminal.h"

static int run_version(struct client *c, const struct args *a) {
        const char *format = args_text(a, "format");
        auto_json *server = NULL, *all = NULL;
        struct err err = { 0 };
        auto_path path = { 0 };
        int r;

        if (format && format_check(format, &err) < 0)
                return client_complain(&err, 1);
        path_init(&path, "/version");
        r = client_call(c, "GET", &path, NULL, &server, &err);
        if (format) {
                struct err ignored;

                all = json_pack("{s:{s:s, s:s}, s:O?}", "Client", "Version", KIST_VERSION, "ApiVersion", CLIENT_API_VERSION, "Server", server);
                format_print(format, all, &ignored);
                return r < 0 ? client_complain(&err, 1) : 0;
        }
        printf("Client: Kist\n Version:           %s\n API version:       %s\n", KIST_VERSION, CLIENT_API_VERSION);
        if (r < 0) {
                fflush(stdout);
                return client_complain(&err, 1);
        }
        printf("\nServer: %s\n Engine:\n  Version:          %s\n  API version:      %s (minimum version %s)\n  OS/Arch:          %s/%s\n  Kernel:           %s\n",
               json_get_str(json_get_object(server, "Platform"), "Name", "?"), json_get_str(server, "Version", "?"), json_get_str(server, "ApiVersion", "?"),
               json_get_str(server, "MinAPIVersion", "?"), json_get_str(server, "Os", "?"), json_get_str(server, "Arch", "?"), json_get_str(server, "KernelVersion", "?"));
        return 0;
}

/* "2026-… container start ID (image=…, name=…)" */
static int print_event(json_t *event, void *data) {
        const char *format = data, *key, *between = "";
        json_t *actor = json_get_object(event, "Actor"), *value;
        char when[TIME_RFC3339_SIZE];
        struct err err;

        if (format) {
                int r = format_print(format, event, &err);

                fflush(stdout);
                return r;
        }
        time_format_ns(json_get_int(event, "timeNano", 0), when);
        printf("%s %s ", when, json_get_str(event, "Type", ""));
        /* An exec's has its command. */
        terminal_put(stdout, json_get_str(event, "Action", ""), "");
        printf(" %s (", json_get_str(actor, "ID", ""));
        json_object_foreach(json_get_object(actor, "Attributes"), key, value) {
                fputs(between, stdout);
                terminal_put(stdout, key, "");
                putchar('=');
                terminal_put(stdout, json_is_string(value) ? json_string_value(value) : "", "");
                between = ", ";
        }
        printf(")\n");
        fflush(stdout);
        return 0;
}

static int run_events(struct client *c, const struct args *a) {
        const char *format = args_text(a, "format");
        auto_free char *filters = filters_text(a, NULL);
        auto_http h = { .fd = -EBADF };
        struct err err = { 0 };
        auto_path path = { 0 };

        if (format && format_check(format, &err) < 0)
                return client_complain(&err, 1);
        path_init(&path, "/events");
        if (path_query_moment(&path, a, "since") < 0 || path_query_moment(&path, a, "until") < 0)
                return 1;
        path_query(&path, "filters", filters);
        if (client_open(c, &h, "GET", &path, NULL, &err) < 0 || client_stream(&h, print_event, (void *) format, &err) < 0)
                return client_complain(&err, 1);
        return 0;
}

static const struct option format_options[] = {
        { 'f', "format", OPTION_TEXT, "TEMPLATE", "{{.Server.Version}} …, or json" },
        { 0 },
};
static const struct option events_options[] = {
        { 'f', "filter", OPTION_LIST, "KEY=VALUE", "Only those that match: container, event, type, …" },
        { 0, "format", OPTION_TEXT, "TEMPLATE", "{{.Action}} …, or json" },
        { 0, "since", OPTION_TEXT, "TIME", "Events since then, as far as they are kept" },
        { 0, "until", OPTION_TEXT, "TIME", "End at this time" },
        { 0 },
};

const struct command command_version = {
        "version", "system", NULL, "[OPTIONS]", "Show the versions of kist and kistd", "  kist version --format '{{.Server.Version}}'\n", format_options, NULL, 0, 0, false, run_version,
};
const struct command command_events = {
        "events", "system", NULL, "[OPTIONS]", "Show what happens as it happens", "  kist events --filter type=container\n  kist events --since 1h --until 0s --format '{{.Type}} {{.Action}}'\n",
        events_options, NULL, 0, 0, false, run_events,
};
