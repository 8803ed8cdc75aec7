/* SPDX-License-Identifier: Apache-2.0 */
/* Names given to images and taken from them; an image whose last name goes, goes itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/store.h"

int image_tag(struct image_store *s, const char *name, const char *target, struct err *err) {
        struct image_reference reference;
        const struct entry *found;
        struct entry *tagged = NULL;
        char canonical[600];
        struct change c;
        enum found_by by;
        int r = image_reference_parse(target, &reference, err);

        if (r < 0)
                return r;
        if (*reference.digest)
                return err_set(err, ERR_INVALID, -EINVAL, "\"%s\" has a digest: a new name for an image is a repository and a tag", target);
        image_reference_canonical(&reference, canonical, sizeof(canonical));
        if (str_starts_with(canonical, "docker.io/library/sha256:")) /* as a person writes it, it would be the beginning of an id */
                return err_set(err, ERR_INVALID, -EINVAL, "refusing to create an ambiguous tag using digest algorithm as name: %s", target);
        r = change_begin(s, &c, err);
        if (r < 0)
                return r;
        /* The list cannot change under us: we are the writer. */
        r = entry_find(s, name, &found, &by, err);
        if (r >= 0 && !(tagged = entry_copy(found, canonical)))
                r = err_errno(err, -ENOMEM, "image %s", name);
        if (r >= 0)
                r = change_put(&c, tagged, false, err);
        if (r < 0) {
                change_abort(&c);
                return r;
        }
        return change_commit(&c, err);
}

/* One removal. */
struct removal {
        struct change change;
        struct digest id;
        char short_id[13];
        const char *asked; /* as the caller named it */
        bool force, in_use;
        json_t *answer;
};

static bool is_of_image(const struct removal *m, const struct entry *e) {
        return digest_equal(&e->id, &m->id);
}

static bool same_repository(const char *a, const char *b) {
        size_t n = entry_repository_length(a);

        return n == entry_repository_length(b) && strncmp(a, b, n) == 0;
}

/* Would the image be without a name if `name` went? Digests of the same repository go with its last tag, and do not count. */
static bool is_last_name(const struct removal *m, const char *name) {
        for (size_t i = 0; i < m->change.n; i++) {
                const struct entry *e = m->change.entries[i];

                if (is_of_image(m, e) && e->name && strcmp(e->name, name) != 0 && (entry_has_tag(e) || !same_repository(e->name, name)))
                        return false;
        }
        return true;
}

/* The first name of the image, one with a tag if there is one; NULL when it has none. */
static const char *first_name(const struct removal *m) {
        const char *name = NULL;

        for (size_t i = 0; i < m->change.n; i++) {
                const struct entry *e = m->change.entries[i];

                if (is_of_image(m, e) && entry_has_tag(e))
                        return e->name;
                if (is_of_image(m, e) && e->name && !name)
                        name = e->name;
        }
        return name;
}

static bool tag_remains(const struct removal *m, const char *repository_of) {
        for (size_t i = 0; i < m->change.n; i++) {
                const struct entry *e = m->change.entries[i];

                if (is_of_image(m, e) && entry_has_tag(e) && same_repository(e->name, repository_of))
                        return true;
        }
        return false;
}

/* Does any entry still stand for this digest of its repository? */
static bool repo_digest_remains(const struct removal *m, const char *repo_digest) {
        char other[600];

        for (size_t i = 0; i < m->change.n; i++) {
                const struct entry *e = m->change.entries[i];

                if (!e->name)
                        continue;
                entry_repo_digest(e, e->name, other, sizeof(other));
                if (strcmp(other, repo_digest) == 0)
                        return true;
        }
        return false;
}

static void answer_add(struct removal *m, const char *what, const char *value) {
        json_array_append_new(m->answer, json_pack("{s:s}", what, value));
}

static void answer_untagged(struct removal *m, const char *canonical) {
        struct image_reference reference;
        char familiar[600];

        if (image_reference_parse(canonical, &reference, NULL) < 0)
                return;
        image_reference_familiar(&reference, familiar, sizeof(familiar));
        answer_add(m, "Untagged", familiar);
}

/* Take entry `i` out of the list, and say so. */
static int untag(struct removal *m, size_t i, struct err *err) {
        const struct entry *e = m->change.entries[i];
        bool had_tag = entry_has_tag(e);
        auto_free char *name = NULL;
        char repo_digest[600];

        if (e->name) {
                name = strdup(e->name);
                if (!name)
                        return err_errno(err, -ENOMEM, "image %s", m->asked);
                entry_repo_digest(e, name, repo_digest, sizeof(repo_digest));
        }
        change_drop(&m->change, i);
        if (had_tag)
                answer_untagged(m, name);
        if (name && !repo_digest_remains(m, repo_digest))
                answer_untagged(m, repo_digest);
        return 0;
}

