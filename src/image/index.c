/* SPDX-License-Identifier: Apache-2.0 */
/* index.json of the layout: reading it at start, writing it at each change, and what entries know of their layers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/blobs.h"
#include "image/store.h"

#define INDEX_NAME "index.json"
enum { INDEX_SIZE_MAX = 256 << 20, KEPT_LABELS_MAX = 4096 };

void entry_about_free(struct entry_about *a) {
        if (!a)
                return;
        json_decref(a->labels);
        free(a->diff_ids);
        free(a);
}

void entry_free(struct entry *e) {
        if (!e)
                return;
        free(e->name);
        free(e->layer_sizes);
        free(e->layers);
        entry_about_free(e->about);
        free(e);
}
DEFINE_CLEANUP(struct entry *, entry_free)
#define auto_entry __attribute__((cleanup(entry_freep))) struct entry

struct entry *entry_copy(const struct entry *e, const char *name) {
        auto_entry *copy = malloc(sizeof(*copy));

        if (!copy)
                return NULL;
        /* All but what is read from disk when first needed. */
        *copy = (struct entry) { .manifest = e->manifest, .id = e->id, .index = e->index, .has_index = e->has_index, .discarded = e->discarded, .type = e->type,
                                 .manifest_size = e->manifest_size, .created_unix_ns = e->created_unix_ns, .n_layers = e->n_layers };
        copy->name = name ? strdup(name) : NULL;
        copy->layer_sizes = calloc(e->n_layers + 1, sizeof(*copy->layer_sizes));
        if (!copy->layer_sizes || (name && !copy->name))
                return NULL;
        memcpy(copy->layer_sizes, e->layer_sizes, e->n_layers * sizeof(*copy->layer_sizes));
        return take_ptr(&copy);
}

uint64_t entry_size(const struct entry *e) {
        uint64_t size = 0;

        for (size_t i = 0; i < e->n_layers; i++)
                if (__builtin_add_overflow(size, e->layer_sizes[i], &size))
                        return UINT64_MAX;
        return size;
}

static int read_manifest(struct image_store *s, const struct entry *e, struct manifest *ret, bool *ret_artifact, int64_t *ret_created_ns, struct err *err) {
        auto_free char *text = NULL;
        auto_json *object = NULL;
        enum media_type type;
        size_t size;
        int r = blob_read(s->blobs_fd, &e->manifest, MANIFEST_SIZE_MAX, &text, &size, err);

        if (r < 0)
                return r;
        r = manifest_check_type(media_type_name(e->type), text, size, "manifest", &type, &object, err);
        if (r < 0)
                return r;
        *ret_artifact = manifest_is_artifact(object);
        if (ret_created_ns)
                *ret_created_ns = manifest_created(object);
        return *ret_artifact ? manifest_parse_any(object, type, "manifest", ret, err) : manifest_parse(object, type, "manifest", ret, err);
}

static int read_config(struct image_store *s, const struct digest *id, struct image_config *ret, struct err *err) {
        auto_free char *text = NULL;
        size_t size;
        int r = blob_read(s->blobs_fd, id, CONFIG_SIZE_MAX, &text, &size, err);

        return r < 0 ? r : image_config_parse(text, size, "image config", ret, err);
}

static int disagrees(const struct entry *e, struct err *err) {
        return err_set(err, ERR_INTERNAL, -EUCLEAN, "image %s: " INDEX_NAME " disagrees with the manifest", e->name ? e->name : "");
}

/* Of an artifact. */
static int load_parts(struct entry *e, const struct manifest *m, struct err *err) {
        if (!entry_is_artifact(e) || e->n_layers != m->n_layers + 1)
                return disagrees(e, err);
        e->layers = calloc(e->n_layers, sizeof(*e->layers));
        if (!e->layers)
                return err_errno(err, -ENOMEM, "layers");
        e->layers[0].blob = m->config.digest;
        for (size_t i = 0; i < m->n_layers; i++)
                e->layers[i + 1].blob = m->layers[i].digest;
        return 0;
}

