/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "api/auth.h"
#include "api/handlers.h"
#include "base/json.h"
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
        pull.server = auth.server;
        r = engine_distribution(q->engine, &pull, &value, err);
        api_auth_done(&auth);
        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
}

int handle_image_search(struct request *q, struct err *err) {
        enum { LIMIT = 25, LIMIT_MAX = 100 };
        struct image_search search = { .term = query_get_text(&q->query, "term") };
        auto_json *filters = NULL;
        struct api_auth auth = {};
        json_t *value = NULL;
        int64_t limit;
        int r;

        if (!search.term)
                return err_set(err, ERR_INVALID, -EINVAL, "term is missing: what to search for");
        r = query_int(&q->query, "limit", 1, LIMIT_MAX, LIMIT, &limit, err);
        if (r == 0)
                r = query_filters(&q->query, &filters, err);
        if (r == 0)
                r = api_auth_decode(request_header(q, "X-Registry-Auth"), &auth, err);
        if (r < 0)
                return r;
        search.limit = (unsigned) limit;
        search.username = auth.username;
        search.password = auth.password;
        search.identity_token = auth.identity_token;
        search.server = auth.server;
        r = engine_image_search(q->engine, &search, filters, &value, err);
        api_auth_done(&auth);
        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
}

int handle_login(struct request *q, struct err *err) {
        const char *token = json_get_str(q->json, "identitytoken", ""), *user = json_get_str(q->json, "username", "");
        struct image_login login = { .registry = json_get_str(q->json, "serveraddress", "") };
        json_t *value = NULL;
        int r;

        login.username = *user ? user : NULL;
        login.password = json_get_str(q->json, "password", "");
        login.identity_token = *token ? token : NULL;
        if (!login.username && !login.identity_token)
                return err_set(err, ERR_INVALID, -EINVAL, "username is missing: who logs in to %s", *login.registry ? login.registry : "docker.io");
        r = engine_login(q->engine, &login, &value, err);
        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
}
