/* SPDX-License-Identifier: Apache-2.0 */

/* An overlay that is never attached to any mount table: fsconfig(2) with an fd per directory. Two things of Linux 6.15 are needed:
 * overlayfs clones layers that are detached themselves, and takes O_PATH fds, which is what open_tree(2) gives. */

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "storage/overlay.h"

static int set_fd(int fs_fd, const char *key, int dir_fd) {
        return fsconfig(fs_fd, FSCONFIG_SET_FD, key, NULL, dir_fd) < 0 ? -errno : 0;
}

/* What overlayfs itself says is better than an errno; it is one message per read(2), "e overlay: …". */
static int failed(const struct overlay *o, int fs_fd, int num, const char *what, struct err *err) {
        char text[256], last[256] = "";
        ssize_t n;

        for (int i = 0; i < 16 && (n = read(fs_fd, text, sizeof(text) - 1)) > 2; i++) {
                text[n] = '\0';
                text[strcspn(text, "\n")] = '\0';
                if (text[0] == 'e' || !last[0])
                        memcpy(last, text, sizeof(last));
        }
        return overlay_error(o, num, what, last[0] ? last + 2 : "", err);
}

static int set_options(const struct overlay *o, int fs_fd, struct err *err) {
        for (const struct overlay_option *opt = overlay_options(o); opt->key; opt++) {
                int r = opt->value ? fsconfig(fs_fd, FSCONFIG_SET_STRING, opt->key, opt->value, 0)
                                   : fsconfig(fs_fd, FSCONFIG_SET_FLAG, opt->key, NULL, 0);

                if (r < 0)
                        return failed(o, fs_fd, -errno, opt->key, err);
        }
        return 0;
}

static int set_lowers(const struct overlay *o, int fs_fd, struct err *err) {
        for (size_t i = 0; i < o->n_lowers; i++) {
                int r = set_fd(fs_fd, "lowerdir+", o->lowers[i]);

                if (r < 0) {
                        char name[128];

                        overlay_lower_name(o, i, name);
                        return failed(o, fs_fd, r, name, err);
                }
        }
        return 0;
}

static int set_upper(const struct overlay *o, int fs_fd, struct err *err) {
        static const struct { const char *key, *name; } dirs[] = { { "upperdir", "upper" }, { "workdir", "work" } };

        for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
                auto_fd dir = openat(o->own, dirs[i].name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                int r = dir < 0 ? -errno : set_fd(fs_fd, dirs[i].key, dir);

                if (r < 0)
                        return failed(o, fs_fd, r, dirs[i].name, err);
        }
        return 0;
}

static int create(void *data) {
        return fsconfig(*(int *) data, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
}

int overlay_make_detached(const struct overlay *o, int *ret_fd, struct err *err) {
        auto_fd fs = fsopen("overlay", FSOPEN_CLOEXEC);
        int fd, r;

        if (fs < 0)
                return overlay_error(o, -errno, "overlay", "", err);
        r = set_options(o, fs, err);
        if (r == 0 && o->own >= 0)
                r = set_upper(o, fs, err);
        if (r == 0)
                r = set_lowers(o, fs, err);
        if (r < 0)
                return r;
        r = overlay_with_creds(o, create, &fs);
        if (r < 0)
                return failed(o, fs, r, "overlay", err);
        fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
        if (fd < 0)
                return failed(o, fs, -errno, "mount", err);
        *ret_fd = fd;
        return 0;
}

/* Any two directories will do: without an upper one nothing is written to them. */
bool overlay_can_be_detached(struct storage *s) {
        auto_fd fs = fsopen("overlay", FSOPEN_CLOEXEC), one = -EBADF, two = -EBADF;

        return fs >= 0 && idmap_clone_private(s->empty_fd, "", -1, &one) == 0 && idmap_clone_private(s->tmp_fd, "", -1, &two) == 0 &&
               set_fd(fs, "lowerdir+", one) == 0 && set_fd(fs, "lowerdir+", two) == 0 && create(&fs) == 0;
}
