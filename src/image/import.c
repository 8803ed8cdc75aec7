/* SPDX-License-Identifier: Apache-2.0 */
#include "image/import.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/mem.h"
#include "image/blobs.h"

void import_done(struct import *i) {
        free(i->manifest_text);
        free(i->config_text);
        free(i->index_text);
        manifest_done(&i->manifest);
        image_config_done(&i->config);
        *i = (struct import) { 0 };
}

/* The index's choice takes the place of the index. */
static int follow_index(struct import *i, const struct import_source *source, const json_t *index, const struct platform *want,
                        const char *what, json_t **ret, enum media_type *ret_type, struct err *err) {
        auto_free char *text = NULL;
        char media_type[128];
        struct descriptor d;
        enum media_type said, type;
        size_t size;
        int r = index_choose(index, want, what, &d, &said, err);

        if (r < 0)
                return r;
        i->index_digest = i->manifest_digest;
        i->has_index = true;
        i->manifest_digest = d.digest;
        r = source->manifest(source->data, &d, &text, &size, media_type, err);
        if (r < 0)
                return r;
        if (size != d.size)
                return err_set(err, ERR_INVALID, -EBADMSG, "%s: its manifest has %zu bytes, the index says %llu", what, size,
                               (unsigned long long) d.size);
        r = manifest_check_type(media_type, text, size, what, &type, ret, err);
        if (r < 0)
                return r;
        if (type != said)
                return err_set(err, ERR_INVALID, -EINVAL, "%s: the index says \"%s\", but it is \"%s\"", what, media_type_name(said),
                               media_type_name(type));
        i->index_text = i->manifest_text;
        i->index_size = i->manifest_size;
        i->manifest_text = take_ptr(&text);
        i->manifest_size = size;
        *ret_type = type;
        return 0;
}

static int check_platform(const struct platform *have, const struct platform *want, bool explicit_platform, const char *what,
                          struct err *err) {
        char wanted[100], actual[100];

        platform_format(have, actual, sizeof(actual));
        platform_format(want, wanted, sizeof(wanted));
        if (strcmp(have->os, "linux") != 0)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "%s is an image for %s, no matching manifest for %s", what, actual, wanted);
        if (explicit_platform && platform_score(want, have) == 0)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "%s was found but does not match the specified platform: wanted %s, actual: %s",
                               what, wanted, actual);
        return 0;
}

int import_read(struct import *i, const struct import_source *source, char *text, size_t size, const char *media_type,
                const struct platform *want, bool explicit_platform, const char *what, struct err *err) {
        auto_json *object = NULL;
        enum media_type type;
        int r;

        i->manifest_text = text;
        i->manifest_size = size;
        digest_of(text, size, &i->manifest_digest);
        r = manifest_check_type(media_type, text, size, what, &type, &object, err);
        if (r >= 0 && media_type_is_index(type)) {
                auto_json *index = take_ptr(&object);

                r = follow_index(i, source, index, want, what, &object, &type, err);
                if (r >= 0 && !media_type_is_manifest(type))
                        r = err_set(err, ERR_INVALID, -EINVAL, "%s: an index in an index", what);
        }
        if (r >= 0 && source->artifacts && manifest_is_artifact(object)) {
                i->artifact = true;
                i->created_unix_ns = manifest_created(object);
                return manifest_parse_any(object, type, what, &i->manifest, err);
        }
        if (r >= 0)
                r = manifest_parse(object, type, what, &i->manifest, err);
        if (r >= 0)
                r = source->config(source->data, &i->manifest.config, &i->config_text, err);
        if (r >= 0)
                r = image_config_parse(i->config_text, i->manifest.config.size, what, &i->config, err);
        if (r < 0)
                return r;
        if (i->config.n_diff_ids != i->manifest.n_layers)
                return err_set(err, ERR_INVALID, -EINVAL, "%s has %zu layers, but its config has %zu diff ids", what, i->manifest.n_layers,
                               i->config.n_diff_ids);
        return check_platform(&i->config.platform, want, explicit_platform, what, err);
}

