/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/health.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#include "base/log.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "engine/describe.h"
#include "engine/events.h"
#include "engine/exec.h"
#include "engine/internal.h"
#include "engine/metrics.h"
#include "engine/monitors.h"
#include "engine/spec.h"
#include "engine/work.h"

enum { RESULTS_KEPT = 5, OUTPUT_MAX = 4096, FRAME_HEADER = 8 };

enum status { STARTING, HEALTHY, UNHEALTHY };
static const char *const status_names[] = { "starting", "healthy", "unhealthy" };

struct result {
        int64_t start_ns, end_ns;
        int exit_code; /* −1: it could not be run, or took too long */
        char *output;
};

/* Of one run of a container. */
struct health {
        atomic_uint refs;
        pthread_mutex_t lock;
        json_t *exec; /* the body of an exec; never changes, but its reference count does: under `lock` */
        int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns;
        unsigned retries;
        char action[8];   /* when it becomes unhealthy: "kill", "stop", "restart"; "": nothing */
        int64_t begun_ns; /* monotonic */

        bool over;
        enum status status;
        unsigned failing_streak;
        struct result results[RESULTS_KEPT]; /* oldest first */
        size_t n_results;
};

struct health_checks {
        struct work *work; /* of their own: they may take long, and the ends of containers must not wait for them */
        int stop_fd;
};

struct probe {
        struct container *container;
        struct health *health;
};

static int64_t monotonic_ns(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000000000ll + t.tv_nsec;
}

int health_checks_new(struct health_checks **ret, struct err *err) {
        struct health_checks *h = calloc(1, sizeof(*h));
        int r;

        if (!h)
                return err_errno(err, -ENOMEM, "health checks");
        h->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = h->stop_fd < 0 ? err_errno(err, -errno, "health checks") : work_new(&h->work, err);
        if (r < 0) {
                fd_close(h->stop_fd);
                free(h);
                return r;
        }
        *ret = h;
        return 0;
}

void health_checks_free(struct health_checks *h) {
        if (!h)
                return;
        eventfd_write(h->stop_fd, 1);
        work_free(h->work);
        fd_close(h->stop_fd);
        free(h);
}

void health_unref(struct health *h) {
        if (!h || atomic_fetch_sub(&h->refs, 1) != 1)
                return;
        for (size_t i = 0; i < h->n_results; i++)
                free(h->results[i].output);
        json_decref(h->exec);
        pthread_mutex_destroy(&h->lock);
        free(h);
}

static struct health *health_get(struct container *c) {
        struct health *h;

        pthread_mutex_lock(&c->lock);
        h = c->health;
        if (h)
                atomic_fetch_add(&h->refs, 1);
        pthread_mutex_unlock(&c->lock);
        return h;
}

static struct health *health_put(struct container *c, struct health *h) {
        struct health *old;

        pthread_mutex_lock(&c->lock);
        old = c->health;
        c->health = h;
        pthread_mutex_unlock(&c->lock);
        return old;
}

/* --- one check --- */

/* What the command printed, without the headers of the frames, its beginning. Ends with the stream, at `until_ns`, or when the daemon stops.
 * −ETIMEDOUT, −ECANCELED. */
static int read_output(int fd, int stop_fd, int64_t until_ns, struct strbuf *output) {
        unsigned char header[FRAME_HEADER];
        size_t have = 0, left = 0;

        for (;;) {
                struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = stop_fd, .events = POLLIN } };
                int64_t wait_ms = (until_ns - monotonic_ns() + 999999) / 1000000;
                char buf[4096];
                ssize_t n;

                if (wait_ms <= 0)
                        return -ETIMEDOUT;
                if (poll(p, 2, wait_ms > INT32_MAX ? INT32_MAX : (int) wait_ms) < 0 && errno != EINTR)
                        return -errno;
                if (p[1].revents)
                        return -ECANCELED;
                if (!p[0].revents)
                        continue;
                n = left ? read(fd, buf, left < sizeof(buf) ? left : sizeof(buf)) : read(fd, header + have, FRAME_HEADER - have);
                if (n == 0)
                        return 0;
                if (n < 0)
                        return -errno;
                if (left) {
                        size_t room = OUTPUT_MAX - (output->size < OUTPUT_MAX ? output->size : OUTPUT_MAX);

                        strbuf_add(output, buf, (size_t) n < room ? (size_t) n : room);
                        left -= (size_t) n;
                } else if ((have += (size_t) n) == FRAME_HEADER) {
                        left = (size_t) header[4] << 24 | (size_t) header[5] << 16 | (size_t) header[6] << 8 | header[7];
                        have = 0;
                }
        }
}

static void kill_exec(struct container *c, const char *id) {
        auto_link *link = container_get_link(c);

        if (link)
                monitor_link_signal(link, id, SIGKILL, NULL);
}

