/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* User and network namespaces made ahead of the process that will live in them, held only by fds.
 *
 * A process with threads cannot make a user namespace for somebody else; so a small single-threaded helper (kist-monitor in its mode
 * "namespaces", nothing else in it) forks a child into each new one, writes the maps, opens the fds and lets the child go.
 * The helper dies with its socket: it holds no state, and kistd starts another when it is gone. */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct namespace_factory;

/* program_fd: kist-monitor, as of proc_seal_program(). Safe to use from several threads at once. */
int namespace_factory_new(int program_fd, struct namespace_factory **ret, struct err *err);
void namespace_factory_free(struct namespace_factory *f);

/* Ids 0…count−1 of the new user namespace are host ids first…first+count−1. *ret_userns and, unless NULL, *ret_netns (owned by that user
 * namespace, its loopback up) are O_CLOEXEC fds and the caller's; the namespaces live as long as an fd or a process holds them. */
int namespace_make(struct namespace_factory *f, uint32_t first, uint32_t count, int *ret_userns, int *ret_netns, struct err *err);

/* A network namespace owned by the initial user namespace (for containers with --userns=host). */
int namespace_make_netns(struct namespace_factory *f, int *ret_netns, struct err *err);

/* A network namespace owned by a user namespace that exists already. userns_fd stays the caller's. */
int namespace_make_netns_in(struct namespace_factory *f, int userns_fd, int *ret_netns, struct err *err);

/* Both, before it is known whose they will be: the user namespace has no ids yet, and root in it is nobody. */
struct namespace_blank {
        int userns, netns;
        int uid_map, gid_map; /* of /proc: what is written there is the namespace's map, though the process that they were opened by is gone */
};
#define NAMESPACE_BLANK_NONE ((struct namespace_blank) { -EBADF, -EBADF, -EBADF, -EBADF })
int namespace_make_blank(struct namespace_factory *f, struct namespace_blank *ret, struct err *err);
/* Once, whatever comes of it: ids 0…count−1 are host ids first…first+count−1 from now on. */
int namespace_blank_fill(struct namespace_blank *b, uint32_t first, uint32_t count, struct err *err);
void namespace_blank_done(struct namespace_blank *b);

/* The helper's side: serve requests on `sock` until it is closed. Returns the exit status. No heap, no stdio. */
int namespace_serve(int sock);
