/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Private to src/storage. */

#include <pthread.h>
#include <stdatomic.h>

#include "storage/storage.h"

enum { LAYER_HEX_SIZE = 64, SCRATCH_NAME_SIZE = 64 };

/* How this kernel makes an overlay of detached clones; found out by the first mount. */
enum overlay_tier {
        OVERLAY_UNKNOWN = 0,
        OVERLAY_DETACHED, /* Linux 6.15 */
        OVERLAY_ATTACHED, /* Linux 5.19: in a mount namespace of storage's own */
};

enum { SCRATCH_LIVE_MAX = 64 };

struct storage {
        pthread_mutex_t live_lock;
        char live[SCRATCH_LIVE_MAX][SCRATCH_NAME_SIZE]; /* what somebody works on in "tmp"; "": free. For storage_strays() */
        unsigned n_unnamed;                             /* more than fit: then nothing there is a stray */
        int tmp_fd, layers_fd, empty_fd, containers_fd;
        _Atomic int overlay_tier;
        _Atomic int mount_ns; /* with OVERLAY_ATTACHED, from the first mount on: the namespace */
        _Atomic unsigned n_mounts;
};

/* A name for something half-made in "tmp": in use until scratch_done(). */
int scratch_name(struct storage *s, char ret[SCRATCH_NAME_SIZE], const char *kind);
void scratch_done(struct storage *s, const char *name);
/* Move ROOT/…/name into "tmp" and delete it there, so that death in the middle leaves nothing half-deleted in its place. */
int scratch_bury(struct storage *s, int dir_fd, const char *name);

/* The 64 hex digits of a diff id, or NULL when it is none. */
const char *layer_hex(const char *diff_id);
bool container_id_is_valid(const char *id);

/* As storage_idmap_clone(), of `path` below dir_fd (an empty path is dir_fd itself), and private: what is mounted on the original later
 * is not mounted in the clone. Returns negative errno. */
int idmap_clone_private(int dir_fd, const char *path, int userns_fd, int *ret_fd);
