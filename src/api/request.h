/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One request on its way through the server, and the ways to answer it. Each connection has its thread: a handler may block.
 * A handler answers exactly once and returns 0, or fills *err and returns a negative errno, which the server answers by status.h. */

#include <jansson.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/query.h"
#include "api/route.h"
#include "api/versions.h"
#include "base/err.h"
#include "base/str.h"

struct api_server;
struct engine;
struct hijack;
struct image_upload;
struct websocket_session;

struct request {
        struct api_server *server;
        struct engine *engine;
        struct MHD_Connection *connection;
        int socket_fd; /* the connection's; MHD's to close */
        const struct route *route;
        unsigned minor;  /* the client speaks 1.N */
        char *name;      /* what the route captured, or NULL */
        struct query query;
        struct strbuf body;
        json_t *json;    /* the body, when the route wants JSON and there was one; an object */
        struct err early; /* what was wrong before the body came; kind ERR_NONE when nothing was */
        uint64_t body_size;
        struct hijack *hijack;
        struct image_upload *upload;
        struct websocket_session *websocket;
        enum MHD_Result queued;
        bool answered;
        bool busy;    /* the server waits for its end before it stops */
        bool hurried; /* an upload that nobody wants any more: it has a time limit now */
};

/* Milliseconds without a byte moving before the connection is cut; 0: never. */
void request_set_timeout(struct request *q, unsigned seconds);
const char *request_header(struct request *q, const char *name);

/* JSON text from malloc(), stolen, also on failure; NULL is out of memory. */
int request_answer_text(struct request *q, unsigned status, char *text, struct err *err);
/* value is stolen, also on failure; NULL is out of memory. */
int request_answer_json(struct request *q, unsigned status, json_t *value, struct err *err);
/* The same, as the client's version of the API has it. */
int request_answer_shape(struct request *q, unsigned status, enum version_shape shape, json_t *value, struct err *err);
int request_answer_empty(struct request *q, unsigned status);
void request_answer_error(struct request *q, const struct err *err);
/* The headers that every answer has are added; the response is released. */
int request_answer(struct request *q, unsigned status, struct MHD_Response *response);

/* {} when the client sent no body: for requests that may come without one. */
const json_t *request_object(struct request *q);
