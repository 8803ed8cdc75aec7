/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For ports.c and ports-change.c: published ports as a list, and as the API's JSON. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "network/network.h"

struct container;
struct container_row;
struct engine;
struct err;

struct ports_list {
        struct network_port *v;
        size_t n;
};
void ports_list_done(struct ports_list *l);
#define auto_ports_list __attribute__((cleanup(ports_list_done))) struct ports_list

int ports_list_add(struct ports_list *l, const struct network_port *p, struct err *err);
/* {"80/tcp": [{"HostIp", "HostPort"}]}, NULL, or null. ERR_INVALID. */
int ports_list_read(const json_t *bindings, struct ports_list *l, struct err *err);
/* ipv6: what is published on no address in particular is so on all of both kinds. */
json_t *ports_to_json(const struct ports_list *l, bool ipv6);
/* The bindings of `more` behind those of `all`. */
void ports_join(json_t *all, const json_t *more);
const char *ports_protocol_name(uint8_t number);

/* What is published now; the caller's reference. NULL: nothing. */
json_t *ports_get(struct container *c);
void ports_set(struct container *c, json_t *ports);
/* In the database, for the next daemon. */
int ports_store(struct engine *e, struct container *c, const json_t *ports, struct err *err);
/* Where the default route leads: the world comes in by the way that answers go out. NULL: there is none. */
const struct network_endpoint *ports_endpoint(const struct container_row *row);
/* network_publish(), with the name of who has it in the message. */
int ports_publish_list(struct engine *e, const struct container_row *row, const struct network_endpoint *p, struct ports_list *l, struct err *err);
