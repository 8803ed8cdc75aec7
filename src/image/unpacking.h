/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One layer's worker from the daemon's side: a stream of bytes to a tree in a scratch directory of the sink, and perhaps to a file besides. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "image/digest.h"
#include "worker/client.h"

struct err;
struct image_store;

struct unpacking {
        const struct digest *blob, *diff_id; /* what the bytes have to be; NULL: to be found out */
        const char *name;                    /* for messages, without `blob` */
        uint64_t size;                       /* of the blob; 0: to be found out */
        int input_fd, dir_fd;
        int blob_fd; /* where the bytes go, too; negative: nowhere */
        bool keep_blob; /* also when they are no layer: the event "blob" says that they are all there */
};

/* *ret is the caller's to end, in any case but that it is not started. */
int unpacking_start(struct image_store *s, const struct unpacking *u, struct worker *ret, struct err *err);

/* One event, after poll(2) said that there is one: *ret (the caller's) is "done", "progress" or "blob"; NULL when it was done here. What the tree needs of root's hand
 * is set in dir_fd; device nodes are left out, and counted. An "error" is given back as *err. */
int unpacking_receive(struct worker *w, int dir_fd, unsigned *devices, json_t **ret, struct err *err);
