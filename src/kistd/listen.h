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
        char *paths[LISTEN_MAX]; /* to remove when the daemon stops; NULL for those that systemd made */
        size_t n;
};

/* The group that may use the sockets. name NULL: "kist" or "docker" if there is one; *ret_gid is (gid_t) −1 when there is none. */
int listen_find_group(const char *name, gid_t *ret_gid, struct err *err);

/* unix://PATH: a socket left by a dead daemon is replaced; ERR_CONFLICT when a living one answers, or when PATH is something else.
 * fd://: the sockets passed by systemd. tcp:// is refused. */
int listen_open(struct listeners *l, const char *address, gid_t gid, struct err *err);

/* Whether systemd passed sockets to this process. */
bool listen_was_activated(void);

/* Remove the sockets' names; the descriptors are the server's by then. */
void listen_remove_names(struct listeners *l);
