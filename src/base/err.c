/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const char *const kind_names[] = {
        [ERR_NONE] = "no error",
        [ERR_INVALID] = "invalid",
        [ERR_UNAUTHORIZED] = "unauthorized",
        [ERR_DENIED] = "denied",
        [ERR_NOT_FOUND] = "not found",
        [ERR_CONFLICT] = "conflict",
        [ERR_NOT_MODIFIED] = "not modified",
        [ERR_NO_COMMAND] = "no such command",
        [ERR_NOT_EXECUTABLE] = "not executable",
        [ERR_TOO_LARGE] = "too large",
        [ERR_NO_SPACE] = "no space",
        [ERR_UNSUPPORTED] = "unsupported",
        [ERR_UNAVAILABLE] = "unavailable",
        [ERR_INTERNAL] = "internal",
};
_Static_assert(sizeof(kind_names) / sizeof(*kind_names) == _ERR_KIND_MAX, "a kind without a name");

const char *err_kind_name(enum err_kind kind) {
        return (unsigned) kind < _ERR_KIND_MAX ? kind_names[kind] : "unknown";
}

static int negative(int num) {
        return num == 0 ? -EIO : num > 0 ? -num : num;
}

int err_set(struct err *err, enum err_kind kind, int num, const char *format, ...) {
        int saved = errno;
        va_list ap;

        if (err) {
                err->kind = kind;
                err->num = negative(num);
                va_start(ap, format);
                errno = saved;
                vsnprintf(err->msg, sizeof(err->msg), format, ap);
                va_end(ap);
                /* One error is one line: what a registry or an image wrote must not forge a second one. */
                str_make_plain(err->msg, strlen(err->msg), "");
        }
        errno = saved;
        return negative(num);
}

static enum err_kind kind_of_errno(int num) {
        switch (num < 0 ? -num : num) {
        case ENOENT:
                return ERR_NOT_FOUND;
        case EEXIST:
        case EBUSY:
                return ERR_CONFLICT;
        case ENOSPC:
        case EDQUOT:
                return ERR_NO_SPACE;
        case EACCES:
        case EPERM:
                return ERR_DENIED;
        case EINVAL:
                return ERR_INVALID;
        default:
                return ERR_INTERNAL;
        }
}

int err_errno(struct err *err, int num, const char *format, ...) {
        char text[sizeof(err->msg)];
        va_list ap;

        num = negative(num);
        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        return err_set(err, kind_of_errno(num), num, "%s: %s", text, strerror(-num));
}

int err_prefix(struct err *err, const char *format, ...) {
        char text[sizeof(err->msg)], prefix[sizeof(err->msg)];
        va_list ap;

        if (!err)
                return -EIO;
        va_start(ap, format);
        vsnprintf(prefix, sizeof(prefix), format, ap);
        va_end(ap);
        memcpy(text, err->msg, sizeof(text));
        return err_set(err, err->kind, err->num, "%s: %.*s", prefix, (int) sizeof(text) - 1, text);
}

int err_name(struct err *err, const char *name) {
        if (err && (!*name || strstr(err->msg, name)))
                return err->num;
        return err_prefix(err, "%s", name);
}
