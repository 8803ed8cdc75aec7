/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

enum { OPENAT2_TRIES = 128 };

static int open_resolved(int root_fd, const char *path, int flags, mode_t mode, uint64_t resolve) {
        struct open_how how = {
                .flags = (uint64_t) (flags | O_CLOEXEC),
                .mode = flags & (O_CREAT | __O_TMPFILE) ? mode & 07777 : 0,
                .resolve = resolve,
        };

        /* The kernel gives EAGAIN when a rename raced with a ".." it could not prove safe: a bounded number of tries. */
        for (int i = 0; i < OPENAT2_TRIES; i++) {
                long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

                if (fd >= 0)
                        return (int) fd;
                if (errno != EAGAIN && errno != EINTR)
                        return -errno;
        }
        return -EAGAIN;
}

int path_open_in(int root_fd, const char *path, int flags, mode_t mode) {
        return open_resolved(root_fd, *path ? path : ".", flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int path_open_in_nosymlink(int root_fd, const char *path, int flags, mode_t mode) {
        return open_resolved(root_fd, *path ? path : ".", flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
}

int path_mkdir_in(int root_fd, const char *path, mode_t mode) {
        char prefix[PATH_MAX];
        size_t length = strlen(path), end = 0;
        auto_fd at = -EBADF;

        if (length >= sizeof(prefix))
                return -ENAMETOOLONG;
        at = path_open_in(root_fd, ".", O_PATH | O_DIRECTORY, 0);
        if (at < 0)
                return at;
        /* Each prefix is resolved from the root again, so that a symlink or ".." in the middle means what it means in the
         * container; each missing part is made on the fd of the part before it. */
        while (end < length) {
                size_t start = end + strspn(path + end, "/");
                size_t part = strcspn(path + start, "/");
                char name[NAME_MAX + 1];
                int next;

                if (part == 0)
                        break;
                if (part > NAME_MAX)
                        return -ENAMETOOLONG;
                end = start + part;
                memcpy(prefix, path, end);
                prefix[end] = '\0';
                memcpy(name, path + start, part);
                name[part] = '\0';
                next = path_open_in(root_fd, prefix, O_PATH | O_DIRECTORY, 0);
                if (next == -ENOENT) {
                        bool last = path[end + strspn(path + end, "/")] == '\0';

                        /* ".." of a directory that does not exist has no meaning to make. */
                        if (strcmp(name, "..") == 0 || strcmp(name, ".") == 0)
                                return -ENOENT;
                        if (mkdirat(at, name, last ? mode : 0755) < 0 && errno != EEXIST)
                                return -errno;
                        next = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                        if (next < 0)
                                return -errno;
                } else if (next < 0) {
                        return next;
                }
                fd_close(at);
                at = next;
        }
        return move_fd(at);
}
