/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "api/cutoff.h"
#include "api/gate.h"
#include "api/handlers.h"
#include "api/hijack.h"
#include "api/limits.h"
#include "api/request.h"
#include "api/server.h"
#include "api/upload.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"

struct api_server {
        struct engine *engine;
        const struct route *routes;
        size_t n_routes;
        struct gate gate;
        struct cutoff cutoff;
        struct api_limits limits;
        int stop_fd;
        struct MHD_Daemon **listeners; /* one for each socket */
        size_t n_listeners;
        pthread_mutex_t lock;
        pthread_cond_t idle;
        unsigned busy; /* lock; requests whose answer is not yet sent */
        bool stopping; /* lock */
};

int server_stop_fd(const struct api_server *s) {
        return s->stop_fd;
}

struct gate *server_gate(struct api_server *s) {
        return &s->gate;
}

/* --- a connection's time --- */

static void on_connection(void *arg, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode code) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct api_server *s = arg;
        struct cutoff_entry *e;

        if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
                e = *context;
                if (e)
                        cutoff_leave(&s->cutoff, e);
                free(e);
                return;
        }
        e = malloc(sizeof(*e));
        *context = e;
        if (!e) {
                shutdown(info->connect_fd, SHUT_RDWR);
                return;
        }
        cutoff_enter(&s->cutoff, e, info->connect_fd);
        cutoff_set(&s->cutoff, e, s->limits.header);
}

/* Cut the connection off in that time from now; 0: do not. */
static void give_time(struct api_server *s, struct MHD_Connection *connection, unsigned seconds) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

        if (info && info->socket_context)
                cutoff_set(&s->cutoff, info->socket_context, seconds);
}

/* --- who is being answered --- */

/* false: nobody is answered any more. */
static bool busy_begin(struct request *q) {
        struct api_server *s = q->server;
        bool stopping;

        if (q->busy)
                return true;
        pthread_mutex_lock(&s->lock);
        stopping = s->stopping;
        s->busy += !stopping;
        pthread_mutex_unlock(&s->lock);
        q->busy = !stopping;
        return !stopping;
}

static void busy_end(struct request *q) {
        struct api_server *s = q->server;

        if (!q->busy)
                return;
        q->busy = false;
        pthread_mutex_lock(&s->lock);
        if (--s->busy == 0)
                pthread_cond_broadcast(&s->idle);
        pthread_mutex_unlock(&s->lock);
}

/* --- one request --- */

static void request_free(struct request *q) {
        hijack_free(q->hijack);
        image_upload_free(q->upload);
        websocket_session_free(q->websocket);
        json_decref(q->json);
        strbuf_done(&q->body);
        free(q->name);
        free(q);
}

static enum MHD_Result take_query_arg(void *arg, enum MHD_ValueKind kind, const char *key, size_t key_size, const char *value,
                                      size_t value_size) {
        struct request *q = arg;

        if (q->query.n == QUERY_ARGS_MAX) {
                err_set(&q->early, ERR_INVALID, -E2BIG, "more than %d query parameters", QUERY_ARGS_MAX);
                return MHD_NO;
        }
        q->query.args[q->query.n].key = key;
        q->query.args[q->query.n++].value = value ? value : "";
        return MHD_YES;
}

static int find_route(struct request *q, const char *method, const char *url, struct err *err) {
        const char *path, *capture;
        size_t size;
        int r;

        r = route_version(url, &q->minor, &path, err);
        if (r < 0)
                return r;
        q->route = route_find(q->server->routes, q->server->n_routes, method, path, q->minor, &capture, &size);
        if (!q->route)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "page not found");
        if (capture) {
                q->name = strndup(capture, size);
                if (!q->name)
                        return err_errno(err, -ENOMEM, "request");
        }
        return 0;
}

static int check_content_length(struct request *q, struct err *err) {
        const char *text = request_header(q, MHD_HTTP_HEADER_CONTENT_LENGTH);
        uint64_t size;

        /* A length that is no number is libmicrohttpd's to refuse. */
        if (!text || q->route->body == ROUTE_BODY_UPLOAD || str_to_u64(text, 0, UINT64_MAX, &size) < 0 || size <= SERVER_BODY_MAX)
                return 0;
        return err_set(err, ERR_TOO_LARGE, -EFBIG, "request body is longer than %d bytes", SERVER_BODY_MAX);
}

/* It may take long, as long as it moves. */
static bool is_upload(const struct request *q) {
        return q->early.kind == ERR_NONE && q->upload;
}

static struct request *request_new(struct api_server *s, struct MHD_Connection *connection, const char *method, const char *url) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct request *q = calloc(1, sizeof(*q));
        int r;

        if (!q)
                return NULL;
        q->server = s;
        q->engine = s->engine;
        q->connection = connection;
        q->socket_fd = info ? info->connect_fd : -EBADF;
        q->queued = MHD_NO;
        strbuf_init(&q->body, SERVER_BODY_MAX);
        r = find_route(q, method, url, &q->early);
        if (r == 0)
                r = check_content_length(q, &q->early);
        if (r == 0)
                MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, take_query_arg, q);
        if (q->early.kind == ERR_NONE && q->route->body == ROUTE_BODY_UPLOAD)
                q->route->upload->begin(q, &q->early);
        give_time(s, connection, is_upload(q) ? 0 : s->limits.body);
        return q;
}

