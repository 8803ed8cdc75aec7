/* SPDX-License-Identifier: Apache-2.0 */
/* Names and their meaning: what dockerd serves at its metrics-addr, and the process_* that Prometheus' own libraries add. */

#include "engine/metrics.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/fd.h"
#include "base/str.h"
#include "engine/events.h"
#include "engine/info.h"
#include "engine/internal.h"

enum { TEXT_MAX = 64 * 1024, STATM_MAX = 256 };

/* Upper bounds in milliseconds; what took longer is counted at their end. */
static const unsigned bounds_ms[] = { 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000 };
#define N_BUCKETS (ARRAY_SIZE(bounds_ms) + 1)

struct histogram {
        atomic_uint_fast64_t buckets[N_BUCKETS]; /* each once: the sums are made when they are shown */
        atomic_uint_fast64_t total_ns;
};

struct metrics {
        struct histogram actions[METRICS_ACTIONS];
        atomic_uint_fast64_t health_checks, health_checks_failed;
        double begun; /* of this process, seconds since 1970 */
};

int64_t metrics_begin(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000000000ll + t.tv_nsec;
}

struct metrics *metrics_new(void) {
        struct metrics *m = calloc(1, sizeof(*m));
        struct timespec now;

        if (!m)
                return NULL;
        clock_gettime(CLOCK_REALTIME, &now);
        m->begun = (double) now.tv_sec + (double) now.tv_nsec / 1e9;
        return m;
}

void metrics_free(struct metrics *m) {
        free(m);
}

void metrics_end(struct metrics *m, enum metrics_action action, int64_t begun) {
        struct histogram *h = &m->actions[action];
        int64_t took = metrics_begin() - begun;
        size_t i = 0;

        while (i < ARRAY_SIZE(bounds_ms) && took > bounds_ms[i] * 1000000ll)
                i++;
        atomic_fetch_add(&h->buckets[i], 1);
        atomic_fetch_add(&h->total_ns, (uint64_t) took);
}

void metrics_health_check(struct metrics *m, bool failed) {
        atomic_fetch_add(&m->health_checks, 1);
        if (failed)
                atomic_fetch_add(&m->health_checks_failed, 1);
}

/* --- as text --- */

