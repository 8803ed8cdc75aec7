/* SPDX-License-Identifier: Apache-2.0 */
/* Who is about to need, makes or removes which blob and layer; and the mark on disk that says such work is under way. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "image/store.h"

#define BUSY_NAME "busy"

void store_busy_begin(struct image_store *s) {
        pthread_mutex_lock(&s->claims_lock);
        /* Should the mark not be possible, on a full disk say, then neither is much else. */
        if (s->busy++ == 0)
                fd_close(openat(s->oci_fd, BUSY_NAME, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
        pthread_mutex_unlock(&s->claims_lock);
}

void store_busy_end(struct image_store *s) {
        pthread_mutex_lock(&s->claims_lock);
        if (--s->busy == 0)
                unlinkat(s->oci_fd, BUSY_NAME, 0);
        pthread_mutex_unlock(&s->claims_lock);
}

bool store_was_busy(struct image_store *s) {
        return faccessat(s->oci_fd, BUSY_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct claim *find(struct image_store *s, const struct digest *d) {
        for (size_t i = 0; i < s->n_claims; i++)
                if (digest_equal(&s->claims[i].digest, d))
                        return &s->claims[i];
        return NULL;
}

static struct claim *find_or_add(struct image_store *s, const struct digest *d) {
        struct claim *c = find(s, d), *grown;

        if (c)
                return c;
        grown = realloc(s->claims, (s->n_claims + 1) * sizeof(*grown));
        if (!grown)
                return NULL;
        s->claims = grown;
        c = &grown[s->n_claims++];
        *c = (struct claim) { .digest = *d };
        return c;
}

static void drop_if_idle(struct image_store *s, struct claim *c) {
        if (c->pins > 0 || c->owned)
                return;
        *c = s->claims[--s->n_claims];
        if (s->n_claims == 0) {
                free(s->claims);
                s->claims = NULL;
        }
}

int store_pin(struct image_store *s, const struct digest *d, struct err *err) {
        struct claim *c;

        pthread_mutex_lock(&s->claims_lock);
        c = find_or_add(s, d);
        if (c)
                c->pins++;
        pthread_mutex_unlock(&s->claims_lock);
        return c ? 0 : err_errno(err, -ENOMEM, "image store");
}

void store_unpin(struct image_store *s, const struct digest *d) {
        struct claim *c;

        pthread_mutex_lock(&s->claims_lock);
        c = find(s, d);
        c->pins--;
        drop_if_idle(s, c);
        pthread_mutex_unlock(&s->claims_lock);
}

void store_unlink_unpinned(struct image_store *s, const struct digest *blob) {
        char name[DIGEST_HEX_SIZE];
        const struct claim *c;

        digest_format_hex(blob, name);
        /* Within the lock: who pins it later sees that it is gone. */
        pthread_mutex_lock(&s->claims_lock);
        c = find(s, blob);
        if (!c || c->pins == 0)
                unlinkat(s->blobs_fd, name, 0);
        pthread_mutex_unlock(&s->claims_lock);
}

bool store_is_pinned(struct image_store *s, const struct digest *d) {
        const struct claim *c;
        bool pinned;

        pthread_mutex_lock(&s->claims_lock);
        c = find(s, d);
        pinned = c && (c->pins > 0 || c->owned);
        pthread_mutex_unlock(&s->claims_lock);
        return pinned;
}

static int try_own(struct image_store *s, const struct digest *d, bool even_pinned) {
        struct claim *c;
        int r = 0;

        pthread_mutex_lock(&s->claims_lock);
        c = find_or_add(s, d);
        if (!c)
                r = -ENOMEM;
        else if (c->owned || (c->pins > 0 && !even_pinned))
                r = -EBUSY;
        else
                c->owned = true;
        pthread_mutex_unlock(&s->claims_lock);
        return r;
}

int store_try_own(struct image_store *s, const struct digest *diff_id) {
        return try_own(s, diff_id, true);
}

int store_try_own_unpinned(struct image_store *s, const struct digest *diff_id) {
        return try_own(s, diff_id, false);
}

void store_set_made(struct image_store *s, const struct digest *diff_id, const struct digest *blob, uint64_t size) {
        struct claim *c;

        pthread_mutex_lock(&s->claims_lock);
        c = find(s, diff_id);
        c->made = true;
        c->blob = *blob;
        c->size = size;
        pthread_mutex_unlock(&s->claims_lock);
}

bool store_was_made(struct image_store *s, const struct digest *diff_id, const struct digest *blob, uint64_t *ret_size) {
        const struct claim *c;
        bool made;

        pthread_mutex_lock(&s->claims_lock);
        c = find(s, diff_id);
        made = c && c->made && digest_equal(&c->blob, blob);
        if (made)
                *ret_size = c->size;
        pthread_mutex_unlock(&s->claims_lock);
        return made;
}

void store_disown(struct image_store *s, const struct digest *diff_id) {
        struct claim *c;

        pthread_mutex_lock(&s->claims_lock);
        c = find(s, diff_id);
        c->owned = false;
        drop_if_idle(s, c);
        pthread_mutex_unlock(&s->claims_lock);
}
