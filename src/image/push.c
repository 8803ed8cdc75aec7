/* SPDX-License-Identifier: Apache-2.0 */
/* Pushing an image: its blobs, several at once, then the manifest, and at last the name. The very bytes that were pulled go back: an index too, when all
 * that it names is here. One fetch worker reads the files; this thread tells it which. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/blobs.h"
#include "image/fetcher.h"
#include "image/progress.h"
#include "image/referrers.h"
#include "image/registries.h"
#include "image/store.h"

#define LOCAL_REGISTRY "kist.local"

enum {
        BLOBS_MAX = 4096,
        MANIFESTS_MAX = 64,
        PATIENCE_MS = 600000, /* a registry may sum up a large blob before it answers; the worker has its own patience */
};

enum blob_state { BLOB_WAITING, BLOB_RUNNING, BLOB_DONE };

struct push_blob {
        struct descriptor d;
        char short_id[13];
        bool is_layer, mount;
        enum blob_state state;
        uint64_t id; /* of the request */
};

struct push_manifest {
        struct descriptor d;
        enum media_type type;
        json_t *referrer; /* its text, when it has a subject; NULL: it has none */
};

struct push {
        struct image_store *store;
        struct image_reference reference;
        char familiar[600];
        struct fetcher fetcher;
        struct progress progress;
        char from[256]; /* repository of the same registry that has some of the blobs; "": none */
        struct push_blob *blobs;
        size_t n_blobs, at_once;
        struct push_manifest manifests[MANIFESTS_MAX]; /* the last one gets the name */
        size_t n_manifests;
};

static int canceled(struct err *err) {
        return err_set(err, ERR_UNAVAILABLE, -ECANCELED, "canceled");
}

/* --- what is to be sent --- */

static int add_blob(struct push *p, const struct descriptor *d, bool is_layer, struct err *err) {
        struct push_blob *b;
        char text[DIGEST_TEXT_SIZE];
        int r;

        for (size_t i = 0; i < p->n_blobs; i++)
                if (digest_equal(&p->blobs[i].d.digest, &d->digest))
                        return 0;
        if (p->n_blobs == BLOBS_MAX)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "%s: more than %d blobs", p->familiar, BLOBS_MAX);
        digest_format(&d->digest, text);
        r = store_pin(p->store, &d->digest, err);
        if (r < 0)
                return r;
        b = &p->blobs[p->n_blobs++];
        *b = (struct push_blob) { .d = *d, .is_layer = is_layer };
        digest_short(text, b->short_id);
        if (!blob_exists(p->store->blobs_fd, &d->digest))
                return is_layer ? store_blob_missing(p->store, p->familiar, &d->digest, err) : err_set(err, ERR_NOT_FOUND, -ENOENT, "blob %s is not in the store", text);
        return 0;
}

static int read_manifest(struct push *p, const struct digest *d, enum media_type *type, json_t **ret, size_t *ret_size, struct err *err) {
        auto_free char *text = NULL;
        auto_json *peek = NULL;
        size_t size;
        int r = blob_read(p->store->blobs_fd, d, MANIFEST_SIZE_MAX, &text, &size, err);

        if (r < 0)
                return r;
        /* An entry knows the type of a manifest; that of an index is what its text says, and OCI's may be silent. */
        if (*type == MEDIA_UNKNOWN) {
                r = json_parse(text, size, MANIFEST_SIZE_MAX, p->familiar, &peek, err);
                if (r < 0)
                        return r;
                *type = media_type_parse(json_get_str(peek, "mediaType", media_type_name(MEDIA_OCI_INDEX)));
        }
        *ret_size = size;
        return manifest_check_type(media_type_name(*type), text, size, p->familiar, type, ret, err);
}

static void keep_manifest(struct push *p, const struct digest *d, size_t size, enum media_type type, json_t *object) {
        struct digest subject;
        bool refers = referrers_subject_of(object, &subject);

        p->manifests[p->n_manifests++] = (struct push_manifest) { .d = { .digest = *d, .size = size }, .type = type, .referrer = refers ? json_incref(object) : NULL };
}

