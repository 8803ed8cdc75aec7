/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the layout, changing its list of images, finding one in it. */
#include "image/registries.h"
#include "image/store.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define LAYOUT_NAME "oci-layout"
#define LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}\n"

static int open_dir(int dir_fd, const char *name, int *ret, struct err *err) {
        struct stat st;
        auto_fd fd = -EBADF;

        if (mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST)
                return err_errno(err, -errno, "making %s of the image store", name);
        fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return err_errno(err, -errno, "%s of the image store", name);
        if ((st.st_mode & 0077) && fchmod(fd, 0700) < 0)
                return err_errno(err, -errno, "closing %s of the image store to others", name);
        *ret = move_fd(fd);
        return 0;
}

static int check_layout(int oci_fd, struct err *err) {
        auto_free char *text = NULL;
        auto_json *object = NULL;
        size_t size;
        int r = file_read_at(oci_fd, LAYOUT_NAME, 4096, &text, &size);

        if (r == -ENOENT) {
                r = file_write_atomic_at(oci_fd, LAYOUT_NAME, LAYOUT_TEXT, strlen(LAYOUT_TEXT), 0600, true);
                return r < 0 ? err_errno(err, r, "writing " LAYOUT_NAME " of the image store") : 0;
        }
        if (r < 0)
                return err_errno(err, r, LAYOUT_NAME " of the image store");
        r = json_parse(text, size, 4096, LAYOUT_NAME " of the image store", &object, err);
        if (r < 0)
                return r;
        if (strcmp(json_get_str(object, "imageLayoutVersion", ""), "1.0.0") != 0)
                return err_set(err, ERR_UNSUPPORTED, -EPROTONOSUPPORT, "image store: layout version \"%s\" is not 1.0.0",
                               json_get_str(object, "imageLayoutVersion", ""));
        return 0;
}

DEFINE_CLEANUP(struct image_store *, image_store_free)

int image_store_open(int root_fd, int worker_fd, const struct image_sink *sink, struct image_store **ret, struct err *err) {
        __attribute__((cleanup(image_store_freep))) struct image_store *s = calloc(1, sizeof(*s));
        auto_fd blobs = -EBADF;
        int r;

        if (!s)
                return err_errno(err, -ENOMEM, "image store");
        *s = (struct image_store) { .oci_fd = -EBADF, .blobs_fd = -EBADF, .worker_fd = worker_fd, .sink = *sink };
        pthread_mutex_init(&s->change, NULL);
        pthread_rwlock_init(&s->lock, NULL);
        pthread_mutex_init(&s->claims_lock, NULL);
        pthread_mutex_init(&s->registries_lock, NULL);
        r = open_dir(root_fd, "oci", &s->oci_fd, err);
        if (r >= 0)
                r = open_dir(s->oci_fd, "blobs", &blobs, err);
        if (r >= 0)
                r = open_dir(blobs, "sha256", &s->blobs_fd, err);
        if (r >= 0)
                r = check_layout(s->oci_fd, err);
        if (r >= 0)
                r = index_load(s, err);
        if (r < 0)
                return r;
        if (store_was_busy(s))
                store_sweep(s);
        malloc_trim(0); /* the index was parsed as a whole: its text and tree are many times what is kept of it */
        *ret = take_ptr(&s);
        return 0;
}

int image_store_set_registries(struct image_store *s, const struct image_registries *r, struct err *err) {
        struct registries *made, *old;
        int e = registries_new(r, &made, err);

        if (e < 0)
                return e;
        pthread_mutex_lock(&s->registries_lock);
        old = s->registries;
        s->registries = made;
        pthread_mutex_unlock(&s->registries_lock);
        registries_unref(old);
        return 0;
}

void image_store_free(struct image_store *s) {
        if (!s)
                return;
        for (size_t i = 0; i < s->n_entries; i++)
                entry_free(s->entries[i]);
        free(s->entries);
        free(s->claims);
        registries_unref(s->registries);
        fd_close(s->blobs_fd);
        fd_close(s->oci_fd);
        pthread_mutex_destroy(&s->change);
        pthread_rwlock_destroy(&s->lock);
        pthread_mutex_destroy(&s->claims_lock);
        free(s);
}

/* --- changes --- */