/* Start the command and hear it out. 0: *ret_status is its exit status. */
static int run_command(struct engine *e, struct container *c, struct health *h, struct strbuf *output, int *ret_status, char exec_id[CONTAINER_ID_SIZE], struct err *err) {
        auto_json *body = NULL, *made = NULL, *seen = NULL;
        auto_fd ours = -EBADF, theirs = -EBADF;
        bool tty;
        int pair[2], r;

        pthread_mutex_lock(&h->lock);
        body = json_deep_copy(h->exec);
        pthread_mutex_unlock(&h->lock);
        if (!body || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return err_errno(err, body ? -errno : -ENOMEM, "health check");
        ours = pair[0];
        theirs = pair[1];
        r = engine_exec_create(e, c->row.id, body, &made, err);
        if (r < 0)
                return r;
        snprintf(exec_id, CONTAINER_ID_SIZE, "%s", json_get_str(made, "Id", ""));
        if ((r = engine_exec_start(e, exec_id, false, false, 0, 0, &tty, &(bool) { false }, err)) < 0 || (r = engine_exec_attach(e, exec_id, theirs, err)) < 0)
                return r;
        theirs = fd_close(theirs);
        r = read_output(ours, e->health->stop_fd, monotonic_ns() + h->timeout_ns, output);
        if (r < 0) {
                kill_exec(c, exec_id);
                if (r == -ETIMEDOUT)
                        return err_set(err, ERR_UNAVAILABLE, r, "Health check exceeded timeout (%gs)", (double) h->timeout_ns / 1e9);
                return err_errno(err, r, "health check");
        }
        r = engine_exec_inspect(e, exec_id, &seen, err);
        if (r == 0)
                *ret_status = (int) json_get_int(seen, "ExitCode", -1);
        return r;
}

static struct result check(struct engine *e, struct container *c, struct health *h) {
        struct result result = { .start_ns = time_now_ns(), .exit_code = -1 };
        char exec_id[CONTAINER_ID_SIZE] = "";
        auto_strbuf output;
        struct err err;

        strbuf_init(&output, OUTPUT_MAX + 1);
        if (run_command(e, c, h, &output, &result.exit_code, exec_id, &err) < 0)
                result.output = strdup(err.msg);
        else
                result.output = strbuf_take(&output, NULL);
        if (*exec_id)
                exec_forget(e, exec_id);
        result.end_ns = time_now_ns();
        return result;
}

/* Returns whether the status has changed. */
static bool record(struct health *h, struct result *result) {
        bool good = result->exit_code == 0, in_start_period = monotonic_ns() - h->begun_ns < h->start_period_ns;
        enum status before;
        bool changed;

        pthread_mutex_lock(&h->lock);
        before = h->status;
        if (h->n_results == RESULTS_KEPT) {
                free(h->results[0].output);
                memmove(h->results, h->results + 1, (RESULTS_KEPT - 1) * sizeof(*h->results));
                h->n_results--;
        }
        h->results[h->n_results++] = *result;
        if (good) {
                h->failing_streak = 0;
                h->status = HEALTHY;
        } else if (h->status != STARTING || !in_start_period) { /* while it starts a failure does not count */
                h->failing_streak++;
                if (h->failing_streak >= h->retries)
                        h->status = UNHEALTHY;
        }
        changed = h->status != before && !h->over;
        pthread_mutex_unlock(&h->lock);
        return changed;
}

static void probe_drop(void *data) {
        struct probe *p = data;

        container_unref(p->container);
        health_unref(p->health);
        free(p);
}

static void probe_run(void *data);

static void schedule(struct engine *e, struct probe *p) {
        struct health *h = p->health;
        int64_t delay_ns;

        pthread_mutex_lock(&h->lock);
        delay_ns = h->status == STARTING && monotonic_ns() - h->begun_ns < h->start_period_ns ? h->start_interval_ns : h->interval_ns;
        pthread_mutex_unlock(&h->lock);
        if (work_add(e->health->work, (delay_ns + 999999) / 1000000, probe_run, probe_drop, p) < 0) {
                log_error("container %.12s: no memory for its health check", p->container->row.id);
                probe_drop(p);
        }
}

static bool is_over(struct health *h) {
        bool over;

        pthread_mutex_lock(&h->lock);
        over = h->over;
        pthread_mutex_unlock(&h->lock);
        return over;
}

static void act(void *data) {
        struct probe *p = data;
        struct engine *e = p->container->engine;
        const char *id = p->container->row.id, *action = p->health->action;
        struct err err;
        int r;

        if (!strcmp(action, "restart"))
                r = engine_restart(e, id, -1, 0, &err);
        else
                r = !strcmp(action, "stop") ? engine_stop(e, id, -1, 0, &err) : engine_kill(e, id, "KILL", &err);
        if (r < 0 && err.kind != ERR_NOT_MODIFIED)
                log_warning("container %.12s is unhealthy; %s: %s", id, action, err.msg);
        probe_drop(p);
}

/* On a thread of the engine's, not of the checks': a stop waits for the container, whose end waits for the check to be over. */
static void act_on_failure(struct engine *e, const struct probe *p) {
        struct probe *copy;

        if (!*p->health->action || strcmp(health_status(p->container), "unhealthy") != 0)
                return;
        copy = malloc(sizeof(*copy));
        if (copy) {
                *copy = (struct probe) { container_ref(p->container), p->health };
                atomic_fetch_add(&p->health->refs, 1);
        }
        if (!copy || work_add(e->work, 0, act, probe_drop, copy) < 0) {
                log_error("container %.12s: no memory to act on its health", p->container->row.id);
                if (copy)
                        probe_drop(copy);
        }
}

static void judge(struct engine *e, struct probe *p, struct result *result) {
        auto_free char *action = NULL;

        metrics_health_check(e->metrics, result->exit_code != 0);
        if (!record(p->health, result))
                return;
        action = str_format("health_status: %s", health_status(p->container));
        if (action)
                events_container(p->container, action, NULL);
        act_on_failure(e, p);
}

static void probe_run(void *data) {
        struct probe *p = data;
        struct engine *e = p->container->engine;
        struct pollfd stopping = { .fd = e->health->stop_fd, .events = POLLIN };
        struct container_row row;

        if (is_over(p->health) || poll(&stopping, 1, 0) > 0) {
                probe_drop(p);
                return;
        }
        container_peek(p->container, &row);
        if (row.state == CONTAINER_RUNNING) { /* who is paused is left in peace */
                struct result result = check(e, p->container, p->health);

                if (is_over(p->health))
                        free(result.output); /* it has ended meanwhile: that is no failure of the check */
                else
                        judge(e, p, &result);
        }
        schedule(e, p);
}

/* --- begin and end --- */

static json_t *exec_body(const struct spec *s) {
        auto_json *shell = json_array_size(s->shell) ? json_deep_copy(s->shell) : json_pack("[s, s]", "/bin/sh", "-c");
        json_t *command = json_array();

        if (!strcmp(json_string_value(json_array_get(s->health.test, 0)), "CMD-SHELL"))
                json_array_extend(command, shell);
        for (size_t i = 1; i < json_array_size(s->health.test); i++)
                json_array_append_new(command, json_string(json_string_value(json_array_get(s->health.test, i))));
        return json_pack("{s:o, s:b, s:b}", "Cmd", command, "AttachStdout", 1, "AttachStderr", 1);
}

void health_begin(struct engine *e, struct container *c, const struct spec *s) {
        struct health *h = NULL, *old;
        struct probe *p;

        if (s->health.wanted) {
                h = calloc(1, sizeof(*h));
                p = calloc(1, sizeof(*p));
                if (!h || !p) {
                        free(h);
                        free(p);
                        log_error("container %.12s: no memory for its health check", c->row.id);
                        return;
                }
                atomic_init(&h->refs, 2); /* the container's and the first probe's */
                pthread_mutex_init(&h->lock, NULL);
                h->exec = exec_body(s);
                h->interval_ns = s->health.interval_ns;
                h->timeout_ns = s->health.timeout_ns;
                h->start_period_ns = s->health.start_period_ns;
                h->start_interval_ns = s->health.start_interval_ns;
                h->retries = (unsigned) s->health.retries;
                if (strcmp(s->health_action, "none") != 0)
                        snprintf(h->action, sizeof(h->action), "%s", s->health_action);
                h->begun_ns = monotonic_ns();
                *p = (struct probe) { container_ref(c), h };
        }
        old = health_put(c, h);
        if (old) {
                pthread_mutex_lock(&old->lock);
                old->over = true;
                pthread_mutex_unlock(&old->lock);
                health_unref(old);
        }
        if (h)
                schedule(e, p);
}

void health_end(struct container *c) {
        struct health *h = health_get(c);

        if (!h)
                return;
        pthread_mutex_lock(&h->lock);
        h->over = true;
        h->status = UNHEALTHY; /* what does not run is not well */
        pthread_mutex_unlock(&h->lock);
        health_unref(h);
}

/* --- what is shown --- */

const char *health_status(struct container *c) {
        struct health *h = health_get(c);
        const char *name;

        if (!h)
                return NULL;
        pthread_mutex_lock(&h->lock);
        name = status_names[h->status];
        pthread_mutex_unlock(&h->lock);
        health_unref(h);
        return name;
}

/* The command may have printed anything. */
static json_t *output_text(const char *text) {
        json_t *v = json_string(text ? text : "");
        auto_free char *clean = NULL;

        if (v)
                return v;
        clean = strdup(text);
        for (char *p = clean; p && *p; p++)
                if (*p & 0x80)
                        *p = '?';
        return json_string(clean ? clean : "");
}

json_t *health_describe(struct container *c) {
        struct health *h = health_get(c);
        json_t *log = json_array(), *o;

        if (!h) {
                json_decref(log);
                return NULL;
        }
        pthread_mutex_lock(&h->lock);
        for (size_t i = 0; i < h->n_results; i++)
                json_array_append_new(log, json_pack("{s:o, s:o, s:i, s:o}", "Start", describe_time(h->results[i].start_ns), "End", describe_time(h->results[i].end_ns), "ExitCode",
                                                     h->results[i].exit_code, "Output", output_text(h->results[i].output)));
        o = json_pack("{s:s, s:i, s:o}", "Status", status_names[h->status], "FailingStreak", (int) h->failing_streak, "Log", log);
        pthread_mutex_unlock(&h->lock);
        health_unref(h);
        return o;
}
