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

/* run_root: where the socket lies, borrowed for the call. Starts nothing. */
int dns_client_new(const char *run_root, struct dns_client **ret, struct err *err);
/* Leaves the process to itself. */
void dns_client_free(struct dns_client *c);
/* All that was there before this daemon has been told: find the process that an earlier one left, and make it know this and nothing else. What fails is logged. */
void dns_client_begin(struct dns_client *c);

struct dns_client_network {
        const char *id, *name, *bridge;
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
/* Is there somebody to ask on the gateway of this network? */
bool dns_client_serves(struct dns_client *c, const char *network);
void dns_client_drop(struct dns_client *c, const char *network, const char *container);
void dns_client_drop_network(struct dns_client *c, const char *network);