int entry_load_layers(struct image_store *s, struct entry *e, struct err *err) {
        auto_image_config config = { 0 };
        auto_manifest manifest = { 0 };
        struct entry_layer *layers;
        bool artifact;
        int r;

        if (e->layers)
                return 0;
        r = read_manifest(s, e, &manifest, &artifact, NULL, err);
        if (r >= 0 && artifact)
                return load_parts(e, &manifest, err);
        if (r >= 0)
                r = read_config(s, &e->id, &config, err);
        if (r < 0)
                return r;
        if (manifest.n_layers != e->n_layers || config.n_diff_ids != e->n_layers || !digest_equal(&manifest.config.digest, &e->id))
                return disagrees(e, err);
        layers = calloc(e->n_layers + 1, sizeof(*layers));
        if (!layers)
                return err_errno(err, -ENOMEM, "layers");
        for (size_t i = 0; i < e->n_layers; i++)
                layers[i] = (struct entry_layer) { .blob = manifest.layers[i].digest, .diff_id = config.diff_ids[i] };
        e->layers = layers;
        return 0;
}

/* Anybody may have written them: what is kept of them has a bound. */
static bool is_small(const json_t *labels) {
        size_t size = 0;
        const char *key;
        json_t *value;

        json_object_foreach((json_t *) labels, key, value)
                size += strlen(key) + (json_is_string(value) ? json_string_length(value) : KEPT_LABELS_MAX);
        return size < KEPT_LABELS_MAX;
}

int entry_get_about(struct image_store *s, const struct entry *e, const struct entry_about **ret, bool *ret_mine, struct err *err) {
        /* The one member that readers change. */
        _Atomic(struct entry_about *) *kept = (_Atomic(struct entry_about *) *) &e->about;
        struct entry_about *have = atomic_load(kept), *made;
        auto_image_config config = { 0 };
        int r = 0;

        *ret = have;
        *ret_mine = false;
        if (!have && !entry_is_artifact(e)) /* which has nothing that a list shows */
                r = read_config(s, &e->id, &config, err);
        if (have || r < 0)
                return r;
        made = calloc(1, sizeof(*made));
        if (!made)
                return err_errno(err, -ENOMEM, "image");
        *made = (struct entry_about) { .labels = json_incref(json_get_object(json_get_object(config.json, "config"), "Labels")),
                                       .diff_ids = take_ptr(&config.diff_ids), .n_diff_ids = config.n_diff_ids };
        *ret = made;
        *ret_mine = !is_small(made->labels);
        if (!*ret_mine && !atomic_compare_exchange_strong(kept, &have, made)) {
                entry_about_free(made);
                *ret = have; /* another reader was faster */
        }
        return 0;
}

bool entry_layer_find(struct image_store *s, const struct digest *diff_id, const struct digest *blob, uint64_t *ret_size) {
        bool found = false;

        pthread_mutex_lock(&s->change);
        for (size_t i = 0; i < s->n_entries && !found; i++) {
                struct entry *e = s->entries[i];

                if (entry_is_artifact(e) || entry_load_layers(s, e, NULL) < 0)
                        continue; /* damaged: it vouches for nothing */
                for (size_t j = 0; j < e->n_layers && !found; j++) {
                        found = digest_equal(&e->layers[j].diff_id, diff_id) && digest_equal(&e->layers[j].blob, blob);
                        if (found)
                                *ret_size = e->layer_sizes[j];
                }
        }
        pthread_mutex_unlock(&s->change);
        return found;
}

/* "12,345" → two sizes. */
static int parse_sizes(const char *text, struct entry *e) {
        size_t n = *text ? 1 : 0, i = 0;

        for (const char *c = text; *c; c++)
                n += *c == ',';
        if (n > MANIFEST_LAYERS_MAX)
                return -EINVAL;
        e->layer_sizes = calloc(n + 1, sizeof(*e->layer_sizes));
        if (!e->layer_sizes)
                return -ENOMEM;
        for (; i < n; i++) {
                size_t length = strcspn(text, ",");
                char number[32];

                if (length >= sizeof(number))
                        return -EINVAL;
                memcpy(number, text, length);
                number[length] = '\0';
                if (str_to_u64(number, 0, UINT64_MAX, &e->layer_sizes[i]) < 0)
                        return -EINVAL;
                text += length + 1;
        }
        e->n_layers = n;
        return 0;
}

