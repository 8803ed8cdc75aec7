/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The sockets that the API is served on. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;

enum { LISTEN_MAX = 16 };

struct listeners {
        int fds[LISTEN_MAX];
        char *paths[LISTEN_MAX]; /* to remove when the daemon stops; NULL for those that systemd made, and for TCP */
        size_t n;
};

enum listen_tcp {
        LISTEN_TCP_REFUSED, /* nothing was said about TLS */
        LISTEN_TCP_LOCAL,   /* no TLS, or no certificates of clients: on loopback addresses only */
        LISTEN_TCP_ANY,
};

/* The group that may use the sockets. name NULL: "kist" or "docker" if there is one; *ret_gid is (gid_t) −1 when there is none. */
int listen_find_group(const char *name, gid_t *ret_gid, struct err *err);

/* unix://PATH: a socket left by a dead daemon is replaced; ERR_CONFLICT when a living one answers, or when PATH is something else.
 * fd://: the sockets passed by systemd. */
int listen_open(struct listeners *l, const char *address, gid_t gid, struct err *err);

/* tcp://ADDRESS[:PORT]; *ret_fd is the caller's. Whoever talks to the daemon is root here: `allowed` says how far that may reach. */
int listen_open_tcp(const char *address, enum listen_tcp allowed, const char *default_port, int *ret_fd, struct err *err);

/* Is it "ADDRESS:PORT", "[ADDRESS]:PORT" or ":PORT", all addresses? */
bool listen_is_address(const char *text);
/* A socket there for figures that anybody may read; *ret_fd is the caller's. */
int listen_open_metrics(const char *address, int *ret_fd, struct err *err);

/* Whether systemd passed sockets to this process. */
bool listen_was_activated(void);

/* Remove the sockets' names; the descriptors are the server's by then. */
void listen_remove_names(struct listeners *l);
