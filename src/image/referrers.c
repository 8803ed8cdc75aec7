/* SPDX-License-Identifier: Apache-2.0 */
#include "image/referrers.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

enum { TAG_SIZE = 72, PAGES_MAX = 100, TYPE_LENGTH_MAX = 255 };

bool referrers_subject_of(const json_t *object, struct digest *ret) {
        struct descriptor d;

        if (descriptor_parse(json_get_object(object, "subject"), "subject", &d, NULL) < 0)
                return false;
        *ret = d.digest;
        return true;
}

/* --- where the registry has no API --- */

static void fallback_tag(const struct digest *subject, char ret[TAG_SIZE]) {
        char hex[DIGEST_HEX_SIZE];

        digest_format_hex(subject, hex);
        snprintf(ret, TAG_SIZE, "sha256-%s", hex);
}

/* *ret_list: its entries, the caller's; none when there is no such tag. */
static int read_fallback(struct fetcher *f, const struct digest *subject, json_t **ret_list, struct err *err) {
        auto_json *index = NULL;
        auto_free char *text = NULL;
        char tag[TAG_SIZE], media_type[128];
        enum media_type type;
        json_t *list;
        size_t size;
        int r;

        fallback_tag(subject, tag);
        r = fetcher_get_manifest(f, tag, &text, &size, media_type, err);
        if (r < 0 && err->kind == ERR_NOT_FOUND) {
                *ret_list = json_array();
                return *ret_list ? 0 : err_errno(err, -ENOMEM, "referrers");
        }
        if (r >= 0)
                r = manifest_check_type(media_type, text, size, tag, &type, &index, err);
        if (r >= 0 && type != MEDIA_OCI_INDEX)
                r = err_set(err, ERR_INVALID, -EINVAL, "%s is not an index of referrers", tag);
        if (r < 0)
                return r;
        list = json_get_array(index, "manifests");
        *ret_list = list ? json_incref(list) : json_array();
        return 0;
}

static int write_fallback(struct fetcher *f, const struct digest *subject, json_t *list, struct err *err) {
        auto_json *index = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType", media_type_name(MEDIA_OCI_INDEX), "manifests", list);
        auto_free char *text = index ? json_text(index) : NULL;
        char tag[TAG_SIZE];

        fallback_tag(subject, tag);
        if (!text)
                return err_errno(err, -ENOMEM, "referrers");
        if (strlen(text) > MANIFEST_SIZE_MAX)
                return err_set(err, ERR_TOO_LARGE, -EFBIG, "the index of referrers %s would be longer than %d bytes", tag, MANIFEST_SIZE_MAX);
        return fetcher_put_text(f, tag, MEDIA_OCI_INDEX, text, strlen(text), NULL, err);
}

static bool find(const json_t *list, const struct digest *d, size_t *ret) {
        char digest[DIGEST_TEXT_SIZE];
        const json_t *entry;
        size_t i;

        digest_format(d, digest);
        json_array_foreach(list, i, entry)
                if (strcmp(json_get_str(entry, "digest", ""), digest) == 0) {
                        *ret = i;
                        return true;
                }
        return false;
}

/* As the API would show it. */
static json_t *entry_for(const struct descriptor *d, enum media_type type, const json_t *object) {
        const char *kind = manifest_artifact_type(object), *config = json_get_str(json_get_object(object, "config"), "mediaType", NULL);
        json_t *annotations = json_get_object(object, "annotations");
        char digest[DIGEST_TEXT_SIZE];

        digest_format(&d->digest, digest);
        return json_pack("{s:s, s:s, s:I, s:s*, s:O*}", "mediaType", media_type_name(type), "digest", digest, "size", (json_int_t) d->size, "artifactType", kind ? kind : config,
                         "annotations", annotations);
}

int referrers_note(struct fetcher *f, const struct descriptor *d, enum media_type type, const json_t *object, struct err *err) {
        auto_json *list = NULL;
        struct err local = { 0 };
        struct digest subject;
        size_t at;
        int r;

        if (!err)
                err = &local; /* reasons are looked at here */
        if (!referrers_subject_of(object, &subject))
                return 0;
        r = read_fallback(f, &subject, &list, err);
        if (r < 0 || find(list, &d->digest, &at))
                return r;
        if (json_array_size(list) >= INDEX_ENTRIES_MAX)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "more than %d referrers of one subject", INDEX_ENTRIES_MAX);
        if (json_array_append_new(list, entry_for(d, type, object)) < 0)
                return err_errno(err, -ENOMEM, "referrers");
        return write_fallback(f, &subject, list, err);
}

/* --- the API --- */

static int first_place(const char *repository, const struct digest *subject, char **ret, struct err *err) {
        char digest[DIGEST_TEXT_SIZE];

        digest_format(subject, digest);
        *ret = str_format("v2/%s/referrers/%s", repository, digest);
        return *ret ? 0 : err_errno(err, -ENOMEM, "referrers");
}

