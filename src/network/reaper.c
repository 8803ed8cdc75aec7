/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "network/internal.h"

enum { DISCARDED = 0x6b697374 }; /* the group's number; several daemons on a host may well do each other's work */

void reaper_init(struct reaper *r) {
        *r = (struct reaper) { 0 };
        pthread_mutex_init(&r->lock, NULL);
        pthread_cond_init(&r->idle, NULL);
}

void reaper_wait(struct reaper *r) {
        pthread_mutex_lock(&r->lock);
        while (r->running)
                pthread_cond_wait(&r->idle, &r->lock);
        pthread_mutex_unlock(&r->lock);
}

void reaper_done(struct reaper *r) {
        reaper_wait(r);
        pthread_cond_destroy(&r->idle);
        pthread_mutex_destroy(&r->lock);
}

static void reap(void) {
        auto_rtnl n = { .fd = -EBADF };
        int r = rtnl_open(&n);

        if (r == 0)
                r = link_delete_group(&n, DISCARDED);
        if (r < 0 && r != -ENODEV) /* they go with their namespaces, or the next time */
                log_warning("deleting links of containers that are gone: %s", strerror(-r));
}

/* Ends when there is nothing left to do: an idle daemon has no thread for it. */
static void *reaper_thread(void *data) {
        struct reaper *r = data;

        pthread_mutex_lock(&r->lock);
        while (r->wanted) {
                r->wanted = false;
                pthread_mutex_unlock(&r->lock);
                reap();
                pthread_mutex_lock(&r->lock);
        }
        r->running = false;
        pthread_cond_broadcast(&r->idle);
        pthread_mutex_unlock(&r->lock);
        return NULL;
}

static void want(struct reaper *r) {
        pthread_attr_t attr;
        pthread_t thread;
        bool inline_ = false;

        pthread_mutex_lock(&r->lock);
        r->wanted = true;
        if (!r->running) {
                pthread_attr_init(&attr);
                pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
                r->running = pthread_create(&thread, &attr, reaper_thread, r) == 0;
                pthread_attr_destroy(&attr);
                inline_ = !r->running;
        }
        pthread_mutex_unlock(&r->lock);
        if (inline_)
                reap();
}

static void ignore(const char *link, int result, void *data) {
        (void) link;
        (void) result;
        (void) data;
}

void network_sweep(struct network_host *h) {
        network_stray_ifbs(h, true, ignore, NULL, NULL);
        want(&h->reaper);
}

void network_settle(struct network_host *h) {
        reaper_wait(&h->reaper);
}

int reaper_discard_link(struct reaper *r, struct rtnl *n, int index, bool free_name) {
        char new_name[16];
        int k;

        snprintf(new_name, sizeof(new_name), "kd%x", (unsigned) index);
        k = link_unplug(n, index, DISCARDED, free_name ? new_name : NULL);
        if (k == 0)
                want(r);
        return k;
}

int reaper_discard(struct reaper *r, struct rtnl *n, const char *name, bool free_name) {
        struct link l;
        int k = link_find(n, name, &l);

        if (k < 0)
                return k;
        if (strcmp(l.kind, "veth") != 0 && strcmp(l.kind, "ifb") != 0 && !(str_starts_with(name, "kb") && !strcmp(l.kind, "bridge")))
                return -EEXIST;
        return reaper_discard_link(r, n, l.index, free_name);
}
