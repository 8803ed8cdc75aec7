/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which networks a container is on. What is wanted is in its body (NetworkingConfig.EndpointsConfig, by the network's name, each with its
 * NetworkID); what is there is in its row. A change of a running container is written to the row before it is made and to the body when it is done
 * (the other way round when something is taken away): what a killed daemon leaves is in the row and not in the body.
 * NetworkingConfig.Changed, which is ours, says that this was done since create: only then an empty list means no network, and not that of NetworkMode. */

#include <jansson.h>

struct container;
struct container_row;
struct engine;
struct err;
struct network_spare;
struct spec;
struct spec_endpoint;

/* At create: every network of the body must be there; keys become names, and NetworkID is added. host: HostConfig; both are changed in place. */
int endpoints_resolve(struct engine *e, json_t *body, json_t *host, struct err *err);
/* At start: all of them, or none. spare: the eth0 that netns has already, or NULL. */
int endpoints_connect(struct engine *e, const struct spec *s, int netns, struct network_spare *spare, struct container_row *row, struct err *err);
/* Give all back; what fails is logged. row->n_endpoints is 0 then. */
void endpoints_disconnect(struct engine *e, struct container_row *row);
/* "eth0", or the first that is free, or what was asked for. */
void endpoint_link_name(const struct spec *s, const struct container_row *row, const struct spec_endpoint *p, char ret[16]);
/* network-change.c: the network namespace of one that runs; its op is held. ERR_CONFLICT: it does not. */
int container_open_netns(struct container *c, int *ret, struct err *err);
/* After the daemon was started anew, for a container that runs: claim the addresses; drop from *row (and from the container) what is not wanted. netns: its own,
 * or negative when it could not be opened. */
int endpoints_recover(struct engine *e, const struct spec *s, struct container_row *row, int netns, struct err *err);
