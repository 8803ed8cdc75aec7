/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports of a container that is there already: PublishAdd and PublishRm of update. */

#include <string.h>

#include "base/str.h"
#include "engine/internal.h"
#include "engine/ports-list.h"
#include "engine/ports.h"
#include "engine/spec.h"
#include "network/network.h"

bool ports_are_changed(const json_t *changes) {
        return json_object_size(json_object_get(changes, "PublishAdd")) || json_object_size(json_object_get(changes, "PublishRm"));
}

/* Is this binding one of those that are to go? No address and no port mean every one. */
static bool fits(const struct network_port *asked, const struct network_port *p) {
        return asked->protocol == p->protocol && asked->inside == p->inside && (!*asked->host_address || !strcmp(asked->host_address, p->host_address)) &&
               (!asked->host_first || (p->host_first >= asked->host_first && p->host_last <= asked->host_last));
}

static bool fits_any(const struct ports_list *asked, const struct network_port *p) {
        for (size_t i = 0; i < asked->n; i++)
                if (fits(&asked->v[i], p))
                        return true;
        return false;
}

/* `from` in two: what is to go, and what stays. */
static int split(const json_t *from, const struct ports_list *asked, struct ports_list *gone, struct ports_list *kept, struct err *err) {
        auto_ports_list all = {};
        int r = ports_list_read(from, &all, err);

        for (size_t i = 0; i < all.n && r == 0; i++)
                r = ports_list_add(fits_any(asked, &all.v[i]) ? gone : kept, &all.v[i], err);
        return r;
}

/* Each must be published: a slip of the pen is not to pass for done. */
static int check_all_found(const struct ports_list *asked, const struct ports_list *gone, struct err *err) {
        for (size_t i = 0; i < asked->n; i++) {
                size_t k = 0;

                while (k < gone->n && !fits(&asked->v[i], &gone->v[k]))
                        k++;
                if (k == gone->n)
                        return err_set(err, ERR_INVALID, -ENOENT, "PublishRm: port %u/%s is not published so", asked->v[i].inside, ports_protocol_name(asked->v[i].protocol));
        }
        return 0;
}

/* Is the published one what became of the binding that was asked for? Its port may have been a range, or none. */
static bool came_from(const struct network_port *asked, const struct network_port *published) {
        return asked->protocol == published->protocol && asked->inside == published->inside &&
               (!*asked->host_address || !strcmp(asked->host_address, published->host_address)) &&
               (!asked->host_first || (published->host_first >= asked->host_first && published->host_first <= asked->host_last));
}

static bool has_come(const struct network_port *asked, const struct ports_list *published) {
        for (size_t i = 0; i < published->n; i++)
                if (came_from(asked, &published->v[i]))
                        return true;
        return false;
}

/* Without the bindings of which nothing is left. */
static json_t *without(const json_t *bindings, const struct ports_list *rm, const struct ports_list *gone, const struct ports_list *kept) {
        json_t *ret = json_object(), *list, *binding;
        const char *key;
        size_t i;

        json_object_foreach((json_t *) bindings, key, list) {
                json_t *stay = json_array();

                json_array_foreach(list, i, binding) {
                        auto_json *one = json_pack("{s:[O]}", key, binding);
                        auto_ports_list l = {};

                        if (ports_list_read(one, &l, NULL) < 0 || l.n != 1 || !(fits_any(rm, &l.v[0]) || (has_come(&l.v[0], gone) && !has_come(&l.v[0], kept))))
                                json_array_append(stay, binding);
                }
                if (json_array_size(stay))
                        json_object_set(ret, key, stay);
                json_decref(stay);
        }
        return ret;
}

static void add_bindings(json_t *bindings, json_t *exposed, const json_t *more) {
        const char *key;
        json_t *list;

        json_object_foreach((json_t *) more, key, list) {
                auto_free char *whole = strchr(key, '/') ? strdup(key) : str_format("%s/tcp", key);
                json_t *there = json_object_get(bindings, whole);

                if (!there)
                        json_object_set_new(bindings, whole, there = json_array());
                json_array_extend(there, list);
                if (!json_object_get(exposed, whole))
                        json_object_set_new(exposed, whole, json_object());
        }
}

