/* SPDX-License-Identifier: Apache-2.0 */
/* Making and removing networks. The row is written before the bridge is made, and goes after it: a daemon that dies in between finds the row, and makes
 * the bridge when it is needed. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "dns/dns.h"
#include "engine/db.h"
#include "engine/filters.h"
#include "engine/fields.h"
#include "engine/internal.h"
#include "engine/networks.h"
#include "engine/ports.h"
#include "engine/prune.h"
#include "network/network.h"

enum { RESERVED_MAX = 256, BRIDGE_ID_DIGITS = 12, OPTIONS_MAX = 64 };

static bool truth_of(const json_t *spec, const char *option, bool fallback) {
        network_read_truth(json_get_str(json_object_get(spec, "Options"), option, ""), &fallback);
        return fallback;
}

/* --- what was asked for → what is stored --- */

static int take_texts(const json_t *body, const char *key, json_t **ret, struct err *err) {
        json_t *v = json_object_get(body, key), *text;
        const char *name;

        if (v && !json_is_null(v) && !json_is_object(v))
                return err_set(err, ERR_INVALID, -EINVAL, "%s: an object is expected", key);
        if (json_object_size(v) > OPTIONS_MAX)
                return err_set(err, ERR_INVALID, -E2BIG, "%s: at most %d are possible", key, OPTIONS_MAX);
        json_object_foreach(v, name, text)
                if (!json_is_string(text) || strlen(json_string_value(text)) != json_string_length(text))
                        return err_set(err, ERR_INVALID, -EINVAL, "%s: the value of \"%s\" is not a string", key, name);
        *ret = json_is_object(v) ? json_incref(v) : json_object();
        return 0;
}

static int take_ipam_entry(const json_t *entry, json_t *ret, struct err *err) {
        static const char *const texts[] = { "Subnet", "IPRange", "Gateway" };
        auto_json *reserved = NULL;
        int r = take_texts(entry, "AuxiliaryAddresses", &reserved, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                const char *text = json_get_str(entry, texts[i], "");

                if (*text)
                        json_object_set_new(ret, texts[i], json_string(text));
        }
        if (json_object_size(reserved))
                json_object_set(ret, "AuxiliaryAddresses", reserved);
        if (json_object_size(ret) && !json_object_get(ret, "Subnet"))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid network config: an address range, a gateway and auxiliary addresses need a subnet");
        return 0;
}

/* *ret: an array, first what is of IPv4, and with IPv6 what is of that; an empty object where nothing was said. */
static int take_ipam(const json_t *body, bool ipv6, json_t *ret, struct err *err) {
        const json_t *ipam = json_object_get(body, "IPAM"), *list = json_object_get(ipam, "Config");
        const char *driver = json_get_str(ipam, "Driver", "");

        if (*driver && strcmp(driver, "default") != 0)
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "IPAM driver \"%s\" is not supported; default is", driver);
        if (json_object_size(json_get_object(ipam, "Options")))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "IPAM options are not supported by this version");
        for (size_t i = 0; i < (ipv6 ? 2 : 1); i++)
                json_array_append_new(ret, json_object());
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *entry = json_array_get(list, i);
                const char *subnet = json_get_str(entry, "Subnet", "");
                json_t *place = json_array_get(ret, strchr(subnet, ':') != NULL);
                int r;

                if (!place)
                        return err_set(err, ERR_INVALID, -EINVAL, "invalid network config: subnet %s: IPv6 is not enabled for this network", subnet);
                if (json_object_size(place))
                        return err_set(err, ERR_INVALID, -EINVAL, "invalid network config: a network has one subnet%s", ipv6 ? " of IPv4 and one of IPv6" : "");
                if ((r = take_ipam_entry(entry, place, err)) < 0)
                        return r;
        }
        return 0;
}

static int check_kind(const json_t *body, const char *name, struct err *err) {
        static const char *const refused[] = { "Ingress", "ConfigOnly" };
        const char *driver = json_get_str(body, "Driver", ""), *scope = json_get_str(body, "Scope", "");
        int r = network_check_name(name, err);

        if (r < 0)
                return r;
        if (!strcmp(name, "bridge") || !strcmp(name, "host") || !strcmp(name, "none") || !strcmp(name, "default"))
                return err_set(err, ERR_DENIED, -EEXIST, "operation is not permitted on predefined %s network", name);
        if (!strcmp(driver, "host") || !strcmp(driver, "null"))
                return err_set(err, ERR_DENIED, -EEXIST, "only one instance of \"%s\" network is allowed", driver);
        if (!network_driver_name(driver))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "network driver \"%s\" is not supported by this version; bridge, macvlan and ipvlan are", driver);
        if (*scope && strcmp(scope, "local") != 0)
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "networks of scope \"%s\" are not supported", scope);
        for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
                if (json_get_bool(body, refused[i], false))
                        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s: is not supported by this version", refused[i]);
        if (json_is_false(json_object_get(body, "EnableIPv4")))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "EnableIPv4: networks without IPv4 are not supported by this version");
        if (*json_get_str(json_object_get(body, "ConfigFrom"), "Network", ""))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "ConfigFrom: is not supported by this version");
        return 0;
}

