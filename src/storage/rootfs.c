/* SPDX-License-Identifier: Apache-2.0 */

/* A container's root: an overlay that is never in the host's mount table. Per layer open_tree(2) and mount_setattr(2), then the overlay in
 * the way that the kernel can. Closing a detached clone's fd unmounts it, and overlayfs clones its layers' mounts when it is created: so
 * one fd per layer stays open until then. */

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "storage/overlay.h"
#include "storage/upper.h"

enum { MAX_LAYERS = 498 }; /* overlayfs takes 500 lower directories: one may be the empty one, one the upper */

/* Ask the kernel, once. */
static int find_tier(struct storage *s, enum overlay_tier *ret, struct err *err) {
        int known = atomic_load(&s->overlay_tier);
        auto_fd fs = -EBADF;

        if (known == OVERLAY_UNKNOWN) {
                fs = fsopen("overlay", FSOPEN_CLOEXEC);
                if (fs < 0)
                        return err_set(err, errno == EPERM ? ERR_DENIED : ERR_UNSUPPORTED, -errno,
                                errno == ENODEV ? "this kernel has no overlay file system" : "overlay file system: fsopen: %m");
                known = overlay_can_be_detached(s) ? OVERLAY_DETACHED : OVERLAY_ATTACHED;
                atomic_store(&s->overlay_tier, known);
        }
        *ret = (enum overlay_tier) known;
        return 0;
}

static void overlay_done(struct overlay *o) {
        for (size_t i = 0; i < o->n_lowers; i++)
                fd_close(o->lowers[i]);
        free(o->lowers);
        fd_close(o->own);
}

static int clone_error(const struct storage_rootfs *of, int num, const char *what, struct err *err) {
        if (num == -ENOENT)
                return err_set(err, ERR_NOT_FOUND, num, "container %s: no %s", of->container_id, what);
        if (of->userns_fd >= 0 && (num == -EOPNOTSUPP || num == -EPERM))
                return err_set(err, ERR_UNSUPPORTED, num,
                        "container %s: the data directory's file system cannot be seen with the ids of a user namespace"
                        " (idmapped mounts): use --userns=host", of->container_id);
        return err_set(err, ERR_INTERNAL, num, "container %s: %s: %s", of->container_id, what, strerror(-num));
}

static int add_lower(struct overlay *o, int dir_fd, const char *path, struct err *err) {
        char what[128];
        int r = idmap_clone_private(dir_fd, path, o->of->userns_fd, &o->lowers[o->n_lowers]);

        if (r == 0) {
                o->n_lowers++;
                return 0;
        }
        overlay_lower_name(o, o->n_lowers, what);
        return clone_error(o->of, r, what, err);
}

/* The topmost is the first. */
static int add_layers(struct overlay *o, struct storage *s, struct err *err) {
        int r = 0;

        for (size_t i = o->of->n_diff_ids; i-- > 0 && r == 0;)
                r = add_lower(o, s->layers_fd, layer_hex(o->of->diff_ids[i]), err);
        return o->of->n_diff_ids == 0 ? add_lower(o, s->empty_fd, "", err) : r;
}

/* Read-only, the changes are the topmost of the lower layers: then nothing at all is written, not even to the work directory. */
static int add_changes(struct overlay *o, struct storage *s, int container_fd, struct err *err) {
        int r;

        if (o->of->read_only)
                return o->of->without_changes ? add_lower(o, s->empty_fd, "", err) : add_lower(o, container_fd, "upper", err);
        if (o->of->ephemeral) {
                /* The mark of an earlier such mount, whose files may not have reached the disk whole. These need not. */
                r = path_remove_tree_at(container_fd, "work/work/incompat");
                if (r < 0)
                        return overlay_error(o, r, "mark of an earlier mount", "", err);
        }
        r = idmap_clone_private(container_fd, "", o->of->userns_fd, &o->own);
        return r < 0 ? clone_error(o->of, r, "directory of its own", err) : 0;
}

static int check(const struct storage_rootfs *r, struct err *err) {
        if (r->n_diff_ids > MAX_LAYERS)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "container %s: its image has %zu layers, at most %d are possible",
                        r->container_id, r->n_diff_ids, MAX_LAYERS);
        for (size_t i = 0; i < r->n_diff_ids; i++)
                if (!layer_hex(r->diff_ids[i]))
                        return err_set(err, ERR_INVALID, -EINVAL, "container %s: \"%.80s\" is not a diff id", r->container_id, r->diff_ids[i]);
        return 0;
}

static int prepare_upper(struct storage *s, const struct storage_rootfs *r, int container_fd, struct err *err) {
        auto_fd top = -EBADF;
        int k;

        if (r->n_diff_ids > 0) {
                const char *diff_id = r->diff_ids[r->n_diff_ids - 1];

                top = openat(s->layers_fd, layer_hex(diff_id), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (top < 0)
                        return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, -ENOENT, "container %s: no layer %s", r->container_id, diff_id)
                                               : err_errno(err, errno, "container %s: layer %s", r->container_id, diff_id);
        }
        k = upper_prepare(container_fd, top >= 0 ? top : s->empty_fd);
        return k < 0 ? err_errno(err, k, "container %s: directory of its changes", r->container_id) : 0;
}

int storage_rootfs_mount(struct storage *s, const struct storage_rootfs *r, int *ret_fd, struct err *err) {
        __attribute__((cleanup(overlay_done))) struct overlay o = { .of = r, .own = -EBADF };
        enum overlay_tier tier = OVERLAY_UNKNOWN;
        auto_fd container = -EBADF;
        int k;

        k = check(r, err);
        if (k == 0)
                k = storage_container_open(s, r->container_id, &container, err);
        if (k == 0)
                k = prepare_upper(s, r, container, err);
        if (k == 0)
                k = find_tier(s, &tier, err);
        if (k < 0)
                return k;
        o.lowers = calloc(r->n_diff_ids + 2, sizeof(*o.lowers));
        if (!o.lowers)
                return err_errno(err, -ENOMEM, "container %s: root file system", r->container_id);
        k = add_changes(&o, s, container, err);
        if (k == 0)
                k = add_layers(&o, s, err);
        if (k < 0)
                return k;
        return tier == OVERLAY_DETACHED ? overlay_make_detached(&o, ret_fd, err) : overlay_make_attached(s, &o, ret_fd, err);
}
