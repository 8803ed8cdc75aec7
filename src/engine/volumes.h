/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Volumes: directories ROOT/volumes/NAME/_data that outlive containers. What is known of them besides is in the database. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct container_row;
struct engine;
struct err;
struct spec;

#define VOLUMES_ANONYMOUS "AnonymousVolumes" /* in the stored body: {target: name} */

/* At create: volumes without a name get one, which is noted in the body. */
int volumes_name(json_t *body, const struct spec *s, struct err *err);
/* Makes all that a container has and that are not there yet. Its row is there already: what a death in between leaves unmade is made by the start,
 * and nothing is ever made that belongs to nobody. volumes_lock is held, at create until the container is in the table: nobody removes them in between. */
int volumes_make(struct engine *e, const struct spec *s, struct err *err);
/* What was made without a name of the user's goes again, the container did not come into being. volumes_lock is still held. */
void volumes_undo(struct engine *e, const json_t *body);
/* At start: volumes become directories of the host (spec_mount.source), and one that is empty gets what the image has in its place. */
int volumes_mount(struct engine *e, struct spec *s, int rootfs_fd, uint32_t first_id, struct err *err);
/* With the container `id` that is removed: its volumes without a name of the user's, unless another one has them. */
void volumes_remove_anonymous(struct engine *e, const char *id, const json_t *body);

/* After a death of the daemon, before anything is made. */
void volumes_recover(struct engine *e);

uint64_t volume_size(struct engine *e, const char *name);

/* volume-copy.c: everything below from_fd into to_fd, ids less `first_id`; the directory itself gets owner and mode. Both stay the caller's. */
int volume_copy_tree(int from_fd, int to_fd, uint32_t first_id, struct err *err);
