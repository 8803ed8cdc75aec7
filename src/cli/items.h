/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A JSON array that comes in pieces, taken member by member: a long list is never whole in memory, and its first rows are made while the daemon still
 * sends the last. Only the borders of the members are found here; each is parsed by json_parse(), and so an object or an array. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct err;

enum { ITEM_MAX = 16 << 20 };

/* The member is the callee's to look at, not to keep. Negative errno with `err` filled ends the list. */
typedef int (*item_fn)(json_t *item, void *data, struct err *err);

struct items {
        item_fn item;
        void *data;
        const char *what;   /* names the text in messages, as json_parse() has it; borrowed */
        struct strbuf text; /* of the member that is not whole yet */
        size_t depth;
        bool begun, ended, in_text, escaped, any, other;
};

void items_init(struct items *s, item_fn item, void *data, const char *what);
void items_done(struct items *s);
#define auto_items __attribute__((cleanup(items_done))) struct items

/* The next bytes. ERR_INVALID: no JSON, or no array; ERR_TOO_LARGE: a member of more than ITEM_MAX bytes. */
int items_add(struct items *s, const char *data, size_t size, struct err *err);
/* There are no more bytes: ERR_INVALID when the array is not at its end. Nothing at all, and `null`, are an empty list. */
int items_end(struct items *s, struct err *err);
