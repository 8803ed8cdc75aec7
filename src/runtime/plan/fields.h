/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Fields of the configuration, by type. A field that is missing or null leaves *ret untouched and is no error; one of the wrong type or
 * out of range is ERR_INVALID with its full name. `at` is the name of the object ("process.user"; "" for the whole). */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

int field_string(const json_t *object, const char *at, const char *key, const char **ret, struct err *err);
int field_bool(const json_t *object, const char *at, const char *key, bool *ret, struct err *err);
int field_int(const json_t *object, const char *at, const char *key, int64_t min, int64_t max, int64_t *ret, struct err *err);
int field_object(const json_t *object, const char *at, const char *key, const json_t **ret, struct err *err);
int field_array(const json_t *object, const char *at, const char *key, const json_t **ret, struct err *err);
/* One element of an array of texts, never NULL on success. */
int field_item(const json_t *array, size_t i, const char *at, const char *key, const char **ret, struct err *err);

/* ERR_INVALID: it is missing or null. */
int field_needed(const json_t *object, const char *at, const char *key, struct err *err);

/* ERR_UNSUPPORTED: the field means something, and this version would not do it. An empty one means nothing. */
int field_refuse(const json_t *object, const char *at, const char *key, struct err *err);
