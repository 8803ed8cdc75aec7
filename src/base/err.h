/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What went wrong, with which object, for a person to read.
 *
 * Functions return 0 or a negative errno. Where a person must learn *which* object failed, the last parameter is a
 * `struct err *` that is filled when, and only when, a negative value is returned. It is plain data of fixed size: it may
 * be filled between clone(2) and execve(2) and cross a pipe in one write(2). A NULL `err` is allowed everywhere.
 *
 * The kind says how a front door answers; kinds become HTTP status, gRPC code and exit status in one place per front
 * door (src/api/status.c, src/cli/exit.c, src/oci/). */

#include <errno.h>
#include <stddef.h>

enum err_kind {
        ERR_NONE = 0,
        ERR_INVALID,        /* the request is wrong: a bad value, a bad name, malformed input       HTTP 400 */
        ERR_UNAUTHORIZED,   /* a registry wants other credentials                                   HTTP 401 */
        ERR_DENIED,         /* a policy, or the kernel, forbids it                                  HTTP 403 */
        ERR_NOT_FOUND,      /* no such object                                                       HTTP 404 */
        ERR_CONFLICT,       /* the object's state or name is in the way                             HTTP 409 */
        ERR_NOT_MODIFIED,   /* already as asked for                                                 HTTP 304 */
        ERR_NO_COMMAND,     /* the container's command does not exist in its image          exit 127, HTTP 400 */
        ERR_NOT_EXECUTABLE, /* the container's command cannot be executed                   exit 126, HTTP 400 */
        ERR_TOO_LARGE,      /* a limit of size, count or ratio was passed                           HTTP 413 */
        ERR_NO_SPACE,       /* the disk, or a quota, is full                                        HTTP 507 */
        ERR_UNSUPPORTED,    /* not on this host, or not in this version                             HTTP 501 */
        ERR_UNAVAILABLE,    /* a peer (registry, monitor) does not answer                           HTTP 503 */
        ERR_INTERNAL,       /* everything else                                                      HTTP 500 */
        _ERR_KIND_MAX,
};

struct err {
        enum err_kind kind;
        int num;       /* negative errno; 0 where none fits */
        char msg[496]; /* one line, NUL-terminated, no trailing full stop or newline; longer text is cut */
};

/* "invalid", "not found", …; never NULL. */
const char *err_kind_name(enum err_kind kind);

/* Fill *err from a format and return `num` (made negative; -EIO when it is 0). Control characters that foreign text
 * brought into the message are replaced by '?', so that one error is one line of a log. `%m` is errno as at the call. */
int err_set(struct err *err, enum err_kind kind, int num, const char *format, ...)
        __attribute__((format(printf, 4, 5), cold));

/* The same kind chosen from an errno: ENOENT → NOT_FOUND, EEXIST/EBUSY → CONFLICT, ENOSPC/EDQUOT → NO_SPACE, EACCES/EPERM →
 * DENIED, EINVAL → INVALID, else INTERNAL. The message is the format followed by ": strerror(num)". */
int err_errno(struct err *err, int num, const char *format, ...) __attribute__((format(printf, 3, 4), cold));

/* For between clone(2) and execve(2): no stdio, no locale, no heap. Message: "what: object: description of num" (`object` may be
 * NULL; the description, such as "No such file or directory", is left out when num is 0). Returns like err_set(). */
int err_set_raw(struct err *err, enum err_kind kind, int num, const char *what, const char *object);

/* Put "prefix: " before the message that is already there; returns err->num, or -EIO when err is NULL. */
int err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

/* "NAME: " before the message, unless it says the name already; "" is no name. Returns like err_prefix(). */
int err_name(struct err *err, const char *name) __attribute__((cold));
