/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* --link CONTAINER[:ALIAS]: lines of /etc/hosts with the address that the other container has when this one is started. */

#include <jansson.h>

struct container_row;
struct engine;
struct err;
struct spec;

/* The form, and the network mode that it goes with. ERR_INVALID in Docker's words. */
int links_check(const struct spec *s, struct err *err);
/* At create: names become ids, since names may change; those of EndpointsConfig come to those of HostConfig. Both are changed in place. */
int links_resolve(struct engine *e, json_t *body, json_t *host, struct err *err);
/* At start, when row has its endpoints: spec->link_hosts. ERR_CONFLICT: who is linked on the default network does not run. */
int links_find(struct engine *e, struct spec *s, const struct container_row *row, struct err *err);
/* As inspect shows them: "/db:/web/alias". New reference; NULL for none. */
json_t *links_describe(struct engine *e, const struct spec *s, const char *name);
