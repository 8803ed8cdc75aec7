/* SPDX-License-Identifier: Apache-2.0 */
/* POST /networks/NAME/connect and disconnect, also of containers that run. The order of the steps is that of endpoints.h. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/db.h"
#include "engine/endpoints.h"
#include "engine/fields.h"
#include "engine/internal.h"
#include "engine/metrics.h"
#include "engine/monitors.h"
#include "engine/names.h"
#include "engine/networks.h"
#include "engine/ports.h"
#include "network/network.h"

/* A container whose networks are about to change; c->op is held. */
struct change {
        struct engine *e;
        struct container *c;
        const struct network *n;
        json_t *body;   /* as it is to be: a copy of what is stored */
        json_t *all;    /* EndpointsConfig in it */
        bool running;
};

static void change_done(struct change *k) {
        json_decref(k->body);
}

static int denied(struct err *err, const char *why) {
        return err_set(err, ERR_DENIED, -EPERM, "%s", why);
}

static int read_body(struct change *k, struct err *err) {
        json_t *config;
        auto_spec s = {};
        int r = db_spec(k->e->db, k->c->row.id, &k->body, err);

        if (r < 0 || (r = spec_parse(k->body, &s, err)) < 0)
                return r;
        k->running = k->c->row.state == CONTAINER_RUNNING || k->c->row.state == CONTAINER_PAUSED;
        if (s.network == SPEC_NETWORK_HOST)
                return denied(err, "container sharing network namespace with the host cannot be connected to any other network");
        if (s.network == SPEC_NETWORK_CONTAINER)
                return denied(err, "container sharing network namespace with another container or host cannot be connected to any other network");
        if (s.network == SPEC_NETWORK_NONE)
                return denied(err, "container cannot be connected to multiple networks with one of the networks in private (none) mode");
        config = json_get_object(k->body, "NetworkingConfig");
        if (!config)
                json_object_set_new(k->body, "NetworkingConfig", config = json_object());
        k->all = json_get_object(config, "EndpointsConfig");
        if (!k->all)
                json_object_set_new(config, "EndpointsConfig", k->all = json_object());
        /* Made by a version that knew the default network only. */
        if (!json_object_size(k->all) && s.n_endpoints)
                json_object_set_new(k->all, s.endpoints[0].network, json_pack("{s:s}", "NetworkID", s.endpoints[0].network_id));
        json_object_set_new(config, ENDPOINTS_CHANGED, json_true());
        return 0;
}

static int store_body(struct change *k, struct err *err) {
        auto_free char *text = json_text(k->body);

        return text ? container_set_spec(k->c, text, err) : err_errno(err, -ENOMEM, "container %.12s", k->c->row.id);
}

/* Of its init, which its monitor holds: looked at again after the open. */
int container_open_netns(struct container *c, int *ret, struct err *err) {
        auto_link *link = container_get_link(c);
        char path[48];
        auto_fd fd = -EBADF;

        snprintf(path, sizeof(path), "/proc/%d/ns/net", c->row.pid);
        fd = link && c->row.pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -ESRCH;
        if (fd < 0 || monitor_link_has_ended(link))
                return err_set(err, ERR_CONFLICT, -ESRCH, "container %s is not running", c->row.name);
        *ret = move_fd(fd);
        return 0;
}

static int find_endpoint(const struct container_row *row, const char *network_id) {
        for (size_t i = 0; i < row->n_endpoints; i++)
                if (!strcmp(row->endpoints[i].network, network_id))
                        return (int) i;
        return -1;
}

/* Who is the gateway when all of row's endpoints are there? The rule of the start; −1: nobody. */
static int best_gateway(struct engine *e, const struct spec *s, const struct container_row *row) {
        const struct spec_endpoint *best = NULL;
        int found = -1;

        (void) e;
        for (size_t i = 0; i < s->n_endpoints; i++) {
                const struct spec_endpoint *p = &s->endpoints[i];
                int at = find_endpoint(row, p->network_id);

                if (at < 0 || (!*row->endpoints[at].gateway && !row->endpoints[at].on_link))
                        continue;
                if (!best || p->priority > best->priority || (p->priority == best->priority && strcmp(p->network, best->network) < 0)) {
                        best = p;
                        found = at;
                }
        }
        return found;
}

/* The default route of *row where it belongs now. */
static int move_gateway(struct change *k, const struct spec *s, struct container_row *row, int netns, struct err *err) {
        int best = best_gateway(k->e, s, row), r;

        if (best < 0 || row->endpoints[best].is_gateway)
                return 0;
        r = network_route_by(k->e->network, &row->endpoints[best], netns, err);
        for (size_t i = 0; r == 0 && i < row->n_endpoints; i++)
                row->endpoints[i].is_gateway = (int) i == best;
        return r;
}

static const struct spec_endpoint *wanted_endpoint(const struct spec *s, const char *network_id) {
        for (size_t i = 0; i < s->n_endpoints; i++)
                if (!strcmp(s->endpoints[i].network_id, network_id))
                        return &s->endpoints[i];
        return NULL;
}

