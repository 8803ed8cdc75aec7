/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Sandboxes made ahead: a user namespace that has no ids yet, the network namespace that it owns, and a veth pair whose end in there is eth0. What the kernel
 * takes longest for at a start is done then; ids, bridge, MAC and addresses come when a container takes one. Each is taken once, by one container: nobody has
 * been in it before, and none comes back.
 *
 * The first is made after the first start that could have used one, the others after each that did, by the engine's threads and only while no container is
 * starting. All that there is of them hangs on file descriptors of this process: with it they go, also when it is killed. */

#include <stdbool.h>
#include <stdint.h>

#include "network/network.h"
#include "runtime/namespaces.h"

struct engine;
struct err;
struct sandbox_pool;
struct spec;

struct sandbox {
        struct namespace_blank spaces;
        struct network_spare link; /* used up when it is an endpoint's */
        struct sandbox *next;
};

/* `size` 0: never has one. */
int sandbox_pool_new(struct engine *e, unsigned size, struct sandbox_pool **ret, struct err *err);
/* After the engine's threads, before its network and its namespace factory. Returns when their links are being deleted. */
void sandbox_pool_free(struct sandbox_pool *p);

/* Around every start. The end has what was taken made up for. */
void sandbox_pool_begin(struct sandbox_pool *p);
void sandbox_pool_end(struct sandbox_pool *p);
/* Between the two, for a container with a user namespace, a network namespace and an eth0 of its own: the caller's until sandbox_pool_drop(), with its ids from
 * first_id on. NULL: there is none, or the container is not such a one. */
struct sandbox *sandbox_pool_take(struct sandbox_pool *p, const struct spec *s, uint32_t first_id);
/* What is still in it goes; NULL is fine. */
void sandbox_pool_drop(struct sandbox_pool *p, struct sandbox *s);
