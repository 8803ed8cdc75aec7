/* SPDX-License-Identifier: Apache-2.0 */
/* The networks, as the Engine API shows them. */

#include "engine/networks.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "engine/db.h"
#include "engine/describe.h"
#include "engine/events.h"
#include "engine/filters.h"
#include "engine/internal.h"
#include "network/network.h"

/* Their ids never change. */
static const struct fixed_network {
        const char *name, *driver, *id;
        enum spec_network kind;
} fixed[] = {
        { "bridge", "bridge", "6b69737462726964676530303030303030303030303030303030303030303030", SPEC_NETWORK_BRIDGE },
        { "host", "host", "6b697374686f7374303030303030303030303030303030303030303030303030", SPEC_NETWORK_HOST },
        { "none", "null", "6b6973746e6f6e65303030303030303030303030303030303030303030303030", SPEC_NETWORK_NONE },
};

const char *network_id(const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
                if (!strcmp(fixed[i].name, name))
                        return fixed[i].id;
        return "";
}

/* Two ids in one, digit by digit: it stays the same for as long as both do. */
void network_endpoint_id(const char *container_id, const char *network_id_, char ret[65]) {
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < 64; i++) {
                const char *a = container_id[i] ? strchr(digits, container_id[i]) : NULL, *b = network_id_[i] ? strchr(digits, network_id_[i]) : NULL;

                ret[i] = digits[((a ? a - digits : 0) ^ (b ? b - digits : 0)) & 15];
        }
        ret[64] = '\0';
}

void network_event(struct engine *e, const char *action, const struct network *n, const char *container_id) {
        events_publish(e->events, "network", action, n->id, json_pack("{s:s, s:s, s:s*}", "name", n->name, "type", n->driver, "container", container_id));
}

void network_done(struct network *n) {
        json_decref(n->spec);
        n->spec = NULL;
}

bool network_has_ipv6(const struct network *n) {
        return json_get_bool(n->spec, "EnableIPv6", false);
}

bool network_is_internal(const struct network *n) {
        return json_get_bool(n->spec, "Internal", false);
}

int network_check_name(const char *name, struct err *err) {
        size_t n = strlen(name);
        bool good = n > 0 && n < NETWORK_NAME_SIZE && isalnum((unsigned char) *name);

        for (const char *p = name; *p && good; p++)
                good = isalnum((unsigned char) *p) || strchr("_.-", *p);
        return good ? 0 : err_set(err, ERR_INVALID, -EINVAL, "invalid network name \"%s\": only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name);
}

static void from_fixed(struct engine *e, const struct fixed_network *f, struct network *ret) {
        *ret = (struct network) { .driver = f->driver, .kind = f->kind, .created_ns = e->opened_ns };
        snprintf(ret->id, sizeof(ret->id), "%s", f->id);
        snprintf(ret->name, sizeof(ret->name), "%s", f->name);
        if (f->kind == SPEC_NETWORK_BRIDGE)
                snprintf(ret->bridge, sizeof(ret->bridge), "%s", e->bridge);
}

static int from_row(const struct db_network *row, struct network *ret, struct err *err) {
        const char *driver;
        json_t *spec;
        int r = json_parse(row->spec, strlen(row->spec), ENGINE_JSON_MAX, "the stored network", &spec, err);

        if (r < 0)
                return r;
        driver = network_driver_name(json_get_str(spec, "Driver", ""));
        *ret = (struct network) { .driver = driver ? driver : "unknown", .kind = SPEC_NETWORK_USER, .created_ns = row->created_ns, .spec = spec };
        memcpy(ret->id, row->id, sizeof(ret->id));
        memcpy(ret->name, row->name, sizeof(ret->name));
        snprintf(ret->bridge, sizeof(ret->bridge), "%s", json_get_str(spec, "Bridge", ""));
        return 0;
}

int network_find(struct engine *e, const char *name, struct network *ret, struct err *err) {
        const struct fixed_network *found = NULL;
        struct db_network row = {};
        size_t n = strlen(name), prefixed = 0, stored = 0;
        bool exact = false;
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(fixed) && n && !exact; i++) {
                exact = !strcmp(name, fixed[i].name) || !strcmp(name, fixed[i].id);
                if (exact || !strncmp(fixed[i].id, name, n)) {
                        found = &fixed[i];
                        prefixed++;
                }
        }
        if (!exact && n && (r = db_network_get(e->db, name, &row, &stored, err)) < 0)
                return r;
        if (stored && (!strcmp(row.name, name) || !strcmp(row.id, name))) {
                stored = 1;
                prefixed = 0;
        }
        if (exact || (prefixed == 1 && !stored)) {
                from_fixed(e, found, ret);
                r = 0;
        } else if (prefixed + stored == 0) {
                r = err_set(err, ERR_NOT_FOUND, -ENOENT, "network %s not found", name);
        } else if (prefixed + stored > 1) {
                r = err_set(err, ERR_INVALID, -ENOTUNIQ, "network %s is ambiguous (%zu matches found on name)", name, prefixed + stored);
        } else {
                r = from_row(&row, ret, err);
        }
        free(row.spec);
        return r;
}

