/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <signal.h>
#include <string.h>

#include "api/gate.h"
#include "api/handlers.h"
#include "api/server.h"
#include "base/json.h"
#include "engine/engine.h"

enum { GATE_TIMEOUT_MS = 2000 };

static int answer_done(struct request *q, int r) {
        return r < 0 ? r : request_answer_empty(q, MHD_HTTP_NO_CONTENT);
}

static void shape_entry(unsigned version, json_t *entry) {
        version_apply(SHAPE_CONTAINER_LIST, version, entry);
}

int handle_container_list(struct request *q, struct err *err) {
        auto_json *filters = NULL;
        struct engine_list_text how = { .version = q->minor, .shape = shape_entry };
        char *list = NULL;
        bool all, size;
        int64_t limit;
        int r;

        r = query_bool(&q->query, "all", false, &all, err);
        if (r == 0)
                r = query_bool(&q->query, "size", false, &size, err);
        if (r == 0)
                r = query_bool(&q->query, "brief", false, &how.brief, err); /* kist's own */
        if (r == 0)
                r = query_int(&q->query, "limit", -1, INT_MAX, 0, &limit, err);
        if (r == 0)
                r = query_filters(&q->query, &filters, err);
        if (r < 0)
                return r;
        /* The last N containers means whatever their state. */
        r = engine_list_text(q->engine, all || limit > 0, limit > 0 ? (int) limit : 0, size, filters, &how, &list, err);
        return r < 0 ? r : request_answer_text(q, MHD_HTTP_OK, list, err);
}

int handle_container_create(struct request *q, struct err *err) {
        const char *name = query_get_text(&q->query, "name"), *platform = query_get_text(&q->query, "platform");
        json_t *made = NULL;
        int r;

        if (!q->json)
                return err_set(err, ERR_INVALID, -EINVAL, "config cannot be empty in order to create a container");
        /* Names once came with a slash in front, and still do from inspect's answer. */
        if (name && *name == '/')
                name++;
        if (platform)
                json_object_set_new(q->json, "Platform", json_string(platform));
        version_apply(SHAPE_CREATE, q->minor, q->json);
        r = engine_create(q->engine, name, q->json, &made, err);
        return r < 0 ? r : request_answer_json(q, MHD_HTTP_CREATED, made, err);
}

int handle_container_inspect(struct request *q, struct err *err) {
        json_t *value = NULL;
        bool size;
        int r;

        r = query_bool(&q->query, "size", false, &size, err);
        if (r == 0)
                r = engine_inspect(q->engine, q->name, size, &value, err);
        return r < 0 ? r : request_answer_shape(q, MHD_HTTP_OK, SHAPE_CONTAINER, value, err);
}

int handle_container_start(struct request *q, struct err *err) {
        if (query_get_text(&q->query, "checkpoint"))
                return err_set(err, ERR_UNSUPPORTED, -ENOTSUP, "starting from a checkpoint is not supported by this version of kistd");
        gate_wait(server_gate(q->server), GATE_TIMEOUT_MS);
        return answer_done(q, engine_start(q->engine, q->name, err));
}

/* "TERM", "SIGTERM", "15", "RTMIN+3"; 0 when there is none. */
static int query_signal(const struct query *query, int *ret, struct err *err) {
        const char *given = query_get_text(query, "signal"), *name = given;
        uint64_t number;
        bool from_min;

        *ret = 0;
        if (!given)
                return 0;
        if (str_to_u64(name, 1, (uint64_t) SIGRTMAX, &number) == 0) {
                *ret = (int) number;
                return 0;
        }
        if (str_starts_with(name, "SIG"))
                name += 3;
        for (int i = 1; i < SIGRTMIN; i++)
                if (sigabbrev_np(i) && !strcmp(name, sigabbrev_np(i)))
                        *ret = i;
        from_min = str_starts_with(name, "RTMIN");
        if (from_min || str_starts_with(name, "RTMAX")) {
                if (!name[5])
                        *ret = from_min ? SIGRTMIN : SIGRTMAX;
                else if (name[5] == (from_min ? '+' : '-') && str_to_u64(name + 6, 0, (uint64_t) (SIGRTMAX - SIGRTMIN), &number) == 0)
                        *ret = from_min ? SIGRTMIN + (int) number : SIGRTMAX - (int) number;
        }
        return *ret ? 0 : err_set(err, ERR_INVALID, -EINVAL, "Invalid signal: %.64s", given);
}

