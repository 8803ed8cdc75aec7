/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Files of the OCI layout, by digest: blobs/sha256/<64 hex>, opened by its directory fd. */

#include <stdbool.h>
#include <stddef.h>

#include "image/digest.h"

struct descriptor;
struct err;

enum { BLOB_TEMP_SIZE = 40 }; /* ".tmp-" and hex digits */

/* Open a regular file of `dir_fd` without following a link. -ENOENT, -ELOOP, -EINVAL (not a regular file). */
int blob_open(int dir_fd, const struct digest *d);
bool blob_exists(int dir_fd, const struct digest *d);
/* A small blob (manifest, config), its digest verified. *ret is the caller's, NUL-terminated. ERR_NOT_FOUND; ERR_INTERNAL when it is damaged. */
int blob_read(int dir_fd, const struct digest *d, size_t max, char **ret, size_t *ret_size, struct err *err);
/* Write a small blob whose digest was verified: to the disk, then renamed into place. */
int blob_write(int dir_fd, const struct digest *d, const void *data, size_t size, struct err *err);

/* A new file ".tmp-…" to be written by a worker; then moved into place, or unlinked. */
int blob_temp(int dir_fd, char name[BLOB_TEMP_SIZE], int *ret_fd, struct err *err);
int blob_commit(int dir_fd, const char *temp, const struct digest *d, struct err *err);

/* Move a blob out of a directory that a worker filled (and has left): a plain file with one name and of that size, made root's and private. */
int blob_adopt(int dir_fd, int source_fd, const struct descriptor *d, struct err *err);

/* Unlink what `keep` (n sorted digests) does not name, temporary files included. Foreign file names are left alone. */
int blobs_sweep(int dir_fd, const struct digest *keep, size_t n, struct err *err);
