/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handlers.h"
#include "base/json.h"
#include "engine/engine.h"

int handle_network_list(struct request *q, struct err *err) {
        auto_json *filters = NULL;
        json_t *list = NULL;
        int r;

        r = query_filters(&q->query, &filters, err);
        if (r == 0)
                r = engine_network_list(q->engine, filters, &list, err);
        return r < 0 ? r : request_answer_shape(q, MHD_HTTP_OK, SHAPE_NETWORK, list, err);
}

int handle_network_inspect(struct request *q, struct err *err) {
        json_t *value = NULL;
        bool verbose; /* of services of a swarm */
        int r = query_bool(&q->query, "verbose", false, &verbose, err);

        if (r == 0)
                r = engine_network_inspect(q->engine, q->name, &value, err);
        return r < 0 ? r : request_answer_shape(q, MHD_HTTP_OK, SHAPE_NETWORK, value, err);
}

int handle_network_create(struct request *q, struct err *err) {
        json_t *value = NULL;
        int r = engine_network_create(q->engine, request_object(q), &value, err);

        return r < 0 ? r : request_answer_json(q, MHD_HTTP_CREATED, value, err);
}

int handle_network_prune(struct request *q, struct err *err) {
        auto_json *filters = NULL;
        json_t *value = NULL;
        int r = query_filters(&q->query, &filters, err);

        if (r == 0)
                r = engine_network_prune(q->engine, filters, &value, err);
        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
}

int handle_network_connect(struct request *q, struct err *err) {
        int r = engine_network_connect(q->engine, q->name, request_object(q), err);

        return r < 0 ? r : request_answer_empty(q, MHD_HTTP_OK);
}

int handle_network_disconnect(struct request *q, struct err *err) {
        int r = engine_network_disconnect(q->engine, q->name, request_object(q), err);

        return r < 0 ? r : request_answer_empty(q, MHD_HTTP_OK);
}

int handle_network_remove(struct request *q, struct err *err) {
        int r = engine_network_remove(q->engine, q->name, err);

        return r < 0 ? r : request_answer_empty(q, MHD_HTTP_NO_CONTENT);
}
