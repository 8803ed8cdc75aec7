/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rates.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "engine/describe.h"
#include "engine/internal.h"
#include "engine/networks.h"
#include "engine/spec.h"
#include "network/network.h"

static int set_options(json_t *config, const char *network, json_t *options, struct err *err) {
        json_t *stored = json_get_object(config, "DriverOpts"), *v;
        const char *option;

        if (!stored)
                json_object_set_new(config, "DriverOpts", stored = json_object());
        json_object_foreach(options, option, v) {
                if (!spec_is_endpoint_rate(option))
                        return err_set(err, ERR_INVALID, -EINVAL, "NetworkOptions: network %s: %s: only rates can be changed, such as kist.egress-rate", network, option);
                if (!json_is_string(v))
                        return err_set(err, ERR_INVALID, -EINVAL, "NetworkOptions: network %s: %s: a string is expected", network, option);
                if (json_string_length(v))
                        json_object_set(stored, option, v);
                else
                        json_object_del(stored, option);
        }
        return 0;
}

/* Of the networks that the container is to be on; "" is its first. */
static json_t *find_config(json_t *all, const json_t *host, const char *network) {
        const char *first = json_get_str(host, "NetworkMode", "bridge"), *name = *network ? network : first;

        return json_object_get(all, !strcmp(name, "default") ? "bridge" : name);
}

int rates_merge(json_t *body, const json_t *changes, struct err *err) {
        json_t *wanted = json_object_get(changes, "NetworkOptions"), *options, *networking;
        const char *network;
        int r = 0;

        if (!wanted || json_is_null(wanted))
                return 0;
        if (!json_is_object(wanted))
                return err_set(err, ERR_INVALID, -EINVAL, "NetworkOptions: an object is expected");
        networking = json_deep_copy(json_get_object(body, "NetworkingConfig"));
        if (networking)
                json_object_set_new(body, "NetworkingConfig", networking);
        json_object_foreach(wanted, network, options) {
                json_t *config = find_config(json_get_object(networking, "EndpointsConfig"), json_object_get(body, "HostConfig"), network);

                if (!json_is_object(options))
                        return err_set(err, ERR_INVALID, -EINVAL, "NetworkOptions: network %s: an object is expected", network);
                if (!config)
                        return err_set(err, ERR_INVALID, -ENOENT, "NetworkOptions: the container is not on %s%s", *network ? "network " : "a network of its own", network);
                if ((r = set_options(config, network, options, err)) < 0)
                        return r;
        }
        return 0;
}

static bool equal(const struct network_rates *a, const struct network_rates *b) {
        return a->ingress == b->ingress && a->egress == b->egress && a->ingress_burst == b->ingress_burst && a->egress_burst == b->egress_burst;
}

int rates_follow(struct engine *e, const struct spec *s, struct container_row *row, struct err *err) {
        int r = 0;

        for (size_t i = 0; i < s->n_endpoints && r == 0; i++)
                for (size_t k = 0; k < row->n_endpoints && r == 0; k++) {
                        const char *id = *s->endpoints[i].network_id ? s->endpoints[i].network_id : network_id(s->endpoints[i].network);

                        if (strcmp(row->endpoints[k].network, id) != 0 || equal(&row->endpoints[k].rates, &s->endpoints[i].rates))
                                continue;
                        row->endpoints[k].rates = s->endpoints[i].rates;
                        r = network_limit(e->network, &row->endpoints[k], err);
                }
        return r;
}

int rates_change(struct engine *e, struct container *c, const struct spec *s, struct err *err) {
        struct container_row next = c->row;
        int r;

        if (c->row.state != CONTAINER_RUNNING && c->row.state != CONTAINER_PAUSED)
                return 0;
        r = rates_follow(e, s, &next, err);
        return r == 0 ? container_store(c, &next, err) : r;
}
