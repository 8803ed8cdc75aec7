/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>

struct err;
struct options;

/* Put what the flags of `update` ask for into a linux.resources object. */
int limits_add(const struct options *o, json_t *resources, struct err *err);
