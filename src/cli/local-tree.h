/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The near side of `kist cp`: files here to an archive, and an archive of a container to files here. */

#include <stdbool.h>

struct err;
struct tar_reader;

/* `path` and what is below it, called `name` in the archive ("." and below it for a directory's contents). */
int local_pack(int out_fd, const char *path, const char *name, bool follow, struct err *err);

struct local_unpack {
        int dir_fd;          /* nothing is made outside of it, whatever the archive says */
        const char *as;      /* takes the place of the first part of each name, or NULL */
        bool keep_owner;
};
int local_unpack(struct tar_reader *t, const struct local_unpack *u, struct err *err);
