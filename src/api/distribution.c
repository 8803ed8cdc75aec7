/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth.h"
#include "api/handlers.h"
#include "engine/engine.h"

int handle_distribution(struct request *q, struct err *err) {
        struct image_pull pull = { .reference = q->name };
        struct api_auth auth = {};
        json_t *value = NULL;
        int r = api_auth_decode(request_header(q, "X-Registry-Auth"), &auth, err);

        if (r < 0)
                return r;
        pull.username = auth.username;
        pull.password = auth.password;
        pull.identity_token = auth.identity_token;
        r = engine_distribution(q->engine, &pull, &value, err);
        api_auth_done(&auth);
        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
}
