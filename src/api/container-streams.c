/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <poll.h>
#include <string.h>

#include "api/handlers.h"
#include "api/hijack.h"
#include "api/stream.h"
#include "base/fd.h"
#include "base/json.h"
#include "engine/engine.h"

/* --- wait: the header goes at once (the client starts the container only when it has it), the exit code when it is known --- */

static int stream_wait(struct stream *s, void *data, struct err *err) {
        struct engine_waiter **waiter = data;
        auto_json *answer = NULL;
        int status, r;

        r = engine_wait_finish(take_ptr(waiter), stream_cancel_fd(s), &status, err);
        if (r == -ECANCELED)
                return r;
        if (r < 0)
                answer = json_pack("{s:i, s:{s:s}}", "StatusCode", -1, "Error", "Message", err->msg);
        else
                answer = json_pack("{s:i}", "StatusCode", status);
        return answer ? stream_write_json(s, answer, "\n") : -ENOMEM;
}

/* The handle is freed by engine_wait_finish() alone: one that was never waited for is cancelled through a descriptor that is readable. */
static void drop_waiter(void *data) {
        struct engine_waiter **waiter = data;

        if (*waiter) {
                int ready[2];

                if (pipe(ready) == 0) {
                        int status;

                        fd_close(ready[1]);
                        engine_wait_finish(*waiter, ready[0], &status, NULL);
                        fd_close(ready[0]);
                }
        }
        free(waiter);
}

int handle_container_wait(struct request *q, struct err *err) {
        /* Clients start the container only when they have the header: each millisecond is one of `run`. */
        static const struct stream_kind kind = { .content_type = "application/json", .header_at_once = true };
        static const struct {
                const char *name;
                enum engine_wait condition;
        } conditions[] = {
                { "not-running", ENGINE_WAIT_NOT_RUNNING },
                { "next-exit", ENGINE_WAIT_NEXT_EXIT },
                { "removed", ENGINE_WAIT_REMOVED },
        };
        const char *name = query_get_text(&q->query, "condition");
        struct engine_waiter **waiter;
        struct stream *stream;
        size_t i = 0;
        int r;

        while (name && i < ARRAY_SIZE(conditions) && strcmp(name, conditions[i].name))
                i++;
        if (i == ARRAY_SIZE(conditions))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid condition: \"%.64s\"", name);
        waiter = calloc(1, sizeof(struct engine_waiter *));
        if (!waiter)
                return err_errno(err, -ENOMEM, "wait");
        r = engine_wait_begin(q->engine, q->name, conditions[i].condition, waiter, err);
        if (r < 0) {
                free(waiter);
                return r;
        }
        r = stream_start(q, &kind, stream_wait, waiter, drop_waiter, &stream, err);
        return r < 0 ? r : stream_answer(q, stream, err);
}

/* --- logs --- */

enum { LOGS_BUFFER = 32 << 10 };

struct logs {
        struct engine *engine;
        char *name;
        struct engine_logs what;
        bool framed;
        struct stream *stream;
        size_t used;
        char out[LOGS_BUFFER]; /* lines that go out in one write */
};

static void logs_free(void *data) {
        struct logs *l = data;

        free(l->name);
        free(l);
}

static int flush_logs(void *data) {
        struct logs *l = data;
        size_t n = l->used;

        l->used = 0;
        return n ? stream_write(l->stream, l->out, n) : 0;
}

static int write_log(int stream, const char *text, size_t size, void *data) {
        struct logs *l = data;
        size_t header = l->framed ? 8 : 0;
        int r = header + size > sizeof(l->out) - l->used ? flush_logs(l) : 0;

        if (r < 0)
                return r;
        if (l->framed)
                hijack_frame((unsigned char *) l->out + l->used, stream, (unsigned) size);
        l->used += header;
        if (size > sizeof(l->out) - l->used) {
                r = flush_logs(l);
                return r < 0 ? r : stream_write(l->stream, text, size);
        }
        memcpy(l->out + l->used, text, size);
        l->used += size;
        return 0;
}

static int stream_logs(struct stream *s, void *data, struct err *err) {
        struct logs *l = data;
        const struct engine_log_sink sink = { .line = write_log, .flush = flush_logs, .data = l };

        l->stream = s;
        return engine_logs(l->engine, l->name, &l->what, stream_cancel_fd(s), &sink, err);
}

static int parse_tail(const struct query *query, int64_t *ret, struct err *err) {
        const char *tail = query_get_text(query, "tail");

        *ret = -1;
        if (!tail || !strcmp(tail, "all"))
                return 0;
        return query_int(query, "tail", -1, INT_MAX, -1, ret, err);
}

