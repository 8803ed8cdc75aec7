/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The daemon's side of kist-dns. Who is told of is remembered here, so that the process can be told again when it had to be started anew; what the
 * daemon knew before its own restart, it tells once more between dns_client_new() and dns_client_begin(). Safe to use from several threads.
 *
 * The process is there from the first endpoint on. It goes on while the daemon is away, and ends when the daemon has left and nobody is to be
 * served. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dns_client;
struct err;

/* Makes the two sockets (UDP, TCP) that hear what is asked on the loopback of a network namespace: `ns` is an fd of that, or of a process (pidfd) that is in it. */
typedef int (*dns_open_local_fn)(int ns, int ret[2], struct err *err);

/* run_root: where the socket lies, borrowed for the call. Starts nothing. */
int dns_client_new(const char *run_root, dns_open_local_fn open_local, struct dns_client **ret, struct err *err);
/* Leaves the process to itself. */
void dns_client_free(struct dns_client *c);
/* All that was there before this daemon has been told: find the process that an earlier one left, and make it know this and nothing else. What fails is logged. */
void dns_client_begin(struct dns_client *c);

struct dns_client_network {
        const char *id, *name, *bridge; /* bridge NULL: there is none, and nobody asks on the gateway */
        const char *gateway; /* "10.5.0.1" */
        uint8_t prefix;
        const char *gateway6; /* NULL, "": no IPv6 */
        uint8_t prefix6;
        bool internal;       /* nothing is asked of anybody outside */
};

struct dns_client_endpoint {
        const char *container, *address, *address6; /* address6 NULL, "": none */
        const char *const *names; /* at most 70; the first is what its address leads back to */
        size_t n_names;
        const char *const *servers; /* who knows what nobody here does; none: the host's */
        size_t n_servers;
};

/* In place of what was said of that container on that network. When this returns, the names are known. Before dns_client_begin(): only remembered. An error
 * says why the names of that network are not served. */
int dns_client_add(struct dns_client *c, const struct dns_client_network *n, const struct dns_client_endpoint *p, struct err *err);
/* Whoever is on networks without a bridge asks on its own loopback. netns: a network namespace in which nothing is yet; −1: that of the process, in which there may be
 * sockets. pidfd: its first process, with which they go; −1: not known yet, to be said in a second call. Both are borrowed. dns_client_drop() of its last endpoint on such a
 * network ends it. */
int dns_client_serve_local(struct dns_client *c, const char *container, int netns, int pidfd, struct err *err);
bool dns_client_serves_local(struct dns_client *c, const char *container);
/* Is there somebody to ask on the gateway of this network? */
bool dns_client_serves(struct dns_client *c, const char *network);
void dns_client_drop(struct dns_client *c, const char *network, const char *container);
void dns_client_drop_network(struct dns_client *c, const char *network);