static int fill_artifact(struct entry *e, const struct manifest *m, struct err *err) {
        free(e->layer_sizes);
        e->id = e->manifest;
        e->n_layers = m->n_layers + 1;
        e->layer_sizes = calloc(e->n_layers, sizeof(*e->layer_sizes));
        if (!e->layer_sizes)
                return err_errno(err, -ENOMEM, "layers");
        e->layer_sizes[0] = m->config.size;
        for (size_t i = 0; i < m->n_layers; i++)
                e->layer_sizes[i + 1] = m->layers[i].size;
        return 0;
}

/* An image that somebody else put into the layout: what our annotations would say is read from its blobs. */
static int fill_from_blobs(struct image_store *s, struct entry *e, struct err *err) {
        auto_image_config config = { 0 };
        auto_manifest manifest = { 0 };
        bool artifact = false;
        int r = read_manifest(s, e, &manifest, &artifact, &e->created_unix_ns, err);

        if (r >= 0 && artifact)
                return fill_artifact(e, &manifest, err);
        if (r >= 0)
                r = read_config(s, &manifest.config.digest, &config, err);
        if (r < 0)
                return r;
        if (config.n_diff_ids != manifest.n_layers)
                return err_set(err, ERR_INVALID, -EINVAL, "its config has %zu diff ids for %zu layers", config.n_diff_ids,
                               manifest.n_layers);
        e->id = manifest.config.digest;
        e->created_unix_ns = config.created_unix_ns;
        free(e->layer_sizes);
        e->n_layers = manifest.n_layers;
        e->layer_sizes = calloc(e->n_layers + 1, sizeof(*e->layer_sizes));
        if (!e->layer_sizes)
                return err_errno(err, -ENOMEM, "layers");
        for (size_t i = 0; i < e->n_layers; i++)
                e->layer_sizes[i] = manifest.layers[i].size;
        return 0;
}

static int entry_from_json(struct image_store *s, const json_t *object, struct entry **ret, struct err *err) {
        const json_t *annotations = json_get_object(object, "annotations");
        const char *name = json_get_str(annotations, ANNOTATION_NAME, NULL),
                   *sizes = json_get_str(annotations, ANNOTATION_LAYER_SIZES, NULL);
        const char *created = json_get_str(annotations, ANNOTATION_CREATED, NULL);
        auto_entry *e = calloc(1, sizeof(*e));
        struct image_reference reference;
        struct descriptor d;
        char canonical[600];
        uint64_t ns = 0;
        int r;

        if (!e)
                return err_errno(err, -ENOMEM, INDEX_NAME);
        r = descriptor_parse(object, INDEX_NAME, &d, err);
        if (r < 0)
                return r;
        e->manifest = d.digest;
        e->manifest_size = d.size;
        e->type = media_type_parse(json_get_str(object, "mediaType", ""));
        if (!media_type_is_manifest(e->type))
                return err_set(err, ERR_INVALID, -EINVAL, "media type \"%s\" is not that of a manifest",
                               json_get_str(object, "mediaType", ""));
        if (name) {
                r = image_reference_parse(name, &reference, err);
                if (r < 0)
                        return r;
                image_reference_canonical(&reference, canonical, sizeof(canonical));
                e->name = strdup(canonical);
                if (!e->name)
                        return err_errno(err, -ENOMEM, INDEX_NAME);
        }
        e->discarded = strcmp(json_get_str(annotations, ANNOTATION_DISCARDED, ""), "true") == 0;
        e->has_index = digest_parse(json_get_str(annotations, ANNOTATION_INDEX_DIGEST, NULL), &e->index);
        if (digest_parse(json_get_str(annotations, ANNOTATION_IMAGE_ID, NULL), &e->id) && created && sizes &&
            str_to_u64(created, 0, INT64_MAX, &ns) == 0 && parse_sizes(sizes, e) == 0)
                e->created_unix_ns = (int64_t) ns;
        else
                r = fill_from_blobs(s, e, err);
        if (r < 0)
                return r;
        if (entry_is_artifact(e)) /* it is nothing but its blobs, whoever says otherwise */
                e->discarded = false;
        *ret = take_ptr(&e);
        return 0;
}

