/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The layers of one image, from a registry or from the blobs of an archive, into the store and the engine's layers: some
 * at once (downloads as many as the daemon is told), each one stream from its source through an unpack worker.
 *
 * A layer that is there, made from this very blob, is not moved again; one that somebody else is making is waited for. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "image/blobs.h"
#include "image/fetcher.h"
#include "image/manifest.h"
#include "image/progress.h"
#include "image/store.h"
#include "worker/client.h"

enum layer_state { LAYER_WAITING, LAYER_RUNNING, LAYER_READY };

struct transfer_layer {
        struct descriptor blob;
        struct digest diff_id;
        char short_id[13];
        enum layer_state state;
        bool owned, said_waiting;
        uint64_t size; /* unpacked */

        /* While it runs: */
        struct worker worker;
        bool begun; /* the sink holds a scratch directory for `token` */
        char token[64];
        int dir_fd;
        int blob_fd; /* -1 when the blob is a file already */
        char temp[BLOB_TEMP_SIZE];
        bool adopt;  /* the blob is in the source directory, and moves into the store */
        int pipe_fd; /* our end of what the fetcher writes: held so that it never sees a broken pipe because an unpack failed */
        bool fetching;
        uint64_t fetch_id, fetched, unpacked;
        int64_t told_ms; /* when the last progress went out */
        unsigned devices;
        struct err why;    /* what the unpack worker said; the fetcher may know better, until */
        int64_t why_until_ms;
};

struct load_layers;

struct transfer {
        struct image_store *store;
        const struct progress *progress;
        struct fetcher *fetcher; /* NULL: nothing is fetched */
        int source_fd;           /* blobs by their hex digits, such as an archive's; -1: none */
        const struct load_layers *unpacked; /* those of them that are unpacked already; NULL: none */
        struct transfer_layer *layers;
        size_t n_layers;
        size_t at_once;
        bool discard; /* layers are unpacked, and blobs not kept; those that nothing else needs go */
};

/* Pins what the image needs. After that transfer_done() is due, whatever happens. */
int transfer_init(struct transfer *t, struct image_store *s, const struct manifest *m, const struct image_config *c, const struct progress *progress,
                  struct err *err);
/* All layers, or none that was not there before. The message names the layer. */
int transfer_run(struct transfer *t, struct err *err);
/* After that has failed: what is there stays, and the rest is to be had from `f` when it is run again. */
void transfer_continue(struct transfer *t, struct fetcher *f);
/* Kill what runs and give back what is half-made; with `keep` false also the layers that were finished, unless an image needs them. */
void transfer_done(struct transfer *t, bool keep);
