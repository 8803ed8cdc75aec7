/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "api/handlers.h"
#include "api/stream.h"
#include "base/json.h"
#include "base/timestamp.h"
#include "engine/engine.h"

int handle_ping(struct request *q, struct err *err) {
        static const char *const headers[][2] = {
                { MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8" },
                { MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache, no-store, must-revalidate" },
                { MHD_HTTP_HEADER_PRAGMA, "no-cache" },
                { "Builder-Version", "1" }, /* not BuildKit's */
                { "Swarm", "inactive" },
        };
        struct MHD_Response *response = MHD_create_response_from_buffer(2, (void *) "OK", MHD_RESPMEM_PERSISTENT);

        if (!response)
                return err_errno(err, -ENOMEM, "answer");
        for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
                MHD_add_response_header(response, headers[i][0], headers[i][1]);
        return request_answer(q, MHD_HTTP_OK, response);
}

/* Clients that speak the newest version there is, whatever it is, and need fields that went away after the one here. */
static const struct {
        const char *agent;
        const char *version;
} old_speakers[] = {
        { "docker-compose/1.", "1.44" }, /* an image's ContainerConfig; id and status of events */
};

static const char *version_for(const char *agent) {
        for (size_t i = 0; agent && i < ARRAY_SIZE(old_speakers); i++)
                if (str_starts_with(agent, old_speakers[i].agent))
                        return old_speakers[i].version;
        return NULL;
}

int handle_version(struct request *q, struct err *err) {
        const char *older = version_for(request_header(q, "User-Agent"));
        json_t *value = NULL;
        int r = engine_version(q->engine, &value, err);

        if (r == 0 && older)
                json_object_set_new(value, "ApiVersion", json_string(older));
        return r < 0 ? r : request_answer_shape(q, MHD_HTTP_OK, SHAPE_VERSION, value, err);
}

int handle_info(struct request *q, struct err *err) {
        json_t *value = NULL;
        int r = engine_info(q->engine, &value, err);

        return r < 0 ? r : request_answer_shape(q, MHD_HTTP_OK, SHAPE_INFO, value, err);
}

/* "type" may be given several times; before 1.42 there was none. */
static int query_usage_types(struct request *q, unsigned *ret, struct err *err) {
        static const struct {
                const char *name;
                unsigned type;
        } types[] = {
                { "image", ENGINE_USAGE_IMAGES },
                { "container", ENGINE_USAGE_CONTAINERS },
                { "volume", ENGINE_USAGE_VOLUMES },
                { "build-cache", ENGINE_USAGE_BUILD_CACHE },
        };
        unsigned wanted = 0;

        for (size_t i = 0; q->minor >= 42 && i < q->query.n; i++) {
                size_t t = 0;

                if (strcmp(q->query.args[i].key, "type"))
                        continue;
                while (t < ARRAY_SIZE(types) && strcmp(types[t].name, q->query.args[i].value))
                        t++;
                if (t == ARRAY_SIZE(types))
                        return err_set(err, ERR_INVALID, -EINVAL, "unknown object type: %.64s", q->query.args[i].value);
                wanted |= types[t].type;
        }
        *ret = wanted ? wanted : ENGINE_USAGE_ALL;
        return 0;
}

/* Since 1.52 the lists belong to their sums, and are shown on demand only. */
static void move_items(json_t *value) {
        static const char *const names[][2] = {
                { "Images", "ImagesUsage" }, { "Containers", "ContainersUsage" }, { "Volumes", "VolumesUsage" }, { "BuildCache", "BuildCacheUsage" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                json_object_set(json_object_get(value, names[i][1]), "Items", json_object_get(value, names[i][0]));
                json_object_del(value, names[i][0]);
        }
        json_object_del(value, "LayersSize");
}

int handle_disk_usage(struct request *q, struct err *err) {
        json_t *value = NULL;
        unsigned types = ENGINE_USAGE_ALL;
        bool verbose;
        int r;

        r = query_usage_types(q, &types, err);
        if (r == 0)
                r = query_bool(&q->query, "verbose", false, &verbose, err);
        if (r == 0)
                r = engine_disk_usage(q->engine, types, &value, err);
        if (r < 0)
                return r;
        version_apply(SHAPE_DISK_USAGE, q->minor, value);
        if (verbose && q->minor >= 52)
                move_items(value);
        return request_answer_json(q, MHD_HTTP_OK, value, err);
}

/* A look at every byte takes its time: the answer is a stream of {"Progress": {"Done", "Total"}}, and at the end what a short look answers at once. */
struct fsck_job {
        struct engine *engine;
        struct engine_fsck_options options;
        struct stream *stream;
        int64_t told_ns;
};

enum { FSCK_TELL_NS = 100000000 };

static int tell_fsck(uint64_t done, uint64_t total, void *data) {
        struct fsck_job *j = data;
        int64_t now = time_now_ns();
        auto_json *event = NULL;

        if (now - j->told_ns < FSCK_TELL_NS && done < total)
                return 0;
        j->told_ns = now;
        event = json_pack("{s:{s:I, s:I}}", "Progress", "Done", (json_int_t) done, "Total", (json_int_t) total);
        return stream_write_json(j->stream, event, "\n");
}

static int stream_fsck(struct stream *s, void *data, struct err *err) {
        struct fsck_job *j = data;
        auto_json *value = NULL;
        int r;

        j->stream = s;
        j->options.data = j;
        r = engine_fsck(j->engine, &j->options, &value, err);
        return r < 0 ? r : stream_write_json(s, value, "\n");
}

int handle_fsck(struct request *q, struct err *err) {
        static const struct stream_kind kind = { .content_type = "application/json", .error_in_stream = true, .header_waits = true };
        struct engine_fsck_options options = { .progress = tell_fsck };
        struct fsck_job *job;
        struct stream *stream;
        json_t *value = NULL;
        int r = query_bool(&q->query, "fix", false, &options.fix, err);

        if (r == 0)
                r = query_bool(&q->query, "digests", false, &options.digests, err);
        if (r < 0)
                return r;
        if (!options.digests) {
                r = engine_fsck(q->engine, &options, &value, err);
                return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
        }
        job = calloc(1, sizeof(*job));
        if (!job)
                return err_errno(err, -ENOMEM, "fsck");
        *job = (struct fsck_job) { .engine = q->engine, .options = options };
        r = stream_start(q, &kind, stream_fsck, job, free, &stream, err);
        return r < 0 ? r : stream_answer(q, stream, err);
}

int handle_network_audit(struct request *q, struct err *err) {
        json_t *value = NULL;
        bool fix;
        int r = query_bool(&q->query, "fix", false, &fix, err);

        if (r == 0)
                r = engine_network_audit(q->engine, fix, &value, err);
        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
}

/* How the stream of events is written, by what the client accepts. */
static const struct events_format {
        const char *type, *before;
        struct stream_kind kind;
} events_formats[] = {
        { "application/json", "", { .content_type = "application/json" } },
        { "application/x-ndjson", "", { .content_type = "application/x-ndjson" } },
        { "application/jsonl", "", { .content_type = "application/jsonl" } },
        { "application/json-seq", "\x1e", { .content_type = "application/json-seq" } }, /* RFC 7464 */
};

/* The first in the client's list that is known; who asks for nothing of it gets the usual. */
static const struct events_format *choose_events_format(struct request *q) {
        const char *at = request_header(q, MHD_HTTP_HEADER_ACCEPT);

        while (q->minor >= 52 && at && *at) {
                size_t n;

                at += strspn(at, ", \t");
                n = strcspn(at, ",; \t");
                for (size_t i = 0; i < ARRAY_SIZE(events_formats); i++)
                        if (n == strlen(events_formats[i].type) && !strncasecmp(at, events_formats[i].type, n))
                                return &events_formats[i];
                at += strcspn(at, ",");
        }
        return &events_formats[0];
}

struct events {
        struct engine *engine;
        const struct events_format *format;
        unsigned minor;
        struct stream *stream;
        int64_t since_ns, until_ns;
        json_t *filters;
};

static void events_free(void *data) {
        struct events *e = data;

        json_decref(e->filters);
        free(e);
}

static int write_event(json_t *event, void *data) {
        struct events *e = data;
        int r = *e->format->before ? stream_write(e->stream, e->format->before, 1) : 0;

        version_apply(SHAPE_EVENT, e->minor, event);
        return r < 0 ? r : stream_write_json(e->stream, event, "\n");
}

static int stream_events(struct stream *s, void *data, struct err *err) {
        struct events *e = data;

        e->stream = s;
        return engine_events(e->engine, e->since_ns, e->until_ns, e->filters, stream_cancel_fd(s), write_event, e, err);
}

int handle_events(struct request *q, struct err *err) {
        int64_t since_ns, until_ns;
        json_t *filters = NULL;
        struct stream *stream;
        struct events *e;
        int r;

        r = query_time(&q->query, "since", &since_ns, err);
        if (r == 0)
                r = query_time(&q->query, "until", &until_ns, err);
        /* 0: not said */
        if (r == 0 && until_ns > 0 && since_ns > until_ns)
                r = err_set(err, ERR_INVALID, -EINVAL, "`since` time (%lld) cannot be after `until` time (%lld)", (long long) (since_ns / 1000000000), (long long) (until_ns / 1000000000));
        if (r == 0)
                r = query_filters(&q->query, &filters, err);
        if (r < 0)
                return r;
        e = malloc(sizeof(*e));
        if (!e) {
                json_decref(filters);
                return err_errno(err, -ENOMEM, "events");
        }
        *e = (struct events) {
                .engine = q->engine, .format = choose_events_format(q), .minor = q->minor, .since_ns = since_ns, .until_ns = until_ns, .filters = filters,
        };
        r = stream_start(q, &e->format->kind, stream_events, e, events_free, &stream, err);
        return r < 0 ? r : stream_answer(q, stream, err);
}
