/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Layers that are unpacked while their archive comes. Only at its end does an archive say which images it has: until then a layer is a scratch directory of
 * the sink, and its blob a file without a name. Both were summed, and nobody can write to them any more. What no image wants goes away. What only looks like a layer may be an
 * artifact's: its blob is kept although it cannot be unpacked. */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "image/blobs.h"
#include "image/digest.h"
#include "worker/client.h"

struct image_store;

struct unpacked_layer {
        struct digest blob, diff_id;
        uint64_t size; /* unpacked */
        uint64_t blob_size;
        bool begun;    /* the sink holds a scratch directory for `token`: whoever takes it makes this false */
        char token[64];
        int dir_fd;
        struct err why; /* there is none: it could not be unpacked; its blob may be there all the same */
};

struct load_layer {
        struct unpacked_layer unpacked;
        struct worker worker; /* while it comes */
        char temp[BLOB_TEMP_SIZE];
        int blob_fd;
        bool has_blob; /* the worker says that it is whole, whatever became of the tree */
        char *name; /* in an older archive of Docker; NULL: `unpacked.blob` was known from the beginning */
        unsigned devices;
};

struct load_layers {
        struct image_store *store;
        bool discard; /* no image keeps its layers' blobs */
        bool keep;    /* … but they are files until it is known what they are: an artifact's are kept */
        struct load_layer **list;
        size_t n;
        struct digest *known; /* blobs that the store had already: pinned */
        size_t n_known;
        json_t *members; /* of an older archive: name → digest; borrowed */
        json_t *waiting; /* an offer that has no answer yet: as many come as may come at once */
};

enum { LOAD_LAYERS_AT_ONCE = 3 };

void load_layers_init(struct load_layers *l, struct image_store *s, json_t *members, bool discard, bool keep);
/* Whatever was not taken goes. */
void load_layers_done(struct load_layers *l);

/* The load worker offers a layer (worker/job.h): it gets its answer now, or when another is through. */
int load_layers_offer(struct load_layers *l, const json_t *event, struct worker *loader, struct err *err);

size_t load_layers_running(const struct load_layers *l);
/* Those that poll(2) may look at: at most LOAD_LAYERS_AT_ONCE. Returns how many. */
size_t load_layers_poll(const struct load_layers *l, struct pollfd *ret);
/* After that, with the same array; what has begun since is looked at the next time. A layer that cannot be unpacked is an error only when an image turns out to need it; but an older archive of Docker has
 * nothing in it that is not needed. */
int load_layers_handle(struct load_layers *l, const struct pollfd *fds, size_t n, struct worker *loader, struct err *err);

/* The archive is through, and its worker is gone: the blobs get their names in `blobs_fd`, as if they had come as files. Negative: *err. */
int load_layers_settle(struct load_layers *l, int blobs_fd, struct err *err);
/* With that digest of its blob; NULL. */
struct unpacked_layer *load_layers_find(const struct load_layers *l, const struct digest *blob);
