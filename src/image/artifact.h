/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* An OCI artifact (image-spec 1.1, "Guidelines for Artifact Usage") on its way from a registry or an archive into the store: its blobs are compared with their digests and kept;
 * nothing in them is looked at, nor unpacked. */

#include "image/import.h"
#include "image/progress.h"
#include "image/sources.h"

struct err;

/* What `i` says is had from `from`, which was asked for the manifest, and from the sources after it. `name` as in import_commit(). *ret_new: did the name stand for something else before? */
int artifact_pull(struct image_store *s, const struct import *i, struct sources *from, const struct progress *progress, const char *name, bool *ret_new, struct err *err);
/* The same of the blobs in a directory, by their digits, into which nobody writes any more: they move from there. name: "" is none. */
int artifact_load(struct image_store *s, const struct import *i, int source_fd, const struct progress *progress, const char *name, struct err *err);

/* The daemon's own setting is about images; who asks for it himself is told: ERR_INVALID. `what`: its name. */
int artifact_check_discard(enum image_discard asked, const char *what, struct err *err);
