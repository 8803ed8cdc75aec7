/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ports.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "engine/db.h"
#include "engine/internal.h"
#include "engine/networks.h"
#include "engine/ports-list.h"
#include "engine/spec.h"
#include "network/network.h"

enum { PORTS_MAX = 16384 };

static const struct {
        const char *name;
        uint8_t number;
} protocols[] = { { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP }, { "sctp", IPPROTO_SCTP } };

const char *ports_protocol_name(uint8_t number) {
        for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
                if (protocols[i].number == number)
                        return protocols[i].name;
        return "tcp";
}

/* "80", "8000-8010" */
static int read_range(const char *text, uint16_t *ret_first, uint16_t *ret_last) {
        const char *dash = strchr(text, '-');
        auto_free char *first = dash ? strndup(text, (size_t) (dash - text)) : strdup(text);
        uint64_t a, b;

        if (!first || str_to_u64(first, 1, 65535, &a) < 0)
                return -EINVAL;
        b = a;
        if (dash && (str_to_u64(dash + 1, 1, 65535, &b) < 0 || b < a))
                return -EINVAL;
        *ret_first = (uint16_t) a;
        *ret_last = (uint16_t) b;
        return 0;
}

/* "80/tcp", "80" */
static int read_key(const char *key, struct network_port *ret) {
        const char *slash = strchr(key, '/');
        auto_free char *number = slash ? strndup(key, (size_t) (slash - key)) : strdup(key);
        uint64_t port;
        size_t i = 0;

        while (slash && i < ARRAY_SIZE(protocols) && strcasecmp(slash + 1, protocols[i].name) != 0)
                i++;
        if (!number || i == ARRAY_SIZE(protocols) || str_to_u64(number, 1, 65535, &port) < 0)
                return -EINVAL;
        *ret = (struct network_port) { .protocol = protocols[i].number, .inside = (uint16_t) port };
        return 0;
}

static int read_binding(const json_t *binding, struct network_port *p, struct err *err) {
        const char *address = json_get_str(binding, "HostIp", ""), *port = json_get_str(binding, "HostPort", "");

        if (*address && !network_is_address(address) && !network_is_address6(address))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid IP address: %s", address);
        snprintf(p->host_address, sizeof(p->host_address), "%s", address);
        if (*port && strcmp(port, "0") != 0 && read_range(port, &p->host_first, &p->host_last) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "invalid port specification: \"%s\"", port);
        return 0;
}

void ports_list_done(struct ports_list *l) {
        free(l->v);
}

int ports_list_add(struct ports_list *l, const struct network_port *p, struct err *err) {
        struct network_port *grown = l->n < PORTS_MAX ? reallocarray(l->v, l->n + 1, sizeof(*grown)) : NULL;

        if (!grown)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "HostConfig.PortBindings: at most %d ports are possible", PORTS_MAX);
        l->v = grown;
        l->v[l->n++] = *p;
        return 0;
}

int ports_list_read(const json_t *bindings, struct ports_list *l, struct err *err) {
        json_t *all, *binding;
        const char *key;
        size_t i;
        int r;

        json_object_foreach((json_t *) bindings, key, all) {
                struct network_port p, one;

                if (read_key(key, &p) < 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "invalid port specification: \"%s\"", key);
                if (!json_is_array(all) && !json_is_null(all))
                        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.PortBindings: %s: an array is expected", key);
                if (json_is_array(all) && !json_array_size(all) && (r = ports_list_add(l, &p, err)) < 0)
                        return r;
                json_array_foreach(all, i, binding) {
                        one = p;
                        if ((r = read_binding(binding, &one, err)) < 0 || (r = ports_list_add(l, &one, err)) < 0)
                                return r;
                }
        }
        return 0;
}

/* -P: what is exposed and not bound. */
static int read_exposed(const struct spec *s, struct ports_list *l, struct err *err) {
        const char *key;
        json_t *ignored;

        json_object_foreach(s->exposed_ports, key, ignored) {
                struct network_port p;
                int r;

                if (json_array_size(json_object_get(s->port_bindings, key)) || read_key(key, &p) < 0)
                        continue;
                if ((r = ports_list_add(l, &p, err)) < 0)
                        return r;
        }
        return 0;
}

int ports_check(const struct spec *s, struct err *err) {
        auto_ports_list l = {};

        if (s->network == SPEC_NETWORK_CONTAINER && (json_object_size(s->port_bindings) || s->publish_all))
                return err_set(err, ERR_INVALID, -EINVAL, "conflicting options: port publishing and the container type network mode");
        return ports_list_read(s->port_bindings, &l, err);
}

