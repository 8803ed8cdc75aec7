/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Docker's filters: {"name": ["a", "b"]}, or as old clients say it {"name": {"a": true}}. Values of one key are alternatives, keys add up; of labels
 * every one must fit. A key that is missing lets everything pass; `filters` may be NULL. */

#include <jansson.h>
#include <stdbool.h>

struct err;

/* ERR_INVALID: "invalid filter 'x'" for keys that are not in `known` (NULL-terminated), or values that are not text. */
int filters_check(const json_t *filters, const char *const *known, struct err *err);

bool filter_has(const json_t *filters, const char *key);
/* Equal to one of the values. */
bool filter_text(const json_t *filters, const char *key, const char *text);
/* One of the values is a prefix of the text. */
bool filter_prefix(const json_t *filters, const char *key, const char *text);
/* One of the values, read as an extended regular expression (as plain text when it is not one), occurs in the text. */
bool filter_pattern(const json_t *filters, const char *key, const char *text);
/* Every value "key" or "key=value" is among the labels; "label!" is the opposite. */
bool filter_labels(const json_t *filters, const char *key, const json_t *labels);
/* The i-th value, NULL behind the last. */
const char *filter_value(const json_t *filters, const char *key, size_t i);
