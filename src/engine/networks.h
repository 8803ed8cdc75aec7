/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The networks that the engine knows: three that are always there, and those of the database. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/spec.h"

struct engine;
struct err;
struct network_endpoint;

#define NETWORK_NAME_SIZE 256

struct network {
        char id[65], name[NETWORK_NAME_SIZE];
        const char *driver;     /* "bridge", "macvlan", "ipvlan", "host", "null" */
        enum spec_network kind; /* SPEC_NETWORK_USER: of the database */
        int64_t created_ns;
        char bridge[16];        /* what it is known by in the network room; "": it is not there */
        json_t *spec;           /* SPEC_NETWORK_USER: {Driver, Bridge, EnableIPv6, Internal, Attachable, IPAM, Options, Labels}, as it was made; else NULL */
};
void network_done(struct network *n);
#define auto_network __attribute__((cleanup(network_done))) struct network

/* By name, id, or unique prefix of the id. ERR_NOT_FOUND: "network NAME not found". */
int network_find(struct engine *e, const char *name, struct network *ret, struct err *err);
bool network_is_internal(const struct network *n);
bool network_has_ipv6(const struct network *n); /* of one of the user's */
/* All: first those that are always there. The caller frees each and the array. */
int network_all(struct engine *e, struct network **ret, size_t *ret_n, struct err *err);
/* network-options.c: options of network create. ERR_INVALID, ERR_UNSUPPORTED: the driver has no such option, or not with this value. */
#define NETWORK_PARENT "parent"
int network_option_check(const char *driver, const char *key, const char *value, struct err *err);
int network_read_truth(const char *text, bool *ret);
/* What options[] calls a mode, of whichever driver; NULL: nothing was said. */
const char *network_mode(const json_t *given);
/* The grammar of names, and not one of the words that mean something else. */
int network_check_name(const char *name, struct err *err);
/* At the start of the daemon: tell the network room of those in the database. What cannot be is logged. */
int networks_recover(struct engine *e, struct err *err);
/* Type "network": "create", "connect", … */
void network_event(struct engine *e, const char *action, const struct network *n, const char *container_id);
/* The id that the API shows for an endpoint. */
void network_endpoint_id(const char *container_id, const char *network_id, char ret[65]);
