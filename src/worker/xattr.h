/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct archive_entry;
struct err;
struct tree;

/* Extended attributes and access control lists of an archive member onto an open file or directory of the tree: user.*, security.capability, and both kinds of
 * lists; a directory's default one is for tree_finish(), or what comes after it would begin with that. Those by which overlayfs itself keeps its
 * books are refused, since they would reach into other layers; those of a host's security modules and unknown ones are left out. */
int xattr_apply(struct tree *t, const char *path, int fd, struct archive_entry *entry, struct err *err);
