/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/attach.h"

#include <ctype.h>
#include <endian.h>
#include <fcntl.h>
#include <string.h>

#include "engine/db.h"
#include "engine/events.h"
#include "engine/internal.h"
#include "engine/monitors.h"
#include "engine/spec.h"

/* One key: "x" or "ctrl-x". Zero: no key. */
static uint8_t parse_key(const char *key) {
        static const char controls[] = "@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_";
        const char *at;

        if (strlen(key) == 1)
                return (uint8_t) *key;
        if (strncmp(key, "ctrl-", 5) != 0 || strlen(key) != 6)
                return 0;
        at = strchr(controls, toupper((unsigned char) key[5]));
        return at ? (uint8_t) (at - controls) : 0;
}

int attach_parse_detach_keys(const char *text, struct monitor_attach *ret, struct err *err) {
        auto_free char *copy = strdup(text && *text ? text : "ctrl-p,ctrl-q");
        char *save = NULL;

        ret->n_detach_keys = 0;
        for (char *key = copy ? strtok_r(copy, ",", &save) : NULL; key; key = strtok_r(NULL, ",", &save)) {
                uint8_t byte = parse_key(key);

                if (!byte || ret->n_detach_keys == ARRAY_SIZE(ret->detach_keys))
                        return err_set(err, ERR_INVALID, -EINVAL, "Invalid detach keys (%s) provided", text ? text : "");
                ret->detach_keys[ret->n_detach_keys++] = byte;
        }
        return 0;
}

static int read_tty(struct engine *e, struct container *c, bool *ret, struct err *err) {
        auto_json *body = NULL;
        int r = db_spec(e->db, c->row.id, &body, err);

        if (r == 0)
                *ret = json_get_bool(body, "Tty", false);
        return r;
}

int engine_attach_check(struct engine *e, const char *name, bool *ret_tty, struct err *err) {
        auto_container *c = NULL;
        struct container_row row;
        int r = table_find(&e->table, name, &c, err);

        if (r < 0)
                return r;
        container_peek(c, &row);
        if (row.state == CONTAINER_PAUSED)
                return err_set(err, ERR_CONFLICT, -EBUSY, "container %s is paused, unpause the container before attach", row.id);
        if (row.state == CONTAINER_RESTARTING)
                return err_set(err, ERR_CONFLICT, -EBUSY, "container %s is restarting, wait until the container is running", row.id);
        return read_tty(e, c, ret_tty, err);
}

/* What was logged so far, in the framing that the client expects, written by us before the monitor gets the stream. */
struct replay {
        int fd;
        bool framed;
};

static int replay_line(int stream, const char *data, size_t size, void *arg) {
        const struct replay *r = arg;
        uint8_t header[8] = { (uint8_t) stream };
        uint32_t length = htobe32((uint32_t) size);
        int n = 0;

        memcpy(header + 4, &length, sizeof(length));
        if (r->framed)
                n = fd_write_all(r->fd, header, sizeof(header));
        return n < 0 ? n : fd_write_all(r->fd, data, size);
}

static int keep_for_start(struct container *c, const struct monitor_attach *m, int stream_fd, struct err *err) {
        struct container_pending *grown;
        int fd, r = 0;

        fd = fcntl(stream_fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return err_errno(err, -errno, "attaching to container %.12s", c->row.id);
        pthread_mutex_lock(&c->lock);
        grown = c->n_pending < CONTAINER_PENDING_MAX ? reallocarray(c->pending, c->n_pending + 1, sizeof(*grown)) : NULL;
        if (grown) {
                c->pending = grown;
                c->pending[c->n_pending++] = (struct container_pending) { fd, *m };
        } else
                r = c->n_pending < CONTAINER_PENDING_MAX ? -ENOMEM : -EAGAIN;
        pthread_mutex_unlock(&c->lock);
        if (r == 0)
                return 0;
        fd_close(fd);
        if (r == -EAGAIN)
                return err_set(err, ERR_CONFLICT, r, "container %s: %d clients wait for its start already", c->row.name, CONTAINER_PENDING_MAX);
        return err_errno(err, r, "attaching to container %.12s", c->row.id);
}

int engine_attach(struct engine *e, const char *name, const struct engine_attach *a, int stream_fd, struct err *err) {
        struct monitor_attach m = { .header.type = MONITOR_ATTACH };
        auto_container *c = NULL;
        bool tty = false;
        int r = table_find(&e->table, name, &c, err);

        if (r < 0 || (r = read_tty(e, c, &tty, err)) < 0 || (r = attach_parse_detach_keys(a->detach_keys, &m, err)) < 0)
                return r;
        m.flags = (a->stdin_ ? MONITOR_ATTACH_STDIN : 0u) | (a->stdout_ ? MONITOR_ATTACH_STDOUT : 0u) | (a->stderr_ ? MONITOR_ATTACH_STDERR : 0u) |
                  (tty || a->unframed ? 0u : MONITOR_ATTACH_FRAMED);
        if (a->logs) {
                struct engine_logs logs = { .stdout_ = a->stdout_, .stderr_ = a->stderr_, .tail = -1 };
                struct replay replay = { stream_fd, !tty && !a->unframed };
                const struct engine_log_sink sink = { .line = replay_line, .data = &replay };

                r = engine_logs(e, c->row.id, &logs, -1, &sink, err);
                if (r < 0)
                        return r;
        }
        if (!a->stream)
                return 0;
        {
                auto_op *op = container_op_lock(c);
                auto_link *link = container_get_link(c);

                if (c->gone)
                        return err_set(err, ERR_NOT_FOUND, -ENOENT, "No such container: %s", name);
                r = link ? monitor_link_call(link, &m, sizeof(m), &stream_fd, 1, NULL, err) : keep_for_start(c, &m, stream_fd, err);
        }
        if (r == 0)
                events_container(c, "attach", NULL);
        return r;
}
