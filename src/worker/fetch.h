/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Private to fetch.c (the loop) and outcome.c (what an answer means). */

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "worker/registry.h"
#include "worker/transfer.h"

enum { FETCH_TRANSFERS_MAX = 64 };

struct fetch {
        int control_fd;
        CURLM *multi;
        struct registry registry;
        struct transfer *transfers[FETCH_TRANSFERS_MAX];
        bool token_wanted; /* a transfer to the realm is under way */
};

int64_t fetch_now_ns(void);

/* A new transfer in the table; NULL when it is full or memory is out. */
struct transfer *fetch_add(struct fetch *f);

/* The URL of the first attempt, and of each one after a failure. -ENOMEM. */
int fetch_aim(struct fetch *f, struct transfer *t);

/* Over, without a word; over, and the daemon is told why. */
void fetch_finish(struct transfer *t);
void fetch_fail(struct fetch *f, struct transfer *t, const struct err *err);

void fetch_fail_status(struct fetch *f, struct transfer *t, long status);
/* One more attempt at the URL it has. */
void fetch_start_later(struct transfer *t, int64_t pause_ns);
/* Where `location` leads, seen from `base`; the caller frees. NULL: nowhere. */
char *fetch_resolve(const char *base, const char *location);

/* Where a list that was had from `url` goes on, as one Link header says: 1: *ret, a place of the registry, is the caller's; 0: it does not say; -EINVAL: it is no such header;
 * -EACCES: not at the registry, or nowhere. */
int fetch_next_place(const struct registry *r, const char *url, const char *header, char **ret);

/* The attempt has ended: with an HTTP answer, or without one. Decides the transfer's next state. */
void fetch_on_answer(struct fetch *f, struct transfer *t);
void fetch_on_broken(struct fetch *f, struct transfer *t, CURLcode code);
