/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/host.h"

static const char *more_headers = "";

void http_set_headers(const char *lines) {
        more_headers = lines;
}

int http_connect(struct http *h, const char *host, struct err *err) {
        h->fd = -EBADF;
        h->start = h->end = 0;
        return host_open(host, &h->fd, err);
}

void http_close(struct http *h) {
        h->fd = fd_close(h->fd);
}

static int fill(struct http *h, struct err *err) {
        ssize_t n;

        if (h->start == h->end)
                h->start = h->end = 0;
        if (h->end == sizeof(h->buffer)) {
                if (h->start == 0)
                        return err_set(err, ERR_UNAVAILABLE, -EPROTO, "the daemon's answer has a line that is too long");
                memmove(h->buffer, h->buffer + h->start, h->end - h->start);
                h->end -= h->start;
                h->start = 0;
        }
        do
                n = recv(h->fd, h->buffer + h->end, sizeof(h->buffer) - h->end, 0);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return err_errno(err, -errno, "reading from the daemon");
        h->end += (size_t) n;
        return (int) n;
}

/* One line without its CRLF, NUL-terminated in the buffer; valid until the next read. */
static int read_line(struct http *h, char **ret, struct err *err) {
        for (;;) {
                char *from = h->buffer + h->start, *newline = memchr(from, '\n', h->end - h->start);
                int n;

                if (newline) {
                        h->start = (size_t) (newline - h->buffer) + 1;
                        if (newline > from && newline[-1] == '\r')
                                newline--;
                        *newline = '\0';
                        *ret = from;
                        return 0;
                }
                n = fill(h, err);
                if (n < 0)
                        return n;
                if (n == 0)
                        return err_set(err, ERR_UNAVAILABLE, -ECONNRESET, "the daemon closed the connection before it answered");
        }
}

static const char *header_value(const char *line, const char *name) {
        size_t n = strlen(name);

        if (strncasecmp(line, name, n) != 0 || line[n] != ':')
                return NULL;
        line += n + 1;
        return line + strspn(line, " \t");
}

static int read_head(struct http *h, struct err *err) {
        const char *value;
        uint64_t length = 0;
        char *line = NULL;
        int r;

        r = read_line(h, &line, err);
        if (r < 0)
                return r;
        if (sscanf(line, "HTTP/1.%*1d %3d", &h->status) != 1)
                return err_set(err, ERR_UNAVAILABLE, -EPROTO, "what answers at the socket does not speak HTTP");
        h->content_type[0] = h->wanted[0] = '\0';
        h->body = HTTP_BODY_UNTIL_CLOSE;
        h->left = 0;
        h->chunk_open = false;
        for (;;) {
                r = read_line(h, &line, err);
                if (r < 0)
                        return r;
                if (!*line)
                        break;
                if ((value = header_value(line, "Content-Type")))
                        snprintf(h->content_type, sizeof(h->content_type), "%s", value);
                else if (h->want && (value = header_value(line, h->want)))
                        snprintf(h->wanted, sizeof(h->wanted), "%s", value);
                else if ((value = header_value(line, "Transfer-Encoding")) && strcasecmp(value, "chunked") == 0)
                        h->body = HTTP_BODY_CHUNKED;
                else if ((value = header_value(line, "Content-Length")) && h->body != HTTP_BODY_CHUNKED &&
                         str_to_u64(value, 0, SIZE_MAX, &length) == 0) {
                        h->body = HTTP_BODY_LENGTH;
                        h->left = length;
                }
        }
        if (h->status == 101 || h->status == 204 || h->status == 304)
                h->body = HTTP_BODY_NONE;
        return 0;
}

static int send_head(struct http *h, const char *method, const char *path, const char *extra_header, const char *body_headers,
                     bool upgrade, const char *body, size_t size, struct err *err) {
        auto_strbuf head;
        int r;

        strbuf_init(&head, 65536);
        strbuf_addf(&head, "%s %s HTTP/1.1\r\nHost: kist\r\nUser-Agent: kist/" KIST_VERSION "\r\n", method, path);
        if (upgrade)
                strbuf_adds(&head, "Connection: Upgrade\r\nUpgrade: tcp\r\n");
        if (extra_header)
                strbuf_addf(&head, "%s\r\n", extra_header);
        strbuf_adds(&head, more_headers);
        strbuf_addf(&head, "%s\r\n", body_headers);
        if (size > 0 && size < 32768)
                strbuf_add(&head, body, size);
        r = strbuf_error(&head);
        if (r < 0)
                return err_set(err, ERR_INVALID, r, "the request is too long");
        r = fd_write_all(h->fd, head.data, head.size);
        if (r == 0 && size >= 32768)
                r = fd_write_all(h->fd, body, size);
        if (r < 0)
                return err_errno(err, r, "writing to the daemon");
        return 0;
}

