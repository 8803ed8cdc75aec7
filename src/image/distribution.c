/* SPDX-License-Identifier: Apache-2.0 */
/* What a registry says of an image, without pulling it: the descriptor of what the name stands for, and the platforms it is for. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "image/fetcher.h"
#include "image/manifest.h"
#include "image/sources.h"

#define LOCAL_REGISTRY "kist.local"

static json_t *platform_json(const struct platform *p) {
        return json_pack("{s:s, s:s, s:s*}", "architecture", p->arch, "os", p->os, "variant", *p->variant ? p->variant : NULL);
}

/* Entries without a platform (signatures, provenance: "unknown") are no platforms. */
static void add_platforms_of_index(const json_t *index, json_t *list) {
        json_t *entries = json_get_array(index, "manifests"), *entry;
        struct platform p;
        size_t i;

        json_array_foreach(entries, i, entry) {
                const json_t *given = json_get_object(entry, "platform");

                if (!given || i >= INDEX_ENTRIES_MAX)
                        continue;
                platform_from_json(given, &p);
                if (*p.os && strcmp(p.os, "unknown") != 0)
                        json_array_append_new(list, platform_json(&p));
        }
}

/* A single image's own, from its config; an artifact has none. */
static int platform_of_image(struct fetcher *f, const json_t *object, enum media_type type, const char *what, json_t **ret, struct err *err) {
        auto_image_config config = { 0 };
        auto_manifest manifest = { 0 };
        auto_free char *text = NULL;
        int r;

        if (manifest_is_artifact(object))
                return manifest_parse_any(object, type, what, &manifest, err);
        r = manifest_parse(object, type, what, &manifest, err);
        if (r < 0 || (r = fetcher_get_blob(f, &manifest.config, &text, err)) < 0 ||
            (r = image_config_parse(text, manifest.config.size, what, &config, err)) < 0)
                return r;
        *ret = platform_json(&config.platform);
        return *ret ? 0 : err_errno(err, -ENOMEM, "%s", what);
}

/* Its very bytes, and its whole name. */
static int add_text(json_t *found, const struct image_reference *reference, const char *text, size_t size, json_t *platform) {
        json_t *descriptor = json_get_object(found, "Descriptor");
        char canonical[600];

        image_reference_canonical(reference, canonical, sizeof(canonical));
        if (platform && json_object_set(descriptor, "platform", platform) < 0)
                return -ENOMEM;
        return json_object_set_new(found, "Reference", json_string(canonical)) < 0 || json_object_set_new(found, "Manifest", json_stringn(text, size)) < 0 ? -ENOMEM : 0;
}

static int read_remote(struct fetcher *f, const struct image_reference *reference, const char *familiar, bool whole, json_t **ret, struct err *err) {
        auto_json *object = NULL, *platforms = json_array(), *platform = NULL, *found = NULL;
        const char *name = *reference->digest ? reference->digest : reference->tag, *kind;
        char media_type[128], digest_text[DIGEST_TEXT_SIZE];
        auto_free char *text = NULL;
        struct digest digest;
        enum media_type type;
        size_t size;
        int r = fetcher_get_manifest(f, name, &text, &size, media_type, err);

        if (r < 0 || (r = manifest_check_type(media_type, text, size, familiar, &type, &object, err)) < 0)
                return r;
        if (media_type_is_index(type))
                add_platforms_of_index(object, platforms);
        else if ((r = platform_of_image(f, object, type, familiar, &platform, err)) < 0)
                return r;
        if (platform)
                json_array_append(platforms, platform);
        digest_of(text, size, &digest);
        digest_format(&digest, digest_text);
        kind = manifest_artifact_type(object);
        found = json_pack("{s:{s:s, s:s, s:I, s:s*}, s:O}", "Descriptor", "mediaType", media_type_name(type), "digest", digest_text, "size", (json_int_t) size, "artifactType",
                          kind, "Platforms", platforms);
        if (!found || (whole && add_text(found, reference, text, size, platform) < 0))
                return err_errno(err, -ENOMEM, "%s", familiar);
        *ret = take_ptr(&found);
        return 0;
}

int image_describe_remote(struct image_store *s, const struct image_pull *asked, bool whole, json_t **ret, struct err *err) {
        struct image_reference reference;
        struct sources sources;
        char familiar[600];
        int r = image_reference_parse(asked->reference, &reference, err);

        if (r < 0)
                return r;
        image_reference_familiar(&reference, familiar, sizeof(familiar));
        if (!strcmp(reference.registry, LOCAL_REGISTRY))
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "%s: names under " LOCAL_REGISTRY "/ are of this host only, and in no registry", familiar);
        sources_init(&sources, s, asked, &reference);
        r = sources_start(&sources, err);
        if (r >= 0)
                r = read_remote(&sources.fetcher, &reference, familiar, whole, ret, err);
        while (r < 0 && sources_next(&sources, r, err))
                r = read_remote(&sources.fetcher, &reference, familiar, whole, ret, err);
        sources_done(&sources);
        return r < 0 ? err_name(err, familiar) : r;
}
