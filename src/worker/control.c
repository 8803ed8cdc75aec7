/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "worker/job.h"

int control_receive(int fd, struct control_message *ret) {
        struct control_message m = { .n_fds = CONTROL_FDS_MAX };
        ssize_t n;

        m.text = malloc(WORKER_MESSAGE_MAX + 1);
        if (!m.text)
                return -ENOMEM;
        n = fd_recv(fd, m.text, WORKER_MESSAGE_MAX + 1, m.fds, &m.n_fds);
        if (n <= 0) {
                free(m.text);
                return n == -ECONNRESET ? 0 : (int) n;
        }
        m.size = (size_t) n;
        *ret = m;
        return 1;
}

void control_message_done(struct control_message *m) {
        for (size_t i = 0; i < m->n_fds; i++)
                fd_close(m->fds[i]);
        m->n_fds = 0;
        free(take_ptr(&m->text));
}

int control_parse(const struct control_message *m, json_t **ret, struct err *err) {
        auto_json *job = NULL;
        int r = json_parse(m->text, m->size, WORKER_MESSAGE_MAX, "worker: job", &job, err);

        if (r < 0)
                return r;
        if (!json_get_str(job, "op", NULL))
                return err_set(err, ERR_INVALID, -EINVAL, "worker: a job without \"op\"");
        *ret = take_ptr(&job);
        return 0;
}

int control_send(int fd, json_t *event) {
        auto_free char *text = event ? json_text(event) : NULL;

        json_decref(event);
        if (!text)
                return -ENOMEM;
        return fd_send(fd, text, strlen(text), NULL, 0);
}

json_t *control_text(const char *s) {
        json_t *text = json_string(s);
        auto_free char *plain = NULL;

        if (text)
                return text;
        plain = strdup(s);
        if (!plain)
                return NULL;
        for (char *p = plain; *p; p++)
                if ((unsigned char) *p >= 0x80)
                        *p = '?';
        return json_string(plain);
}

int control_send_error(int fd, int64_t id, const struct err *err) {
        json_t *event = json_pack("{s:s, s:s, s:o}", "event", "error", "kind", err_kind_name(err->kind), "message", control_text(err->msg));

        if (event && id >= 0)
                json_object_set_new(event, "id", json_integer(id));
        return control_send(fd, event);
}

bool control_progress_due(int64_t *last_ns) {
        struct timespec t;
        int64_t now;

        clock_gettime(CLOCK_MONOTONIC, &t);
        now = (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
        if (*last_ns != 0 && now - *last_ns < CONTROL_PROGRESS_NS)
                return false;
        *last_ns = now;
        return true;
}
