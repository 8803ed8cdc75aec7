/* SPDX-License-Identifier: Apache-2.0 */
/* Files of containers: copying in and out, exporting, what has changed. */

#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/upload.h"
#include "base/fd.h"
#include "base/json.h"
#include "engine/engine.h"

#define PATH_STAT "X-Docker-Container-Path-Stat"

static const struct stream_kind tar_stream = { .content_type = "application/x-tar", .header_waits = true };
static const struct stream_kind no_body = { .content_type = "application/json", .header_waits = true };

static int query_path(struct request *q, const char **ret, struct err *err) {
        *ret = query_get_text(&q->query, "path");
        return *ret ? 0 : err_set(err, ERR_INVALID, -EINVAL, "path is missing: the path in the container");
}

static char *base64(const char *text) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        size_t n = strlen(text);
        char *out = malloc((n + 2) / 3 * 4 + 1), *p = out;

        if (!out)
                return NULL;
        for (size_t i = 0; i < n; i += 3) {
                unsigned v = (unsigned char) text[i] << 16 | (i + 1 < n ? (unsigned char) text[i + 1] << 8 : 0) | (i + 2 < n ? (unsigned char) text[i + 2] : 0);

                *p++ = digits[v >> 18];
                *p++ = digits[v >> 12 & 63];
                *p++ = i + 1 < n ? digits[v >> 6 & 63] : '=';
                *p++ = i + 2 < n ? digits[v & 63] : '=';
        }
        *p = '\0';
        return out;
}

static int look(struct request *q, struct engine_archive **ret, char **ret_header, struct err *err) {
        auto_json *stat = NULL;
        auto_free char *text = NULL;
        const char *path;
        int r = query_path(q, &path, err);

        if (r == 0)
                r = engine_archive_get(q->engine, q->name, path, &stat, ret, err);
        if (r < 0)
                return r;
        text = json_text(stat);
        *ret_header = text ? base64(text) : NULL;
        return *ret_header ? 0 : err_errno(err, -ENOMEM, "archive");
}

int handle_archive_head(struct request *q, struct err *err) {
        auto_free char *header = NULL;
        struct MHD_Response *response;
        int r = look(q, NULL, &header, err);

        if (r < 0)
                return r;
        response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        if (!response)
                return err_errno(err, -ENOMEM, "archive");
        MHD_add_response_header(response, PATH_STAT, header);
        return request_answer(q, MHD_HTTP_OK, response);
}

/* --- out of a container --- */

static void archive_free(void *data) {
        engine_archive_free(data);
}

static int stream_archive(struct stream *s, void *data, struct err *err) {
        return engine_archive_read(data, stream_write_fd(s), stream_cancel_fd(s), err);
}

int handle_archive_get(struct request *q, struct err *err) {
        auto_free char *header = NULL;
        struct engine_archive *archive = NULL;
        struct stream *stream;
        int r = look(q, &archive, &header, err);

        if (r < 0) {
                engine_archive_free(archive);
                return r;
        }
        r = stream_start(q, &tar_stream, stream_archive, archive, archive_free, &stream, err);
        if (r < 0)
                return r;
        stream_set_header(stream, PATH_STAT, header);
        return stream_answer(q, stream, err);
}

/* --- into a container --- */

struct put {
        struct engine *engine;
        char *name, *path;
        struct engine_archive_put put;
        int archive_fd;
};

static void put_free(void *data) {
        struct put *p = data;

        fd_close(p->archive_fd);
        free(p->name);
        free(p->path);
        free(p);
}

static int stream_put(struct stream *s, void *data, struct err *err) {
        struct put *p = data;
        int r = engine_archive_put(p->engine, p->name, &p->put, p->archive_fd, stream_cancel_fd(s), err);

        /* What is still to come has no reader any more: the writer must not wait for one. */
        p->archive_fd = fd_close(p->archive_fd);
        return r;
}

static int begin_put(struct request *q, struct err *err) {
        struct put *p = calloc(1, sizeof(*p));
        const char *path = NULL;
        int r = p ? query_path(q, &path, err) : err_errno(err, -ENOMEM, "archive");

        if (p)
                *p = (struct put) { .engine = q->engine, .archive_fd = -EBADF };
        if (r == 0)
                r = query_bool(&q->query, "noOverwriteDirNonDir", false, &p->put.keep_kinds, err);
        if (r == 0)
                r = query_bool(&q->query, "copyUIDGID", false, &p->put.own_user, err);
        if (r == 0) {
                p->name = strdup(q->name);
                p->put.path = p->path = strdup(path);
                if (!p->name || !p->path)
                        r = err_errno(err, -ENOMEM, "archive");
        }
        if (r < 0) {
                if (p)
                        put_free(p);
                return r;
        }
        return upload_begin(q, &no_body, stream_put, p, put_free, &p->archive_fd, err);
}

const struct route_upload archive_upload = { begin_put, upload_feed };

int handle_archive_put(struct request *q, struct err *err) {
        return upload_answer(q, err);
}

/* --- whole containers --- */

struct export {
        struct engine *engine;
        char *name;
};

static void export_free(void *data) {
        struct export *x = data;

        free(x->name);
        free(x);
}

static int stream_export(struct stream *s, void *data, struct err *err) {
        const struct export *x = data;

        return engine_export(x->engine, x->name, stream_write_fd(s), stream_cancel_fd(s), err);
}

int handle_container_export(struct request *q, struct err *err) {
        struct export *x = calloc(1, sizeof(*x));
        struct stream *stream;
        int r;

        if (!x || !(x->name = strdup(q->name))) {
                free(x);
                return err_errno(err, -ENOMEM, "export");
        }
        x->engine = q->engine;
        r = stream_start(q, &tar_stream, stream_export, x, export_free, &stream, err);
        return r < 0 ? r : stream_answer(q, stream, err);
}

int handle_container_changes(struct request *q, struct err *err) {
        json_t *list = NULL;
        int r = engine_changes(q->engine, q->name, &list, err);

        if (r < 0)
                return r;
        /* As the stock server: nothing is null. */
        if (json_array_size(list) == 0) {
                json_decref(list);
                list = json_null();
        }
        return request_answer_json(q, MHD_HTTP_OK, list, err);
}
