/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/filters.h"

#include <regex.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

/* Those whose values can be true or false only. */
static int check_flags(const json_t *filters, struct err *err) {
        static const char *const flags[] = { "dangling", "is-automated", "is-official", "is-task" }, *const values[] = { "true", "false", "1", "0" };
        const char *value;

        for (size_t f = 0; f < ARRAY_SIZE(flags); f++)
                for (size_t i = 0; (value = filter_value(filters, flags[f], i)); i++) {
                        bool good = false;

                        for (size_t k = 0; k < ARRAY_SIZE(values); k++)
                                good |= !strcmp(value, values[k]);
                        if (!good)
                                return err_set(err, ERR_INVALID, -EINVAL, "invalid filter '%s=%s'", flags[f], value);
                }
        return 0;
}

int filters_check(const json_t *filters, const char *const *known, struct err *err) {
        const char *key, *inner;
        json_t *values, *v;
        size_t i;

        if (!filters || json_is_null(filters))
                return 0;
        if (!json_is_object(filters))
                return err_set(err, ERR_INVALID, -EINVAL, "filters: an object is expected");
        json_object_foreach((json_t *) filters, key, values) {
                const char *const *k = known;

                while (*k && strcmp(*k, key) != 0)
                        k++;
                if (!*k)
                        return err_set(err, ERR_INVALID, -EINVAL, "invalid filter '%s'", key);
                if (json_is_array(values)) {
                        json_array_foreach(values, i, v)
                                if (!json_is_string(v))
                                        return err_set(err, ERR_INVALID, -EINVAL, "filter '%s': its values are strings", key);
                } else if (json_is_object(values)) {
                        json_object_foreach(values, inner, v)
                                if (!json_is_boolean(v))
                                        return err_set(err, ERR_INVALID, -EINVAL, "filter '%s': \"%s\" is not set to true", key, inner);
                } else
                        return err_set(err, ERR_INVALID, -EINVAL, "filter '%s': an array is expected", key);
        }
        return check_flags(filters, err);
}

const char *filter_value(const json_t *filters, const char *key, size_t i) {
        json_t *values = filters ? json_object_get(filters, key) : NULL;
        const char *inner;
        json_t *v;

        if (json_is_array(values))
                return json_string_value(json_array_get(values, i));
        if (json_is_object(values)) {
                json_object_foreach(values, inner, v)
                        if (json_is_true(v) && i-- == 0)
                                return inner;
        }
        return NULL;
}

bool filter_has(const json_t *filters, const char *key) {
        return filter_value(filters, key, 0) != NULL;
}

static bool any(const json_t *filters, const char *key, const char *text, bool (*fits)(const char *value, const char *text)) {
        const char *value;

        if (!filter_has(filters, key))
                return true;
        for (size_t i = 0; (value = filter_value(filters, key, i)); i++)
                if (fits(value, text))
                        return true;
        return false;
}

static bool fits_text(const char *value, const char *text) {
        return !strcmp(value, text);
}

static bool fits_prefix(const char *value, const char *text) {
        return !strncmp(value, text, strlen(value));
}

static bool fits_pattern(const char *value, const char *text) {
        regex_t re;
        bool fits;

        /* The bound keeps a hostile pattern from costing more than the list is worth. */
        if (strlen(value) > 256 || strpbrk(value, "{}") || regcomp(&re, value, REG_EXTENDED | REG_NOSUB) != 0)
                return strstr(text, value) != NULL;
        fits = regexec(&re, text, 0, NULL, 0) == 0;
        regfree(&re);
        return fits;
}

bool filter_text(const json_t *filters, const char *key, const char *text) {
        return any(filters, key, text, fits_text);
}

bool filter_prefix(const json_t *filters, const char *key, const char *text) {
        return any(filters, key, text, fits_prefix);
}

bool filter_pattern(const json_t *filters, const char *key, const char *text) {
        return any(filters, key, text, fits_pattern);
}

static bool label_fits(const json_t *labels, const char *wanted) {
        const char *equal = strchr(wanted, '=');
        const json_t *v;

        if (!equal)
                return labels && json_object_get(labels, wanted);
        v = labels ? json_object_getn(labels, wanted, (size_t) (equal - wanted)) : NULL;
        return json_is_string(v) && !strcmp(json_string_value(v), equal + 1);
}

bool filter_labels(const json_t *filters, const char *key, const json_t *labels) {
        const char *wanted;
        char negated[32];

        for (size_t i = 0; (wanted = filter_value(filters, key, i)); i++)
                if (!label_fits(labels, wanted))
                        return false;
        if (strlen(key) + 2 > sizeof(negated))
                return true;
        strcpy(negated, key);
        strcat(negated, "!");
        for (size_t i = 0; (wanted = filter_value(filters, negated, i)); i++)
                if (label_fits(labels, wanted))
                        return false;
        return true;
}
