/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handlers.h"
#include "base/json.h"
#include "engine/engine.h"

enum { PRUNES_ANONYMOUS_ONLY_SINCE = 42 };

int handle_volume_list(struct request *q, struct err *err) {
        auto_json *filters = NULL;
        json_t *value = NULL;
        int r;

        r = query_filters(&q->query, &filters, err);
        if (r == 0)
                r = engine_volume_list(q->engine, filters, &value, err);
        if (r < 0)
                return r;
        version_apply(SHAPE_VOLUME, q->minor, json_object_get(value, "Volumes"));
        return request_answer_json(q, MHD_HTTP_OK, value, err);
}

int handle_volume_create(struct request *q, struct err *err) {
        json_t *value = NULL;
        int r = engine_volume_create(q->engine, request_object(q), &value, err);

        return r < 0 ? r : request_answer_shape(q, MHD_HTTP_CREATED, SHAPE_VOLUME, value, err);
}

int handle_volume_inspect(struct request *q, struct err *err) {
        json_t *value = NULL;
        int r = engine_volume_inspect(q->engine, q->name, &value, err);

        return r < 0 ? r : request_answer_shape(q, MHD_HTTP_OK, SHAPE_VOLUME, value, err);
}

int handle_volume_remove(struct request *q, struct err *err) {
        bool force;
        int r;

        r = query_bool(&q->query, "force", false, &force, err);
        if (r == 0)
                r = engine_volume_remove(q->engine, q->name, force, err);
        return r < 0 ? r : request_answer_empty(q, MHD_HTTP_NO_CONTENT);
}

int handle_volume_prune(struct request *q, struct err *err) {
        auto_json *filters = NULL;
        json_t *value = NULL;
        int r;

        r = query_filters(&q->query, &filters, err);
        if (r == 0)
                r = engine_volume_prune(q->engine, q->minor < PRUNES_ANONYMOUS_ONLY_SINCE, filters, &value, err);
        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
}