static int check_network(const json_t *host, struct err *err) {
        const char *mode = json_get_str(host, "NetworkMode", "");

        if (!strcmp(mode, "host") || !strcmp(mode, "none") || !strncmp(mode, "container:", 10))
                return err_set(err, ERR_INVALID, -EINVAL, "a container with network mode %s has no ports to publish", mode);
        return 0;
}

static int read_changes(const json_t *changes, struct ports_list *add, struct ports_list *rm, struct err *err) {
        static const char *const keys[] = { "PublishAdd", "PublishRm" };

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                const json_t *v = json_object_get(changes, keys[i]);
                int r = !v || json_is_null(v) || json_is_object(v) ? 0 : err_set(err, ERR_INVALID, -EINVAL, "%s: an object is expected", keys[i]);

                if (r == 0)
                        r = ports_list_read(v, i ? rm : add, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int ports_merge(struct container *c, json_t *body, const json_t *changes, struct err *err) {
        json_t *host = json_object_get(body, "HostConfig"), *exposed = json_copy(json_get_object(body, "ExposedPorts"));
        auto_json *published = ports_get(c), *bindings = NULL;
        auto_ports_list add = {}, rm = {}, gone = {}, kept = {}, asked = {}, asked_kept = {};
        int r = read_changes(changes, &add, &rm, err);

        if (!exposed)
                exposed = json_object();
        if (r == 0 && (add.n || rm.n))
                r = check_network(host, err);
        if (r == 0)
                r = split(published, &rm, &gone, &kept, err);
        if (r == 0)
                r = split(json_object_get(host, "PortBindings"), &rm, &asked, &asked_kept, err);
        if (r == 0)
                r = check_all_found(&rm, published ? &gone : &asked, err);
        if (r == 0 && (add.n || rm.n)) {
                bindings = without(json_object_get(host, "PortBindings"), &rm, &gone, &kept);
                if (rm.n && published && json_get_bool(host, "PublishAllPorts", false) && json_equal(bindings, json_object_get(host, "PortBindings")))
                        r = err_set(err, ERR_INVALID, -EINVAL, "PublishRm: the port is published by --publish-all, with all the others");
        }
        if (r == 0 && bindings) {
                add_bindings(bindings, exposed, json_object_get(changes, "PublishAdd"));
                json_object_set(host, "PortBindings", bindings);
                json_object_set(body, "ExposedPorts", exposed);
        }
        json_decref(exposed);
        return r;
}

int ports_change(struct engine *e, struct container *c, const json_t *changes, struct err *err) {
        const struct network_endpoint *endpoint = ports_endpoint(&c->row);
        auto_json *published = ports_get(c), *now = NULL, *added = NULL;
        auto_ports_list add = {}, rm = {}, gone = {}, kept = {};
        int r = 0;

        if (!ports_are_changed(changes) || !container_state_is_live(c->row.state) || !endpoint)
                return 0;
        if ((r = read_changes(changes, &add, &rm, err)) < 0 || (r = split(published, &rm, &gone, &kept, err)) < 0)
                return r;
        if (gone.n && (r = network_unpublish_some(e->network, c->row.id, endpoint, gone.v, gone.n, err)) < 0)
                return r;
        r = ports_publish_list(e, &c->row, endpoint, &add, err);
        if (r == 0) {
                now = ports_to_json(&kept, false);
                added = ports_to_json(&add, *endpoint->address6);
                ports_join(now, added);
                r = ports_store(e, c, now, err);
                if (r < 0)
                        network_unpublish_some(e->network, c->row.id, endpoint, add.v, add.n, NULL);
        }
        if (r < 0) { /* as it was */
                ports_publish_list(e, &c->row, endpoint, &gone, NULL);
                return r;
        }
        ports_set(c, take_ptr(&now));
        return 0;
}
