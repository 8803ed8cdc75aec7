/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the parts of this room share of the server. */

#include <stdbool.h>
#include <stddef.h>

struct api_server;
struct engine;
struct err;
struct gate;
struct route;

/* Becomes readable, for good, when the server is to stop: streams poll it beside what they wait for. */
int server_stop_fd(const struct api_server *s);
struct gate *server_gate(struct api_server *s);

/* What is served, and to how many at once. */
struct server_table {
        const struct route *routes;
        size_t n;
        unsigned connections; /* 0: api_limits() */
};
/* As api_server_start(). */
int server_start(struct engine *engine, const struct server_table *table, const int *listen_fds, size_t n_listen_fds, struct api_server **ret, struct err *err);

enum {
        SERVER_STACK_SIZE = 512 * 1024, /* the deepest JSON that is accepted must fit: see test_http */
        SERVER_BODY_MAX = 16 * 1024 * 1024,
};
