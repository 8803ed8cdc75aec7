/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The configuration that people already have: Docker's config.json, in $KIST_CONFIG, $DOCKER_CONFIG or ~/.docker. It is read at the first question;
 * one that cannot be read is a warning, once, and then counts as empty. */

#include <jansson.h>
#include <stdbool.h>

struct err;

/* From --config; before the first question. Borrowed. */
void config_set_directory(const char *path);
/* "" when there is no home either: nothing is read then. */
const char *config_directory(void);
/* A directory below it, made for its owner only, and opened: an fd of the caller's. */
int config_make_directory(const char *path, struct err *err);
/* The whole file, an object; never NULL. Borrowed. */
json_t *config_object(void);
/* A member that is text and not empty, or NULL: "detachKeys", "credsStore". Borrowed. */
const char *config_text(const char *key);
/* What a list prints by: --format (given, or NULL), else config.json's own for this list ("psFormat"), which -q overrides; NULL: neither. Borrowed. */
const char *config_format(const char *given, bool quiet, const char *key);
/* Write the object, as it is now, back (mode 0600, whole or not at all). */
int config_save(struct err *err);

/* HttpHeaders as lines with CRLF, for http_set_headers(); NULL when there are none. ERR_INVALID names one that is no header. */
int config_headers(char **ret, struct err *err);
