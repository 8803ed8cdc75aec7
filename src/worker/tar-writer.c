/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tar-writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "worker/acl.h"

enum {
        BUFFER_SIZE = 256 << 10,
        BLOCK_SIZE = 64 << 10,
        XATTR_NAMES_MAX = 64 << 10,
        PIECES_MAX = 4096,
};

static la_ssize_t write_block(struct archive *archive, void *data, const void *block, size_t size) {
        struct tar_writer *w = data;

        w->failed = fd_write_all(w->out_fd, block, size);
        if (w->failed < 0) {
                archive_set_error(archive, -w->failed, "the reader is gone");
                return ARCHIVE_FATAL;
        }
        return (la_ssize_t) size;
}

static int failed(struct tar_writer *w, const char *path, struct err *err) {
        const char *reason = archive_error_string(w->archive);

        if (w->failed < 0)
                return err_errno(err, w->failed, "the archive cannot be written");
        return err_set(err, ERR_INTERNAL, -EIO, "\"%.200s\" cannot be put into an archive: %s", path, reason ? reason : "unknown error");
}

int tar_writer_open(struct tar_writer *w, int out_fd, bool exact, struct err *err) {
        *w = (struct tar_writer) { .out_fd = out_fd, .exact = exact, .archive = archive_write_new(), .entry = archive_entry_new(), .buffer = malloc(BUFFER_SIZE) };
        if (!w->archive || !w->entry || !w->buffer)
                return err_errno(err, -ENOMEM, "archive");
        if (exact)
                archive_write_set_format_pax(w->archive);
        else
                archive_write_set_format_pax_restricted(w->archive);
        archive_write_set_bytes_per_block(w->archive, BLOCK_SIZE);
        archive_write_set_bytes_in_last_block(w->archive, 1);
        return archive_write_open(w->archive, w, NULL, write_block, NULL) == ARCHIVE_OK ? 0 : failed(w, "", err);
}

int tar_writer_finish(struct tar_writer *w, struct err *err) {
        return archive_write_close(w->archive) == ARCHIVE_OK ? 0 : failed(w, "", err);
}

void tar_writer_done(struct tar_writer *w) {
        archive_write_free(w->archive);
        archive_entry_free(w->entry);
        free(w->buffer);
        inode_table_done(&w->links);
}

/* --- one member --- */

static bool is_packed(const char *name) {
        return (str_starts_with(name, "user.") && !str_starts_with(name, "user.overlay.")) || strcmp(name, "security.capability") == 0 || strcmp(name, ACL_ACCESS) == 0 ||
               strcmp(name, ACL_DEFAULT) == 0;
}

static void add_xattrs(struct tar_writer *w, int fd) {
        char names[XATTR_NAMES_MAX];
        ssize_t size = flistxattr(fd, names, sizeof(names));

        for (const char *n = names; size > 0 && n < names + size; n += strlen(n) + 1) {
                ssize_t length = is_packed(n) ? fgetxattr(fd, n, w->buffer, BUFFER_SIZE) : -1;

                if (length >= 0)
                        archive_entry_xattr_add_entry(w->entry, n, w->buffer, (size_t) length);
        }
}

static void describe(struct tar_writer *w, const struct stat *st, const char *path) {
        archive_entry_clear(w->entry);
        archive_entry_set_pathname(w->entry, path);
        archive_entry_set_mode(w->entry, st->st_mode);
        archive_entry_set_uid(w->entry, st->st_uid);
        archive_entry_set_gid(w->entry, st->st_gid);
        archive_entry_set_mtime(w->entry, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
        archive_entry_set_size(w->entry, S_ISREG(st->st_mode) ? st->st_size : 0);
        if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
                archive_entry_set_rdevmajor(w->entry, major(st->st_rdev));
                archive_entry_set_rdevminor(w->entry, minor(st->st_rdev));
        }
}

/* A name that is not UTF-8 is written as it is, and said to be so: the writer warns. */
static int write_header(struct tar_writer *w, const char *path, struct err *err) {
        int r = archive_write_header(w->archive, w->entry);

        if (r != ARCHIVE_OK && (r != ARCHIVE_WARN || w->failed < 0))
                return failed(w, path, err);
        w->entries++;
        return 0;
}

/* Where data is, when there are holes: read from there, the writer leaves the rest out. A file that is written to meanwhile may have grown data in a
 * hole: it is then not in the archive, as if it had come a moment later. */
