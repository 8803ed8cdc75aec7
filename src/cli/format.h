/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* --format of what shows one object as the daemon tells it (inspect, info, version, events): a template (template.h) or "json". Fields are found
 * without regard to case: people write .ID where the JSON has "Id". Lists have listing.h. */

#include <jansson.h>

struct err;

/* Print one object by the template, with a newline behind it. On an error nothing is printed. */
int format_print(const char *template, const json_t *object, struct err *err);
/* Check only: for use before anything is done. */
int format_check(const char *template, struct err *err);
