/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Calls of the Docker Engine API, as the verbs make them. */

#include <jansson.h>
#include <stdbool.h>

#include "base/json.h"
#include "cli/http.h"
#include "cli/items.h"

struct client {
        const char *host;   /* "unix:///run/kist/kist.sock", …: see host.h */
        const char *header; /* one more line for each request, or NULL */
};

#define CLIENT_API_VERSION "1.51" /* the version this program was written for */
#define CLIENT_API "/v" CLIENT_API_VERSION

/* A path with its query, written into a buffer that grows: values are percent-encoded. */
struct path {
        char *text;
        bool has_query;
};
void path_init(struct path *p, const char *format, ...) __attribute__((format(printf, 2, 3))); /* "/containers/%s/start": %s must be path_escape()d */
void path_done(struct path *p);
void path_query(struct path *p, const char *key, const char *value); /* value NULL: nothing is added */
void path_query_flag(struct path *p, const char *key, bool value);   /* added as 1 when true */
char *path_escape(const char *text);                                 /* '/' is kept: image names have it */
#define auto_path __attribute__((cleanup(path_done))) struct path

/* One call. body may be NULL (stays the caller's). *ret may be NULL; it is JSON null for an empty answer. An answer of 400 and above becomes the
 * error: its message, with the kind that fits the status. 304 is ERR_NOT_MODIFIED. */
int client_call(struct client *c, const char *method, const struct path *path, const json_t *body, json_t **ret, struct err *err);

/* A GET whose answer is a list: `item` is called for each of its members as they come. What was called for before an error stays done. */
int client_list(struct client *c, const struct path *path, item_fn item, void *data, struct err *err);

/* Begin a call whose answer is read as it comes with http_read(). */
int client_open(struct client *c, struct http *h, const char *method, const struct path *path, const json_t *body, struct err *err);
/* Ask for a raw stream; fails unless the daemon agrees (101). */
int client_hijack(struct client *c, struct http *h, const struct path *path, const json_t *body, struct err *err);
/* With an answer of 400 and above in h: read it whole and make it the error. */
int client_failed(struct http *h, struct err *err);

/* A stream of JSON objects (pull, load, events, stats): calls `object` for each until the end. */
int client_stream(struct http *h, int (*object)(json_t *object, void *data), void *data, struct err *err);

/* Print err as the daemon's answer and return `status`. */
int client_complain(const struct err *err, int status);