static int stop_or_restart(struct request *q, int (*act)(struct engine *, const char *, int, int, struct err *), struct err *err) {
        int64_t timeout;
        int signal, r;

        /* −1 of the API is "for ever", which the engine calls −2; missing is the container's own. */
        r = query_int(&q->query, "t", INT_MIN, INT_MAX, INT64_MAX, &timeout, err);
        if (r == 0)
                r = query_signal(&q->query, &signal, err);
        if (r < 0)
                return r;
        return answer_done(q, act(q->engine, q->name, timeout == INT64_MAX ? -1 : timeout < 0 ? -2 : (int) timeout, signal, err));
}

int handle_container_stop(struct request *q, struct err *err) {
        return stop_or_restart(q, engine_stop, err);
}

int handle_container_restart(struct request *q, struct err *err) {
        return stop_or_restart(q, engine_restart, err);
}

int handle_container_kill(struct request *q, struct err *err) {
        const char *signal = query_get_text(&q->query, "signal");

        return answer_done(q, engine_kill(q->engine, q->name, signal ? signal : "KILL", err));
}

int handle_container_pause(struct request *q, struct err *err) {
        return answer_done(q, engine_pause(q->engine, q->name, true, err));
}

int handle_container_unpause(struct request *q, struct err *err) {
        return answer_done(q, engine_pause(q->engine, q->name, false, err));
}

int handle_container_rename(struct request *q, struct err *err) {
        const char *name = query_get_text(&q->query, "name");

        if (name && *name == '/')
                name++;
        if (!name || !*name)
                return err_set(err, ERR_INVALID, -EINVAL, "Neither old nor new names may be empty");
        return answer_done(q, engine_rename(q->engine, q->name, name, err));
}

int request_terminal_size(struct request *q, uint16_t *ret_rows, uint16_t *ret_columns, struct err *err) {
        int64_t rows, columns;
        int r;

        if (!query_get_text(&q->query, "h") || !query_get_text(&q->query, "w"))
                return err_set(err, ERR_INVALID, -EINVAL, "the size of the terminal needs both h and w");
        r = query_int(&q->query, "h", 0, UINT16_MAX, 0, &rows, err);
        if (r == 0)
                r = query_int(&q->query, "w", 0, UINT16_MAX, 0, &columns, err);
        if (r < 0)
                return r;
        *ret_rows = (uint16_t) rows;
        *ret_columns = (uint16_t) columns;
        return 0;
}

int handle_container_resize(struct request *q, struct err *err) {
        uint16_t rows, columns;
        int r;

        r = request_terminal_size(q, &rows, &columns, err);
        if (r == 0)
                r = engine_resize(q->engine, q->name, rows, columns, err);
        return r < 0 ? r : request_answer_empty(q, MHD_HTTP_OK);
}

int handle_container_remove(struct request *q, struct err *err) {
        bool force, volumes, link;
        int r;

        r = query_bool(&q->query, "force", false, &force, err);
        if (r == 0)
                r = query_bool(&q->query, "v", false, &volumes, err);
        if (r == 0)
                r = query_bool(&q->query, "link", false, &link, err);
        if (r < 0)
                return r;
        if (link)
                return err_set(err, ERR_UNSUPPORTED, -ENOTSUP, "links between containers are not supported");
        return answer_done(q, engine_remove(q->engine, q->name, force, volumes, err));
}

int handle_container_top(struct request *q, struct err *err) {
        json_t *value = NULL;
        int r = engine_top(q->engine, q->name, query_get_text(&q->query, "ps_args"), &value, err);

        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
}

int handle_container_update(struct request *q, struct err *err) {
        json_t *value = NULL;
        int r;

        if (q->json)
                version_apply(SHAPE_UPDATE, q->minor, q->json);
        r = engine_update(q->engine, q->name, request_object(q), &value, err);

        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
}

int handle_container_prune(struct request *q, struct err *err) {
        auto_json *filters = NULL;
        json_t *value = NULL;
        int r;

        r = query_filters(&q->query, &filters, err);
        if (r == 0)
                r = engine_prune(q->engine, filters, &value, err);
        return r < 0 ? r : request_answer_json(q, MHD_HTTP_OK, value, err);
}
