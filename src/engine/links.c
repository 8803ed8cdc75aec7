/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/links.h"

#include <string.h>

#include "base/str.h"
#include "engine/config.h"
#include "engine/db.h"
#include "engine/internal.h"
#include "engine/spec.h"

enum { LINKS_MAX = 64 };

/* "db", "db:alias", and what inspect shows: "/db:/web/alias". Both are the caller's to free. */
static int split(const char *text, char **ret_name, char **ret_alias, struct err *err) {
        const char *colon = strchr(text, ':'), *alias = colon ? colon + 1 : text, *slash;

        if (!*text)
                return err_set(err, ERR_INVALID, -EINVAL, "empty string specified for links");
        if (colon && strchr(colon + 1, ':'))
                return err_set(err, ERR_INVALID, -EINVAL, "bad format for links: %s", text);
        if (*text == '/')
                text++;
        slash = strrchr(alias, '/');
        if (slash)
                alias = slash + 1;
        *ret_name = strndup(text, colon && colon > text ? (size_t) (colon - text) : colon ? 0 : strlen(text));
        *ret_alias = strdup(alias);
        if (!*ret_name || !*ret_alias)
                return err_errno(err, -ENOMEM, "links");
        return spec_is_hostname(*ret_alias) && **ret_name ? 0 : err_set(err, ERR_INVALID, -EINVAL, "bad format for links: %s", text);
}

int links_check(const struct spec *s, struct err *err) {
        json_t *v;
        size_t i;

        if (!json_array_size(s->links))
                return 0;
        if (s->network == SPEC_NETWORK_HOST)
                return err_set(err, ERR_INVALID, -EINVAL, "conflicting options: host type networking can't be used with links. This would result in undefined behavior");
        if (s->network == SPEC_NETWORK_CONTAINER)
                return err_set(err, ERR_INVALID, -EINVAL, "conflicting options: container type network can't be used with links. This would result in undefined behavior");
        if (json_array_size(s->links) > LINKS_MAX)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "HostConfig.Links: more than %d", LINKS_MAX);
        json_array_foreach(s->links, i, v) {
                auto_free char *name = NULL, *alias = NULL;
                int r = split(json_string_value(v), &name, &alias, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* Networks of the user's have theirs beside the aliases. */
static void gather(json_t *body, json_t *all) {
        json_t *copy = json_deep_copy(json_object_get(body, "NetworkingConfig")), *config, *v, *have;
        const char *network;
        size_t i, k;

        json_object_foreach(json_get_object(copy, "EndpointsConfig"), network, config) {
                json_array_foreach(json_get_array(config, "Links"), i, v) {
                        bool found = false;

                        json_array_foreach(all, k, have)
                                found = found || json_equal(have, v);
                        if (!found)
                                json_array_append(all, v);
                }
                json_object_del(config, "Links");
        }
        if (copy)
                json_object_set_new(body, "NetworkingConfig", copy);
}

int links_resolve(struct engine *e, json_t *body, json_t *host, struct err *err) {
        json_t *given = json_object_get(host, "Links"), *v;
        auto_json *all = json_is_array(given) ? json_copy(given) : json_array(), *ids = json_array();
        size_t i;

        if (given && !json_is_array(given) && !json_is_null(given))
                return 0; /* the spec's to refuse */
        gather(body, all);
        json_array_foreach(all, i, v) {
                auto_free char *name = NULL, *alias = NULL;
                auto_container *c = NULL;
                struct err why;
                int r;

                if (!json_is_string(v) || i >= LINKS_MAX)
                        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.Links: an array of at most %d strings is expected", LINKS_MAX);
                r = split(json_string_value(v), &name, &alias, err);
                if (r < 0)
                        return r;
                r = table_find(&e->table, name, &c, &why);
                if (r < 0) /* not "not found": that would be the image */
                        return err_set(err, ERR_INVALID, r, "could not get container for %s: %s", name, why.msg);
                json_array_append_new(ids, json_sprintf("%s:%s", c->row.id, alias));
        }
        if (json_array_size(ids))
                json_object_set(host, "Links", ids);
        return 0;
}

static const char *common_address(const struct container_row *a, const struct container_row *b) {
        for (size_t i = 0; i < a->n_endpoints; i++)
                for (size_t k = 0; k < b->n_endpoints; k++)
                        if (!strcmp(a->endpoints[i].network, b->endpoints[k].network))
                                return b->endpoints[k].address;
        return NULL;
}

/* One line: the address, the alias, the other's host name, and its name when that is a third one. */
static int add_line(struct engine *e, struct spec *s, const struct container_row *row, const struct container_row *other, const char *alias, struct err *err) {
        const char *address = container_state_is_live(other->state) ? common_address(row, other) : NULL;
        auto_json *body = NULL;
        auto_spec theirs = {};
        char hostname[64];
        int r;

        if (!address && s->network == SPEC_NETWORK_USER)
                return 0; /* found by its name once it runs */
        if (!container_state_is_live(other->state))
                return err_set(err, ERR_CONFLICT, -ESRCH, "Cannot link to a non running container: /%s AS /%s/%s", other->name, row->name, alias);
        if (!address)
                return err_set(err, ERR_INVALID, -EINVAL, "Cannot link to /%s, as it does not belong to the default network", other->name);
        if ((r = db_spec(e->db, other->id, &body, err)) < 0 || (r = spec_parse(body, &theirs, err)) < 0)
                return r;
        config_hostname(&theirs, other->id, hostname);
        if (!s->link_hosts)
                s->link_hosts = json_array();
        json_array_append_new(s->link_hosts, json_sprintf("%s\t%s %s%s%s", address, alias, hostname, strcmp(alias, other->name) != 0 ? " " : "", strcmp(alias, other->name) != 0 ? other->name : ""));
        return 0;
}

int links_find(struct engine *e, struct spec *s, const struct container_row *row, struct err *err) {
        json_t *v;
        size_t i;

        json_array_foreach(s->links, i, v) {
                auto_free char *id = NULL, *alias = NULL;
                auto_container *c = NULL;
                struct container_row other;
                int r = split(json_string_value(v), &id, &alias, err);

                if (r < 0)
                        return r;
                if (table_find(&e->table, id, &c, NULL) < 0)
                        continue; /* removed, and the link with it */
                container_peek(c, &other);
                r = add_line(e, s, row, &other, alias, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

json_t *links_describe(struct engine *e, const struct spec *s, const char *name) {
        json_t *list = NULL, *v;
        size_t i;

        json_array_foreach(s->links, i, v) {
                auto_free char *id = NULL, *alias = NULL;
                auto_container *c = NULL;
                struct container_row other;

                if (split(json_string_value(v), &id, &alias, NULL) < 0 || table_find(&e->table, id, &c, NULL) < 0)
                        continue;
                container_peek(c, &other);
                list = list ? list : json_array();
                json_array_append_new(list, json_sprintf("/%s:/%s/%s", other.name, name, alias));
        }
        return list;
}
