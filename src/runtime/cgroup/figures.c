/* SPDX-License-Identifier: Apache-2.0 */

/* Everything the kernel counts in a cgroup, under the names that callers of OCI runtimes read in `events --stats`. A figure that this kernel
 * does not keep is left out. */

#include "runtime/cgroup/private.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

enum { FIGURES_FILE_MAX = 65536 };

/* One cgroup in one hierarchy. */
struct place {
        int dir_fd; /* of the hierarchy */
        const char *path;
        bool v2;
};

struct number {
        enum controller controller;
        const char *file, *key; /* key NULL: the file is the number */
        const char *name;       /* "cpu.usage.total" */
        uint64_t scale;
};

static const struct number numbers_v1[] = {
        { CONTROLLER_CPUACCT, "cpuacct.usage", NULL, "cpu.usage.total", 1 },
        { CONTROLLER_CPUACCT, "cpuacct.usage_user", NULL, "cpu.usage.user", 1 },
        { CONTROLLER_CPUACCT, "cpuacct.usage_sys", NULL, "cpu.usage.kernel", 1 },
        { CONTROLLER_CPU, "cpu.stat", "nr_periods", "cpu.throttling.periods", 1 },
        { CONTROLLER_CPU, "cpu.stat", "nr_throttled", "cpu.throttling.throttledPeriods", 1 },
        { CONTROLLER_CPU, "cpu.stat", "throttled_time", "cpu.throttling.throttledTime", 1 },
        { CONTROLLER_MEMORY, "memory.stat", "cache", "memory.cache", 1 },
        { CONTROLLER_MEMORY, "memory.usage_in_bytes", NULL, "memory.usage.usage", 1 },
        { CONTROLLER_MEMORY, "memory.max_usage_in_bytes", NULL, "memory.usage.max", 1 },
        { CONTROLLER_MEMORY, "memory.limit_in_bytes", NULL, "memory.usage.limit", 1 },
        { CONTROLLER_MEMORY, "memory.failcnt", NULL, "memory.usage.failcnt", 1 },
        { CONTROLLER_MEMORY, "memory.memsw.usage_in_bytes", NULL, "memory.swap.usage", 1 },
        { CONTROLLER_MEMORY, "memory.memsw.max_usage_in_bytes", NULL, "memory.swap.max", 1 },
        { CONTROLLER_MEMORY, "memory.memsw.limit_in_bytes", NULL, "memory.swap.limit", 1 },
        { CONTROLLER_MEMORY, "memory.memsw.failcnt", NULL, "memory.swap.failcnt", 1 },
        { CONTROLLER_MEMORY, "memory.kmem.usage_in_bytes", NULL, "memory.kernel.usage", 1 },
        { CONTROLLER_MEMORY, "memory.kmem.max_usage_in_bytes", NULL, "memory.kernel.max", 1 },
        { CONTROLLER_MEMORY, "memory.kmem.limit_in_bytes", NULL, "memory.kernel.limit", 1 },
        { CONTROLLER_MEMORY, "memory.kmem.failcnt", NULL, "memory.kernel.failcnt", 1 },
        { CONTROLLER_MEMORY, "memory.kmem.tcp.usage_in_bytes", NULL, "memory.kernelTCP.usage", 1 },
        { CONTROLLER_MEMORY, "memory.kmem.tcp.max_usage_in_bytes", NULL, "memory.kernelTCP.max", 1 },
        { CONTROLLER_MEMORY, "memory.kmem.tcp.limit_in_bytes", NULL, "memory.kernelTCP.limit", 1 },
        { CONTROLLER_MEMORY, "memory.kmem.tcp.failcnt", NULL, "memory.kernelTCP.failcnt", 1 },
        { CONTROLLER_PIDS, "pids.current", NULL, "pids.current", 1 },
        { CONTROLLER_PIDS, "pids.max", NULL, "pids.limit", 1 },
};

