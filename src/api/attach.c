/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/handlers.h"
#include "api/hijack.h"
#include "base/mem.h"
#include "engine/engine.h"

static int connect_attach(struct request *q, void *data, int fd, struct err *err) {
        return engine_attach(q->engine, q->name, data, fd, err);
}

int handle_container_attach(struct request *q, struct err *err) {
        static const struct hijack_kind kind = { .connect = connect_attach, .free_data = free };
        struct engine_attach *a = calloc(1, sizeof(*a));
        bool tty;
        int r = 0;

        if (!a)
                return err_errno(err, -ENOMEM, "attach");
        const struct {
                const char *name;
                bool *value;
        } flags[] = {
                { "stdin", &a->stdin_ },
                { "stdout", &a->stdout_ },
                { "stderr", &a->stderr_ },
                { "logs", &a->logs },
                { "stream", &a->stream },
        };

        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(flags); i++)
                r = query_bool(&q->query, flags[i].name, false, flags[i].value, err);
        if (r == 0)
                r = engine_attach_check(q->engine, q->name, &tty, err);
        if (r < 0) {
                free(a);
                return r;
        }
        a->detach_keys = query_get_text(&q->query, "detachKeys"); /* lives as long as the request */
        return hijack_answer(q, &kind, !tty, a, err);
}
