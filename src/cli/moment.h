/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Points in time as people type them, for --since and --until: Unix seconds ("1763773200", "1763773200.5"), RFC 3339 with or without its zone and
 * clock ("2026-11-22T02:57:44.5Z", "2026-11-22T02:57", "2026-11-22"; without a zone: local time), or how long ago ("90s", "1h30m"). */

#include "cli/client.h"

struct args;

/* The option's value as seconds with nine decimals, into the query. Complains and returns −1 when it is none of these. An option that was not given
 * is left out. */
int path_query_moment(struct path *p, const struct args *a, const char *option);

/* The same without the query: the text for a value. false: it is none. */
bool moment_parse(const char *text, char ret[32]);
