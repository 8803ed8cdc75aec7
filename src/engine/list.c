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

#define LIST_MAX ((size_t) 256 << 20)
enum { SHORT_ID_DIGITS = 12 };

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
        bool all, size;
        bool looks_inside; /* at more than the row */
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
        return s->network != SPEC_NETWORK_BRIDGE && s->network != SPEC_NETWORK_USER && filter_text(filters, "network", s->network_mode);
}

/* By name ("busybox", "busybox:latest"), or by the id or a prefix of it. */
static bool has_ancestor(const json_t *filters, const struct container_row *row) {
        auto_free char *tagged = NULL;
        size_t n = strlen(row->image_name);
        const char *value;

        if (!filter_has(filters, "ancestor"))
                return true;
        tagged = str_format("%s:latest", row->image_name);
        if (filter_text(filters, "ancestor", row->image_name) || filter_prefix(filters, "ancestor", row->image_id) ||
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
        auto_json *labels = NULL;
        const char *state = container_state_name(row->state);
        auto_free char *slashed = NULL;
        char code[16];

        if (!v->all && !filter_has(v->filters, "status") && !filter_has(v->filters, "exited") && row->state != CONTAINER_RUNNING && row->state != CONTAINER_PAUSED &&
            row->state != CONTAINER_RESTARTING)
                return false;
        if (!json_object_size(v->filters))
                return (!v->before_ns || row->created_ns < v->before_ns) && (!v->since_ns || row->created_ns > v->since_ns);
        labels = row->labels ? json_loads(row->labels, 0, NULL) : NULL;
        slashed = str_format("/%s", row->name);
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

/* All but the status. *ret stays untouched when the container is gone since the table was looked at, or a filter is against it: not in the list, then. */
static int make_entry(struct engine *e, struct container *c, const struct view *v, const struct container_row *row, json_t **ret) {
        auto_json *body = NULL, *entry = NULL;
        auto_spec s = {};
        int r = 0;

        if (db_spec(e->db, row->id, &body, NULL) < 0 || spec_parse(body, &s, NULL) < 0 || !has_network(v->filters, &s) || !has_volume(v->filters, &s))
                return 0;
        entry = json_pack("{s:s, s:[o], s:s, s:s, s:o, s:I, s:o, s:o, s:s, s:{s:s}, s:{s:o}, s:o}", "Id", row->id, "Names", json_sprintf("/%s", row->name), "Image",
                          row->image_name, "ImageID", row->image_id, "Command", command_line(&s), "Created", (json_int_t) (row->created_ns / 1000000000), "Ports",
                          ports_list(c, &s), "Labels", s.labels ? json_incref(s.labels) : json_object(), "State", container_state_name(row->state), "HostConfig",
                          "NetworkMode", s.network_mode, "NetworkSettings", "Networks", describe_networks(row, &s), "Mounts", describe_mounts(e->root, &s));
        if (!entry)
                return -ENOMEM;
        if (!entry_passes(v->filters, entry))
                return 0;
        if (v->size && (r = size_add(e, row, entry)) < 0)
                return r;
        *ret = take_ptr(&entry);
        return 0;
}

/* --- as JSON --- */

static int add_entry(struct engine *e, struct container *c, const struct view *v, const struct container_row *row, const char *health, void *list) {
        auto_free char *status = describe_status(row, health, time_now_ns());
        json_t *entry = NULL;
        int r = make_entry(e, c, v, row, &entry);

        if (r < 0 || !entry)
                return r;
        json_object_set_new(entry, "Status", json_string(status ? status : ""));
        return json_array_append_new(list, entry) < 0 ? -ENOMEM : 1;
}

/* --- as text, which is kept --- */

struct text_list {
        const struct engine_list_text *how;
        struct strbuf text;
};

/* The members of an object without its braces. */
static int dump_members(struct strbuf *b, const json_t *object) {
        auto_free char *text = json_text(object);
        size_t n = text ? strlen(text) : 0;

        if (n < 2)
                return -ENOMEM;
        if (n > 2)
                strbuf_addf(b, "%s", b->size ? "," : "");
        strbuf_add(b, text + 1, n - 2);
        return strbuf_error(b);
}

/* Kist's own client shows little: what it leaves out comes last, so that both are pieces of one text. The id is add_text()'s. */
static int make_text(json_t *entry, struct container_listed *ret) {
        static const char *const seldom[] = { "ImageID", "HostConfig", "NetworkSettings", "Mounts", "Labels", "ImageManifestDescriptor", "Ports" };
        auto_json *rest = json_object();
        auto_strbuf b;
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(seldom); i++) {
                json_t *value = json_object_get(entry, seldom[i]);

                /* Few have any. */
                if (strcmp(seldom[i], "Ports") == 0 && json_array_size(value) > 0)
                        continue;
                if (value && json_object_set(rest, seldom[i], value) == 0)
                        json_object_del(entry, seldom[i]);
        }
        json_object_del(entry, "Id");
        strbuf_init(&b, ENGINE_JSON_MAX);
        r = dump_members(&b, entry);
        ret->brief_size = b.size;
        if (r == 0)
                r = dump_members(&b, rest);
        ret->size = b.size;
        if (r < 0)
                return r;
        ret->text = strbuf_take(&b, NULL);
        return ret->text ? 0 : -ENOMEM;
}

static void add_text(struct text_list *l, const struct container_row *row, const char *health, const struct container_listed *text) {
        auto_free char *status = describe_status(row, health, time_now_ns());

        strbuf_addf(&l->text, "%s{\"Status\":\"%s\",\"Id\":\"%.*s\",", l->text.size > 1 ? "," : "", status ? status : "", l->how->brief ? SHORT_ID_DIGITS : 64, row->id);
        strbuf_add(&l->text, text->text, l->how->brief ? text->brief_size : text->size);
        strbuf_adds(&l->text, "}");
}

static int add_line(struct engine *e, struct container *c, const struct view *v, const struct container_row *row, const char *health, void *list) {
        struct text_list *l = list;
        struct container_listed made = { .form = l->how->version };
        struct container_row now;
        auto_json *entry = NULL;
        unsigned generation;
        int r;

        (void) row; /* a moment old: text and status must be of the same one */
        pthread_mutex_lock(&c->lock);
        generation = c->listed.generation;
        if (c->listed.text && c->listed.form == l->how->version && !v->looks_inside) {
                add_text(l, &c->row, health, &c->listed);
                pthread_mutex_unlock(&c->lock);
                return 1;
        }
        now = c->row;
        pthread_mutex_unlock(&c->lock);
        r = make_entry(e, c, v, &now, &entry);
        if (r < 0 || !entry)
                return r;
        l->how->shape(l->how->version, entry);
        r = make_text(entry, &made);
        if (r < 0)
                return r;
        add_text(l, &now, health, &made);
        pthread_mutex_lock(&c->lock);
        /* Only what did not change while it was looked at is kept. */
        if (c->listed.generation == generation && !v->size) {
                free(c->listed.text);
                made.generation = generation;
                c->listed = made;
                made.text = NULL;
        }
        pthread_mutex_unlock(&c->lock);
        free(made.text);
        return 1;
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

typedef int (*add_fn)(struct engine *e, struct container *c, const struct view *v, const struct container_row *row, const char *health, void *list);

/* add: 1 for one more in the list, 0 for none. */
static int walk(struct engine *e, bool all, int limit, bool size, const json_t *filters, add_fn add, void *list, struct err *err) {
        struct view v = { .filters = filters, .size = size, .all = all || limit > 0 };
        struct container **containers;
        int r = filters_check(filters, known_filters, err), n_listed = 0;
        size_t n;

        if (r < 0 || (r = check_values(filters, err)) < 0 || (r = creation_time(e, filters, "before", &v.before_ns, err)) < 0 || (r = creation_time(e, filters, "since", &v.since_ns, err)) < 0)
                return r;
        if (v.before_ns || v.since_ns)
                v.all = true;
        v.looks_inside = size || filter_has(filters, "network") || filter_has(filters, "volume") || filter_has(filters, "publish") || filter_has(filters, "expose");
        r = table_snapshot(&e->table, &containers, &n);
        if (r < 0)
                return err_errno(err, r, "listing containers");
        for (size_t i = n; i-- > 0;) { /* newest first */
                struct container_row row;

                const char *health = health_status(containers[i]);

                container_peek(containers[i], &row);
                if (r >= 0 && (limit <= 0 || n_listed < limit) && row_passes(&v, &row, health)) {
                        r = add(e, containers[i], &v, &row, health, list);
                        n_listed += r > 0;
                }
                container_unref(containers[i]);
        }
        free(containers);
        return r < 0 ? err_errno(err, r, "listing containers") : 0;
}

int engine_list(struct engine *e, bool all, int limit, bool size, const json_t *filters, json_t **ret, struct err *err) {
        auto_json *list = json_array();
        int r = walk(e, all, limit, size, filters, add_entry, list, err);

        if (r == 0)
                *ret = take_ptr(&list);
        return r;
}

int engine_list_text(struct engine *e, bool all, int limit, bool size, const json_t *filters, const struct engine_list_text *how, char **ret, struct err *err) {
        struct text_list l = { .how = how };
        int r;

        strbuf_init(&l.text, LIST_MAX);
        strbuf_adds(&l.text, "[");
        r = walk(e, all, limit, size, filters, add_line, &l, err);
        strbuf_adds(&l.text, "]");
        if (r == 0 && strbuf_error(&l.text))
                r = err_errno(err, strbuf_error(&l.text), "listing containers");
        if (r == 0)
                *ret = strbuf_take(&l.text, NULL);
        strbuf_done(&l.text);
        return r;
}
