/* SPDX-License-Identifier: Apache-2.0 */
/* Pulling an image: tag → (index → platform →) manifest → config → layers → name. One fetch worker, one unpack worker per layer
 * under way, and this thread between them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/blobs.h"
#include "image/fetcher.h"
#include "image/import.h"
#include "image/progress.h"
#include "image/transfer.h"

#define LOCAL_REGISTRY "kist.local"

struct pull {
        struct image_store *store;
        struct image_reference reference;
        struct platform platform;
        bool explicit_platform;
        char familiar[600];
        struct fetcher fetcher;
        struct progress progress;
};

static int canceled(struct err *err) {
        return err_set(err, ERR_UNAVAILABLE, -ECANCELED, "canceled");
}

static int get_manifest(void *data, const struct descriptor *d, char **ret, size_t *ret_size, char media_type[128], struct err *err) {
        struct pull *p = data;
        char digest[DIGEST_TEXT_SIZE];

        digest_format(&d->digest, digest);
        return fetcher_get_manifest(&p->fetcher, digest, ret, ret_size, media_type, err);
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
        return fetcher_get_blob(&p->fetcher, d, ret, err);
}

static int read_image(struct pull *p, struct import *i, struct err *err) {
        const struct import_source source = { .manifest = get_manifest, .config = get_config, .data = p };
        const char *name = *p->reference.digest ? p->reference.digest : p->reference.tag;
        char media_type[128], *text;
        size_t size;
        int r = fetcher_get_manifest(&p->fetcher, name, &text, &size, media_type, err);

        if (r < 0 && err && err->kind == ERR_NOT_FOUND)
                return err_prefix(err, str_starts_with(err->msg, "not found") ? "manifest for %s" : "manifest for %s not found",
                                  p->familiar);
        if (r < 0)
                return err_prefix(err, "%s", p->familiar);
        r = import_read(i, &source, text, size, media_type, &p->platform, p->explicit_platform, p->familiar, err);
        /* "no matching manifest for …" stands alone, as clients know it. */
        if (r < 0 && err && !strstr(err->msg, p->familiar) && strncmp(err->msg, "no matching", 11) != 0)
                err_prefix(err, "%s", p->familiar);
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

static int move_image(struct pull *p, const struct import *i, struct err *err) {
        bool present = import_is_present(p->store, i), is_new = false;
        struct transfer t;
        char name[600];
        int r = transfer_init(&t, p->store, &i->manifest, &i->config, &p->progress, err);

        name_of(p, name, sizeof(name));
        t.fetcher = &p->fetcher;
        if (r >= 0 && !present)
                r = announce_layers(p, &t, err);
        if (r >= 0)
                r = transfer_run(&t, err);
        if (r >= 0)
                r = import_commit(p->store, i, &t, (const char *[]){ name }, 1, true, &is_new, err);
        transfer_done(&t, r >= 0);
        if (r < 0)
                return err && !strstr(err->msg, p->familiar) ? err_prefix(err, "%s", p->familiar) : r;
        return tell_result(p, i, is_new, err);
}

static int run(struct pull *p, const struct image_pull *asked, struct err *err) {
        auto_import i = { 0 };
        int r;

        r = fetcher_start(p->store, asked, &p->reference, NULL, &p->fetcher, err);
        if (r < 0)
                return r;
        r = read_image(p, &i, err);
        /* Not before: as long as nothing was told, a front door can still answer with the status that fits the error. */
        if (r >= 0 && progress_status(&p->progress, *p->reference.digest ? p->reference.digest : p->reference.tag, "Pulling from %s",
                                      p->reference.repository) < 0)
                r = canceled(err);
        if (r >= 0)
                r = move_image(p, &i, err);
        worker_kill(&p->fetcher.worker);
        return r;
}

int image_pull(struct image_store *s, const struct image_pull *asked, image_progress_fn progress, void *data, struct err *err) {
        struct pull p = { .store = s, .fetcher = { .worker = WORKER_NONE }, .progress = { .fn = progress, .data = data } };
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
        store_busy_begin(s);
        r = run(&p, asked, err);
        store_busy_end(s);
        return r;
}
