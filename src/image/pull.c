/* SPDX-License-Identifier: Apache-2.0 */
/* Pulling an image: tag → (index → platform →) manifest → config → layers → name. One fetch worker, one unpack worker per layer
 * under way, and this thread between them. It is asked of the mirrors of the registry in their order, then of the registry itself; who fails in the middle
 * of the layers is followed by the next one, which goes on where that was: bytes are known by their digests, whoever sends them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/artifact.h"
#include "image/blobs.h"
#include "image/fetcher.h"
#include "image/import.h"
#include "image/progress.h"
#include "image/registries.h"
#include "image/sources.h"
#include "image/transfer.h"

#define LOCAL_REGISTRY "kist.local"

struct pull {
        struct image_store *store;
        struct image_reference reference;
        struct platform platform;
        bool explicit_platform;
        char familiar[600];
        struct sources sources;
        struct progress progress;
};

static int canceled(struct err *err) {
        return err_set(err, ERR_UNAVAILABLE, -ECANCELED, "canceled");
}

/* --- texts --- */

/* Only Docker's must say what they are. */
static void type_of(const char *text, size_t size, char media_type[128]) {
        auto_json *object = NULL;

        json_parse(text, size, MANIFEST_SIZE_MAX, "manifest", &object, NULL);
        snprintf(media_type, 128, "%s", json_get_str(object, "mediaType", media_type_name(MEDIA_OCI_MANIFEST)));
}

static int get_manifest(void *data, const struct descriptor *d, char **ret, size_t *ret_size, char media_type[128], struct err *err) {
        struct pull *p = data;
        char digest[DIGEST_TEXT_SIZE];

        /* Of an unchanged index it is here. */
        if (blob_read(p->store->blobs_fd, &d->digest, MANIFEST_SIZE_MAX, ret, ret_size, NULL) >= 0) {
                type_of(*ret, *ret_size, media_type);
                return 0;
        }
        digest_format(&d->digest, digest);
        return fetcher_get_manifest(&p->sources.fetcher, digest, ret, ret_size, media_type, err);
}

/* Configs are often there already: of the same image under another tag, or of the same tag from yesterday. */
static int get_config(void *data, const struct descriptor *d, char **ret, struct err *err) {
        struct pull *p = data;
        auto_free char *text = NULL;
        size_t size;

        if (blob_read(p->store->blobs_fd, &d->digest, CONFIG_SIZE_MAX, &text, &size, NULL) >= 0 && size == d->size) {
                *ret = take_ptr(&text);
                return 0;
        }
        return fetcher_get_blob(&p->sources.fetcher, d, ret, err);
}

static bool is_known(struct pull *p) {
        char canonical[600];
        struct digest d;
        bool known;

        if (digest_parse(p->reference.digest, &d))
                return blob_exists(p->store->blobs_fd, &d);
        image_reference_canonical(&p->reference, canonical, sizeof(canonical));
        pthread_rwlock_rdlock(&p->store->lock);
        known = entry_find_canonical(p->store, canonical);
        pthread_rwlock_unlock(&p->store->lock);
        return known;
}

/* What the name stands for. Of an image that is here the registry is first asked whether it is still that: this costs it, and a limit of it, nothing. */
static int get_named(struct pull *p, const char *name, char **ret, size_t *ret_size, char media_type[128], struct err *err) {
        struct digest now = { 0 };
        static const struct digest none;
        int r = 0;

        if (is_known(p)) {
                r = fetcher_get_digest(&p->sources.fetcher, name, &now, media_type, err);
                if (r >= 0 && !digest_equal(&now, &none) && blob_read(p->store->blobs_fd, &now, MANIFEST_SIZE_MAX, ret, ret_size, NULL) >= 0)
                        return 0;
                /* Some do not know that kind of question. */
                if (r < 0 && err && err->kind != ERR_INVALID && err->kind != ERR_NOT_FOUND)
                        return r;
        }
        return fetcher_get_manifest(&p->sources.fetcher, name, ret, ret_size, media_type, err);
}

static int read_image(struct pull *p, struct import *i, struct err *err) {
        const struct import_source source = { .manifest = get_manifest, .config = get_config, .data = p, .artifacts = true };
        const char *name = *p->reference.digest ? p->reference.digest : p->reference.tag;
        char media_type[128], *text;
        size_t size;
        int r = get_named(p, name, &text, &size, media_type, err);

        if (r < 0 && err && err->kind == ERR_NOT_FOUND)
                return err_prefix(err, str_starts_with(err->msg, "not found") ? "manifest for %s" : "manifest for %s not found",
                                  p->familiar);
        if (r < 0)
                return err_prefix(err, "%s", p->familiar);
        r = import_read(i, &source, text, size, media_type, &p->platform, p->explicit_platform, p->familiar, err);
        /* "no matching manifest for …" stands alone, as clients know it. */
        if (r < 0 && err && strncmp(err->msg, "no matching", 11) != 0)
                err_name(err, p->familiar);
        return r;
}

