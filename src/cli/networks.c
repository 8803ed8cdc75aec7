/* SPDX-License-Identifier: Apache-2.0 */
/* kist network create, ls, inspect, connect, disconnect, rm, prune. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/container-body.h"
#include "cli/format.h"
#include "cli/listing.h"

static void set_pairs(const struct args *a, const char *option, json_t *object) {
        const char *const *items;
        size_t n = args_list(a, option, &items);

        for (size_t i = 0; i < n; i++)
                set_pair(object, items[i], '=');
}

/* By their order, but those of IPv6 by themselves: --subnet 10.5.0.0/16 --subnet fd00:5::/64 --gateway fd00:5::9. */
static void set_entries(const struct args *a, const char *option, const char *key, json_t *entries) {
        size_t n[2] = { 0, 0 };
        const char *const *items;
        size_t count = args_list(a, option, &items);

        for (size_t i = 0; i < count; i++) {
                bool ipv6 = strchr(items[i], ':') != NULL;
                json_t *list = json_array_get(entries, ipv6);

                if (n[ipv6] == json_array_size(list))
                        json_array_append_new(list, json_object());
                json_object_set_new(json_array_get(list, n[ipv6]++), key, json_string(items[i]));
        }
}

static void set_reserved(const struct args *a, json_t *entries) {
        const char *const *items;
        size_t n = args_list(a, "aux-address", &items);

        for (size_t i = 0; i < n; i++) {
                json_t *list = json_array_get(entries, strchr(items[i], ':') != NULL), *entry, *reserved;

                if (!json_array_size(list))
                        json_array_append_new(list, json_object());
                entry = json_array_get(list, 0);
                reserved = json_object_get(entry, "AuxiliaryAddresses");
                if (!reserved)
                        json_object_set_new(entry, "AuxiliaryAddresses", reserved = json_object());
                set_pair(reserved, items[i], '=');
        }
}

static json_t *ipam(const struct args *a) {
        static const char *const options[][2] = { { "subnet", "Subnet" }, { "ip-range", "IPRange" }, { "gateway", "Gateway" } };
        auto_json *entries = json_pack("[[], []]");
        const char *driver = args_text(a, "ipam-driver");
        json_t *config = json_array();

        for (size_t i = 0; i < ARRAY_SIZE(options); i++)
                set_entries(a, options[i][0], options[i][1], entries);
        set_reserved(a, entries);
        for (size_t i = 0; i < 2; i++)
                json_array_extend(config, json_array_get(entries, i));
        return json_pack("{s:s, s:o}", "Driver", driver ? driver : "default", "Config", config);
}

static int run_create(struct client *c, const struct args *a) {
        json_t *options = json_object(), *labels = json_object();
        const char *driver = args_text(a, "driver");
        auto_json *body = NULL, *answer = NULL;
        struct err err = { 0 };
        auto_path path = { 0 };

        set_pairs(a, "opt", options);
        set_pairs(a, "label", labels);
        body = json_pack("{s:s, s:s, s:b, s:b, s:b, s:o, s:o, s:o}", "Name", args_at(a, 0), "Driver", driver ? driver : "bridge", "Internal", args_flag(a, "internal"), "Attachable",
                         args_flag(a, "attachable"), "EnableIPv6", args_flag(a, "ipv6"), "IPAM", ipam(a), "Options", options, "Labels", labels);
        path_init(&path, "/networks/create");
        if (client_call(c, "POST", &path, body, &answer, &err) < 0)
                return client_complain(&err, 1);
        printf("%s\n", json_get_str(answer, "Id", ""));
        return 0;
}

static const struct listing_column columns[] = {
        { "ID", "NETWORK ID" }, { "Name", "NAME" },     { "Driver", "DRIVER" },        { "Scope", "SCOPE" }, { "IPv4", "IPV4" }, { "IPv6", "IPV6" },
        { "Internal", "INTERNAL" }, { "Labels", "LABELS" }, { "CreatedAt", "CREATED AT" }, { 0 },
};