static const struct number numbers_v2[] = {
        { CONTROLLER_CPUACCT, "cpu.stat", "usage_usec", "cpu.usage.total", 1000 },
        { CONTROLLER_CPUACCT, "cpu.stat", "user_usec", "cpu.usage.user", 1000 },
        { CONTROLLER_CPUACCT, "cpu.stat", "system_usec", "cpu.usage.kernel", 1000 },
        { CONTROLLER_CPU, "cpu.stat", "nr_periods", "cpu.throttling.periods", 1 },
        { CONTROLLER_CPU, "cpu.stat", "nr_throttled", "cpu.throttling.throttledPeriods", 1 },
        { CONTROLLER_CPU, "cpu.stat", "throttled_usec", "cpu.throttling.throttledTime", 1000 },
        { CONTROLLER_MEMORY, "memory.stat", "file", "memory.cache", 1 },
        { CONTROLLER_MEMORY, "memory.current", NULL, "memory.usage.usage", 1 },
        { CONTROLLER_MEMORY, "memory.peak", NULL, "memory.usage.max", 1 },
        { CONTROLLER_MEMORY, "memory.max", NULL, "memory.usage.limit", 1 },
        { CONTROLLER_MEMORY, "memory.events", "max", "memory.usage.failcnt", 1 },
        { CONTROLLER_MEMORY, "memory.swap.current", NULL, "memory.swap.usage", 1 },
        { CONTROLLER_MEMORY, "memory.swap.peak", NULL, "memory.swap.max", 1 },
        { CONTROLLER_MEMORY, "memory.swap.max", NULL, "memory.swap.limit", 1 },
        { CONTROLLER_MEMORY, "memory.swap.events", "max", "memory.swap.failcnt", 1 },
        { CONTROLLER_PIDS, "pids.current", NULL, "pids.current", 1 },
        { CONTROLLER_PIDS, "pids.max", NULL, "pids.limit", 1 },
};

/* "a.b.c" below `object`, whose objects are made as needed. Steals the value. */
static void put(json_t *object, const char *name, json_t *value) {
        char part[64];
        size_t n = strcspn(name, ".");

        snprintf(part, sizeof(part), "%.*s", (int) n, name);
        if (!name[n]) {
                json_object_set_new(object, part, value);
                return;
        }
        if (!json_object_get(object, part))
                json_object_set_new(object, part, json_object());
        put(json_object_get(object, part), name + n + 1, value);
}

/* "max" of v2 is more than fits into JSON's integers here: the largest that does says the same. */
static json_t *number(uint64_t v, uint64_t scale) {
        return json_integer(v > (uint64_t) INT64_MAX / scale ? INT64_MAX : (json_int_t) (v * scale));
}

static bool read_text(const struct place *p, const char *file, char *text) {
        return cgroup_file_read(p->dir_fd, p->path, file, text, FIGURES_FILE_MAX) == 0;
}

static void add_numbers(const struct place *p, enum controller c, const struct number *rows, size_t n, char *text, json_t *out) {
        for (size_t i = 0; i < n; i++) {
                uint64_t v;
                bool got = rows[i].controller == c;

                if (got && rows[i].key)
                        got = read_text(p, rows[i].file, text) && cgroup_text_find_u64(text, rows[i].key, &v) == 0;
                else if (got)
                        got = cgroup_file_read_u64(p->dir_fd, p->path, rows[i].file, &v) == 0;
                if (got)
                        /* No limit of processes is 0 in this format, and not the largest number. */
                        put(out, rows[i].name, number(c == CONTROLLER_PIDS && v == UINT64_MAX ? 0 : v, rows[i].scale));
        }
}

/* "1732415 792660 \n" */
static void add_per_cpu(const struct place *p, const char *file, const char *name, char *text, json_t *out) {
        json_t *list = json_array();
        char *save = NULL;

        if (read_text(p, file, text))
                for (char *word = strtok_r(text, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
                        uint64_t v;

                        if (str_to_u64(word, 0, UINT64_MAX, &v) == 0)
                                json_array_append_new(list, number(v, 1));
                }
        put(out, name, list);
}

/* "key number" lines as they are */
static void add_raw(const struct place *p, const char *file, const char *name, char *text, json_t *out) {
        json_t *all = json_object();
        char *save = NULL;

        if (read_text(p, file, text))
                for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                        char *blank = strchr(line, ' ');
                        uint64_t v;

                        if (blank && str_to_u64(blank + 1, 0, UINT64_MAX, &v) == 0) {
                                *blank = '\0';
                                json_object_set_new(all, line, number(v, 1));
                        }
                }
        put(out, name, all);
}