struct collecting {
        struct network *v;
        size_t n;
};

static int collect(struct db_network *row, void *data) {
        struct collecting *c = data;
        struct network *grown = reallocarray(c->v, c->n + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        c->v = grown;
        return from_row(row, &c->v[c->n], NULL) < 0 ? 0 : (int) (c->n++, 0);
}

int network_all(struct engine *e, struct network **ret, size_t *ret_n, struct err *err) {
        struct collecting c = { calloc(ARRAY_SIZE(fixed), sizeof(*c.v)), 0 };
        int r;

        if (!c.v)
                return err_errno(err, -ENOMEM, "listing networks");
        for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
                from_fixed(e, &fixed[i], &c.v[c.n++]);
        r = db_networks_each(e->db, collect, &c, err);
        if (r < 0) {
                for (size_t i = 0; i < c.n; i++)
                        network_done(&c.v[i]);
                free(c.v);
                return r;
        }
        *ret = c.v;
        *ret_n = c.n;
        return 0;
}

/* --- the API's objects --- */

/* [{Subnet, Gateway}] of the default bridge. */
static json_t *default_ipam(struct engine *e) {
        struct network_addresses a;
        struct err err;

        if (network_describe(e->network, &a, &err) < 0) {
                log_debug("network bridge: %s", err.msg);
                return json_array();
        }
        if (*a.subnet6)
                return json_pack("[{s:s, s:s}, {s:s, s:s}]", "Subnet", a.subnet, "Gateway", a.gateway, "Subnet", a.subnet6, "Gateway", a.gateway6);
        return json_pack("[{s:s, s:s}]", "Subnet", a.subnet, "Gateway", a.gateway);
}

/* Who runs on it: {id: {Name, EndpointID, …}}. */
static json_t *members(struct engine *e, const struct network *n) {
        json_t *all = json_object();
        struct container **containers;
        size_t count;

        if (table_snapshot(&e->table, &containers, &count) < 0)
                return all;
        for (size_t i = 0; i < count; i++) {
                struct container_row row;

                container_peek(containers[i], &row);
                for (size_t k = 0; k < row.n_endpoints; k++) {
                        const struct network_endpoint *p = &row.endpoints[k];
                        char endpoint_id[65];

                        if (strcmp(p->network, n->id) != 0)
                                continue;
                        network_endpoint_id(row.id, n->id, endpoint_id);
                        json_object_set_new(all, row.id,
                                            json_pack("{s:s, s:s, s:s, s:o, s:o}", "Name", row.name, "EndpointID", endpoint_id, "MacAddress", p->mac, "IPv4Address",
                                                      json_sprintf("%s/%u", p->address, p->prefix), "IPv6Address",
                                                      *p->address6 ? json_sprintf("%s/%u", p->address6, p->prefix6) : json_string("")));
                }
                container_unref(containers[i]);
        }
        free(containers);
        return all;
}

static json_t *copy_object(const json_t *spec, const char *key) {
        json_t *v = json_get_object(spec, key);

        return v ? json_incref(v) : json_object();
}

static json_t *ipam_object(struct engine *e, const struct network *n) {
        if (n->kind == SPEC_NETWORK_USER)
                return copy_object(n->spec, "IPAM");
        return json_pack("{s:s, s:n, s:o}", "Driver", "default", "Options", "Config", n->kind == SPEC_NETWORK_BRIDGE ? default_ipam(e) : json_array());
}

static json_t *options_object(struct engine *e, const struct network *n) {
        if (n->kind == SPEC_NETWORK_BRIDGE)
                return json_pack("{s:s, s:s, s:s, s:s}", "com.docker.network.bridge.default_bridge", "true", "com.docker.network.bridge.enable_icc", "true",
                                 "com.docker.network.bridge.enable_ip_masquerade", "true", "com.docker.network.bridge.name", e->bridge);
        return copy_object(n->spec, "Options");
}

static json_t *describe(struct engine *e, const struct network *n, bool with_members) {
        return json_pack("{s:s, s:s, s:o, s:s, s:s, s:b, s:b, s:o, s:b, s:b, s:b, s:{s:s}, s:b, s:o, s:o, s:o}", "Name", n->name, "Id", n->id, "Created",
                         describe_time(n->created_ns), "Scope", "local", "Driver", n->driver, "EnableIPv4", 1, "EnableIPv6", n->kind == SPEC_NETWORK_BRIDGE ? e->ipv6 : network_has_ipv6(n), "IPAM", ipam_object(e, n), "Internal",
                         network_is_internal(n), "Attachable", json_get_bool(n->spec, "Attachable", false), "Ingress", 0, "ConfigFrom", "Network", "", "ConfigOnly", 0,
                         "Containers", with_members ? members(e, n) : json_object(), "Options", options_object(e, n), "Labels", copy_object(n->spec, "Labels"));
}

/* One of the values is a part of the text; no values fit everything. */
static bool has_part(const json_t *filters, const char *key, const char *text) {
        const char *value;

        for (size_t i = 0; (value = filter_value(filters, key, i)); i++)
                if (strstr(text, value))
                        return true;
        return !filter_has(filters, key);
}

/* Those that are always there are never dangling. */
static bool is_dangling(struct engine *e, const struct network *n) {
        auto_json *all = n->kind == SPEC_NETWORK_USER ? members(e, n) : NULL;

        return all && json_object_size(all) == 0;
}

static bool passes(struct engine *e, const struct network *n, const json_t *filters) {
        bool dangling;

        if (!has_part(filters, "name", n->name) || !filter_prefix(filters, "id", n->id) || !filter_text(filters, "driver", n->driver) ||
            !filter_text(filters, "scope", "local") || !filter_text(filters, "type", n->kind == SPEC_NETWORK_USER ? "custom" : "builtin") ||
            !filter_labels(filters, "label", json_get_object(n->spec, "Labels")))
                return false;
        if (!filter_has(filters, "dangling"))
                return true;
        dangling = is_dangling(e, n);
        return filter_text(filters, "dangling", dangling ? "true" : "false") || filter_text(filters, "dangling", dangling ? "1" : "0");
}

int engine_network_list(struct engine *e, const json_t *filters, json_t **ret, struct err *err) {
        static const char *const known[] = { "name", "id", "driver", "scope", "type", "dangling", "label", "label!", NULL };
        auto_json *list = json_array();
        struct network *all;
        size_t n;
        int r = filters_check(filters, known, err);

        for (size_t i = 0; r == 0 && filter_value(filters, "type", i); i++)
                if (strcmp(filter_value(filters, "type", i), "custom") != 0 && strcmp(filter_value(filters, "type", i), "builtin") != 0)
                        r = err_set(err, ERR_INVALID, -EINVAL, "invalid filter: 'type'='%s'", filter_value(filters, "type", i));
        if (r < 0 || (r = network_all(e, &all, &n, err)) < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                if (passes(e, &all[i], filters))
                        json_array_append_new(list, describe(e, &all[i], false));
                network_done(&all[i]);
        }
        free(all);
        *ret = take_ptr(&list);
        return 0;
}

int engine_network_inspect(struct engine *e, const char *name, json_t **ret, struct err *err) {
        auto_network n = {};
        int r = network_find(e, name, &n, err);

        if (r < 0)
                return r;
        *ret = describe(e, &n, true);
        return *ret ? 0 : err_errno(err, -ENOMEM, "network %s", name);
}
