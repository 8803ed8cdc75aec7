/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A Linux bridge has at most 1,023 ports. A network with more endpoints has further bridges, each joined to the network's own one by a pair of veth: a
 * star, so that there is no loop. They have no address that anybody could use, and answer to nobody: gateway, names, rules and routes are the first bridge's.
 * Their names are made from its name ("kb", nine digits, number), as are those of the pair ("kt…" and "ku…"): the next daemon finds them. The last one goes
 * when no endpoint is on it; so they are numbered without a gap.
 *
 * Who is on which is counted here. What is on a bridge besides, the kernel says: -EXFULL, see chain_is_full(). */

#include <stddef.h>
#include <stdint.h>

#include "network/links.h"

enum { CHAIN_MAX = 64 };

struct bridge_network;
struct err;
struct network_host;

struct chain_port {
        char link[16];
        uint32_t bridge; /* 0: the network's own */
};

struct chain {
        struct {
                int index;
                uint32_t n_ports; /* endpoints on it */
        } bridges[CHAIN_MAX + 1]; /* the first is the network's own */
        size_t n;                 /* joined ones */
        struct chain_port *ports;
        size_t n_ports, room;
};

void chain_done(struct chain *c);

/* All these with the host's lock held. */
void chain_name(const char *bridge, size_t i, char kind, char ret[16]); /* kind: 'b', 't' or 'u' */
/* Joined bridges that an earlier daemon left; known ones stay known. */
void chain_find(struct bridge_network *b, struct rtnl *n);
/* Whatever is missing of the joined bridges. Negative errno, and err says of which. */
int chain_mend(struct network_host *h, struct bridge_network *b, struct rtnl *n, struct err *err);
/* Answers to what the host asked from its loopback come back by them, too. Negative errno. */
int chain_route_loopback(const struct bridge_network *b);
/* What is wrong with the i-th, from 1; NULL: nothing. */
const char *chain_problem(const struct bridge_network *b, struct rtnl *n, size_t i);
/* The link is there already: count it. */
void chain_claim(struct bridge_network *b, struct rtnl *n, const char *link);
/* Bridges at the end with no endpoint go. */
void chain_trim(struct network_host *h, struct bridge_network *b, struct rtnl *n);
/* All joined bridges of a bridge, with what is on them, whether or not a daemon knows them. */
int chain_delete(struct rtnl *n, const char *bridge, struct err *err);

/* These take the lock. The bridge that a link is to be a port of; when all are full, a new one is made. ERR_NO_SPACE. */
int chain_reserve(struct network_host *h, const char *bridge, const char *link, int *ret_index, struct err *err);
/* Nothing has that name any more. bridge NULL: of whichever network. */
void chain_release(struct network_host *h, const char *bridge, const char *link);
/* The kernel has no port left on the bridge that this link was to be on: it gets another one next time. */
void chain_is_full(struct network_host *h, const char *bridge, const char *link);
