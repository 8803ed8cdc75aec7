/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/source.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "worker/decode.h"

enum {
        SLOTS = 8,
        SLOT_SIZE = 256 << 10,
        INPUT_SIZE = 256 << 10,
};

struct slot {
        uint8_t *data;
        size_t size;
};

struct source {
        struct source_options options;
        char digest[DIGEST_SIZE], diff_id[DIGEST_SIZE];
        _Atomic uint64_t consumed;

        /* The reading thread's own. */
        uint8_t *input;
        size_t in_at, in_size;
        bool in_ended, in_failed;
        uint64_t plain;
        struct decode *decode;
        enum decode_kind kind;
        struct digest *blob_sum, *plain_sum;

        /* The ring: slots [taken, filled) are full; the lock guards the counters, the end and the error. */
        pthread_mutex_t lock;
        pthread_cond_t changed;
        struct slot slots[SLOTS];
        uint64_t filled, taken;
        bool held; /* slot taken-1 is in the far half's hands */
        bool ended;
        struct err err;
        bool abandoned; /* nobody takes any more of it */
        bool all_read;  /* the rest was read, too: how that went */
        struct err rest_err;
};

static int input_failed(struct source *s, int num, struct err *err) {
        return err_errno(err, num, "cannot be read, after %" PRIu64 " bytes", s->consumed);
}

static int refill_once(struct source *s, size_t at_least, struct err *err) {
        size_t got = 0;
        int r;

        while (got < at_least) {
                ssize_t n = read(s->options.input_fd, s->input + got, INPUT_SIZE - got);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return input_failed(s, -errno, err);
                if (n == 0) {
                        s->in_ended = true;
                        break;
                }
                got += (size_t) n;
        }
        s->in_at = 0;
        s->in_size = got;
        s->consumed += got;
        if (s->options.size > 0 && s->consumed > s->options.size)
                return err_set(err, ERR_INVALID, -EBADMSG, "is longer than the %" PRIu64 " bytes it should have", s->options.size);
        if (!s->options.unsummed && digest_add(s->blob_sum, s->input, got) < 0)
                return err_set(err, ERR_INTERNAL, -EIO, "cannot be summed by SHA-256");
        if (s->options.blob_fd >= 0) {
                r = fd_write_all(s->options.blob_fd, s->input, got);
                if (r < 0)
                        return err_errno(err, r, "cannot be kept as a blob");
        }
        return 0;
}

/* Read until `input` is full or a pause in the pipe: at least one byte, unless the stream has ended. */
static int refill(struct source *s, size_t at_least, struct err *err) {
        int r = refill_once(s, at_least, err);

        s->in_failed = s->in_failed || r < 0;
        return r;
}

static int begin(struct source *s, struct err *err) {
        int r = refill(s, DECODE_MAGIC_SIZE, err);

        if (r < 0)
                return r;
        s->kind = decode_detect(s->input, s->in_size);
        return decode_new(s->kind, &s->decode, err);
}

static int check_limits(struct source *s, struct err *err) {
        const struct source_limits *l = &s->options.limits;

        if (s->plain > l->plain)
                return err_set(err, ERR_TOO_LARGE, -EFBIG, "unpacks to more than %" PRIu64 " bytes", l->plain);
        if (s->plain > SOURCE_RATIO_FREE && s->plain / l->ratio > s->consumed)
                return err_set(err, ERR_TOO_LARGE, -EFBIG, "unpacks to more than %" PRIu64 " times its size", l->ratio);
        return 0;
}