/* One piece of the body. After an error the rest is read and forgotten, so that the client comes to read its answer; a client that goes on
 * past all measure is cut off. */
static enum MHD_Result take_body(struct request *q, const char *data, size_t size) {
        bool upload = is_upload(q);

        q->body_size += size;
        if (!upload && q->body_size > 2 * (uint64_t) SERVER_BODY_MAX)
                return MHD_NO;
        if (q->early.kind != ERR_NONE)
                return MHD_YES;
        if (upload) {
                if ((q->route->upload->feed(q, data, size, &q->early) < 0 || upload_is_over(q)) && !q->hurried) {
                        give_time(q->server, q->connection, q->server->limits.body);
                        q->hurried = true;
                }
        } else if (q->route->body == ROUTE_BODY_JSON) {
                strbuf_add(&q->body, data, size);
                if (strbuf_error(&q->body) < 0)
                        err_set(&q->early, ERR_TOO_LARGE, -EFBIG, "request body is longer than %d bytes", SERVER_BODY_MAX);
        }
        return MHD_YES;
}

static int parse_body(struct request *q, struct err *err) {
        const char *type = request_header(q, MHD_HTTP_HEADER_CONTENT_TYPE);
        size_t n = type ? strcspn(type, "; ") : 0;
        json_t *value = NULL;
        int r;

        if (q->body.size == 0)
                return 0;
        /* Go's clients say nothing in this way, with a newline or without. */
        if (q->body.size <= strlen("null\n") && str_starts_with(q->body.data, "null"))
                return 0;
        if (n != strlen("application/json") || strncasecmp(type, "application/json", n))
                return err_set(err, ERR_INVALID, -EINVAL, "unsupported Content-Type header (%.64s): must be 'application/json'", type ? type : "");
        r = json_parse(q->body.data, q->body.size, SERVER_BODY_MAX, "request body", &value, err);
        if (r < 0)
                return r;
        if (json_is_object(value)) {
                q->json = value;
                return 0;
        }
        r = json_is_null(value) ? 0 : err_set(err, ERR_INVALID, -EINVAL, "request body is not a JSON object");
        json_decref(value);
        return r;
}

static int handle(struct request *q, struct err *err) {
        if (q->early.kind != ERR_NONE) {
                *err = q->early;
                return err->num;
        }
        if (q->route->refusal) {
                return request_answer_json(q, q->route->status, json_pack("{s:s}", "message", q->route->refusal), err);
        }
        if (q->route->body == ROUTE_BODY_JSON) {
                int r = parse_body(q, err);

                if (r < 0)
                        return r;
                strbuf_done(&q->body);
        }
        return q->route->handle(q, err);
}

static enum MHD_Result answer(struct request *q, const char *method, const char *url) {
        struct err err = { 0 };

        if (!busy_begin(q))
                return MHD_NO;
        /* From here on the engine may take its time. */
        request_set_timeout(q, 0);
        give_time(q->server, q->connection, 0);
        if (handle(q, &err) < 0) {
                log_debug("%s %s: %s", method, url, err.msg);
                if (!q->answered)
                        request_answer_error(q, &err);
        }
        /* A stream goes on elsewhere, as long as it likes. */
        if (q->hijack || q->websocket)
                busy_end(q);
        return q->queued;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                                  const char *data, size_t *size, void **context) {
        struct request *q = *context;

        if (!q) {
                q = *context = request_new(arg, connection, method, url);
                if (!q)
                        return MHD_NO;
                /* So large that reading it would be waste: answered before it comes, and the connection ends with that. */
                return q->early.kind == ERR_TOO_LARGE ? answer(q, method, url) : MHD_YES;
        }
        if (*size > 0) {
                size_t n = *size;

                *size = 0;
                return take_body(q, data, n);
        }
        /* Called again after the answer was queued early: nothing is left to do. */
        return q->answered ? MHD_YES : answer(q, method, url);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode code) {
        struct request *q = *context;

        if (!q)
                return;
        MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, q->server->limits.idle);
        /* A hijacked socket is not ours any more. */
        if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK && !q->hijack && !q->websocket)
                give_time(q->server, connection, q->server->limits.header);
        busy_end(q);
        *context = NULL;
        request_free(q);
}

/* --- the server --- */

