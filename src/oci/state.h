/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>

struct container;
struct err;

/* The spec's state object of a container (new reference). */
int state_describe(struct container *c, json_t **ret, struct err *err);

/* JSON for people, on standard output. */
int state_print(const json_t *value, struct err *err);
