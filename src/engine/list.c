/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/timestamp.h"
#include "engine/db.h"
#include "engine/describe.h"
#include "engine/filters.h"
#include "engine/health.h"
#include "engine/internal.h"
#include "engine/ports.h"
#include "engine/size.h"
#include "engine/spec.h"

static const char *const known_filters[] = {
        "id", "name", "label", "label!", "status", "exited", "ancestor", "before", "since", "network", "volume", "health", "is-task", "expose",
        "publish", "isolation", NULL,
};

static const char *const known_states[] = { "created", "running", "paused", "restarting", "removing", "exited", "dead", NULL };
static const char *const known_health[] = { "none", "starting", "healthy", "unhealthy", NULL };

/* What the filters compare with that must be looked up once. */
struct view {
        const json_t *filters;
        int64_t before_ns, since_ns; /* 0: no bound */
        bool all;
};

static bool has_volume(const json_t *filters, const struct spec *s) {
        if (!filter_has(filters, "volume"))
                return true;
        for (size_t i = 0; i < s->n_mounts; i++)
                if (filter_text(filters, "volume", s->mounts[i].target) || (s->mounts[i].source && filter_text(filters, "volume", s->mounts[i].source)))
                        return true;
        return false;
}

static bool has_network(const json_t *filters, const struct spec *s) {
        if (!filter_has(filters, "network"))
                return true;
        for (size_t i = 0; i < s->n_endpoints; i++)
                if (filter_text(filters, "network", s->endpoints[i].network) || (*s->endpoints[i].network_id && filter_prefix(filters, "network", s->endpoints[i].network_id)))
                        return true;
        return !s->n_endpoints && filter_text(filters, "network", s->network_mode);
}

/* By name ("busybox", "busybox:latest"), or by the id or a prefix of it. */
static bool has_ancestor(const json_t *filters, const struct container_row *row) {
        auto_free char *tagged = str_format("%s:latest", row->image_name);
        size_t n = strlen(row->image_name);
        const char *value;

        if (!filter_has(filters, "ancestor") || filter_text(filters, "ancestor", row->image_name) || filter_prefix(filters, "ancestor", row->image_id) ||
            (tagged && filter_text(filters, "ancestor", tagged)))
                return true;
        if (filter_prefix(filters, "ancestor", row->image_id + strlen("sha256:")))
                return true;
        for (size_t i = 0; (value = filter_value(filters, "ancestor", i)); i++)
                if (n > 7 && !strcmp(row->image_name + n - 7, ":latest") && strlen(value) == n - 7 && !strncmp(value, row->image_name, n - 7))
                        return true;
        return false;
}

/* The filters that need no more than the row. */
static bool row_passes(const struct view *v, const struct container_row *row, const char *health) {
        auto_json *labels = row->labels ? json_loads(row->labels, 0, NULL) : NULL;
        const char *state = container_state_name(row->state);
        auto_free char *slashed = str_format("/%s", row->name);
        char code[16];

        if (!v->all && !filter_has(v->filters, "status") && !filter_has(v->filters, "exited") && row->state != CONTAINER_RUNNING && row->state != CONTAINER_PAUSED &&
            row->state != CONTAINER_RESTARTING)
                return false;
        snprintf(code, sizeof(code), "%d", row->exit_code);
        if (filter_has(v->filters, "exited") && (row->state != CONTAINER_EXITED || !filter_text(v->filters, "exited", code)))
                return false;
        if ((v->before_ns && row->created_ns >= v->before_ns) || (v->since_ns && row->created_ns <= v->since_ns))
                return false;
        return filter_prefix(v->filters, "id", row->id) && (filter_pattern(v->filters, "name", row->name) || (slashed && filter_pattern(v->filters, "name", slashed))) &&
               filter_labels(v->filters, "label", labels) && filter_text(v->filters, "status", state) && has_ancestor(v->filters, row) &&
               filter_text(v->filters, "health", health ? health : "none") && (!filter_has(v->filters, "is-task") || filter_text(v->filters, "is-task", "false") || filter_text(v->filters, "is-task", "0"));
}

