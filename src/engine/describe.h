/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Pieces of JSON that both the list and inspect show. */

#include <jansson.h>
#include <stdint.h>

struct container_row;
struct spec;

/* "Up 5 minutes", "Exited (0) 3 hours ago", …; the caller frees. health: as of health_status(). */
char *describe_status(const struct container_row *row, const char *health, int64_t now_ns);
/* "About a minute", "5 minutes", "3 weeks": Docker's words for a length of time. */
void describe_duration(int64_t ns, char *ret, size_t size);
/* The id of one of the networks that are always there ("bridge", "host", "none"); "" for another name. */
const char *network_id(const char *name);
/* NetworkSettings.Networks: {"bridge": {…}}. */
json_t *describe_networks(const struct container_row *row, const struct spec *s);
/* [{Type, Source, Destination, Mode, RW, Propagation}] */
json_t *describe_mounts(const char *root, const struct spec *s);
/* "0001-01-01T00:00:00Z" for never. */
json_t *describe_time(int64_t ns);