static int add_manifest(struct push *p, const struct digest *d, enum media_type type, struct err *err) {
        auto_manifest m = { 0 };
        auto_json *object = NULL;
        size_t size;
        int r;

        if (p->n_manifests == MANIFESTS_MAX)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "%s: more than %d manifests", p->familiar, MANIFESTS_MAX);
        r = read_manifest(p, d, &type, &object, &size, err);
        if (r >= 0)
                r = manifest_parse_any(object, type, p->familiar, &m, err);
        for (size_t i = 0; r >= 0 && i < m.n_layers; i++)
                r = add_blob(p, &m.layers[i], true, err);
        if (r >= 0)
                r = add_blob(p, &m.config, false, err);
        if (r >= 0)
                keep_manifest(p, d, size, type, object);
        return r;
}

static void forget(struct push *p) {
        for (size_t i = 0; i < p->n_manifests; i++)
                json_decref(p->manifests[i].referrer);
        for (size_t i = 0; i < p->n_blobs; i++)
                store_unpin(p->store, &p->blobs[i].d.digest);
        p->n_blobs = p->n_manifests = 0;
}

/* The index and all of its manifests, or a negative number: something of it is not here. */
static int add_index(struct push *p, const struct digest *d) {
        enum media_type type = MEDIA_UNKNOWN;
        auto_json *object = NULL;
        const json_t *list;
        size_t size;
        int r = read_manifest(p, d, &type, &object, &size, NULL);

        if (r >= 0 && !media_type_is_index(type))
                r = -EINVAL;
        list = r >= 0 ? json_get_array(object, "manifests") : NULL;
        for (size_t i = 0; r >= 0 && i < json_array_size(list); i++) {
                const json_t *entry = json_array_get(list, i);
                struct descriptor child;

                r = descriptor_parse(entry, p->familiar, &child, NULL);
                if (r >= 0)
                        r = add_manifest(p, &child.digest, media_type_parse(json_get_str(entry, "mediaType", "")), NULL);
        }
        if (r >= 0 && p->n_manifests == MANIFESTS_MAX)
                r = -E2BIG;
        if (r >= 0)
                keep_manifest(p, d, size, type, object);
        return r;
}

static bool has_blob(const struct entry *e, const struct digest *d) {
        for (size_t i = 0; e->layers && i < e->n_layers; i++)
                if (digest_equal(&e->layers[i].blob, d))
                        return true;
        return digest_equal(&e->id, d);
}

/* Another repository of that registry that has most of the blobs, as far as names here tell: they are mounted from there. */
static void find_mount(struct push *p) {
        size_t registry = strlen(p->reference.registry), best = 0;
        const struct entry *chosen = NULL;

        *p->from = '\0';
        pthread_mutex_lock(&p->store->change);
        for (size_t i = 0; i < p->store->n_entries; i++) {
                struct entry *e = p->store->entries[i];
                size_t n = e->name ? entry_repository_length(e->name) : 0, shared = 0;

                if (n <= registry || strncmp(e->name, p->reference.registry, registry) != 0 || e->name[registry] != '/' || n - registry - 1 >= sizeof(p->from) ||
                    (n - registry - 1 == strlen(p->reference.repository) && strncmp(e->name + registry + 1, p->reference.repository, n - registry - 1) == 0) ||
                    entry_load_layers(p->store, e, NULL) < 0)
                        continue;
                for (size_t k = 0; k < p->n_blobs; k++)
                        shared += has_blob(e, &p->blobs[k].d.digest);
                if (shared > best) {
                        best = shared;
                        chosen = e;
                        snprintf(p->from, sizeof(p->from), "%.*s", (int) (n - registry - 1), e->name + registry + 1);
                }
        }
        for (size_t k = 0; chosen && k < p->n_blobs; k++)
                p->blobs[k].mount = has_blob(chosen, &p->blobs[k].d.digest);
        pthread_mutex_unlock(&p->store->change);
}

/* --- sending --- */

