/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/str.h"

enum { DEPTH_MAX = 256 };

/* The parser is recursive and its own limit (2,048) is too much for the stack of a thread. */
static bool is_too_deep(const char *data, size_t size) {
        size_t depth = 0;
        bool in_text = false;

        for (size_t i = 0; i < size; i++) {
                if (in_text && data[i] == '\\')
                        i++;
                else if (data[i] == '"')
                        in_text = !in_text;
                else if (!in_text && (data[i] == '[' || data[i] == '{') && ++depth > DEPTH_MAX)
                        return true;
                else if (!in_text && (data[i] == ']' || data[i] == '}') && depth > 0)
                        depth--;
        }
        return false;
}

int json_parse(const char *data, size_t size, size_t max, const char *what, json_t **ret, struct err *err) {
        json_error_t e;
        json_t *value;

        if (size > max)
                return err_set(err, ERR_TOO_LARGE, -EFBIG, "%s is longer than %zu bytes", what, max);
        if (is_too_deep(data, size))
                return err_set(err, ERR_INVALID, -EINVAL, "%s is not valid JSON: nested more than %d deep", what, DEPTH_MAX);
        value = json_loadb(data, size, JSON_REJECT_DUPLICATES, &e);
        if (!value)
                return err_set(err, ERR_INVALID, -EINVAL, "%s is not valid JSON: line %d, column %d: %s", what, e.line,
                               e.column, e.text);
        *ret = value;
        return 0;
}

/* "18446744073709551615" → "-1": reads one number from *at on. */
static void copy_number(const char *data, size_t size, size_t *at, struct strbuf *out) {
        char digits[32];
        size_t begin = *at, n;
        uint64_t v;

        while (*at < size && (isalnum((unsigned char) data[*at]) || data[*at] == '.' || data[*at] == '+' || data[*at] == '-'))
                (*at)++;
        n = *at - begin;
        snprintf(digits, sizeof(digits), "%.*s", (int) (n < sizeof(digits) ? n : 0), data + begin);
        if (*digits != '0' && str_to_u64(digits, (uint64_t) INT64_MAX + 1, UINT64_MAX, &v) == 0)
                strbuf_addf(out, "%" PRId64, (int64_t) v);
        else
                strbuf_add(out, data + begin, n);
}

static int wrap_numbers(const char *data, size_t size, size_t max, char **ret, size_t *ret_size) {
        auto_strbuf out;
        bool in_text = false;

        strbuf_init(&out, max); /* it only gets shorter */
        for (size_t i = 0; i < size && strbuf_error(&out) == 0;) {
                size_t begin = i;

                if (!in_text && (isdigit((unsigned char) data[i]) || data[i] == '-')) {
                        copy_number(data, size, &i, &out);
                        continue;
                }
                if (data[i] == '"')
                        in_text = !in_text;
                i += in_text && data[i] == '\\' && i + 1 < size ? 2 : 1;
                strbuf_add(&out, data + begin, i - begin);
        }
        if (strbuf_error(&out))
                return strbuf_error(&out);
        *ret = strbuf_take(&out, ret_size);
        return *ret ? 0 : -ENOMEM;
}

int json_parse_unsigned(const char *data, size_t size, size_t max, const char *what, json_t **ret, struct err *err) {
        auto_free char *text = NULL;
        json_error_t e;
        json_t *value;
        int r;

        if (size > max || is_too_deep(data, size))
                return json_parse(data, size, max, what, ret, err);
        value = json_loadb(data, size, JSON_REJECT_DUPLICATES, &e);
        if (value) {
                *ret = value;
                return 0;
        }
        if (json_error_code(&e) != json_error_numeric_overflow)
                return json_parse(data, size, max, what, ret, err);
        r = wrap_numbers(data, size, max, &text, &size);
        return r < 0 ? err_errno(err, r, "%s", what) : json_parse(text, size, max, what, ret, err);
}

char *json_text(const json_t *value) {
        return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

const char *json_get_str(const json_t *object, const char *key, const char *fallback) {
        const json_t *v = json_object_get(object, key);

        return json_is_string(v) ? json_string_value(v) : fallback;
}

int64_t json_get_int(const json_t *object, const char *key, int64_t fallback) {
        const json_t *v = json_object_get(object, key);

        return json_is_integer(v) ? (int64_t) json_integer_value(v) : fallback;
}

bool json_get_bool(const json_t *object, const char *key, bool fallback) {
        const json_t *v = json_object_get(object, key);

        return json_is_boolean(v) ? json_is_true(v) : fallback;
}

json_t *json_get_array(const json_t *object, const char *key) {
        json_t *v = json_object_get(object, key);

        return json_is_array(v) ? v : NULL;
}

json_t *json_get_object(const json_t *object, const char *key) {
        json_t *v = json_object_get(object, key);

        return json_is_object(v) ? v : NULL;
}

json_t *json_or_null(json_t *value) {
        return value ? value : json_null();
}