/* All entries of the image, or those in the repository of a name. From the end, so that tags are told before what came with them. */
static int untag_all(struct removal *m, const char *repository_of, struct err *err) {
        for (size_t i = m->change.n; i-- > 0;) {
                const struct entry *e = m->change.entries[i];

                if (is_of_image(m, e) && (!repository_of || (e->name && same_repository(e->name, repository_of)))) {
                        int r = untag(m, i, err);

                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static int remove_name(struct removal *m, const struct entry *found, struct err *err) {
        struct entry *nameless = NULL;
        auto_free char *name = strdup(found->name);
        bool last;
        int r = 0;

        if (!name)
                return err_errno(err, -ENOMEM, "image %s", m->asked);
        last = is_last_name(m, name);
        if (last && m->in_use && !m->force)
                return err_set(err, ERR_CONFLICT, -EBUSY,
                               "conflict: unable to remove repository reference \"%s\" (must force) - a container is using its referenced "
                               "image %s",
                               m->asked, m->short_id);
        if (last && m->in_use) {
                nameless = entry_copy(found, NULL);
                if (!nameless)
                        return err_errno(err, -ENOMEM, "image %s", m->asked);
        }
        if (last) {
                r = untag_all(m, NULL, err);
        } else {
                for (size_t i = 0; i < m->change.n; i++) {
                        if (m->change.entries[i] != found)
                                continue;
                        r = untag(m, i, err);
                        break;
                }
                if (r >= 0 && !tag_remains(m, name))
                        r = untag_all(m, name, err);
        }
        if (r < 0) {
                entry_free(nameless);
                return r;
        }
        return nameless ? change_put(&m->change, nameless, false, err) : 0;
}

static int remove_id(struct removal *m, struct err *err) {
        const char *name = first_name(m);

        if (name && !is_last_name(m, name) && !m->force)
                return err_set(err, ERR_CONFLICT, -EBUSY,
                               "conflict: unable to delete %s (must be forced) - image is referenced in multiple repositories",
                               m->short_id);
        if (m->in_use)
                return err_set(err, ERR_CONFLICT, -EBUSY, "conflict: unable to delete %s (%s) - image is being used by a container",
                               m->short_id, m->force ? "cannot be forced" : "must be forced");
        return untag_all(m, NULL, err);
}

/* What the entries of the image need, before they go. */
static int gather(struct image_store *s, const struct removal *m, struct digest **ret_blobs, size_t *ret_n_blobs,
                  struct digest **ret_layers, size_t *ret_n_layers, struct err *err) {
        auto_free struct digest *blobs = NULL, *layers = NULL;
        size_t n_blobs = 0, n_layers = 0;

        for (size_t i = 0; i < s->n_entries; i++)
                if (is_of_image(m, s->entries[i]))
                        n_layers += s->entries[i]->n_layers, n_blobs += s->entries[i]->n_layers + 3;
        blobs = calloc(n_blobs + 1, sizeof(*blobs));
        layers = calloc(n_layers + 1, sizeof(*layers));
        if (!blobs || !layers)
                return err_errno(err, -ENOMEM, "image %s", m->asked);
        n_blobs = n_layers = 0;
        for (size_t i = 0; i < s->n_entries; i++) {
                struct entry *e = s->entries[i];

                if (!is_of_image(m, e))
                        continue;
                blobs[n_blobs++] = e->manifest;
                blobs[n_blobs++] = e->id;
                if (e->has_index)
                        blobs[n_blobs++] = e->index;
                /* A damaged image must be removable: what cannot be read is left to the next sweep. */
                if (entry_load_layers(s, e, NULL) < 0)
                        continue;
                for (size_t j = 0; j < e->n_layers; j++) {
                        blobs[n_blobs++] = e->layers[j].blob;
                        if (!entry_is_artifact(e))
                                layers[n_layers++] = e->layers[j].diff_id;
                }
        }
        *ret_blobs = take_ptr(&blobs);
        *ret_layers = take_ptr(&layers);
        *ret_n_blobs = n_blobs;
        *ret_n_layers = n_layers;
        return 0;
}

static bool image_remains(const struct removal *m) {
        for (size_t i = 0; i < m->change.n; i++)
                if (is_of_image(m, m->change.entries[i]))
                        return true;
        return false;
}

/* With a change begun: find, refuse or untag. */
static int prepare(struct image_store *s, struct removal *m, bool (*in_use)(const char *id, void *data), void *data, struct digest **blobs,
                   size_t *n_blobs, struct digest **layers, size_t *n_layers, struct err *err) {
        const struct entry *found;
        char id[DIGEST_TEXT_SIZE];
        enum found_by by;
        int r = entry_find(s, m->asked, &found, &by, err);

        if (r < 0)
                return r;
        m->id = found->id;
        digest_format(&m->id, id);
        digest_short(id, m->short_id);
        m->in_use = in_use && in_use(id, data);
        r = gather(s, m, blobs, n_blobs, layers, n_layers, err);
        if (r < 0)
                return r;
        r = by == FOUND_BY_NAME && found->name ? remove_name(m, found, err) : remove_id(m, err);
        if (r >= 0 && !image_remains(m))
                answer_add(m, "Deleted", id);
        return r;
}

int image_remove(struct image_store *s, const char *name, bool force, bool (*in_use)(const char *id, void *data),
                 int (*drop_layer)(const char *diff_id, void *data), void *data, json_t **ret, struct err *err) {
        auto_free struct digest *blobs = NULL, *layers = NULL;
        auto_json *answer = json_array();
        struct removal m = { .asked = name, .force = force, .answer = answer };
        size_t n_blobs = 0, n_layers = 0;
        int r;

        if (!answer)
                return err_errno(err, -ENOMEM, "image %s", name);
        store_busy_begin(s);
        r = change_begin(s, &m.change, err);
        if (r >= 0) {
                r = prepare(s, &m, in_use, data, &blobs, &n_blobs, &layers, &n_layers, err);
                if (r >= 0)
                        r = change_commit(&m.change, err);
                else
                        change_abort(&m.change);
        }
        fault_point("rmi", "index");
        if (r >= 0)
                store_collect(s, blobs, n_blobs, layers, n_layers, drop_layer, data, answer);
        store_busy_end(s);
        if (r < 0)
                return r;
        *ret = take_ptr(&answer);
        return 0;
}