static const char *blob_name(const struct push_blob *b, char text[DIGEST_TEXT_SIZE]) {
        digest_format(&b->d.digest, text);
        return text;
}

static int start_blob(struct push *p, struct push_blob *b, struct err *err) {
        auto_fd fd = blob_open(p->store->blobs_fd, &b->d.digest);
        char text[DIGEST_TEXT_SIZE];
        json_t *request;
        int r;

        if (fd < 0)
                return err_errno(err, fd, "blob %s", blob_name(b, text));
        b->id = ++p->fetcher.last_id;
        request = json_pack("{s:s, s:I, s:s, s:I, s:s*}", "op", "upload", "id", (json_int_t) b->id, "digest", blob_name(b, text), "size", (json_int_t) b->d.size,
                            "from", b->mount && *p->from ? p->from : NULL);
        r = worker_send(&p->fetcher.worker, request, &fd, 1, err);
        if (r >= 0)
                b->state = BLOB_RUNNING;
        return r;
}

static int on_blob(struct push *p, struct push_blob *b, const char *what, const json_t *event) {
        const char *how = json_get_str(event, "how", "");
        uint64_t bytes = worker_number(event, "bytes");

        if (strcmp(what, "progress") == 0)
                return b->is_layer && bytes <= b->d.size ? progress_bytes(&p->progress, b->short_id, "Pushing", bytes, b->d.size) : 0;
        if (strcmp(what, "done") != 0)
                return 0;
        b->state = BLOB_DONE;
        if (!b->is_layer)
                return 0;
        if (strcmp(how, "mounted") == 0) {
                char said[300];

                snprintf(said, sizeof(said), "Mounted from %s", p->from);
                return progress_layer(&p->progress, b->short_id, said);
        }
        return progress_layer(&p->progress, b->short_id, strcmp(how, "exists") == 0 ? "Layer already exists" : "Pushed");
}

static int wait_event(struct push *p, json_t **ret, struct err *err) {
        struct pollfd fd = { .fd = p->fetcher.worker.control, .events = POLLIN };
        int r;

        do
                r = poll(&fd, 1, PATIENCE_MS);
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return err_errno(err, -errno, "poll");
        if (r == 0)
                return err_set(err, ERR_UNAVAILABLE, -ETIMEDOUT, "no answer in %d seconds", PATIENCE_MS / 1000);
        r = worker_receive(&p->fetcher.worker, ret, err);
        if (r >= 0 && strcmp(json_get_str(*ret, "event", ""), "error") == 0)
                r = fetcher_error(&p->fetcher, *ret, err);
        return r;
}

static int handle_event(struct push *p, struct err *err) {
        auto_json *event = NULL;
        int r = wait_event(p, &event, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < p->n_blobs; i++)
                if (p->blobs[i].state == BLOB_RUNNING && p->blobs[i].id == worker_number(event, "id"))
                        return on_blob(p, &p->blobs[i], json_get_str(event, "event", ""), event) < 0 ? canceled(err) : 0;
        return err_set(err, ERR_INTERNAL, -EPROTO, "the worker answers what was not asked");
}

static int send_blobs(struct push *p, struct err *err) {
        size_t running = 0, done = 0;

        while (done < p->n_blobs) {
                int r = 0;

                for (size_t i = 0; r >= 0 && i < p->n_blobs && running < p->at_once; i++)
                        if (p->blobs[i].state == BLOB_WAITING) {
                                r = start_blob(p, &p->blobs[i], err);
                                running++;
                        }
                if (r >= 0)
                        r = handle_event(p, err);
                if (r < 0)
                        return r;
                running = done = 0;
                for (size_t i = 0; i < p->n_blobs; i++) {
                        running += p->blobs[i].state == BLOB_RUNNING;
                        done += p->blobs[i].state == BLOB_DONE;
                }
        }
        return 0;
}

