/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Networks of one host. First step: one default bridge with addresses, routes and NAT out. All by netlink (libnl) and libnftables;
 * no outside program is started. State that must outlive the daemon (which address belongs to whom) is the engine's: it tells it back
 * with network_claim() after a restart. Safe to use from several threads. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct network_host;

struct network_options {
        const char *bridge;        /* "kist0"; at most 15 bytes */
        const char *const *pools;  /* CIDRs in order of preference; the first that collides with no route of the host is taken */
        size_t n_pools;
        uint32_t mtu;              /* 0: that of the host's default route, else 1500 */
        bool nat;
};

/* Reads nothing and makes nothing yet: the bridge and table come with the first endpoint (a daemon that starts lazily), or are found as
 * an earlier daemon left them. */
int network_host_open(const struct network_options *o, struct network_host **ret, struct err *err);
void network_host_free(struct network_host *h);
/* Remove the bridge, the nftables table and what else was made. For tests and for uninstalling; a daemon that stops leaves them. */
int network_host_destroy(struct network_host *h, struct err *err);

struct network_endpoint {
        char address[16];     /* "172.30.0.2" */
        uint8_t prefix;       /* 16 */
        char gateway[16];
        char mac[18];         /* "02:42:ac:1e:00:02", derived from the address */
        char host_link[16];   /* veth on the host's side: "kv" and hex digits of the id */
        char bridge[16];
};

/* A veth from the bridge into netns_fd as "eth0" with an address, link-local route and default route, all up when this returns. `id` (64 hex)
 * names the endpoint. ERR_NO_SPACE when the pool is used up. All or nothing. */
int network_connect(struct network_host *h, const char *id, int netns_fd, struct network_endpoint *ret, struct err *err);
/* Unplug the veth if it is still there, and give the address back. The kernel takes long to delete a link: that follows in the background, all
 * at once. Unknown ids are no error. */
int network_disconnect(struct network_host *h, const char *id, const struct network_endpoint *e, struct err *err);
/* After a restart: this address is taken by that container. */
int network_claim(struct network_host *h, const char *id, const struct network_endpoint *e, struct err *err);

/* For inspect: subnet and gateway of the default bridge; makes it when it is not there yet. */
int network_describe(struct network_host *h, char subnet[20], char gateway[16], struct err *err);

/* Is `ready` everything `--network bridge` needs on this host? Message of what is missing in *err otherwise (nf_tables, veth, bridge). */
int network_probe(struct err *err);
