/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Digests: "sha256:" and 64 lower-case hex digits as text, 32 bytes in memory. No other algorithm is accepted: a digest is a file
 * name in the store, and its grammar is checked before any other use. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        DIGEST_TEXT_SIZE = 72, /* 7 + 64 + NUL */
        DIGEST_HEX_SIZE = 65,
};

struct digest {
        uint8_t bytes[32];
};

/* false, and *ret untouched, when `text` is NULL or not a digest. */
bool digest_parse(const char *text, struct digest *ret);
/* The same for the 64 hex digits alone: a file name in blobs/sha256. */
bool digest_parse_hex(const char *hex, struct digest *ret);
void digest_format(const struct digest *d, char ret[DIGEST_TEXT_SIZE]);
void digest_format_hex(const struct digest *d, char ret[DIGEST_HEX_SIZE]);
void digest_of(const void *data, size_t size, struct digest *ret);
/* Of a file, from its beginning. Negative errno. */
int digest_of_file(int fd, struct digest *ret, uint64_t *ret_size);
bool digest_equal(const struct digest *a, const struct digest *b);
int digest_compare(const void *a, const void *b); /* for qsort(3) and bsearch(3) over struct digest */
/* The twelve hex digits that people see. `text` is a valid digest. */
void digest_short(const char *text, char ret[13]);