static int announce_layers(struct pull *p, const struct transfer *t, struct err *err) {
        for (size_t i = 0; i < t->n_layers; i++)
                if (progress_layer(&p->progress, t->layers[i].short_id, "Pulling fs layer") < 0)
                        return canceled(err);
        return 0;
}

static int tell_result(struct pull *p, const struct import *i, bool is_new, struct err *err) {
        char digest[DIGEST_TEXT_SIZE];

        digest_format(i->has_index ? &i->index_digest : &i->manifest_digest, digest);
        /* It is done: whether anybody still listens does not matter. */
        if (progress_status(&p->progress, NULL, "Digest: %s", digest) >= 0)
                progress_status(&p->progress, NULL, is_new ? "Status: Downloaded newer image for %s" : "Status: Image is up to date for %s",
                                p->familiar);
        return 0;
}

static void name_of(const struct pull *p, char *ret, size_t size) {
        struct image_reference r = p->reference;

        /* A name with a digest does not make the tag point there. */
        if (*r.digest)
                *r.tag = '\0';
        image_reference_canonical(&r, ret, size);
}

static int run_transfer(struct pull *p, struct transfer *t, struct err *err) {
        int r = transfer_run(t, err);

        while (r < 0 && sources_next(&p->sources, r, err)) {
                transfer_continue(t, &p->sources.fetcher);
                r = transfer_run(t, err);
        }
        return r;
}

static int move_image(struct pull *p, const struct import *i, struct err *err) {
        bool discard = registries_discard_blobs(p->store, p->sources.asked->discard), present = import_is_present(p->store, i, discard), is_new = false;
        struct transfer t;
        char name[600];
        int r = transfer_init(&t, p->store, &i->manifest, &i->config, &p->progress, err);

        name_of(p, name, sizeof(name));
        t.fetcher = &p->sources.fetcher;
        t.discard = discard;
        if (r >= 0 && !present)
                r = announce_layers(p, &t, err);
        t.at_once = registries_downloads_at_once(p->store);
        if (r >= 0)
                r = run_transfer(p, &t, err);
        if (r >= 0)
                r = import_commit(p->store, i, &t, (const char *[]){ name }, 1, true, &is_new, err);
        transfer_done(&t, r >= 0);
        if (r < 0)
                return err_name(err, p->familiar);
        return tell_result(p, i, is_new, err);
}

static int move_artifact(struct pull *p, const struct import *i, struct err *err) {
        bool is_new = false;
        char name[600];
        int r = artifact_check_discard(p->sources.asked->discard, p->familiar, err);

        if (r < 0)
                return r;
        name_of(p, name, sizeof(name));
        r = artifact_pull(p->store, i, &p->sources, &p->progress, name, &is_new, err);
        if (r < 0)
                return err_name(err, p->familiar);
        return tell_result(p, i, is_new, err);
}

/* Whose manifest it is, is decided by the first one that has it. */
static int read_from_any(struct pull *p, struct import *i, struct err *err) {
        int r = sources_start(&p->sources, err);

        if (r >= 0)
                r = read_image(p, i, err);
        while (r < 0 && sources_next(&p->sources, r, err)) {
                import_done(i);
                *i = (struct import) { 0 };
                r = read_image(p, i, err);
        }
        return r;
}

static int run(struct pull *p, struct err *err) {
        auto_import i = { 0 };
        int r = read_from_any(p, &i, err);

        /* Not before: as long as nothing was told, a front door can still answer with the status that fits the error. */
        if (r >= 0 && progress_status(&p->progress, *p->reference.digest ? p->reference.digest : p->reference.tag, "Pulling from %s",
                                      p->reference.repository) < 0)
                r = canceled(err);
        if (r >= 0)
                r = i.artifact ? move_artifact(p, &i, err) : move_image(p, &i, err);
        return r;
}

int image_pull(struct image_store *s, const struct image_pull *asked, image_progress_fn progress, void *data, struct err *err) {
        struct pull p = { .store = s, .progress = { .fn = progress, .data = data } };
        int r = image_reference_parse(asked->reference, &p.reference, err);

        if (r < 0)
                return r;
        image_reference_familiar(&p.reference, p.familiar, sizeof(p.familiar));
        if (strcmp(p.reference.registry, LOCAL_REGISTRY) == 0)
                return err_set(err, ERR_NOT_FOUND, -ENOENT,
                               "No such image: %s: names under " LOCAL_REGISTRY "/ are of this host only, and never pulled", p.familiar);
        p.explicit_platform = asked->platform && *asked->platform;
        r = platform_parse(asked->platform, &p.platform, err);
        if (r < 0)
                return r;
        sources_init(&p.sources, s, asked, &p.reference);
        store_busy_begin(s);
        r = run(&p, err);
        sources_done(&p.sources);
        store_busy_end(s);
        return r;
}
