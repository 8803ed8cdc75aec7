/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct container;
struct engine;
struct err;

/* What a container changed, as a pack worker tells it (worker/job.h: ops "layer" and "changes"), into out_fd; cancel_fd may be negative. */
int changes_pack(struct engine *e, struct container *c, const char *op, int out_fd, int cancel_fd, struct err *err);
