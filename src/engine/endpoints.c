/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/endpoints.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "engine/describe.h"
#include "engine/events.h"
#include "engine/internal.h"
#include "engine/metrics.h"
#include "engine/names.h"
#include "engine/networks.h"
#include "engine/rates.h"
#include "network/network.h"

/* --- at create --- */

static int resolve_one(struct engine *e, const char *name, const json_t *config, json_t *resolved, struct err *err) {
        json_t *copy = json_is_object(config) ? json_copy((json_t *) config) : json_object();
        auto_network n = {};
        int r = network_find(e, !strcmp(name, "default") ? "bridge" : name, &n, err);

        if (r < 0) {
                json_decref(copy);
                return r;
        }
        json_object_set_new(copy, "NetworkID", json_string(n.id));
        json_object_set_new(resolved, n.name, copy);
        return 0;
}

int endpoints_resolve(struct engine *e, json_t *body, json_t *host, struct err *err) {
        json_t *all = json_get_object(json_object_get(body, "NetworkingConfig"), "EndpointsConfig"), *config;
        const char *mode = json_get_str(host, "NetworkMode", ""), *name;
        auto_json *resolved = json_object();
        auto_network n = {};
        int r;

        if (!strcmp(mode, "host") || !strcmp(mode, "none") || str_starts_with(mode, "container:") || json_get_bool(body, "NetworkDisabled", false))
                return 0;
        if ((r = network_check_name(mode, err)) < 0 || (r = network_find(e, mode, &n, err)) < 0)
                return r;
        json_object_set_new(host, "NetworkMode", json_string(n.name));
        if (!json_object_size(all) && (r = resolve_one(e, n.name, NULL, resolved, err)) < 0)
                return r;
        json_object_foreach(all, name, config)
                if ((r = resolve_one(e, name, config, resolved, err)) < 0)
                        return r;
        json_object_set_new(body, "NetworkingConfig", json_pack("{s:O}", "EndpointsConfig", resolved));
        return 0;
}

/* --- at start --- */

/* What was made for another network of that name would lead the container to where nobody meant it to go: by the id, as it was at create. */
static int find_network(struct engine *e, const struct spec_endpoint *p, struct network *ret, struct err *err) {
        return network_find(e, *p->network_id ? p->network_id : p->network, ret, err);
}

/* Whose gateway is the default route: not an internal network's, then the highest priority, then the first by name. −1: nobody's. */
static int choose_gateway(const struct spec *s, const struct network *networks) {
        int best = -1;

        for (size_t i = 0; i < s->n_endpoints; i++) {
                const struct spec_endpoint *p = &s->endpoints[i], *b = best < 0 ? NULL : &s->endpoints[best];

                if (network_is_internal(&networks[i]))
                        continue;
                if (!b || p->priority > b->priority || (p->priority == b->priority && strcmp(p->network, b->network) < 0))
                        best = (int) i;
        }
        return best;
}

static bool is_link_taken(const struct spec *s, const struct container_row *row, const char *name) {
        for (size_t i = 0; i < s->n_endpoints; i++)
                if (!strcmp(s->endpoints[i].link, name))
                        return true;
        for (size_t i = 0; i < row->n_endpoints; i++)
                if (!strcmp(row->endpoints[i].link, name))
                        return true;
        return false;
}

void endpoint_link_name(const struct spec *s, const struct container_row *row, const struct spec_endpoint *p, char ret[16]) {
        snprintf(ret, 16, "%s", p->link);
        for (unsigned i = 0; !*p->link && (i == 0 || is_link_taken(s, row, ret)); i++)
                snprintf(ret, 16, "eth%u", i);
}

static int connect_one(struct engine *e, const struct spec *s, const struct spec_endpoint *p, const struct network *n, bool gateway, int netns, struct network_spare *spare,
                       struct container_row *row, struct err *err) {
        struct network_endpoint *endpoint = &row->endpoints[row->n_endpoints];
        char link[16];
        struct network_attachment a = { .bridge = n->bridge, .id = row->id, .link = link, .address = p->address, .address6 = p->address6, .mac = p->mac, .gateway = gateway, .rates = p->rates };
        int r;

        endpoint_link_name(s, row, p, link);
        if (spare && *spare->host_link && !strcmp(link, NETWORK_SPARE_LINK))
                a.spare = spare;
        r = network_connect(e->network, &a, netns, endpoint, err);
        if (r < 0)
                return r == -ENOENT ? r : err_prefix(err, "network %s", n->name);
        snprintf(endpoint->network, sizeof(endpoint->network), "%s", n->id);
        row->n_endpoints++;
        return 0;
}

