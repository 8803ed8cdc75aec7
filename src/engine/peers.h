/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* --network, --pid and --ipc container:X. Who lives in another container's namespaces shares its user namespace too: the kernel lets nobody
 * else use them. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct engine;
struct err;
struct spec;

struct peer_spaces {
        int userns;         /* −1: the host's */
        int netns, pidns, ipcns; /* −1: not asked for */
        int shm;            /* with ipcns: a mount of the same /dev/shm */
        uint32_t first_id;  /* of userns */
        char network_id[65]; /* whose network it is: its /etc/hosts and resolv.conf count too */
};

/* The fds are the caller's: peers_close(). ERR_CONFLICT: one of them does not run, or they have different user namespaces. */
int peers_open(struct engine *e, const struct spec *s, struct peer_spaces *ret, struct err *err);
void peers_close(struct peer_spaces *p);

/* At create: names become ids, since names may change; and the host name is that of whose network it is. host: HostConfig, changed in place. */
int peers_resolve(struct engine *e, json_t *body, json_t *host, struct err *err);

/* peer-shm.c: a detached mount of the /dev/shm of whoever lives in this mount namespace; the caller's. −ENOENT, −ENOTDIR: it has none. */
int peer_shm_open(int mount_space, int *ret);
