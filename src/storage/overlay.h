/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One overlay from directories that are ready, made in the way that this kernel can. */

#include "storage/internal.h"

/* Each directory is a detached clone with the ids it is to be seen with; they are the caller's, and needed until the overlay is made. */
struct overlay {
        const struct storage_rootfs *of;
        int *lowers; /* the topmost first */
        size_t n_lowers;
        int own; /* has "upper" and "work" in it, which must be on the same mount; -EBADF: the overlay is read-only */
};

struct overlay_option {
        const char *key, *value; /* a NULL value: the key alone */
};

/* Ends with a row of NULLs. */
const struct overlay_option *overlay_options(const struct overlay *o);
/* What lowers[i] is, for people. */
void overlay_lower_name(const struct overlay *o, size_t i, char ret[static 128]);
/* num: negative errno. said: the kernel's own words, or "". */
int overlay_error(const struct overlay *o, int num, const char *what, const char *said, struct err *err);
/* With the file system ids of the container's root: see creds.h. 0, or negative errno; fn's is passed on. */
int overlay_with_creds(const struct overlay *o, int (*fn)(void *data), void *data);

/* Linux 6.15: the mount is never attached anywhere. */
int overlay_make_detached(const struct overlay *o, int *ret_fd, struct err *err);
bool overlay_can_be_detached(struct storage *s);

/* Linux 5.19: made in a mount namespace of storage's own. */
int overlay_make_attached(struct storage *s, const struct overlay *o, int *ret_fd, struct err *err);