int change_begin(struct image_store *s, struct change *c, struct err *err) {
        pthread_mutex_lock(&s->change);
        *c = (struct change) { .store = s, .n = s->n_entries, .room = s->n_entries + 4 };
        c->entries = calloc(c->room, sizeof(*c->entries));
        if (!c->entries) {
                pthread_mutex_unlock(&s->change);
                return err_errno(err, -ENOMEM, "image store");
        }
        if (s->n_entries > 0)
                memcpy(c->entries, s->entries, s->n_entries * sizeof(*c->entries));
        return 0;
}

static bool is_listed(struct entry *const *list, size_t n, const struct entry *e) {
        for (size_t i = 0; i < n; i++)
                if (list[i] == e)
                        return true;
        return false;
}

/* Free what is in `from` and not in `kept`. */
static void free_others(struct entry **from, size_t n, struct entry *const *kept, size_t n_kept) {
        for (size_t i = 0; i < n; i++)
                if (!is_listed(kept, n_kept, from[i]))
                        entry_free(from[i]);
}

static int change_add(struct change *c, struct entry *e, struct err *err) {
        if (c->n == c->room) {
                struct entry **grown = reallocarray(c->entries, c->room * 2, sizeof(*grown));

                if (!grown) {
                        entry_free(e);
                        return err_errno(err, -ENOMEM, "image store");
                }
                c->entries = grown;
                c->room *= 2;
        }
        c->entries[c->n++] = e;
        return 0;
}

void change_drop(struct change *c, size_t i) {
        struct entry *e = c->entries[i];

        memmove(c->entries + i, c->entries + i + 1, (--c->n - i) * sizeof(*c->entries));
        if (!is_listed(c->store->entries, c->store->n_entries, e))
                entry_free(e);
}

static bool has_other_entry(const struct change *c, size_t except) {
        for (size_t i = 0; i < c->n; i++)
                if (i != except && digest_equal(&c->entries[i]->manifest, &c->entries[except]->manifest))
                        return true;
        return false;
}

/* entries[i] loses its name to another image. */
static int displace(struct change *c, size_t i, bool keep_digest, struct err *err) {
        const struct entry *old = c->entries[i];
        struct entry *kept = NULL;
        char name[600];

        if (!has_other_entry(c, i)) {
                entry_repo_digest(old, old->name, name, sizeof(name));
                kept = entry_copy(old, keep_digest ? name : NULL);
                if (!kept)
                        return err_errno(err, -ENOMEM, "image store");
        }
        change_drop(c, i);
        return kept ? change_add(c, kept, err) : 0;
}

int change_put(struct change *c, struct entry *e, bool keep_digest, struct err *err) {
        for (size_t i = 0; i < c->n; i++) {
                const struct entry *old = c->entries[i];
                int r = 0;

                if (!old->name || !e->name || strcmp(old->name, e->name) != 0)
                        continue;
                if (digest_equal(&old->manifest, &e->manifest))
                        change_drop(c, i);
                else
                        r = displace(c, i, keep_digest, err);
                if (r < 0) {
                        entry_free(e);
                        return r;
                }
                break;
        }
        for (size_t i = c->n; i-- > 0;)
                if (!c->entries[i]->name && digest_equal(&c->entries[i]->manifest, &e->manifest))
                        change_drop(c, i);
        return change_add(c, e, err);
}

int change_commit(struct change *c, struct err *err) {
        struct image_store *s = c->store;
        struct entry **old = s->entries;
        size_t n_old = s->n_entries;
        int r = index_write(s, c->entries, c->n, err);

        if (r < 0) {
                change_abort(c);
                return r;
        }
        pthread_rwlock_wrlock(&s->lock);
        s->entries = take_ptr(&c->entries);
        s->n_entries = c->n;
        pthread_rwlock_unlock(&s->lock);
        free_others(old, n_old, s->entries, s->n_entries);
        free(old);
        pthread_mutex_unlock(&s->change);
        return 0;
}

void change_abort(struct change *c) {
        struct image_store *s = c->store;

        free_others(c->entries, c->n, s->entries, s->n_entries);
        free(c->entries);
        *c = (struct change) { 0 };
        pthread_mutex_unlock(&s->change);
}

/* --- names of entries --- */

size_t entry_repository_length(const char *name) {
        const char *slash = strrchr(name, '/');

        return (size_t) (slash - name) + strcspn(slash, ":@");
}

bool entry_has_tag(const struct entry *e) {
        return e->name && e->name[entry_repository_length(e->name)] == ':';
}

void entry_repo_digest(const struct entry *e, const char *name, char *ret, size_t size) {
        char digest[DIGEST_TEXT_SIZE];

        digest_format(e->has_index ? &e->index : &e->manifest, digest);
        snprintf(ret, size, "%.*s@%s", (int) entry_repository_length(name), name, digest);
}

