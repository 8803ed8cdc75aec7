/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>

struct container_row;
struct engine;

/* SizeRw (what the container wrote) and SizeRootFs (with its image), added to an entry of the list or of inspect. What cannot be read counts as nothing. */
int size_add(struct engine *e, const struct container_row *row, json_t *entry);
