/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Who is told to kist-dns, and whom containers ask: on networks of the user's the gateway answers names, or where that is none of this host's, the container's own
 * loopback; on the default one all is as the host has it. */

#include <stdbool.h>
#include <stddef.h>

struct container;
struct container_row;
struct engine;
struct network_endpoint;
struct spec;

enum { RESOLVERS_MAX_OF_CONTAINER = 3 }; /* more are not asked by any C library */

/* Name, aliases, short id and hostname of a container on one of its networks. What fails is logged: a container without names runs. */
void names_add(struct engine *e, const struct spec *s, const struct container_row *row, const struct network_endpoint *p);
/* The loopback of one that is on a network without a bridge. netns: a new one of its own, before anything runs in it; −1: that of its process. pid: of its first process; 0: there
 * is none yet, and it is said when there is. */
void names_listen(struct engine *e, const struct container_row *row, int netns, int pid);
void names_drop(struct engine *e, const struct container_row *row, const struct network_endpoint *p);
/* It has another name. c->op is held. */
void names_rename(struct engine *e, struct container *c);

/* Whom to ask, those first that lead outside. */
struct names_resolvers {
        size_t n;
        char v[RESOLVERS_MAX_OF_CONTAINER][16];
};
void names_resolvers(struct engine *e, const struct container_row *row, struct names_resolvers *ret);
/* Its networks have changed while it runs: its /etc/hosts follows, and its resolv.conf when whom to ask has changed. `before` and
 * `resolvers`: what it was. */
void names_follow(struct engine *e, const struct spec *s, const struct container_row *before, const struct container_row *row, const struct names_resolvers *resolvers);
/* /etc/hosts alone: after a daemon's death in the middle of a change. */
void names_follow_hosts(struct engine *e, const struct spec *s, const struct container_row *before, const struct container_row *now);