static int hex(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place. "%00" stays as it is: a decoded NUL would cut a name short, and another object would be meant. */
static size_t unescape(void *arg, struct MHD_Connection *connection, char *text) {
        char *to = text;

        for (const char *from = text; *from; from++) {
                int high = *from == '%' ? hex(from[1]) : -1, low = high >= 0 ? hex(from[2]) : -1;

                if (low >= 0 && (high | low) != 0) {
                        *to++ = (char) (high << 4 | low);
                        from += 2;
                } else {
                        *to++ = *from;
                }
        }
        *to = '\0';
        return (size_t) (to - text);
}

static void on_log(void *arg, const char *format, va_list ap) {
        char line[512];

        vsnprintf(line, sizeof(line), format, ap);
        /* A stream that is cut because its client went away, or on purpose, is everyday life. */
        if (str_starts_with(line, "Closing connection") && strstr(line, "application"))
                return;
        line[strcspn(line, "\n")] = '\0';
        log_debug("http: %s", line);
}

static struct MHD_Daemon *start_listener(struct api_server *s, int fd) {
        /* Without a socket it serves what is given to it, over TLS. */
        return MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_ALLOW_UPGRADE |
                                        MHD_USE_ERROR_LOG | MHD_USE_ITC | (fd < 0 ? MHD_USE_NO_LISTEN_SOCKET : 0),
                                0, NULL, NULL, on_request, s,
                                MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, /* first, or the others' errors are not seen */
                                MHD_OPTION_LISTEN_SOCKET, fd,
                                MHD_OPTION_THREAD_STACK_SIZE, (size_t) SERVER_STACK_SIZE,
                                MHD_OPTION_CONNECTION_LIMIT, s->limits.connections,
                                MHD_OPTION_CONNECTION_TIMEOUT, s->limits.idle,
                                MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) 64 * 1024,
                                MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
                                MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
                                MHD_OPTION_UNESCAPE_CALLBACK, unescape, s,
                                MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
                                MHD_OPTION_END);
}

int server_start(struct engine *engine, const struct server_table *table, const int *listen_fds, size_t n_listen_fds, struct api_server **ret, struct err *err) {
        struct api_server *s = calloc(1, sizeof(*s));
        size_t taken = 0;
        int r;

        if (!s)
                return err_errno(err, -ENOMEM, "server");
        s->engine = engine;
        s->routes = table->routes;
        s->n_routes = table->n;
        s->limits = api_limits();
        if (table->connections && table->connections < s->limits.connections)
                s->limits.connections = table->connections;
        gate_init(&s->gate);
        pthread_mutex_init(&s->lock, NULL);
        pthread_cond_init(&s->idle, NULL);
        s->listeners = calloc(n_listen_fds + 1, sizeof(struct MHD_Daemon *));
        s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (!s->listeners || s->stop_fd < 0) {
                r = err_errno(err, -ENOMEM, "server");
                goto failed;
        }
        r = cutoff_init(&s->cutoff, err);
        if (r < 0)
                goto failed;
        for (; taken < n_listen_fds; taken++) {
                struct MHD_Daemon *d = start_listener(s, listen_fds[taken]);

                if (!d) {
                        r = err_set(err, ERR_INTERNAL, -EIO, "cannot start the HTTP server");
                        goto failed;
                }
                s->listeners[s->n_listeners++] = d;
        }
        if (n_listen_fds == 0) {
                s->listeners[0] = start_listener(s, -1);
                s->n_listeners = s->listeners[0] ? 1 : 0;
                if (!s->listeners[0]) {
                        r = err_set(err, ERR_INTERNAL, -EIO, "cannot start the HTTP server");
                        goto failed;
                }
        }
        *ret = s;
        return 0;
failed:
        for (; taken < n_listen_fds; taken++)
                fd_close(listen_fds[taken]);
        api_server_stop(s);
        return r;
}

int api_server_start(struct engine *engine, const int *listen_fds, size_t n_listen_fds, struct api_server **ret, struct err *err) {
        return server_start(engine, &(struct server_table) { .routes = api_routes, .n = api_n_routes }, listen_fds, n_listen_fds, ret, err);
}

int api_server_adopt(struct api_server *s, int fd) {
        const struct sockaddr address = { .sa_family = AF_UNIX };

        return MHD_add_connection(s->listeners[0], fd, &address, sizeof(address)) == MHD_YES ? 0 : -ECONNABORTED;
}

/* What is being done is done to the end, and its answer sent: MHD_stop_daemon() cuts all connections. */
static void drain(struct api_server *s) {
        for (size_t i = 0; i < s->n_listeners; i++) {
                MHD_socket fd = MHD_quiesce_daemon(s->listeners[i]);

                if (fd != MHD_INVALID_SOCKET)
                        fd_close(fd);
        }
        pthread_mutex_lock(&s->lock);
        s->stopping = true;
        while (s->busy > 0)
                pthread_cond_wait(&s->idle, &s->lock);
        pthread_mutex_unlock(&s->lock);
}

void api_server_stop(struct api_server *s) {
        uint64_t one = 1;

        if (!s)
                return;
        if (s->stop_fd >= 0)
                fd_write_all(s->stop_fd, &one, sizeof(one));
        drain(s);
        for (size_t i = 0; i < s->n_listeners; i++)
                MHD_stop_daemon(s->listeners[i]);
        cutoff_done(&s->cutoff);
        fd_close(s->stop_fd);
        free(s->listeners);
        gate_done(&s->gate);
        pthread_cond_destroy(&s->idle);
        pthread_mutex_destroy(&s->lock);
        free(s);
}