static const char *truth(const json_t *network, const char *key, bool usual) {
        return json_get_bool(network, key, usual) ? "true" : "false";
}

static json_t *network_row(const json_t *network, bool whole) {
        auto_free char *id = listing_id(json_get_str(network, "Id", ""), whole), *labels = listing_labels(json_get_object(network, "Labels"));
        char created[64] = "";
        int64_t ns;

        if (time_parse(json_get_str(network, "Created", ""), &ns) == 0)
                listing_date(ns / 1000000000, created);
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "ID", id, "Name", json_get_str(network, "Name", ""), "Driver", json_get_str(network, "Driver", ""), "Scope",
                         json_get_str(network, "Scope", ""), "IPv4", truth(network, "EnableIPv4", true), "IPv6",
                         truth(network, "EnableIPv6", false), "Internal", truth(network, "Internal", false), "Labels", labels, "CreatedAt", created);
}

static int by_name(const void *a, const void *b) {
        return strcmp(json_get_str(*(json_t *const *) a, "Name", ""), json_get_str(*(json_t *const *) b, "Name", ""));
}

static json_t *sorted(const json_t *list) {
        size_t n = json_array_size(list);
        auto_free json_t **v = calloc(n + 1, sizeof(*v));
        json_t *ret = json_array();

        for (size_t i = 0; i < n; i++)
                v[i] = json_array_get(list, i);
        qsort(v, n, sizeof(*v), by_name);
        for (size_t i = 0; i < n; i++)
                json_array_append(ret, v[i]);
        return ret;
}

static int run_ls(struct client *c, const struct args *a) {
        const char *format = config_format(args_text(a, "format"), args_flag(a, "quiet"), "networksFormat");
        auto_free char *filters = filters_text(a, NULL);
        auto_json *unsorted = NULL, *list = NULL;
        struct err err = { 0 };
        auto_path path = { 0 };
        struct listing *l;
        json_t *network;
        size_t i;
        int r;

        if (args_flag(a, "quiet") && listing_is_table(format))
                format = "{{.ID}}";
        if (listing_new(format, "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}", columns, &l, &err) < 0)
                return client_complain(&err, 1);
        path_init(&path, "/networks");
        path_query(&path, "filters", filters);
        r = client_call(c, "GET", &path, NULL, &unsorted, &err);
        list = sorted(unsorted);
        json_array_foreach(list, i, network) {
                auto_json *row = network_row(network, args_flag(a, "no-trunc")), *calls = json_pack("{s:O?}", "Label", json_get_object(network, "Labels"));

                if ((r = listing_add(l, row, calls, &err)) < 0)
                        break;
        }
        listing_close(l, r);
        return r < 0 ? client_complain(&err, 1) : 0;
}

static int run_inspect(struct client *c, const struct args *a) {
        const char *format = args_text(a, "format");
        auto_json *found = json_array();
        struct err err = { 0 };
        int status = 0;

        if (format && format_check(format, &err) < 0)
                return client_complain(&err, 1);
        for (size_t i = 0; i < args_count(a); i++) {
                auto_free char *name = path_escape(args_at(a, i));
                json_t *network = NULL;
                auto_path path = { 0 };

                path_init(&path, "/networks/%s", name);
                if (client_call(c, "GET", &path, NULL, &network, &err) < 0)
                        status = client_complain(&err, 1);
                else if (!format)
                        json_array_append_new(found, network);
                else {
                        if (format_print(format, network, &err) < 0)
                                status = client_complain(&err, 1);
                        json_decref(network);
                }
        }
        if (!format) {
                json_dumpf(found, stdout, JSON_INDENT(4));
                printf("\n");
        }
        return status;
}

static int change(struct client *c, const struct args *a, const char *what, const json_t *body) {
        auto_free char *name = path_escape(args_at(a, 0));
        struct err err = { 0 };
        auto_path path = { 0 };

        path_init(&path, "/networks/%s/%s", name, what);
        return client_call(c, "POST", &path, body, NULL, &err) < 0 ? client_complain(&err, 1) : 0;
}

