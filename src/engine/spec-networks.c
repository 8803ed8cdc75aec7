/* SPDX-License-Identifier: Apache-2.0 */
/* NetworkingConfig.EndpointsConfig: {network: {IPAMConfig, Aliases, MacAddress, DriverOpts, GwPriority, …}}. */

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/networks.h"
#include "engine/spec.h"
#include "network/network.h"

enum { ALIASES_MAX = 64 };

bool spec_is_link_name(const char *text) {
        size_t n = strlen(text);

        if (n == 0 || n > 15 || !strcmp(text, "lo") || !strcmp(text, "all") || !strcmp(text, "default") || !isalpha((unsigned char) *text))
                return false;
        for (; *text; text++)
                if (!isalnum((unsigned char) *text) && *text != '-' && *text != '_')
                        return false;
        return true;
}

static bool is_empty(const json_t *v) {
        return !v || json_is_null(v) || json_is_false(v) || (json_is_string(v) && !*json_string_value(v)) || (json_is_integer(v) && !json_integer_value(v)) ||
               (json_is_array(v) && !json_array_size(v)) || (json_is_object(v) && !json_object_size(v));
}

static int wrong(struct err *err, const char *network, const char *what) {
        return err_set(err, ERR_INVALID, -EINVAL, "invalid endpoint settings: network %s: %s", network, what);
}

/* What is not in the list is an answer of inspect that a client sends back (IPAddress, EndpointID, …), or means nothing here. */
static int refuse_others(const json_t *config, const char *network, struct err *err) {
        static const char *const refused[] = { "Links" };
        static const char *const ipam_refused[] = { "LinkLocalIPs" };
        const json_t *ipam = json_object_get(config, "IPAMConfig");

        for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
                if (!is_empty(json_object_get(config, refused[i])))
                        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "NetworkingConfig: network %s: %s is not supported by this version", network, refused[i]);
        for (size_t i = 0; i < ARRAY_SIZE(ipam_refused); i++)
                if (!is_empty(json_object_get(ipam, ipam_refused[i])))
                        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "NetworkingConfig: network %s: %s is not supported by this version", network, ipam_refused[i]);
        return 0;
}

static int read_text(const json_t *object, const char *key, const char **ret, const char *network, struct err *err) {
        const json_t *v = json_object_get(object, key);

        *ret = "";
        if (!v || json_is_null(v))
                return 0;
        if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid endpoint settings: network %s: %s: a string is expected", network, key);
        *ret = json_string_value(v);
        return 0;
}

static int read_aliases(struct spec_endpoint *p, struct err *err) {
        json_t *list = json_object_get(p->config, "Aliases"), *v;
        size_t i;

        if (is_empty(list))
                return 0;
        if (!json_is_array(list) || json_array_size(list) > ALIASES_MAX)
                return wrong(err, p->network, "Aliases: an array of at most 64 names is expected");
        json_array_foreach(list, i, v)
                if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v) || !spec_is_hostname(json_string_value(v)))
                        return wrong(err, p->network, "Aliases: not a host name");
        p->aliases = list;
        return 0;
}

static int read_endpoint(struct spec *s, const char *network, json_t *config, struct err *err) {
        struct spec_endpoint *p = &s->endpoints[s->n_endpoints];
        const json_t *ipam = json_object_get(config, "IPAMConfig");
        bool is_default = !strcmp(network, "bridge") || !strcmp(network, "default");
        int r;

        *p = (struct spec_endpoint) { .network = is_default ? "bridge" : network, .config = config, .priority = json_get_int(config, "GwPriority", 0) };
        if ((r = read_text(config, "NetworkID", &p->network_id, network, err)) < 0 || (r = read_text(config, "MacAddress", &p->mac, network, err)) < 0 ||
            (r = read_text(ipam, "IPv4Address", &p->address, network, err)) < 0 || (r = read_text(ipam, "IPv6Address", &p->address6, network, err)) < 0 || (r = read_aliases(p, err)) < 0 || (r = spec_read_driver_options(p, err)) < 0 ||
            (r = refuse_others(config, network, err)) < 0)
                return r;
        if (*p->mac && !network_is_mac(p->mac))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid MAC address: %s", p->mac);
        if (*p->address && !network_is_address(p->address))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid IPv4 address: %s", p->address);
        if (*p->address6 && !network_is_address6(p->address6))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid IPv6 address: %s", p->address6);
        if (is_default && (*p->address || *p->address6))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid endpoint settings: user specified IP address is supported on user defined networks only");
        if (is_default && p->aliases)
                return err_set(err, ERR_INVALID, -EINVAL, "invalid endpoint settings: network-scoped aliases are only supported for user-defined networks");
        s->n_endpoints++;
        return 0;
}

