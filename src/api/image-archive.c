/* SPDX-License-Identifier: Apache-2.0 */
/* Images as archives, and images from containers. */

#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/stream.h"
#include "base/json.h"
#include "engine/engine.h"

static const struct stream_kind tar_stream = { .content_type = "application/x-tar", .header_waits = true };

/* --- save --- */

struct save {
        struct engine *engine;
        size_t n;
        char *names[QUERY_ARGS_MAX];
};

static void save_free(void *data) {
        struct save *s = data;

        for (size_t i = 0; i < s->n; i++)
                free(s->names[i]);
        free(s);
}

static int stream_save(struct stream *s, void *data, struct err *err) {
        const struct save *x = data;

        return engine_image_save(x->engine, (const char *const *) x->names, x->n, stream_write_fd(s), stream_cancel_fd(s), err);
}

/* "names" once or several times; each may be a list with commas, as some libraries write it. */
static int add_names(struct save *s, const char *text, struct err *err) {
        while (*text) {
                size_t n = strcspn(text, ",");

                if (s->n == QUERY_ARGS_MAX)
                        return err_set(err, ERR_INVALID, -E2BIG, "more than %d images", QUERY_ARGS_MAX);
                s->names[s->n] = strndup(text, n);
                if (!s->names[s->n++])
                        return err_errno(err, -ENOMEM, "save");
                text += n + (text[n] == ',');
        }
        return 0;
}

int handle_image_save(struct request *q, struct err *err) {
        struct save *s = calloc(1, sizeof(*s));
        struct stream *stream;
        int r = s ? 0 : err_errno(err, -ENOMEM, "save");

        if (r == 0 && query_get_text(&q->query, "platform"))
                r = err_set(err, ERR_UNSUPPORTED, -ENOTSUP, "saving one platform of an image is not supported by this version of kistd");
        if (r == 0 && q->name)
                r = add_names(s, q->name, err);
        for (size_t i = 0; i < q->query.n && r == 0 && !q->name; i++)
                if (!strcmp(q->query.args[i].key, "names"))
                        r = add_names(s, q->query.args[i].value, err);
        if (r < 0) {
                if (s)
                        save_free(s);
                return r;
        }
        s->engine = q->engine;
        r = stream_start(q, &tar_stream, stream_save, s, save_free, &stream, err);
        return r < 0 ? r : stream_answer(q, stream, err);
}

/* --- commit --- */

int handle_commit(struct request *q, struct err *err) {
        const char *container = query_get_text(&q->query, "container"), *repository = query_get_text(&q->query, "repo"), *tag = query_get_text(&q->query, "tag");
        auto_free char *reference = NULL;
        struct query_changes changes = {};
        struct engine_commit c = { .config = q->json };
        json_t *made = NULL;
        int r;

        if (!container)
                return err_set(err, ERR_INVALID, -EINVAL, "container is missing: whose changes become an image");
        r = query_changes(&q->query, &changes, err);
        if (r == 0)
                r = query_bool(&q->query, "pause", true, &c.pause, err);
        if (r < 0) {
                query_changes_done(&changes);
                return r;
        }
        c.changes = changes.lines;
        c.n_changes = changes.n;
        reference = repository ? tag ? str_format("%s:%s", repository, tag) : strdup(repository) : NULL;
        c.reference = reference;
        c.author = query_get_text(&q->query, "author");
        c.comment = query_get_text(&q->query, "comment");
        r = repository && !reference ? err_errno(err, -ENOMEM, "commit") : engine_commit(q->engine, container, &c, &made, err);
        query_changes_done(&changes);
        return r < 0 ? r : request_answer_json(q, MHD_HTTP_CREATED, made, err);
}
