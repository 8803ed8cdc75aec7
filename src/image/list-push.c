/* SPDX-License-Identifier: Apache-2.0 */
/* Pushing a manifest list that was put together elsewhere. Registries refuse a list of what they do not have: manifests of other repositories are brought into this one first, and
 * their blobs mounted, so that no layer comes through here. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "image/fetcher.h"
#include "image/manifest.h"

#define LOCAL_REGISTRY "kist.local"

struct list_push {
        struct image_store *store;
        const struct image_list_push *asked;
        struct image_reference reference;
        char familiar[600];
        json_t *entries, *copied;
};

/* --- what is to be pushed --- */

static json_t *entry_of(const struct list_push *p, const char *digest) {
        json_t *entry;
        size_t i;

        json_array_foreach(p->entries, i, entry)
                if (strcmp(json_get_str(entry, "digest", ""), digest) == 0)
                        return entry;
        return NULL;
}

static int check_entries(const struct list_push *p, struct err *err) {
        struct descriptor d;
        json_t *entry;
        size_t i;

        if (json_array_size(p->entries) == 0 || json_array_size(p->entries) > INDEX_ENTRIES_MAX)
                return err_set(err, ERR_INVALID, -EINVAL, "%s: a manifest list has from 1 to %d entries", p->familiar, INDEX_ENTRIES_MAX);
        json_array_foreach(p->entries, i, entry) {
                int r = descriptor_parse(entry, p->familiar, &d, err);

                if (r < 0)
                        return r;
                if (!media_type_is_manifest(media_type_parse(json_get_str(entry, "mediaType", ""))) || d.size > MANIFEST_SIZE_MAX)
                        return err_set(err, ERR_INVALID, -EINVAL, "%s: %s is not a manifest of an image", p->familiar, json_get_str(entry, "digest", ""));
        }
        return 0;
}

static int check_sources(const struct list_push *p, struct err *err) {
        const char *digest;
        json_t *from;

        json_object_foreach((json_t *) p->asked->from, digest, from) {
                struct image_reference other;
                char whole[600];

                snprintf(whole, sizeof(whole), "%s/%s", p->reference.registry, json_is_string(from) ? json_string_value(from) : "");
                if (!entry_of(p, digest))
                        return err_set(err, ERR_INVALID, -EINVAL, "%s: \"%.80s\" is not in the list", p->familiar, digest);
                if (image_reference_parse(whole, &other, err) < 0 || strcmp(other.repository, json_string_value(from)) != 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "%s: \"%.255s\" is not the name of a repository", p->familiar, json_is_string(from) ? json_string_value(from) : "");
        }
        return 0;
}

/* --- what comes from another repository --- */

static int mount_blob(struct fetcher *to, const struct descriptor *d, const char *from, struct err *err) {
        char digest[DIGEST_TEXT_SIZE];

        digest_format(&d->digest, digest);
        return fetcher_ask(to, json_pack("{s:s, s:s, s:s}", "op", "mount", "digest", digest, "from", from), -EBADF, NULL, err);
}

static int copy_manifest(struct list_push *p, struct fetcher *source, struct fetcher *to, const char *digest, const char *from, struct err *err) {
        const json_t *entry = entry_of(p, digest);
        auto_manifest m = { 0 };
        auto_json *object = NULL;
        auto_free char *text = NULL;
        char media_type[128];
        enum media_type type;
        size_t size;
        int r = fetcher_get_manifest(source, digest, &text, &size, media_type, err);

        if (r >= 0)
                r = manifest_check_type(media_type, text, size, digest, &type, &object, err);
        if (r >= 0 && (type != media_type_parse(json_get_str(entry, "mediaType", "")) || (int64_t) size != json_get_int(entry, "size", -1)))
                r = err_set(err, ERR_INVALID, -EBADMSG, "%s is of another type or size than the list says", digest);
        if (r >= 0)
                r = manifest_parse_any(object, type, digest, &m, err);
        if (r >= 0)
                r = mount_blob(to, &m.config, from, err);
        for (size_t i = 0; r >= 0 && i < m.n_layers; i++)
                r = mount_blob(to, &m.layers[i], from, err);
        if (r >= 0)
                r = fetcher_put_text(to, NULL, type, text, size, NULL, err);
        if (r >= 0 && json_array_append_new(p->copied, json_string(digest)) < 0)
                r = err_errno(err, -ENOMEM, "%s", p->familiar);
        return r < 0 && err ? err_prefix(err, "%s from %s/%s", digest, p->reference.registry, from) : r;
}

