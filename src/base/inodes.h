/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Files with several names, met one name after the other: under which was each met first? */

#include <stddef.h>
#include <sys/stat.h>

struct inode_table {
        struct inode_entry *v; /* an open table, `room` a power of two */
        size_t n, room;
};

/* *ret: the path under which this file was met first; NULL: never, and from now on it is known by `path`. -ENOMEM, also past four million. */
int inode_table_note(struct inode_table *t, const struct stat *st, const char *path, const char **ret);
void inode_table_done(struct inode_table *t);
