/* SPDX-License-Identifier: Apache-2.0 */
/* POST /containers/prune. */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/timestamp.h"
#include "engine/events.h"
#include "engine/filters.h"
#include "engine/internal.h"
#include "engine/prune.h"
#include "engine/size.h"

/* "10m", "1h30m", "24h": a length of time back from now; seconds since 1970; or a date. */
int prune_parse_until(const char *text, int64_t now_ns, int64_t *ret) {
        static const struct {
                const char *name;
                double ns;
        } units[] = { { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "m", 60e9 }, { "h", 3600e9 } };
        const char *at = text;
        double sum = 0;

        if (time_parse(text, ret) == 0)
                return 0;
        if (!isdigit((unsigned char) *text))
                return -EINVAL;
        while (*at) {
                char *end;
                double n = strtod(at, &end);
                size_t i = 0;

                if (end == at || !isdigit((unsigned char) *at))
                        return -EINVAL;
                if (!*end && at == text) { /* a point in time */
                        *ret = (int64_t) (n * 1e9);
                        return n < 9e9 ? 0 : -ERANGE;
                }
                /* "ms" before "m". */
                while (i < ARRAY_SIZE(units) &&
                       (strncmp(end, units[i].name, strlen(units[i].name)) != 0 || (isalpha((unsigned char) end[strlen(units[i].name)]))))
                        i++;
                if (i == ARRAY_SIZE(units))
                        return -EINVAL;
                sum += n * units[i].ns;
                at = end + strlen(units[i].name);
        }
        if (sum > 9e18)
                return -ERANGE;
        *ret = now_ns - (int64_t) sum;
        return 0;
}

int prune_read_until(const json_t *filters, int64_t *ret, struct err *err) {
        const char *until = filter_value(filters, "until", 0);

        *ret = INT64_MAX;
        if (!until)
                return 0;
        if (filter_value(filters, "until", 1))
                return err_set(err, ERR_INVALID, -EINVAL, "more than one until filter specified");
        if (prune_parse_until(until, time_now_ns(), ret) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "invalid until filter: \"%s\"", until);
        return 0;
}

void prune_event(struct engine *e, const char *type, int64_t reclaimed) {
        events_publish(e->events, type, "prune", "", json_pack("{s:o}", "reclaimed", json_sprintf("%lld", (long long) reclaimed)));
}

static bool is_prunable(const struct container_row *row, const json_t *filters, int64_t until_ns) {
        auto_json *labels = row->labels ? json_loads(row->labels, 0, NULL) : NULL;

        if (row->state != CONTAINER_CREATED && row->state != CONTAINER_EXITED && row->state != CONTAINER_DEAD)
                return false;
        return row->created_ns < until_ns && filter_labels(filters, "label", labels);
}

static void prune_one(struct engine *e, struct container *c, const json_t *filters, int64_t until_ns, json_t *deleted, json_int_t *reclaimed) {
        auto_json *sizes = json_object();
        auto_op *op = container_op_lock(c);
        struct err err;

        if (c->gone || !is_prunable(&c->row, filters, until_ns))
                return;
        size_add(e, &c->row, sizes);
        if (remove_container_locked(e, c, false, &err) < 0) {
                log_warning("container %.12s: %s", c->row.id, err.msg);
                return;
        }
        json_array_append_new(deleted, json_string(c->row.id));
        *reclaimed += json_get_int(sizes, "SizeRw", 0);
}

int engine_prune(struct engine *e, const json_t *filters, json_t **ret, struct err *err) {
        static const char *const known[] = { "until", "label", "label!", NULL };
        struct container **containers;
        json_t *deleted = NULL;
        json_int_t reclaimed = 0;
        int64_t until_ns;
        size_t n;
        int r = filters_check(filters, known, err);

        if (r < 0 || (r = prune_read_until(filters, &until_ns, err)) < 0)
                return r;
        r = table_snapshot(&e->table, &containers, &n);
        if (r < 0)
                return err_errno(err, r, "pruning containers");
        deleted = json_array();
        for (size_t i = 0; i < n; i++) {
                prune_one(e, containers[i], filters, until_ns, deleted, &reclaimed);
                container_unref(containers[i]);
        }
        free(containers);
        prune_event(e, "container", reclaimed);
        *ret = json_pack("{s:o, s:I}", "ContainersDeleted", deleted, "SpaceReclaimed", reclaimed);
        return 0;
}