/* --- finding --- */

const struct entry *entry_find_canonical(struct image_store *s, const char *canonical) {
        for (size_t i = 0; i < s->n_entries; i++)
                if (s->entries[i]->name && strcmp(s->entries[i]->name, canonical) == 0)
                        return s->entries[i];
        return NULL;
}

static const struct entry *find_by_digest(struct image_store *s, const struct image_reference *r) {
        char repository[600];
        struct digest d;

        digest_parse(r->digest, &d);
        snprintf(repository, sizeof(repository), "%s/%s", r->registry, r->repository);
        for (size_t i = 0; i < s->n_entries; i++) {
                const struct entry *e = s->entries[i];

                if (!e->name || strncmp(e->name, repository, strlen(repository)) != 0 ||
                    entry_repository_length(e->name) != strlen(repository))
                        continue;
                if (digest_equal(&e->manifest, &d) || (e->has_index && digest_equal(&e->index, &d)))
                        return e;
        }
        return NULL;
}

static bool is_hex(const char *s) {
        return s[strspn(s, "0123456789abcdef")] == '\0';
}

/* The only image whose id begins with the digits. -ENOENT, -ENOTUNIQ. */
static int find_by_id(struct image_store *s, const char *prefix, const struct entry **ret) {
        const struct entry *found = NULL;
        char hex[DIGEST_HEX_SIZE];

        for (size_t i = 0; i < s->n_entries; i++) {
                digest_format_hex(&s->entries[i]->id, hex);
                if (!str_starts_with(hex, prefix))
                        continue;
                if (found && !digest_equal(&found->id, &s->entries[i]->id))
                        return -ENOTUNIQ;
                if (!found)
                        found = s->entries[i];
        }
        if (!found)
                return -ENOENT;
        *ret = found;
        return 0;
}

int entry_find(struct image_store *s, const char *name, const struct entry **ret, enum found_by *ret_by, struct err *err) {
        const char *hex = str_starts_with(name, "sha256:") ? name + 7 : name;
        bool may_be_id = *hex && strlen(hex) <= 64 && is_hex(hex), is_id = may_be_id && strlen(hex) == 64;
        struct image_reference reference;
        const struct entry *e = NULL;
        char canonical[600];
        int r;

        if (!is_id) {
                r = image_reference_parse(name, &reference, may_be_id ? NULL : err);
                if (r < 0 && !may_be_id)
                        return r;
                if (r >= 0 && *reference.digest) {
                        e = find_by_digest(s, &reference);
                } else if (r >= 0) {
                        image_reference_canonical(&reference, canonical, sizeof(canonical));
                        e = entry_find_canonical(s, canonical);
                }
        }
        if (e) {
                *ret_by = FOUND_BY_NAME;
                *ret = e;
                return 0;
        }
        r = may_be_id ? find_by_id(s, hex, &e) : -ENOENT;
        if (r == -ENOTUNIQ)
                return err_set(err, ERR_INVALID, r, "image id %s is ambiguous: several begin like that", name);
        if (r < 0) {
                if (is_id || image_reference_parse(name, &reference, NULL) < 0)
                        snprintf(canonical, sizeof(canonical), "%s", name);
                else
                        image_reference_familiar(&reference, canonical, sizeof(canonical));
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "No such image: %s", canonical);
        }
        *ret_by = FOUND_BY_ID;
        *ret = e;
        return 0;
}

int store_blob_missing(struct image_store *s, const char *image, const struct digest *blob, struct err *err) {
        const struct entry *e;
        enum found_by by;
        char text[DIGEST_TEXT_SIZE];
        bool found, discarded, artifact;

        digest_format(blob, text);
        pthread_rwlock_rdlock(&s->lock);
        found = entry_find(s, image, &e, &by, NULL) >= 0;
        discarded = found && e->discarded;
        artifact = found && entry_is_artifact(e);
        pthread_rwlock_unlock(&s->lock);
        if (artifact)
                return err_set(err, ERR_CONFLICT, -ENOENT, "artifact %s: blob %.19s is gone: pull it again", image, text);
        return err_set(err, ERR_CONFLICT, -ENOENT, "image %s: layer %.19s is here unpacked only%s: pull or load the image again%s", image, text,
                       discarded ? " (discard-blobs)" : ", its blob is gone", discarded ? " with --discard-blobs=false" : "");
}