json_t *ports_warnings(struct engine *e, const json_t *body) {
        const json_t *host = json_object_get(body, "HostConfig");
        const char *mode = json_get_str(host, "NetworkMode", "");
        json_t *warnings = json_array();
        auto_network n = {};

        if (json_object_size(json_get_object(host, "PortBindings")) && network_find(e, mode, &n, NULL) == 0 && network_driver_has_parent(n.driver))
                json_array_append_new(warnings, json_sprintf("Published ports are discarded on network %s of driver %s: its containers are beside this host, and reached at their own addresses", n.name, n.driver));
        if ((!strcmp(mode, "host") || !strcmp(mode, "none")) && json_object_size(json_get_object(host, "PortBindings")))
                json_array_append_new(warnings, json_sprintf("Published ports are discarded when using %s network mode", mode));
        return warnings;
}

/* --- what is published, as JSON --- */

static void add_json(json_t *list, const char *address, const struct network_port *p) {
        json_array_append_new(list, json_pack("{s:s, s:o}", "HostIp", address, "HostPort", json_sprintf("%u", p->host_first)));
}

json_t *ports_to_json(const struct ports_list *l, bool ipv6) {
        json_t *all = json_object();

        for (size_t i = 0; i < l->n; i++) {
                auto_free char *key = str_format("%u/%s", l->v[i].inside, ports_protocol_name(l->v[i].protocol));
                json_t *list = key ? json_object_get(all, key) : NULL;

                if (key && !list)
                        json_object_set_new(all, key, list = json_array());
                add_json(list, *l->v[i].host_address ? l->v[i].host_address : "0.0.0.0", &l->v[i]);
                if (!*l->v[i].host_address && ipv6)
                        add_json(list, "::", &l->v[i]);
        }
        return all;
}

void ports_join(json_t *all, const json_t *more) {
        const char *key;
        json_t *list;

        json_object_foreach((json_t *) more, key, list) {
                if (!json_object_get(all, key))
                        json_object_set_new(all, key, json_array());
                json_array_extend(json_object_get(all, key), list);
        }
}

void ports_set(struct container *c, json_t *ports) {
        json_t *old;

        pthread_mutex_lock(&c->lock);
        old = c->ports;
        c->ports = ports;
        container_unlist(c);
        pthread_mutex_unlock(&c->lock);
        json_decref(old);
}

json_t *ports_get(struct container *c) {
        json_t *ports;

        pthread_mutex_lock(&c->lock);
        ports = json_incref(c->ports);
        pthread_mutex_unlock(&c->lock);
        return ports;
}

const struct network_endpoint *ports_endpoint(const struct container_row *row) {
        for (size_t i = 0; i < row->n_endpoints; i++)
                if (row->endpoints[i].is_gateway && *row->endpoints[i].host_link) /* not beside the host */
                        return &row->endpoints[i];
        return NULL;
}

int ports_store(struct engine *e, struct container *c, const json_t *ports, struct err *err) {
        auto_free char *text = json_text(ports);

        return text ? db_set_ports(e->db, c->row.id, text, err) : err_errno(err, -ENOMEM, "published ports");
}

/* What happened when the network room said no: by whom. */
static void say_owner(struct engine *e, const char *owner, struct err *err) {
        auto_container *other = NULL;
        struct container_row theirs;
        struct err why;

        if (!*owner || !err || table_find(&e->table, owner, &other, NULL) < 0)
                return;
        why = *err;
        container_peek(other, &theirs);
        err_set(err, why.kind, why.num, "%s by container %s", why.msg, theirs.name);
}

int ports_publish_list(struct engine *e, const struct container_row *row, const struct network_endpoint *p, struct ports_list *l, struct err *err) {
        char owner[65] = "";
        int r = network_publish(e->network, row->id, p, l->v, l->n, owner, err);

        if (r < 0)
                say_owner(e, owner, err);
        return r;
}

