/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What refers to a manifest as its "subject": signatures, lists of what is in an image, attestations (OCI distribution-spec 1.1, "Listing Referrers"). A registry that has no API for
 * that is told of it by an index under the tag sha256-<hex> of the subject, which whoever pushes or deletes a referrer keeps up to date. */

#include <jansson.h>

#include "image/fetcher.h"
#include "image/manifest.h"

struct err;

/* Of a manifest or index: false when it has no subject, or one of a wrong form. */
bool referrers_subject_of(const json_t *object, struct digest *ret);

/* After `object` (a manifest or index that is `d`) was pushed to a registry that does not list it itself. */
int referrers_note(struct fetcher *f, const struct descriptor *d, enum media_type type, const json_t *object, struct err *err);
/* After a manifest with that subject was deleted; nothing happens where the registry has an API. */
int referrers_forget(struct fetcher *f, const char *repository, const struct digest *subject, const struct digest *deleted, struct err *err);
