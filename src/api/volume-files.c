/* SPDX-License-Identifier: Apache-2.0 */
/* Kist's own: volumes as archives, and volumes from volumes. */

#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/upload.h"
#include "base/fd.h"
#include "base/json.h"
#include "engine/engine.h"

static const struct stream_kind tar_stream = { .content_type = "application/x-tar", .header_waits = true };
static const struct stream_kind one_object = { .content_type = "application/json", .header_waits = true };

struct job {
        struct engine *engine;
        char *name;
        json_t *body;
        int archive_fd;
        int (*make)(struct engine *e, const char *name, const json_t *body, int cancel_fd, json_t **ret, struct err *err);
};

static void job_free(void *data) {
        struct job *j = data;

        fd_close(j->archive_fd);
        json_decref(j->body);
        free(j->name);
        free(j);
}

static int job_new(struct request *q, struct job **ret, struct err *err) {
        struct job *j = calloc(1, sizeof(*j));

        if (!j)
                return err_errno(err, -ENOMEM, "volume");
        *j = (struct job) { .engine = q->engine, .name = strdup(q->name), .archive_fd = -EBADF };
        if (!j->name) {
                job_free(j);
                return err_errno(err, -ENOMEM, "volume");
        }
        *ret = j;
        return 0;
}

static int begin(struct request *q, const struct stream_kind *kind, stream_job run, struct job *j, struct err *err) {
        struct stream *stream;
        int r = stream_start(q, kind, run, j, job_free, &stream, err);

        return r < 0 ? r : stream_answer(q, stream, err);
}

/* --- export --- */

static int run_export(struct stream *s, void *data, struct err *err) {
        const struct job *j = data;

        return engine_volume_export(j->engine, j->name, stream_write_fd(s), stream_cancel_fd(s), err);
}

int handle_volume_export(struct request *q, struct err *err) {
        struct job *j;
        int r = job_new(q, &j, err);

        return r < 0 ? r : begin(q, &tar_stream, run_export, j, err);
}

/* --- import --- */

static int write_volume(struct stream *s, json_t *volume) {
        int r = stream_write_json(s, volume, "\n");

        json_decref(volume);
        return r;
}

static int run_import(struct stream *s, void *data, struct err *err) {
        struct job *j = data;
        json_t *volume = NULL;
        int r = engine_volume_import(j->engine, j->name, json_get_object(j->body, "Labels"), json_get_object(j->body, "DriverOpts"), j->archive_fd, stream_cancel_fd(s), &volume, err);

        /* What is still to come has no reader any more: the writer must not wait for one. */
        j->archive_fd = fd_close(j->archive_fd);
        return r < 0 ? r : write_volume(s, volume);
}

/* What create has as its body is in the query here: "spec". */
static int begin_import(struct request *q, struct err *err) {
        const char *spec = query_get_text(&q->query, "spec");
        struct job *j;
        int r = job_new(q, &j, err);

        if (r < 0)
                return r;
        j->body = spec ? json_loads(spec, JSON_REJECT_DUPLICATES, NULL) : json_object();
        if (!json_is_object(j->body)) {
                job_free(j);
                return err_set(err, ERR_INVALID, -EINVAL, "spec is not a JSON object of Labels and DriverOpts");
        }
        return upload_begin(q, &one_object, run_import, j, job_free, &j->archive_fd, err);
}

const struct route_upload volume_import_upload = { begin_import, upload_feed };

int handle_volume_import(struct request *q, struct err *err) {
        return upload_answer(q, err);
}

/* --- clone, snapshot --- */

static int run_make(struct stream *s, void *data, struct err *err) {
        const struct job *j = data;
        json_t *volume = NULL;
        int r = j->make(j->engine, j->name, j->body, stream_cancel_fd(s), &volume, err);

        return r < 0 ? r : write_volume(s, volume);
}

static int handle_make(struct request *q, __typeof__(((struct job *) 0)->make) make, struct err *err) {
        struct job *j;
        int r = job_new(q, &j, err);

        if (r < 0)
                return r;
        j->body = json_deep_copy(request_object(q));
        j->make = make;
        return begin(q, &one_object, run_make, j, err);
}

int handle_volume_clone(struct request *q, struct err *err) {
        return handle_make(q, engine_volume_clone, err);
}

int handle_volume_snapshot(struct request *q, struct err *err) {
        return handle_make(q, engine_volume_snapshot, err);
}
