/* SPDX-License-Identifier: Apache-2.0 */

/* A container's own directory. It is made in "tmp" and renamed, so that where it is, it is whole. */

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "storage/internal.h"

bool container_id_is_valid(const char *id) {
        size_t length = id ? strlen(id) : 0;

        if (length == 0 || length > 128 || !isalnum((unsigned char) id[0]))
                return false;
        for (const char *p = id; *p; p++)
                if (!isalnum((unsigned char) *p) && !strchr("_.-", *p))
                        return false;
        return true;
}

static int bad_id(const char *id, struct err *err) {
        return err_set(err, ERR_INVALID, -EINVAL, "\"%.80s\" is not a container id", id ? id : "");
}

/* Both belong to one project: files move from the one to the other. */
int storage_container_limit(int container_fd, const struct storage_quota *q, bool *ret_changed, struct err *err) {
        static const char *const names[] = { "upper", "work" };
        bool any = false;

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                auto_fd fd = openat(container_fd, names[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                bool changed = false;
                int r = fd < 0 ? err_errno(err, errno, "a limit of size: \"%s\" of a container", names[i]) : storage_quota_set(fd, q, &changed, err);

                if (r < 0)
                        return r;
                any |= changed;
        }
        if (ret_changed)
                *ret_changed = any;
        return 0;
}

static int fill(int fd, const char *id, const struct storage_quota *q, struct err *err) {
        /* Mode 0 says that the first mount has still to give it what "/" of the image has: see rootfs.c. */
        if (mkdirat(fd, "upper", 0) < 0 || mkdirat(fd, "work", 0700) < 0)
                return err_errno(err, errno, "container %s: making its directory", id);
        return q ? storage_container_limit(fd, q, NULL, err) : 0;
}

int storage_container_create(struct storage *s, const char *id, const struct storage_quota *q, int *ret_fd, struct err *err) {
        char name[SCRATCH_NAME_SIZE];
        auto_fd fd = -EBADF;
        int r;

        if (!container_id_is_valid(id))
                return bad_id(id, err);
        r = scratch_name(s, name, "container");
        if (r < 0)
                return err_errno(err, r, "container %s", id);
        if (mkdirat(s->tmp_fd, name, 0700) < 0) {
                r = err_errno(err, errno, "container %s: making its directory", id);
                scratch_done(s, name);
                return r;
        }
        fd = openat(s->tmp_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = fd < 0 ? err_errno(err, errno, "container %s: making its directory", id) : fill(fd, id, q, err);
        if (r == 0 && renameat2(s->tmp_fd, name, s->containers_fd, id, RENAME_NOREPLACE) < 0)
                r = errno == EEXIST ? err_set(err, ERR_CONFLICT, -EEXIST, "container %s has a directory already", id)
                                    : err_errno(err, errno, "container %s: making its directory", id);
        if (r < 0)
                path_remove_tree_at(s->tmp_fd, name);
        scratch_done(s, name);
        if (r < 0)
                return r;
        *ret_fd = move_fd(fd);
        return 0;
}

int storage_container_open(struct storage *s, const char *id, int *ret_fd, struct err *err) {
        int fd;

        if (!container_id_is_valid(id))
                return bad_id(id, err);
        fd = openat(s->containers_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return err_errno(err, errno, "directory of container %s", id);
        *ret_fd = fd;
        return 0;
}

int storage_container_remove(struct storage *s, const char *id, struct err *err) {
        int r;

        if (!container_id_is_valid(id))
                return bad_id(id, err);
        r = scratch_bury(s, s->containers_fd, id);
        if (r < 0 && r != -ENOENT)
                return err_errno(err, r, "container %s: deleting its directory", id);
        return 0;
}
