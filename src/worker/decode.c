/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/decode.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/err.h"
#include "base/mem.h"

enum { ZSTD_WINDOW_LOG_MAX = 27 }; /* 128 MiB: what zstd itself accepts unless told otherwise */

enum gzip_at {
        GZIP_BETWEEN, /* before the first member or after one: a header, padding or the end may follow */
        GZIP_INSIDE,
        GZIP_PADDING, /* zeros after the last member, as tape blocks have them */
};

struct decode {
        enum decode_kind kind;
        enum gzip_at gzip_at;
        bool gzip_begun;     /* one whole member was seen */
        size_t zstd_pending; /* what ZSTD_decompressStream() said last; 0: a frame has ended */
        ZSTD_DStream *zstd;
        struct inflate_state gzip;
};

static const char *const kind_names[] = {
        [DECODE_NONE] = "uncompressed",
        [DECODE_GZIP] = "gzip",
        [DECODE_ZSTD] = "zstd",
};

const char *decode_kind_name(enum decode_kind kind) {
        return kind_names[kind];
}

enum decode_kind decode_detect(const void *head, size_t size) {
        const uint8_t *p = head;

        if (size >= 2 && p[0] == 0x1f && p[1] == 0x8b)
                return DECODE_GZIP;
        if (size >= 4 && memcmp(p, "\x28\xb5\x2f\xfd", 4) == 0)
                return DECODE_ZSTD;
        if (size >= 4 && (p[0] & 0xf0) == 0x50 && memcmp(p + 1, "\x2a\x4d\x18", 3) == 0) /* a skippable frame comes first */
                return DECODE_ZSTD;
        return DECODE_NONE;
}

int decode_new(enum decode_kind kind, struct decode **ret, struct err *err) {
        struct decode *d = calloc(1, sizeof(*d));

        if (!d)
                return err_errno(err, -ENOMEM, "cannot be decompressed");
        d->kind = kind;
        if (kind == DECODE_ZSTD) {
                d->zstd = ZSTD_createDStream();
                if (!d->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX))) {
                        decode_free(d);
                        return err_errno(err, -ENOMEM, "cannot be decompressed");
                }
        }
        *ret = d;
        return 0;
}

void decode_free(struct decode *d) {
        if (!d)
                return;
        ZSTD_freeDStream(d->zstd);
        free(d);
}

static int run_none(struct decode *d, const void *in, size_t in_size, size_t *ret_used, void *out, size_t room, size_t *ret_made, struct err *err) {
        size_t n = in_size < room ? in_size : room;

        memcpy(out, in, n);
        *ret_used = *ret_made = n;
        return 0;
}

static const char *gzip_reason(int r) {
        switch (r) {
        case ISAL_INCORRECT_CHECKSUM:
                return "wrong checksum";
        case ISAL_INVALID_WRAPPER:
        case ISAL_UNSUPPORTED_METHOD:
                return "bad header";
        default:
                return "bad block";
        }
}

static int run_gzip(struct decode *d, const void *in, size_t in_size, size_t *ret_used, void *out, size_t room, size_t *ret_made, struct err *err) {
        const uint8_t *p = in, *end = p + in_size;
        size_t made = 0;

        for (;;) {
                if (d->gzip_at != GZIP_INSIDE) {
                        /* The header itself is checked by the inflater; after a member, its first byte tells padding from a next one. */
                        if (d->gzip_begun && p < end && *p == 0)
                                d->gzip_at = GZIP_PADDING;
                        while (d->gzip_at == GZIP_PADDING && p < end)
                                if (*p++ != 0)
                                        return err_set(err, ERR_INVALID, -EBADMSG, "something follows the end of its gzip data");
                        if (p == end || made == room)
                                break;
                        isal_inflate_init(&d->gzip);
                        d->gzip.crc_flag = ISAL_GZIP;
                        d->gzip_at = GZIP_INSIDE;
                }
                d->gzip.next_in = (uint8_t *) p;
                d->gzip.avail_in = (uint32_t) (end - p);
                d->gzip.next_out = (uint8_t *) out + made;
                d->gzip.avail_out = (uint32_t) (room - made);
                int r = isal_inflate(&d->gzip);

                if (r < 0)
                        return err_set(err, ERR_INVALID, -EBADMSG, "its gzip data has a %s", gzip_reason(r));
                p = end - d->gzip.avail_in;
                made = room - d->gzip.avail_out;
                if (d->gzip.block_state != ISAL_BLOCK_FINISH)
                        break;
                d->gzip_at = GZIP_BETWEEN;
                d->gzip_begun = true;
        }
        *ret_used = in_size - (size_t) (end - p);
        *ret_made = made;
        return 0;
}

static int run_zstd(struct decode *d, const void *in, size_t in_size, size_t *ret_used, void *out, size_t room, size_t *ret_made, struct err *err) {
        ZSTD_inBuffer i = { .src = in, .size = in_size };
        ZSTD_outBuffer o = { .dst = out, .size = room };

        while (o.pos < o.size) {
                size_t in_before = i.pos, out_before = o.pos, r;

                /* After the end of a frame a call without input would ask for the next one. */
                if (i.pos == i.size && d->zstd_pending == 0)
                        break;
                r = ZSTD_decompressStream(d->zstd, &o, &i);
                if (ZSTD_isError(r))
                        return err_set(err, ERR_INVALID, -EBADMSG, "zstd: %s", ZSTD_getErrorName(r));
                d->zstd_pending = r;
                if (i.pos == in_before && o.pos == out_before)
                        break;
        }
        *ret_used = i.pos;
        *ret_made = o.pos;
        return 0;
}

int decode_run(struct decode *d, const void *in, size_t in_size, size_t *ret_used, void *out, size_t room, size_t *ret_made, struct err *err) {
        switch (d->kind) {
        case DECODE_GZIP:
                return run_gzip(d, in, in_size, ret_used, out, room, ret_made, err);
        case DECODE_ZSTD:
                return run_zstd(d, in, in_size, ret_used, out, room, ret_made, err);
        default:
                return run_none(d, in, in_size, ret_used, out, room, ret_made, err);
        }
}

bool decode_is_complete(const struct decode *d) {
        switch (d->kind) {
        case DECODE_GZIP:
                return d->gzip_at != GZIP_INSIDE;
        case DECODE_ZSTD:
                return d->zstd_pending == 0;
        default:
                return true;
        }
}
