/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/work.h"

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "engine/internal.h"

enum { WORK_THREADS_MAX = 8, WORK_IDLE_S = 5, WORK_STACK = 512 << 10 };

struct job {
        struct job *next;
        int64_t due_ns;
        void (*fn)(void *data);
        void (*drop)(void *data);
        void *data;
};

struct work {
        pthread_mutex_t lock;
        pthread_cond_t news;  /* a job came, or the end */
        pthread_cond_t empty; /* a thread ended */
        struct job *jobs;     /* by due_ns */
        unsigned threads, idle;
        bool closing;
};

static int64_t monotonic_ns(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* The next job that is due, waiting for it; NULL when the thread has nothing to live for. */
static struct job *next_job(struct work *w) {
        int64_t give_up = monotonic_ns() + WORK_IDLE_S * 1000000000ll;

        for (;;) {
                int64_t now = monotonic_ns(), until = give_up;
                struct timespec t;

                if (w->jobs && w->jobs->due_ns <= now) {
                        struct job *job = w->jobs;

                        w->jobs = job->next;
                        return job;
                }
                if (w->closing)
                        return NULL;
                /* While something is to come one thread stays for it. */
                if (w->jobs && w->threads == 1)
                        until = w->jobs->due_ns;
                else if (now >= give_up)
                        return NULL;
                else if (w->jobs && w->jobs->due_ns < until)
                        until = w->jobs->due_ns;
                t = (struct timespec) { until / 1000000000, until % 1000000000 };
                w->idle++;
                pthread_cond_timedwait(&w->news, &w->lock, &t);
                w->idle--;
        }
}

static void *thread_main(void *arg) {
        struct work *w = arg;
        struct job *job;

        pthread_mutex_lock(&w->lock);
        while ((job = next_job(w))) {
                pthread_mutex_unlock(&w->lock);
                job->fn(job->data);
                free(job);
                pthread_mutex_lock(&w->lock);
        }
        w->threads--;
        pthread_cond_signal(&w->empty);
        pthread_mutex_unlock(&w->lock);
        return NULL;
}

static int start_thread(struct work *w) {
        pthread_attr_t attr;
        pthread_t thread;
        int r;

        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attr, WORK_STACK);
        r = pthread_create(&thread, &attr, thread_main, w);
        pthread_attr_destroy(&attr);
        if (!r)
                w->threads++;
        return -r;
}

int work_new(struct work **ret, struct err *err) {
        struct work *w = calloc(1, sizeof(*w));
        pthread_condattr_t attr;

        if (!w)
                return err_errno(err, -ENOMEM, "work queue");
        pthread_mutex_init(&w->lock, NULL);
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&w->news, &attr);
        pthread_cond_init(&w->empty, &attr);
        pthread_condattr_destroy(&attr);
        *ret = w;
        return 0;
}

void work_free(struct work *w) {
        if (!w)
                return;
        pthread_mutex_lock(&w->lock);
        w->closing = true;
        pthread_cond_broadcast(&w->news);
        while (w->threads > 0)
                pthread_cond_wait(&w->empty, &w->lock);
        pthread_mutex_unlock(&w->lock);
        while (w->jobs) {
                struct job *job = w->jobs;

                w->jobs = job->next;
                if (job->drop)
                        job->drop(job->data);
                free(job);
        }
        pthread_cond_destroy(&w->news);
        pthread_cond_destroy(&w->empty);
        pthread_mutex_destroy(&w->lock);
        free(w);
}

int work_add(struct work *w, int64_t delay_ms, void (*fn)(void *data), void (*drop)(void *data), void *data) {
        struct job *job = calloc(1, sizeof(*job)), **at;
        int r = 0;

        if (!job)
                return -ENOMEM;
        *job = (struct job) { .due_ns = monotonic_ns() + delay_ms * 1000000, .fn = fn, .drop = drop, .data = data };
        pthread_mutex_lock(&w->lock);
        for (at = &w->jobs; *at && (*at)->due_ns <= job->due_ns; at = &(*at)->next)
                ;
        job->next = *at;
        *at = job;
        /* A thread for every job that is due now, up to the maximum; one at least for those that are not. */
        if (w->threads == 0 || (delay_ms <= 0 && w->idle == 0 && w->threads < WORK_THREADS_MAX)) {
                r = start_thread(w);
                if (r < 0 && w->threads > 0)
                        r = 0; /* the others will come to it */
                if (r < 0)
                        *at = job->next;
        }
        pthread_cond_signal(&w->news);
        pthread_mutex_unlock(&w->lock);
        if (r < 0)
                free(job);
        return r;
}
