/* SPDX-License-Identifier: Apache-2.0 */

/* A container's root: an overlay that is never attached to the host's mount table. Per layer open_tree(2), mount_setattr(2) and
 * fsconfig(2); a layer's fd is closed as soon as overlayfs holds its path, so hundreds of layers need a handful of fds. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "storage/creds.h"
#include "storage/internal.h"
#include "storage/upper.h"

enum { MAX_LAYERS = 498 }; /* overlayfs takes 500 lower directories: one may be the empty one, one the upper */

/* None of what lets a layer's attributes point elsewhere in the tree; and what the kernel was built with must not matter. */
static const struct { const char *key, *value; } overlay_options[] = {
        { "redirect_dir", "nofollow" },
        { "index",        "off"      },
        { "metacopy",     "off"      },
        { "xino",         "off"      },
};

static int overlay_set_dir(int fs_fd, enum overlay_tier tier, const char *key, int dir_fd) {
        char path[32];

        if (tier == OVERLAY_BY_FD)
                return fsconfig(fs_fd, FSCONFIG_SET_FD, key, NULL, dir_fd) < 0 ? -errno : 0;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", dir_fd);
        return fsconfig(fs_fd, FSCONFIG_SET_STRING, key, path, 0) < 0 ? -errno : 0;
}

/* Ask the kernel, once: offer it a directory in each way. */
static int find_tier(struct storage *s, enum overlay_tier *ret, struct err *err) {
        int known = atomic_load(&s->overlay_tier);
        auto_fd dir = -EBADF;

        if (known != OVERLAY_UNKNOWN) {
                *ret = (enum overlay_tier) known;
                return 0;
        }
        dir = openat(s->empty_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return err_errno(err, errno, "overlay file system: the empty layer");
        for (enum overlay_tier tier = OVERLAY_BY_FD; tier <= OVERLAY_BY_PATH; tier++) {
                auto_fd fs = fsopen("overlay", FSOPEN_CLOEXEC);

                if (fs < 0)
                        return err_set(err, errno == EPERM ? ERR_DENIED : ERR_UNSUPPORTED, -errno,
                                errno == ENODEV ? "this kernel has no overlay file system" : "overlay file system: fsopen: %m");
                if (overlay_set_dir(fs, tier, "lowerdir+", dir) == 0) {
                        atomic_store(&s->overlay_tier, tier);
                        *ret = tier;
                        return 0;
                }
        }
        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
                "this kernel's overlay file system does not take layers one by one (\"lowerdir+\", Linux 6.7)");
}

/* What overlayfs itself says is better than an errno; it is one message per read(2), "e overlay: …". */
static int overlay_error(const struct storage_rootfs *r, int fs_fd, int num, const char *what, struct err *err) {
        enum err_kind kind = num == -ENOSPC || num == -EDQUOT ? ERR_NO_SPACE : ERR_INTERNAL;
        char text[256], last[256] = "";
        ssize_t n;

        for (int i = 0; i < 16 && (n = read(fs_fd, text, sizeof(text) - 1)) > 0; i++) {
                text[n] = '\0';
                text[strcspn(text, "\n")] = '\0';
                if (text[0] == 'e' || !last[0])
                        memcpy(last, text, sizeof(last));
        }
        return err_set(err, kind, num, "container %s: root file system: %s: %s%s%s%s", r->container_id, what, strerror(-num),
                last[0] ? " (" : "", last[0] ? last + 2 : "", last[0] ? ")" : "");
}

static int clone_error(const struct storage_rootfs *r, int num, const char *what, struct err *err) {
        if (num == -ENOENT)
                return err_set(err, ERR_NOT_FOUND, num, "container %s: no %s", r->container_id, what);
        if (r->userns_fd >= 0 && (num == -EOPNOTSUPP || num == -EPERM))
                return err_set(err, ERR_UNSUPPORTED, num,
                        "container %s: the data directory's file system cannot be seen with the ids of a user namespace"
                        " (idmapped mounts): use --userns=host", r->container_id);
        return err_set(err, ERR_INTERNAL, num, "container %s: %s: %s", r->container_id, what, strerror(-num));
}

