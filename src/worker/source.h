/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The near half of unpacking, in a thread of its own: read → sum of the blob, copy of the blob → decompress → sum of the plain bytes, into a ring of
 * buffers. The far half (tar, files) takes them from there, so that a layer keeps two cores busy. The thread and the source live until the
 * process ends: a worker does one job, and the thread may be waiting for a pipe that nobody fills. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/decode.h"
#include "worker/digest.h"

struct err;
struct source;

struct source_limits {
        uint64_t plain; /* bytes of the decompressed stream */
        uint64_t ratio; /* decompressed : compressed, once SOURCE_RATIO_FREE bytes are decompressed */
};

enum { SOURCE_RATIO_FREE = 64 << 20 };

struct source_options {
        int input_fd;
        int blob_fd;         /* gets the bytes as they come; -1: nowhere */
        uint64_t size;       /* of the compressed blob; 0: unknown */
        const char *digest;  /* of the compressed blob; NULL: not checked */
        const char *diff_id; /* of the plain bytes; NULL: not checked */
        bool keep_rest;      /* source_keep_rest() may be called */
        bool unsummed;       /* nobody asks for the sums: no time goes into them, and the two above are not looked at */
        struct source_limits limits;
};

/* The options' strings and fds must live as long as the process does. */
int source_start(const struct source_options *options, struct source **ret, struct err *err);

/* The next piece: valid until the next call. 1: *ret, *ret_size (not 0); 0: the end, and all sums and sizes were right; negative: *err. */
int source_read(struct source *s, const void **ret, size_t *ret_size, struct err *err);

/* Instead of source_read(), when what came is no good, or the source itself has failed: the rest of the stream is read into blob_fd and summed. 0: all of it is there, and is what
 * `size` and `digest` say. */
int source_keep_rest(struct source *s, struct err *err);

/* Compressed bytes so far. */
uint64_t source_consumed(const struct source *s);
/* After source_read() has returned 0, and not without sums: that of the blob. */
const char *source_digest(const struct source *s);
/* The same of the plain bytes, and how they were compressed. */
const char *source_diff_id(const struct source *s);
enum decode_kind source_compression(const struct source *s);
