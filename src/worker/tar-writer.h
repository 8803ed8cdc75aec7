/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A tar stream (pax where ustar is not enough), member by member, from files that are opened one part at a time by held fds. */

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/inodes.h"

struct err;

struct tar_writer {
        int out_fd; /* borrowed */
        int failed; /* of the last write(2) */
        struct archive *archive;
        struct archive_entry *entry;
        char *buffer;
        uint64_t bytes, entries;
        bool exact; /* see tar_writer_open() */
        struct inode_table links;
};

/* exact: times to the nanosecond, and holes of files are left out (GNU's sparse format 1.0): for who reads it with an unpacker that knows that. */
int tar_writer_open(struct tar_writer *w, int out_fd, bool exact, struct err *err);
/* The end of the archive. tar_writer_done() is due in any case. */
int tar_writer_finish(struct tar_writer *w, struct err *err);
void tar_writer_done(struct tar_writer *w);

/* Add `name` in dir_fd as `path`, by what fstatat(2) said of it. What has vanished or become something else meanwhile is left out, as are sockets.
 * `fd`: of a directory, open for reading (its attributes); else -1. */
int tar_writer_add(struct tar_writer *w, int dir_fd, const char *name, int fd, const struct stat *st, const char *path, struct err *err);
/* An empty file: a whiteout. */
int tar_writer_add_empty(struct tar_writer *w, const char *path, struct err *err);
