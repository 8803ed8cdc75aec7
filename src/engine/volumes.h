/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Volumes: directories ROOT/volumes/NAME/_data that outlive containers. What is known of them besides is in the database. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct container;
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
/* Nothing is left to unmount when its last process is gone: those who listen are told. */
void volumes_unmounted(struct engine *e, const char *container_id);
/* With the container `id` that is removed: its volumes without a name of the user's, unless another one has them. */
void volumes_remove_anonymous(struct engine *e, const char *id, const json_t *body);

/* After a death of the daemon, before anything is made. */
void volumes_recover(struct engine *e);

/* Makes it, unless it is there. */
int volume_ensure(struct engine *e, const struct spec_mount *m, struct err *err);
int volume_labels_check(const json_t *labels, struct err *err);
/* ROOT/volumes/NAME/_data, made when missing. */
int volume_open_data(struct engine *e, const char *name, int *ret, struct err *err);

/* A new one that may have so many bytes: `open` makes its directory, when the limit is taken. All or nothing. */
int volume_limit(struct engine *e, const char *name, uint64_t bytes, int (*open)(struct engine *e, const char *name, int *ret, struct err *err), int *ret, struct err *err);
bool volume_is_empty(int data_fd);

/* volume-options.c: DriverOpts of the driver local, as mount(8) has them: type, device, o; or a size. ERR_INVALID names the option. */
int volume_options_check(const json_t *options, struct err *err);
/* A detached mount of what they describe; bind_fd: of a bind mount, what is at its device's path already, or −1. */
int volume_options_mount(const char *name, const json_t *options, int bind_fd, int *ret, struct err *err);
#define VOLUME_SNAPSHOT_OF "snapshot-of" /* in the stored options, ours to say: the volume that it was made of. Nobody writes to it */
uint64_t volume_options_size(const json_t *options); /* of a directory of ours: at most so many bytes; 0: no limit */
bool volume_options_is_mount(const json_t *options); /* a file system of its own, and not a directory of ours */
/* The path of the host that it shows; NULL: none. *ret_read_only becomes true when they say so. */
const char *volume_options_bind_source(const json_t *options, bool *ret_read_only);
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

/* volume-copy.c: everything below from_fd into to_fd, ids less `first_id`; the directory itself gets owner and mode, holes stay holes, files with several
 * names have several. Sockets and device nodes are left out. Both fds stay the caller's. -ECANCELED when cancel_fd (may be negative) becomes readable.
 * *ret may be NULL. */
struct volume_copied {
        uint64_t shared, copied; /* files that have their blocks in common with what they were made of; and those that have not */
};
int volume_copy_tree(int from_fd, int to_fd, uint32_t first_id, int cancel_fd, struct volume_copied *ret, struct err *err);
/* volume-xattrs.c: extended attributes of one file: "user.", capabilities and access lists, with their ids. 0, or negative errno. */
int volume_copy_xattrs(int from_fd, int to_fd, uint32_t first_id);

/* volume-users.c: calls fn for each mount of that volume by a container, stopped or not; stops at the first return that is not 0, and returns that. */
int volume_users_each(struct engine *e, const char *name, int (*fn)(struct container *c, const struct spec_mount *m, void *data), void *data);

/* Copying a volume takes a while. Meanwhile nobody starts to write to it, and nobody removes it (or takes the name of one that is being made). */
struct volume_jobs;
struct volume_jobs *volume_jobs_new(void);
void volume_jobs_free(struct volume_jobs *j);
/* ERR_CONFLICT when a container that may write to it runs (one that is paused does not), or, to make one, when that is being done already. */
int volume_job_begin(struct engine *e, const char *name, bool making, struct err *err);
void volume_job_end(struct engine *e, const char *name);
/* At create and at start: not to be written to while it is busy, and never a snapshot. */
int volume_check_use(struct engine *e, const char *name, const struct spec_mount *m, struct err *err);
bool volume_is_busy(struct engine *e, const char *name);
/* Before the container `id` goes on: ERR_CONFLICT when it may write to one that is busy. */
int volumes_check_idle(struct engine *e, const char *id, struct err *err);
int volume_busy_error(const char *name, struct err *err);

/* volume-stage.c: a volume on its way into the world: beside the others under a name that no volume can have, until it is whole. */
struct volume_stage {
        struct engine *engine; /* NULL: there is none */
        char name[256];
        int data_fd; /* what is to be filled */
        const json_t *labels; /* borrowed */
        json_t *options; /* as it is to be described; owned */
        bool limited; /* it took a limit of size */
};
/* ERR_CONFLICT: the name is taken. */
int volume_stage_begin(struct engine *e, const char *name, const json_t *labels, json_t *options, struct volume_stage *ret, struct err *err);
/* On the disk, then there. */
int volume_stage_commit(struct volume_stage *s, struct err *err);
void volume_stage_done(struct volume_stage *s); /* what was not committed is gone */
/* After a death: whole, or gone. `name` is one of the directories in `volumes`; false: not one of these. */
bool volume_stage_recover(struct engine *e, int volumes_fd, const char *name);
int volumes_open(struct engine *e); /* ROOT/volumes, made when missing; or negative errno */
