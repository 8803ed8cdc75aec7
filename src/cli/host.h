/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* How the daemon is reached: a stream that carries HTTP, wherever it is.
 *
 *   unix:///PATH               the socket itself
 *   tcp://HOST:PORT            by kist-tls: it connects, and with TLS it stays between (see tls/tls.h)
 *   ssh://[USER@]HOST[:PORT][/SOCKET]   by ssh, with `kist system dial-stdio` at the other end */

#include <stdbool.h>

struct err;

struct host_tls {
        bool on, verify;             /* verify: the host's certificate must be good */
        const char *ca, *cert, *key; /* NULL: the system's authorities; no certificate of ours */
};

/* For every connection of this program; the texts are borrowed. */
void host_set_tls(const struct host_tls *tls);

/* *ret_fd is the caller's. ERR_UNAVAILABLE names the host and what to do. */
int host_open(const char *address, int *ret_fd, struct err *err);

/* ERR_INVALID when it is none of the forms above, or would be an option to ssh or a word for a shell. */
int host_check(const char *address, struct err *err);

/* standard input → fd, fd → standard output, until fd has ended. Returns 0 or negative errno. */
int host_pump_stdio(int fd, struct err *err);
