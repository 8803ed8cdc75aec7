/* SPDX-License-Identifier: Apache-2.0 */
#include "image/digest.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "image/image.h"

#define PREFIX "sha256:"
enum { PREFIX_SIZE = sizeof(PREFIX) - 1, PIECE_SIZE = 256 << 10 };

static int hex_value(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool digest_parse_hex(const char *hex, struct digest *ret) {
        struct digest d;

        for (size_t i = 0; i < sizeof(d.bytes); i++) {
                int high = hex_value(hex[2 * i]), low = high < 0 ? -1 : hex_value(hex[2 * i + 1]);

                if (low < 0)
                        return false;
                d.bytes[i] = (uint8_t) (high << 4 | low);
        }
        if (hex[2 * sizeof(d.bytes)] != '\0')
                return false;
        *ret = d;
        return true;
}

bool digest_parse(const char *text, struct digest *ret) {
        return text && strncmp(text, PREFIX, PREFIX_SIZE) == 0 && digest_parse_hex(text + PREFIX_SIZE, ret);
}

bool image_digest_is_valid(const char *digest) {
        struct digest d;

        return digest_parse(digest, &d);
}

void digest_format_hex(const struct digest *d, char ret[DIGEST_HEX_SIZE]) {
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < sizeof(d->bytes); i++) {
                ret[2 * i] = digits[d->bytes[i] >> 4];
                ret[2 * i + 1] = digits[d->bytes[i] & 15];
        }
        ret[2 * sizeof(d->bytes)] = '\0';
}

void digest_format(const struct digest *d, char ret[DIGEST_TEXT_SIZE]) {
        memcpy(ret, PREFIX, PREFIX_SIZE);
        digest_format_hex(d, ret + PREFIX_SIZE);
}

void digest_of(const void *data, size_t size, struct digest *ret) {
        struct sha256_ctx ctx;

        sha256_init(&ctx);
        sha256_update(&ctx, size, data);
        sha256_digest(&ctx, sizeof(ret->bytes), ret->bytes);
}

int digest_of_file(int fd, struct digest *ret, uint64_t *ret_size) {
        auto_free uint8_t *piece = malloc(PIECE_SIZE);
        struct sha256_ctx sum;
        uint64_t size = 0;

        if (!piece)
                return -ENOMEM;
        sha256_init(&sum);
        for (;;) {
                ssize_t n = pread(fd, piece, PIECE_SIZE, (off_t) size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                sha256_update(&sum, (size_t) n, piece);
                size += (size_t) n;
        }
        sha256_digest(&sum, sizeof(ret->bytes), ret->bytes);
        *ret_size = size;
        return 0;
}

bool digest_equal(const struct digest *a, const struct digest *b) {
        return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

int digest_compare(const void *a, const void *b) {
        return memcmp(a, b, sizeof(struct digest));
}

void digest_short(const char *text, char ret[13]) {
        snprintf(ret, 13, "%s", text + PREFIX_SIZE);
}