int http_request(struct http *h, const char *method, const char *path, const char *extra_header, const char *body, size_t size,
                 bool upgrade, struct err *err) {
        char body_headers[96] = "";
        int r;

        if (body)
                snprintf(body_headers, sizeof(body_headers), "Content-Type: application/json\r\nContent-Length: %zu\r\n", size);
        else if (strcmp(method, "POST") == 0)
                snprintf(body_headers, sizeof(body_headers), "Content-Length: 0\r\n");
        r = send_head(h, method, path, extra_header, body_headers, upgrade, body, body ? size : 0, err);
        return r < 0 ? r : read_head(h, err);
}

int http_request_from_fd(struct http *h, const char *method, const char *path, int body_fd, struct err *err) {
        char chunk[32768];
        int r = send_head(h, method, path, NULL, "Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n", false, NULL, 0, err);

        while (r == 0) {
                char size[24];
                ssize_t n = read(body_fd, chunk, sizeof(chunk));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_errno(err, -errno, "reading the input");
                snprintf(size, sizeof(size), "%zx\r\n", (size_t) n);
                r = fd_write_all(h->fd, size, strlen(size));
                if (r == 0)
                        r = fd_write_all(h->fd, chunk, (size_t) n);
                if (r == 0)
                        r = fd_write_all(h->fd, "\r\n", 2);
                if (n == 0)
                        break;
        }
        /* The daemon may have answered and stopped reading in the middle: its answer says why. */
        if (r < 0 && r != -EPIPE && r != -ECONNRESET)
                return err_errno(err, r, "writing to the daemon");
        return read_head(h, err);
}

static int next_chunk(struct http *h, struct err *err) {
        unsigned long size;
        char *line = NULL, *end;
        int r;

        if (h->chunk_open) {
                r = read_line(h, &line, err);
                if (r < 0)
                        return r;
        }
        r = read_line(h, &line, err);
        if (r < 0)
                return r;
        size = strtoul(line, &end, 16);
        if (end == line)
                return err_set(err, ERR_UNAVAILABLE, -EPROTO, "the daemon's answer is not well chunked");
        h->left = size;
        h->chunk_open = true;
        if (size == 0) {
                do {
                        r = read_line(h, &line, err);
                        if (r < 0)
                                return r;
                } while (*line);
                h->body = HTTP_BODY_NONE;
        }
        return 0;
}

ssize_t http_read(struct http *h, char *data, size_t size, struct err *err) {
        size_t have;

        if (h->body == HTTP_BODY_CHUNKED && h->left == 0) {
                int r = next_chunk(h, err);

                if (r < 0)
                        return r;
        }
        if (h->body == HTTP_BODY_NONE || (h->body == HTTP_BODY_LENGTH && h->left == 0))
                return 0;
        if (h->start == h->end) {
                int n = fill(h, err);

                if (n < 0)
                        return n;
                if (n == 0) {
                        if (h->body == HTTP_BODY_UNTIL_CLOSE)
                                return 0;
                        return err_set(err, ERR_UNAVAILABLE, -ECONNRESET, "the daemon closed the connection in the middle of its answer");
                }
        }
        have = h->end - h->start;
        if (have > size)
                have = size;
        if (h->body != HTTP_BODY_UNTIL_CLOSE && have > h->left)
                have = h->left;
        memcpy(data, h->buffer + h->start, have);
        h->start += have;
        if (h->body != HTTP_BODY_UNTIL_CLOSE)
                h->left -= have;
        return (ssize_t) have;
}

size_t http_hijack(struct http *h, const char **ret_early) {
        size_t n = h->end - h->start;

        *ret_early = h->buffer + h->start;
        h->start = h->end;
        return n;
}
