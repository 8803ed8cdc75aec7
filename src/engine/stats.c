/* SPDX-License-Identifier: Apache-2.0 */
/* One sample of what a container uses, in the shape of GET /containers/NAME/stats. */

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

/* The same in the container's network namespace, of a link that has no end here. */
static json_t *inside_stats(const char *link, int pid) {
        auto_free char *path = str_format("/proc/%d/net/dev", pid);
        FILE *f = path && pid > 0 ? fopen(path, "re") : NULL;
        unsigned long long v[8] = { 0 };
        char line[512], name[17];

        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, " %16[^:]:%llu %llu %llu %llu %*u %*u %*u %*u %llu %llu %llu %llu", name, &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]) == 9 && !strcmp(name, link))
                        break;
                else
                        memset(v, 0, sizeof(v));
        if (f)
                fclose(f);
        return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "rx_bytes", (json_int_t) v[0], "rx_packets", (json_int_t) v[1], "rx_errors", (json_int_t) v[2], "rx_dropped",
                         (json_int_t) v[3], "tx_bytes", (json_int_t) v[4], "tx_packets", (json_int_t) v[5], "tx_errors", (json_int_t) v[6], "tx_dropped", (json_int_t) v[7]);
}

static json_t *networks(const struct container_row *row) {
        json_t *all = json_object();

        for (size_t i = 0; i < row->n_endpoints; i++)
                if (!*row->endpoints[i].host_link)
                        json_object_set_new(all, row->endpoints[i].link, inside_stats(row->endpoints[i].link, row->pid));
                else if (!strchr(row->endpoints[i].host_link, '/'))
                        json_object_set_new(all, row->endpoints[i].link, link_stats(row->endpoints[i].host_link));
        return all;
}

/* "usage.total" of the cgroup's figures; 0 when the kernel does not keep it. */
static json_int_t figure(const json_t *figures, const char *name) {
        const char *dot;

        while ((dot = strchr(name, '.'))) {
                figures = json_object_getn(figures, name, (size_t) (dot - name));
                name = dot + 1;
        }
        return json_get_int(figures, name, 0);
}

static void add_copy(json_t *into, const char *name, const json_t *value) {
        if (value)
                json_object_set(into, name, (json_t *) value);
}

static json_t *cpu_stats(const json_t *cpu) {
        json_t *o = json_pack("{s:{s:I, s:I, s:I}, s:{s:I, s:I, s:I}}", "cpu_usage", "total_usage", figure(cpu, "usage.total"), "usage_in_kernelmode",
                              figure(cpu, "usage.kernel"), "usage_in_usermode", figure(cpu, "usage.user"), "throttling_data", "periods", figure(cpu, "throttling.periods"),
                              "throttled_periods", figure(cpu, "throttling.throttledPeriods"), "throttled_time", figure(cpu, "throttling.throttledTime"));

        if (!cpu)
                return o;
        json_object_set_new(o, "system_cpu_usage", json_integer((json_int_t) system_cpu_ns()));
        json_object_set_new(o, "online_cpus", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
        add_copy(json_object_get(o, "cpu_usage"), "percpu_usage", json_object_get(json_object_get(cpu, "usage"), "percpu"));
        add_copy(o, "psi", json_object_get(cpu, "psi"));
        return o;
}

/* No limit is shown as all there is. */
static json_int_t memory_limit(json_int_t limit) {
        json_int_t all = (json_int_t) ((uint64_t) sysconf(_SC_PHYS_PAGES) * (uint64_t) sysconf(_SC_PAGESIZE));

        return limit <= 0 || limit > all ? all : limit;
}

static json_t *memory_stats(const json_t *memory) {
        json_t *o = json_object();

        if (!memory)
                return o;
        json_object_set_new(o, "usage", json_integer(figure(memory, "usage.usage")));
        json_object_set_new(o, "max_usage", json_integer(figure(memory, "usage.max")));
        json_object_set_new(o, "failcnt", json_integer(figure(memory, "usage.failcnt")));
        json_object_set_new(o, "limit", json_integer(memory_limit(figure(memory, "usage.limit"))));
        add_copy(o, "stats", json_object_get(memory, "raw"));
        add_copy(o, "psi", json_object_get(memory, "psi"));
        return o;
}

/* Clients sum over the list by "op", whatever its case; the older lists are of a scheduler that is gone. */
static json_t *blkio_stats(const json_t *blkio) {
        static const char *const gone[] = { "io_queue_recursive", "io_service_time_recursive", "io_wait_time_recursive", "io_merged_recursive", "io_time_recursive",
                                            "sectors_recursive" };
        static const char *const kept[][2] = { { "io_service_bytes_recursive", "ioServiceBytesRecursive" }, { "io_serviced_recursive", "ioServicedRecursive" } };
        json_t *o = json_object();

        for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
                json_t *list = json_get_array(blkio, kept[i][1]);

                json_object_set_new(o, kept[i][0], json_array_size(list) ? json_deep_copy(list) : json_null());
        }
        for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
                json_object_set_new(o, gone[i], json_null());
        add_copy(o, "psi", json_object_get(blkio, "psi"));
        return o;
}

static json_t *pids_stats(const json_t *pids) {
        json_t *o = json_object();
        json_int_t limit = figure(pids, "limit");

        if (!pids)
                return o;
        json_object_set_new(o, "current", json_integer(figure(pids, "current")));
        if (limit > 0 && limit < INT64_MAX)
                json_object_set_new(o, "limit", json_integer(limit));
        return o;
}

int engine_stats(struct engine *e, const char *name, json_t **ret, struct err *err) {
        auto_container *c = NULL;
        auto_free char *cgroup = NULL;
        auto_json *figures = NULL;
        struct container_row row;
        char now[TIME_RFC3339_SIZE];
        bool runs;
        int r = table_find(&e->table, name, &c, err);

        if (r < 0)
                return r;
        container_peek(c, &row);
        runs = row.state == CONTAINER_RUNNING || row.state == CONTAINER_PAUSED;
        if (runs) {
                cgroup = engine_cgroup_path(e, &row);
                r = cgroup ? cgroup_describe(e->cgroups, cgroup, &figures, err) : err_errno(err, -ENOMEM, "stats");
                /* It has ended between the two looks. */
                if (r == -ENOENT)
                        runs = false;
                else if (r < 0)
                        return r;
        }
        time_format_now(now);
        *ret = json_pack("{s:s, s:o, s:s, s:s, s:s, s:o, s:o, s:i, s:{}, s:o, s:o, s:o}", "id", row.id, "name", json_sprintf("/%s", row.name), "os_type", "linux", "read",
                         runs ? now : "0001-01-01T00:00:00Z", "preread", "0001-01-01T00:00:00Z", "pids_stats", pids_stats(json_object_get(figures, "pids")), "blkio_stats",
                         blkio_stats(json_object_get(figures, "blkio")), "num_procs", 0, "storage_stats", "cpu_stats", cpu_stats(json_object_get(figures, "cpu")),
                         "precpu_stats", cpu_stats(NULL), "memory_stats", memory_stats(json_object_get(figures, "memory")));
        if (!*ret)
                return err_errno(err, -ENOMEM, "stats of container %s", row.name);
        if (runs)
                json_object_set_new(*ret, "networks", networks(&row));
        return 0;
}
