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
        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, list, err);
}

int handle_network_inspect(struct request *q, struct err *err) {
        json_t *value = NULL;
        int r = engine_network_inspect(q->engine, q->name, &value, err);

        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
}
