/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/command.h"

enum { ANSWER_MAX = 256 << 20, OBJECT_MAX = 4 << 20 };

static char *escape(const char *text, bool keep_slash) {
        static const char hex[] = "0123456789ABCDEF";
        char *escaped = malloc(strlen(text) * 3 + 1), *p = escaped;

        if (!escaped)
                abort();
        for (; *text; text++) {
                unsigned char c = (unsigned char) *text;

                if (isalnum(c) || strchr("-._~", c) || (keep_slash && (c == '/' || c == ':' || c == '@'))) {
                        *p++ = (char) c;
                } else {
                        *p++ = '%';
                        *p++ = hex[c >> 4];
                        *p++ = hex[c & 15];
                }
        }
        *p = '\0';
        return escaped;
}

char *path_escape(const char *text) {
        return escape(text, true);
}

void path_init(struct path *p, const char *format, ...) {
        char *text = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                abort();
        va_end(ap);
        *p = (struct path) { .text = str_format(CLIENT_API "%s", text) };
        free(text);
        if (!p->text)
                abort();
}

void path_done(struct path *p) {
        free(p->text);
        p->text = NULL;
}

void path_query(struct path *p, const char *key, const char *value) {
        auto_free char *escaped = NULL;
        char *longer;

        if (!value)
                return;
        escaped = escape(value, false);
        longer = str_format("%s%c%s=%s", p->text, p->has_query ? '&' : '?', key, escaped);
        if (!longer)
                abort();
        free(p->text);
        p->text = longer;
        p->has_query = true;
}

void path_query_flag(struct path *p, const char *key, bool value) {
        path_query(p, key, value ? "1" : NULL);
}

static enum err_kind kind_of_status(int status) {
        static const struct {
                int status;
                enum err_kind kind;
        } kinds[] = {
                { 304, ERR_NOT_MODIFIED }, { 400, ERR_INVALID },   { 401, ERR_UNAUTHORIZED }, { 403, ERR_DENIED },
                { 404, ERR_NOT_FOUND },    { 409, ERR_CONFLICT },  { 413, ERR_TOO_LARGE },    { 501, ERR_UNSUPPORTED },
                { 503, ERR_UNAVAILABLE },  { 507, ERR_NO_SPACE },
        };

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                if (kinds[i].status == status)
                        return kinds[i].kind;
        return ERR_INTERNAL;
}

static int read_all(struct http *h, struct strbuf *b, struct err *err) {
        char data[16384];
        ssize_t n;

        while ((n = http_read(h, data, sizeof(data), err)) > 0)
                strbuf_add(b, data, (size_t) n);
        if (n < 0)
                return (int) n;
        return strbuf_error(b) < 0 ? err_set(err, ERR_TOO_LARGE, strbuf_error(b), "the daemon's answer is too long") : 0;
}

int client_failed(struct http *h, struct err *err) {
        auto_json *answer = NULL;
        auto_strbuf b;
        int r;

        strbuf_init(&b, 1 << 20);
        r = read_all(h, &b, err);
        if (r < 0)
                return r;
        if (b.data && json_parse(b.data, b.size, b.max, "answer", &answer, NULL) == 0 && json_get_str(answer, "message", NULL))
                return err_set(err, kind_of_status(h->status), -EIO, "%s", json_get_str(answer, "message", ""));
        return err_set(err, kind_of_status(h->status), -EIO, "the daemon answered with status %d", h->status);
}

static int request(struct client *c, struct http *h, const char *method, const struct path *path, const json_t *body, bool upgrade,
                   struct err *err) {
        auto_free char *text = body ? json_text(body) : NULL;
        int r;

        r = http_connect(h, c->host, err);
        if (r < 0)
                return r;
        r = http_request(h, method, path->text, c->header, text, text ? strlen(text) : 0, upgrade, err);
        if (r < 0)
                return r;
        return h->status >= 400 ? client_failed(h, err) : 0;
}

int client_open(struct client *c, struct http *h, const char *method, const struct path *path, const json_t *body, struct err *err) {
        return request(c, h, method, path, body, false, err);
}

int client_hijack(struct client *c, struct http *h, const struct path *path, const json_t *body, struct err *err) {
        int r = request(c, h, "POST", path, body, true, err);

        if (r < 0)
                return r;
        if (h->status != 101)
                return err_set(err, ERR_UNAVAILABLE, -EPROTO, "the daemon did not open a stream (status %d)", h->status);
        return 0;
}

int client_call(struct client *c, const char *method, const struct path *path, const json_t *body, json_t **ret, struct err *err) {
        auto_http h = { .fd = -EBADF };
        auto_strbuf b;
        json_t *answer;
        int r;

        strbuf_init(&b, ANSWER_MAX);
        r = request(c, &h, method, path, body, false, err);
        if (r < 0)
                return r;
        if (h.status == 304)
                return err_set(err, ERR_NOT_MODIFIED, -EALREADY, "already so");
        r = read_all(&h, &b, err);
        if (r < 0 || !ret)
                return r;
        if (b.size == 0) {
                *ret = json_null();
                return 0;
        }
        r = json_parse(b.data, b.size, b.max, "the daemon's answer", &answer, err);
        if (r == 0)
                *ret = answer;
        return r;
}

int client_list(struct client *c, const struct path *path, item_fn item, void *data, struct err *err) {
        auto_http h = { .fd = -EBADF };
        char piece[sizeof(h.buffer)];
        size_t whole = 0;
        auto_items items;
        ssize_t n = 0;
        int r;

        items_init(&items, item, data, "the daemon's answer");
        r = request(c, &h, "GET", path, NULL, false, err);
        while (r == 0 && (n = http_read(&h, piece, sizeof(piece), err)) > 0) {
                whole += (size_t) n;
                r = whole > ANSWER_MAX ? err_set(err, ERR_TOO_LARGE, -E2BIG, "the daemon's answer is too long") : items_add(&items, piece, (size_t) n, err);
        }
        if (r < 0)
                return r;
        return n < 0 ? (int) n : items_end(&items, err);
}

int client_stream(struct http *h, int (*object)(json_t *object, void *data), void *data, struct err *err) {
        auto_strbuf line;
        char piece[16384];
        ssize_t n;

        /* kistd writes one object per line. */
        strbuf_init(&line, OBJECT_MAX);
        while ((n = http_read(h, piece, sizeof(piece), err)) > 0) {
                char *p = piece, *end = piece + n;

                while (p < end) {
                        char *newline = memchr(p, '\n', (size_t) (end - p));
                        auto_json *value = NULL;
                        int r;

                        strbuf_add(&line, p, (size_t) ((newline ? newline : end) - p));
                        if (!newline)
                                break;
                        p = newline + 1;
                        if (strbuf_error(&line) < 0)
                                return err_set(err, ERR_TOO_LARGE, -E2BIG, "the daemon sent an object that is too long");
                        if (line.size == 0 || (line.size == 1 && line.data[0] == '\r')) {
                                strbuf_done(&line);
                                continue;
                        }
                        r = json_parse(line.data, line.size, line.max, "the daemon's stream", &value, err);
                        strbuf_done(&line);
                        if (r == 0)
                                r = object(value, data);
                        if (r < 0)
                                return r;
                }
        }
        return (int) n;
}

int client_complain(const struct err *err, int status) {
        complain("%s", err->msg);
        return status;
}
