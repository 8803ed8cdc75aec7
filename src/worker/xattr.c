/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xattr.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

enum xattr_rule { XATTR_SET, XATTR_REFUSE };

/* The first row that fits; none: left out. */
static const struct {
        const char *prefix;
        bool whole; /* the name, not its beginning */
        enum xattr_rule rule;
} rules[] = {
        { "trusted.overlay.", false, XATTR_REFUSE },
        { "user.overlay.", false, XATTR_REFUSE },
        { "user.", false, XATTR_SET },
        { "security.capability", true, XATTR_SET },
};

static int apply_one(int fd, const char *name, const void *value, size_t size, struct err *err) {
        for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
                if (rules[i].whole ? strcmp(name, rules[i].prefix) != 0 : !str_starts_with(name, rules[i].prefix))
                        continue;
                if (rules[i].rule == XATTR_REFUSE)
                        return err_set(err, ERR_INVALID, -EPERM, "has the extended attribute %s, which belongs to overlayfs", name);
                return fsetxattr(fd, name, value, size, 0) < 0 ? err_errno(err, -errno, "cannot keep its extended attribute %s", name) : 0;
        }
        return 0;
}

int xattr_apply(int fd, struct archive_entry *entry, struct err *err) {
        const char *name;
        const void *value;
        size_t size;

        archive_entry_xattr_reset(entry);
        while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
                int r = name ? apply_one(fd, name, value, size, err) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}
