/* SPDX-License-Identifier: Apache-2.0 */
/* Every blob read again: is it what its name says? No lock is held meanwhile: a blob never changes, it comes and goes under its name. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/blobs.h"
#include "image/store.h"

enum { NAMES_MAX = 1 << 16 };

struct verify {
        struct image_store *store;
        const struct image_verify *what;
        struct digest *blobs;
        size_t n, room;
        uint64_t done, total;
};

static int note(struct verify *v, const struct digest *d) {
        if (v->n == v->room) {
                size_t room = v->room ? 2 * v->room : 256;
                struct digest *grown = reallocarray(v->blobs, room, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                v->blobs = grown;
                v->room = room;
        }
        v->blobs[v->n++] = *d;
        return 0;
}

static int find_blobs(struct verify *v) {
        int copy = openat(v->store->blobs_fd, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC), r = 0;
        DIR *dir = copy < 0 ? NULL : fdopendir(copy);

        if (!dir) {
                r = -errno;
                fd_close(copy);
                return r;
        }
        for (struct dirent *entry; r == 0 && (entry = readdir(dir));) {
                struct digest d;
                struct stat st;

                if (!digest_parse_hex(entry->d_name, &d) || fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                v->total += (uint64_t) st.st_size;
                r = note(v, &d);
        }
        closedir(dir);
        return r;
}

/* What has it, as a part of what; *ret_layer: only as a layer. */
static char *images_of(struct image_store *s, const struct digest *d, bool *ret_layer) {
        auto_strbuf b;

        strbuf_init(&b, NAMES_MAX);
        *ret_layer = true;
        pthread_mutex_lock(&s->change);
        for (size_t i = 0; i < s->n_entries; i++) {
                struct entry *e = s->entries[i];
                bool has = digest_equal(&e->manifest, d) || digest_equal(&e->id, d) || (e->has_index && digest_equal(&e->index, d));
                char id[DIGEST_TEXT_SIZE];

                *ret_layer = *ret_layer && !has;
                if (!has && entry_load_layers(s, e, NULL) >= 0)
                        for (size_t j = 0; j < e->n_layers; j++)
                                has = has || digest_equal(&e->layers[j].blob, d);
                if (!has)
                        continue;
                digest_format(&e->id, id);
                strbuf_addf(&b, "%s%s", b.size ? ", " : "", e->name ? e->name : id);
        }
        pthread_mutex_unlock(&s->change);
        return strbuf_take(&b, NULL);
}

/* A layer's goes: who pulls the image again fetches it. A text is fetched by a pull that finds it broken, and until then says what the image's layers are. */
static void broken(struct verify *v, const struct digest *d, const char *problem, bool may_go) {
        bool layer;
        auto_free char *images = images_of(v->store, d, &layer);
        char text[DIGEST_TEXT_SIZE];
        int result = -EOPNOTSUPP;

        digest_format(d, text);
        if (v->what->remove && layer && may_go) {
                store_unlink_unpinned(v->store, d);
                result = blob_exists(v->store->blobs_fd, d) ? -EBUSY : 0;
        }
        v->what->broken(text, problem, images ? images : "", result, v->what->data);
}

static int verify_one(struct verify *v, const struct digest *d) {
        auto_fd fd = blob_open(v->store->blobs_fd, d);
        struct digest have;
        uint64_t size = 0;
        int r = fd;

        if (r == -ENOENT)
                return 0; /* removed meanwhile */
        if (r >= 0)
                r = digest_of_file(fd, &have, &size);
        if (r < 0)
                broken(v, d, "it cannot be read", r == -EIO);
        else if (!digest_equal(&have, d))
                broken(v, d, "its bytes have another digest", true);
        v->done += size;
        return v->what->progress ? v->what->progress(v->done, v->total, v->what->data) : 0;
}

/* What an image names and nobody has. */
static int find_missing(struct verify *v) {
        struct image_store *s = v->store;
        auto_free struct digest *gone = NULL;
        size_t n = 0;
        int r = 0;

        v->n = 0;
        pthread_mutex_lock(&s->change);
        for (size_t i = 0; i < s->n_entries && r == 0; i++) {
                struct entry *e = s->entries[i];

                r = note(v, &e->manifest);
                if (r == 0)
                        r = note(v, &e->id);
                if (r == 0 && !e->discarded && entry_load_layers(s, e, NULL) >= 0)
                        for (size_t j = 0; j < e->n_layers && r == 0; j++)
                                r = note(v, &e->layers[j].blob);
        }
        pthread_mutex_unlock(&s->change);
        if (r < 0)
                return r;
        qsort(v->blobs, v->n, sizeof(*v->blobs), digest_compare);
        gone = calloc(v->n + 1, sizeof(*gone));
        if (!gone)
                return -ENOMEM;
        for (size_t i = 0; i < v->n; i++)
                if ((i == 0 || !digest_equal(&v->blobs[i], &v->blobs[i - 1])) && !blob_exists(s->blobs_fd, &v->blobs[i]))
                        gone[n++] = v->blobs[i];
        for (size_t i = 0; i < n; i++)
                broken(v, &gone[i], "it is not there", false);
        return 0;
}

int image_verify_blobs(struct image_store *s, const struct image_verify *what, struct err *err) {
        struct verify v = { .store = s, .what = what };
        int r = find_missing(&v);
        size_t n;

        v.n = 0;
        if (r == 0)
                r = find_blobs(&v);
        n = v.n;
        for (size_t i = 0; i < n && r >= 0; i++)
                r = verify_one(&v, &v.blobs[i]);
        free(v.blobs);
        return r < 0 ? err_errno(err, r, "blobs of images") : 0;
}
