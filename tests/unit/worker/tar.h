/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Tar archives (POSIX ustar and pax) made by hand, so that tests can say what no archiver would write. */

#include <stddef.h>
#include <stdint.h>

struct tar {
        unsigned char *data;
        size_t size;
};

struct tar_member {
        const char *name;
        char type; /* '0' file, '1' hard link, '2' symlink, '3' char, '4' block, '5' directory, '6' fifo; 0 is '0' */
        const char *link;
        const char *data; /* a string; or `size` bytes of zeros when NULL */
        size_t size;      /* 0: that of `data` */
        unsigned mode; /* 0: 0755 of directories, 0777 of symlinks, 0644 of the rest */
        unsigned uid, gid, major, minor;
        uint64_t mtime;
        const char *xattr, *xattr_value; /* one, as a pax record */
};

void tar_add(struct tar *t, struct tar_member m);
void tar_end(struct tar *t); /* the two empty blocks */
void tar_free(struct tar *t);

/* A gzip member of bytes; the caller frees. */
unsigned char *tar_gzip(const void *data, size_t size, size_t *ret_size);
