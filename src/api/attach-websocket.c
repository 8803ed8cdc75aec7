/* SPDX-License-Identifier: Apache-2.0 */
/* GET /containers/NAME/attach/ws. The daemon stays in the path here: between the client, who speaks in frames, and the container, whose stream
 * is a socket pair of ours. Neither side waits for the other: what one does not take yet is kept, and the other is not read meanwhile. */

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "api/handlers.h"
#include "api/server.h"
#include "api/websocket.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/engine.h"

enum {
        BINARY_SINCE = 28, /* before, output came in text frames */
        FLAGS_SINCE = 42,  /* before, all three streams were attached whatever was asked */
        KEPT_MAX = 64 * 1024,
        END_GRACE_MS = 2000, /* for the client's last word after ours */
};

struct websocket_session {
        int container; /* our end of the pair */
        int stop_fd;   /* borrowed */
        bool text;
        struct websocket *frames;
        struct strbuf input; /* of the client, for the container */
        size_t input_at;
        char piece[16 * 1024]; /* of frames, for the client */
        size_t piece_size, piece_at;
        bool output_ended;
};

void websocket_session_free(struct websocket_session *s) {
        if (!s)
                return;
        fd_close(s->container);
        websocket_free(s->frames);
        strbuf_done(&s->input);
        free(s);
}

static void on_input(const void *data, size_t size, void *arg) {
        struct websocket_session *s = arg;

        strbuf_add(&s->input, data, size);
}

/* What is kept for one side is tried; 0, or −errno when that side is gone. */
static int flush_input(struct websocket_session *s) {
        while (s->input_at < s->input.size) {
                ssize_t n = send(s->container, s->input.data + s->input_at, s->input.size - s->input_at, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n < 0)
                        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
                s->input_at += (size_t) n;
        }
        s->input.size = s->input_at = 0;
        return strbuf_error(&s->input);
}

