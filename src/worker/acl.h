/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* POSIX access control lists of archive members ("SCHILY.acl.*" of pax headers, as GNU tar --acls, star and bsdtar write them) as the bytes of the extended
 * attributes that Linux keeps them in (linux/posix_acl_xattr.h). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct archive_entry;

#define ACL_ACCESS "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default" /* of a directory: what is made in it begins with that */

enum { ACL_ENTRIES_MAX = 1024, ACL_SIZE_MAX = 4 + 8 * ACL_ENTRIES_MAX };

/* How many bytes; 0: it has none beside its mode, or one that names somebody by name only: an archive's names are not those of its files. -E2BIG. Whether the
 * entries make sense together is for the kernel to say. */
ssize_t acl_of_member(struct archive_entry *e, bool by_default, uint8_t ret[ACL_SIZE_MAX]);