static int get_page(struct fetcher *f, const char *place, json_t **ret_list, char **ret_next, struct err *err) {
        auto_json *answer = NULL;
        const char *type;
        int r = fetcher_get_place(f, place, media_type_name(MEDIA_OCI_INDEX), &answer, ret_next, err);

        if (r < 0)
                return r;
        type = json_get_str(answer, "mediaType", media_type_name(MEDIA_OCI_INDEX));
        if (!json_get_array(answer, "manifests") || media_type_parse(type) != MEDIA_OCI_INDEX)
                return err_set(err, ERR_INVALID, -EINVAL, "the registry answers with something else than a list of referrers");
        *ret_list = json_incref(json_get_array(answer, "manifests"));
        return 0;
}

/* ERR_NOT_FOUND: it has none. */
static int read_api(struct fetcher *f, const char *repository, const struct digest *subject, json_t **ret_list, struct err *err) {
        auto_json *all = json_array();
        auto_free char *place = NULL;
        int r = first_place(repository, subject, &place, err);

        for (int page = 0; r >= 0 && place; page++) {
                auto_json *list = NULL;
                char *next = NULL;

                if (page == PAGES_MAX)
                        return err_set(err, ERR_TOO_LARGE, -E2BIG, "the registry has more than %d pages of referrers", PAGES_MAX);
                r = get_page(f, place, &list, &next, err);
                if (r < 0 && page > 0 && err->kind == ERR_NOT_FOUND)
                        r = err_set(err, ERR_UNAVAILABLE, -EBADMSG, "the registry does not have all of its list of referrers");
                free(place);
                place = next;
                if (r >= 0 && (json_array_size(all) + json_array_size(list) > INDEX_ENTRIES_MAX))
                        r = err_set(err, ERR_TOO_LARGE, -E2BIG, "more than %d referrers of one subject", INDEX_ENTRIES_MAX);
                if (r >= 0 && json_array_extend(all, list) < 0)
                        r = err_errno(err, -ENOMEM, "referrers");
        }
        if (r >= 0)
                *ret_list = take_ptr(&all);
        return r;
}

int referrers_forget(struct fetcher *f, const char *repository, const struct digest *subject, const struct digest *deleted, struct err *err) {
        auto_json *list = NULL;
        struct err local = { 0 };
        size_t at;
        int r;

        if (!err)
                err = &local;
        r = read_api(f, repository, subject, &list, err);
        if (r >= 0 || err->kind != ERR_NOT_FOUND)
                return r;
        r = read_fallback(f, subject, &list, err);
        if (r < 0 || !find(list, deleted, &at))
                return r;
        json_array_remove(list, at);
        return write_fallback(f, subject, list, err);
}

/* --- what is asked for --- */

static bool is_media_type(const char *text) {
        size_t n = strlen(text);

        for (size_t i = 0; i < n; i++)
                if (!isalnum((unsigned char) text[i]) && !strchr("!#$&-^_.+/;= ", text[i]))
                        return false;
        return n > 0 && n <= TYPE_LENGTH_MAX;
}

/* Those of the wanted type. What the registry filters, or not, does not count. */
static int take_fitting(const json_t *list, const char *wanted, json_t *to, struct err *err) {
        struct descriptor d;
        json_t *entry;
        size_t i;

        json_array_foreach(list, i, entry) {
                const char *type = json_get_str(entry, "artifactType", ""), *media = json_get_str(entry, "mediaType", "");
                int r = descriptor_parse(entry, "referrers", &d, err);

                if (r < 0)
                        return r;
                if ((*type && !is_media_type(type)) || media_type_parse(media) == MEDIA_UNKNOWN)
                        return err_set(err, ERR_INVALID, -EINVAL, "a referrer of the media type \"%.100s\" and the artifact type \"%.100s\" is none", media, type);
                if ((!wanted || strcmp(wanted, type) == 0) && json_array_append(to, entry) < 0)
                        return err_errno(err, -ENOMEM, "referrers");
        }
        return 0;
}

static int list_referrers(struct fetcher *f, const struct image_reference *reference, const char *wanted, json_t **ret, struct err *err) {
        auto_json *all = NULL, *fitting = json_array();
        char digest[DIGEST_TEXT_SIZE];
        bool has_api = true;
        struct digest subject;
        int r = fetcher_resolve(f, reference, &subject, err);

        if (r < 0)
                return r;
        r = read_api(f, reference->repository, &subject, &all, err);
        if (r < 0 && err->kind == ERR_NOT_FOUND) {
                has_api = false;
                r = read_fallback(f, &subject, &all, err);
        }
        if (r >= 0)
                r = take_fitting(all, wanted, fitting, err);
        if (r < 0)
                return r;
        digest_format(&subject, digest);
        *ret = json_pack("{s:s, s:s, s:O}", "Subject", digest, "Source", has_api ? "api" : "tag", "Manifests", fitting);
        return *ret ? 0 : err_errno(err, -ENOMEM, "referrers");
}

int image_referrers(struct image_store *s, const struct image_pull *asked, const char *artifact_type, json_t **ret, struct err *err) {
        struct fetcher f = { .worker = WORKER_NONE };
        struct image_reference reference;
        struct err local = { 0 };
        char familiar[600] = "";
        int r;

        if (!err)
                err = &local;
        r = fetcher_open(s, asked, NULL, &reference, familiar, &f, err);
        if (r >= 0)
                r = list_referrers(&f, &reference, artifact_type, ret, err);
        return fetcher_close(&f, r, familiar, err);
}
