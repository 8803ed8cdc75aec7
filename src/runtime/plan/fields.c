/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/plan/fields.h"

#include <inttypes.h>
#include <string.h>

#include "base/err.h"

static const json_t *member(const json_t *object, const char *key) {
        const json_t *v = json_object_get(object, key);

        return v && !json_is_null(v) ? v : NULL;
}

static int wrong_type(const char *at, const char *key, const char *type, struct err *err) {
        return err_set(err, ERR_INVALID, -EINVAL, "%s%s%s: must be %s", at, *at ? "." : "", key, type);
}

/* The system calls would see a shorter text than was checked. */
static bool has_nul(const json_t *v) {
        return strlen(json_string_value(v)) != json_string_length(v);
}

int field_string(const json_t *object, const char *at, const char *key, const char **ret, struct err *err) {
        const json_t *v = member(object, key);

        if (!v)
                return 0;
        if (!json_is_string(v) || has_nul(v))
                return wrong_type(at, key, "a string", err);
        *ret = json_string_value(v);
        return 0;
}

int field_bool(const json_t *object, const char *at, const char *key, bool *ret, struct err *err) {
        const json_t *v = member(object, key);

        if (!v)
                return 0;
        if (!json_is_boolean(v))
                return wrong_type(at, key, "true or false", err);
        *ret = json_is_true(v);
        return 0;
}

int field_int(const json_t *object, const char *at, const char *key, int64_t min, int64_t max, int64_t *ret, struct err *err) {
        const json_t *v = member(object, key);

        if (!v)
                return 0;
        if (!json_is_integer(v))
                return wrong_type(at, key, "an integer", err);
        if (json_integer_value(v) < min || json_integer_value(v) > max)
                return err_set(err, ERR_INVALID, -ERANGE, "%s%s%s: %" JSON_INTEGER_FORMAT " is not between %" PRId64 " and %" PRId64, at,
                               *at ? "." : "", key, json_integer_value(v), min, max);
        *ret = json_integer_value(v);
        return 0;
}

int field_object(const json_t *object, const char *at, const char *key, const json_t **ret, struct err *err) {
        const json_t *v = member(object, key);

        if (!v)
                return 0;
        if (!json_is_object(v))
                return wrong_type(at, key, "an object", err);
        *ret = v;
        return 0;
}

int field_array(const json_t *object, const char *at, const char *key, const json_t **ret, struct err *err) {
        const json_t *v = member(object, key);

        if (!v)
                return 0;
        if (!json_is_array(v))
                return wrong_type(at, key, "an array", err);
        *ret = v;
        return 0;
}

int field_item(const json_t *array, size_t i, const char *at, const char *key, const char **ret, struct err *err) {
        const json_t *v = json_array_get(array, i);

        if (!json_is_string(v) || has_nul(v))
                return err_set(err, ERR_INVALID, -EINVAL, "%s%s%s[%zu]: must be a string", at, *at ? "." : "", key, i);
        *ret = json_string_value(v);
        return 0;
}

int field_needed(const json_t *object, const char *at, const char *key, struct err *err) {
        if (member(object, key))
                return 0;
        return err_set(err, ERR_INVALID, -EINVAL, "%s%s%s: missing", at, *at ? "." : "", key);
}

static bool is_empty(const json_t *v) {
        return (json_is_string(v) && json_string_length(v) == 0) || (json_is_array(v) && json_array_size(v) == 0) ||
               (json_is_object(v) && json_object_size(v) == 0) || json_is_false(v);
}

int field_refuse(const json_t *object, const char *at, const char *key, struct err *err) {
        const json_t *v = member(object, key);

        if (!v || is_empty(v))
                return 0;
        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s%s%s: not supported by this version", at, *at ? "." : "", key);
}
