/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/handlers.h"
#include "base/json.h"
#include "engine/engine.h"

int handle_image_list(struct request *q, struct err *err) {
        auto_json *filters = NULL;
        struct engine_image_list how = { 0 };
        json_t *list = NULL;
        int r;

        r = query_filters(&q->query, &filters, err);
        if (r == 0)
                r = query_bool(&q->query, "shared-size", false, &how.shared, err);
        if (r == 0)
                r = query_bool(&q->query, "brief", false, &how.brief, err); /* kist's own */
        how.shared &= q->minor >= 42;
        if (r == 0)
                r = engine_image_list(q->engine, &how, filters, &list, err);
        return r < 0 ? r : request_answer_shape(q, MHD_HTTP_OK, SHAPE_IMAGE_LIST, list, err);
}

int handle_image_inspect(struct request *q, struct err *err) {
        json_t *value = NULL;
        json_t *config;
        int r = engine_image_inspect(q->engine, q->name, &value, err);

        if (r < 0)
                return r;
        /* What is changed for the client's version must not be the store's. */
        config = json_deep_copy(json_object_get(value, "Config"));
        if (config)
                json_object_set_new(value, "Config", config);
        return request_answer_shape(q, MHD_HTTP_OK, SHAPE_IMAGE, value, err);
}

int handle_image_history(struct request *q, struct err *err) {
        json_t *value = NULL;
        int r = engine_image_history(q->engine, q->name, &value, err);

        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
}

int handle_image_tag(struct request *q, struct err *err) {
        const char *repository = query_get_text(&q->query, "repo"), *tag = query_get_text(&q->query, "tag");
        auto_free char *target = NULL;
        int r;

        if (!repository)
                return err_set(err, ERR_INVALID, -EINVAL, "repo is missing: the name to give to the image");
        target = tag ? str_format("%s:%s", repository, tag) : strdup(repository);
        if (!target)
                return err_errno(err, -ENOMEM, "tag");
        r = engine_image_tag(q->engine, q->name, target, err);
        return r < 0 ? r : request_answer_empty(q, MHD_HTTP_CREATED);
}

int handle_image_checkout(struct request *q, struct err *err) {
        const char *layer = query_get_text(&q->query, "layer"), *repository = query_get_text(&q->query, "repo"), *tag = query_get_text(&q->query, "tag");
        auto_free char *reference = repository ? tag ? str_format("%s:%s", repository, tag) : strdup(repository) : NULL;
        json_t *value = NULL;
        int r;

        if (!layer)
                return err_set(err, ERR_INVALID, -EINVAL, "layer is missing: the layer to go back to");
        if (repository && !reference)
                return err_errno(err, -ENOMEM, "checkout");
        r = engine_image_checkout(q->engine, q->name, layer, reference, &value, err);
        return r < 0 ? r : request_answer_json(q, MHD_HTTP_CREATED, value, err);
}

int handle_image_remove(struct request *q, struct err *err) {
        json_t *removed = NULL;
        bool force, keep_parents;
        int r;

        r = query_bool(&q->query, "force", false, &force, err);
        /* Images have no untagged parents here, so there is none to keep. */
        if (r == 0)
                r = query_bool(&q->query, "noprune", false, &keep_parents, err);
        if (r == 0)
                r = engine_image_remove(q->engine, q->name, force, &removed, err);
        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, removed, err);
}

int handle_image_prune(struct request *q, struct err *err) {
        auto_json *filters = NULL;
        json_t *value = NULL;
        int r;

        r = query_filters(&q->query, &filters, err);
        if (r == 0)
                r = engine_image_prune(q->engine, filters, &value, err);
        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
}