static void find_holes(struct tar_writer *w, int fd, const struct stat *st) {
        off_t at = 0;

        if (!w->exact || (uint64_t) st->st_blocks * 512 >= (uint64_t) st->st_size)
                return;
        for (size_t n = 0; n < PIECES_MAX && at < st->st_size; n++) {
                off_t data = lseek(fd, at, SEEK_DATA), hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);

                if (data < 0 && errno == ENXIO) /* only a hole from here on */
                        data = hole = st->st_size;
                if (data < 0 || hole < 0) {
                        archive_entry_sparse_clear(w->entry);
                        break;
                }
                if (data > st->st_size || n + 1 == PIECES_MAX || hole > st->st_size)
                        hole = st->st_size; /* the last piece may have holes that are written as zeros */
                if (data < st->st_size)
                        archive_entry_sparse_add_entry(w->entry, data, hole - data);
                else
                        archive_entry_sparse_add_entry(w->entry, st->st_size, 0);
                at = hole;
        }
        if (lseek(fd, 0, SEEK_SET) < 0)
                archive_entry_sparse_clear(w->entry);
}

/* As many bytes as the header says, holes as zeros (the writer leaves them out again): what grows is cut, what shrinks is filled up by the writer. */
static int write_data(struct tar_writer *w, int fd, uint64_t size, const char *path, struct err *err) {
        while (size > 0) {
                ssize_t n = read(fd, w->buffer, size < BUFFER_SIZE ? (size_t) size : BUFFER_SIZE);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_errno(err, -errno, "\"%.200s\" cannot be read", path);
                if (n == 0)
                        break;
                if (archive_write_data(w->archive, w->buffer, (size_t) n) != n)
                        return failed(w, path, err);
                size -= (size_t) n;
                w->bytes += (size_t) n;
        }
        return archive_write_finish_entry(w->archive) == ARCHIVE_OK ? 0 : failed(w, path, err);
}

static int add_file(struct tar_writer *w, int dir_fd, const char *name, const char *path, struct err *err) {
        /* It may have become a fifo or a terminal since it was looked at. */
        auto_fd fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        const char *first = NULL;
        struct stat st;
        int r;

        if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO))
                return 0;
        if (fd < 0 || fstat(fd, &st) < 0)
                return err_errno(err, -errno, "\"%.200s\" cannot be opened", path);
        if (!S_ISREG(st.st_mode))
                return 0;
        describe(w, &st, path);
        if (st.st_nlink > 1) {
                r = inode_table_note(&w->links, &st, path, &first);
                if (r < 0)
                        return err_errno(err, r, "\"%.200s\"", path);
        }
        if (first) {
                archive_entry_set_hardlink(w->entry, first);
                archive_entry_set_size(w->entry, 0);
                return write_header(w, path, err);
        }
        add_xattrs(w, fd);
        find_holes(w, fd, &st);
        r = write_header(w, path, err);
        return r < 0 ? r : write_data(w, fd, (uint64_t) st.st_size, path, err);
}

static int add_symlink(struct tar_writer *w, int dir_fd, const char *name, const struct stat *st, const char *path, struct err *err) {
        char target[PATH_MAX];
        ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);

        if (n < 0)
                return errno == ENOENT || errno == EINVAL ? 0 : err_errno(err, -errno, "\"%.200s\" cannot be read", path);
        target[n] = '\0';
        describe(w, st, path);
        archive_entry_set_symlink(w->entry, target);
        return write_header(w, path, err);
}

int tar_writer_add(struct tar_writer *w, int dir_fd, const char *name, int fd, const struct stat *st, const char *path, struct err *err) {
        switch (st->st_mode & S_IFMT) {
        case S_IFREG:
                return add_file(w, dir_fd, name, path, err);
        case S_IFLNK:
                return add_symlink(w, dir_fd, name, st, path, err);
        case S_IFSOCK:
                return 0;
        default:
                describe(w, st, path);
                if (fd >= 0)
                        add_xattrs(w, fd);
                return write_header(w, path, err);
        }
}

int tar_writer_add_empty(struct tar_writer *w, const char *path, struct err *err) {
        const struct stat st = { .st_mode = S_IFREG };

        describe(w, &st, path);
        return write_header(w, path, err);
}
