/* SPDX-License-Identifier: Apache-2.0 */
/* What no image needs any more goes: by reference, after a removal or a failed pull; by sweep, after a death. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "image/blobs.h"
#include "image/store.h"

struct digests {
        struct digest *list;
        size_t n, room;
};

static int add(struct digests *d, const struct digest *one) {
        if (d->n == d->room) {
                size_t room = d->room ? d->room * 2 : 64;
                struct digest *grown = reallocarray(d->list, room, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                d->list = grown;
                d->room = room;
        }
        d->list[d->n++] = *one;
        return 0;
}

static void digests_done(struct digests *d) {
        free(d->list);
}
#define auto_digests __attribute__((cleanup(digests_done))) struct digests

static bool has(const struct digests *d, const struct digest *one) {
        return d->n > 0 && bsearch(one, d->list, d->n, sizeof(*one), digest_compare);
}

static void sort(struct digests *d) {
        if (d->n > 0)
                qsort(d->list, d->n, sizeof(*d->list), digest_compare);
}

/* What the images need, sorted. With `change` held. An image that is damaged keeps what is known of it: it can be pulled again, and
 * what only its unreadable part names was of no use. Any other failure stops: then nothing may be removed. */
static int find_needed(struct image_store *s, struct digests *blobs, struct digests *diff_ids, bool *ret_damaged) {
        for (size_t i = 0; i < s->n_entries; i++) {
                struct entry *e = s->entries[i];
                struct err why;
                int r = entry_load_layers(s, e, &why);

                if (r < 0 && r != -ENOENT && r != -EUCLEAN && r != -EINVAL)
                        return r;
                if (r < 0 && ret_damaged)
                        *ret_damaged = true;
                if (add(blobs, &e->manifest) < 0 || add(blobs, &e->id) < 0)
                        return -ENOMEM;
                if (e->has_index && add(blobs, &e->index) < 0)
                        return -ENOMEM;
                for (size_t j = 0; e->layers && j < e->n_layers; j++)
                        if ((!e->discarded && add(blobs, &e->layers[j].blob) < 0) || (!entry_is_artifact(e) && add(diff_ids, &e->layers[j].diff_id) < 0))
                                return -ENOMEM;
        }
        sort(blobs);
        sort(diff_ids);
        return 0;
}

void store_collect(struct image_store *s, const struct digest *blobs, size_t n_blobs, const struct digest *diff_ids, size_t n_diff_ids,
                   int (*drop_layer)(const char *diff_id, void *data), void *data, json_t *dropped) {
        auto_digests needed_blobs = { 0 }, needed_layers = { 0 }, mine = { 0 };

        pthread_mutex_lock(&s->change);
        if (find_needed(s, &needed_blobs, &needed_layers, NULL) == 0) {
                for (size_t i = 0; i < n_blobs; i++)
                        if (!has(&needed_blobs, &blobs[i]))
                                store_unlink_unpinned(s, &blobs[i]);
                /* Owned while `change` is held, dropped after it: removing a tree takes its time, and whoever wants that very
                 * layer meanwhile waits for the owner. */
                for (size_t i = n_diff_ids; drop_layer && i-- > 0;)
                        if (!has(&needed_layers, &diff_ids[i]) && store_try_own_unpinned(s, &diff_ids[i]) == 0 &&
                            add(&mine, &diff_ids[i]) < 0)
                                store_disown(s, &diff_ids[i]);
        } else {
                log_warning("image store: unused blobs and layers are kept for now: images could not be read");
        }
        pthread_mutex_unlock(&s->change);
        fault_point("rmi", "blobs");
        for (size_t i = 0; i < mine.n; i++) {
                char text[DIGEST_TEXT_SIZE];

                digest_format(&mine.list[i], text);
                if (drop_layer(text, data) >= 0 && dropped)
                        json_array_append_new(dropped, json_pack("{s:s}", "Deleted", text));
                store_disown(s, &mine.list[i]);
                fault_point("rmi", "layer");
        }
}

void store_sweep(struct image_store *s) {
        auto_digests blobs = { 0 }, layers = { 0 };
        struct err why = { 0 };
        int r;

        pthread_mutex_lock(&s->change);
        r = find_needed(s, &blobs, &layers, NULL);
        if (r >= 0)
                r = blobs_sweep(s->blobs_fd, blobs.list, blobs.n, &why);
        pthread_mutex_unlock(&s->change);
        if (r < 0) {
                log_warning("image store: left-over blobs are kept for now: %s", *why.msg ? why.msg : strerror(-r));
                return;
        }
        /* The mark goes, as at the end of any other work. */
        store_busy_begin(s);
        store_busy_end(s);
}

/* Whatever is downloaded now has a name of its own kind: those are not looked at. */
static int stray_blobs(struct image_store *s, const struct digests *needed, const struct image_strays *what) {
        int copy = openat(s->blobs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = copy < 0 ? NULL : fdopendir(copy);

        if (!dir) {
                fd_close(copy);
                return -errno;
        }
        for (struct dirent *e; (e = readdir(dir));) {
                struct digest d;

                if (!digest_parse_hex(e->d_name, &d) || has(needed, &d) || store_is_pinned(s, &d))
                        continue;
                if (what->remove)
                        store_unlink_unpinned(s, &d);
                what->blob_fn(e->d_name, what->remove && faccessat(s->blobs_fd, e->d_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? -EBUSY : 0, what->data);
        }
        closedir(dir);
        return 0;
}

int image_find_strays(struct image_store *s, const struct image_strays *what, struct err *err) {
        auto_digests blobs = { 0 }, layers = { 0 }, mine = { 0 };
        bool damaged = false; /* nobody knows what an image needs whose texts cannot be read: all that there is */
        int r;

        pthread_mutex_lock(&s->change);
        r = find_needed(s, &blobs, &layers, &damaged);
        if (r == 0 && !damaged)
                r = stray_blobs(s, &blobs, what);
        for (size_t i = 0; r == 0 && !damaged && i < what->n_diff_ids; i++) {
                struct digest d;

                if (digest_parse(what->diff_ids[i], &d) && !has(&layers, &d) && store_try_own_unpinned(s, &d) == 0 && (r = add(&mine, &d)) < 0)
                        store_disown(s, &d);
        }
        pthread_mutex_unlock(&s->change);
        for (size_t i = 0; i < mine.n; i++) {
                char text[DIGEST_TEXT_SIZE];

                digest_format(&mine.list[i], text);
                what->layer_fn(text, what->data);
                store_disown(s, &mine.list[i]);
        }
        return r < 0 ? err_errno(err, r, "looking for what no image needs") : 0;
}

bool image_layer_is_needed(struct image_store *s, const char *diff_id) {
        struct digest d;
        bool needed = false;

        if (!digest_parse(diff_id, &d))
                return false;
        pthread_mutex_lock(&s->change);
        for (size_t i = 0; i < s->n_entries && !needed; i++) {
                struct entry *e = s->entries[i];

                if (entry_is_artifact(e) || entry_load_layers(s, e, NULL) < 0)
                        continue;
                for (size_t j = 0; j < e->n_layers && !needed; j++)
                        needed = digest_equal(&e->layers[j].diff_id, &d);
        }
        pthread_mutex_unlock(&s->change);
        return needed;
}
