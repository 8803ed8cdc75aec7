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
struct spec_mount;

#define VOLUMES_FROM "VolumesFromMounts"      /* in the stored body: Mounts that --volumes-from stood for */
#define VOLUMES_IMAGES "ImageMounts"          /* in the stored body: {target: id of the image} */
#define VOLUMES_ANONYMOUS "AnonymousVolumes" /* in the stored body: {target: name} */

/* At create: volumes without a name get one, which is noted in the body. */
int volumes_name(json_t *body, const struct spec *s, struct err *err);
/* Makes all that a container has and that are not there yet. Its row is there already: what a death in between leaves unmade is made by the start,
 * and nothing is ever made that belongs to nobody. volumes_lock is held, at create until the container is in the table: nobody removes them in between. */
int volumes_make(struct engine *e, const struct spec *s, struct err *err);
/* What was made without a name of the user's goes again, the container did not come into being. volumes_lock is still held. */
void volumes_undo(struct engine *e, const json_t *body);
/* At start: volumes become directories of the host or detached mounts (spec_mount.source), and one that is empty gets what the image has in its
 * place; images become detached mounts. userns_fd −1: the host's ids. */
int volumes_mount(struct engine *e, struct spec *s, const char *container_id, int rootfs_fd, int userns_fd, uint32_t first_id, struct err *err);
/* With the container `id` that is removed: its volumes without a name of the user's, unless another one has them. */
void volumes_remove_anonymous(struct engine *e, const char *id, const json_t *body);

/* After a death of the daemon, before anything is made. */
void volumes_recover(struct engine *e);

/* Makes it, unless it is there. */
int volume_ensure(struct engine *e, const struct spec_mount *m, struct err *err);
/* ROOT/volumes/NAME/_data, made when missing. */
int volume_open_data(struct engine *e, const char *name, int *ret, struct err *err);

/* volume-options.c: DriverOpts of the driver local, as mount(8) has them: type, device, o. ERR_INVALID names the option. */
int volume_options_check(const json_t *options, struct err *err);
/* A detached mount of what they describe. */
int volume_options_mount(const char *name, const json_t *options, int *ret, struct err *err);
bool volume_options_is_memory(const json_t *options); /* a tmpfs: its files are lost with its last mount */

/* volume-mounts.c: volumes and images → what the planner takes. See volumes_mount(). A tmpfs that containers share is held: until it is removed, or
 * until one takes it into use when no other container has it. */
struct volume_mounts;
struct volume_mounts *volume_mounts_new(void);
void volume_mounts_free(struct volume_mounts *m);
void volume_forget_mount(struct engine *e, const char *name);
/* volumes-from.c: at create: the mounts of other containers, into the body. */
int volumes_from(struct engine *e, json_t *body, json_t *host, struct err *err);

uint64_t volume_size(struct engine *e, const char *name);

/* volume-copy.c: everything below from_fd into to_fd, ids less `first_id`; the directory itself gets owner and mode. Both stay the caller's. */
/* volume-xattrs.c: extended attributes of one file: "user.", capabilities and access lists, with their ids. 0, or negative errno. */
int volume_copy_xattrs(int from_fd, int to_fd, uint32_t first_id);
int volume_copy_tree(int from_fd, int to_fd, uint32_t first_id, struct err *err);