static int run_connect(struct client *c, const struct args *a) {
        static const char *const parts[][2] = { { "ip", "ip" }, { "ip6", "ip6" }, { "gw-priority", "gw-priority" } };
        auto_json *body = NULL;
        auto_free char *name = NULL;
        const char *const *items;
        json_t *endpoint;
        auto_strbuf text;
        size_t n;

        strbuf_init(&text, 65536);
        strbuf_adds(&text, "name=x");
        for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
                if (args_text(a, parts[i][0]))
                        strbuf_addf(&text, ",%s=%s", parts[i][1], args_text(a, parts[i][0]));
        n = args_list(a, "alias", &items);
        for (size_t i = 0; i < n; i++)
                strbuf_addf(&text, ",alias=%s", items[i]);
        n = args_list(a, "driver-opt", &items);
        for (size_t i = 0; i < n; i++)
                strbuf_addf(&text, ",driver-opt=%s", items[i]);
        if (network_endpoint_parse(a, "ip, --alias, --gw-priority or --driver-opt", text.data, &name, &endpoint) < 0)
                return 1;
        body = json_pack("{s:s, s:o}", "Container", args_at(a, 1), "EndpointConfig", endpoint);
        return change(c, a, "connect", body);
}

static int run_disconnect(struct client *c, const struct args *a) {
        auto_json *body = json_pack("{s:s, s:b}", "Container", args_at(a, 1), "Force", args_flag(a, "force"));

        return change(c, a, "disconnect", body);
}

static int run_rm(struct client *c, const struct args *a) {
        int status = 0;

        for (size_t i = 0; i < args_count(a); i++) {
                auto_free char *name = path_escape(args_at(a, i));
                struct err err = { 0 };
                auto_path path = { 0 };
                int r;

                path_init(&path, "/networks/%s", name);
                r = client_call(c, "DELETE", &path, NULL, NULL, &err);
                if (r == 0)
                        printf("%s\n", args_at(a, i));
                else if (!args_flag(a, "force") || err.kind != ERR_NOT_FOUND)
                        status = client_complain(&err, 1);
        }
        return status;
}

/* Whoever sits at a terminal is asked. */
static int run_prune(struct client *c, const struct args *a) {
        auto_free char *filters = filters_text(a, NULL);
        auto_json *answer = NULL;
        struct err err = { 0 };
        auto_path path = { 0 };
        json_t *name;
        char line[16];
        size_t i;

        if (!args_flag(a, "force")) {
                printf("WARNING! This will remove all networks that no running container uses.\nAre you sure you want to continue? [y/N] ");
                fflush(stdout);
                if (!fgets(line, sizeof(line), stdin) || (line[0] != 'y' && line[0] != 'Y'))
                        return 0;
        }
        path_init(&path, "/networks/prune");
        path_query(&path, "filters", filters);
        if (client_call(c, "POST", &path, NULL, &answer, &err) < 0)
                return client_complain(&err, 1);
        if (json_array_size(json_get_array(answer, "NetworksDeleted")))
                printf("Deleted Networks:\n");
        json_array_foreach(json_get_array(answer, "NetworksDeleted"), i, name)
                printf("%s\n", json_string_value(name));
        return 0;
}

