/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Events of Docker's progress stream, in the shapes that its clients draw. */

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "image/image.h"

struct progress {
        image_progress_fn fn; /* may be NULL */
        void *data;
};

/* All return 0, or -ECANCELED when the receiver does not want to hear more. `id` NULL: the event is not about one thing. */
int progress_status(const struct progress *p, const char *id, const char *format, ...) __attribute__((format(printf, 3, 4)));
int progress_layer(const struct progress *p, const char *id, const char *status);
int progress_bytes(const struct progress *p, const char *id, const char *status, uint64_t current, uint64_t total);
/* What a program wants to know of the result; `aux` is taken. */
int progress_aux(const struct progress *p, json_t *aux);
int progress_stream(const struct progress *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "[=====>      ]  1.5MB/3MB": Docker's bar. */
void progress_bar(uint64_t current, uint64_t total, char *ret, size_t size);
