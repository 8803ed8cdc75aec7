/* SPDX-License-Identifier: Apache-2.0 */
#include "image/sources.h"

#include <errno.h>

#include "base/err.h"
#include "base/log.h"
#include "image/registries.h"

void sources_init(struct sources *s, struct image_store *store, const struct image_pull *asked, const struct image_reference *reference) {
        *s = (struct sources) { .store = store, .asked = asked, .reference = reference, .registries = registries_of(store), .fetcher = { .worker = WORKER_NONE } };
}

void sources_done(struct sources *s) {
        worker_kill(&s->fetcher.worker);
        registries_unref(s->registries);
        s->registries = NULL;
}

int sources_start(struct sources *s, struct err *err) {
        const char *mirror = registries_mirror(s->registries, s->reference->registry, s->n_asked);

        s->from_mirror = mirror;
        s->n_asked += s->from_mirror;
        return fetcher_start(s->store, s->asked, s->reference, &(struct fetcher_use) { .mirror = mirror }, &s->fetcher, err);
}

bool sources_next(struct sources *s, int r, struct err *err) {
        struct err why = err ? *err : (struct err) { 0 };
        char familiar[600];

        if (!s->from_mirror || r == -ECANCELED)
                return false;
        image_reference_familiar(s->reference, familiar, sizeof(familiar));
        log_info("%s: the mirror does not give it, the next one is asked: %s", familiar, why.msg);
        worker_kill(&s->fetcher.worker);
        return sources_start(s, err) >= 0;
}