/* The bridge's name; of a driver without one the name of the dummy that is its parent when it has no other. */
static json_t *link_name(const char *driver, const json_t *options, const char *id) {
        const char *bridge = json_get_str(options, "com.docker.network.bridge.name", "");

        return *bridge ? json_string(bridge) : json_sprintf("%s-%.*s", network_driver_has_parent(driver) ? "dm" : "br", BRIDGE_ID_DIGITS, id);
}

/* Of a network without a parent, all that is reached is in it. */
static int find_internal(const json_t *body, const char *driver, const json_t *options, bool *ret, struct err *err) {
        const char *parent = json_get_str(options, NETWORK_PARENT, "");
        bool internal = json_get_bool(body, "Internal", false);

        if (internal && *parent)
                return err_set(err, ERR_INVALID, -EINVAL, "invalid network config: an internal network has no parent: leave out %s", parent);
        *ret = internal || (network_driver_has_parent(driver) && !*parent);
        return 0;
}

static int make_spec(const json_t *body, const char *id, json_t **ret, struct err *err) {
        auto_json *labels = NULL, *given = NULL, *entries = json_array();
        const char *driver = network_driver_name(json_get_str(body, "Driver", ""));
        bool ipv6 = json_get_bool(body, "EnableIPv6", false), internal = false;
        const char *key;
        json_t *v;
        int r;

        if ((r = take_texts(body, "Labels", &labels, err)) < 0 || (r = take_texts(body, "Options", &given, err)) < 0)
                return r;
        json_object_foreach(given, key, v)
                if ((r = network_option_check(driver, key, json_string_value(v), err)) < 0)
                        return r;
        network_read_truth(json_get_str(given, "com.docker.network.enable_ipv6", ""), &ipv6);
        if ((r = take_ipam(body, ipv6, entries, err)) < 0)
                return r;
        if ((r = find_internal(body, driver, given, &internal, err)) < 0)
                return r;
        *ret = json_pack("{s:s, s:o, s:b, s:b, s:b, s:{s:s, s:{}, s:O}, s:O, s:O}", "Driver", driver, "Bridge", link_name(driver, given, id), "EnableIPv6", ipv6, "Internal", internal, "Attachable",
                         json_get_bool(body, "Attachable", false), "IPAM", "Driver", "default", "Options", "Config", entries, "Options", given, "Labels", labels);
        return *ret ? 0 : err_errno(err, -ENOMEM, "network");
}

/* --- what is stored → the network room --- */

static json_t *ipam_entry(const json_t *spec, bool ipv6) {
        return json_array_get(json_object_get(json_object_get(spec, "IPAM"), "Config"), ipv6);
}

static int define(struct engine *e, const json_t *spec, struct network_addresses *ret, struct err *err) {
        const json_t *entries[] = { ipam_entry(spec, false), ipam_entry(spec, true) }, *entry = entries[0];
        const char *reserved[RESERVED_MAX], *key;
        const json_t *options = json_object_get(spec, "Options");
        uint64_t mtu = 0;
        struct network_definition d = {
                .driver = json_get_str(spec, "Driver", ""),
                .parent = json_get_str(options, NETWORK_PARENT, NULL),
                .mode = network_mode(options),
                .flag = json_get_str(options, "ipvlan_flag", NULL),
                .bridge = json_get_str(spec, "Bridge", ""),
                .subnet = json_get_str(entry, "Subnet", ""),
                .gateway = json_get_str(entry, "Gateway", ""),
                .range = json_get_str(entry, "IPRange", ""),
                .ipv6 = json_get_bool(spec, "EnableIPv6", false),
                .subnet6 = json_get_str(entries[1], "Subnet", ""),
                .gateway6 = json_get_str(entries[1], "Gateway", ""),
                .range6 = json_get_str(entries[1], "IPRange", ""),
                .reserved = reserved,
                .internal = json_get_bool(spec, "Internal", false),
                .icc = truth_of(spec, "com.docker.network.bridge.enable_icc", true),
                .nat = truth_of(spec, "com.docker.network.bridge.enable_ip_masquerade", true),
        };
        json_t *v;

        for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
                json_object_foreach(json_object_get(entries[i], "AuxiliaryAddresses"), key, v)
                        if (d.n_reserved < RESERVED_MAX)
                                reserved[d.n_reserved++] = json_string_value(v);
        str_to_u64(json_get_str(options, "com.docker.network.driver.mtu", "0"), 0, 65535, &mtu);
        d.mtu = (uint32_t) mtu;
        return network_define(e->network, &d, ret, err);
}

static int store(struct engine *e, const char *id, const char *name, const json_t *spec, struct err *err) {
        auto_free char *text = json_text(spec);
        struct db_network row = { .created_ns = time_now_ns(), .spec = text };

        if (!text)
                return err_errno(err, -ENOMEM, "network %s", name);
        snprintf(row.id, sizeof(row.id), "%s", id);
        snprintf(row.name, sizeof(row.name), "%s", name);
        return db_network_insert(e->db, &row, err);
}

