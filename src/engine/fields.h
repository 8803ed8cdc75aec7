/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Types of what a client sends: a field of the wrong one is refused by its name, and not taken for one that is not there ("Internal": "true" is no
 * network without a way out). Checked once, when it comes; what is stored is not checked again. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct err;

enum field_type { FIELD_BOOL, FIELD_INT, FIELD_STRING, FIELD_STRINGS, FIELD_COMMAND, FIELD_MAP, FIELD_TEXTS, FIELD_LIST, FIELD_ANY };

/* STRING and the members of STRINGS (an array) and TEXTS (an object): without a NUL. COMMAND: STRINGS, or a bare string, which Docker takes for a list of one.
 * MAP: any object. LIST: any array. */
bool field_fits(const json_t *v, enum field_type type);
/* "true or false is", for "… expected". */
const char *field_words(enum field_type type);

struct field_rule {
        const char *path; /* names between dots; "[]" behind a name: each of its array, "{}": each of its object: "HostConfig.Mounts[].ReadOnly" */
        enum field_type type;
};

/* Rows in the order of the way down: what is above is checked first. What is missing or null passes. ERR_INVALID: "PATH: … expected". */
int fields_check(const json_t *body, const struct field_rule *rows, size_t n, struct err *err);

/* The bodies of the API, as far as nobody else checks them. */
int fields_check_container(const json_t *body, struct err *err); /* create, update: below the fields of spec_check_types(); NULL passes */
int fields_check_exec(const json_t *body, struct err *err);
int fields_check_volume(const json_t *body, struct err *err);
int fields_check_network(const json_t *body, struct err *err);
int fields_check_endpoint(const json_t *body, struct err *err); /* connect, disconnect */
