/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct archive_entry;
struct err;

/* Extended attributes of an archive member onto an open file or directory: user.* and security.capability. Those by which overlayfs itself keeps its
 * books are refused, since they would reach into other layers; those of a host's security modules, ACLs and unknown ones are left out. */
int xattr_apply(int fd, struct archive_entry *entry, struct err *err);
