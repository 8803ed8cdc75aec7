/* SPDX-License-Identifier: Apache-2.0 */
/* --network and what goes with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/container-body.h"

#define IFNAME_OPTION "com.docker.network.endpoint.ifname"

static json_t *member(json_t *object, const char *key, json_t *(*make)(void)) {
        json_t *v = json_object_get(object, key);

        if (!v)
                json_object_set_new(object, key, v = make());
        return v;
}

/* One KEY=VALUE; false: the key is unknown or the value wrong. */
static bool set_part(json_t *endpoint, const char *key, const char *value, char **name) {
        if (!strcmp(key, "name") && !*name) {
                *name = strdup(value);
        } else if (!strcmp(key, "alias")) {
                json_array_append_new(member(endpoint, "Aliases", json_array), json_string(value));
        } else if (!strcmp(key, "ip")) {
                json_object_set_new(member(endpoint, "IPAMConfig", json_object), "IPv4Address", json_string(value));
        } else if (!strcmp(key, "ip6")) {
                json_object_set_new(member(endpoint, "IPAMConfig", json_object), "IPv6Address", json_string(value));
        } else if (!strcmp(key, "mac-address")) {
                json_object_set_new(endpoint, "MacAddress", json_string(value));
        } else if (!strcmp(key, "driver-opt") && strchr(value, '=')) {
                set_pair(member(endpoint, "DriverOpts", json_object), value, '=');
        } else if (!strcmp(key, "interface-name")) {
                json_object_set_new(member(endpoint, "DriverOpts", json_object), IFNAME_OPTION, json_string(value));
        } else if (!strcmp(key, "gw-priority")) {
                char *end;
                long long priority = strtoll(value, &end, 10);

                if (end == value || *end)
                        return false;
                json_object_set_new(endpoint, "GwPriority", json_integer(priority));
        } else {
                return false;
        }
        return true;
}

int network_endpoint_parse(const struct args *a, const char *option, const char *text, char **ret_name, json_t **ret) {
        auto_free char *copy = strdup(text), *name = NULL;
        auto_json *endpoint = json_object();
        char *save = NULL;

        if (!strchr(text, '=')) {
                *ret_name = take_ptr(&copy);
                *ret = take_ptr(&endpoint);
                return 0;
        }
        for (char *part = strtok_r(copy, ",", &save); part; part = strtok_r(NULL, ",", &save)) {
                char *value = strchr(part, '=');

                if (value)
                        *value++ = '\0';
                if (!value || !*value || !set_part(endpoint, part, value, &name))
                        return option_wrong(a, option, text, "name, alias, ip, ip6, mac-address, driver-opt, interface-name and gw-priority are known, each with =VALUE");
        }
        if (!name)
                return option_wrong(a, option, text, "name=NETWORK is missing");
        *ret_name = take_ptr(&name);
        *ret = take_ptr(&endpoint);
        return 0;
}

/* The options that say something about the network without naming it: about the first. */
static void set_first(const struct args *a, json_t *endpoint) {
        static const char *const lists[] = { "network-alias", "net-alias" };
        const char *const *driver_options;
        const char *ip = args_text(a, "ip"), *ip6 = args_text(a, "ip6"), *mac = args_text(a, "mac-address");

        for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
                const char *const *items;
                size_t n = args_list(a, lists[i], &items);

                for (size_t k = 0; k < n; k++)
                        json_array_append_new(member(endpoint, "Aliases", json_array), json_string(items[k]));
        }
        size_t n_options = args_list(a, "network-opt", &driver_options);

        for (size_t i = 0; i < n_options; i++)
                set_pair(member(endpoint, "DriverOpts", json_object), driver_options[i], '=');
        if (ip)
                json_object_set_new(member(endpoint, "IPAMConfig", json_object), "IPv4Address", json_string(ip));
        if (ip6)
                json_object_set_new(member(endpoint, "IPAMConfig", json_object), "IPv6Address", json_string(ip6));
        if (mac)
                json_object_set_new(endpoint, "MacAddress", json_string(mac));
}

int set_networks(const struct args *a, json_t *config, json_t *host) {
        static const char *const options[] = { "network", "net" };
        auto_json *endpoints = json_object();
        json_t *first = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
                const char *const *items;
                size_t n = args_list(a, options[i], &items);

                for (size_t k = 0; k < n; k++) {
                        auto_free char *name = NULL;
                        json_t *endpoint;

                        if (network_endpoint_parse(a, options[i], items[k], &name, &endpoint) < 0)
                                return -1;
                        if (json_object_get(endpoints, name)) {
                                json_decref(endpoint);
                                return option_wrong(a, options[i], items[k], "the network is given twice");
                        }
                        if (!json_object_size(endpoints)) {
                                json_object_set_new(host, "NetworkMode", json_string(name));
                                first = endpoint;
                        }
                        json_object_set_new(endpoints, name, endpoint);
                }
        }
        if (!first)
                json_object_set_new(endpoints, "default", first = json_object());
        set_first(a, first);
        /* One network about which nothing is said is in NetworkMode. */
        if (json_object_size(endpoints) > 1 || json_object_size(first))
                json_object_set_new(config, "NetworkingConfig", json_pack("{s:O}", "EndpointsConfig", endpoints));
        return 0;
}
