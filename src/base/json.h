/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Thin helpers over Jansson. JSON that comes from outside is parsed here only: sized, duplicate keys refused. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct err;

#define auto_json __attribute__((cleanup(json_decrefp))) json_t

/* `what` names the text in the message ("manifest of localhost:5000/a:1", "request body"). ERR_INVALID when it is not JSON of
 * at most `max` bytes and 256 levels. *ret is the caller's reference. */
int json_parse(const char *data, size_t size, size_t max, const char *what, json_t **ret, struct err *err);

/* The same for what programs write that have unsigned numbers of 64 bits ("no limit" is 18446744073709551615): one from 2⁶³ to 2⁶⁴−1 becomes the
 * negative one of the same bits, so that none is lost. */
int json_parse_unsigned(const char *data, size_t size, size_t max, const char *what, json_t **ret, struct err *err);

/* Compact text, keys in insertion order; the caller frees; NULL when memory is out. */
char *json_text(const json_t *value);

/* Members of an object, borrowed. The fallback when the key is missing, null or of another type. */
const char *json_get_str(const json_t *object, const char *key, const char *fallback);
int64_t json_get_int(const json_t *object, const char *key, int64_t fallback);
bool json_get_bool(const json_t *object, const char *key, bool fallback);
json_t *json_get_array(const json_t *object, const char *key);  /* NULL when missing or not an array */
json_t *json_get_object(const json_t *object, const char *key); /* NULL when missing or not an object */

/* Go marshals an empty slice as null and an empty map as {}: clients read either, but the stock ones expect what dockerd sends. */
json_t *json_or_null(json_t *value); /* value (stolen), or json_null() when NULL */
