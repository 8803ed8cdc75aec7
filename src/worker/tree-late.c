/* SPDX-License-Identifier: Apache-2.0 */

/* What directories get last of all: it would change by what is made in them, or change that. */

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/err.h"
#include "base/fd.h"
#include "worker/acl.h"
#include "worker/tree.h"

/* One remembered list in `acls`: this, then the path with its NUL, then the list. */
struct dir_acl {
        uint32_t path_size, size;
};

/* One remembered directory in `times`: this and then the path with its NUL. */
struct dir_time {
        struct timespec mtime;
        uint32_t path_size;
};

int tree_remember_time(struct tree *t, const char *path, const struct tree_meta *m, struct err *err) {
        struct dir_time d = { .mtime = m->mtime, .path_size = (uint32_t) strlen(path) + 1 };

        strbuf_add(&t->times, &d, sizeof(d));
        strbuf_add(&t->times, path, d.path_size);
        if (strbuf_error(&t->times) < 0)
                return err_set(err, ERR_TOO_LARGE, strbuf_error(&t->times), "is one directory too many to remember");
        return 0;
}

int tree_default_acl(struct tree *t, const char *path, const void *value, size_t size, struct err *err) {
        struct dir_acl d = { .path_size = (uint32_t) strlen(path) + 1, .size = (uint32_t) size };

        if (size > XATTR_SIZE_MAX)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "has an access control list that is too long");
        strbuf_add(&t->acls, &d, sizeof(d));
        strbuf_add(&t->acls, path, d.path_size);
        strbuf_add(&t->acls, value, size);
        if (strbuf_error(&t->acls) < 0)
                return err_set(err, ERR_TOO_LARGE, strbuf_error(&t->acls), "has one default access control list too many to remember");
        return 0;
}

/* A later entry may have taken the place of a directory. */
static bool is_replaced(int r) {
        return r == -ENOENT || r == -ENOTDIR || r == -ELOOP;
}

static int set_default_acls(struct tree *t, struct err *err) {
        const char *p = t->acls.data, *end = p + t->acls.size;

        while (p < end) {
                struct dir_acl d;
                const char *path;
                auto_fd fd = -EBADF;

                memcpy(&d, p, sizeof(d));
                path = p + sizeof(d);
                p = path + d.path_size + d.size;
                fd = tree_open_directory(t, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (fd < 0 && !is_replaced(fd))
                        return err_errno(err, fd, "cannot set the default access control list of \"%s\"", path);
                if (fd >= 0 && fsetxattr(fd, ACL_DEFAULT, path + d.path_size, d.size, 0) < 0)
                        return err_errno(err, -errno, "cannot set the default access control list of \"%s\"", path);
        }
        return 0;
}

static int set_times(struct tree *t, struct err *err) {
        const char *p = t->times.data, *end = p + t->times.size;

        while (p < end) {
                struct timespec times[2];
                struct dir_time d;
                auto_fd fd = -EBADF;

                memcpy(&d, p, sizeof(d));
                p += sizeof(d);
                fd = tree_open_directory(t, p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (fd >= 0) {
                        times[0] = times[1] = d.mtime;
                        if (futimens(fd, times) < 0)
                                return err_errno(err, -errno, "cannot set the time of \"%s\"", p);
                } else if (!is_replaced(fd)) {
                        return err_errno(err, fd, "cannot set the time of \"%s\"", p);
                }
                p += d.path_size;
        }
        return 0;
}

int tree_finish(struct tree *t, struct err *err) {
        int r = set_default_acls(t, err);

        return r < 0 ? r : set_times(t, err);
}
