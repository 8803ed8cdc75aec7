/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>

struct err;
struct options;

/* The options that are about new containers, in the engine's form (engine_set_defaults). Reads the file of the seccomp profile. ERR_INVALID names
 * the option; the engine checks what is in the texts. */
int options_defaults(const struct options *o, json_t **ret, struct err *err);
