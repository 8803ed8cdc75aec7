/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local-tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "cli/command.h"
#include "cli/tar.h"

enum { DEPTH_MAX = 200, PIECE_SIZE = 65536 };

/* --- out of here --- */

static void closedirp(DIR **d) {
        if (*d)
                closedir(*d);
}

static int send_data(int out_fd, int fd, uint64_t size, const char *path, struct err *err) {
        static char piece[PIECE_SIZE];
        uint64_t left = size;
        int r = 0;

        while (left > 0 && r == 0) {
                ssize_t n = read(fd, piece, left < sizeof(piece) ? (size_t) left : sizeof(piece));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return err_set(err, ERR_INTERNAL, n < 0 ? -errno : -EIO, "%s: %s", path, n < 0 ? strerror(errno) : "became shorter while it was read");
                r = fd_write_all(out_fd, piece, (size_t) n);
                left -= (size_t) n;
        }
        if (r == 0)
                r = tar_write_padding(out_fd, size);
        return r < 0 ? err_errno(err, r, "%s", path) : 0;
}

static int pack_at(int out_fd, int dir_fd, const char *name, const char *path, bool follow, int depth, struct err *err);

static int pack_children(int out_fd, int fd, const char *path, int depth, struct err *err) {
        __attribute__((cleanup(closedirp))) DIR *dir = fdopendir(fd);

        if (!dir) {
                fd_close(fd);
                return err_errno(err, -errno, "%s", path);
        }
        if (depth >= DEPTH_MAX)
                return err_set(err, ERR_UNSUPPORTED, -ENAMETOOLONG, "%s is deeper than %d directories", path, DEPTH_MAX);
        for (struct dirent *d; (d = readdir(dir));) {
                auto_free char *inner = str_format("%s/%s", path, d->d_name);
                int r;

                if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
                        continue;
                r = inner ? pack_at(out_fd, dirfd(dir), d->d_name, inner, false, depth + 1, err) : -ENOMEM;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int pack_at(int out_fd, int dir_fd, const char *name, const char *path, bool follow, int depth, struct err *err) {
        struct tar_member m = { .type = TAR_FILE };
        auto_fd fd = -EBADF;
        struct stat st;
        ssize_t n;
        int r;

        if (fstatat(dir_fd, name, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
                return err_errno(err, -errno, "%s", name);
        if (S_ISSOCK(st.st_mode))
                return 0;
        if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
                return err_set(err, ERR_UNSUPPORTED, -EPERM, "%s is a device, which cannot be copied into a container", name);
        if (strlen(path) + 2 > sizeof(m.path))
                return err_errno(err, -ENAMETOOLONG, "%s", name);
        m.mode = st.st_mode & 07777;
        m.uid = st.st_uid;
        m.gid = st.st_gid;
        m.mtime = st.st_mtim.tv_sec;
        m.type = S_ISDIR(st.st_mode) ? TAR_DIRECTORY : S_ISLNK(st.st_mode) ? TAR_SYMLINK : S_ISFIFO(st.st_mode) ? TAR_FIFO : TAR_FILE;
        snprintf(m.path, sizeof(m.path), "%s%s", path, m.type == TAR_DIRECTORY ? "/" : "");
        if (m.type == TAR_SYMLINK) {
                n = readlinkat(dir_fd, name, m.link, sizeof(m.link) - 1);
                if (n < 0)
                        return err_errno(err, -errno, "%s", name);
                m.link[n] = '\0';
        } else if (m.type != TAR_FIFO) {
                fd = openat(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (m.type == TAR_DIRECTORY ? O_DIRECTORY : 0) | (follow ? 0 : O_NOFOLLOW));
                if (fd < 0 || fstat(fd, &st) < 0)
                        return err_errno(err, -errno, "%s", name);
                m.size = m.type == TAR_FILE ? (uint64_t) st.st_size : 0;
        }
        r = tar_write_member(out_fd, &m);
        if (r < 0)
                return err_errno(err, r, "%s", name);
        if (m.type == TAR_FILE)
                return send_data(out_fd, fd, m.size, name, err);
        return m.type == TAR_DIRECTORY ? pack_children(out_fd, move_fd(fd), path, depth, err) : 0;
}

int local_pack(int out_fd, const char *path, const char *name, bool follow, struct err *err) {
        int r = pack_at(out_fd, AT_FDCWD, path, name, follow, 0, err);

        if (r == 0 && (r = tar_write_end(out_fd)) < 0)
                return err_errno(err, r, "%s", path);
        return r;
}

/* --- into here --- */

static int open_beneath(int dir_fd, const char *path, int flags, mode_t mode) {
        struct open_how how = { .flags = (uint64_t) (flags | O_CLOEXEC), .mode = flags & O_CREAT ? mode : 0, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
        long fd = syscall(SYS_openat2, dir_fd, *path ? path : ".", &how, sizeof(how));

        return fd < 0 ? -errno : (int) fd;
}

/* Plain: no leading slash, no ".", no empty part; `as` in the place of the first. "" is the directory itself. */
static int plain_name(const char *raw, const char *as, char ret[4096 + NAME_MAX]) {
        size_t used = 0;
        bool first = true;

        for (const char *p = raw; *p;) {
                size_t n = strcspn(p, "/");
                const char *part = p;

                p += n + strspn(p + n, "/");
                if (n == 0)
                        continue;
                if (n == 2 && !strncmp(part, "..", 2))
                        return -EXDEV;
                if (first && as) {
                        part = as;
                        n = strlen(as);
                } else if (n == 1 && *part == '.') {
                        first = false;
                        continue;
                }
                first = false;
                if (used + n + 2 > 4096)
                        return -ENAMETOOLONG;
                if (used)
                        ret[used++] = '/';
                memcpy(ret + used, part, n);
                used += n;
        }
        ret[used] = '\0';
        return 0;
}

/* The directory that holds `path`, and the last part. */
static int open_parent(int dir_fd, char *path, const char **ret_name) {
        char *slash = strrchr(path, '/');
        int fd;

        if (slash)
                *slash = '\0';
        fd = open_beneath(dir_fd, slash ? path : "", O_PATH | O_DIRECTORY, 0);
        if (slash)
                *slash = '/';
        *ret_name = slash ? slash + 1 : path;
        return fd;
}

static int clear(int parent, const char *name) {
        if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
                return 0;
        return errno == EISDIR ? -EISDIR : -errno;
}

static int receive_data(struct tar_reader *t, int fd, struct err *err) {
        static char piece[PIECE_SIZE];
        ssize_t n;

        while ((n = tar_read(t, piece, sizeof(piece), err)) > 0) {
                int r = fd_write_all(fd, piece, (size_t) n);

                if (r < 0)
                        return err_errno(err, r, "writing");
        }
        return (int) n;
}

static int finish(const struct local_unpack *u, int fd, const struct tar_member *m) {
        struct timespec times[2] = { { .tv_sec = m->mtime }, { .tv_sec = m->mtime } };

        if (u->keep_owner && fchown(fd, (uid_t) m->uid, (gid_t) m->gid) < 0)
                return -errno;
        if (fchmod(fd, m->mode) < 0)
                return -errno;
        return futimens(fd, times) < 0 ? -errno : 0;
}

static int make_file(struct tar_reader *t, const struct local_unpack *u, int parent, const char *name, const struct tar_member *m, struct err *err) {
        auto_fd fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        int r;

        if (fd < 0)
                return err_errno(err, -errno, "%s", m->path);
        r = receive_data(t, fd, err);
        if (r == 0 && (r = finish(u, fd, m)) < 0)
                r = err_errno(err, r, "%s", m->path);
        return r;
}

static int make_directory(const struct local_unpack *u, int parent, const char *name, const struct tar_member *m, struct err *err) {
        bool made = mkdirat(parent, name, 0700) == 0;
        auto_fd fd = -EBADF;
        int r;

        if (!made && errno != EEXIST)
                return err_errno(err, -errno, "%s", m->path);
        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return err_set(err, ERR_CONFLICT, -errno, "cannot overwrite %s with a directory: it is none", m->path);
        /* Always passable for us: what is in it comes after it. */
        r = finish(u, fd, m);
        if (r == 0 && (m->mode & 0700) != 0700 && fchmod(fd, m->mode | 0700) < 0)
                r = -errno;
        return r < 0 ? err_errno(err, r, "%s", m->path) : 0;
}

static int make_link(const struct local_unpack *u, int parent, const char *name, const struct tar_member *m, struct err *err) {
        char target[4096 + NAME_MAX];
        const char *from;
        auto_fd dir = -EBADF;
        int r = plain_name(m->link, u->as, target);

        if (r == 0)
                r = dir = open_parent(u->dir_fd, target, &from);
        if (r < 0 || linkat(dir, from, parent, name, 0) < 0)
                return err_errno(err, r < 0 ? r : -errno, "%s: hard link to %s", m->path, m->link);
        return 0;
}

static int unpack_one(struct tar_reader *t, const struct local_unpack *u, const struct tar_member *m, struct err *err) {
        char path[4096 + NAME_MAX];
        const char *name;
        auto_fd parent = -EBADF;
        int r = plain_name(m->path, u->as, path);

        if (r < 0)
                return err_set(err, ERR_INVALID, r, "the archive's member \"%s\" leaves the directory, or is too long", m->path);
        if (!*path)
                return 0;
        parent = open_parent(u->dir_fd, path, &name);
        if (parent < 0)
                return err_errno(err, parent, "%s", path);
        if (m->type != TAR_DIRECTORY && (r = clear(parent, name)) < 0)
                return r == -EISDIR ? err_set(err, ERR_CONFLICT, r, "cannot overwrite directory %s with what is none", path) : err_errno(err, r, "%s", path);
        switch (m->type) {
        case TAR_FILE:
                return make_file(t, u, parent, name, m, err);
        case TAR_DIRECTORY:
                return make_directory(u, parent, name, m, err);
        case TAR_HARD_LINK:
                return make_link(u, parent, name, m, err);
        case TAR_SYMLINK:
                if (symlinkat(m->link, parent, name) < 0)
                        return err_errno(err, -errno, "%s", path);
                return u->keep_owner && fchownat(parent, name, (uid_t) m->uid, (gid_t) m->gid, AT_SYMLINK_NOFOLLOW) < 0 ? err_errno(err, -errno, "%s", path) : 0;
        case TAR_FIFO:
                return mkfifoat(parent, name, m->mode & 0777) < 0 ? err_errno(err, -errno, "%s", path) : 0;
        default:
                complain("%s is a device, and left out", path);
                return 0;
        }
}

int local_unpack(struct tar_reader *t, const struct local_unpack *u, struct err *err) {
        static struct tar_member m;
        int r;

        while ((r = tar_next(t, &m, err)) > 0) {
                r = unpack_one(t, u, &m, err);
                if (r < 0)
                        return r;
        }
        return r;
}
