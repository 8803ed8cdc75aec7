/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes of the image's files. Some hold ids, which the mapped mount shows as the host's: they are brought back to what is on disk. */

#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/err.h"
#include "base/mem.h"
#include "engine/volumes.h"

enum { NAMES_MAX = 64 << 10, VALUE_MAX = 64 << 10, ACL_HEADER = 4, ACL_ENTRY = 8, ACL_USER = 0x02, ACL_GROUP = 0x08 };

static uint32_t shift(uint32_t id, uint32_t first_id) {
        return id >= first_id && id - first_id < 65536 ? id - first_id : id;
}

/* A capability that is good in the container's user namespace only is one for all, in the image. */
static size_t plain_capability(unsigned char *value, size_t size, uint32_t first_id) {
        struct vfs_ns_cap_data data;

        if (size != sizeof(data))
                return size;
        memcpy(&data, value, sizeof(data));
        if ((le32toh(data.magic_etc) & VFS_CAP_REVISION_MASK) != VFS_CAP_REVISION_3 || shift(le32toh(data.rootid), first_id) != 0)
                return size;
        data.magic_etc = htole32(VFS_CAP_REVISION_2 | (le32toh(data.magic_etc) & ~(uint32_t) VFS_CAP_REVISION_MASK));
        memcpy(value, &data, XATTR_CAPS_SZ_2);
        return XATTR_CAPS_SZ_2;
}

/* A version, then {tag, rights, id} each. */
static void plain_acl(unsigned char *value, size_t size, uint32_t first_id) {
        for (size_t at = ACL_HEADER; at + ACL_ENTRY <= size; at += ACL_ENTRY) {
                uint16_t tag;
                uint32_t id;

                memcpy(&tag, value + at, sizeof(tag));
                memcpy(&id, value + at + 4, sizeof(id));
                if (le16toh(tag) != ACL_USER && le16toh(tag) != ACL_GROUP)
                        continue;
                id = htole32(shift(le32toh(id), first_id));
                memcpy(value + at + 4, &id, sizeof(id));
        }
}

static int copy_one(int from_fd, int to_fd, const char *name, uint32_t first_id) {
        auto_free unsigned char *value = NULL;
        ssize_t size;

        if (strncmp(name, "user.", 5) != 0 && strcmp(name, "security.capability") != 0 && strncmp(name, "system.posix_acl_", 17) != 0)
                return 0;
        value = malloc(VALUE_MAX);
        if (!value)
                return -ENOMEM;
        size = fgetxattr(from_fd, name, value, VALUE_MAX);
        if (size < 0)
                return errno == ENODATA ? 0 : -errno;
        if (first_id && !strcmp(name, "security.capability"))
                size = (ssize_t) plain_capability(value, (size_t) size, first_id);
        if (first_id && !strncmp(name, "system.posix_acl_", 17))
                plain_acl(value, (size_t) size, first_id);
        /* A file system that has no such attributes keeps the files without. */
        return fsetxattr(to_fd, name, value, (size_t) size, 0) < 0 && errno != EOPNOTSUPP ? -errno : 0;
}

int volume_copy_xattrs(int from_fd, int to_fd, uint32_t first_id) {
        char some[1024], *names = some;
        ssize_t size = flistxattr(from_fd, some, sizeof(some));
        int r = 0;

        if (size < 0 && errno == ERANGE) {
                names = malloc(NAMES_MAX);
                size = names ? flistxattr(from_fd, names, NAMES_MAX) : -1;
        }
        if (size < 0)
                r = errno == EOPNOTSUPP ? 0 : -errno;
        for (ssize_t at = 0; r == 0 && at < size; at += (ssize_t) strlen(names + at) + 1)
                r = copy_one(from_fd, to_fd, names + at, first_id);
        if (names != some)
                free(names);
        return r;
}
