/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/handlers.h"
#include "api/stream.h"
#include "base/json.h"
#include "engine/engine.h"

int handle_ping(struct request *q, struct err *err) {
        static const char *const headers[][2] = {
                { MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8" },
                { MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache, no-store, must-revalidate" },
                { MHD_HTTP_HEADER_PRAGMA, "no-cache" },
                { "Builder-Version", "1" }, /* not BuildKit's */
                { "Swarm", "inactive" },
        };
        struct MHD_Response *response = MHD_create_response_from_buffer(2, (void *) "OK", MHD_RESPMEM_PERSISTENT);

        if (!response)
                return err_errno(err, -ENOMEM, "answer");
        for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
                MHD_add_response_header(response, headers[i][0], headers[i][1]);
        return request_answer(q, MHD_HTTP_OK, response);
}

int handle_version(struct request *q, struct err *err) {
        json_t *value = NULL;
        int r = engine_version(q->engine, &value, err);

        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
}

int handle_info(struct request *q, struct err *err) {
        json_t *value = NULL;
        int r = engine_info(q->engine, &value, err);

        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
}

int handle_disk_usage(struct request *q, struct err *err) {
        json_t *value = NULL;
        int r = engine_disk_usage(q->engine, &value, err);

        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
}

struct events {
        struct engine *engine;
        int64_t since_ns, until_ns;
        json_t *filters;
};

static void events_free(void *data) {
        struct events *e = data;

        json_decref(e->filters);
        free(e);
}

static int write_event(const json_t *event, void *data) {
        return stream_write_json(data, event, "\n");
}

static int stream_events(struct stream *s, void *data, struct err *err) {
        struct events *e = data;

        return engine_events(e->engine, e->since_ns, e->until_ns, e->filters, stream_cancel_fd(s), write_event, s, err);
}

int handle_events(struct request *q, struct err *err) {
        static const struct stream_kind kind = { .content_type = "application/json" };
        int64_t since_ns, until_ns;
        json_t *filters = NULL;
        struct stream *stream;
        struct events *e;
        int r;

        r = query_time(&q->query, "since", &since_ns, err);
        if (r == 0)
                r = query_time(&q->query, "until", &until_ns, err);
        if (r == 0)
                r = query_filters(&q->query, &filters, err);
        if (r < 0)
                return r;
        e = malloc(sizeof(*e));
        if (!e) {
                json_decref(filters);
                return err_errno(err, -ENOMEM, "events");
        }
        *e = (struct events) { q->engine, since_ns, until_ns, filters };
        r = stream_start(q, &kind, stream_events, e, events_free, &stream, err);
        return r < 0 ? r : stream_answer(q, stream, err);
}
