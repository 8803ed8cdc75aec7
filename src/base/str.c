/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"

char *str_format(const char *format, ...) {
        char *s = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&s, format, ap);
        va_end(ap);
        return n < 0 ? NULL : s;
}

void strbuf_init(struct strbuf *b, size_t max) {
        *b = (struct strbuf) { .max = max };
}

void strbuf_done(struct strbuf *b) {
        free(b->data);
        *b = (struct strbuf) { .max = b->max };
}

/* Room for `more` bytes and the NUL. Once an append failed, all later ones fail: one check at the end is enough. */
static bool reserve(struct strbuf *b, size_t more) {
        size_t need, room;
        char *grown;

        if (b->failed)
                return false;
        if (more > b->max || b->size > b->max - more) {
                b->failed = -E2BIG;
                return false;
        }
        need = b->size + more + 1;
        if (need <= b->room)
                return true;
        room = b->room ? b->room * 2 : 64;
        while (room < need)
                room *= 2;
        grown = realloc(b->data, room);
        if (!grown) {
                b->failed = -ENOMEM;
                return false;
        }
        b->data = grown;
        b->room = room;
        return true;
}

void strbuf_add(struct strbuf *b, const void *data, size_t size) {
        if (!reserve(b, size))
                return;
        memcpy(b->data + b->size, data, size);
        b->size += size;
        b->data[b->size] = '\0';
}

void strbuf_adds(struct strbuf *b, const char *s) {
        strbuf_add(b, s, strlen(s));
}

void strbuf_addf(struct strbuf *b, const char *format, ...) {
        va_list ap, again;
        int n;

        va_start(ap, format);
        va_copy(again, ap);
        n = vsnprintf(NULL, 0, format, ap);
        va_end(ap);
        if (n >= 0 && reserve(b, (size_t) n)) {
                vsnprintf(b->data + b->size, (size_t) n + 1, format, again);
                b->size += (size_t) n;
        }
        va_end(again);
}

int strbuf_error(const struct strbuf *b) {
        return b->failed;
}

char *strbuf_take(struct strbuf *b, size_t *ret_size) {
        char *data;

        if (!b->failed)
                reserve(b, 0);
        if (b->failed) {
                strbuf_done(b);
                return NULL;
        }
        data = b->data;
        data[b->size] = '\0';
        if (ret_size)
                *ret_size = b->size;
        b->data = NULL;
        strbuf_done(b);
        return data;
}

bool str_starts_with(const char *s, const char *prefix) {
        return strncmp(s, prefix, strlen(prefix)) == 0;
}

int str_to_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret) {
        uint64_t v = 0;

        if (!*s)
                return -EINVAL;
        for (; *s; s++) {
                if (*s < '0' || *s > '9')
                        return -EINVAL;
                if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t) (*s - '0'), &v))
                        return -ERANGE;
        }
        if (v < min || v > max)
                return -ERANGE;
        *ret = v;
        return 0;
}

int str_random_hex(char *ret, size_t n_bytes) {
        static const char digits[] = "0123456789abcdef";
        unsigned char bytes[64];

        if (n_bytes > sizeof(bytes))
                return -EINVAL;
        if (getrandom(bytes, n_bytes, 0) != (ssize_t) n_bytes)
                return -EIO;
        for (size_t i = 0; i < n_bytes; i++) {
                ret[2 * i] = digits[bytes[i] >> 4];
                ret[2 * i + 1] = digits[bytes[i] & 15];
        }
        ret[2 * n_bytes] = '\0';
        return 0;
}

void str_unescape_octal(char *s) {
        char *to = s;

        for (; *s; s++) {
                if (s[0] == '\\' && isdigit((unsigned char) s[1]) && isdigit((unsigned char) s[2]) && isdigit((unsigned char) s[3])) {
                        *to++ = (char) ((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
                        s += 3;
                } else {
                        *to++ = *s;
                }
        }
        *to = '\0';
}

size_t str_make_plain(char *s, size_t size, const char *kept) {
        size_t to = 0;

        for (size_t i = 0; i < size; i++) {
                size_t control = str_control(s + i, size - i);

                s[to++] = control == 0 || (s[i] && strchr(kept, s[i])) ? s[i] : '?';
                i += control == 2;
        }
        s[to] = '\0';
        return to;
}