/* "sh -c 'date'" as one line. */
static json_t *command_line(const struct spec *s) {
        const json_t *const parts[] = { s->entrypoint, s->cmd };
        auto_strbuf b;
        json_t *v;
        size_t i;

        strbuf_init(&b, 64 << 10);
        for (size_t p = 0; p < ARRAY_SIZE(parts); p++) {
                if (json_is_string(parts[p]))
                        strbuf_addf(&b, "%s%s", b.size ? " " : "", json_string_value(parts[p]));
                json_array_foreach((json_t *) parts[p], i, v) {
                        const char *text = json_string_value(v);

                        strbuf_addf(&b, strchr(text, ' ') ? "%s'%s'" : "%s%s", b.size ? " " : "", text);
                }
        }
        return json_string(strbuf_error(&b) || !b.data ? "" : b.data);
}

/* "80", "80/udp", "8000-8010/tcp". */
static int parse_ports(const char *text, unsigned ret[2], char ret_protocol[8]) {
        const char *slash = strchrnul(text, '/'), *dash = memchr(text, '-', (size_t) (slash - text));
        char number[2][8] = { "", "" };
        uint64_t n;

        snprintf(ret_protocol, 8, "%s", *slash ? slash + 1 : "tcp");
        if (strcmp(ret_protocol, "tcp") && strcmp(ret_protocol, "udp") && strcmp(ret_protocol, "sctp"))
                return -EINVAL;
        snprintf(number[0], sizeof(number[0]), "%.*s", (int) ((dash ? dash : slash) - text), text);
        snprintf(number[1], sizeof(number[1]), "%.*s", dash ? (int) (slash - dash - 1) : 7, dash ? dash + 1 : number[0]);
        for (size_t i = 0; i < 2; i++) {
                if (str_to_u64(number[i], 0, 65535, &n) < 0)
                        return -EINVAL;
                ret[i] = (unsigned) n;
        }
        return ret[0] <= ret[1] ? 0 : -EINVAL;
}

static bool has_port(const json_t *filters, const char *key, const char *member, const json_t *entry) {
        json_t *list = json_object_get(entry, "Ports"), *p;
        const char *value;
        char protocol[8];
        unsigned range[2];
        size_t k;

        for (size_t i = 0; (value = filter_value(filters, key, i)); i++) {
                if (parse_ports(value, range, protocol) < 0)
                        continue; /* refused before */
                json_array_foreach(list, k, p) {
                        int64_t port = json_get_int(p, member, -1);

                        if (port >= range[0] && port <= range[1] && !strcmp(json_get_str(p, "Type", ""), protocol))
                                return true;
                }
        }
        return false;
}

/* The filters that look at what is shown. */
static bool entry_passes(const json_t *filters, const json_t *entry) {
        return (!filter_has(filters, "publish") && !filter_has(filters, "expose")) || has_port(filters, "publish", "PublicPort", entry) ||
               has_port(filters, "expose", "PrivatePort", entry);
}

static int check_words(const json_t *filters, const char *key, const char *const *words, struct err *err) {
        const char *value;

        for (size_t i = 0; (value = filter_value(filters, key, i)); i++) {
                const char *const *w = words;

                while (*w && strcmp(*w, value) != 0)
                        w++;
                if (!*w)
                        return err_set(err, ERR_INVALID, -EINVAL, "Unrecognised filter value for %s: %s", key, value);
        }
        return 0;
}

