/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the parts of this room share of the server. */

#include <stdbool.h>
#include <stddef.h>

struct api_server;
struct gate;

/* Becomes readable, for good, when the server is to stop: streams poll it beside what they wait for. */
int server_stop_fd(const struct api_server *s);
struct gate *server_gate(struct api_server *s);

enum {
        SERVER_STACK_SIZE = 512 * 1024, /* the deepest JSON that is accepted must fit: see test_http */
        SERVER_BODY_MAX = 16 * 1024 * 1024,
};
