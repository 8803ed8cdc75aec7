/* SPDX-License-Identifier: Apache-2.0 */
/* Deleting what a registry has: by its digest a manifest, with all its tags; by a tag only that, of a registry that can do so. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "image/fetcher.h"
#include "image/manifest.h"
#include "image/referrers.h"

static int ask(struct fetcher *f, const char *name, struct err *err) {
        return fetcher_ask(f, json_pack("{s:s, s:s}", "op", "delete", "reference", name), -EBADF, NULL, err);
}

static int delete_manifest(struct fetcher *f, const struct image_reference *reference, const char *familiar, struct err *err) {
        auto_json *object = NULL;
        auto_free char *text = NULL;
        struct digest deleted, subject;
        char media_type[128];
        enum media_type type;
        bool refers = false;
        size_t size;
        int r = fetcher_get_manifest(f, reference->digest, &text, &size, media_type, err);

        if (r < 0)
                return r;
        /* One that is of no known kind may be deleted, too. */
        if (manifest_check_type(media_type, text, size, familiar, &type, &object, NULL) >= 0)
                refers = referrers_subject_of(object, &subject);
        r = ask(f, reference->digest, err);
        if (r < 0 || !refers || !digest_parse(reference->digest, &deleted))
                return r;
        r = referrers_forget(f, reference->repository, &subject, &deleted, err);
        return r < 0 ? err_prefix(err, "%s is deleted, but is still listed as a referrer", familiar) : 0;
}

static int delete_tag(struct fetcher *f, const struct image_reference *reference, struct err *err) {
        struct image_reference named = *reference;
        char familiar[600];
        struct digest d;
        struct err said;
        int r = ask(f, reference->tag, err);

        if (r >= 0 || err->kind != ERR_UNSUPPORTED)
                return r;
        said = *err;
        r = fetcher_resolve(f, reference, &d, err);
        if (r < 0)
                return r;
        *named.tag = '\0';
        digest_format(&d, named.digest);
        image_reference_familiar(&named, familiar, sizeof(familiar));
        return err_set(err, ERR_UNSUPPORTED, said.num, "%s; %s is what it names, and is deleted with all its tags", said.msg, familiar);
}

int image_delete_remote(struct image_store *s, const struct image_pull *asked, json_t **ret, struct err *err) {
        struct fetcher f = { .worker = WORKER_NONE };
        struct image_reference reference;
        struct err local = { 0 };
        char familiar[600] = "";
        int r;

        if (!err)
                err = &local; /* reasons are looked at here */
        r = fetcher_open(s, asked, &(struct fetcher_use) { .push = true, .remove = true }, &reference, familiar, &f, err);
        if (r >= 0)
                r = *reference.digest ? delete_manifest(&f, &reference, familiar, err) : delete_tag(&f, &reference, err);
        r = fetcher_close(&f, r, familiar, err);
        if (r < 0)
                return r;
        *ret = json_pack("[{s:s}]", *reference.digest ? "Deleted" : "Untagged", familiar);
        return *ret ? 0 : err_errno(err, -ENOMEM, "%s", familiar);
}