static int parse_logs(const struct query *query, struct engine_logs *ret, struct err *err) {
        const struct {
                const char *name;
                bool *value;
        } flags[] = {
                { "stdout", &ret->stdout_ },
                { "stderr", &ret->stderr_ },
                { "follow", &ret->follow },
                { "timestamps", &ret->timestamps },
                { "details", &ret->details },
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(flags); i++)
                r = query_bool(query, flags[i].name, false, flags[i].value, err);
        if (r == 0)
                r = query_time(query, "since", &ret->since_ns, err);
        if (r == 0)
                r = query_time(query, "until", &ret->until_ns, err);
        if (r == 0)
                r = parse_tail(query, &ret->tail, err);
        if (r == 0 && !ret->stdout_ && !ret->stderr_)
                r = err_set(err, ERR_INVALID, -EINVAL, "Bad parameters: you must choose at least one stream");
        return r;
}

int handle_container_logs(struct request *q, struct err *err) {
        static const struct stream_kind raw = { .content_type = "application/vnd.docker.raw-stream" };
        static const struct stream_kind framed = { .content_type = "application/vnd.docker.multiplexed-stream" };
        struct logs *l = calloc(1, sizeof(*l));
        struct stream *stream;
        bool tty;
        int r;

        if (!l)
                return err_errno(err, -ENOMEM, "logs");
        l->engine = q->engine;
        r = parse_logs(&q->query, &l->what, err);
        if (r == 0)
                r = engine_attach_check(q->engine, q->name, &tty, err);
        if (r == 0) {
                l->framed = !tty;
                l->name = strdup(q->name);
                if (!l->name)
                        r = err_errno(err, -ENOMEM, "logs");
        }
        if (r < 0) {
                logs_free(l);
                return r;
        }
        r = stream_start(q, !tty && q->minor >= 42 ? &framed : &raw, stream_logs, l, logs_free, &stream, err);
        return r < 0 ? r : stream_answer(q, stream, err);
}

/* --- stats: one sample, or one a second, each with the CPU figures of the one before --- */

enum { STATS_INTERVAL_MS = 1000 };

struct stats {
        struct engine *engine;
        char *name;
        unsigned minor;
        bool follow;
        json_t *last;
};

static void stats_free(void *data) {
        struct stats *s = data;

        json_decref(s->last);
        free(s->name);
        free(s);
}

static int next_sample(struct stats *s, struct err *err) {
        json_t *sample = NULL;
        int r = engine_stats(s->engine, s->name, &sample, err);

        if (r < 0)
                return r;
        if (s->last) {
                json_object_set(sample, "precpu_stats", json_object_get(s->last, "cpu_stats"));
                json_object_set(sample, "preread", json_object_get(s->last, "read"));
                json_decref(s->last);
        }
        s->last = sample;
        return 0;
}

/* Of one that does not run there is nothing to wait for. */
static bool sample_is_live(const json_t *sample) {
        return json_object_get(json_object_get(sample, "cpu_stats"), "system_cpu_usage") != NULL;
}

static int write_sample(struct stream *s, const struct stats *stats) {
        auto_json *shown = json_copy(stats->last);

        version_apply(SHAPE_STATS, stats->minor, shown);
        return stream_write_json(s, shown, "\n");
}

static int stream_stats(struct stream *s, void *data, struct err *err) {
        struct stats *stats = data;
        struct pollfd cancelled = { .fd = stream_cancel_fd(s), .events = POLLIN };
        int r = next_sample(stats, err);

        if (r < 0)
                return r;
        /* A single one is worth something only with another to compare with. */
        if (!stats->follow && sample_is_live(stats->last)) {
                if (poll(&cancelled, 1, STATS_INTERVAL_MS) != 0)
                        return -ECANCELED;
                r = next_sample(stats, err);
                if (r < 0)
                        return r;
        }
        for (;;) {
                r = write_sample(s, stats);
                if (r < 0 || !stats->follow || poll(&cancelled, 1, STATS_INTERVAL_MS) != 0)
                        return r;
                r = next_sample(stats, err);
                /* Removed while it was watched: that is the end, not a failure. */
                if (r < 0)
                        return r == -ENOENT ? 0 : r;
        }
}

int handle_container_stats(struct request *q, struct err *err) {
        static const struct stream_kind kind = { .content_type = "application/json", .header_waits = true };
        bool follow, one_shot;
        struct stream *stream;
        struct stats *stats;
        json_t *sample = NULL;
        int r;

        r = query_bool(&q->query, "stream", true, &follow, err);
        if (r == 0)
                r = query_bool(&q->query, "one-shot", false, &one_shot, err);
        if (r == 0 && follow && one_shot)
                r = err_set(err, ERR_INVALID, -EINVAL, "cannot have stream=true and one-shot=true");
        if (r < 0)
                return r;
        if (one_shot) {
                r = engine_stats(q->engine, q->name, &sample, err);
                return r < 0 ? r : request_answer_shape(q, MHD_HTTP_OK, SHAPE_STATS, sample, err);
        }
        stats = calloc(1, sizeof(*stats));
        if (stats)
                *stats = (struct stats) { .engine = q->engine, .name = strdup(q->name), .minor = q->minor, .follow = follow };
        if (!stats || !stats->name) {
                free(stats);
                return err_errno(err, -ENOMEM, "stats");
        }
        r = stream_start(q, &kind, stream_stats, stats, stats_free, &stream, err);
        return r < 0 ? r : stream_answer(q, stream, err);
}
