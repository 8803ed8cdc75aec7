/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup/private.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"

enum { STAT_MAX = 16384 };

/* One table per version: file, key in it (NULL: the file is the number), where it goes, and by what it is multiplied. */
struct figure {
        enum controller controller;
        const char *file, *key;
        size_t offset;
        uint64_t scale;
};
#define INTO(member) offsetof(struct cgroup_stats, member)

static const struct figure figures_v1[] = {
        { CONTROLLER_CPUACCT, "cpuacct.usage", NULL, INTO(cpu_usage_ns), 1 },
        { CONTROLLER_CPUACCT, "cpuacct.usage_user", NULL, INTO(cpu_user_ns), 1 },
        { CONTROLLER_CPUACCT, "cpuacct.usage_sys", NULL, INTO(cpu_system_ns), 1 },
        { CONTROLLER_CPU, "cpu.stat", "nr_periods", INTO(periods), 1 },
        { CONTROLLER_CPU, "cpu.stat", "nr_throttled", INTO(throttled_periods), 1 },
        { CONTROLLER_CPU, "cpu.stat", "throttled_time", INTO(throttled_ns), 1 },
        { CONTROLLER_MEMORY, "memory.usage_in_bytes", NULL, INTO(memory_usage), 1 },
        { CONTROLLER_MEMORY, "memory.max_usage_in_bytes", NULL, INTO(memory_max_usage), 1 },
        { CONTROLLER_MEMORY, "memory.limit_in_bytes", NULL, INTO(memory_limit), 1 },
        { CONTROLLER_MEMORY, "memory.stat", "total_inactive_file", INTO(memory_inactive_file), 1 },
        { CONTROLLER_PIDS, "pids.current", NULL, INTO(pids), 1 },
        { CONTROLLER_PIDS, "pids.max", NULL, INTO(pids_limit), 1 },
};

static const struct figure figures_v2[] = {
        { CONTROLLER_CPUACCT, "cpu.stat", "usage_usec", INTO(cpu_usage_ns), 1000 },
        { CONTROLLER_CPUACCT, "cpu.stat", "user_usec", INTO(cpu_user_ns), 1000 },
        { CONTROLLER_CPUACCT, "cpu.stat", "system_usec", INTO(cpu_system_ns), 1000 },
        { CONTROLLER_CPU, "cpu.stat", "nr_periods", INTO(periods), 1 },
        { CONTROLLER_CPU, "cpu.stat", "nr_throttled", INTO(throttled_periods), 1 },
        { CONTROLLER_CPU, "cpu.stat", "throttled_usec", INTO(throttled_ns), 1000 },
        { CONTROLLER_MEMORY, "memory.current", NULL, INTO(memory_usage), 1 },
        { CONTROLLER_MEMORY, "memory.peak", NULL, INTO(memory_max_usage), 1 },
        { CONTROLLER_MEMORY, "memory.max", NULL, INTO(memory_limit), 1 },
        { CONTROLLER_MEMORY, "memory.stat", "inactive_file", INTO(memory_inactive_file), 1 },
        { CONTROLLER_PIDS, "pids.current", NULL, INTO(pids), 1 },
        { CONTROLLER_PIDS, "pids.max", NULL, INTO(pids_limit), 1 },
};

/* A figure that is not there stays 0: older kernels lack some (memory.peak: Linux 5.19), and that is no reason to show none. */
static void read_figure(int dir_fd, const char *path, const struct figure *f, struct cgroup_stats *s) {
        char text[STAT_MAX];
        uint64_t value = 0;
        int r;

        if (f->key) {
                r = cgroup_file_read(dir_fd, path, f->file, text, sizeof(text));
                if (r == 0)
                        r = cgroup_text_find_u64(text, f->key, &value);
        } else {
                r = cgroup_file_read_u64(dir_fd, path, f->file, &value);
        }
        if (r == 0)
                *(uint64_t *) ((char *) s + f->offset) = value == UINT64_MAX ? value : value * f->scale;
}

