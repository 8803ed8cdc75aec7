/* SPDX-License-Identifier: Apache-2.0 */
/* What kistd says to Prometheus: text format 0.0.4, https://prometheus.io/docs/instrumenting/exposition_formats/ */

#include <string.h>

#include "api/api.h"
#include "api/request.h"
#include "api/server.h"
#include "base/mem.h"
#include "engine/engine.h"

enum { CONNECTIONS_MAX = 32 }; /* one collector asks now and then; nobody needs more of our threads */

static int handle_metrics(struct request *q, struct err *err) {
        struct MHD_Response *response;
        char *text = NULL;
        int r = engine_metrics(q->engine, &text, err);

        if (r < 0)
                return r;
        response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
        if (!response) {
                free(text);
                return err_errno(err, -ENOMEM, "answer");
        }
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
        return request_answer(q, MHD_HTTP_OK, response);
}

#define READ_ONLY(method_) { .method = method_, .pattern = "/metrics", .status = MHD_HTTP_METHOD_NOT_ALLOWED, .refusal = "metrics can be read, and nothing else" }

static const struct route routes[] = {
        { "GET", "/metrics", handle_metrics }, { "HEAD", "/metrics", handle_metrics },
        READ_ONLY("POST"), READ_ONLY("PUT"), READ_ONLY("PATCH"), READ_ONLY("DELETE"),
};

int api_metrics_start(struct engine *engine, int listen_fd, struct api_server **ret, struct err *err) {
        const struct server_table table = { .routes = routes, .n = ARRAY_SIZE(routes), .connections = CONNECTIONS_MAX };

        return server_start(engine, &table, &listen_fd, 1, ret, err);
}
