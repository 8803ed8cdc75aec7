/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Rates of endpoints that are changed by update: NetworkOptions, {network: {option: value}}; the network "" is the container's first, and an empty value takes an option
 * away. The body says it before the kernel knows it, and the row after: a daemon that starts compares body and row. */

#include <jansson.h>

struct container;
struct container_row;
struct engine;
struct err;
struct spec;

/* Into the body that is to be stored; its NetworkingConfig becomes a copy. ERR_INVALID names what cannot be. */
int rates_merge(json_t *body, const json_t *changes, struct err *err);
/* Of one that runs: what its endpoints have is what the body says, and its row too. c->op is held. */
int rates_change(struct engine *e, struct container *c, const struct spec *s, struct err *err);
/* The same, for a row that the caller stores. */
int rates_follow(struct engine *e, const struct spec *s, struct container_row *row, struct err *err);
