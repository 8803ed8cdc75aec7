/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* --format: what of Go's text/template Docker's users type most: {{.Field.Other}}, {{json .Field}}, {{len .Field}}, {{upper .F}}, {{lower .F}}, text between
 * them with \t and \n, "json" for the whole object, and a leading "table " (the caller prints heads). Anything else is an error that
 * names the piece. */

#include <jansson.h>

struct err;

/* Print one object by the template, with a newline behind it. */
int format_print(const char *template, const json_t *object, struct err *err);
/* Check only: for use before anything is done. */
int format_check(const char *template, struct err *err);
