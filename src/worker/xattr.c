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
#include "worker/acl.h"
#include "worker/tree.h"

enum xattr_rule { XATTR_SET, XATTR_REFUSE, XATTR_LATER };

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
        { ACL_ACCESS, true, XATTR_SET },
        { ACL_DEFAULT, true, XATTR_LATER },
};

static int apply_one(struct tree *t, const char *path, int fd, const char *name, const void *value, size_t size, struct err *err) {
        for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
                if (rules[i].whole ? strcmp(name, rules[i].prefix) != 0 : !str_starts_with(name, rules[i].prefix))
                        continue;
                if (rules[i].rule == XATTR_REFUSE)
                        return err_set(err, ERR_INVALID, -EPERM, "has the extended attribute %s, which belongs to overlayfs", name);
                if (rules[i].rule == XATTR_LATER)
                        return tree_default_acl(t, path, value, size, err);
                return fsetxattr(fd, name, value, size, 0) < 0 ? err_errno(err, -errno, "cannot keep its extended attribute %s", name) : 0;
        }
        return 0;
}

static int apply_acl(struct tree *t, const char *path, int fd, struct archive_entry *entry, bool by_default, struct err *err) {
        uint8_t value[ACL_SIZE_MAX];
        ssize_t size = acl_of_member(entry, by_default, value);

        if (size < 0)
                return err_set(err, ERR_TOO_LARGE, (int) size, "has an access control list of more than %d entries", ACL_ENTRIES_MAX);
        return size == 0 ? 0 : apply_one(t, path, fd, by_default ? ACL_DEFAULT : ACL_ACCESS, value, (size_t) size, err);
}

int xattr_apply(struct tree *t, const char *path, int fd, struct archive_entry *entry, struct err *err) {
        const char *name;
        const void *value;
        size_t size;

        archive_entry_xattr_reset(entry);
        while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
                int r = name ? apply_one(t, path, fd, name, value, size, err) : 0;

                if (r < 0)
                        return r;
        }
        if (apply_acl(t, path, fd, entry, false, err) < 0 || (archive_entry_filetype(entry) == AE_IFDIR && apply_acl(t, path, fd, entry, true, err) < 0))
                return err ? err->num : -EIO;
        return 0;
}
