/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Decompression as bytes in, bytes out: no I/O here. gzip may have several members one after another (RFC 1952 §2.2), zstd several frames. */

#include <stdbool.h>
#include <stddef.h>

struct err;
struct decode;

enum decode_kind { DECODE_NONE, DECODE_GZIP, DECODE_ZSTD };
enum { DECODE_MAGIC_SIZE = 4 };

/* Told from the first bytes of the stream; fewer than DECODE_MAGIC_SIZE only when the stream is that short. */
enum decode_kind decode_detect(const void *head, size_t size);
const char *decode_kind_name(enum decode_kind kind);

int decode_new(enum decode_kind kind, struct decode **ret, struct err *err);
void decode_free(struct decode *d);

/* Take from in[0, in_size), put into out[0, room). Progress is made whenever there is input and room; with room left over and no input used up,
 * everything that was given has come out. ERR_INVALID: the data is corrupt. */
int decode_run(struct decode *d, const void *in, size_t in_size, size_t *ret_used, void *out, size_t room, size_t *ret_made, struct err *err);

/* To be asked at the end of the input: may the stream end here? */
bool decode_is_complete(const struct decode *d);
