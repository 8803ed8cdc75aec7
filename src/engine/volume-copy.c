/* SPDX-License-Identifier: Apache-2.0 */
/* What an image has in the place of a volume, copied into the volume at its first use: the image's files are seen through its mapped mount, with the
 * container's ids, and the volume has plain ids on disk, as all host directories that are mounted mapped. Also one volume copied into another. */

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/inodes.h"
#include "base/mem.h"
#include "base/path.h"
#include "engine/volumes.h"

enum { DEPTH_MAX = 200 /* each level holds two fds */, PIECE_MAX = 64 << 20 };

struct copy {
        uint32_t first_id;
        int root_fd;   /* of what is made */
        int cancel_fd; /* -1: goes on to its end */
        struct inode_table links;
        char path[PATH_MAX]; /* of the file at hand */
        struct volume_copied copied;
};

static uid_t shift(uid_t id, uint32_t first_id) {
        return id >= first_id && id - first_id < 65536 ? id - first_id : first_id ? 65534 : id;
}

static bool is_canceled(const struct copy *c) {
        struct pollfd p = { .fd = c->cancel_fd, .events = POLLIN };

        return c->cancel_fd >= 0 && poll(&p, 1, 0) > 0;
}

static int copy_by_hand(int from, int to, off_t at, off_t end) {
        char buf[64 << 10];

        while (at < end) {
                ssize_t n = pread(from, buf, end - at < (off_t) sizeof(buf) ? (size_t) (end - at) : sizeof(buf), at);
                ssize_t m = n > 0 ? pwrite(to, buf, (size_t) n, at) : n;

                if (m < 0 && errno == EINTR)
                        continue;
                if (m <= 0)
                        return m < 0 ? -errno : 0;
                at += m;
        }
        return 0;
}

static int copy_range(const struct copy *c, int from, int to, off_t at, off_t end) {
        while (at < end) {
                off_t in = at, out = at;
                ssize_t n = copy_file_range(from, &in, to, &out, end - at < PIECE_MAX ? (size_t) (end - at) : PIECE_MAX, 0);

                if (is_canceled(c))
                        return -ECANCELED;
                if (n == 0) /* it has become shorter */
                        return 0;
                if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP))
                        return copy_by_hand(from, to, at, end);
                if (n < 0 && errno != EINTR)
                        return -errno;
                at += n > 0 ? n : 0;
        }
        return 0;
}

/* All of it in one step where the file system can share blocks; else what is data, and its holes stay holes. */
static int copy_data(struct copy *c, int from, int to, off_t size) {
        off_t at = 0;

        if (size > 0 && ioctl(to, FICLONE, from) == 0) {
                c->copied.shared++;
                return 0;
        }
        c->copied.copied += size > 0;
        while (at < size) {
                off_t data = lseek(from, at, SEEK_DATA), hole = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
                int r;

                if (data < 0 && errno == ENXIO)
                        break;
                if (data < 0 || hole < 0) {
                        data = at;
                        hole = size;
                }
                r = copy_range(c, from, to, data, hole < size ? hole : size);
                if (r < 0)
                        return r;
                at = hole;
        }
        return ftruncate(to, size) < 0 ? -errno : 0;
}

/* Owner before mode: chown(2) takes set-id bits away. */
static int set_attributes(int from, int fd, const struct stat *st, uint32_t first_id) {
        const struct timespec times[2] = { st->st_atim, st->st_mtim };
        int r;

        if (fchown(fd, shift(st->st_uid, first_id), shift(st->st_gid, first_id)) < 0 || fchmod(fd, st->st_mode & 07777) < 0)
                return -errno;
        r = volume_copy_xattrs(from, fd, first_id); /* after chown(2), which takes capabilities away */
        return r < 0 ? r : futimens(fd, times) < 0 ? -errno : 0;
}

/* Another name of a file that is there already. Others may be at work in a volume: no link among the parents is followed. */
static int link_first(const struct copy *c, int to_dir, const char *name, const char *first) {
        const char *slash = strrchr(first, '/');
        auto_free char *dir = slash ? strndup(first, (size_t) (slash - first)) : strdup("/");
        auto_fd fd = dir ? path_open_in_nosymlink(c->root_fd, dir, O_PATH | O_DIRECTORY, 0) : -ENOMEM;

        if (fd < 0)
                return fd;
        return linkat(fd, slash ? slash + 1 : first, to_dir, name, 0) < 0 ? -errno : 0;
}