/* Values that nothing could fit are mistakes. */
static int check_values(const json_t *filters, struct err *err) {
        static const char *const ports_keys[] = { "publish", "expose" };
        const char *value;
        char protocol[8];
        unsigned range[2];
        uint64_t code;
        int r;

        if ((r = check_words(filters, "status", known_states, err)) < 0 || (r = check_words(filters, "health", known_health, err)) < 0)
                return r;
        for (size_t i = 0; (value = filter_value(filters, "exited", i)); i++)
                if (str_to_u64(value, 0, 255, &code) < 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "invalid filter 'exited=%s': not an exit code", value);
        for (size_t k = 0; k < ARRAY_SIZE(ports_keys); k++)
                for (size_t i = 0; (value = filter_value(filters, ports_keys[k], i)); i++)
                        if (parse_ports(value, range, protocol) < 0)
                                return err_set(err, ERR_INVALID, -EINVAL, "invalid filter '%s=%s': a port or range of ports is expected", ports_keys[k], value);
        return 0;
}

static int add_entry(struct engine *e, struct container *c, const struct view *v, const struct container_row *row, const char *health, bool size, json_t *list) {
        auto_free char *status = describe_status(row, health, time_now_ns());
        auto_json *body = NULL;
        auto_spec s = {};
        json_t *entry;
        int r;

        /* Gone since the table was looked at: not in the list, then. */
        if (db_spec(e->db, row->id, &body, NULL) < 0 || spec_parse(body, &s, NULL) < 0)
                return 0;
        if (!has_network(v->filters, &s) || !has_volume(v->filters, &s))
                return 0;
        entry = json_pack("{s:s, s:[o], s:s, s:s, s:o, s:I, s:o, s:o, s:s, s:s, s:{s:s}, s:{s:o}, s:o}", "Id", row->id, "Names", json_sprintf("/%s", row->name), "Image",
                          row->image_name, "ImageID", row->image_id, "Command", command_line(&s), "Created", (json_int_t) (row->created_ns / 1000000000), "Ports",
                          ports_list(c, &s), "Labels", s.labels ? json_incref(s.labels) : json_object(), "State", container_state_name(row->state), "Status",
                          status ? status : "", "HostConfig", "NetworkMode", s.network_mode, "NetworkSettings", "Networks", describe_networks(row, &s), "Mounts",
                          describe_mounts(e->root, &s));
        if (!entry)
                return -ENOMEM;
        if (!entry_passes(v->filters, entry)) {
                json_decref(entry);
                return 0;
        }
        r = size ? size_add(e, row, entry) : 0;
        json_array_append_new(list, entry);
        return r;
}

static int creation_time(struct engine *e, const json_t *filters, const char *key, int64_t *ret, struct err *err) {
        const char *name = filter_value(filters, key, 0);
        auto_container *c = NULL;
        int r;

        *ret = 0;
        if (!name)
                return 0;
        r = table_find(&e->table, name, &c, err);
        if (r == 0)
                *ret = c->row.created_ns;
        return r;
}

int engine_list(struct engine *e, bool all, int limit, bool size, const json_t *filters, json_t **ret, struct err *err) {
        struct view v = { .filters = filters, .all = all || limit > 0 };
        struct container **containers;
        auto_json *list = json_array();
        size_t n;
        int r = filters_check(filters, known_filters, err);

        if (r < 0 || (r = check_values(filters, err)) < 0 || (r = creation_time(e, filters, "before", &v.before_ns, err)) < 0 || (r = creation_time(e, filters, "since", &v.since_ns, err)) < 0)
                return r;
        if (v.before_ns || v.since_ns)
                v.all = true;
        r = table_snapshot(&e->table, &containers, &n);
        if (r < 0)
                return err_errno(err, r, "listing containers");
        for (size_t i = n; i-- > 0;) { /* newest first */
                struct container_row row;

                const char *health = health_status(containers[i]);

                container_peek(containers[i], &row);
                if (r == 0 && (limit <= 0 || json_array_size(list) < (size_t) limit) && row_passes(&v, &row, health))
                        r = add_entry(e, containers[i], &v, &row, health, size, list);
                container_unref(containers[i]);
        }
        free(containers);
        if (r < 0)
                return err_errno(err, r, "listing containers");
        *ret = take_ptr(&list);
        return 0;
}
