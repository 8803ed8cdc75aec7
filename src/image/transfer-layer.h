/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One layer of a transfer (private to transfer.c): how it begins, what its unpack worker says, and how it gets its names. */

#include <stdbool.h>
#include <stdint.h>

#include "image/transfer.h"

struct err;

int64_t transfer_now_ms(void);
int transfer_canceled(struct err *err);

/* Waiting → ready (it is there), running (ours to make), or still waiting (somebody else makes it). */
int layer_try(struct transfer *t, struct transfer_layer *l, struct err *err);
/* One event of its worker, after poll(2) said that there is one. After the last one the layer is ready. */
int layer_on_event(struct transfer *t, struct transfer_layer *l, struct err *err);
/* What runs is killed, and what is half-made goes. */
void layer_release(struct transfer *t, struct transfer_layer *l);

/* How far it is; not too often, unless it is to be said now. */
int layer_tell(struct transfer *t, struct transfer_layer *l, bool now, struct err *err);
/* All of the blob has come: the fetcher says so, or the unpack, which may be faster. */
int layer_tell_fetched(struct transfer *t, struct transfer_layer *l, struct err *err);
