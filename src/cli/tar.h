/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* As much of tar as `kist cp` needs: ustar with pax records (path, linkpath, size, uid, gid, mtime) and GNU's long names. A library that does it cannot be
 * linked into a static program of this size. Members' data is padded to 512 bytes; two blocks of zeros end the archive. Source: pax(1), POSIX.1-2008. */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

enum tar_type { TAR_FILE = '0', TAR_HARD_LINK = '1', TAR_SYMLINK = '2', TAR_CHAR = '3', TAR_BLOCK = '4', TAR_DIRECTORY = '5', TAR_FIFO = '6' };

struct tar_member {
        enum tar_type type;
        char path[4096], link[4096];
        uint64_t size;
        unsigned mode;
        uint64_t uid, gid;
        int64_t mtime;
};

struct tar_reader {
        /* Some bytes, 0 at the end, negative errno (err filled). */
        ssize_t (*read)(void *data, char *to, size_t size, struct err *err);
        void *data;
        uint64_t left, padding; /* of the member at hand */
};

/* 1: *ret is the next member; 0: the end. What was not read of the member before is passed over. ERR_INVALID: not a tar. */
int tar_next(struct tar_reader *t, struct tar_member *ret, struct err *err);
/* The member's data: the count, 0 at its end. */
ssize_t tar_read(struct tar_reader *t, char *to, size_t size, struct err *err);

/* The head of a member; its data follow by fd_write_all(), then tar_write_padding(). Negative errno. */
int tar_write_member(int fd, const struct tar_member *m);
int tar_write_padding(int fd, uint64_t size);
int tar_write_end(int fd);