static const struct option create_options[] = {
        { 0, "attachable", OPTION_FLAG, NULL, "Recorded; every network here is" },
        { 0, "aux-address", OPTION_LIST, "NAME=ADDRESS", "An address that no container gets" },
        { 'd', "driver", OPTION_TEXT, "DRIVER", "bridge, macvlan or ipvlan" },
        { 0, "gateway", OPTION_LIST, "ADDRESS", "The host's address on it" },
        { 0, "internal", OPTION_FLAG, NULL, "No way out, and none in" },
        { 0, "ip-range", OPTION_LIST, "SUBNET", "The part of the subnet that containers get addresses from" },
        { 0, "ipam-driver", OPTION_TEXT, "DRIVER", "default" },
        { 0, "ipv6", OPTION_FLAG, NULL, "IPv6 addresses too" },
        { 0, "label", OPTION_LIST, "KEY=VALUE", "A label" },
        { 'o', "opt", OPTION_LIST, "KEY=VALUE", "An option of the driver" },
        { 0, "subnet", OPTION_LIST, "SUBNET", "Such as 10.5.0.0/16, and one of IPv6; otherwise a free one is found" },
        { 0 },
};
static const struct option ls_options[] = {
        { 'f', "filter", OPTION_LIST, "KEY=VALUE", "name, id, driver, label, scope, type, dangling" },
        { 0, "format", OPTION_TEXT, "TEMPLATE", "{{.Name}} …, or json" },
        { 0, "no-trunc", OPTION_FLAG, NULL, "Whole ids" },
        { 'q', "quiet", OPTION_FLAG, NULL, "Ids only" },
        { 0 },
};
static const struct option inspect_options[] = {
        { 'f', "format", OPTION_TEXT, "TEMPLATE", "{{.IPAM}} …, or json" },
        { 'v', "verbose", OPTION_FLAG, NULL, "Everything there is: here it always is" },
        { 0 },
};
static const struct option connect_options[] = {
        { 0, "alias", OPTION_LIST, "NAME", "One more name of the container there" },
        { 0, "driver-opt", OPTION_LIST, "KEY=VALUE", "com.docker.network.endpoint.ifname=NAME, or a rate: kist.egress-rate=10mbit" },
        { 0, "gw-priority", OPTION_TEXT, "NUMBER", "Of its gateway: the highest is the default route" },
        { 0, "ip", OPTION_TEXT, "ADDRESS", "A fixed IPv4 address" },
        { 0, "ip6", OPTION_TEXT, "ADDRESS", "A fixed IPv6 address" },
        { 0 },
};
static const struct option force_options[] = {
        { 'f', "force", OPTION_FLAG, NULL, "What is not there is no error; nobody is asked" },
        { 0 },
};
static const struct option prune_options[] = {
        { 0, "filter", OPTION_LIST, "KEY=VALUE", "until=24h, label=…" },
        { 'f', "force", OPTION_FLAG, NULL, "Do not ask" },
        { 0 },
};

const struct command command_network_create = {
        "network create", "network", "create", "[OPTIONS] NETWORK", "Make a network", "  kist network create --subnet 10.5.0.0/16 backend\n"
        "  kist network create -d macvlan --subnet 192.168.7.0/24 --gateway 192.168.7.1 -o parent=eth0.7 -o macvlan_mode=bridge lan\n", create_options, NULL, 1, 1, false, run_create,
};
const struct command command_network_ls = {
        "network ls", "network", "ls", "[OPTIONS]", "List networks", NULL, ls_options, NULL, 0, 0, false, run_ls,
};
const struct command command_network_inspect = {
        "network inspect", "network", "inspect", "[OPTIONS] NETWORK...", "Show networks, and who is on them", NULL, inspect_options, NULL, 1, SIZE_MAX, false, run_inspect,
};
const struct command command_network_connect = {
        "network connect", "network", "connect", "[OPTIONS] NETWORK CONTAINER", "Put a container on a network; it may run", NULL, connect_options, NULL, 2, 2, false, run_connect,
};
const struct command command_network_disconnect = {
        "network disconnect", "network", "disconnect", "[OPTIONS] NETWORK CONTAINER", "Take a container off a network", NULL, force_options, NULL, 2, 2, false, run_disconnect,
};
const struct command command_network_rm = {
        "network rm", "network", "rm", "[OPTIONS] NETWORK...", "Remove networks", NULL, force_options, NULL, 1, SIZE_MAX, false, run_rm,
};
const struct command command_network_prune = {
        "network prune", "network", "prune", "[OPTIONS]", "Remove the networks that no running container uses", NULL, prune_options, NULL, 0, 0, false, run_prune,
};
