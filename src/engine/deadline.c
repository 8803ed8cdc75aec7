/* SPDX-License-Identifier: Apache-2.0 */
/* --timeout: a container may run so long and no longer. The moment follows from its start, so that a daemon that was started anew finds it too. */

#include <stdlib.h>

#include "base/log.h"
#include "base/timestamp.h"
#include "engine/internal.h"
#include "engine/monitors.h"
#include "engine/work.h"

struct deadline {
        struct container *container;
        int64_t started_ns; /* of the run that is meant: it may have ended, and another begun */
};

static void drop(void *data) {
        struct deadline *d = data;

        container_unref(d->container);
        free(d);
}

static void strike(void *data) {
        struct deadline *d = data;
        auto_link *link = container_get_link(d->container);
        struct container_row row;
        struct err err;

        container_peek(d->container, &row);
        if (link && container_state_is_live(row.state) && row.started_ns == d->started_ns && engine_kill(d->container->engine, row.id, "KILL", &err) < 0)
                log_warning("container %.12s: its time is over: %s", row.id, err.msg);
        drop(d);
}

void deadline_begin(struct engine *e, struct container *c, int64_t seconds) {
        struct deadline *d = seconds > 0 ? malloc(sizeof(*d)) : NULL;
        int64_t left_ms;

        if (seconds <= 0)
                return;
        left_ms = seconds * 1000 - (time_now_ns() - c->row.started_ns) / 1000000;
        if (d)
                *d = (struct deadline) { container_ref(c), c->row.started_ns };
        if (!d || work_add(e->work, left_ms > 0 ? left_ms : 0, strike, drop, d) < 0) {
                log_error("container %.12s: no memory for its timeout", c->row.id);
                if (d)
                        drop(d);
        }
}
