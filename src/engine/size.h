/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include <jansson.h>

struct container_row;
struct engine;

/* SizeRw (what the container wrote, in blocks on the disk) and SizeRootFs (with its image), added to an entry of the list or of inspect. What cannot be read counts as nothing. */
int size_add(struct engine *e, const struct container_row *row, json_t *entry);
/* Bytes of all layers. */
uint64_t size_of_layers(struct engine *e);
