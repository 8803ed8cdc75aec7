/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <string.h>

#include "base/str.h"

/* Append `s` at *n without stdio; the last byte of the buffer always stays for the NUL. */
static void append(char *buf, size_t size, size_t *n, const char *s) {
        for (; *s && *n + 1 < size; s++) {
                size_t control = str_control(s, s[1] ? 2 : 1);

                buf[(*n)++] = control ? '?' : *s;
                s += control == 2;
        }
        buf[*n] = '\0';
}

int err_set_raw(struct err *err, enum err_kind kind, int num, const char *what, const char *object) {
        size_t n = 0;
        int positive = num < 0 ? -num : num;
        const char *name;

        if (err) {
                err->kind = kind;
                err->num = positive ? -positive : -EIO;
                append(err->msg, sizeof(err->msg), &n, what);
                if (object) {
                        append(err->msg, sizeof(err->msg), &n, ": ");
                        append(err->msg, sizeof(err->msg), &n, object);
                }
                /* A table look-up in glibc ≥ 2.32: no locale, no buffer. */
                name = positive ? strerrordesc_np(positive) : NULL;
                if (name) {
                        append(err->msg, sizeof(err->msg), &n, ": ");
                        append(err->msg, sizeof(err->msg), &n, name);
                }
        }
        return positive ? -positive : -EIO;
}