static int add_clone(const struct storage_rootfs *r, int fs_fd, enum overlay_tier tier, int dir_fd, const char *path, const char *what,
                struct err *err) {
        auto_fd clone = -EBADF;
        int k = idmap_clone_private(dir_fd, path, r->userns_fd, &clone);

        if (k < 0)
                return clone_error(r, k, what, err);
        k = overlay_set_dir(fs_fd, tier, "lowerdir+", clone);
        return k < 0 ? overlay_error(r, fs_fd, k, what, err) : 0;
}

static int add_layers(struct storage *s, const struct storage_rootfs *r, int fs_fd, enum overlay_tier tier, struct err *err) {
        for (size_t i = r->n_diff_ids; i-- > 0;) {
                char what[128];
                int k;

                snprintf(what, sizeof(what), "layer %s", r->diff_ids[i]);
                k = add_clone(r, fs_fd, tier, s->layers_fd, layer_hex(r->diff_ids[i]), what, err);
                if (k < 0)
                        return k;
        }
        return r->n_diff_ids == 0 ? add_clone(r, fs_fd, tier, s->empty_fd, "", "empty layer", err) : 0;
}

/* upper and work must be on the same mount: one clone of the container's directory, and both opened in it. */
static int add_upper(const struct storage_rootfs *r, int fs_fd, enum overlay_tier tier, int container_fd, struct err *err) {
        static const struct { const char *key, *name; } dirs[] = { { "upperdir", "upper" }, { "workdir", "work" } };
        auto_fd clone = -EBADF;
        int k = idmap_clone_private(container_fd, "", r->userns_fd, &clone);

        if (k < 0)
                return clone_error(r, k, "directory of its own", err);
        for (int i = 0; i < 2; i++) {
                auto_fd dir = openat(clone, dirs[i].name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

                if (dir < 0)
                        return clone_error(r, -errno, dirs[i].name, err);
                k = overlay_set_dir(fs_fd, tier, dirs[i].key, dir);
                if (k < 0)
                        return overlay_error(r, fs_fd, k, dirs[i].name, err);
        }
        return 0;
}

static int set_options(const struct storage_rootfs *r, int fs_fd, int container_fd, struct err *err) {
        for (size_t i = 0; i < sizeof(overlay_options) / sizeof(*overlay_options); i++)
                if (fsconfig(fs_fd, FSCONFIG_SET_STRING, overlay_options[i].key, overlay_options[i].value, 0) < 0)
                        return overlay_error(r, fs_fd, -errno, overlay_options[i].key, err);
        if (!r->ephemeral || r->read_only)
                return 0;
        /* The mark of an earlier such mount that may not have reached the disk whole. These files need not. */
        if (unlinkat(container_fd, "work/work/incompat/volatile", AT_REMOVEDIR) < 0 && errno != ENOENT)
                return overlay_error(r, fs_fd, -errno, "mark of an earlier mount", err);
        return fsconfig(fs_fd, FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0 ? overlay_error(r, fs_fd, -errno, "volatile", err) : 0;
}

static int create_as_owner(const struct storage_rootfs *r, int fs_fd, struct err *err) {
        struct creds before;
        int k = 0;

        if (r->userns_fd >= 0) {
                k = creds_enter(r->first_id, &before);
                if (k < 0)
                        return err_errno(err, k, "container %s: taking the ids of its root", r->container_id);
        }
        if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                k = -errno;
        if (r->userns_fd >= 0)
                creds_leave(&before);
        return k < 0 ? overlay_error(r, fs_fd, k, "overlay", err) : 0;
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
        auto_fd container = -EBADF, fs = -EBADF, mount = -EBADF;
        enum overlay_tier tier = OVERLAY_UNKNOWN;
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
        fs = fsopen("overlay", FSOPEN_CLOEXEC);
        if (fs < 0)
                return err_errno(err, errno, "container %s: root file system", r->container_id);
        k = set_options(r, fs, container, err);
        /* Read-only, the changes are the topmost of the lower layers: then nothing at all is written, not even to the work directory. */
        if (k == 0)
                k = r->read_only ? add_clone(r, fs, tier, container, "upper", "directory of changes", err)
                                 : add_upper(r, fs, tier, container, err);
        if (k == 0)
                k = add_layers(s, r, fs, tier, err);
        if (k == 0)
                k = create_as_owner(r, fs, err);
        if (k < 0)
                return k;
        mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
        if (mount < 0)
                return overlay_error(r, fs, -errno, "mount", err);
        *ret_fd = move_fd(mount);
        return 0;
}