static bool is_mode(const struct spec *s, const char *network) {
        const char *mode = *s->network_mode ? s->network_mode : "default";
        bool is_default = !strcmp(network, "bridge") || !strcmp(network, "default");

        return !strcmp(network, mode) || (s->network == SPEC_NETWORK_BRIDGE && is_default);
}

/* A container has one. */
static int take_class_id(struct spec *s, const struct spec_endpoint *p, struct err *err) {
        if (p->class_id && s->class_id && p->class_id != s->class_id)
                return err_set(err, ERR_INVALID, -EINVAL, "invalid endpoint settings: network %s: kist.classid: another network has another one", p->network);
        if (p->class_id)
                s->class_id = p->class_id;
        return 0;
}

/* Of a container without networks of its own: its mode said once more is all that may stand there. */
static int check_none(struct spec *s, json_t *all, struct err *err) {
        const char *network;
        json_t *config;

        json_object_foreach(all, network, config) {
                struct spec_endpoint p = { .network = network, .config = config };
                const char *option;
                json_t *v;

                if (!is_mode(s, network) && strcmp(network, "none") != 0 && !s->network_disabled)
                        return err_set(err, ERR_INVALID, -EINVAL, "conflicting options: a container with network mode %s cannot be connected to network %s", s->network_mode, network);
                json_object_foreach(json_object_get(config, "DriverOpts"), option, v)
                        if (spec_is_endpoint_rate(option))
                                return err_set(err, ERR_INVALID, -EINVAL, "conflicting options: network mode %s has no endpoint whose bandwidth could be limited: %s", s->network_mode, option);
                if (spec_read_driver_options(&p, err) < 0 || take_class_id(s, &p, err) < 0)
                        return -EINVAL;
        }
        return 0;
}

/* The one of the network mode is the first: it is eth0. */
int spec_read_endpoints(struct spec *s, struct err *err) {
        const json_t *networking = json_object_get(s->body, "NetworkingConfig");
        json_t *all = json_get_object(networking, "EndpointsConfig"), *config;
        const char *network;
        int r = 0;

        if (s->network != SPEC_NETWORK_BRIDGE && s->network != SPEC_NETWORK_USER)
                return check_none(s, all, err);
        if (json_object_size(all) > ENDPOINTS_MAX)
                return err_set(err, ERR_INVALID, -E2BIG, "NetworkingConfig: %zu networks, at most %d are possible", json_object_size(all), ENDPOINTS_MAX);
        if (!json_object_size(all) && !json_get_bool(networking, ENDPOINTS_CHANGED, false))
                r = read_endpoint(s, s->network == SPEC_NETWORK_BRIDGE ? "bridge" : s->network_mode, NULL, err);
        for (int pass = 0; pass < 2 && r == 0; pass++)
                json_object_foreach(all, network, config) {
                        if (!json_is_object(config) && !json_is_null(config))
                                return wrong(err, network, "an object is expected");
                        if (r == 0 && is_mode(s, network) == (pass == 0))
                                r = read_endpoint(s, network, config, err);
                }
        if (r < 0)
                return r;
        if (*s->mac_address && s->n_endpoints) {
                if (!network_is_mac(s->mac_address))
                        return err_set(err, ERR_INVALID, -EINVAL, "invalid MAC address: %s", s->mac_address);
                if (!*s->endpoints[0].mac)
                        s->endpoints[0].mac = s->mac_address;
        }
        for (size_t i = 0; i < s->n_endpoints; i++)
                if ((r = take_class_id(s, &s->endpoints[i], err)) < 0)
                        return r;
        for (size_t i = 0; i < s->n_endpoints; i++)
                for (size_t k = 0; k < i; k++)
                        if (*s->endpoints[i].link && !strcmp(s->endpoints[i].link, s->endpoints[k].link))
                                return wrong(err, s->endpoints[i].network, "the interface's name is another network's too");
        return 0;
}