int index_load(struct image_store *s, struct err *err) {
        auto_free char *text = NULL;
        auto_json *index = NULL;
        const json_t *manifests;
        size_t size, n;
        int r = file_read_at(s->oci_fd, INDEX_NAME, INDEX_SIZE_MAX, &text, &size);

        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return err_errno(err, r, INDEX_NAME " of the image store");
        r = json_parse(text, size, INDEX_SIZE_MAX, INDEX_NAME " of the image store", &index, err);
        if (r < 0)
                return r;
        manifests = json_get_array(index, "manifests");
        n = json_array_size(manifests);
        s->entries = calloc(n + 1, sizeof(*s->entries));
        if (!s->entries)
                return err_errno(err, -ENOMEM, INDEX_NAME);
        for (size_t i = 0; i < n; i++) {
                const json_t *object = json_array_get(manifests, i);
                struct err why = { 0 };

                if (entry_from_json(s, object, &s->entries[s->n_entries], &why) == 0)
                        s->n_entries++;
                else
                        log_warning("image store: %s is left out: %s",
                                    json_get_str(json_get_object(object, "annotations"), ANNOTATION_NAME, "an image"), why.msg);
        }
        return 0;
}

/* Names, digests and media types hold nothing that JSON would escape: their grammar was checked. */
static void write_entry(struct strbuf *b, const struct entry *e) {
        char digest[DIGEST_TEXT_SIZE];

        digest_format(&e->manifest, digest);
        strbuf_addf(b, "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu,\"annotations\":{", media_type_name(e->type), digest,
                    (unsigned long long) e->manifest_size);
        if (e->name)
                strbuf_addf(b, "\"" ANNOTATION_NAME "\":\"%s\",", e->name);
        if (e->has_index) {
                digest_format(&e->index, digest);
                strbuf_addf(b, "\"" ANNOTATION_INDEX_DIGEST "\":\"%s\",", digest);
        }
        if (e->discarded)
                strbuf_adds(b, "\"" ANNOTATION_DISCARDED "\":\"true\",");
        digest_format(&e->id, digest);
        strbuf_addf(b, "\"" ANNOTATION_IMAGE_ID "\":\"%s\",\"" ANNOTATION_CREATED "\":\"%lld\",\"" ANNOTATION_LAYER_SIZES "\":\"", digest,
                    (long long) e->created_unix_ns);
        for (size_t i = 0; i < e->n_layers; i++)
                strbuf_addf(b, "%s%llu", i ? "," : "", (unsigned long long) e->layer_sizes[i]);
        strbuf_adds(b, "\"}}");
}

int index_write(struct image_store *s, struct entry *const *entries, size_t n, struct err *err) {
        auto_strbuf b;
        int r;

        strbuf_init(&b, INDEX_SIZE_MAX);
        strbuf_addf(&b, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[", media_type_name(MEDIA_OCI_INDEX));
        for (size_t i = 0; i < n; i++) {
                strbuf_adds(&b, i ? ",\n" : "\n");
                write_entry(&b, entries[i]);
        }
        strbuf_adds(&b, "\n]}\n");
        r = strbuf_error(&b);
        if (r == 0)
                r = file_write_atomic_at(s->oci_fd, INDEX_NAME, b.data, b.size, 0600, true);
        return r < 0 ? err_errno(err, r, INDEX_NAME " of the image store") : 0;
}
