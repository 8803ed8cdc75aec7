/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* An OCI artifact (image-spec 1.1, "Guidelines for Artifact Usage") on its way from a registry into the store: its blobs are fetched, compared with their digests and kept;
 * nothing in them is looked at, nor unpacked. */

#include "image/import.h"
#include "image/progress.h"
#include "image/sources.h"

struct err;

/* What `i` says is had from `from`, which was asked for the manifest, and from the sources after it. `name` as in import_commit(). *ret_new: did the name stand for something else before? */
int artifact_pull(struct image_store *s, const struct import *i, struct sources *from, const struct progress *progress, const char *name, bool *ret_new, struct err *err);
