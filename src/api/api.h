/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The Docker Engine API over HTTP (libmicrohttpd, one thread per connection). One file per resource, one table of routes. */

#include <stddef.h>

struct engine;
struct err;
struct api_server;

/* listen_fds: bound, listening sockets (unix, or TCP of the loopback); they are the server's from now on. */
int api_server_start(struct engine *engine, const int *listen_fds, size_t n_listen_fds, struct api_server **ret, struct err *err);
/* Figures for Prometheus, and nothing else: GET /metrics on a socket of its own, with the same limits and fewer connections. */
int api_metrics_start(struct engine *engine, int listen_fd, struct api_server **ret, struct err *err);
/* One more connection, accepted elsewhere (behind TLS): a stream socket that is the server's from now on, also on failure. */
int api_server_adopt(struct api_server *s, int fd);
/* No new connection is taken, no new request answered; streams end; requests that run are done and answered. Returns when all threads are done. */
void api_server_stop(struct api_server *s);
