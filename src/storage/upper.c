/* SPDX-License-Identifier: Apache-2.0 */

/* The root of an overlay has the attributes of its upper directory, so a new one is given those of the image's "/". */

#include "storage/upper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

enum { XATTR_TRIES = 8 };

/* Overlay's own marks belong to the layer, and security labels to the host's policy. */
static bool is_copied(const char *name) {
        return !str_starts_with(name, "trusted.overlay.") &&
               (!str_starts_with(name, "security.") || strcmp(name, "security.capability") == 0);
}

static int copy_xattr(int from, int to, const char *name) {
        for (int i = 0; i < XATTR_TRIES; i++) {
                ssize_t size = fgetxattr(from, name, NULL, 0);
                auto_free char *value = size < 0 ? NULL : malloc((size_t) size + 1);

                if (size < 0)
                        return errno == ENODATA ? 0 : -errno;
                if (!value)
                        return -ENOMEM;
                size = fgetxattr(from, name, value, (size_t) size);
                if (size >= 0)
                        return fsetxattr(to, name, value, (size_t) size, 0) < 0 ? -errno : 0;
                if (errno != ERANGE) /* it grew in between */
                        return errno == ENODATA ? 0 : -errno;
        }
        return -EBUSY;
}

static int copy_xattrs(int from, int to) {
        ssize_t size = flistxattr(from, NULL, 0);
        auto_free char *names = NULL;

        if (size < 0)
                return errno == EOPNOTSUPP ? 0 : -errno;
        names = malloc((size_t) size + 1);
        if (!names)
                return -ENOMEM;
        size = flistxattr(from, names, (size_t) size);
        if (size < 0)
                return -errno;
        for (const char *n = names; n < names + size; n += strlen(n) + 1) {
                int r = is_copied(n) ? copy_xattr(from, to, n) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

int upper_prepare(int container_fd, int top_fd) {
        auto_fd fd = openat(container_fd, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat st, top;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (st.st_mode & 07777)
                return 0;
        if (fstat(top_fd, &top) < 0 || fchown(fd, top.st_uid, top.st_gid) < 0)
                return -errno;
        r = copy_xattrs(top_fd, fd);
        if (r < 0)
                return r;
        if (futimens(fd, (struct timespec[]) { top.st_atim, top.st_mtim }) < 0)
                return -errno;
        /* Last: it says that all the rest is done. */
        return fchmod(fd, top.st_mode & 07777) < 0 ? -errno : 0;
}