bool import_is_present(struct image_store *s, const struct import *i, bool discard) {
        char text[DIGEST_TEXT_SIZE];
        bool present = false;

        pthread_rwlock_rdlock(&s->lock);
        for (size_t j = 0; j < s->n_entries && !present; j++)
                present = digest_equal(&s->entries[j]->manifest, &i->manifest_digest);
        pthread_rwlock_unlock(&s->lock);
        present = present && blob_exists(s->blobs_fd, &i->manifest_digest) && blob_exists(s->blobs_fd, &i->manifest.config.digest);
        for (size_t j = 0; j < i->manifest.n_layers && present; j++) {
                digest_format(&i->config.diff_ids[j], text);
                present = s->sink.has(s->sink.data, text) && (discard || blob_exists(s->blobs_fd, &i->manifest.layers[j].digest));
        }
        return present;
}

int import_put_names(struct change *c, const struct entry *e, const char *const *names, size_t n_names, bool keep_digest, bool *ret_new, struct err *err) {
        struct entry *made;

        for (size_t j = 0; j < n_names; j++) {
                const struct entry *old = entry_find_canonical(c->store, names[j]);
                int r;

                *ret_new = !old || !digest_equal(&old->manifest, &e->manifest);
                made = entry_copy(e, names[j]);
                r = made ? change_put(c, made, keep_digest, err) : err_errno(err, -ENOMEM, "image");
                if (r < 0)
                        return r;
        }
        if (n_names > 0)
                return 0;
        /* Without a name only if it has none already. */
        for (size_t j = 0; j < c->n; j++)
                if (c->entries[j]->name && digest_equal(&c->entries[j]->manifest, &e->manifest))
                        return 0;
        made = entry_copy(e, NULL);
        return made ? change_put(c, made, keep_digest, err) : err_errno(err, -ENOMEM, "image");
}

static int put_names(struct change *c, const struct import *i, const struct transfer *t, const char *const *names, size_t n_names, bool keep_digest, bool *ret_new,
                     struct err *err) {
        auto_free uint64_t *sizes = calloc(t->n_layers + 1, sizeof(*sizes));
        const struct entry e = {
                .manifest = i->manifest_digest,
                .id = i->manifest.config.digest,
                .index = i->index_digest,
                .has_index = i->has_index,
                .discarded = t->discard,
                .type = i->manifest.type,
                .manifest_size = i->manifest_size,
                .created_unix_ns = i->config.created_unix_ns > 0 ? i->config.created_unix_ns : 0,
                .n_layers = t->n_layers,
                .layer_sizes = sizes,
        };

        if (!sizes)
                return err_errno(err, -ENOMEM, "image");
        for (size_t j = 0; j < t->n_layers; j++)
                sizes[j] = t->layers[j].size;
        return import_put_names(c, &e, names, n_names, keep_digest, ret_new, err);
}

int import_commit(struct image_store *s, const struct import *i, const struct transfer *t, const char *const *names, size_t n_names,
                  bool keep_digest, bool *ret_new, struct err *err) {
        bool is_new = true;
        struct change c;
        int r;

        /* Layer blobs were written by workers: what index.json will name must be on the disk before it. */
        if (syncfs(s->blobs_fd) < 0)
                return err_errno(err, -errno, "blobs of the image store");
        fault_point("image", "synced");
        r = change_begin(s, &c, err);
        if (r < 0)
                return r;
        /* Within the change: no removal can take them away before they are named. */
        r = blob_write(s->blobs_fd, &i->manifest.config.digest, i->config_text, i->manifest.config.size, err);
        if (r >= 0)
                r = blob_write(s->blobs_fd, &i->manifest_digest, i->manifest_text, i->manifest_size, err);
        /* Kept so that it can be pushed as it was. */
        if (r >= 0 && i->index_text)
                r = blob_write(s->blobs_fd, &i->index_digest, i->index_text, i->index_size, err);
        fault_point("image", "manifest");
        if (r >= 0)
                r = put_names(&c, i, t, names, n_names, keep_digest, &is_new, err);
        if (r >= 0)
                r = change_commit(&c, err);
        else
                change_abort(&c);
        fault_point("image", "index");
        if (r < 0) {
                const struct digest written[] = { i->manifest_digest, i->manifest.config.digest, i->index_digest };

                store_collect(s, written, ARRAY_SIZE(written) - !i->has_index, NULL, 0, NULL, NULL, NULL);
                return r;
        }
        if (ret_new)
                *ret_new = is_new;
        return 0;
}
