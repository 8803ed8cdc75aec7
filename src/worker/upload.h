/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The sending half of a fetch: blobs and manifests to the registry (distribution-spec 1.1, "Pushing"), and the question whether it knows us.
 *
 * A blob that the registry has is not sent; one that it has in another repository is mounted; the others go in one request, and, once that has been cut
 * or was too large for somebody on the way, in parts from where the registry says it is. An upload that it has forgotten begins anew. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct fetch;
struct transfer;

enum upload_step {
        UPLOAD_CHECK, /* HEAD: is the blob there? */
        UPLOAD_BEGIN, /* POST, with a mount if there is one to try */
        UPLOAD_WHOLE, /* PUT of all bytes */
        UPLOAD_ASK,   /* GET: how far did it come? */
        UPLOAD_PART,  /* PATCH of the next bytes */
        UPLOAD_CLOSE, /* PUT of none */
        _UPLOAD_STEP_MAX,
};

/* Orders: the transfer's kind and what it needs. ERR_INVALID. */
int upload_take_blob(struct transfer *t, const json_t *job, struct err *err);
int upload_take_manifest(struct transfer *t, const json_t *job, struct err *err);
int upload_take_mount(struct transfer *t, const json_t *job, struct err *err);
int upload_take_delete(struct transfer *t, const json_t *job, struct err *err);
int upload_take_ping(struct transfer *t, const json_t *job, struct err *err);

/* The URL of the step at hand; NULL when memory is out. */
char *upload_url(const struct transfer *t);
/* Method and body of the attempt. -ENOMEM. */
int upload_prepare(struct transfer *t);

void upload_on_answer(struct fetch *f, struct transfer *t, long status);
/* The bytes were cut: what is to be tried next. */
void upload_look_again(struct transfer *t);

/* "0-1023" of a Range header → 1024; "0-0" → 0. False: it is none. */
bool upload_parse_range(const char *text, uint64_t *ret_size);
