/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Named daemons, in Docker's own files: contexts/meta/SHA256-OF-NAME/meta.json and contexts/tls/SHA256-OF-NAME/docker/{ca,cert,key}.pem of
 * the configuration's directory. The name "default" is none of them: it is what the environment says. */

#include <jansson.h>
#include <stddef.h>

struct err;

enum { CONTEXT_FILE_MAX = 1 << 20, CONTEXT_TLS_FILES = 3 };
extern const char *const context_tls_files[CONTEXT_TLS_FILES]; /* "ca.pem", "cert.pem", "key.pem" */

/* ERR_INVALID: a name is letters, digits, "_.+-", at least two, the first a letter or digit, and not "default". */
int context_check_name(const char *name, struct err *err);

/* *ret: {"Name", "Metadata": {"Description"}, "Endpoints": {"docker": {"Host", "SkipTLSVerify"}}}, the caller's. ERR_NOT_FOUND. */
int context_load(const char *name, json_t **ret, struct err *err);
int context_save(const char *name, const json_t *meta, struct err *err);
int context_remove(const char *name, struct err *err);
/* All of them, an array sorted by name; what cannot be read is passed over with a warning. */
json_t *context_all(void);

const char *context_host(const json_t *meta); /* "" when it has none */
json_t *context_endpoint(const json_t *meta); /* the object "docker", or NULL */

/* Where such a file is kept (the caller frees). It may be missing. */
char *context_tls_path(const char *name, const char *file);
/* data NULL: remove it. */
int context_tls_write(const char *name, const char *file, const void *data, size_t size, struct err *err);
char *context_meta_directory(const char *name);
char *context_tls_directory(const char *name);
