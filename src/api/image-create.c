/* SPDX-License-Identifier: Apache-2.0 */
/* POST /images/create: an image from a registry ("fromImage"), or from the archive of a file system that is the body ("fromSrc" is "-"). */

#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/server.h"
#include "api/upload.h"
#include "base/fd.h"
#include "base/json.h"
#include "engine/engine.h"

#define CREATED_MAX INT64_C(253402300799) /* the last second of the year 9999: a date has four digits of it */

struct import {
        struct engine *engine;
        struct engine_import what;
        struct query_changes changes;
        char *reference, *comment, *platform;
};

static void import_free(void *data) {
        struct import *i = data;

        fd_close(i->what.archive_fd);
        query_changes_done(&i->changes);
        free(i->reference);
        free(i->comment);
        free(i->platform);
        free(i);
}

static int write_progress(const json_t *event, void *data) {
        return stream_write_json(data, event, "\r\n");
}

static int stream_import(struct stream *s, void *data, struct err *err) {
        struct import *i = data;
        int r;

        i->what.cancel_fd = stream_cancel_fd(s);
        r = engine_image_import(i->engine, &i->what, write_progress, s, err);
        /* What is still to come has no reader any more: the writer must not wait for one. */
        i->what.archive_fd = fd_close(i->what.archive_fd);
        return r;
}

static int copy_text(const struct query *q, const char *key, char **ret) {
        const char *text = query_get_text(q, key);

        *ret = text ? strdup(text) : NULL;
        return text && !*ret ? -ENOMEM : 0;
}

static int read_query(struct request *q, struct import *i, struct err *err) {
        const char *repository = query_get_text(&q->query, "repo"), *tag = query_get_text(&q->query, "tag");

        if (strcmp(query_get_text(&q->query, "fromSrc"), "-") != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "fromSrc is \"%.200s\": the daemon fetches no URLs, send the archive as the body, with \"-\"", query_get_text(&q->query, "fromSrc"));
        if (query_get_text(&q->query, "fromImage"))
                return err_set(err, ERR_INVALID, -EINVAL, "fromImage and fromSrc exclude each other");
        i->reference = repository ? tag ? str_format("%s:%s", repository, tag) : strdup(repository) : NULL;
        if ((repository && !i->reference) || copy_text(&q->query, "message", &i->comment) < 0 || copy_text(&q->query, "platform", &i->platform) < 0)
                return err_errno(err, -ENOMEM, "import");
        /* Kist's own: of an archive that is the same each time the image shall be so, too. */
        if (query_int(&q->query, "created", 0, CREATED_MAX, 0, &i->what.made_unix_s, err) < 0)
                return -EINVAL;
        return query_changes(&q->query, &i->changes, err);
}

static int begin(struct request *q, struct err *err) {
        static const struct stream_kind kind = { .content_type = "application/json", .error_in_stream = true, .header_waits = true };
        struct import *i;
        int r;

        if (!query_get_text(&q->query, "fromSrc"))
                return 0;
        i = calloc(1, sizeof(*i));
        if (!i)
                return err_errno(err, -ENOMEM, "import");
        i->engine = q->engine;
        i->what.archive_fd = -EBADF;
        r = read_query(q, i, err);
        if (r < 0) {
                import_free(i);
                return r;
        }
        i->what.reference = i->reference;
        i->what.comment = i->comment;
        i->what.platform = i->platform;
        i->what.changes = i->changes.lines;
        i->what.n_changes = i->changes.n;
        return upload_begin(q, &kind, stream_import, i, import_free, &i->what.archive_fd, err);
}

const struct route_upload image_create_upload = { begin, upload_feed };

int handle_image_create(struct request *q, struct err *err) {
        return q->upload ? upload_answer(q, err) : handle_image_pull(q, err);
}