static void add_io(json_t *list, unsigned major, unsigned minor, const char *op, uint64_t v) {
        json_array_append_new(list, json_pack("{s:i, s:i, s:s, s:o}", "major", (int) major, "minor", (int) minor, "op", op, "value", number(v, 1)));
}

/* "8:0 Read 4096" lines */
static void add_io_v1(const struct place *p, const char *file, const char *name, char *text, json_t *out) {
        json_t *list = json_array();
        char *save = NULL;

        if (read_text(p, file, text))
                for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                        unsigned major, minor;
                        unsigned long long v;
                        char op[16];

                        if (sscanf(line, "%u:%u %15s %llu", &major, &minor, op, &v) == 4)
                                add_io(list, major, minor, op, v);
                }
        put(out, name, list);
}

/* "8:0 rbytes=4096 wbytes=0 rios=1 …" lines */
static void add_io_v2(const struct place *p, char *text, json_t *out) {
        static const struct {
                const char *key, *op;
                bool bytes;
        } keys[] = { { " rbytes=", "Read", true }, { " wbytes=", "Write", true }, { " dbytes=", "Discard", true },
                     { " rios=", "Read", false },  { " wios=", "Write", false },  { " dios=", "Discard", false } };
        json_t *bytes = json_array(), *count = json_array();
        char *save = NULL;

        if (read_text(p, "io.stat", text))
                for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                        unsigned major, minor;

                        for (size_t i = 0; sscanf(line, "%u:%u ", &major, &minor) == 2 && i < ARRAY_SIZE(keys); i++) {
                                const char *at = strstr(line, keys[i].key);
                                unsigned long long v;

                                if (at && sscanf(at + strlen(keys[i].key), "%llu", &v) == 1)
                                        add_io(keys[i].bytes ? bytes : count, major, minor, keys[i].op, v);
                        }
                }
        put(out, "blkio.ioServiceBytesRecursive", bytes);
        put(out, "blkio.ioServicedRecursive", count);
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" and "full …": Linux 4.20, in a cgroup of v2 whatever controllers it has. */
static void add_pressure(const struct place *p, const char *file, const char *name, char *text, json_t *out) {
        char *save = NULL;

        if (!read_text(p, file, text))
                return;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                double avg10, avg60, avg300;
                unsigned long long total;
                char kind[8], at[64];

                if (sscanf(line, "%7s avg10=%lf avg60=%lf avg300=%lf total=%llu", kind, &avg10, &avg60, &avg300, &total) != 5)
                        continue;
                snprintf(at, sizeof(at), "%s.%s", name, kind);
                put(out, at, json_pack("{s:f, s:f, s:f, s:o}", "avg10", avg10, "avg60", avg60, "avg300", avg300, "total", number(total, 1)));
        }
}