static int flush_output(struct websocket_session *s, int client) {
        for (;;) {
                ssize_t n;

                if (s->piece_at == s->piece_size) {
                        s->piece_at = 0;
                        s->piece_size = websocket_take(s->frames, s->piece, sizeof(s->piece));
                        if (s->piece_size == 0)
                                return 0;
                }
                n = send(client, s->piece + s->piece_at, s->piece_size - s->piece_at, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (n < 0)
                        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
                s->piece_at += (size_t) n;
        }
}

static bool has_output(struct websocket_session *s) {
        return s->piece_at < s->piece_size || websocket_has_output(s->frames);
}

static int read_client(struct websocket_session *s, int client) {
        char piece[16 * 1024];
        ssize_t n = recv(client, piece, sizeof(piece), MSG_DONTWAIT);

        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        if (n == 0)
                return -EPIPE;
        websocket_feed(s->frames, piece, (size_t) n); /* what is wrong with it is said in a close frame */
        return 0;
}

static int read_container(struct websocket_session *s) {
        char piece[16 * 1024];
        ssize_t n = recv(s->container, piece, sizeof(piece), MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n > 0)
                return websocket_say(s->frames, piece, (size_t) n, s->text);
        s->output_ended = true;
        websocket_say_end(s->frames);
        return 0;
}

static void serve(struct websocket_session *s, int client) {
        for (;;) {
                bool full = s->input.size - s->input_at >= KEPT_MAX || websocket_backlog(s->frames) >= KEPT_MAX;
                struct pollfd p[] = {
                        { .fd = client, .events = (short) ((full ? 0 : POLLIN) | (has_output(s) ? POLLOUT : 0)) },
                        { .fd = s->output_ended && s->input_at == s->input.size ? -1 : s->container,
                          .events = (short) ((s->output_ended || websocket_backlog(s->frames) >= KEPT_MAX ? 0 : POLLIN) | (s->input_at < s->input.size ? POLLOUT : 0)) },
                        { .fd = s->stop_fd, .events = POLLIN },
                };
                int n = poll(p, ARRAY_SIZE(p), s->output_ended && !has_output(s) ? END_GRACE_MS : -1);

                if ((n < 0 && errno != EINTR) || n == 0 || p[2].revents)
                        return;
                if (p[0].revents & (POLLERR | POLLHUP) || (p[0].revents & POLLIN && read_client(s, client) < 0))
                        return;
                /* A container that has no input (any more) takes none: what is said to it is gone. */
                if (flush_input(s) < 0)
                        s->input.size = s->input_at = 0;
                if (p[1].revents & (POLLIN | POLLHUP | POLLERR) && !s->output_ended && websocket_backlog(s->frames) < KEPT_MAX && read_container(s) < 0)
                        return;
                if (flush_output(s, client) < 0 || (websocket_is_over(s->frames) && !has_output(s)))
                        return;
        }
}

static void on_upgrade(void *arg, struct MHD_Connection *connection, void *request, const char *extra, size_t extra_size, MHD_socket fd,
                       struct MHD_UpgradeResponseHandle *handle) {
        struct websocket_session *s = arg;

        if (extra_size > 0)
                websocket_feed(s->frames, extra, extra_size);
        if (flush_input(s) == 0)
                serve(s, fd);
        MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}

/* A page of another site, in a browser that can reach this daemon, has the user's network but not his consent. */
static bool is_foreign_origin(struct request *q) {
        const char *origin = request_header(q, "Origin"), *host = request_header(q, MHD_HTTP_HEADER_HOST), *name;

        if (!origin)
                return false;
        name = strstr(origin, "://");
        return !name || !host || strcasecmp(name + 3, host) != 0;
}

static int check_handshake(struct request *q, char ret_key[29], struct err *err) {
        const char *connection = request_header(q, MHD_HTTP_HEADER_CONNECTION), *upgrade = request_header(q, MHD_HTTP_HEADER_UPGRADE);
        const char *version = request_header(q, "Sec-WebSocket-Version"), *key = request_header(q, "Sec-WebSocket-Key");

        if (!connection || !strcasestr(connection, "upgrade") || !upgrade || strcasecmp(upgrade, "websocket"))
                return err_set(err, ERR_INVALID, -EINVAL, "not a websocket: the headers Connection: Upgrade and Upgrade: websocket are expected");
        if (!version || strcmp(version, "13"))
                return err_set(err, ERR_INVALID, -EINVAL, "websocket: only version 13 is spoken here");
        if (!key || !websocket_accept_key(key, ret_key))
                return err_set(err, ERR_INVALID, -EINVAL, "websocket: Sec-WebSocket-Key is not 16 bytes in base64");
        if (is_foreign_origin(q))
                return err_set(err, ERR_DENIED, -EACCES, "websocket: requests of other sites' pages are refused");
        return 0;
}

static int read_flags(struct request *q, struct engine_attach *ret, struct err *err) {
        const struct {
                const char *name;
                bool *value;
        } flags[] = {
                { "stdin", &ret->stdin_ },
                { "stdout", &ret->stdout_ },
                { "stderr", &ret->stderr_ },
                { "logs", &ret->logs },
                { "stream", &ret->stream },
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(flags); i++)
                r = query_bool(&q->query, flags[i].name, false, flags[i].value, err);
        if (q->minor < FLAGS_SINCE)
                ret->stdin_ = ret->stdout_ = ret->stderr_ = true;
        ret->unframed = true;
        ret->detach_keys = query_get_text(&q->query, "detachKeys");
        return r;
}

/* Before the answer goes out the stream is the container's already: whoever starts it when he has the answer misses nothing. */
static int open_session(struct request *q, const struct engine_attach *a, struct websocket_session *s, struct err *err) {
        auto_fd theirs = -EBADF;
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return err_errno(err, -errno, "socket pair");
        s->container = pair[0];
        theirs = pair[1];
        if (websocket_new(on_input, s, &s->frames) < 0)
                return err_errno(err, -ENOMEM, "websocket");
        return engine_attach(q->engine, q->name, a, theirs, err);
}

int handle_container_attach_websocket(struct request *q, struct err *err) {
        struct engine_attach a = {};
        struct websocket_session *s;
        struct MHD_Response *response;
        char key[29];
        bool tty;
        int r;

        if ((r = check_handshake(q, key, err)) < 0 || (r = read_flags(q, &a, err)) < 0 || (r = engine_attach_check(q->engine, q->name, &tty, err)) < 0)
                return r;
        s = calloc(1, sizeof(*s));
        if (!s)
                return err_errno(err, -ENOMEM, "websocket");
        q->websocket = s; /* freed with the request */
        s->container = -EBADF;
        s->stop_fd = server_stop_fd(q->server);
        s->text = q->minor < BINARY_SINCE;
        strbuf_init(&s->input, 2 * KEPT_MAX);
        r = open_session(q, &a, s, err);
        if (r < 0)
                return r;
        response = MHD_create_response_for_upgrade(on_upgrade, s);
        if (!response)
                return err_errno(err, -ENOMEM, "websocket");
        MHD_add_response_header(response, MHD_HTTP_HEADER_UPGRADE, "websocket");
        MHD_add_response_header(response, "Sec-WebSocket-Accept", key);
        return request_answer(q, MHD_HTTP_SWITCHING_PROTOCOLS, response);
}
