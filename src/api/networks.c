/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/handlers.h"
#include "base/json.h"

/* The networks that are always there: no others can be made in this version. Their ids never change. */
static const struct fixed_network {
        const char *name, *driver, *id;
} networks[] = {
        { "bridge", "bridge", "6b69737462726964676530303030303030303030303030303030303030303030" },
        { "host", "host", "6b697374686f7374303030303030303030303030303030303030303030303030" },
        { "none", "null", "6b6973746e6f6e65303030303030303030303030303030303030303030303030" },
};

static json_t *describe(const struct fixed_network *n) {
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:{s:s, s:n, s:[]}, s:b, s:b, s:b, s:{s:s}, s:b, s:{}, s:{}, s:{}}",
                         "Name", n->name, "Id", n->id, "Created", "0001-01-01T00:00:00Z", "Scope", "local", "Driver", n->driver,
                         "EnableIPv4", 1, "EnableIPv6", 0, "IPAM", "Driver", "default", "Options", "Config", "Internal", 0, "Attachable", 0,
                         "Ingress", 0, "ConfigFrom", "Network", "", "ConfigOnly", 0, "Containers", "Options", "Labels");
}

enum match { MATCH_EXACT, MATCH_PART, MATCH_PREFIX };

static bool matches(const char *text, const char *wanted, enum match how) {
        return how == MATCH_PART ? strstr(text, wanted) != NULL : how == MATCH_PREFIX ? str_starts_with(text, wanted) : !strcmp(text, wanted);
}

/* Whether one of the filter's values fits; a filter that is not given fits everything. */
static bool passes(const json_t *filters, const char *key, const char *text, enum match how) {
        const json_t *values = json_get_array(filters, key), *value;
        size_t i;

        json_array_foreach(values, i, value)
                if (matches(text, json_string_value(value), how))
                        return true;
        return json_array_size(values) == 0;
}

int handle_network_list(struct request *q, struct err *err) {
        static const char *const known[] = { "name", "id", "driver", "scope", "type", "dangling", "label" };
        auto_json *filters = NULL, *list = json_array();
        const char *key;
        json_t *values;
        int r;

        r = query_filters(&q->query, &filters, err);
        if (r < 0)
                return r;
        json_object_foreach(filters, key, values) {
                bool found = false;

                for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                        found |= !strcmp(key, known[i]);
                if (!found)
                        return err_set(err, ERR_INVALID, -EINVAL, "invalid filter: \"%.64s\"", key);
        }
        for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
                const struct fixed_network *n = &networks[i];

                /* They have no labels, and are built in: never dangling. */
                if (passes(filters, "name", n->name, MATCH_PART) && passes(filters, "id", n->id, MATCH_PREFIX) &&
                    passes(filters, "driver", n->driver, MATCH_EXACT) && passes(filters, "scope", "local", MATCH_EXACT) &&
                    passes(filters, "type", "builtin", MATCH_EXACT) && passes(filters, "dangling", "false", MATCH_EXACT) &&
                    json_array_size(json_get_array(filters, "label")) == 0)
                        json_array_append_new(list, describe(n));
        }
        return request_answer_json(q, MHD_HTTP_OK, take_ptr(&list), err);
}

int handle_network_inspect(struct request *q, struct err *err) {
        for (size_t i = 0; i < ARRAY_SIZE(networks); i++)
                if (!strcmp(q->name, networks[i].name) || (strlen(q->name) >= 12 && str_starts_with(networks[i].id, q->name)))
                        return request_answer_json(q, MHD_HTTP_OK, describe(&networks[i]), err);
        return err_set(err, ERR_NOT_FOUND, -ENOENT, "network %s not found", q->name);
}

int handle_volume_list(struct request *q, struct err *err) {
        return request_answer_json(q, MHD_HTTP_OK, json_pack("{s:[], s:[]}", "Volumes", "Warnings"), err);
}
