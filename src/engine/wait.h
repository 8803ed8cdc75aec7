/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct engine_waiter;

/* Readable once it has happened. */
int engine_waiter_fd(struct engine_waiter *w);
/* Give up: frees the handle. */
void engine_waiter_drop(struct engine_waiter *w);