/* Fill one slot, as far as the stream goes. */
static int fill(struct source *s, struct slot *slot, struct err *err) {
        int r;

        slot->size = 0;
        while (slot->size < SLOT_SIZE) {
                size_t used, made;

                if (s->in_at == s->in_size && !s->in_ended) {
                        r = refill(s, 1, err);
                        if (r < 0)
                                return r;
                }
                r = decode_run(s->decode, s->input + s->in_at, s->in_size - s->in_at, &used, slot->data + slot->size, SLOT_SIZE - slot->size, &made, err);
                if (r < 0)
                        return err_prefix(err, "is corrupt near byte %" PRIu64, s->consumed);
                s->in_at += used;
                slot->size += made;
                s->plain += made;
                r = check_limits(s, err);
                if (r < 0)
                        return r;
                if (s->in_ended && s->in_at == s->in_size && made == 0)
                        break;
                if (used == 0 && made == 0 && s->in_at < s->in_size)
                        return err_set(err, ERR_INVALID, -EBADMSG, "is corrupt near byte %" PRIu64 ": %s data that has no end", s->consumed, decode_kind_name(s->kind));
        }
        /* Without compression both sums are of the same bytes. */
        if (s->kind != DECODE_NONE && !s->options.unsummed && digest_add(s->plain_sum, slot->data, slot->size) < 0)
                return err_set(err, ERR_INTERNAL, -EIO, "cannot be summed by SHA-256");
        return 0;
}

static int check_size(struct source *s, struct err *err) {
        if (s->options.size > 0 && s->consumed < s->options.size)
                return err_set(err, ERR_INVALID, -ENODATA, "is cut short: %" PRIu64 " of %" PRIu64 " bytes", s->consumed, s->options.size);
        return 0;
}

static int end_sum(struct source *s, struct err *err) {
        return *s->digest || digest_end(s->blob_sum, s->digest) == 0 ? 0 : err_set(err, ERR_INTERNAL, -EIO, "cannot be summed by SHA-256");
}

static int check_digest(const struct source *s, struct err *err) {
        if (s->options.digest && strcmp(s->digest, s->options.digest) != 0)
                return err_set(err, ERR_INVALID, -EBADMSG, "has another digest: %s", s->digest);
        return 0;
}

static int check_end(struct source *s, struct err *err) {
        int r = check_size(s, err);

        if (r < 0)
                return r;
        if (!decode_is_complete(s->decode))
                return err_set(err, ERR_INVALID, -ENODATA, "is cut short: its %s data ends in the middle", decode_kind_name(s->kind));
        if (s->options.unsummed)
                return 0;
        r = end_sum(s, err);
        if (r < 0)
                return r;
        if (s->kind == DECODE_NONE)
                memcpy(s->diff_id, s->digest, sizeof(s->diff_id));
        else if (digest_end(s->plain_sum, s->diff_id) < 0)
                return err_set(err, ERR_INTERNAL, -EIO, "cannot be summed by SHA-256");
        r = check_digest(s, err);
        if (r < 0)
                return r;
        if (s->options.diff_id && strcmp(s->diff_id, s->options.diff_id) != 0)
                return err_set(err, ERR_INVALID, -EBADMSG, "unpacks to %s, not to its diff id %s", s->diff_id, s->options.diff_id);
        return 0;
}

/* NULL: nobody is there to take it. */
static struct slot *slot_to_fill(struct source *s) {
        struct slot *slot = NULL;

        pthread_mutex_lock(&s->lock);
        while (s->filled - s->taken + (s->held ? 1 : 0) >= SLOTS && !s->abandoned)
                pthread_cond_wait(&s->changed, &s->lock);
        if (!s->abandoned)
                slot = &s->slots[s->filled % SLOTS];
        pthread_mutex_unlock(&s->lock);
        return slot;
}

static void publish(struct source *s, bool full, bool ended, const struct err *err) {
        pthread_mutex_lock(&s->lock);
        if (full)
                s->filled++;
        s->ended = ended;
        if (err)
                s->err = *err;
        pthread_cond_signal(&s->changed);
        pthread_mutex_unlock(&s->lock);
}

/* Not one byte more is decompressed. */
static int read_rest(struct source *s, struct err *err) {
        int r = 0;

        while (r == 0 && !s->in_ended && !s->in_failed)
                r = refill(s, 1, err);
        if (r == 0 && s->in_failed)
                r = err_set(err, ERR_INVALID, -ENODATA, "is not all there");
        if (r == 0)
                r = check_size(s, err);
        if (r == 0)
                r = end_sum(s, err);
        return r == 0 ? check_digest(s, err) : r;
}

