/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/timestamp.h"
#include "engine/internal.h"
#include "runtime/cgroup/cgroup.h"

/* All CPU time of the host in nanoseconds, as the percentage in `docker stats` is worked out from. */
static uint64_t system_cpu_ns(void) {
        unsigned long long user, nice, system, idle, iowait, irq, softirq, steal;
        FILE *f = fopen("/proc/stat", "re");
        int n = 0;

        if (f) {
                n = fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal);
                fclose(f);
        }
        if (n != 8)
                return 0;
        return (user + nice + system + idle + iowait + irq + softirq + steal) * (1000000000ull / (uint64_t) sysconf(_SC_CLK_TCK));
}

static json_int_t link_counter(const char *link, const char *counter) {
        auto_free char *path = str_format("/sys/class/net/%s/statistics/%s", link, counter);
        long long value = 0;
        FILE *f = path ? fopen(path, "re") : NULL;

        if (f) {
                if (fscanf(f, "%lld", &value) != 1)
                        value = 0;
                fclose(f);
        }
        return value;
}

/* Counted at the host's end of the pair: what the container receives is sent there. */
static json_t *link_stats(const char *l) {
        return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "rx_bytes", link_counter(l, "tx_bytes"), "rx_packets", link_counter(l, "tx_packets"), "rx_errors",
                         link_counter(l, "tx_errors"), "rx_dropped", link_counter(l, "tx_dropped"), "tx_bytes", link_counter(l, "rx_bytes"), "tx_packets",
                         link_counter(l, "rx_packets"), "tx_errors", link_counter(l, "rx_errors"), "tx_dropped", link_counter(l, "rx_dropped"));
}

static json_t *networks(const struct container_row *row) {
        json_t *all = json_object();

        for (size_t i = 0; i < row->n_endpoints; i++)
                if (!strchr(row->endpoints[i].host_link, '/'))
                        json_object_set_new(all, row->endpoints[i].link, link_stats(row->endpoints[i].host_link));
        return all;
}

static json_t *cpu_stats(const struct cgroup_stats *s) {
        return json_pack("{s:{s:I, s:I, s:I}, s:I, s:i, s:{s:I, s:I, s:I}}", "cpu_usage", "total_usage", (json_int_t) s->cpu_usage_ns, "usage_in_kernelmode",
                         (json_int_t) s->cpu_system_ns, "usage_in_usermode", (json_int_t) s->cpu_user_ns, "system_cpu_usage", (json_int_t) system_cpu_ns(), "online_cpus",
                         (int) sysconf(_SC_NPROCESSORS_ONLN), "throttling_data", "periods", (json_int_t) s->periods, "throttled_periods", (json_int_t) s->throttled_periods,
                         "throttled_time", (json_int_t) s->throttled_ns);
}

/* No limit is shown as all there is. */
static json_int_t memory_limit(const struct cgroup_stats *s) {
        uint64_t all = (uint64_t) sysconf(_SC_PHYS_PAGES) * (uint64_t) sysconf(_SC_PAGESIZE);

        return (json_int_t) (s->memory_limit == 0 || s->memory_limit > all ? all : s->memory_limit);
}

int engine_stats(struct engine *e, const char *name, json_t **ret, struct err *err) {
        auto_container *c = NULL;
        auto_free char *cgroup = NULL;
        struct cgroup_stats s = {};
        struct container_row row;
        char now[TIME_RFC3339_SIZE];
        int r = table_find(&e->table, name, &c, err);

        if (r < 0)
                return r;
        container_peek(c, &row);
        time_format_now(now);
        if (row.state == CONTAINER_RUNNING || row.state == CONTAINER_PAUSED) {
                cgroup = engine_cgroup_path(e, &row);
                r = cgroup ? cgroup_read_stats(e->cgroups, cgroup, &s, err) : err_errno(err, -ENOMEM, "stats");
                if (r < 0)
                        return r;
        }
        *ret = json_pack("{s:s, s:s, s:o, s:s, s:{s:I, s:I}, s:{s:[{s:i,s:i,s:s,s:I}, {s:i,s:i,s:s,s:I}]}, s:i, s:{}, s:o, s:{}, s:{s:I, s:I, s:I, s:{s:I, s:I}}, s:o}", "id", row.id,
                         "read", now, "name", json_sprintf("/%s", row.name), "preread", "0001-01-01T00:00:00Z", "pids_stats", "current", (json_int_t) s.pids, "limit",
                         (json_int_t) s.pids_limit, "blkio_stats", "io_service_bytes_recursive", "major", 0, "minor", 0, "op", "read", "value", (json_int_t) s.io_read_bytes,
                         "major", 0, "minor", 0, "op", "write", "value", (json_int_t) s.io_write_bytes, "num_procs", 0, "storage_stats", "cpu_stats", cpu_stats(&s),
                         "precpu_stats", "memory_stats", "usage", (json_int_t) s.memory_usage, "max_usage", (json_int_t) s.memory_max_usage, "limit", memory_limit(&s),
                         "stats", "inactive_file", (json_int_t) s.memory_inactive_file, "total_inactive_file", (json_int_t) s.memory_inactive_file, "networks",
                         networks(&row));
        return *ret ? 0 : err_errno(err, -ENOMEM, "stats of container %s", row.name);
}
