/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/handlers.h"
#include "api/hijack.h"
#include "api/status.h"
#include "base/json.h"
#include "engine/engine.h"

int handle_exec_create(struct request *q, struct err *err) {
        json_t *made = NULL;
        int r;

        if (q->json)
                version_apply(SHAPE_EXEC_CREATE, q->minor, q->json);
        r = engine_exec_create(q->engine, q->name, request_object(q), &made, err);

        return r < 0 ? r : request_answer_json(q, MHD_HTTP_CREATED, made, err);
}

int handle_exec_inspect(struct request *q, struct err *err) {
        json_t *value = NULL;
        int r = engine_exec_inspect(q->engine, q->name, &value, err);

        return r < 0 ? r : request_answer_shape(q, MHD_HTTP_OK, SHAPE_EXEC, value, err);
}

int handle_exec_resize(struct request *q, struct err *err) {
        uint16_t rows, columns;
        int r;

        r = request_terminal_size(q, &rows, &columns, err);
        if (r == 0)
                r = engine_exec_resize(q->engine, q->name, rows, columns, err);
        return r < 0 ? r : request_answer_empty(q, MHD_HTTP_OK);
}

/* "ConsoleSize": [rows, columns], or null. */
static int parse_size(const json_t *body, uint16_t ret[2], struct err *err) {
        const json_t *size = json_object_get(body, "ConsoleSize");

        ret[0] = ret[1] = 0;
        if (!size || json_is_null(size))
                return 0;
        for (size_t i = 0; i < 2; i++) {
                const json_t *n = json_array_get(size, i);

                if (!json_is_integer(n) || json_integer_value(n) < 0 || json_integer_value(n) > UINT16_MAX)
                        return err_set(err, ERR_INVALID, -EINVAL, "ConsoleSize is not a list of two numbers from 0 to 65535");
                ret[i] = (uint16_t) json_integer_value(n);
        }
        return 0;
}

static int connect_exec(struct request *q, void *data, int fd, struct err *err) {
        return engine_exec_attach(q->engine, q->name, fd, err);
}

/* The process that could not be started: its reason goes into the stream, and the client then asks for the exit code (126, 127). */
static int connect_failure(struct request *q, void *data, int fd, struct err *err) {
        const struct err *failure = data;

        *err = *failure;
        api_status_message(failure, err->msg, sizeof(err->msg));
        return err->num;
}

static int answer_failure(struct request *q, bool tty, const struct err *failure, struct err *err) {
        static const struct hijack_kind kind = { .connect = connect_failure, .free_data = free };
        struct err *copy = malloc(sizeof(*copy));

        if (!copy)
                return err_errno(err, -ENOMEM, "exec");
        *copy = *failure;
        return hijack_answer(q, &kind, !tty, copy, err);
}

int handle_exec_start(struct request *q, struct err *err) {
        static const struct hijack_kind kind = { .connect = connect_exec };
        const json_t *body = request_object(q);
        bool detach = json_get_bool(body, "Detach", false), tty = json_get_bool(body, "Tty", false), has_tty = tty, tried = false;
        struct err failure = { 0 };
        uint16_t size[2];
        int r;

        r = parse_size(body, size, err);
        for (size_t i = 0; i < 2 && r == 0; i++) {
                const char *name = i == 0 ? "Detach" : "Tty";
                const json_t *v = json_object_get(body, name);

                if (v && !json_is_boolean(v) && !json_is_null(v))
                        r = err_set(err, ERR_INVALID, -EINVAL, "%s: true or false is expected", name);
        }
        if (r < 0)
                return r;
        r = engine_exec_start(q->engine, q->name, detach, tty, size[0], size[1], &has_tty, &tried, &failure);
        if (r == 0)
                return detach ? request_answer_empty(q, MHD_HTTP_OK) : hijack_answer(q, &kind, !has_tty, NULL, err);
        if (!detach && tried)
                return answer_failure(q, tty, &failure, err);
        *err = failure;
        return r;
}
