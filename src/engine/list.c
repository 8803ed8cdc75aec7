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
#include "engine/size.h"
#include "engine/spec.h"

static const char *const known_filters[] = {
        "id", "name", "label", "label!", "status", "exited", "ancestor", "before", "since", "network", "volume", "health", "is-task", NULL,
};

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
               filter_text(v->filters, "health", health ? health : "none") && filter_text(v->filters, "is-task", "false");
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

/* "80/tcp" → {PrivatePort, Type}: exposed, not published. */
static json_t *ports(const struct spec *s) {
        json_t *list = json_array(), *v;
        const char *key;

        json_object_foreach(s->exposed_ports, key, v) {
                char proto[8] = "tcp";
                unsigned port;

                if (sscanf(key, "%5u/%7[a-z]", &port, proto) >= 1 && port <= 65535)
                        json_array_append_new(list, json_pack("{s:i, s:s}", "PrivatePort", (int) port, "Type", proto));
        }
        return list;
}

static int add_entry(struct engine *e, const struct view *v, const struct container_row *row, const char *health, bool size, json_t *list) {
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
                          ports(&s), "Labels", s.labels ? json_incref(s.labels) : json_object(), "State", container_state_name(row->state), "Status",
                          status ? status : "", "HostConfig", "NetworkMode", s.network_mode, "NetworkSettings", "Networks", describe_networks(row, &s), "Mounts",
                          describe_mounts(e->root, &s));
        if (!entry)
                return -ENOMEM;
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

        if (r < 0 || (r = creation_time(e, filters, "before", &v.before_ns, err)) < 0 || (r = creation_time(e, filters, "since", &v.since_ns, err)) < 0)
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
                        r = add_entry(e, &v, &row, health, size, list);
                container_unref(containers[i]);
        }
        free(containers);
        if (r < 0)
                return err_errno(err, r, "listing containers");
        *ret = take_ptr(&list);
        return 0;
}
