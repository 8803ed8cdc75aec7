/* SPDX-License-Identifier: Apache-2.0 */
#include "api/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

enum { FILTERS_MAX = 64 * 1024 };

const char *query_get(const struct query *q, const char *key) {
        for (size_t i = 0; i < q->n; i++)
                if (!strcmp(q->args[i].key, key))
                        return q->args[i].value;
        return NULL;
}

const char *query_get_text(const struct query *q, const char *key) {
        const char *v = query_get(q, key);

        return v && *v ? v : NULL;
}

int query_bool(const struct query *q, const char *key, bool fallback, bool *ret, struct err *err) {
        static const struct {
                const char *word;
                bool value;
        } words[] = {
                { "1", true },  { "true", true },   { "t", true },  { "yes", true },
                { "0", false }, { "false", false }, { "f", false }, { "no", false }, { "none", false }, { "", false },
        };
        const char *v = query_get(q, key);

        if (!v) {
                *ret = fallback;
                return 0;
        }
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (!strcasecmp(v, words[i].word)) {
                        *ret = words[i].value;
                        return 0;
                }
        return err_set(err, ERR_INVALID, -EINVAL, "query parameter %s: \"%.64s\" is neither true nor false", key, v);
}

int query_int(const struct query *q, const char *key, int64_t min, int64_t max, int64_t fallback, int64_t *ret, struct err *err) {
        const char *v = query_get_text(q, key);
        bool negative = v && *v == '-';
        uint64_t n;
        int64_t value;

        if (!v) {
                *ret = fallback;
                return 0;
        }
        if (str_to_u64(v + negative, 0, INT64_MAX, &n) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "query parameter %s: \"%.64s\" is not a whole number", key, v);
        value = negative ? -(int64_t) n : (int64_t) n;
        if (value < min || value > max)
                return err_set(err, ERR_INVALID, -ERANGE, "query parameter %s: %lld is not between %lld and %lld", key, (long long) value,
                               (long long) min, (long long) max);
        *ret = value;
        return 0;
}

int query_time(const struct query *q, const char *key, int64_t *ret_ns, struct err *err) {
        const char *v = query_get_text(q, key), *dot;
        char whole[20], decimals[10] = "000000000";
        uint64_t seconds, ns = 0;
        size_t n;

        if (!v) {
                *ret_ns = 0;
                return 0;
        }
        dot = strchrnul(v, '.');
        n = (size_t) (dot - v);
        if (n >= sizeof(whole))
                goto bad;
        memcpy(whole, v, n);
        whole[n] = '\0';
        if (str_to_u64(whole, 0, (uint64_t) INT64_MAX / 1000000000 - 1, &seconds) < 0)
                goto bad;
        if (*dot) {
                n = strlen(dot + 1);
                if (n == 0 || n > 9)
                        goto bad;
                memcpy(decimals, dot + 1, n);
                if (str_to_u64(decimals, 0, 999999999, &ns) < 0)
                        goto bad;
        }
        *ret_ns = (int64_t) (seconds * 1000000000 + ns);
        return 0;
bad:
        return err_set(err, ERR_INVALID, -EINVAL, "query parameter %s: \"%.64s\" is not a time in seconds since 1970", key, v);
}

static int bad_filters(const char *name, struct err *err) {
        return err_set(err, ERR_INVALID, -EINVAL, "invalid filter: \"%.64s\" must be a list of texts", name);
}

static int normalise_filter(const char *name, const json_t *values, json_t *into, struct err *err) {
        auto_json *list = json_array();
        const char *text;
        json_t *item;
        size_t i;

        if (!list)
                return err_errno(err, -ENOMEM, "filters");
        if (json_is_array(values)) {
                json_array_foreach(values, i, item) {
                        if (!json_is_string(item))
                                return bad_filters(name, err);
                        json_array_append(list, item);
                }
        } else if (json_is_object(values)) {
                json_object_foreach((json_t *) values, text, item) {
                        if (!json_is_boolean(item))
                                return bad_filters(name, err);
                        if (json_is_true(item))
                                json_array_append_new(list, json_string(text));
                }
        } else {
                return bad_filters(name, err);
        }
        json_object_set(into, name, list);
        return 0;
}

int query_filters(const struct query *q, json_t **ret, struct err *err) {
        const char *text = query_get_text(q, "filters");
        auto_json *given = NULL, *normal = NULL;
        const char *name;
        json_t *values;
        int r;

        if (!text) {
                *ret = NULL;
                return 0;
        }
        r = json_parse(text, strlen(text), FILTERS_MAX, "query parameter filters", &given, err);
        if (r < 0)
                return r;
        if (!json_is_object(given))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid filter: not a JSON object");
        normal = json_object();
        json_object_foreach(given, name, values) {
                r = normalise_filter(name, values, normal, err);
                if (r < 0)
                        return r;
        }
        *ret = take_ptr(&normal);
        return 0;
}

int query_changes(const struct query *q, struct query_changes *ret, struct err *err) {
        struct query_changes c = {};
        char *save = NULL;
        auto_strbuf b;

        strbuf_init(&b, 1 << 20);
        for (size_t i = 0; i < q->n; i++)
                if (!strcmp(q->args[i].key, "changes"))
                        strbuf_addf(&b, "%s\n", q->args[i].value);
        c.text = strbuf_take(&b, NULL);
        if (!c.text)
                return err_errno(err, -ENOMEM, "changes");
        for (char *line = strtok_r(c.text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                line += strspn(line, " \t");
                if (!*line)
                        continue;
                if (c.n == QUERY_CHANGES_MAX) {
                        query_changes_done(&c);
                        return err_set(err, ERR_INVALID, -E2BIG, "more than %d changes", QUERY_CHANGES_MAX);
                }
                c.lines[c.n++] = line;
        }
        *ret = c;
        return 0;
}

void query_changes_done(struct query_changes *c) {
        free(c->text);
        *c = (struct query_changes) {};
}