static void head(struct strbuf *b, const char *name, const char *type, const char *help) {
        strbuf_addf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_number(struct strbuf *b, const char *name, const char *type, const char *help, double value) {
        head(b, name, type, help);
        strbuf_addf(b, "%s %.17g\n", name, value);
}

/* name="value", with what the format wants escaped. */
static void put_label(struct strbuf *b, const char *before, const char *name, const char *value) {
        strbuf_addf(b, "%s%s=\"", before, name);
        for (const char *c = value; *c; c++) {
                if (*c == '\n')
                        strbuf_adds(b, "\\n");
                else
                        strbuf_addf(b, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
        }
        strbuf_adds(b, "\"");
}

static void put_histogram(struct strbuf *b, const char *name, const char *action, struct histogram *h) {
        uint64_t sum = 0;

        for (size_t i = 0; i < N_BUCKETS; i++) {
                sum += atomic_load(&h->buckets[i]);
                if (i < ARRAY_SIZE(bounds_ms))
                        strbuf_addf(b, "%s_bucket{action=\"%s\",le=\"%g\"} %llu\n", name, action, bounds_ms[i] / 1000.0, (unsigned long long) sum);
                else
                        strbuf_addf(b, "%s_bucket{action=\"%s\",le=\"+Inf\"} %llu\n", name, action, (unsigned long long) sum);
        }
        strbuf_addf(b, "%s_sum{action=\"%s\"} %.17g\n", name, action, (double) atomic_load(&h->total_ns) / 1e9);
        strbuf_addf(b, "%s_count{action=\"%s\"} %llu\n", name, action, (unsigned long long) sum);
}

static void put_actions(struct strbuf *b, struct metrics *m) {
        static const char containers[] = "engine_daemon_container_actions_seconds", images[] = "engine_daemon_image_actions_seconds",
                          networks[] = "engine_daemon_network_actions_seconds";
        static const struct {
                const char *name, *help, *action;
        } rows[METRICS_ACTIONS] = {
                [METRICS_CONTAINER_CHANGES] = { containers, "What containers were asked to do, and how long it took", "changes" },
                [METRICS_CONTAINER_COMMIT] = { containers, NULL, "commit" },
                [METRICS_CONTAINER_CREATE] = { containers, NULL, "create" },
                [METRICS_CONTAINER_DELETE] = { containers, NULL, "delete" },
                [METRICS_CONTAINER_START] = { containers, NULL, "start" },
                [METRICS_IMAGE_DELETE] = { images, "What was done with images, and how long it took", "delete" },
                [METRICS_IMAGE_HISTORY] = { images, NULL, "history" },
                [METRICS_IMAGE_PULL] = { images, NULL, "pull" },
                [METRICS_IMAGE_PUSH] = { images, NULL, "push" },
                [METRICS_NETWORK_ALLOCATE] = { networks, "Containers joining and leaving networks, and how long it took", "allocate" },
                [METRICS_NETWORK_CONNECT] = { networks, NULL, "connect" },
                [METRICS_NETWORK_RELEASE] = { networks, NULL, "release" },
        };

        for (size_t i = 0; i < METRICS_ACTIONS; i++) {
                if (rows[i].help)
                        head(b, rows[i].name, "histogram", rows[i].help);
                put_histogram(b, rows[i].name, rows[i].action, &m->actions[i]);
        }
}

static void put_states(struct strbuf *b, struct engine *e) {
        static const char name[] = "engine_daemon_container_states_containers";
        struct info_counts n = info_count_containers(e);

        head(b, name, "gauge", "Containers by what they do now");
        strbuf_addf(b, "%s{state=\"paused\"} %d\n%s{state=\"running\"} %d\n%s{state=\"stopped\"} %d\n", name, n.paused, name, n.running, name, n.stopped);
}

static void put_host(struct strbuf *b, struct engine *e) {
        static const char name[] = "engine_daemon_engine_info";
        char os[256], os_version[64];
        struct sysinfo si = {};
        struct utsname u;

        uname(&u);
        sysinfo(&si);
        info_os_release(os, sizeof(os), os_version, sizeof(os_version));
        head(b, name, "gauge", "This engine and its host, in labels; always 1");
        strbuf_adds(b, name);
        put_label(b, "{", "architecture", u.machine);
        put_label(b, ",", "commit", "");
        put_label(b, ",", "daemon_id", e->host_id);
        put_label(b, ",", "graphdriver", "overlay");
        put_label(b, ",", "kernel", u.release);
        put_label(b, ",", "os", os);
        put_label(b, ",", "os_type", "linux");
        put_label(b, ",", "os_version", os_version);
        put_label(b, ",", "version", KIST_VERSION);
        strbuf_adds(b, "} 1\n");
        put_number(b, "engine_daemon_engine_cpus_cpus", "gauge", "Processors of this host", (double) sysconf(_SC_NPROCESSORS_ONLN));
        put_number(b, "engine_daemon_engine_memory_bytes", "gauge", "Memory of this host", (double) si.totalram * si.mem_unit);
}

static unsigned count_files(void) {
        DIR *d = opendir("/proc/self/fd");
        unsigned n = 0;

        if (!d)
                return 0;
        for (struct dirent *entry; (entry = readdir(d));)
                n += *entry->d_name != '.';
        closedir(d);
        return n - 1; /* the directory itself */
}

/* proc_pid_statm(5) */
static void read_memory(double *ret_virtual, double *ret_resident) {
        unsigned long long size = 0, resident = 0;
        auto_free char *text = NULL;
        size_t n;

        if (file_read_at(AT_FDCWD, "/proc/self/statm", STATM_MAX, &text, &n) < 0 || sscanf(text, "%llu %llu", &size, &resident) != 2)
                size = resident = 0;
        *ret_virtual = (double) size * (double) sysconf(_SC_PAGESIZE);
        *ret_resident = (double) resident * (double) sysconf(_SC_PAGESIZE);
}

static void put_process(struct strbuf *b, const struct metrics *m) {
        double virtual, resident;
        struct rlimit files = {};
        struct timespec cpu = {};

        read_memory(&virtual, &resident);
        getrlimit(RLIMIT_NOFILE, &files);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
        put_number(b, "process_cpu_seconds_total", "counter", "Processor time that kistd has used", (double) cpu.tv_sec + (double) cpu.tv_nsec / 1e9);
        put_number(b, "process_max_fds", "gauge", "Files that kistd may have open", (double) files.rlim_cur);
        put_number(b, "process_open_fds", "gauge", "Files that kistd has open", count_files());
        put_number(b, "process_resident_memory_bytes", "gauge", "Memory that kistd occupies", resident);
        put_number(b, "process_start_time_seconds", "gauge", "When kistd began, in seconds since 1970", m->begun);
        put_number(b, "process_virtual_memory_bytes", "gauge", "Addresses that kistd has mapped", virtual);
}

int engine_metrics(struct engine *e, char **ret, struct err *err) {
        struct metrics *m = e->metrics;
        unsigned listeners;
        uint64_t published;
        auto_strbuf b;
        int r;

        strbuf_init(&b, TEXT_MAX);
        events_count(e->events, &published, &listeners);
        put_actions(&b, m);
        put_states(&b, e);
        put_host(&b, e);
        put_number(&b, "engine_daemon_events_subscribers_total", "gauge", "Who listens to events now", listeners);
        put_number(&b, "engine_daemon_events_total", "counter", "Events that were told", (double) published);
        put_number(&b, "engine_daemon_health_checks_failed_total", "counter", "Health checks of containers that failed", (double) atomic_load(&m->health_checks_failed));
        put_number(&b, "engine_daemon_health_checks_total", "counter", "Health checks of containers that were made", (double) atomic_load(&m->health_checks));
        put_process(&b, m);
        r = strbuf_error(&b);
        if (r < 0)
                return err_errno(err, r, "metrics");
        *ret = strbuf_take(&b, NULL);
        return 0;
}
