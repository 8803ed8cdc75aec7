/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/defaults.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/internal.h"
#include "engine/projects.h"
#include "engine/spec.h"

#define GATEWAY ":host-gateway"

/* As HostConfig has it when nobody said anything: clients send empty values of all fields. */
static bool is_unsaid(const json_t *v) {
        if (json_is_string(v))
                return json_string_length(v) == 0;
        if (json_is_integer(v))
                return json_integer_value(v) == 0;
        return !v || json_is_null(v) || (json_is_array(v) && json_array_size(v) == 0) || (json_is_object(v) && json_object_size(v) == 0);
}

/* Of the same driver only: another one does not know the options. */
static void apply_log(json_t *host, const json_t *log) {
        json_t *own = json_get_object(host, "LogConfig"), *options = json_get_object(own, "Config"), *merged;
        const char *wanted = json_get_str(log, "Type", "json-file"), *type = json_get_str(own, "Type", "");

        if (*type && strcmp(type, wanted) != 0)
                return;
        merged = json_object();
        json_object_update(merged, json_get_object(log, "Config"));
        if (options)
                json_object_update(merged, options);
        json_object_set_new(host, "LogConfig", json_pack("{s:s, s:o}", "Type", wanted, "Config", merged));
}

static bool has_ulimit(const json_t *list, const char *name) {
        const json_t *v;
        size_t i;

        json_array_foreach((json_t *) list, i, v)
                if (!strcmp(json_get_str(v, "Name", ""), name))
                        return true;
        return false;
}

static void apply_ulimits(json_t *host, const json_t *ulimits) {
        json_t *own = json_get_array(host, "Ulimits"), *merged = own ? json_copy(own) : json_array(), *v;
        size_t i;

        json_array_foreach((json_t *) ulimits, i, v)
                if (!has_ulimit(own, json_get_str(v, "Name", "")))
                        json_array_append(merged, v);
        json_object_set_new(host, "Ulimits", json_array_size(merged) ? merged : json_null());
        if (!json_array_size(merged))
                json_decref(merged);
}

/* "seccomp=…" gives way to one of the container's own, whatever that says. */
static bool has_security_option(const json_t *list, const char *option) {
        size_t n = strcspn(option, "="), i;
        const json_t *v;

        json_array_foreach((json_t *) list, i, v) {
                const char *text = json_string_value(v);

                if (text && !strncmp(text, option, n) && strchr("=:", text[n]))
                        return true;
        }
        return false;
}

static void apply_security(json_t *host, const json_t *options) {
        json_t *own = json_get_array(host, "SecurityOpt"), *merged = own ? json_copy(own) : json_array(), *v;
        bool privileged = json_is_true(json_object_get(host, "Privileged"));
        size_t i;

        json_array_foreach((json_t *) options, i, v) {
                const char *text = json_string_value(v);

                /* A privileged container has no filter. */
                if (!has_security_option(own, text) && !(privileged && str_starts_with(text, "seccomp")))
                        json_array_append(merged, v);
        }
        json_object_set_new(host, "SecurityOpt", merged);
}

static int apply_gateway(json_t *host, const char *gateway, struct err *err) {
        json_t *own = json_get_array(host, "ExtraHosts"), *list, *v;
        size_t i;

        if (!*gateway || !own)
                return 0;
        list = json_array();
        json_array_foreach(own, i, v) {
                const char *text = json_string_value(v);
                size_t n = text ? strlen(text) : 0;
                auto_free char *changed = NULL;

                if (n > strlen(GATEWAY) && !strcmp(text + n - strlen(GATEWAY), GATEWAY) &&
                    !(changed = str_format("%.*s:%s", (int) (n - strlen(GATEWAY)), text, gateway))) {
                        json_decref(list);
                        return err_errno(err, -ENOMEM, "HostConfig.ExtraHosts");
                }
                json_array_append_new(list, changed ? json_string(changed) : json_incref(v));
        }
        json_object_set_new(host, "ExtraHosts", list);
        return 0;
}

