/* SPDX-License-Identifier: Apache-2.0 */

/* A container's root: an overlay that is never attached to the host's mount table. Per layer open_tree(2), mount_setattr(2) and
 * fsconfig(2). Closing a detached clone's fd unmounts it, and overlayfs clones its layers' mounts when it is created: so one fd per
 * layer stays open until then. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
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

/* An overlay in the making. */
struct making {
        const struct storage_rootfs *of;
        enum overlay_tier tier;
        int fs_fd;
        int *clones; /* held until it is created */
        size_t n_clones;
};

static void making_done(struct making *m) {
        int saved = errno;

        for (size_t i = 0; i < m->n_clones; i++)
                close(m->clones[i]);
        free(m->clones);
        fd_close(m->fs_fd);
        errno = saved;
}

/* What overlayfs itself says is better than an errno; it is one message per read(2), "e overlay: …". */
static int overlay_error(const struct making *m, int num, const char *what, struct err *err) {
        enum err_kind kind = num == -ENOSPC || num == -EDQUOT ? ERR_NO_SPACE : ERR_INTERNAL;
        char text[256], last[256] = "";
        ssize_t n;

        for (int i = 0; i < 16 && (n = read(m->fs_fd, text, sizeof(text) - 1)) > 2; i++) {
                text[n] = '\0';
                text[strcspn(text, "\n")] = '\0';
                if (text[0] == 'e' || !last[0])
                        memcpy(last, text, sizeof(last));
        }
        return err_set(err, kind, num, "container %s: root file system: %s: %s%s%s%s", m->of->container_id, what, strerror(-num),
                last[0] ? " (" : "", last[0] ? last + 2 : "", last[0] ? ")" : "");
}

static int clone_error(const struct making *m, int num, const char *what, struct err *err) {
        if (num == -ENOENT)
                return err_set(err, ERR_NOT_FOUND, num, "container %s: no %s", m->of->container_id, what);
        if (m->of->userns_fd >= 0 && (num == -EOPNOTSUPP || num == -EPERM))
                return err_set(err, ERR_UNSUPPORTED, num,
                        "container %s: the data directory's file system cannot be seen with the ids of a user namespace"
                        " (idmapped mounts): use --userns=host", m->of->container_id);
        return err_set(err, ERR_INTERNAL, num, "container %s: %s: %s", m->of->container_id, what, strerror(-num));
}

/* Returns the fd, which stays m's. */
static int add_clone(struct making *m, int dir_fd, const char *path, const char *what, struct err *err) {
        int r = idmap_clone_private(dir_fd, path, m->of->userns_fd, &m->clones[m->n_clones]);

        return r < 0 ? clone_error(m, r, what, err) : m->clones[m->n_clones++];
}

static int add_lower(struct making *m, int dir_fd, const char *path, const char *what, struct err *err) {
        int fd = add_clone(m, dir_fd, path, what, err), r;

        if (fd < 0)
                return fd;
        r = overlay_set_dir(m->fs_fd, m->tier, "lowerdir+", fd);
        return r < 0 ? overlay_error(m, r, what, err) : 0;
}

/* The topmost is the first. */
static int add_layers(struct making *m, struct storage *s, struct err *err) {
        for (size_t i = m->of->n_diff_ids; i-- > 0;) {
                char what[128];
                int r;

                snprintf(what, sizeof(what), "layer %s", m->of->diff_ids[i]);
                r = add_lower(m, s->layers_fd, layer_hex(m->of->diff_ids[i]), what, err);
                if (r < 0)
                        return r;
        }
        return m->of->n_diff_ids == 0 ? add_lower(m, s->empty_fd, "", "empty layer", err) : 0;
}

/* upper and work must be on the same mount: one clone of the container's directory, and both opened in it. */
static int add_upper(struct making *m, int container_fd, struct err *err) {
        static const struct { const char *key, *name; } dirs[] = { { "upperdir", "upper" }, { "workdir", "work" } };
        int clone = add_clone(m, container_fd, "", "directory of its own", err);

        if (clone < 0)
                return clone;
        for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
                auto_fd dir = openat(clone, dirs[i].name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                int r;

                if (dir < 0)
                        return clone_error(m, -errno, dirs[i].name, err);
                r = overlay_set_dir(m->fs_fd, m->tier, dirs[i].key, dir);
                if (r < 0)
                        return overlay_error(m, r, dirs[i].name, err);
        }
        return 0;
}

/* Read-only, the changes are the topmost of the lower layers: then nothing at all is written, not even to the work directory. */
static int add_changes(struct making *m, int container_fd, struct err *err) {
        return m->of->read_only ? add_lower(m, container_fd, "upper", "directory of its changes", err) : add_upper(m, container_fd, err);
}

static int set_options(struct making *m, int container_fd, struct err *err) {
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(overlay_options); i++)
                if (fsconfig(m->fs_fd, FSCONFIG_SET_STRING, overlay_options[i].key, overlay_options[i].value, 0) < 0)
                        return overlay_error(m, -errno, overlay_options[i].key, err);
        if (!m->of->ephemeral || m->of->read_only)
                return 0;
        /* The mark of an earlier such mount, whose files may not have reached the disk whole. These need not. */
        r = path_remove_tree_at(container_fd, "work/work/incompat");
        if (r < 0)
                return overlay_error(m, r, "mark of an earlier mount", err);
        return fsconfig(m->fs_fd, FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0 ? overlay_error(m, -errno, "volatile", err) : 0;
}

static int create(struct making *m, struct err *err) {
        bool mapped = m->of->userns_fd >= 0;
        struct creds before;
        int r = 0;

        if (mapped) {
                r = creds_enter(m->of->first_id, &before);
                if (r < 0)
                        return err_errno(err, r, "container %s: taking the ids of its root", m->of->container_id);
        }
        if (fsconfig(m->fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                r = -errno;
        if (mapped)
                creds_leave(&before);
        return r < 0 ? overlay_error(m, r, "overlay", err) : 0;
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
        __attribute__((cleanup(making_done))) struct making m = { .of = r, .fs_fd = -EBADF };
        auto_fd container = -EBADF;
        int fd, k;

        k = check(r, err);
        if (k == 0)
                k = storage_container_open(s, r->container_id, &container, err);
        if (k == 0)
                k = prepare_upper(s, r, container, err);
        if (k == 0)
                k = find_tier(s, &m.tier, err);
        if (k < 0)
                return k;
        m.clones = calloc(r->n_diff_ids + 2, sizeof(*m.clones));
        m.fs_fd = fsopen("overlay", FSOPEN_CLOEXEC);
        if (!m.clones || m.fs_fd < 0)
                return err_errno(err, m.clones ? errno : ENOMEM, "container %s: root file system", r->container_id);
        k = set_options(&m, container, err);
        if (k == 0)
                k = add_changes(&m, container, err);
        if (k == 0)
                k = add_layers(&m, s, err);
        if (k == 0)
                k = create(&m, err);
        if (k < 0)
                return k;
        fd = fsmount(m.fs_fd, FSMOUNT_CLOEXEC, 0);
        if (fd < 0)
                return overlay_error(&m, -errno, "mount", err);
        *ret_fd = fd;
        return 0;
}
