/* SPDX-License-Identifier: Apache-2.0 */
#include "image/blobs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "image/manifest.h"

#define TEMP_PREFIX ".tmp-"

int blob_open(int dir_fd, const struct digest *d) {
        char name[DIGEST_HEX_SIZE];
        auto_fd fd = -EBADF;
        struct stat st;

        digest_format_hex(d, name);
        /* O_NONBLOCK: what a worker left here may be a fifo. */
        fd = path_open_in_nosymlink(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        return S_ISREG(st.st_mode) ? move_fd(fd) : -EINVAL;
}

bool blob_exists(int dir_fd, const struct digest *d) {
        char name[DIGEST_HEX_SIZE];
        struct stat st;

        digest_format_hex(d, name);
        return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

int blob_read(int dir_fd, const struct digest *d, size_t max, char **ret, size_t *ret_size, struct err *err) {
        auto_fd fd = blob_open(dir_fd, d);
        char text[DIGEST_TEXT_SIZE];
        auto_free char *data = NULL;
        struct digest have;
        size_t size;
        int r = fd;

        digest_format(d, text);
        if (r >= 0)
                r = fd_read_file(fd, max, &data, &size);
        if (r < 0)
                return err_errno(err, r, "blob %s", text);
        digest_of(data, size, &have);
        if (!digest_equal(&have, d))
                return err_set(err, ERR_INTERNAL, -EUCLEAN, "blob %s is damaged: its digest is another", text);
        *ret = take_ptr(&data);
        *ret_size = size;
        return 0;
}

int blob_write(int dir_fd, const struct digest *d, const void *data, size_t size, struct err *err) {
        char name[DIGEST_HEX_SIZE];
        int r;

        digest_format_hex(d, name);
        r = file_write_atomic_at(dir_fd, name, data, size, 0600, true);
        return r < 0 ? err_errno(err, r, "writing blob sha256:%s", name) : 0;
}

int blob_temp(int dir_fd, char name[BLOB_TEMP_SIZE], int *ret_fd, struct err *err) {
        char hex[33];
        int fd, r = str_random_hex(hex, 16);

        if (r < 0)
                return err_errno(err, r, "random bytes");
        snprintf(name, BLOB_TEMP_SIZE, TEMP_PREFIX "%s", hex);
        fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return err_errno(err, -errno, "a new blob");
        *ret_fd = fd;
        return 0;
}

int blob_commit(int dir_fd, const char *temp, const struct digest *d, struct err *err) {
        char name[DIGEST_HEX_SIZE];

        digest_format_hex(d, name);
        if (renameat(dir_fd, temp, dir_fd, name) < 0)
                return err_errno(err, -errno, "blob sha256:%s", name);
        return 0;
}

int blob_adopt(int dir_fd, int source_fd, const struct descriptor *d, struct err *err) {
        auto_fd fd = blob_open(source_fd, &d->digest);
        char name[DIGEST_HEX_SIZE];
        struct stat st;

        digest_format_hex(&d->digest, name);
        if (fd < 0)
                return err_errno(err, fd, "blob sha256:%s", name);
        if (fstat(fd, &st) < 0)
                return err_errno(err, -errno, "blob sha256:%s", name);
        if ((uint64_t) st.st_size != d->size)
                return err_set(err, ERR_INVALID, -EBADMSG, "blob sha256:%s has %lld bytes, not the %llu that it should have", name, (long long) st.st_size,
                               (unsigned long long) d->size);
        if (st.st_nlink != 1)
                return err_set(err, ERR_INTERNAL, -EMLINK, "blob sha256:%s has a second name", name);
        if (fchown(fd, 0, 0) < 0 || fchmod(fd, 0600) < 0 || renameat(source_fd, name, dir_fd, name) < 0)
                return err_errno(err, -errno, "blob sha256:%s", name);
        return 0;
}

static void closedirp(DIR **d) {
        if (*d)
                closedir(*d);
}

int blobs_sweep(int dir_fd, const struct digest *keep, size_t n, struct err *err) {
        __attribute__((cleanup(closedirp))) DIR *dir = NULL;
        auto_fd fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent *e;

        if (fd < 0 || !(dir = fdopendir(fd)))
                return err_errno(err, -errno, "blobs of the image store");
        move_fd(fd); /* closedir() closes it */
        while ((e = readdir(dir))) {
                struct digest d;
                bool drop = str_starts_with(e->d_name, TEMP_PREFIX);

                if (digest_parse_hex(e->d_name, &d))
                        drop = n == 0 || !bsearch(&d, keep, n, sizeof(*keep), digest_compare);
                if (drop)
                        unlinkat(dir_fd, e->d_name, 0);
        }
        return 0;
}
