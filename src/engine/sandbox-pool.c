/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sandbox-pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "engine/internal.h"
#include "engine/spec.h"
#include "engine/work.h"

struct sandbox_pool {
        struct engine *engine;
        unsigned size;
        pthread_mutex_t lock; /* of what follows */
        struct sandbox *ready;
        unsigned n_ready, starting;
        bool wanted;  /* a start has asked for one */
        bool filling; /* there is a job for it */
};

int sandbox_pool_new(struct engine *e, unsigned size, struct sandbox_pool **ret, struct err *err) {
        struct sandbox_pool *p = calloc(1, sizeof(*p));

        if (!p)
                return err_errno(err, -ENOMEM, "sandboxes");
        p->engine = e;
        p->size = size;
        pthread_mutex_init(&p->lock, NULL);
        *ret = p;
        return 0;
}

void sandbox_pool_drop(struct sandbox_pool *p, struct sandbox *s) {
        if (!s)
                return;
        network_spare_drop(p->engine->network, &s->link);
        namespace_blank_done(&s->spaces);
        free(s);
}

void sandbox_pool_free(struct sandbox_pool *p) {
        struct sandbox *next;

        if (!p)
                return;
        for (struct sandbox *s = p->ready; s; s = next) {
                next = s->next;
                sandbox_pool_drop(p, s);
        }
        pthread_mutex_destroy(&p->lock);
        free(p);
}

static struct sandbox *make(struct sandbox_pool *p, struct err *err) {
        struct sandbox *s = calloc(1, sizeof(*s));
        int r;

        if (!s) {
                err_errno(err, -ENOMEM, "a sandbox");
                return NULL;
        }
        s->spaces = NAMESPACE_BLANK_NONE;
        s->link = NETWORK_SPARE_NONE;
        r = namespace_make_blank(p->engine->namespaces, &s->spaces, err);
        fault_point("pool", "namespaces");
        if (r == 0)
                r = network_spare_make(p->engine->network, s->spaces.netns, &s->link, err);
        fault_point("pool", "link");
        if (r == 0)
                return s;
        sandbox_pool_drop(p, s);
        return NULL;
}

/* One after the other: a container that is about to start has the kernel's network lock and the processor to itself. What fails is tried again after
 * the next start. */
static void fill(void *data) {
        struct sandbox_pool *p = data;
        struct err err;

        pthread_mutex_lock(&p->lock);
        while (p->n_ready < p->size && !p->starting) {
                struct sandbox *s;

                pthread_mutex_unlock(&p->lock);
                s = make(p, &err);
                pthread_mutex_lock(&p->lock);
                if (!s) {
                        log_debug("sandboxes made ahead: %s", err.msg);
                        break;
                }
                s->next = p->ready;
                p->ready = s;
                p->n_ready++;
        }
        p->filling = false;
        pthread_mutex_unlock(&p->lock);
}

void sandbox_pool_begin(struct sandbox_pool *p) {
        pthread_mutex_lock(&p->lock);
        p->starting++;
        pthread_mutex_unlock(&p->lock);
}

void sandbox_pool_end(struct sandbox_pool *p) {
        pthread_mutex_lock(&p->lock);
        p->starting--;
        if (p->wanted && !p->starting && !p->filling && p->n_ready < p->size)
                p->filling = work_add(p->engine->work, 0, fill, NULL, p) == 0;
        pthread_mutex_unlock(&p->lock);
}

static bool has_eth0(const struct spec *s) {
        for (size_t i = 0; i < s->n_endpoints; i++)
                if (!*s->endpoints[i].link || !strcmp(s->endpoints[i].link, NETWORK_SPARE_LINK))
                        return true;
        return false;
}

static struct sandbox *take(struct sandbox_pool *p) {
        struct sandbox *s;

        pthread_mutex_lock(&p->lock);
        p->wanted = true;
        s = p->ready;
        if (s) {
                p->ready = s->next;
                p->n_ready--;
        }
        pthread_mutex_unlock(&p->lock);
        return s;
}

struct sandbox *sandbox_pool_take(struct sandbox_pool *p, const struct spec *s, uint32_t first_id) {
        struct sandbox *taken = s->host_userns || !has_eth0(s) ? NULL : take(p);
        struct err err;

        if (taken && namespace_blank_fill(&taken->spaces, first_id, ENGINE_ID_RANGE, &err) < 0) {
                log_warning("a sandbox made ahead: %s", err.msg);
                sandbox_pool_drop(p, taken);
                taken = NULL;
        }
        return taken;
}