static int send_manifest(struct push *p, const struct push_manifest *m, const char *reference, struct err *err) {
        auto_fd fd = blob_open(p->store->blobs_fd, &m->d.digest);
        char digest[DIGEST_TEXT_SIZE];
        bool listed = false;
        int r;

        digest_format(&m->d.digest, digest);
        if (fd < 0)
                return err_errno(err, fd, "manifest %s", digest);
        r = fetcher_put_manifest(&p->fetcher, reference, m->type, &m->d, fd, &listed, err);
        if (r < 0 || !m->referrer || listed)
                return r;
        r = referrers_note(&p->fetcher, &m->d, m->type, m->referrer, err);
        return r < 0 ? err_prefix(err, "%s is pushed, but not listed as a referrer of its subject", digest) : 0;
}

static int send_all(struct push *p, struct err *err) {
        int r = send_blobs(p, err);

        for (size_t i = 0; r >= 0 && i < p->n_manifests; i++)
                r = send_manifest(p, &p->manifests[i], i + 1 == p->n_manifests ? p->reference.tag : NULL, err);
        return r;
}

/* --- one name --- */

static int find(struct push *p, struct entry *ret, struct err *err) {
        const struct entry *e;
        char canonical[600];
        int r = 0;

        image_reference_canonical(&p->reference, canonical, sizeof(canonical));
        pthread_rwlock_rdlock(&p->store->lock);
        e = entry_find_canonical(p->store, canonical);
        if (e)
                *ret = (struct entry) { .manifest = e->manifest, .id = e->id, .type = e->type, .index = e->index, .has_index = e->has_index };
        else
                r = err_set(err, ERR_NOT_FOUND, -ENOENT, "An image does not exist locally with the tag: %s", p->familiar);
        pthread_rwlock_unlock(&p->store->lock);
        return r;
}

static int check_platform(struct push *p, const struct entry *e, const char *wanted, struct err *err) {
        char digest[DIGEST_TEXT_SIZE];
        struct image *image;
        int r;

        digest_format(&e->id, digest);
        r = image_get(p->store, digest, &image, err);
        if (r < 0)
                return r;
        r = image_check_platform(image, p->familiar, wanted, err);
        image_free(image);
        return r;
}

/* The index, if it is whole; else the manifest for this machine, and a word about that. */
static int choose(struct push *p, const struct entry *e, bool one_platform, bool *ret_partly, struct err *err) {
        *ret_partly = false;
        if (e->has_index && !one_platform) {
                if (add_index(p, &e->index) >= 0)
                        return 0;
                forget(p);
                *ret_partly = true;
        }
        return add_manifest(p, &e->manifest, e->type, err);
}

static int tell_result(struct push *p, const struct entry *e, bool partly) {
        const struct push_manifest *last = &p->manifests[p->n_manifests - 1];
        char digest[DIGEST_TEXT_SIZE], index[DIGEST_TEXT_SIZE];
        int r;

        digest_format(&last->d.digest, digest);
        r = progress_status(&p->progress, NULL, "%s: digest: %s size: %llu", p->reference.tag, digest, (unsigned long long) last->d.size);
        if (r >= 0)
                r = progress_aux(&p->progress, json_pack("{s:s, s:s, s:I}", "Tag", p->reference.tag, "Digest", digest, "Size", (json_int_t) last->d.size));
        if (r >= 0 && partly) {
                digest_format(&e->index, index);
                r = progress_aux(&p->progress, json_pack("{s:b, s:{s:s}, s:{s:s, s:s, s:I}}", "manifestPushedInsteadOfIndex", 1, "originalIndex", "digest", index,
                                                         "selectedManifest", "mediaType", media_type_name(last->type), "digest", digest, "size",
                                                         (json_int_t) last->d.size));
        }
        return r;
}

static int announce(struct push *p) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < p->n_blobs; i++)
                if (p->blobs[i].is_layer)
                        r = progress_layer(&p->progress, p->blobs[i].short_id, "Preparing");
        return r;
}

