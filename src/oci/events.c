/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "base/json.h"
#include "oci/container.h"
#include "oci/oci.h"
#include "runtime/cgroup/cgroup.h"

enum { DEFAULT_INTERVAL_MS = 5000 };

/* "5s", "100ms", "1.5m": a number and a unit, as Go writes durations. */
static int parse_interval(const char *s, int *ret_ms, struct err *err) {
        static const struct {
                const char *unit;
                double ms;
        } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
        char *end;
        double v = isdigit((unsigned char) *s) ? strtod(s, &end) : -1;

        for (size_t i = 0; v > 0 && i < ARRAY_SIZE(units); i++)
                if (strcmp(end, units[i].unit) == 0 && v * units[i].ms >= 1 && v * units[i].ms < INT32_MAX) {
                        *ret_ms = (int) (v * units[i].ms);
                        return 0;
                }
        return err_set(err, ERR_INVALID, -EINVAL, "--interval %s: not a duration such as 5s or 100ms", s);
}

/* One line each. Steals `data`. */
static int print_event(const char *type, const char *id, json_t *data, struct err *err) {
        auto_json *event = json_pack("{s:s, s:s, s:o*}", "type", type, "id", id, "data", data);
        auto_free char *text = event ? json_text(event) : NULL;
        auto_free char *line = text ? str_format("%s\n", text) : NULL;

        return line ? report_text(line, err) : err_errno(err, -ENOMEM, "events");
}

static int print_stats(struct container *c, struct err *err) {
        const struct cgroup_host *h = NULL;
        json_t *data;
        int r = container_cgroups(c, &h, err);

        if (r == 0)
                r = cgroup_describe(h, container_cgroup_path(c), &data, err);
        return r < 0 ? r : print_event("stats", c->id, data, err);
}

static int64_t now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int print_ooms(struct container *c, struct cgroup_oom_watch *w, struct err *err) {
        uint64_t n = 0;
        int r = cgroup_oom_watch_read(w, &n);

        if (r < 0) {
                /* The cgroup is gone: its container will be, too. */
                cgroup_oom_watch_close(w);
                return 0;
        }
        for (r = 0; r == 0 && n > 0; n--)
                r = print_event("oom", c->id, NULL, err);
        return r;
}

/* Until the container has ended. What the kernel said just before that is still told. */
static int follow(struct container *c, int pidfd, struct cgroup_oom_watch *w, int interval, struct err *err) {
        int64_t next = now_ms() + interval;
        int r = 0;

        while (r == 0) {
                struct pollfd p[] = { { .fd = pidfd, .events = POLLIN }, { .fd = w->fd, .events = POLLIN } };
                int64_t left = next - now_ms();

                if (poll(p, 2, left > 0 ? (int) left : 0) < 0) {
                        if (errno == EINTR)
                                continue;
                        return err_errno(err, -errno, "events");
                }
                if (p[1].revents)
                        r = print_ooms(c, w, err);
                if (p[0].revents)
                        return r;
                if (r == 0 && now_ms() >= next) {
                        r = print_stats(c, err);
                        next += interval;
                }
        }
        return r;
}

int command_events(const struct options *o, char **args, int n_args, struct err *err) {
        struct cgroup_oom_watch w = CGROUP_OOM_WATCH_NONE;
        auto_container c = CONTAINER_NONE;
        const struct cgroup_host *h = NULL;
        auto_fd pidfd = -EBADF;
        int interval = DEFAULT_INTERVAL_MS, r = o->interval ? parse_interval(o->interval, &interval, err) : 0;

        if (r == 0)
                r = container_open(o, args[0], false, &c, err);
        if (r < 0)
                return r;
        pidfd = container_pidfd(&c);
        r = container_need_cgroup(&c, "count what is used by", err);
        if (r < 0)
                return r;
        if (pidfd < 0)
                return err_set(err, ERR_CONFLICT, pidfd, "container not running: %s", c.id);
        if (o->stats)
                return print_stats(&c, err);
        r = container_cgroups(&c, &h, err);
        if (r == 0)
                r = cgroup_oom_watch_open(h, container_cgroup_path(&c), &w, err);
        /* A host without the memory controller has nothing to tell; the figures it still has. */
        if (r == -EOPNOTSUPP)
                r = 0;
        if (r == 0)
                r = follow(&c, pidfd, &w, interval, err);
        cgroup_oom_watch_close(&w);
        return r;
}