/* All that is wanted of one repository. */
static int copy_from(struct list_push *p, const char *from, struct err *err) {
        struct fetcher source = { .worker = WORKER_NONE }, to = { .worker = WORKER_NONE };
        struct image_reference other = p->reference;
        const char *digest;
        json_t *one;
        int r;

        snprintf(other.repository, sizeof(other.repository), "%s", from);
        r = fetcher_start(p->store, p->asked->access, &other, NULL, &source, err);
        if (r >= 0)
                r = fetcher_start(p->store, p->asked->access, &p->reference, &(struct fetcher_use) { .push = true, .from = from }, &to, err);
        json_object_foreach((json_t *) p->asked->from, digest, one)
                if (r >= 0 && strcmp(json_string_value(one), from) == 0)
                        r = copy_manifest(p, &source, &to, digest, from, err);
        worker_kill(&source.worker);
        worker_kill(&to.worker);
        return r;
}

static bool is_first_of(const json_t *from, const char *digest, const char *repository) {
        const char *key;
        json_t *one;

        json_object_foreach((json_t *) from, key, one)
                if (strcmp(json_string_value(one), repository) == 0)
                        return strcmp(key, digest) == 0;
        return false;
}

static int copy_all(struct list_push *p, struct err *err) {
        const char *digest;
        json_t *from;

        json_object_foreach((json_t *) p->asked->from, digest, from) {
                const char *repository = json_string_value(from);
                int r = is_first_of(p->asked->from, digest, repository) ? copy_from(p, repository, err) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- the list --- */

static int push(struct list_push *p, enum media_type type, struct err *err) {
        struct fetcher to = { .worker = WORKER_NONE };
        int r = copy_all(p, err);

        if (r >= 0)
                r = fetcher_start(p->store, p->asked->access, &p->reference, &(struct fetcher_use) { .push = true }, &to, err);
        if (r >= 0)
                r = fetcher_put_text(&to, p->reference.tag, type, p->asked->text, p->asked->size, NULL, err);
        worker_kill(&to.worker);
        return r;
}

static int check(struct list_push *p, enum media_type *ret_type, json_t **ret, struct err *err) {
        int r = image_reference_parse(p->asked->reference, &p->reference, err);

        if (r < 0)
                return r;
        image_reference_familiar(&p->reference, p->familiar, sizeof(p->familiar));
        if (*p->reference.digest)
                return err_set(err, ERR_INVALID, -EINVAL, "cannot push to a digest reference: %s", p->asked->reference);
        if (strcmp(p->reference.registry, LOCAL_REGISTRY) == 0)
                return err_set(err, ERR_INVALID, -EINVAL, "%s: names under " LOCAL_REGISTRY "/ are of this host only, and never pushed", p->familiar);
        r = manifest_check_type(p->asked->media_type, p->asked->text, p->asked->size, p->familiar, ret_type, ret, err);
        if (r >= 0 && !media_type_is_index(*ret_type))
                r = err_set(err, ERR_INVALID, -EINVAL, "%s: not a manifest list: images are pushed by /images/{name}/push", p->familiar);
        if (r < 0)
                return r;
        p->entries = json_get_array(*ret, "manifests");
        r = check_entries(p, err);
        return r < 0 ? r : check_sources(p, err);
}

int image_push_list(struct image_store *s, const struct image_list_push *asked, json_t **ret, struct err *err) {
        auto_json *object = NULL, *copied = json_array();
        struct list_push p = { .store = s, .asked = asked, .copied = copied };
        char digest_text[DIGEST_TEXT_SIZE];
        struct digest digest;
        enum media_type type;
        int r = check(&p, &type, &object, err);

        if (r >= 0)
                r = push(&p, type, err);
        if (r < 0)
                return err_name(err, p.familiar);
        digest_of(asked->text, asked->size, &digest);
        digest_format(&digest, digest_text);
        *ret = json_pack("{s:s, s:O}", "Digest", digest_text, "Copied", copied);
        return *ret ? 0 : err_errno(err, -ENOMEM, "%s", p.familiar);
}
