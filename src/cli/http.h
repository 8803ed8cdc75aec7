/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A small HTTP/1.1 client for one purpose: talking to kistd, with streams that are read as they come and
 * connections that stop being HTTP (attach, exec). No library in Debian does the latter and starts in under a millisecond.
 * Source: RFC 9112. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;

struct http {
        int fd;
        int status;               /* of the last response */
        char content_type[96];
        const char *want;         /* one more header to keep, or NULL: set by the caller before the request */
        char wanted[8192];        /* its value; "" when it did not come */
        /* What has been read from the socket and not yet been handed out. */
        char buffer[16384];
        size_t start, end;
        enum { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_UNTIL_CLOSE } body;
        size_t left;              /* of the body, or of the current chunk */
        bool chunk_open;          /* a chunk's data was begun: its CRLF is still to come */
};

/* Header lines for every request, each with its CRLF: checked by who makes them. Borrowed. */
void http_set_headers(const char *lines);

/* host: see host.h. ERR_UNAVAILABLE names it and what to do. */
int http_connect(struct http *h, const char *host, struct err *err);
void http_close(struct http *h);
#define auto_http __attribute__((cleanup(http_close))) struct http

/* Send a request and read the response's head: h->status is set. body may be NULL. With `upgrade` the connection is asked to become a raw
 * stream; then status 101 means that http_hijack() may be called. extra_header: a whole "Name: value" line, or NULL. */
int http_request(struct http *h, const char *method, const char *path, const char *extra_header, const char *body, size_t size,
                 bool upgrade, struct err *err);
/* The same with the body read from an fd to its end, sent in chunks. */
int http_request_from_fd(struct http *h, const char *method, const char *path, int body_fd, struct err *err);

/* Some bytes of the response's body: the count, 0 at its end, negative errno (err filled). */
ssize_t http_read(struct http *h, char *data, size_t size, struct err *err);

/* Bytes that came behind the 101 head: to be handed out before the socket is read. */
size_t http_hijack(struct http *h, const char **ret_early);
