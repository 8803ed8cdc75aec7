/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A tar archive read from a source. Errors of the source (a wrong digest, a cut stream) win over what the archive reader makes of them. */

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct source;

struct archive_source {
        struct source *source; /* borrowed */
        struct archive *archive;
        bool opened;
        struct err err; /* of the source */
        const char *raw_name;     /* of the member at hand, for messages; NULL between them */
};

int archive_source_open(struct source *source, struct archive_source *a, struct err *err);
void archive_source_close(struct archive_source *a);

/* 1: *ret is the next member, borrowed until the next call; 0: the archive's end. */
int archive_source_next(struct archive_source *a, struct archive_entry **ret, struct err *err);

/* One piece of the member's data at *ret_offset (a sparse file has holes between pieces): 1, or 0 at its end. */
int archive_source_data(struct archive_source *a, const void **ret, size_t *ret_size, int64_t *ret_offset, struct err *err);

/* All data of the member at hand, whose size is `size`, into an empty file: what is a hole stays one. `told` (may be NULL) is called between pieces. */
int archive_source_copy(struct archive_source *a, int fd, int64_t size, void (*told)(void *data), void *data, struct err *err);

/* Every member in turn, and what follows the archive's end. */
int archive_source_each(struct archive_source *a, int (*member)(void *data, struct archive_entry *e, struct err *err), void *data, struct err *err);

/* *err as a sentence about `what`: 'WHAT: entry "a/b" REASON', or 'WHAT REASON' when it is no member's fault. Returns its number. */
int archive_source_blame(const struct archive_source *a, const char *what, struct err *err);

/* What follows the archive's end, so that all sums are checked: 0 when they were right. */
int archive_source_drain(struct archive_source *a, struct err *err);

/* Readers of tar alone: no compression, no other format. NULL when memory is out. */
struct archive *archive_source_reader(void);
