/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Strings: a growing buffer with a maximum, and strict numbers. str_format() is in base/mem.h. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing buffer that holds at most `max` bytes: whatever takes outside data says how much. `data` is NULL until the first
 * append, and NUL-terminated after it. Errors stick: append freely, then ask strbuf_error() once (-E2BIG, -ENOMEM or 0). */
struct strbuf {
        char *data;
        size_t size, room, max;
        int failed;
};

void strbuf_init(struct strbuf *b, size_t max);
void strbuf_done(struct strbuf *b);
void strbuf_add(struct strbuf *b, const void *data, size_t size);
void strbuf_adds(struct strbuf *b, const char *s);
void strbuf_addf(struct strbuf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
int strbuf_error(const struct strbuf *b);
/* Move the bytes out (the caller frees); the buffer is empty again. NULL after an error; an empty buffer gives "". */
char *strbuf_take(struct strbuf *b, size_t *ret_size);

#define auto_strbuf __attribute__((cleanup(strbuf_done))) struct strbuf

bool str_starts_with(const char *s, const char *prefix);

/* Decimal digits and nothing else (no sign, no blanks, no "0x"). -EINVAL: not a number; -ERANGE: outside [min, max]. */
int str_to_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);

/* n_bytes (at most 64) of the kernel's randomness as 2*n_bytes lower-case hex digits and a NUL. */
int str_random_hex(char *ret, size_t n_bytes);

/* In place: "\040" is a blank. So the kernel writes blanks and backslashes of paths in mountinfo. */
void str_unescape_octal(char *s);

/* The control character at `s`, of which `size` bytes (not 0) are there: 1 byte below the blank and DEL, 2 of U+0080 to U+009F in UTF-8, 0 is none. A terminal
 * takes orders by the latter as well: U+009B is its ESC [. */
static inline size_t str_control(const char *s, size_t size) {
        unsigned char c = (unsigned char) *s, next = size > 1 ? (unsigned char) s[1] : 0;

        if (c < ' ' || c == 0x7f)
                return 1;
        return c == 0xc2 && next >= 0x80 && next < 0xa0 ? 2 : 0;
}

/* In place: each of them becomes a '?', but those that are in `kept`. The new size; a NUL is put behind, for which there must be room. */
size_t str_make_plain(char *s, size_t size, const char *kept);

/* Text without stdio, for the programs that have none. Append at `at`; stop at `end`, where the NUL always fits. Return the new end. */
static inline char *str_put(char *at, const char *end, const char *s) {
        while (*s && at < end)
                *at++ = *s++;
        *at = '\0';
        return at;
}

static inline char *str_put_u64(char *at, const char *end, uint64_t v) {
        char digits[20];
        int n = 0;

        do
                digits[n++] = (char) ('0' + v % 10);
        while (v /= 10);
        while (n > 0 && at < end)
                *at++ = digits[--n];
        *at = '\0';
        return at;
}
