/* SPDX-License-Identifier: Apache-2.0 */
/* Images as the engine sees them: one per image id, whatever names lead to it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "image/blobs.h"
#include "image/store.h"

static void free_strings(char **list) {
        for (char **s = list; list && *s; s++)
                free(*s);
        free(list);
}

void image_free(struct image *image) {
        if (!image)
                return;
        free_strings(image->tags);
        free_strings(image->digests);
        free_strings(image->diff_ids);
        json_decref(image->config);
        json_decref(image->labels);
        free(image->artifact_type);
        free(image);
}
DEFINE_CLEANUP(struct image *, image_free)
#define auto_image __attribute__((cleanup(image_freep))) struct image

static int strings_add(char ***list, const char *s) {
        size_t n = 0;
        char **grown;

        for (; *list && (*list)[n]; n++)
                if (strcmp((*list)[n], s) == 0)
                        return 0;
        grown = reallocarray(*list, n + 2, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        *list = grown;
        grown[n + 1] = NULL;
        grown[n] = strdup(s);
        return grown[n] ? 0 : -ENOMEM;
}

static int add_names(struct image *image, const struct entry *e) {
        char repo_digest[600];
        int r = 0;

        image->blobs_discarded = image->blobs_discarded && e->discarded; /* what one name keeps, all have */
        if (!e->name)
                return 0;
        if (entry_has_tag(e))
                r = strings_add(&image->tags, e->name);
        entry_repo_digest(e, e->name, repo_digest, sizeof(repo_digest));
        return r < 0 ? r : strings_add(&image->digests, repo_digest);
}

static char **empty_list(void) {
        return calloc(1, sizeof(char *));
}

static int add_diff_ids(struct image *image, const struct digest *diff_ids, size_t n) {
        image->diff_ids = calloc(n + 1, sizeof(*image->diff_ids));
        if (!image->diff_ids)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                char text[DIGEST_TEXT_SIZE];

                digest_format(&diff_ids[i], text);
                image->diff_ids[i] = strdup(text);
                if (!image->diff_ids[i])
                        return -ENOMEM;
        }
        image->n_diff_ids = n;
        return 0;
}

/* What the entry itself knows, but for the names. NULL when memory is out. */
static struct image *new_image(const struct entry *e) {
        auto_image *image = calloc(1, sizeof(*image));

        if (!image)
                return NULL;
        digest_format(&e->id, image->id);
        digest_format(&e->manifest, image->manifest_digest);
        image->created_unix_ns = e->created_unix_ns;
        image->size = entry_size(e);
        image->blobs_discarded = e->discarded;
        image->tags = empty_list();
        image->digests = empty_list();
        return image->tags && image->digests ? take_ptr(&image) : NULL;
}

static int read_config(struct image_store *s, const struct entry *e, struct image *image, struct err *err) {
        auto_image_config config = { 0 };
        auto_free char *text = NULL;
        size_t size;
        int r = blob_read(s->blobs_fd, &e->id, CONFIG_SIZE_MAX, &text, &size, err);

        if (r >= 0)
                r = image_config_parse(text, size, "image config", &config, err);
        if (r < 0)
                return r;
        if (add_diff_ids(image, config.diff_ids, config.n_diff_ids) < 0)
                return err_errno(err, -ENOMEM, "image %s", image->id);
        image->labels = json_incref(json_get_object(json_get_object(config.json, "config"), "Labels"));
        image->config = take_ptr(&config.json);
        return 0;
}

/* It has no config that means anything here, and no layers of a file system. */
static int read_artifact(struct image_store *s, const struct entry *e, struct image *image, struct err *err) {
        auto_free char *text = NULL;
        auto_json *object = NULL;
        const char *type;
        size_t size;
        int r = blob_read(s->blobs_fd, &e->manifest, MANIFEST_SIZE_MAX, &text, &size, err);

        if (r >= 0)
                r = json_parse(text, size, MANIFEST_SIZE_MAX, "manifest", &object, err);
        if (r < 0)
                return r;
        type = manifest_artifact_type(object);
        image->artifact_type = strdup(type ? type : "");
        image->config = json_pack("{s:s, s:s}", "architecture", "", "os", "");
        return image->artifact_type && image->config && add_diff_ids(image, NULL, 0) == 0 ? 0 : err_errno(err, -ENOMEM, "artifact");
}

/* With its config. */
static int make_image(struct image_store *s, const struct entry *e, struct image **ret, struct err *err) {
        auto_image *image = new_image(e);
        int r;

        if (!image)
                return err_errno(err, -ENOMEM, "image");
        r = entry_is_artifact(e) ? read_artifact(s, e, image, err) : read_config(s, e, image, err);
        if (r < 0)
                return err_prefix(err, "image %s", e->name ? e->name : "without a name");
        *ret = take_ptr(&image);
        return 0;
}

