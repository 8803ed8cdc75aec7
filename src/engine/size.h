/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include <jansson.h>

struct container_row;
struct engine;

/* SizeRw (what the container wrote) and SizeRootFs (with its image), added to an entry of the list or of inspect. What cannot be read counts as nothing. */
int size_add(struct engine *e, const struct container_row *row, json_t *entry);
/* Bytes of all layers. */
uint64_t size_of_layers(struct engine *e);
/* Bytes of the files below a directory, which stays the caller's. */
uint64_t size_of_tree(int dir_fd);
