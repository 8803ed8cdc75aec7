/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of templates: Go's own and Docker's. Sources: the documentation of Go's text/template, Docker's page "Format command output". */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/template-tree.h"

/* --- values --- */

const char *template_kind(const json_t *v) {
        static const char *const names[] = {
                [JSON_OBJECT] = "map", [JSON_ARRAY] = "list", [JSON_STRING] = "string", [JSON_INTEGER] = "int",
                [JSON_REAL] = "float64", [JSON_TRUE] = "bool", [JSON_FALSE] = "bool", [JSON_NULL] = "nil",
        };

        return names[json_typeof(v)];
}

bool template_truth(const json_t *v) {
        switch (json_typeof(v)) {
        case JSON_OBJECT:
                return json_object_size(v) > 0;
        case JSON_ARRAY:
                return json_array_size(v) > 0;
        case JSON_STRING:
                return json_string_length(v) > 0;
        case JSON_INTEGER:
        case JSON_REAL:
                return json_number_value(v) != 0;
        case JSON_TRUE:
                return true;
        default:
                return false;
        }
}

/* The shortest digits that are this number again; an exponent below 1e-4 and from 1e21 on. */
static void print_real(double v, struct strbuf *out) {
        char text[400];
        int digits = 1, exponent;

        do
                snprintf(text, sizeof(text), "%.*e", digits - 1, v);
        while (strtod(text, NULL) != v && digits++ < 17);
        exponent = atoi(strchr(text, 'e') ? strchr(text, 'e') + 1 : "0");
        if (exponent >= -4 && exponent < 21)
                snprintf(text, sizeof(text), "%.*f", digits - 1 - exponent > 0 ? digits - 1 - exponent : 0, v);
        strbuf_adds(out, text);
}

/* Labels and commands are somebody else's words: on a terminal they must not move the cursor. */
static void print_text(const struct template_mode *mode, const char *s, size_t size, struct strbuf *out) {
        for (size_t i = 0; i < size; i++) {
                size_t control = mode->no_control && s[i] != '\t' && s[i] != '\n' ? str_control(s + i, size - i) : 0;

                if (control)
                        strbuf_adds(out, "?");
                else
                        strbuf_add(out, s + i, 1);
                i += control == 2;
        }
}

