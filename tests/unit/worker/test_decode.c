/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zstd.h>

#include "base/err.h"
#include "base/mem.h"
#include "tar.h"
#include "worker/decode.h"

enum { PLAIN = 50000 };

static unsigned char plain[PLAIN];

static int fill_plain(void **state) {
        unsigned x = 1;

        for (size_t i = 0; i < PLAIN; i++) {
                x = x * 1103515245u + 12345u;
                plain[i] = i % 7 < 3 ? (unsigned char) (x >> 16) : (unsigned char) (i / 100);
        }
        return 0;
}

/* All of it through the decoder in pieces of `step` bytes in and `room` bytes out: the bytes that came out, or -1 for an error. */
static ssize_t decode_all(const unsigned char *in, size_t size, size_t step, size_t room, unsigned char *out, size_t out_room, bool *ret_complete) {
        struct decode *d;
        size_t at = 0, made_all = 0;
        ssize_t r = -1;

        assert_int_equal(decode_new(decode_detect(in, size), &d, NULL), 0);
        for (;;) {
                size_t piece = size - at < step ? size - at : step, used, made;
                struct err err;

                if (decode_run(d, in + at, piece, &used, out + made_all, room < out_room - made_all ? room : out_room - made_all, &made, &err) < 0) {
                        assert_true(strlen(err.msg) > 0);
                        goto done;
                }
                at += used;
                made_all += made;
                if (used == 0 && made == 0)
                        break;
        }
        *ret_complete = at == size && decode_is_complete(d);
        r = (ssize_t) made_all;
done:
        decode_free(d);
        return r;
}

static void expect_whole(const unsigned char *in, size_t size, size_t times) {
        static const size_t steps[] = { 1, 2, 3, 7, 64, 1000, 65536, 1 << 20 };
        unsigned char *out = malloc(3 * PLAIN);

        for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
                for (size_t j = 2; j < ARRAY_SIZE(steps); j += 2) {
                        bool complete = false;

                        assert_int_equal(decode_all(in, size, steps[i], steps[j], out, 3 * PLAIN, &complete), times * PLAIN);
                        assert_true(complete);
                        for (size_t k = 0; k < times; k++)
                                assert_memory_equal(out + k * PLAIN, plain, PLAIN);
                }
        free(out);
}

static void gzip_in_any_pieces(void **state) {
        size_t size;
        unsigned char *gz = tar_gzip(plain, PLAIN, &size);

        assert_int_equal(decode_detect(gz, size), DECODE_GZIP);
        expect_whole(gz, size, 1);
        free(gz);
}

static void gzip_of_several_members_and_padding(void **state) {
        size_t size;
        unsigned char *gz = tar_gzip(plain, PLAIN, &size), *both = calloc(1, 2 * size + 700);

        memcpy(both, gz, size);
        memcpy(both + size, gz, size);
        expect_whole(both, 2 * size, 2);
        expect_whole(both, 2 * size + 700, 2);
        free(both);
        free(gz);
}

static void zstd_of_several_frames(void **state) {
        size_t room = ZSTD_compressBound(PLAIN), size;
        unsigned char *z = malloc(2 * room + 12);

        memcpy(z, "\x51\x2a\x4d\x18\x04\0\0\0skip", 12); /* a skippable frame first, as seekable formats have them */
        size = 12 + ZSTD_compress(z + 12, room, plain, PLAIN, 3);
        assert_int_equal(decode_detect(z, size), DECODE_ZSTD);
        size += ZSTD_compress(z + size, room, plain, PLAIN, 1);
        expect_whole(z, size, 2);
        free(z);
}

static void plain_bytes_pass(void **state) {
        assert_int_equal(decode_detect(plain, PLAIN), DECODE_NONE);
        assert_int_equal(decode_detect("", 0), DECODE_NONE);
        expect_whole(plain, PLAIN, 1);
}

/* Every single cut, and a flipped bit at many places, must be noticed: by an error or by not being complete. */
static void damage_is_noticed(void **state) {
        unsigned char *out = malloc(3 * PLAIN), *gz;
        size_t size;
        bool complete;

        gz = tar_gzip(plain, 3000, &size);
        for (size_t cut = 3; cut < size; cut++) {
                complete = false;
                if (decode_all(gz, cut, 4096, 4096, out, PLAIN, &complete) >= 0)
                        assert_false(complete);
        }
        for (size_t i = 30; i < size; i++) {
                ssize_t n;

                gz[i] ^= 4;
                complete = false;
                n = decode_all(gz, size, 4096, 4096, out, PLAIN, &complete);
                assert_true(n < 0 || !complete);
                gz[i] ^= 4;
        }
        free(gz);
        free(out);
}

static void garbage_after_the_end_is_refused(void **state) {
        size_t size;
        unsigned char *gz = tar_gzip(plain, 1000, &size), out[4096];
        bool complete;

        gz = realloc(gz, size + 20);
        memset(gz + size, 0, 20);
        gz[size + 19] = 'x';
        assert_int_equal(decode_all(gz, size + 20, 4096, 4096, out, sizeof(out), &complete), -1);
        memset(gz + size, 'x', 20);
        assert_int_equal(decode_all(gz, size + 20, 4096, 4096, out, sizeof(out), &complete), -1);
        free(gz);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(gzip_in_any_pieces),
                cmocka_unit_test(gzip_of_several_members_and_padding),
                cmocka_unit_test(zstd_of_several_frames),
                cmocka_unit_test(plain_bytes_pass),
                cmocka_unit_test(damage_is_noticed),
                cmocka_unit_test(garbage_after_the_end_is_refused),
        };

        return cmocka_run_group_tests(tests, fill_plain, NULL);
}
