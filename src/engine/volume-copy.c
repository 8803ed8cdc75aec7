/* SPDX-License-Identifier: Apache-2.0 */
/* What an image has in the place of a volume, copied into the volume at its first use. The image's files are seen through its mapped mount, with the
 * container's ids; the volume has plain ids on disk, as all host directories that are mounted mapped. */

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "engine/volumes.h"

enum { DEPTH_MAX = 200 /* each level holds two fds */, LINKS_MAX = 256 /* each holds one */ };

static uid_t shift(uid_t id, uint32_t first_id) {
        return id >= first_id && id - first_id < 65536 ? id - first_id : first_id ? 65534 : id;
}

static int copy_data(int from, int to) {
        for (;;) {
                ssize_t n = copy_file_range(from, NULL, to, NULL, 1 << 30, 0);
                char buf[64 << 10];

                if (n == 0)
                        return 0;
                if (n > 0 || errno == EINTR)
                        continue;
                if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
                        return -errno;
                while ((n = read(from, buf, sizeof(buf))) > 0) {
                        int r = fd_write_all(to, buf, (size_t) n);

                        if (r < 0)
                                return r;
                }
                return n < 0 ? -errno : 0;
        }
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

/* The first name of a file that has several: the others become links to it. */
struct link {
        dev_t dev;
        ino_t ino;
        int fd; /* O_PATH */
};

struct copy {
        uint32_t first_id;
        struct link *links;
        size_t n_links;
};

static int find_link(const struct copy *c, const struct stat *st) {
        for (size_t i = 0; i < c->n_links; i++)
                if (c->links[i].ino == st->st_ino && c->links[i].dev == st->st_dev)
                        return c->links[i].fd;
        return -EBADF;
}

/* Past the bound a file with several names becomes several files, as it would on another file system. */
static void note_link(struct copy *c, const struct stat *st, int fd) {
        struct link *grown = c->n_links < LINKS_MAX ? reallocarray(c->links, c->n_links + 1, sizeof(*grown)) : NULL;
        int copy = grown ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;

        if (grown)
                c->links = grown;
        if (copy >= 0)
                c->links[c->n_links++] = (struct link) { st->st_dev, st->st_ino, copy };
}

static int copy_file(int from_dir, int to_dir, const char *name, const struct stat *st, struct copy *c) {
        int same = st->st_nlink > 1 ? find_link(c, st) : -EBADF;
        auto_fd from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), to = -EBADF;
        int r;

        if (same >= 0)
                return linkat(same, "", to_dir, name, AT_EMPTY_PATH) < 0 ? -errno : 0;
        if (from < 0)
                return -errno;
        to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (to < 0)
                return -errno;
        if (st->st_nlink > 1)
                note_link(c, st, to);
        r = copy_data(from, to);
        return r < 0 ? r : set_attributes(from, to, st, c->first_id);
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
                return copy_file(from_dir, to_dir, name, &st, c);
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
        struct stat st;

        if (!d) {
                r = -errno;
                fd_close(copy);
                return r;
        }
        for (struct dirent *entry; r == 0 && (entry = readdir(d));)
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                        r = copy_entry(from, to, entry->d_name, c, depth);
        closedir(d);
        if (r == 0 && fstat(from, &st) < 0)
                r = -errno;
        return r < 0 ? r : set_attributes(from, to, &st, c->first_id);
}

int volume_copy_tree(int from_fd, int to_fd, uint32_t first_id, struct err *err) {
        struct copy c = { .first_id = first_id };
        int r = copy_directory(from_fd, to_fd, &c, 0);

        for (size_t i = 0; i < c.n_links; i++)
                fd_close(c.links[i].fd);
        free(c.links);
        return r < 0 ? err_errno(err, r, "copying the image's files into a volume") : 0;
}
