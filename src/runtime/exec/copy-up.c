/* SPDX-License-Identifier: Apache-2.0 */

/* tmpcopyup: a tmpfs begins with what the image has at its place. Directories, files, symlinks and fifos with their modes, owners and times;
 * device nodes of an image are left out. The image may be hostile: nothing is followed, the depth is bounded here, and the size by the tmpfs. */

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/exec/private.h"

enum { DEPTH_MAX = 64 };

struct entry {
        uint64_t inode, offset;
        unsigned short size;
        unsigned char type;
        char name[];
};

/* After the owner the mode: a change of owner takes the set-id bits away. An id that has no place in this user namespace stays root's. */
static int set_metadata(int fd, const struct stat *st) {
        const struct timespec times[] = { st->st_atim, st->st_mtim };

        if (fchown(fd, st->st_uid, st->st_gid) < 0 && errno != EINVAL)
                return -errno;
        if (fchmod(fd, st->st_mode & 07777) < 0)
                return -errno;
        return syscall(SYS_utimensat, fd, NULL, times, 0) < 0 ? -errno : 0;
}

static int copy_file(int from, int to, const char *name, const struct stat *st) {
        auto_fd in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), out = -EBADF;
        char data[8192];
        ssize_t n;

        if (in < 0)
                return -errno;
        out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (out < 0)
                return -errno;
        while ((n = read(in, data, sizeof(data))) != 0) {
                int r = n < 0 ? -errno : fd_write_all(out, data, (size_t) n);

                if (r < 0 && r != -EINTR)
                        return r;
        }
        return set_metadata(out, st);
}

static int copy_symlink(int from, int to, const char *name, const struct stat *st) {
        char target[PATH_MAX];
        ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

        if (n < 0)
                return -errno;
        target[n] = '\0';
        if (symlinkat(target, to, name) < 0)
                return -errno;
        return fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != EINVAL ? -errno : 0;
}

static int copy_fifo(int to, const char *name, const struct stat *st) {
        auto_fd fd = -EBADF;

        if (mknodat(to, name, S_IFIFO | 0600, 0) < 0)
                return -errno;
        fd = openat(to, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : set_metadata(fd, st);
}

static int copy_directory(int from, int to, unsigned depth);

static int copy_below(int from, int to, const char *name, const struct stat *st, unsigned depth) {
        auto_fd in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), out = -EBADF;
        int r;

        if (in < 0)
                return -errno;
        if (mkdirat(to, name, 0700) < 0)
                return -errno;
        out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (out < 0)
                return -errno;
        r = copy_directory(in, out, depth + 1);
        return r < 0 ? r : set_metadata(out, st);
}

static int copy_one(int from, int to, const char *name, unsigned depth) {
        struct stat st;

        if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        switch (st.st_mode & S_IFMT) {
        case S_IFREG:
                return copy_file(from, to, name, &st);
        case S_IFLNK:
                return copy_symlink(from, to, name, &st);
        case S_IFIFO:
                return copy_fifo(to, name, &st);
        case S_IFDIR:
                return copy_below(from, to, name, &st, depth);
        default:
                return 0;
        }
}

static int copy_directory(int from, int to, unsigned depth) {
        _Alignas(uint64_t) char list[2048];
        long n;

        if (depth > DEPTH_MAX)
                return -ELOOP;
        while ((n = syscall(SYS_getdents64, from, list, sizeof(list))) > 0)
                for (long at = 0; at < n;) {
                        const struct entry *e = (const struct entry *) (list + at);
                        bool dots = e->name[0] == '.' && (!e->name[1] || (e->name[1] == '.' && !e->name[2]));
                        int r = dots ? 0 : copy_one(from, to, e->name, depth);

                        if (r < 0)
                                return r;
                        at += e->size;
                }
        return n < 0 ? -errno : 0;
}

int copy_up(int from_path, int mount_fd, bool with_mode) {
        auto_fd from = openat(from_path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), to = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat st;
        int r;

        if (from < 0 || to < 0 || fstat(from, &st) < 0)
                return -errno;
        r = copy_directory(from, to, 0);
        return r < 0 || !with_mode ? r : set_metadata(to, &st);
}