int ports_publish(struct engine *e, struct container *c, const struct spec *s, const struct container_row *row, struct err *err) {
        const struct network_endpoint *endpoint = ports_endpoint(row);
        auto_json *ports = NULL;
        auto_ports_list l = {};
        int r;

        if (!endpoint || (!json_object_size(s->port_bindings) && !s->publish_all))
                return 0;
        if ((r = ports_list_read(s->port_bindings, &l, err)) < 0 || (s->publish_all && (r = read_exposed(s, &l, err)) < 0))
                return r;
        r = ports_publish_list(e, row, endpoint, &l, err);
        if (r < 0)
                return err_prefix(err, "driver failed programming external connectivity on endpoint %s", row->name);
        ports = ports_to_json(&l, *endpoint->address6);
        r = ports_store(e, c, ports, err);
        if (r < 0)
                network_unpublish(e->network, row->id);
        else
                ports_set(c, take_ptr(&ports));
        return r;
}

void ports_unpublish(struct engine *e, struct container *c) {
        auto_json *ports = ports_get(c);

        if (!ports)
                return;
        network_unpublish(e->network, c->row.id);
        ports_set(c, NULL);
        db_set_ports(e->db, c->row.id, NULL, NULL);
}

/* Where there is no IPv6 now, what was published on it waits. */
static void drop_ipv6(struct ports_list *l, const struct network_endpoint *p) {
        size_t kept = 0;

        for (size_t i = 0; i < l->n; i++)
                if (*p->address6 || !network_is_address6(l->v[i].host_address))
                        l->v[kept++] = l->v[i];
        l->n = kept;
}

void ports_follow(struct engine *e, struct container *c, const struct container_row *row) {
        const struct network_endpoint *endpoint = ports_endpoint(row);
        auto_json *ports = ports_get(c);
        char owner[65];
        struct err err;
        auto_ports_list l = {};

        if (!ports || ports_list_read(ports, &l, NULL) < 0)
                return;
        network_unpublish(e->network, row->id);
        if (endpoint)
                drop_ipv6(&l, endpoint);
        if (!endpoint || network_publish(e->network, row->id, endpoint, l.v, l.n, owner, &err) == 0)
                return;
        /* Another one took a port meanwhile. */
        log_warning("container %.12s: its ports are not published any more: %s", row->id, err.msg);
        ports_set(c, NULL);
        db_set_ports(e->db, row->id, NULL, NULL);
}

void ports_recover(struct engine *e, struct container *c) {
        const struct network_endpoint *endpoint = ports_endpoint(&c->row);
        auto_json *ports = NULL;
        auto_ports_list l = {};
        struct err err;

        if (!container_state_is_live(c->row.state) || db_ports(e->db, c->row.id, &ports, NULL) < 0 || !ports)
                return;
        if (endpoint && (ports_list_read(ports, &l, &err) < 0 || network_publish_again(e->network, c->row.id, endpoint, l.v, l.n, &err) < 0))
                log_warning("container %.12s: %s", c->row.id, err.msg);
        ports_set(c, take_ptr(&ports));
}

/* --- for the API --- */

/* Of one on no network that leads outside they wait for the next such one. */
static json_t *now_published(struct container *c, bool *ret_on_network) {
        json_t *ports;

        pthread_mutex_lock(&c->lock);
        ports = ports_endpoint(&c->row) ? json_incref(c->ports) : NULL;
        *ret_on_network = c->row.n_endpoints > 0;
        pthread_mutex_unlock(&c->lock);
        return ports;
}

json_t *ports_describe(struct container *c, const struct spec *s) {
        bool is_on_network;
        auto_json *ports = now_published(c, &is_on_network);
        json_t *all = json_object(), *v;
        const char *key;

        if (is_on_network)
                json_object_foreach(s->exposed_ports, key, v)
                        json_object_set_new(all, key, json_null());
        json_object_foreach(ports, key, v)
                json_object_set(all, key, v);
        return all;
}

json_t *ports_list(struct container *c, const struct spec *s) {
        bool is_on_network;
        auto_json *ports = now_published(c, &is_on_network);
        json_t *list = json_array(), *v, *binding;
        struct network_port p;
        const char *key;
        size_t i;

        json_object_foreach(s->exposed_ports, key, v)
                if (!json_object_get(ports, key) && read_key(key, &p) == 0)
                        json_array_append_new(list, json_pack("{s:i, s:s}", "PrivatePort", p.inside, "Type", ports_protocol_name(p.protocol)));
        json_object_foreach(ports, key, v)
                json_array_foreach(v, i, binding)
                        if (read_key(key, &p) == 0)
                                json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:s}", "IP", json_get_str(binding, "HostIp", ""), "PrivatePort", p.inside, "PublicPort",
                                                                      atoi(json_get_str(binding, "HostPort", "0")), "Type", ports_protocol_name(p.protocol)));
        return list;
}