static int make(struct engine *e, const char *id, const char *name, json_t *spec, struct err *err) {
        const char *bridge = json_get_str(spec, "Bridge", "");
        struct network_addresses a;
        int r = define(e, spec, &a, err);

        if (r < 0)
                return r;
        json_object_set_new(ipam_entry(spec, false), "Subnet", json_string(a.subnet));
        json_object_set_new(ipam_entry(spec, false), "Gateway", json_string(a.gateway));
        if (*a.subnet6) {
                json_object_set_new(ipam_entry(spec, true), "Subnet", json_string(a.subnet6));
                json_object_set_new(ipam_entry(spec, true), "Gateway", json_string(a.gateway6));
        }
        r = store(e, id, name, spec, err);
        if (r == 0 && (r = network_make(e->network, bridge, err)) < 0)
                db_network_delete(e->db, id, NULL);
        if (r < 0)
                network_undefine(e->network, bridge, NULL);
        return r;
}

int engine_network_create(struct engine *e, const json_t *body, json_t **ret, struct err *err) {
        const char *name = json_get_str(body, "Name", "");
        struct network n = { .driver = network_driver_name(json_get_str(body, "Driver", "")) };
        auto_json *spec = NULL;
        auto_network other = {};
        int r = fields_check_network(body, err);

        if (r == 0)
                r = check_kind(body, name, err);
        if (r == 0 && str_random_hex(n.id, 32) < 0)
                r = err_errno(err, -EIO, "network");
        if (r < 0 || (r = make_spec(body, n.id, &spec, err)) < 0)
                return r;
        if (network_find(e, name, &other, NULL) == 0 && !strcmp(other.name, name))
                return err_set(err, ERR_CONFLICT, -EEXIST, "network with name %s already exists", name);
        r = make(e, n.id, name, spec, err);
        if (r < 0)
                return r;
        snprintf(n.name, sizeof(n.name), "%s", name);
        network_event(e, "create", &n, NULL);
        *ret = json_pack("{s:s, s:s}", "Id", n.id, "Warning", "");
        return 0;
}

/* Before any address is claimed: the table is put in place with all of them. */
static void recover_ports(struct engine *e) {
        struct container **containers;
        size_t n;

        if (table_snapshot(&e->table, &containers, &n) < 0)
                return;
        for (size_t i = 0; i < n; i++) {
                ports_recover(e, containers[i]);
                container_unref(containers[i]);
        }
        free(containers);
}

int networks_recover(struct engine *e, struct err *err) {
        struct network *all;
        size_t n;
        int r = network_all(e, &all, &n, err);

        if (r < 0)
                return r;
        network_sweep(e->network);
        for (size_t i = 0; i < n; i++) {
                struct network_addresses ignored;
                struct err why;

                if (all[i].kind == SPEC_NETWORK_USER && define(e, all[i].spec, &ignored, &why) < 0)
                        log_warning("network %s: %s", all[i].name, why.msg);
                network_done(&all[i]);
        }
        free(all);
        recover_ports(e);
        return 0;
}

/* --- removing --- */

static int remove_network(struct engine *e, const struct network *n, struct err *err) {
        struct err why;
        int r;

        if (n->kind != SPEC_NETWORK_USER)
                return err_set(err, ERR_DENIED, -EPERM, "%s is a pre-defined network and cannot be removed", n->name);
        r = network_undefine(e->network, n->bridge, &why);
        if (r == 0)
                dns_client_drop_network(e->names, n->id);
        if (r == -EBUSY)
                return err_set(err, ERR_DENIED, r, "error while removing network: network %s id %s has active endpoints", n->name, n->id);
        if (r < 0 && r != -ENOENT) { /* one that could not be recovered is not known there */
                if (err)
                        *err = why;
                return r;
        }
        r = db_network_delete(e->db, n->id, err);
        if (r == 0)
                network_event(e, "destroy", n, NULL);
        return r;
}

int engine_network_remove(struct engine *e, const char *name, struct err *err) {
        auto_network n = {};
        int r = network_find(e, name, &n, err);

        return r < 0 ? r : remove_network(e, &n, err);
}

int engine_network_prune(struct engine *e, const json_t *filters, json_t **ret, struct err *err) {
        static const char *const known[] = { "until", "label", "label!", NULL };
        auto_json *deleted = json_array();
        struct network *all;
        int64_t until_ns;
        size_t n;
        int r;

        if ((r = filters_check(filters, known, err)) < 0 || (r = prune_read_until(filters, &until_ns, err)) < 0 || (r = network_all(e, &all, &n, err)) < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                if (all[i].kind == SPEC_NETWORK_USER && all[i].created_ns < until_ns && filter_labels(filters, "label", json_get_object(all[i].spec, "Labels")) &&
                    remove_network(e, &all[i], NULL) == 0)
                        json_array_append_new(deleted, json_string(all[i].name));
                network_done(&all[i]);
        }
        free(all);
        prune_event(e, "network", 0);
        *ret = json_pack("{s:O}", "NetworksDeleted", deleted);
        return 0;
}