/* The row says it, the link is there, the body says it: in this order. */
static int connect_running(struct change *k, const struct spec *s, struct err *err) {
        const struct spec_endpoint *p = wanted_endpoint(s, k->n->id);
        struct container_row next = k->c->row, before = next;
        struct network_endpoint *endpoint = &next.endpoints[next.n_endpoints];
        char link[16];
        struct network_attachment a = { .bridge = k->n->bridge, .id = next.id, .link = link, .address = p ? p->address : "", .address6 = p ? p->address6 : "", .mac = p ? p->mac : "",
                                        .rates = p ? p->rates : (struct network_rates) { 0 } };
        struct names_resolvers resolvers;
        auto_fd netns = -EBADF;
        int r;

        names_resolvers(k->e, &next, &resolvers);
        if (!p || next.n_endpoints >= ENDPOINTS_MAX)
                return err_set(err, ERR_INVALID, -E2BIG, "container %s has %zu networks: no more are possible", next.name, next.n_endpoints);
        r = container_open_netns(k->c, &netns, err);
        if (r < 0)
                return r;
        endpoint_link_name(s, &next, p, link);
        r = network_reserve(k->e->network, &a, endpoint, err);
        if (r < 0)
                return err_prefix(err, "network %s", k->n->name);
        memcpy(endpoint->network, k->n->id, sizeof(endpoint->network));
        next.n_endpoints++;
        r = container_store(k->c, &next, err);
        if (r == 0)
                r = network_plug(k->e->network, next.id, endpoint, netns, err);
        if (r == 0)
                r = move_gateway(k, s, &next, netns, err);
        if (r == 0)
                r = container_store(k->c, &next, err);
        if (r == 0)
                r = store_body(k, err);
        if (r == 0) {
                fault_point("network", "joined");
                ports_follow(k->e, k->c, &next);
                names_add(k->e, s, &next, endpoint);
                names_listen(k->e, &next, -EBADF, next.pid);
                names_follow(k->e, s, &before, &next, &resolvers);
        }
        if (r < 0) {
                network_disconnect(k->e->network, next.id, endpoint, netns, NULL);
                container_store_fact(k->c, &before);
        }
        return r;
}

static int connect_locked(struct change *k, const json_t *config, struct err *err) {
        json_t *copy = json_is_object(config) ? json_copy((json_t *) config) : json_object();
        auto_spec s = {};
        int r;

        json_object_set_new(copy, "NetworkID", json_string(k->n->id));
        if (k->running && json_object_get(k->all, k->n->name)) {
                json_decref(copy);
                return err_set(err, ERR_DENIED, -EEXIST, "endpoint with name %s already exists in network %s", k->c->row.name, k->n->name);
        }
        json_object_set_new(k->all, k->n->name, copy);
        r = spec_parse(k->body, &s, err);
        if (r < 0)
                return r;
        return k->running ? connect_running(k, &s, err) : store_body(k, err);
}

/* The body does not say it any more, the link goes, the row forgets it. */
static int disconnect_running(struct change *k, struct err *err) {
        struct container_row next = k->c->row;
        int at = find_endpoint(&next, k->n->id), open_netns, r;
        struct names_resolvers resolvers;
        auto_fd netns = -EBADF;
        auto_spec s = {};
        struct err why;

        if (at < 0)
                return 0;
        names_resolvers(k->e, &next, &resolvers);
        names_drop(k->e, &next, &next.endpoints[at]);
        open_netns = container_open_netns(k->c, &netns, &why);
        r = network_disconnect(k->e->network, next.id, &next.endpoints[at], netns, err);
        if (r < 0)
                return r;
        network_settle(k->e->network);
        fault_point("network", "parted");
        next.n_endpoints--;
        memmove(&next.endpoints[at], &next.endpoints[at + 1], (next.n_endpoints - (size_t) at) * sizeof(next.endpoints[0]));
        if (spec_parse(k->body, &s, NULL) == 0) {
                if (open_netns == 0 && move_gateway(k, &s, &next, netns, &why) < 0)
                        log_warning("container %.12s: %s", next.id, why.msg);
                names_follow(k->e, &s, &k->c->row, &next, &resolvers);
        }
        container_store_fact(k->c, &next);
        ports_follow(k->e, k->c, &next);
        return 0;
}

static int disconnect_locked(struct change *k, bool force, struct err *err) {
        int r;

        if (!json_object_get(k->all, k->n->name))
                return force ? 0 : err_set(err, ERR_DENIED, -ENOENT, "container %s is not connected to network %s", k->c->row.id, k->n->name);
        json_object_del(k->all, k->n->name);
        r = store_body(k, err);
        return r == 0 && k->running ? disconnect_running(k, err) : r;
}

static int change(struct engine *e, const char *network, const json_t *body, bool connect, struct err *err) {
        __attribute__((cleanup(change_done))) struct change k = { .e = e };
        const char *name = json_get_str(body, "Container", "");
        auto_container *c = NULL;
        auto_network n = {};
        int r = fields_check_endpoint(body, err);

        if (r < 0 || (r = network_find(e, network, &n, err)) < 0 || (r = table_find(&e->table, name, &c, err)) < 0)
                return r;
        if (!*n.bridge)
                return err_set(err, ERR_DENIED, -EPERM, "container cannot be %s %s network", connect ? "connected to" : "disconnected from", n.name);
        k.c = c;
        k.n = &n;
        {
                auto_op *op = container_op_lock(c);

                if (c->gone)
                        return err_set(err, ERR_NOT_FOUND, -ENOENT, "No such container: %s", name);
                r = read_body(&k, err);
                if (r == 0)
                        r = connect ? connect_locked(&k, json_object_get(body, "EndpointConfig"), err) : disconnect_locked(&k, json_get_bool(body, "Force", false), err);
        }
        if (r == 0 && k.running)
                network_event(e, connect ? "connect" : "disconnect", &n, c->row.id);
        return r;
}

int engine_network_connect(struct engine *e, const char *network, const json_t *body, struct err *err) {
        int64_t begun = metrics_begin();
        int r = change(e, network, body, true, err);

        if (r == 0)
                metrics_end(e->metrics, METRICS_NETWORK_CONNECT, begun);
        return r;
}

int engine_network_disconnect(struct engine *e, const char *network, const json_t *body, struct err *err) {
        return change(e, network, body, false, err);
}
