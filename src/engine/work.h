/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A few threads for what follows from something that happened (a container ended, a restart is due), so that the thread that hears of it does
 * not wait. Threads come when there is work and end when there was none for a while. */

#include <stdint.h>

struct err;
struct work;

int work_new(struct work **ret, struct err *err);
/* What is due is done; what is not due yet is dropped with drop(data). Returns when all threads are gone. */
void work_free(struct work *w);
/* Run fn(data) after delay_ms on one of the threads. −ENOMEM: it will not run, data is still the caller's. */
int work_add(struct work *w, int64_t delay_ms, void (*fn)(void *data), void (*drop)(void *data), void *data);