static int push_one(struct push *p, const struct image_push *asked, struct err *err) {
        const struct image_pull access = {
                .username = asked->username, .password = asked->password, .identity_token = asked->identity_token, .server = asked->server, .insecure = asked->insecure,
        };
        struct entry e;
        bool partly;
        int r = find(p, &e, err);

        if (r >= 0 && asked->platform && *asked->platform)
                r = check_platform(p, &e, asked->platform, err);
        if (r >= 0)
                r = choose(p, &e, asked->platform && *asked->platform, &partly, err);
        if (r < 0)
                return r;
        find_mount(p);
        r = fetcher_start(p->store, &access, &p->reference, &(struct fetcher_use) { .push = true, .from = *p->from ? p->from : NULL }, &p->fetcher, err);
        if (r < 0)
                return r;
        r = announce(p) < 0 ? canceled(err) : send_all(p, err);
        worker_kill(&p->fetcher.worker);
        if (r >= 0 && tell_result(p, &e, partly) < 0)
                r = canceled(err);
        return r;
}

static int push_named(struct push *p, const struct image_push *asked, struct err *err) {
        auto_free struct push_blob *blobs = calloc(BLOBS_MAX, sizeof(*blobs));
        int r;

        if (!blobs)
                return err_errno(err, -ENOMEM, "push");
        p->blobs = blobs;
        image_reference_familiar(&p->reference, p->familiar, sizeof(p->familiar));
        r = push_one(p, asked, err);
        forget(p);
        return r < 0 ? err_name(err, p->familiar) : r;
}

/* --- all names of a repository --- */

/* Its tags, one per line. */
static int list_tags(struct push *p, char **ret, struct err *err) {
        char repository[520];
        auto_strbuf b;

        strbuf_init(&b, 1 << 20);
        snprintf(repository, sizeof(repository), "%s/%s", p->reference.registry, p->reference.repository);
        pthread_rwlock_rdlock(&p->store->lock);
        for (size_t i = 0; i < p->store->n_entries; i++) {
                const struct entry *e = p->store->entries[i];
                size_t n = e->name ? entry_repository_length(e->name) : 0;

                if (entry_has_tag(e) && n == strlen(repository) && strncmp(e->name, repository, n) == 0)
                        strbuf_addf(&b, "%s\n", e->name + n + 1);
        }
        pthread_rwlock_unlock(&p->store->lock);
        if (b.size == 0)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "An image does not exist locally with the tag: %s", p->reference.repository);
        *ret = strbuf_take(&b, NULL);
        return *ret ? 0 : err_errno(err, -ENOMEM, "push");
}

int image_push(struct image_store *s, const struct image_push *asked, image_progress_fn progress, void *data, struct err *err) {
        struct push p = { .store = s, .fetcher = { .worker = WORKER_NONE }, .progress = { .fn = progress, .data = data }, .at_once = registries_uploads_at_once(s) };
        auto_free char *tags = NULL;
        char *save = NULL;
        int r = image_reference_parse(asked->reference, &p.reference, err);

        if (r < 0)
                return r;
        if (*p.reference.digest)
                return err_set(err, ERR_INVALID, -EINVAL, "cannot push a digest reference: %s", asked->reference);
        if (strcmp(p.reference.registry, LOCAL_REGISTRY) == 0)
                return err_set(err, ERR_INVALID, -EINVAL, "%s: names under " LOCAL_REGISTRY "/ are of this host only, and never pushed", asked->reference);
        if (asked->all_tags) {
                r = list_tags(&p, &tags, err);
        } else {
                tags = strdup(p.reference.tag);
                r = tags ? 0 : err_errno(err, -ENOMEM, "push");
                image_reference_familiar(&p.reference, p.familiar, sizeof(p.familiar));
                if (r >= 0)
                        r = find(&p, &(struct entry) { 0 }, err);
        }
        if (r >= 0 && progress_status(&p.progress, NULL, "The push refers to repository [%s/%s]", p.reference.registry, p.reference.repository) < 0)
                r = canceled(err);
        for (char *tag = r >= 0 ? strtok_r(tags, "\n", &save) : NULL; tag && r >= 0; tag = strtok_r(NULL, "\n", &save)) {
                snprintf(p.reference.tag, sizeof(p.reference.tag), "%s", tag);
                r = push_named(&p, asked, err);
        }
        return r;
}
