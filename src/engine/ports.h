/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Published ports: HostConfig.PortBindings and PublishAllPorts → the network room, and what inspect and ps show of them. What is published stands in the
 * container (and in the database, for the next daemon) in the API's form: {"80/tcp": [{"HostIp", "HostPort"}]}. */

#include <jansson.h>
#include <stdbool.h>

struct container;
struct container_row;
struct engine;
struct err;
struct spec;

/* Of the body: every key and value is one that can be. ERR_INVALID. */
int ports_check(const struct spec *s, struct err *err);
/* For the answer to create: an array of what is asked for in the body and cannot have an effect. */
json_t *ports_warnings(struct engine *e, const json_t *body);
/* At start, after the networks: publish on the endpoint that is the gateway. ERR_CONFLICT names the port and who has it. */
int ports_publish(struct engine *e, struct container *c, const struct spec *s, const struct container_row *row, struct err *err);
/* For update: PublishAdd and PublishRm of `changes`, in the form of PortBindings. First into the body that is to be stored, which must be a copy of what is; ERR_INVALID when
 * nothing is published there. Then, of one that runs, to the network: all, or nothing. */
bool ports_are_changed(const json_t *changes);
int ports_merge(struct container *c, json_t *body, const json_t *changes, struct err *err);
int ports_change(struct engine *e, struct container *c, const json_t *changes, struct err *err);
void ports_unpublish(struct engine *e, struct container *c);
/* The networks of a container that runs have changed: what is published leads to its gateway's endpoint. */
void ports_follow(struct engine *e, struct container *c, const struct container_row *row);
/* After the daemon was started anew, before the addresses are claimed. What cannot be is logged. */
void ports_recover(struct engine *e, struct container *c);

/* NetworkSettings.Ports; exposed ones that are not published are null. */
json_t *ports_describe(struct container *c, const struct spec *s);
/* Ports of the list: [{IP, PrivatePort, PublicPort, Type}]. */
json_t *ports_list(struct container *c, const struct spec *s);
