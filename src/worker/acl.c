/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/acl.h"

#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct {
        int tag;
        uint16_t kept;
        bool has_id;
} tags[] = {
        { ARCHIVE_ENTRY_ACL_USER_OBJ, ACL_USER_OBJ, false },
        { ARCHIVE_ENTRY_ACL_USER, ACL_USER, true },
        { ARCHIVE_ENTRY_ACL_GROUP_OBJ, ACL_GROUP_OBJ, false },
        { ARCHIVE_ENTRY_ACL_GROUP, ACL_GROUP, true },
        { ARCHIVE_ENTRY_ACL_MASK, ACL_MASK, false },
        { ARCHIVE_ENTRY_ACL_OTHER, ACL_OTHER, false },
};

static_assert(ACL_SIZE_MAX == sizeof(struct posix_acl_xattr_header) + ACL_ENTRIES_MAX * sizeof(struct posix_acl_xattr_entry), "as the kernel lays it out");

static int compare(const void *a, const void *b) {
        const struct posix_acl_xattr_entry *x = a, *y = b;
        uint16_t s = le16toh(x->e_tag), t = le16toh(y->e_tag);
        uint32_t i = le32toh(x->e_id), j = le32toh(y->e_id);

        return s != t ? (s > t) - (s < t) : (i > j) - (i < j);
}

ssize_t acl_of_member(struct archive_entry *e, bool by_default, uint8_t ret[ACL_SIZE_MAX]) {
        const int type = by_default ? ARCHIVE_ENTRY_ACL_TYPE_DEFAULT : ARCHIVE_ENTRY_ACL_TYPE_ACCESS;
        const struct posix_acl_xattr_header header = { .a_version = htole32(POSIX_ACL_XATTR_VERSION) };
        struct posix_acl_xattr_entry entries[ACL_ENTRIES_MAX];
        int got_type, permissions, tag, id;
        const char *name;
        size_t n = 0;

        if (archive_entry_acl_reset(e, type) == 0)
                return 0;
        while (archive_entry_acl_next(e, type, &got_type, &permissions, &tag, &id, &name) == ARCHIVE_OK) {
                size_t i = 0;

                while (i < ARRAY_SIZE(tags) && tags[i].tag != tag)
                        i++;
                if (i == ARRAY_SIZE(tags))
                        continue; /* of another kind of list, NFSv4's */
                if (tags[i].has_id && id < 0)
                        return 0;
                if (n == ACL_ENTRIES_MAX)
                        return -E2BIG;
                entries[n++] = (struct posix_acl_xattr_entry) {
                        .e_tag = htole16(tags[i].kept),
                        .e_perm = htole16((uint16_t) (permissions & (ACL_READ | ACL_WRITE | ACL_EXECUTE))),
                        .e_id = htole32(tags[i].has_id ? (uint32_t) id : (uint32_t) ACL_UNDEFINED_ID),
                };
        }
        if (n == 0)
                return 0;
        qsort(entries, n, sizeof(*entries), compare); /* tags have the values of that order */
        memcpy(ret, &header, sizeof(header));
        memcpy(ret + sizeof(header), entries, n * sizeof(*entries));
        return (ssize_t) (sizeof(header) + n * sizeof(*entries));
}