static int copy_file(int from_dir, int to_dir, const char *name, struct copy *c) {
        auto_fd from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), to = -EBADF;
        const char *first = NULL;
        struct stat st;
        int r;

        if (from < 0 || fstat(from, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -ESTALE; /* it was one a moment ago */
        if (st.st_nlink > 1 && (r = inode_table_note(&c->links, &st, c->path, &first)) < 0)
                return r;
        if (first)
                return link_first(c, to_dir, name, first);
        to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (to < 0)
                return -errno;
        r = copy_data(c, from, to, st.st_size);
        return r < 0 ? r : set_attributes(from, to, &st, c->first_id);
}

static int copy_special(int from_dir, int to_dir, const char *name, const struct stat *st, uint32_t first_id) {
        const struct timespec times[2] = { st->st_atim, st->st_mtim };
        char target[PATH_MAX];
        ssize_t n;

        if (S_ISLNK(st->st_mode)) {
                n = readlinkat(from_dir, name, target, sizeof(target) - 1);
                if (n < 0)
                        return -errno;
                target[n] = '\0';
                if (symlinkat(target, to_dir, name) < 0)
                        return -errno;
        } else if (S_ISFIFO(st->st_mode)) {
                if (mkfifoat(to_dir, name, st->st_mode & 07777) < 0)
                        return -errno;
        } else {
                return 0; /* sockets are nobody's any more, and devices are not for volumes */
        }
        if (fchownat(to_dir, name, shift(st->st_uid, first_id), shift(st->st_gid, first_id), AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        /* After the owner, as above; and the daemon's own mask does not count. */
        if (S_ISFIFO(st->st_mode) && fchmodat(to_dir, name, st->st_mode & 07777, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW);
        return 0;
}

static int copy_directory(int from, int to, struct copy *c, int depth);

static int copy_entry(int from_dir, int to_dir, const char *name, struct copy *c, int depth) {
        auto_fd from = -EBADF, to = -EBADF;
        struct stat st;

        if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        if (S_ISREG(st.st_mode))
                return copy_file(from_dir, to_dir, name, c);
        if (!S_ISDIR(st.st_mode))
                return copy_special(from_dir, to_dir, name, &st, c->first_id);
        if (depth >= DEPTH_MAX)
                return -ELOOP;
        from = openat(from_dir, name, O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (from < 0 || mkdirat(to_dir, name, 0700) < 0)
                return -errno;
        to = openat(to_dir, name, O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        return to < 0 ? -errno : copy_directory(from, to, c, depth + 1);
}

static int copy_directory(int from, int to, struct copy *c, int depth) {
        int copy = openat(from, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC), r = 0;
        DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
        size_t length = strlen(c->path);
        struct stat st;

        if (!d) {
                r = -errno;
                fd_close(copy);
                return r;
        }
        for (struct dirent *entry; r == 0 && (errno = 0, entry = readdir(d));) {
                int n;

                if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
                        continue;
                n = snprintf(c->path + length, sizeof(c->path) - length, "/%s", entry->d_name);
                if ((size_t) n >= sizeof(c->path) - length)
                        r = -ENAMETOOLONG;
                else if (is_canceled(c))
                        r = -ECANCELED;
                else
                        r = copy_entry(from, to, entry->d_name, c, depth);
        }
        if (r == 0 && errno)
                r = -errno;
        if (r == 0)
                c->path[length] = '\0'; /* else it names the culprit */
        closedir(d);
        if (r == 0 && fstat(from, &st) < 0)
                r = -errno;
        return r < 0 ? r : set_attributes(from, to, &st, c->first_id);
}

/* Of this thread alone. Who has it is above the limits of quotas on ext4 (capabilities(7)), and what is copied is to be held by them. */
static void set_above_limits(bool on, bool *ret_was) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
        uint32_t *word = &data[CAP_TO_INDEX(CAP_SYS_RESOURCE)].effective, mask = CAP_TO_MASK(CAP_SYS_RESOURCE);

        if (syscall(SYS_capget, &header, data) < 0)
                return;
        if (ret_was)
                *ret_was = *word & mask;
        if (on == !!(*word & mask))
                return;
        *word ^= mask;
        syscall(SYS_capset, &header, data);
}

int volume_copy_tree(int from_fd, int to_fd, uint32_t first_id, int cancel_fd, struct volume_copied *ret, struct err *err) {
        auto_free struct copy *c = calloc(1, sizeof(*c));
        bool was_above = false;
        int r;

        if (!c)
                return err_errno(err, -ENOMEM, "copying files into a volume");
        set_above_limits(false, &was_above);
        c->first_id = first_id;
        c->root_fd = to_fd;
        c->cancel_fd = cancel_fd;
        r = copy_directory(from_fd, to_fd, c, 0);
        inode_table_done(&c->links);
        set_above_limits(was_above, NULL);
        if (r == -ECANCELED)
                return err_set(err, ERR_UNAVAILABLE, r, "canceled");
        if (r < 0)
                return err_errno(err, r, "copying files into a volume: %s", *c->path ? c->path : "/");
        if (ret)
                *ret = c->copied;
        return 0;
}
