/* SPDX-License-Identifier: Apache-2.0 */
#include "api/request.h"

#include <stdlib.h>
#include <string.h>

#include "api/status.h"
#include "base/json.h"
#include "engine/engine.h"

/* On every answer, as the stock server has them: clients learn the version that they may speak from them. */
static const char *const common_headers[][2] = {
        { "Api-Version", ENGINE_API_VERSION },
        { "Docker-Experimental", "false" },
        { "Ostype", "linux" },
        { "Server", "Kist/" KIST_VERSION " (linux)" },
};

void request_set_timeout(struct request *q, unsigned seconds) {
        MHD_set_connection_option(q->connection, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

const char *request_header(struct request *q, const char *name) {
        return MHD_lookup_connection_value(q->connection, MHD_HEADER_KIND, name);
}

int request_answer(struct request *q, unsigned status, struct MHD_Response *response) {
        for (size_t i = 0; i < ARRAY_SIZE(common_headers); i++)
                MHD_add_response_header(response, common_headers[i][0], common_headers[i][1]);
        q->queued = MHD_queue_response(q->connection, status, response);
        q->answered = true;
        MHD_destroy_response(response);
        return 0;
}

/* text is malloc()ed and stolen. */
static int answer_text(struct request *q, unsigned status, char *text, size_t size) {
        struct MHD_Response *response = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);

        if (!response) {
                free(text);
                return -ENOMEM;
        }
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
        /* A client that does not take its answer must not keep a thread for ever. */
        request_set_timeout(q, 60);
        return request_answer(q, status, response);
}

int request_answer_text(struct request *q, unsigned status, char *text, struct err *err) {
        size_t size = text ? strlen(text) : 0;

        if (!text)
                return err_errno(err, -ENOMEM, "answer");
        text[size] = '\n'; /* in the place of the NUL: the buffer has a size */
        if (answer_text(q, status, text, size + 1) < 0)
                return err_errno(err, -ENOMEM, "answer");
        return 0;
}

int request_answer_json(struct request *q, unsigned status, json_t *value, struct err *err) {
        auto_json *owned = value;

        return request_answer_text(q, status, owned ? json_text(owned) : NULL, err);
}

int request_answer_shape(struct request *q, unsigned status, enum version_shape shape, json_t *value, struct err *err) {
        version_apply(shape, q->minor, value);
        return request_answer_json(q, status, value, err);
}

int request_answer_empty(struct request *q, unsigned status) {
        struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);

        if (!response)
                return -ENOMEM;
        return request_answer(q, status, response);
}

void request_answer_error(struct request *q, const struct err *err) {
        unsigned status = api_status_of(err->kind);
        char message[sizeof(err->msg)];
        json_t *text;

        if (status == MHD_HTTP_NOT_MODIFIED) {
                request_answer_empty(q, status);
                return;
        }
        api_status_message(err, message, sizeof(message));
        text = json_string(message);
        if (!text) {
                /* Not UTF-8 (a file's name, say): still a message. */
                for (char *c = message; *c; c++)
                        if ((unsigned char) *c >= 0x80)
                                *c = '?';
                text = json_string(message);
        }
        request_answer_json(q, status, json_pack("{s:o}", "message", text), NULL);
}

const json_t *request_object(struct request *q) {
        if (!q->json)
                q->json = json_object();
        return q->json;
}