/* hugetlb.2MB.current and its like: which sizes there are is up to the processor. */
static void add_huge_pages(const struct place *p, json_t *out) {
        static const char *const files[2][3] = { { "usage_in_bytes", "max_usage_in_bytes", "failcnt" }, { "current", "max", "events" } };
        int fd = cgroup_file_open(p->dir_fd, p->path, ".", O_RDONLY | O_DIRECTORY);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        json_t *all = json_object();
        struct dirent *d;

        while (dir && (d = readdir(dir))) {
                char size[16], name[96];
                uint64_t v;

                if (sscanf(d->d_name, "hugetlb.%15[0-9KMGB].", size) != 1 || json_object_get(all, size))
                        continue;
                json_object_set_new(all, size, json_object());
                snprintf(name, sizeof(name), "hugetlb.%s.%s", size, files[p->v2][0]);
                if (cgroup_file_read_u64(p->dir_fd, p->path, name, &v) == 0)
                        json_object_set_new(json_object_get(all, size), "usage", number(v, 1));
                snprintf(name, sizeof(name), "hugetlb.%s.%s", size, files[p->v2][1]);
                if (!p->v2 && cgroup_file_read_u64(p->dir_fd, p->path, name, &v) == 0)
                        json_object_set_new(json_object_get(all, size), "max", number(v, 1));
                snprintf(name, sizeof(name), "hugetlb.%s.%s", size, files[p->v2][2]);
                if (!p->v2 && cgroup_file_read_u64(p->dir_fd, p->path, name, &v) == 0)
                        json_object_set_new(json_object_get(all, size), "failcnt", number(v, 1));
        }
        if (dir)
                closedir(dir);
        else
                fd_close(fd);
        json_object_set_new(out, "hugetlb", all);
}

static void describe_v1(const struct place *p, enum controller c, char *text, json_t *out) {
        add_numbers(p, c, numbers_v1, ARRAY_SIZE(numbers_v1), text, out);
        switch (c) {
        case CONTROLLER_CPUACCT:
                add_per_cpu(p, "cpuacct.usage_percpu", "cpu.usage.percpu", text, out);
                add_per_cpu(p, "cpuacct.usage_percpu_user", "cpu.usage.percpu_user", text, out);
                add_per_cpu(p, "cpuacct.usage_percpu_sys", "cpu.usage.percpu_kernel", text, out);
                break;
        case CONTROLLER_MEMORY:
                add_raw(p, "memory.stat", "memory.raw", text, out);
                break;
        case CONTROLLER_IO:
                add_io_v1(p, "blkio.throttle.io_service_bytes_recursive", "blkio.ioServiceBytesRecursive", text, out);
                add_io_v1(p, "blkio.throttle.io_serviced_recursive", "blkio.ioServicedRecursive", text, out);
                break;
        case CONTROLLER_HUGETLB:
                add_huge_pages(p, out);
                break;
        default:
                break;
        }
}

static void describe_v2(const struct place *p, enum controller c, char *text, json_t *out) {
        add_numbers(p, c, numbers_v2, ARRAY_SIZE(numbers_v2), text, out);
        if (c == CONTROLLER_MEMORY)
                add_raw(p, "memory.stat", "memory.raw", text, out);
        else if (c == CONTROLLER_IO)
                add_io_v2(p, text, out);
        else if (c == CONTROLLER_HUGETLB)
                add_huge_pages(p, out);
}

int cgroup_describe(const struct cgroup_host *h, const char *path, json_t **ret, struct err *err) {
        const struct hierarchy *tracker = host_tracker(h);
        auto_free char *text = malloc(FIGURES_FILE_MAX);
        json_t *out = json_object();
        int r = cgroup_path_check(path, err);

        if (r == 0 && !text)
                r = err_errno(err, -ENOMEM, "cgroup %s", path);
        if (r == 0 && (!tracker || faccessat(tracker->dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0))
                r = err_set(err, ERR_NOT_FOUND, -ENOENT, "no cgroup %s", path);
        if (r < 0) {
                json_decref(out);
                return r;
        }
        for (enum controller c = 0; c < _CONTROLLER_MAX; c++) {
                const struct hierarchy *v1 = host_find_v1(h, c);

                if (v1)
                        describe_v1(&(struct place) { v1->dir_fd, path, false }, c, text, out);
                else if (host_has_v2(h))
                        describe_v2(&(struct place) { h->v2.dir_fd, path, true }, c, text, out);
        }
        if (host_has_v2(h)) {
                const struct place p = { h->v2.dir_fd, path, true };

                add_pressure(&p, "cpu.pressure", "cpu.psi", text, out);
                add_pressure(&p, "memory.pressure", "memory.psi", text, out);
                add_pressure(&p, "io.pressure", "blkio.psi", text, out);
        }
        *ret = out;
        return 0;
}