static int by_name(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void print_map(const struct template_mode *mode, const json_t *v, struct strbuf *out) {
        auto_free const char **keys = calloc(json_object_size(v) + 1, sizeof(*keys));
        const char *key;
        json_t *item;
        size_t n = 0;

        if (!keys)
                abort();
        json_object_foreach((json_t *) v, key, item)
                keys[n++] = key;
        qsort(keys, n, sizeof(*keys), by_name);
        strbuf_adds(out, "map[");
        for (size_t i = 0; i < n; i++) {
                strbuf_adds(out, i ? " " : "");
                print_text(mode, keys[i], strlen(keys[i]), out);
                strbuf_adds(out, ":");
                template_print(mode, json_object_get(v, keys[i]), out);
        }
        strbuf_adds(out, "]");
}

void template_print(const struct template_mode *mode, const json_t *v, struct strbuf *out) {
        json_t *item;
        size_t i;

        switch (json_typeof(v)) {
        case JSON_STRING:
                print_text(mode, json_string_value(v), json_string_length(v), out);
                break;
        case JSON_INTEGER:
                strbuf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
                break;
        case JSON_REAL:
                print_real(json_real_value(v), out);
                break;
        case JSON_TRUE:
        case JSON_FALSE:
                strbuf_adds(out, json_is_true(v) ? "true" : "false");
                break;
        case JSON_NULL:
                strbuf_adds(out, "<no value>");
                break;
        case JSON_OBJECT:
                print_map(mode, v, out);
                break;
        case JSON_ARRAY:
                strbuf_adds(out, "[");
                json_array_foreach((json_t *) v, i, item) {
                        strbuf_adds(out, i ? " " : "");
                        template_print(mode, item, out);
                }
                strbuf_adds(out, "]");
        }
}

json_t *template_string(struct strbuf *b, struct err *err) {
        json_t *v;

        if (strbuf_error(b) < 0) {
                err_set(err, ERR_TOO_LARGE, -E2BIG, "the text is too long");
                return NULL;
        }
        v = json_stringn(b->data ? b->data : "", b->size);
        if (!v) {
                for (size_t i = 0; i < b->size; i++)
                        if ((unsigned char) b->data[i] >= 0x80 || !b->data[i])
                                b->data[i] = '?';
                v = json_stringn(b->data, b->size);
        }
        return v;
}

static const char *wants(json_t *v, const char *what, struct err *err) {
        if (!json_is_string(v)) {
                err_set(err, ERR_INVALID, -EINVAL, "wants %s, and has a value of type %s", what, template_kind(v));
                return NULL;
        }
        return json_string_value(v);
}

static bool wants_number(json_t *v, json_int_t *ret, struct err *err) {
        if (!json_is_integer(v)) {
                err_set(err, ERR_INVALID, -EINVAL, "wants a whole number, and has a value of type %s", template_kind(v));
                return false;
        }
        *ret = json_integer_value(v);
        return true;
}

/* --- how values look --- */

static json_t *do_json(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        /* What Go has as a map (no order of its own) is sorted; what it has as a struct keeps its order: rows of lists are the former. */
        auto_free char *text = json_dumps(args[0], JSON_COMPACT | JSON_ENCODE_ANY | (mode->calls ? JSON_SORT_KEYS : 0));

        if (!text)
                err_set(err, ERR_INTERNAL, -ENOMEM, "no JSON can be made of this");
        return text ? json_string(text) : NULL;
}

static json_t *change_case(json_t **args, int (*change)(int), bool words, struct err *err) {
        const char *s = wants(args[0], "a string", err);
        auto_strbuf b = { 0 };

        if (!s)
                return NULL;
        strbuf_init(&b, TEMPLATE_OUTPUT_MAX);
        for (size_t i = 0; s[i]; i++) {
                bool first = i == 0 || !(isalnum((unsigned char) s[i - 1]) || s[i - 1] == '_' || s[i - 1] == '\'' || (unsigned char) s[i - 1] >= 0x80);
                char c = !words || first ? (char) change((unsigned char) s[i]) : s[i];

                strbuf_add(&b, &c, 1);
        }
        return template_string(&b, err);
}

static json_t *do_upper(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        return change_case(args, toupper, false, err);
}

static json_t *do_lower(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        return change_case(args, tolower, false, err);
}

static json_t *do_title(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        return change_case(args, toupper, true, err);
}

static json_t *do_split(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        const char *s = wants(args[0], "a string", err), *by = s ? wants(args[1], "a string to split by", err) : NULL, *end;
        json_t *list;

        if (!by)
                return NULL;
        list = json_array();
        while (*by && (end = strstr(s, by))) {
                json_array_append_new(list, json_stringn(s, (size_t) (end - s)));
                s = end + strlen(by);
        }
        json_array_append_new(list, json_string(s));
        return list;
}

static json_t *do_join(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        const char *by = wants(args[1], "a string to join with", err);
        auto_strbuf b = { 0 };
        json_t *item;
        size_t i;

        if (!by)
                return NULL;
        if (!json_is_array(args[0]) && !json_is_null(args[0])) {
                err_set(err, ERR_INVALID, -EINVAL, "wants a list, and has a value of type %s", template_kind(args[0]));
                return NULL;
        }
        strbuf_init(&b, TEMPLATE_OUTPUT_MAX);
        json_array_foreach(args[0], i, item) {
                strbuf_adds(&b, i ? by : "");
                template_print(&(struct template_mode) { 0 }, item, &b);
        }
        return template_string(&b, err);
}

static json_t *do_truncate(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        const char *s = wants(args[0], "a string", err);
        json_int_t letters;
        size_t size = 0;

        if (!s || !wants_number(args[1], &letters, err))
                return NULL;
        for (; s[size] && (letters > 0 || ((unsigned char) s[size] & 0xc0) == 0x80); size++)
                letters -= ((unsigned char) s[size + 1] & 0xc0) != 0x80;
        return json_stringn(s, size);
}

static json_t *do_pad(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        const char *s = wants(args[0], "a string", err);
        json_int_t before, behind;

        if (!s || !wants_number(args[1], &before, err) || !wants_number(args[2], &behind, err))
                return NULL;
        if (!*s)
                return json_string("");
        if (before < 0 || behind < 0 || before > 4096 || behind > 4096) {
                err_set(err, ERR_INVALID, -ERANGE, "0 to 4096 blanks");
                return NULL;
        }
        return json_sprintf("%*s%s%*s", (int) before, "", s, (int) behind, "");
}

static json_t *print_all(json_t **args, size_t n, bool line, struct err *err) {
        auto_strbuf b = { 0 };

        strbuf_init(&b, TEMPLATE_OUTPUT_MAX);
        for (size_t i = 0; i < n; i++) {
                /* print has a blank only between two that are no strings; println has one always. */
                if (i > 0 && (line || (!json_is_string(args[i]) && !json_is_string(args[i - 1]))))
                        strbuf_adds(&b, " ");
                template_print(&(struct template_mode) { 0 }, args[i], &b);
        }
        if (line)
                strbuf_adds(&b, "\n");
        return template_string(&b, err);
}

static json_t *do_print(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        return print_all(args, n, false, err);
}

static json_t *do_println(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        return print_all(args, n, true, err);
}

/* --- what is in values --- */

static json_t *do_len(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        if (json_is_string(args[0]))
                return json_integer((json_int_t) json_string_length(args[0]));
        if (json_is_array(args[0]) || json_is_object(args[0]) || json_is_null(args[0]))
                return json_integer((json_int_t) (json_is_array(args[0]) ? json_array_size(args[0]) : json_object_size(args[0])));
        err_set(err, ERR_INVALID, -EINVAL, "a %s has no length", template_kind(args[0]));
        return NULL;
}

/* A map of texts has an empty text for a key that is not there, as in Go; another map has no value. */
static json_t *missing(const json_t *map) {
        const char *key;
        json_t *item;

        json_object_foreach((json_t *) map, key, item)
                if (!json_is_string(item))
                        return json_null();
        return json_string("");
}

static json_t *do_index(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        json_t *value = json_incref(args[0]);

        for (size_t i = 1; i < n; i++) {
                json_t *next = NULL;
                json_int_t at;

                if (json_is_object(value) || json_is_null(value)) {
                        const char *key = wants(args[i], "a key", err);

                        next = key ? json_incref(json_object_get(value, key)) : NULL;
                        if (key && !next)
                                next = missing(value);
                } else if (json_is_array(value)) {
                        if (wants_number(args[i], &at, err)) {
                                next = at >= 0 ? json_incref(json_array_get(value, (size_t) at)) : NULL;
                                if (!next)
                                        err_set(err, ERR_INVALID, -ERANGE, "%lld is outside of a list of %zu", (long long) at, json_array_size(value));
                        }
                } else {
                        err_set(err, ERR_INVALID, -EINVAL, "a %s has no parts", template_kind(value));
                }
                json_decref(value);
                value = next;
                if (!value)
                        return NULL;
        }
        return value;
}

static json_t *do_slice(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        json_int_t from = 0, to = json_is_string(args[0]) ? (json_int_t) json_string_length(args[0]) : (json_int_t) json_array_size(args[0]), size = to;
        auto_strbuf b = { 0 };
        json_t *list;

        if (!json_is_string(args[0]) && !json_is_array(args[0])) {
                err_set(err, ERR_INVALID, -EINVAL, "a %s has no parts", template_kind(args[0]));
                return NULL;
        }
        if ((n > 1 && !wants_number(args[1], &from, err)) || (n > 2 && !wants_number(args[2], &to, err)))
                return NULL;
        if (from < 0 || to > size || from > to) {
                err_set(err, ERR_INVALID, -ERANGE, "%lld to %lld is outside of 0 to %lld", (long long) from, (long long) to, (long long) size);
                return NULL;
        }
        if (json_is_string(args[0])) {
                strbuf_init(&b, TEMPLATE_OUTPUT_MAX);
                strbuf_add(&b, json_string_value(args[0]) + from, (size_t) (to - from));
                return template_string(&b, err);
        }
        list = json_array();
        for (; from < to; from++)
                json_array_append(list, json_array_get(args[0], (size_t) from));
        return list;
}

/* --- comparing --- */

/* −1, 0, 1; 2: they cannot be compared, with *err filled. */
static int compare(const json_t *a, const json_t *b, struct err *err) {
        if (json_is_integer(a) && json_is_integer(b))
                return json_integer_value(a) < json_integer_value(b) ? -1 : json_integer_value(a) > json_integer_value(b);
        if (json_is_number(a) && json_is_number(b))
                return json_number_value(a) < json_number_value(b) ? -1 : json_number_value(a) > json_number_value(b);
        if (json_is_string(a) && json_is_string(b)) {
                int order = strcmp(json_string_value(a), json_string_value(b));

                return order < 0 ? -1 : order > 0;
        }
        if ((json_is_boolean(a) && json_is_boolean(b)) || json_is_null(a) || json_is_null(b))
                return json_equal(a, b) ? 0 : -1;
        err_set(err, ERR_INVALID, -EINVAL, "a %s and a %s cannot be compared", template_kind(a), template_kind(b));
        return 2;
}

static json_t *do_eq(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        for (size_t i = 1; i < n; i++) {
                int order = compare(args[0], args[i], err);

                if (order == 2)
                        return NULL;
                if (order == 0)
                        return json_true();
        }
        return json_false();
}

static json_t *do_ne(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        int order = compare(args[0], args[1], err);

        return order == 2 ? NULL : json_boolean(order != 0);
}

static json_t *ordered(json_t **args, bool less, bool equal, struct err *err) {
        int order;

        if (json_is_boolean(args[0]) || json_is_null(args[0]) || json_is_null(args[1])) {
                err_set(err, ERR_INVALID, -EINVAL, "a %s and a %s have no order", template_kind(args[0]), template_kind(args[1]));
                return NULL;
        }
        order = compare(args[0], args[1], err);
        return order == 2 ? NULL : json_boolean((order == 0 && equal) || (order != 0 && (order < 0) == less));
}

static json_t *do_lt(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        return ordered(args, true, false, err);
}

static json_t *do_le(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        return ordered(args, true, true, err);
}

static json_t *do_gt(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        return ordered(args, false, false, err);
}

static json_t *do_ge(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        return ordered(args, false, true, err);
}

static json_t *do_not(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        return json_boolean(!template_truth(args[0]));
}

const struct template_function_row template_functions[] = {
        { "json", 1, 1, do_json, true },
        { "upper", 1, 1, do_upper, true },
        { "lower", 1, 1, do_lower, true },
        { "title", 1, 1, do_title, true },
        { "split", 2, 2, do_split, true },
        { "join", 2, 2, do_join, true },
        { "truncate", 2, 2, do_truncate, true },
        { "pad", 3, 3, do_pad, true },
        { "print", 0, SIZE_MAX, do_print, false },
        { "println", 0, SIZE_MAX, do_println, false },
        { "printf", 1, SIZE_MAX, template_printf, false },
        { "len", 1, 1, do_len, true },
        { "index", 1, SIZE_MAX, do_index, true },
        { "slice", 1, 3, do_slice, true },
        { "eq", 2, SIZE_MAX, do_eq, false },
        { "ne", 2, 2, do_ne, false },
        { "lt", 2, 2, do_lt, false },
        { "le", 2, 2, do_le, false },
        { "gt", 2, 2, do_gt, false },
        { "ge", 2, 2, do_ge, false },
        { "not", 1, 1, do_not, false },
        { 0 },
};

const struct template_function_row *template_function_find(const char *name) {
        static const struct template_function_row special[] = { { "and", 1, SIZE_MAX, NULL, false }, { "or", 1, SIZE_MAX, NULL, false } };

        for (size_t i = 0; i < ARRAY_SIZE(special); i++)
                if (strcmp(name, special[i].name) == 0)
                        return &special[i];
        for (size_t i = 0; template_functions[i].name; i++)
                if (strcmp(name, template_functions[i].name) == 0)
                        return &template_functions[i];
        return NULL;
}
