/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/auth.h"
#include "api/handlers.h"
#include "api/upload.h"
#include "base/fd.h"
#include "base/json.h"
#include "engine/engine.h"

static const struct stream_kind progress_stream = {
        .content_type = "application/json", .error_in_stream = true, .header_waits = true
};

static int write_progress(const json_t *event, void *data) {
        return stream_write_json(data, event, "\r\n");
}

/* --- pull --- */

struct pull {
        struct engine *engine;
        char *reference, *platform;
        enum image_discard discard;
        struct api_auth auth;
};

static void pull_free(void *data) {
        struct pull *p = data;

        free(p->reference);
        free(p->platform);
        api_auth_done(&p->auth);
        free(p);
}

static int stream_pull(struct stream *s, void *data, struct err *err) {
        const struct pull *p = data;
        const struct image_pull pull = {
                .reference = p->reference,
                .platform = p->platform,
                .username = p->auth.username,
                .password = p->auth.password,
                .identity_token = p->auth.identity_token,
                .server = p->auth.server,
                .discard = p->discard,
        };

        return engine_image_pull(p->engine, &pull, write_progress, s, err);
}

/* fromImage "a/b" with tag "1", tag "sha256:…", or neither. */
static char *join_reference(const char *image, const char *tag) {
        if (!tag)
                return strdup(image);
        return str_format("%s%s%s", image, strchr(tag, ':') ? "@" : ":", tag);
}

/* Kist's own: "discardBlobs". */
static int read_discard(const struct request *q, enum image_discard *ret, struct err *err) {
        bool discard;
        int r = query_get_text(&q->query, "discardBlobs") ? query_bool(&q->query, "discardBlobs", false, &discard, err) : 1;

        if (r == 0)
                *ret = discard ? IMAGE_DISCARD : IMAGE_KEEP;
        return r < 0 ? r : 0;
}

int handle_image_pull(struct request *q, struct err *err) {
        const char *image = query_get_text(&q->query, "fromImage"), *platform = query_get_text(&q->query, "platform");
        struct stream *stream;
        struct pull *p;
        int r;

        if (!image)
                return err_set(err, ERR_INVALID, -EINVAL, "fromImage is missing: the image to pull");
        p = calloc(1, sizeof(*p));
        if (!p)
                return err_errno(err, -ENOMEM, "pull");
        p->engine = q->engine;
        r = read_discard(q, &p->discard, err);
        if (r == 0)
                r = api_auth_decode(request_header(q, "X-Registry-Auth"), &p->auth, err);
        if (r == 0) {
                p->reference = join_reference(image, query_get_text(&q->query, "tag"));
                p->platform = platform ? strdup(platform) : NULL;
                if (!p->reference || (platform && !p->platform))
                        r = err_errno(err, -ENOMEM, "pull");
        }
        if (r < 0) {
                pull_free(p);
                return r;
        }
        r = stream_start(q, &progress_stream, stream_pull, p, pull_free, &stream, err);
        return r < 0 ? r : stream_answer(q, stream, err);
}

/* --- push --- */

struct push {
        struct engine *engine;
        char *reference, *platform;
        bool all_tags;
        struct api_auth auth;
};

static void push_free(void *data) {
        struct push *p = data;

        free(p->reference);
        free(p->platform);
        api_auth_done(&p->auth);
        free(p);
}

static int stream_push(struct stream *s, void *data, struct err *err) {
        const struct push *p = data;
        const struct image_push push = {
                .reference = p->reference,
                .all_tags = p->all_tags,
                .platform = p->platform,
                .username = p->auth.username,
                .password = p->auth.password,
                .identity_token = p->auth.identity_token,
                .server = p->auth.server,
        };

        return engine_image_push(p->engine, &push, write_progress, s, err);
}

/* The platform comes as JSON: {"os":"linux","architecture":"arm64","variant":"v8"}. */
static int read_platform(const struct request *q, char **ret, struct err *err) {
        const char *text = query_get_text(&q->query, "platform"), *variant;
        auto_json *object = NULL;

        if (!text)
                return 0;
        if (json_parse(text, strlen(text), 4096, "platform", &object, err) < 0)
                return -EINVAL;
        if (!*json_get_str(object, "os", "") || !*json_get_str(object, "architecture", ""))
                return err_set(err, ERR_INVALID, -EINVAL, "platform: os or architecture is missing");
        variant = json_get_str(object, "variant", "");
        *ret = str_format("%s/%s%s%s", json_get_str(object, "os", ""), json_get_str(object, "architecture", ""), *variant ? "/" : "", variant);
        return *ret ? 0 : err_errno(err, -ENOMEM, "push");
}

int handle_image_push(struct request *q, struct err *err) {
        const char *tag = query_get_text(&q->query, "tag");
        struct stream *stream;
        struct push *p = calloc(1, sizeof(*p));
        int r;

        if (!p)
                return err_errno(err, -ENOMEM, "push");
        p->engine = q->engine;
        p->all_tags = !tag;
        r = api_auth_decode(request_header(q, "X-Registry-Auth"), &p->auth, err);
        if (r == 0)
                r = read_platform(q, &p->platform, err);
        if (r == 0) {
                p->reference = join_reference(q->name, tag);
                if (!p->reference)
                        r = err_errno(err, -ENOMEM, "push");
        }
        if (r < 0) {
                push_free(p);
                return r;
        }
        r = stream_start(q, &progress_stream, stream_push, p, push_free, &stream, err);
        return r < 0 ? r : stream_answer(q, stream, err);
}

/* --- load: the body goes through a pipe into the engine while it comes in --- */

struct load {
        struct engine *engine;
        int archive_fd;
        bool quiet;
        enum image_discard discard;
};

static void load_free(void *data) {
        struct load *l = data;

        fd_close(l->archive_fd);
        free(l);
}

/* What was loaded, and not how. */
static int write_result(const json_t *event, void *data) {
        return json_object_get(event, "stream") ? write_progress(event, data) : 0;
}

static int stream_load(struct stream *s, void *data, struct err *err) {
        struct load *l = data;
        int r = engine_image_load(l->engine, l->archive_fd, l->discard, l->quiet ? write_result : write_progress, s, err);

        /* What is still to come has no reader any more: the writer must not wait for one. */
        l->archive_fd = fd_close(l->archive_fd);
        return r;
}

static int begin_load(struct request *q, struct err *err) {
        enum image_discard discard = IMAGE_DISCARD_DEFAULT;
        struct load *l;
        bool quiet;
        int r = query_bool(&q->query, "quiet", false, &quiet, err);

        if (r == 0)
                r = read_discard(q, &discard, err);
        if (r < 0)
                return r;
        l = calloc(1, sizeof(*l));
        if (!l)
                return err_errno(err, -ENOMEM, "load");
        *l = (struct load) { .engine = q->engine, .archive_fd = -EBADF, .quiet = quiet, .discard = discard };
        return upload_begin(q, &progress_stream, stream_load, l, load_free, &l->archive_fd, err);
}

const struct route_upload image_load_upload = { begin_load, upload_feed };

int handle_image_load(struct request *q, struct err *err) {
        if (query_get_text(&q->query, "platform"))
                return err_set(err, ERR_UNSUPPORTED, -ENOTSUP, "loading one platform of an archive is not supported by this version of kistd");
        return upload_answer(q, err);
}
