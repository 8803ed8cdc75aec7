/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Who we are to a registry: `auths` of config.json, or a helper program (credHelpers, credsStore), docker-credential-NAME. Helpers speak
 * one JSON object, or one name, over standard input and output. */

#include <jansson.h>
#include <stdbool.h>

struct err;

/* The key of an image's registry in config.json: "localhost:5000", "quay.io"; "https://index.docker.io/v1/" for names without a registry. The
 * caller frees. */
char *credentials_registry(const char *reference);

/* *ret: {"username", "password", "serveraddress"} or {"identitytoken", "serveraddress"}, the caller's; NULL when there are none. A helper
 * that is missing or fails is an error; that it knows nothing is none. */
int credentials_get(const char *registry, json_t **ret, struct err *err);
/* With `token` (may be NULL) that is kept, and not the password. Where the configuration says: a helper's store or erase, or `auths`. */
int credentials_store(const char *registry, const char *username, const char *password, const char *token, struct err *err);
/* The key for what a person calls a registry: "localhost:5000", "https://quay.io/v2/"; NULL and docker.io: the hub's. The caller frees. */
char *credentials_key(const char *server);
/* Is it kept by a helper, and not as plain base64 in config.json? */
bool credentials_are_helped(const char *registry);
int credentials_erase(const char *registry, struct err *err);
/* What a helper has: {server: username}, the caller's. */
int credentials_list(const char *helper, json_t **ret, struct err *err);

/* The whole line "X-Registry-Auth: …" for an image, NULL when there are no credentials; the caller frees. */
int credentials_header(const char *reference, char **ret, struct err *err);
/* The value of that header for an object {"username", …}; the caller frees; NULL when memory is out. */
char *credentials_pack(const json_t *object);
