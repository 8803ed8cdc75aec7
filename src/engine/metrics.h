/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Counters and durations since this daemon began, for Prometheus: the stock daemon's names (engine_daemon_*) where the thing is the same. Any thread adds
 * to them, without a lock. What succeeded is counted, as there; of images that are pulled and pushed, also as there, what was tried. */

#include <stdbool.h>
#include <stdint.h>

enum metrics_action {
        METRICS_CONTAINER_CHANGES,
        METRICS_CONTAINER_COMMIT,
        METRICS_CONTAINER_CREATE,
        METRICS_CONTAINER_DELETE,
        METRICS_CONTAINER_START, /* by a person, or by the restart policy */
        METRICS_IMAGE_DELETE,
        METRICS_IMAGE_HISTORY,
        METRICS_IMAGE_PULL,
        METRICS_IMAGE_PUSH,
        METRICS_NETWORK_ALLOCATE, /* all networks of a container that starts */
        METRICS_NETWORK_CONNECT,  /* one more, of a container that is there */
        METRICS_NETWORK_RELEASE,
        METRICS_ACTIONS,
};

struct metrics;
struct metrics *metrics_new(void); /* NULL: no memory */
void metrics_free(struct metrics *m);

/* When an action begins … */
int64_t metrics_begin(void);
/* … and when it is done. */
void metrics_end(struct metrics *m, enum metrics_action action, int64_t begun);
void metrics_health_check(struct metrics *m, bool failed);
