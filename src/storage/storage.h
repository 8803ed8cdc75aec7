/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Layers and root file systems. A layer is a directory tree in overlay form, named by its diff id, ids 0… on disk as the image says:
 * ROOT/layers/sha256/<64 hex>/. A container's root is a DETACHED overlay mount over idmapped clones of its layers, an fd that is never
 * in the host's mount table (open_tree(2), mount_setattr(2), fsopen(2); Linux 5.19; before 6.15 made in a mount namespace of storage's own).
 * Everything here works on held directory fds. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct storage;

/* root_fd: the daemon's --root directory (borrowed for the call, a copy is kept). Makes "layers", "containers", "tmp" (0700), checks
 * their owner and mode, and clears what a killed daemon left half-made in "tmp". ERR_CONFLICT: another struct storage has this directory open. */
int storage_open(int root_fd, struct storage **ret, struct err *err);
void storage_free(struct storage *s);

/* Layers. diff_id: "sha256:<64 hex>", its grammar is checked. */
bool storage_has_layer(struct storage *s, const char *diff_id);
/* A scratch directory for unpacking: *ret_fd is the directory fd; `name` (64 bytes) is what commit and abort take. */
int storage_layer_begin(struct storage *s, char name[64], int *ret_fd, struct err *err);
/* syncfs, then rename into place. When the layer came into being meanwhile, the scratch one is dropped and 0 is returned. */
int storage_layer_commit(struct storage *s, const char *name, const char *diff_id, struct err *err);
void storage_layer_abort(struct storage *s, const char *name);
int storage_layer_remove(struct storage *s, const char *diff_id, struct err *err);
/* Bytes on disk of one layer (allocated blocks). */
int storage_layer_size(struct storage *s, const char *diff_id, uint64_t *ret, struct err *err);
/* The same of any directory and all below it, as du(1) counts. Negative errno. */
int storage_tree_size(int dir_fd, uint64_t *ret);
/* Every layer there is: called once per diff id; stops on the first negative return, and returns that. */
int storage_layers_each(struct storage *s, int (*fn)(const char *diff_id, void *data), void *data, struct err *err);

/* What stands in "tmp" and nobody of this process works on; `result` of removing it, or 0. Stops on the first negative return, and returns that. */
int storage_strays(struct storage *s, bool remove, int (*found)(const char *name, int result, void *data), void *data, struct err *err);

/* Limits of size by project quota: the files below a directory belong to a project (an id of 32 bits), the kernel counts what they take together, and
 * refuses what is more than the limit: EDQUOT on ext4, ENOSPC on xfs. statfs(2) there tells the limit. Only who has CAP_SYS_ADMIN on the host can change
 * a limit, and a user namespace cannot change a file's project. */
struct storage_quota {
        uint32_t project;
        uint64_t bytes;
};
/* Are there limits on the file system that `fd` is on? ERR_UNSUPPORTED says what it lacks. */
int storage_quota_check(int fd, struct err *err);
/* For all that will be made in an empty directory; one that has this limit already is left as it is. ERR_UNSUPPORTED as above. *ret_changed may be NULL. */
int storage_quota_set(int dir_fd, const struct storage_quota *q, bool *ret_changed, struct err *err);
/* The directory itself (what is in it stays as it is) belongs to no project any more. */
void storage_quota_unmark(int dir_fd);
/* No limit any more. Negative errno. */
int storage_quota_forget(int fd, uint32_t project);
/* The lowest project from `from` on that has a limit or files. -ENOENT: none. */
int storage_quota_next(int fd, uint32_t from, uint32_t *ret);

/* A container's own directory ROOT/containers/<id>/ with "upper" and "work" in it. *ret_fd is the directory, the caller's. q: how much the two may
 * take, or NULL. */
int storage_container_create(struct storage *s, const char *id, const struct storage_quota *q, int *ret_fd, struct err *err);
/* Its limit, where it is not as it should be. */
int storage_container_limit(int container_fd, const struct storage_quota *q, bool *ret_changed, struct err *err);
int storage_container_open(struct storage *s, const char *id, int *ret_fd, struct err *err);
int storage_container_remove(struct storage *s, const char *id, struct err *err);

struct storage_rootfs {
        const char *container_id;
        const char *const *diff_ids; /* lowest first, as in the image's config */
        size_t n_diff_ids;           /* 0: an empty root; at most 498 */
        int userns_fd;               /* -1: not idmapped (--userns=host) */
        uint32_t first_id;           /* host id of the namespace's root: the overlay is made with that fsuid and fsgid */
        bool read_only;              /* nothing can be made in it, not even mount targets; changes made before are seen. For looking into a container
                                      * that does not run. For `run --read-only` mount it writable, and set the mount read-only in the container. */
        bool without_changes;        /* with read_only: the image alone */
        bool ephemeral;              /* the files die with the container (--rm): fsync(2) in it does nothing, and unmounting writes nothing back */
};
/* *ret_fd: a detached mount, O_CLOEXEC, the caller's; closing the last reference unmounts it. Also for `cp`, `export` and for looking up users
 * in a container that does not run (userns_fd as it will be). */
int storage_rootfs_mount(struct storage *s, const struct storage_rootfs *r, int *ret_fd, struct err *err);

/* A detached clone of the mount at dir_fd (recursive with `recursive`), idmapped by userns_fd unless -1. ERR_UNSUPPORTED, naming --userns=host,
 * when the file system cannot be idmapped. Used for bind mounts, volumes and the directories that workers may write. */
int storage_idmap_clone(int fd, int userns_fd, bool recursive, int *ret_fd, struct err *err);