/* "8:0 Read 4096" lines */
static void add_io_v1(int dir_fd, const char *path, struct cgroup_stats *s) {
        char text[STAT_MAX], *save = NULL;

        if (cgroup_file_read(dir_fd, path, "blkio.throttle.io_service_bytes_recursive", text, sizeof(text)) < 0)
                return;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char kind[16];
                unsigned long long bytes;

                if (sscanf(line, "%*u:%*u %15s %llu", kind, &bytes) != 2)
                        continue;
                if (strcmp(kind, "Read") == 0)
                        s->io_read_bytes += bytes;
                else if (strcmp(kind, "Write") == 0)
                        s->io_write_bytes += bytes;
        }
}

/* "8:0 rbytes=4096 wbytes=0 …" lines */
static void add_io_v2(int dir_fd, const char *path, struct cgroup_stats *s) {
        char text[STAT_MAX], *save = NULL;

        if (cgroup_file_read(dir_fd, path, "io.stat", text, sizeof(text)) < 0)
                return;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                unsigned long long bytes;
                const char *at = strstr(line, " rbytes=");

                if (at && sscanf(at, " rbytes=%llu", &bytes) == 1)
                        s->io_read_bytes += bytes;
                at = strstr(line, " wbytes=");
                if (at && sscanf(at, " wbytes=%llu", &bytes) == 1)
                        s->io_write_bytes += bytes;
        }
}

/* "No limit" is a word in v2 and the largest whole number of pages in v1: 0 for the callers. */
static void normalize(struct cgroup_stats *s) {
        if (s->memory_limit >= (uint64_t) INT64_MAX - (1 << 20))
                s->memory_limit = 0;
        if (s->pids_limit == UINT64_MAX)
                s->pids_limit = 0;
}

int cgroup_read_stats(const struct cgroup_host *h, const char *path, struct cgroup_stats *ret, struct err *err) {
        const struct hierarchy *tracker = host_tracker(h), *io = host_find_v1(h, CONTROLLER_IO);
        struct cgroup_stats s = { 0 };
        int r = cgroup_path_check(path, err);

        if (r < 0)
                return r;
        if (!tracker || faccessat(tracker->dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "no cgroup %s", path);
        for (size_t i = 0; i < ARRAY_SIZE(figures_v1); i++) {
                const struct hierarchy *v1 = host_find_v1(h, figures_v1[i].controller);

                if (v1)
                        read_figure(v1->dir_fd, path, &figures_v1[i], &s);
        }
        for (size_t i = 0; host_has_v2(h) && i < ARRAY_SIZE(figures_v2); i++)
                if (!host_find_v1(h, figures_v2[i].controller))
                        read_figure(h->v2.dir_fd, path, &figures_v2[i], &s);
        if (io)
                add_io_v1(io->dir_fd, path, &s);
        else if (host_has_v2(h))
                add_io_v2(h->v2.dir_fd, path, &s);
        normalize(&s);
        *ret = s;
        return 0;
}

int cgroup_oom_kills(const struct cgroup_host *h, const char *path, uint64_t *ret, struct err *err) {
        const struct hierarchy *v1 = host_find_v1(h, CONTROLLER_MEMORY);
        char text[1024];
        int r = cgroup_path_check(path, err);

        if (r < 0)
                return r;
        if (!v1 && !(host_has_v2(h) && (h->v2.controllers & BIT(CONTROLLER_MEMORY)))) {
                *ret = 0;
                return 0;
        }
        r = cgroup_file_read(v1 ? v1->dir_fd : h->v2.dir_fd, path, v1 ? "memory.oom_control" : "memory.events", text, sizeof(text));
        if (r == 0)
                r = cgroup_text_find_u64(text, "oom_kill", ret);
        return r < 0 ? err_errno(err, r, "memory events of cgroup %s", path) : 0;
}