/* A copy, since its parts become parts of what each caller makes: the library's counts of references are not for several threads. */
static json_t *current(struct engine *e) {
        json_t *defaults;

        pthread_mutex_lock(&e->defaults_lock);
        defaults = json_deep_copy(e->defaults);
        pthread_mutex_unlock(&e->defaults_lock);
        return defaults;
}

int defaults_apply(struct engine *e, json_t *host, struct err *err) {
        auto_json *defaults = current(e);
        const json_t *wanted = json_get_object(defaults, "HostConfig");
        bool joins = str_starts_with(json_get_str(host, "NetworkMode", ""), "container:");
        const char *key;
        json_t *v;

        apply_log(host, json_get_object(wanted, "LogConfig"));
        json_object_foreach((json_t *) wanted, key, v) {
                if (!strcmp(key, "LogConfig"))
                        continue;
                if (!strcmp(key, "Ulimits"))
                        apply_ulimits(host, v);
                else if (!strcmp(key, "SecurityOpt"))
                        apply_security(host, v);
                else if (is_unsaid(json_object_get(host, key)) && !(joins && str_starts_with(key, "Dns")))
                        json_object_set(host, key, v); /* who joins another's network has that one's servers */
        }
        return apply_gateway(host, json_get_str(defaults, "HostGateway", ""), err);
}

json_t *defaults_labels(struct engine *e) {
        auto_json *defaults = current(e);
        json_t *labels = json_get_array(defaults, "Labels");

        return labels ? json_incref(labels) : json_array();
}

json_t *defaults_log_driver(struct engine *e) {
        auto_json *defaults = current(e);

        return json_string(json_get_str(json_get_object(json_get_object(defaults, "HostConfig"), "LogConfig"), "Type", "json-file"));
}

bool defaults_policy_is_strict(struct engine *e) {
        bool strict;

        pthread_mutex_lock(&e->defaults_lock);
        strict = !strcmp(json_get_str(e->defaults, "Policy", "default"), "strict");
        pthread_mutex_unlock(&e->defaults_lock);
        return strict;
}

json_t *defaults_sockets(struct engine *e) {
        auto_json *defaults = current(e);
        json_t *sockets = json_get_array(defaults, "Sockets");

        return sockets ? json_incref(sockets) : json_array();
}

int engine_check_defaults(const json_t *defaults, struct err *err) {
        auto_json *body = json_pack("{s:s, s:O?}", "Image", "any", "HostConfig", json_object_get(defaults, "HostConfig"));
        const char *gateway = json_get_str(defaults, "HostGateway", "");
        unsigned char address[sizeof(struct in6_addr)];
        auto_spec s = {};
        int r;

        if (!body)
                return err_errno(err, -ENOMEM, "defaults");
        if (*gateway && inet_pton(AF_INET, gateway, address) != 1 && inet_pton(AF_INET6, gateway, address) != 1)
                return err_set(err, ERR_INVALID, -EINVAL, "host-gateway-ip: \"%s\" is not an address", gateway);
        r = log_driver_read(json_get_object(json_object_get(defaults, "HostConfig"), "LogConfig"), &(struct spec_log) {}, err);
        if (r < 0)
                return err_prefix(err, "log-driver and log-opts");
        r = spec_parse(body, &s, err);
        return r < 0 ? err_prefix(err, "defaults of containers") : 0;
}

int defaults_check_host(struct engine *e, const json_t *defaults, struct err *err) {
        const json_t *options = json_get_object(json_object_get(defaults, "HostConfig"), "StorageOpt");
        int r = json_object_size(options) ? projects_check(e, err) : 0;

        return r < 0 ? err_prefix(err, "storage-opts") : 0;
}

int engine_set_defaults(struct engine *e, const json_t *defaults, struct err *err) {
        json_t *copy = json_deep_copy(defaults), *old;
        int r = copy ? engine_check_defaults(copy, err) : err_errno(err, -ENOMEM, "defaults");

        if (r == 0 && e->root_fd >= 0)
                r = defaults_check_host(e, copy, err);
        if (r < 0) {
                json_decref(copy);
                return r;
        }
        pthread_mutex_lock(&e->defaults_lock);
        old = e->defaults;
        e->defaults = copy;
        pthread_mutex_unlock(&e->defaults_lock);
        json_decref(old);
        return 0;
}
