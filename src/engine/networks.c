/* SPDX-License-Identifier: Apache-2.0 */
/* The networks that are always there, as the Engine API shows them. */

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "engine/db.h"
#include "engine/describe.h"
#include "engine/filters.h"
#include "engine/internal.h"
#include "engine/spec.h"
#include "network/network.h"

/* Their ids never change. */
static const struct fixed_network {
        const char *name, *driver, *id;
        enum spec_network kind;
} networks[] = {
        { "bridge", "bridge", "6b69737462726964676530303030303030303030303030303030303030303030", SPEC_NETWORK_BRIDGE },
        { "host", "host", "6b697374686f7374303030303030303030303030303030303030303030303030", SPEC_NETWORK_HOST },
        { "none", "null", "6b6973746e6f6e65303030303030303030303030303030303030303030303030", SPEC_NETWORK_NONE },
};

const char *network_id(const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(networks); i++)
                if (!strcmp(networks[i].name, name))
                        return networks[i].id;
        return "";
}

/* [{Subnet, Gateway}] of the bridge; the others have none. */
static json_t *ipam_config(struct engine *e, const struct fixed_network *n) {
        char subnet[20], gateway[16];
        struct err err;

        if (n->kind != SPEC_NETWORK_BRIDGE)
                return json_array();
        if (network_describe(e->network, subnet, gateway, &err) < 0) {
                log_debug("network %s: %s", n->name, err.msg);
                return json_array();
        }
        return json_pack("[{s:s, s:s}]", "Subnet", subnet, "Gateway", gateway);
}

/* Who runs on it: {id: {Name, EndpointID, …}}. */
static json_t *members(struct engine *e, const struct fixed_network *n) {
        json_t *all = json_object();
        struct container **containers;
        size_t count;

        if (table_snapshot(&e->table, &containers, &count) < 0)
                return all;
        for (size_t i = 0; i < count; i++) {
                struct container_row row;

                container_peek(containers[i], &row);
                if (n->kind == SPEC_NETWORK_BRIDGE && row.has_endpoint)
                        json_object_set_new(all, row.id,
                                            json_pack("{s:s, s:s, s:s, s:o, s:s}", "Name", row.name, "EndpointID", row.id, "MacAddress", row.endpoint.mac, "IPv4Address",
                                                      json_sprintf("%s/%u", row.endpoint.address, row.endpoint.prefix), "IPv6Address", ""));
                container_unref(containers[i]);
        }
        free(containers);
        return all;
}

static json_t *describe(struct engine *e, const struct fixed_network *n, bool with_members) {
        return json_pack("{s:s, s:s, s:o, s:s, s:s, s:b, s:b, s:{s:s, s:n, s:o}, s:b, s:b, s:b, s:{s:s}, s:b, s:o, s:o, s:{}}", "Name", n->name, "Id", n->id, "Created",
                         describe_time(e->opened_ns), "Scope", "local", "Driver", n->driver, "EnableIPv4", 1, "EnableIPv6", 0, "IPAM", "Driver", "default", "Options", "Config",
                         ipam_config(e, n), "Internal", 0, "Attachable", 0, "Ingress", 0, "ConfigFrom", "Network", "", "ConfigOnly", 0, "Containers",
                         with_members ? members(e, n) : json_object(), "Options",
                         n->kind == SPEC_NETWORK_BRIDGE ? json_pack("{s:s, s:s}", "com.docker.network.bridge.default_bridge", "true", "com.docker.network.bridge.name", e->bridge)
                                                        : json_object(),
                         "Labels");
}

/* One of the values is a part of the text; no values fit everything. */
static bool has_part(const json_t *filters, const char *key, const char *text) {
        const char *value;

        for (size_t i = 0; (value = filter_value(filters, key, i)); i++)
                if (strstr(text, value))
                        return true;
        return !filter_has(filters, key);
}

static bool passes(const struct fixed_network *n, const json_t *filters) {
        /* They have no labels, and are built in: never dangling. */
        return has_part(filters, "name", n->name) && filter_prefix(filters, "id", n->id) && filter_text(filters, "driver", n->driver) &&
               filter_text(filters, "scope", "local") && filter_text(filters, "type", "builtin") &&
               (filter_text(filters, "dangling", "false") || filter_text(filters, "dangling", "0")) && filter_labels(filters, "label", NULL);
}

int engine_network_list(struct engine *e, const json_t *filters, json_t **ret, struct err *err) {
        static const char *const known[] = { "name", "id", "driver", "scope", "type", "dangling", "label", "label!", NULL };
        auto_json *list = json_array();
        int r = filters_check(filters, known, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < ARRAY_SIZE(networks); i++)
                if (passes(&networks[i], filters))
                        json_array_append_new(list, describe(e, &networks[i], false));
        *ret = take_ptr(&list);
        return 0;
}

int engine_network_inspect(struct engine *e, const char *name, json_t **ret, struct err *err) {
        const struct fixed_network *found = NULL;
        size_t n = strlen(name), prefixed = 0;

        for (size_t i = 0; i < ARRAY_SIZE(networks) && n; i++) {
                if (!strcmp(name, networks[i].name)) {
                        found = &networks[i];
                        prefixed = 1;
                        break;
                }
                if (!strncmp(networks[i].id, name, n)) {
                        found = &networks[i];
                        prefixed++;
                }
        }
        if (!found)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "network %s not found", name);
        if (prefixed > 1)
                return err_set(err, ERR_INVALID, -ENOTUNIQ, "network %s is ambiguous (%zu matches found on name)", name, prefixed);
        *ret = describe(e, found, true);
        return *ret ? 0 : err_errno(err, -ENOMEM, "network %s", name);
}
