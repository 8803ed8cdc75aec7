/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "api/auth.h"
#include "api/handlers.h"
#include "base/json.h"
#include "engine/engine.h"

/* Who asks, and what for: `auth` is to be given back whatever happens. */
static int read_access(struct request *q, struct image_pull *pull, struct api_auth *auth, struct err *err) {
        int r = query_bool(&q->query, "insecure", false, &pull->insecure, err);

        if (r == 0)
                r = api_auth_decode(request_header(q, "X-Registry-Auth"), auth, err);
        pull->reference = q->name;
        pull->username = auth->username;
        pull->password = auth->password;
        pull->identity_token = auth->identity_token;
        pull->server = auth->server;
        return r;
}

static int describe(struct request *q, bool whole, struct err *err) {
        struct image_pull pull = {};
        struct api_auth auth = {};
        json_t *value = NULL;
        int r = read_access(q, &pull, &auth, err);

        if (r == 0)
                r = engine_distribution(q->engine, &pull, whole, &value, err);
        api_auth_done(&auth);
        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
}

int handle_distribution(struct request *q, struct err *err) {
        return describe(q, false, err);
}

int handle_remote_manifest(struct request *q, struct err *err) {
        return describe(q, true, err);
}

/* {"MediaType", "Manifest": the text, "From": {digest: repository}} */
int handle_remote_manifest_push(struct request *q, struct err *err) {
        const json_t *text = json_object_get(q->json, "Manifest");
        struct image_pull access = {};
        struct image_list_push push = {
                .reference = q->name,
                .media_type = json_get_str(q->json, "MediaType", ""),
                .text = json_is_string(text) ? json_string_value(text) : "",
                .size = json_is_string(text) ? json_string_length(text) : 0,
                .from = json_get_object(q->json, "From"),
                .access = &access,
        };
        struct api_auth auth = {};
        json_t *value = NULL;
        int r;

        if (push.size == 0)
                return err_set(err, ERR_INVALID, -EINVAL, "Manifest is missing: the text of the list to be pushed");
        r = read_access(q, &access, &auth, err);
        if (r == 0)
                r = engine_list_push(q->engine, &push, &value, err);
        api_auth_done(&auth);
        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
}

int handle_remote_manifest_delete(struct request *q, struct err *err) {
        struct image_pull access = {};
        struct api_auth auth = {};
        json_t *value = NULL;
        int r = read_access(q, &access, &auth, err);

        if (r == 0)
                r = engine_delete_remote(q->engine, &access, &value, err);
        api_auth_done(&auth);
        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
}

int handle_referrers(struct request *q, struct err *err) {
        const char *type = query_get_text(&q->query, "artifactType");
        struct image_pull access = {};
        struct api_auth auth = {};
        json_t *value = NULL;
        int r = read_access(q, &access, &auth, err);

        if (r == 0)
                r = engine_referrers(q->engine, &access, type && *type ? type : NULL, &value, err);
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
