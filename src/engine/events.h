/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What happened, told to whoever listens: the last EVENTS_KEPT events as JSON text in a ring; each listener has its own place in it. */

#include <jansson.h>
#include <stdint.h>

#define EVENTS_KEPT 1024

struct container;
struct err;
struct events;

int events_new(struct events **ret, struct err *err);
void events_free(struct events *v);

/* How many were ever published, and how many listen now. */
void events_count(struct events *v, uint64_t *ret_published, unsigned *ret_listeners);

/* `attributes` (stolen, may be NULL) are the actor's. Losing an event for want of memory is no error of what happened. */
void events_publish(struct events *v, const char *type, const char *action, const char *id, json_t *attributes);
/* Of a container: its labels, image and name are added to `extra` (stolen, may be NULL). */
void events_container(struct container *c, const char *action, json_t *extra);