static void keep_rest(struct source *s) {
        struct err err = { 0 };

        read_rest(s, &err);
        pthread_mutex_lock(&s->lock);
        s->rest_err = err;
        s->all_read = true;
        pthread_cond_signal(&s->changed);
        pthread_mutex_unlock(&s->lock);
}

static void *run(void *data) {
        struct source *s = data;
        struct err err = { 0 };
        int r = begin(s, &err);

        while (r == 0) {
                struct slot *slot = slot_to_fill(s);

                if (!slot)
                        break;
                r = fill(s, slot, &err);
                if (r < 0)
                        break;
                if (slot->size == 0) {
                        r = check_end(s, &err);
                        break;
                }
                publish(s, true, false, NULL);
        }
        publish(s, false, true, &err);
        if (s->options.keep_rest)
                keep_rest(s);
        return NULL;
}

int source_start(const struct source_options *options, struct source **ret, struct err *err) {
        struct source *s = calloc(1, sizeof(*s));
        pthread_t thread;
        int r;

        if (!s)
                return err_errno(err, -ENOMEM, "cannot be read");
        s->options = *options;
        s->input = malloc(INPUT_SIZE);
        s->blob_sum = digest_new();
        s->plain_sum = digest_new();
        r = s->input && s->blob_sum && s->plain_sum ? 0 : -ENOMEM;
        for (size_t i = 0; i < SLOTS && r == 0; i++) {
                s->slots[i].data = malloc(SLOT_SIZE);
                r = s->slots[i].data ? 0 : -ENOMEM;
        }
        pthread_mutex_init(&s->lock, NULL);
        pthread_cond_init(&s->changed, NULL);
        if (r == 0)
                r = -pthread_create(&thread, NULL, run, s);
        if (r < 0) {
                for (size_t i = 0; i < SLOTS; i++)
                        free(s->slots[i].data);
                digest_free(s->plain_sum);
                digest_free(s->blob_sum);
                free(s->input);
                free(s);
                return err_errno(err, r, "cannot be read");
        }
        pthread_detach(thread);
        *ret = s;
        return 0;
}

int source_read(struct source *s, const void **ret, size_t *ret_size, struct err *err) {
        int r = 0;

        pthread_mutex_lock(&s->lock);
        if (s->held) {
                s->held = false;
                pthread_cond_signal(&s->changed);
        }
        while (s->filled == s->taken && !s->ended)
                pthread_cond_wait(&s->changed, &s->lock);
        if (s->filled > s->taken) {
                const struct slot *slot = &s->slots[s->taken++ % SLOTS];

                s->held = true;
                *ret = slot->data;
                *ret_size = slot->size;
                r = 1;
        } else if (s->err.kind != ERR_NONE) {
                if (err)
                        *err = s->err;
                r = s->err.num ? s->err.num : -EIO;
        }
        pthread_mutex_unlock(&s->lock);
        return r;
}

int source_keep_rest(struct source *s, struct err *err) {
        int r = 0;

        pthread_mutex_lock(&s->lock);
        s->abandoned = true;
        pthread_cond_signal(&s->changed);
        while (!s->all_read)
                pthread_cond_wait(&s->changed, &s->lock);
        if (s->rest_err.kind != ERR_NONE) {
                if (err)
                        *err = s->rest_err;
                r = s->rest_err.num ? s->rest_err.num : -EIO;
        }
        pthread_mutex_unlock(&s->lock);
        return r;
}

uint64_t source_consumed(const struct source *s) {
        return s->consumed;
}

const char *source_digest(const struct source *s) {
        return s->digest;
}

const char *source_diff_id(const struct source *s) {
        return s->diff_id;
}

enum decode_kind source_compression(const struct source *s) {
        return s->kind;
}