int image_check_runs(const struct image *image, const char *name, struct err *err) {
        if (!image->artifact_type)
                return 0;
        return err_set(err, ERR_INVALID, -EINVAL, "%s is an artifact (%s), not an image: it can be pushed, and not run", name, image->artifact_type);
}

/* For a list. The labels are a copy: whoever gets the list may change what it makes of them. */
static int make_listed(struct image_store *s, const struct entry *e, bool layers, struct image **ret, struct err *err) {
        auto_image *image = new_image(e);
        const struct entry_about *about;
        bool mine;
        int r;

        if (!image)
                return err_errno(err, -ENOMEM, "image");
        r = entry_get_about(s, e, &about, &mine, err);
        if (r < 0)
                return err_prefix(err, "image %s", e->name ? e->name : "without a name");
        r = layers ? add_diff_ids(image, about->diff_ids, about->n_diff_ids) : 0;
        image->labels = json_deep_copy(about->labels);
        if (r == 0 && about->labels && !image->labels)
                r = -ENOMEM;
        if (mine)
                entry_about_free((struct entry_about *) about);
        if (r < 0)
                return err_errno(err, r, "image %s", image->id);
        *ret = take_ptr(&image);
        return 0;
}

static int get_locked(struct image_store *s, const char *name, struct image **ret, struct err *err) {
        const struct entry *found;
        auto_image *image = NULL;
        enum found_by by;
        int r = entry_find(s, name, &found, &by, err);

        if (r >= 0)
                r = make_image(s, found, &image, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < s->n_entries; i++)
                if (digest_equal(&s->entries[i]->id, &found->id) && add_names(image, s->entries[i]) < 0)
                        return err_errno(err, -ENOMEM, "image %s", name);
        *ret = take_ptr(&image);
        return 0;
}

int image_get(struct image_store *s, const char *name, struct image **ret, struct err *err) {
        int r;

        pthread_rwlock_rdlock(&s->lock);
        r = get_locked(s, name, ret, err);
        pthread_rwlock_unlock(&s->lock);
        return r;
}

/* By id, so that the names of one image stand together. */
static int compare_ids(const void *a, const void *b) {
        return digest_compare(&(*(const struct entry *const *) a)->id, &(*(const struct entry *const *) b)->id);
}

static int compare_newest_first(const void *a, const void *b) {
        const struct image *x = *(const struct image *const *) a, *y = *(const struct image *const *) b;

        if (x->created_unix_ns != y->created_unix_ns)
                return x->created_unix_ns < y->created_unix_ns ? 1 : -1;
        return strcmp(x->id, y->id);
}

static int list_locked(struct image_store *s, bool layers, struct image **images, size_t *n_images, struct err *err) {
        auto_free const struct entry **sorted = calloc(s->n_entries + 1, sizeof(*sorted));
        size_t n = 0;

        if (!sorted)
                return err_errno(err, -ENOMEM, "images");
        for (size_t i = 0; i < s->n_entries; i++)
                sorted[i] = s->entries[i];
        qsort(sorted, s->n_entries, sizeof(*sorted), compare_ids);
        for (size_t i = 0, next; i < s->n_entries; i = next) {
                struct err why;
                int r = make_listed(s, sorted[i], layers, &images[n], &why);

                /* One damaged image must not hide the others. */
                if (r < 0)
                        log_warning("images: %s", why.msg);
                for (next = i; next < s->n_entries && digest_equal(&sorted[i]->id, &sorted[next]->id); next++)
                        if (r >= 0 && add_names(images[n], sorted[next]) < 0)
                                return err_errno(err, -ENOMEM, "images");
                if (r >= 0)
                        *n_images = ++n;
        }
        return 0;
}

int image_list(struct image_store *s, bool layers, struct image ***ret, size_t *ret_n, struct err *err) {
        struct image **images;
        size_t n = 0;
        int r;

        pthread_rwlock_rdlock(&s->lock);
        images = calloc(s->n_entries + 1, sizeof(*images));
        r = images ? list_locked(s, layers, images, &n, err) : err_errno(err, -ENOMEM, "images");
        pthread_rwlock_unlock(&s->lock);
        if (r < 0) {
                for (size_t i = 0; images && images[i]; i++)
                        image_free(images[i]);
                free(images);
                return r;
        }
        qsort(images, n, sizeof(*images), compare_newest_first);
        *ret = images;
        *ret_n = n;
        return 0;
}