static void networks_done(struct network *networks) {
        for (size_t i = 0; i < ENDPOINTS_MAX; i++)
                network_done(&networks[i]);
}

int endpoints_connect(struct engine *e, const struct spec *s, int netns, struct network_spare *spare, struct container_row *row, struct err *err) {
        struct network networks[ENDPOINTS_MAX] = {};
        int64_t begun = metrics_begin();
        int gateway, r = 0;

        row->n_endpoints = 0;
        for (size_t i = 0; i < s->n_endpoints && r == 0; i++)
                r = find_network(e, &s->endpoints[i], &networks[i], err);
        gateway = r < 0 ? -1 : choose_gateway(s, networks);
        for (size_t i = 0; i < s->n_endpoints && r == 0; i++)
                r = connect_one(e, s, &s->endpoints[i], &networks[i], (int) i == gateway, netns, spare, row, err);
        for (size_t i = 0; i < row->n_endpoints && r == 0; i++)
                network_event(e, "connect", &networks[i], row->id);
        for (size_t i = 0; i < row->n_endpoints && r == 0; i++)
                names_add(e, s, row, &row->endpoints[i]);
        if (r == 0)
                names_listen(e, row, netns, 0);
        if (r < 0)
                endpoints_disconnect(e, row);
        else if (row->n_endpoints)
                metrics_end(e->metrics, METRICS_NETWORK_ALLOCATE, begun);
        networks_done(networks);
        return r;
}

void endpoints_disconnect(struct engine *e, struct container_row *row) {
        int64_t begun = metrics_begin();

        for (size_t i = 0; i < row->n_endpoints; i++) {
                auto_network n = {};
                struct err err;

                names_drop(e, row, &row->endpoints[i]);
                if (network_disconnect(e->network, row->id, &row->endpoints[i], -EBADF, &err) < 0)
                        log_warning("container %.12s: %s", row->id, err.msg);
                else if (network_find(e, row->endpoints[i].network, &n, NULL) == 0)
                        network_event(e, "disconnect", &n, row->id);
        }
        if (row->n_endpoints)
                metrics_end(e->metrics, METRICS_NETWORK_RELEASE, begun);
        row->n_endpoints = 0;
}

/* --- after a restart of the daemon --- */

static bool is_wanted(const struct spec *s, const struct network_endpoint *endpoint) {
        for (size_t i = 0; i < s->n_endpoints; i++)
                if (!strcmp(*s->endpoints[i].network_id ? s->endpoints[i].network_id : network_id(s->endpoints[i].network), endpoint->network))
                        return true;
        return false;
}

int endpoints_recover(struct engine *e, const struct spec *s, struct container_row *row, int netns, struct err *err) {
        const struct container_row before = *row;
        size_t kept = 0;
        struct err why;
        int r;

        for (size_t i = 0; i < row->n_endpoints; i++) {
                struct network_endpoint *endpoint = &row->endpoints[i];

                if (!is_wanted(s, endpoint)) {
                        log_info("container %.12s: its link to bridge %s is half made or half removed: removing it", row->id, endpoint->bridge);
                        network_disconnect(e->network, row->id, endpoint, netns, NULL);
                        continue;
                }
                r = network_claim(e->network, row->id, endpoint, err);
                if (r < 0)
                        return r;
                if (kept != i)
                        row->endpoints[kept] = *endpoint;
                names_add(e, s, row, &row->endpoints[kept++]);
        }
        row->n_endpoints = kept;
        names_listen(e, row, -EBADF, row->pid);
        if (rates_follow(e, s, row, &why) < 0)
                log_warning("container %.12s: %s", row->id, why.msg);
        names_follow_hosts(e, s, &before, row);
        return 0;
}
