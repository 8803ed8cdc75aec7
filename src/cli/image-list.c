/* SPDX-License-Identifier: Apache-2.0 */
/* images, history. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/listing.h"
#include "cli/table.h"

enum { CREATED_BY_LETTERS = 45 };

static const struct listing_column image_columns_[] = {
        { "ID", "IMAGE ID" },     { "Repository", "REPOSITORY" }, { "Tag", "TAG" },           { "Digest", "DIGEST" },
        { "CreatedSince", "CREATED" }, { "CreatedAt", "CREATED AT" }, { "Size", "SIZE" },     { "Containers", "CONTAINERS" },
        { "VirtualSize", "SIZE" },     { "SharedSize", "SHARED SIZE" }, { "UniqueSize", "UNIQUE SIZE" }, { 0 },
};

static void size_or_none(int64_t bytes, char ret[32]) {
        if (bytes < 0)
                snprintf(ret, 32, "N/A");
        else
                human_size((uint64_t) bytes, ret);
}

static json_t *image_columns(const json_t *image, const char *repository, const char *tag, const char *digest, bool whole) {
        auto_free char *id = listing_id(json_get_str(image, "Id", ""), whole);
        int64_t size = json_get_int(image, "Size", 0), shared = json_get_int(image, "SharedSize", -1), containers = json_get_int(image, "Containers", -1);
        char ago[64], date[64], sizes[3][32];

        listing_ago(json_get_int(image, "Created", 0), ago);
        listing_date(json_get_int(image, "Created", 0), date);
        size_or_none(size, sizes[0]);
        size_or_none(shared, sizes[1]);
        size_or_none(shared < 0 ? -1 : size - shared, sizes[2]);
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s}", "ID", id, "Repository", repository, "Tag", tag, "Digest", digest, "CreatedSince",
                         ago, "CreatedAt", date, "Size", sizes[0], "Containers", containers < 0 ? json_string("N/A") : json_sprintf("%lld", (long long) containers),
                         "VirtualSize", sizes[0], "SharedSize", sizes[1], "UniqueSize", sizes[2]);
}

/* "localhost:5000/a:1", "a@sha256:…" → before and behind. */
static void split(const char *text, const char *at, char repository[512], char behind[160]) {
        snprintf(repository, 512, "%.*s", at ? (int) (at - text) : (int) strlen(text), text);
        snprintf(behind, 160, "%s", at ? at + 1 : "<none>");
}

static void split_tag(const char *reference, char repository[512], char tag[160]) {
        const char *colon = strrchr(reference, ':');

        split(reference, colon && !strchr(colon, '/') ? colon : NULL, repository, tag);
}

/* One row per name, and with digests one per name and digest of the same repository. */
int image_rows(const json_t *image, bool digests, bool whole, int (*row)(const json_t *row, void *data, struct err *err), void *data, struct err *err) {
        json_t *tags = json_get_array(image, "RepoTags"), *all = json_get_array(image, "RepoDigests");
        size_t n = json_array_size(tags), m = json_array_size(all), i, k;

        for (i = 0; i < (n ? n : 1); i++) {
                char repository[512] = "<none>", tag[160] = "<none>", digest[160] = "<none>", other[512];
                bool found = false;

                if (n)
                        split_tag(json_string_value(json_array_get(tags, i)), repository, tag);
                for (k = 0; k < m && (digests || !n); k++) {
                        const char *text = json_string_value(json_array_get(all, k));
                        auto_json *one = NULL;
                        int r;

                        split(text, strchr(text, '@'), other, digest);
                        if (n && strcmp(other, repository) != 0)
                                continue;
                        found = true;
                        one = image_columns(image, n ? repository : other, tag, digests ? digest : "<none>", whole);
                        if ((r = row(one, data, err)) < 0)
                                return r;
                }
                if (!found) {
                        auto_json *one = image_columns(image, repository, tag, "<none>", whole);
                        int r = row(one, data, err);

                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static int add_row(const json_t *row, void *data, struct err *err) {
        return listing_add(data, row, NULL, err);
}

static int run_images(struct client *c, const struct args *a) {
        static const char own[] = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
                          with_digests[] = "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
        const char *format = config_format(args_text(a, "format"), args_flag(a, "quiet"), "imagesFormat");
        bool quiet = args_flag(a, "quiet") && listing_is_table(format), digests = args_flag(a, "digests");
        auto_free char *filters = filters_text(a, args_at(a, 0));
        auto_json *answer = NULL;
        struct err err = { 0 };
        auto_path path = { 0 };
        struct listing *l;
        json_t *image;
        int r;
        size_t i;

        if (listing_new(quiet ? "{{.ID}}" : format, digests ? with_digests : own, image_columns_, &l, &err) < 0)
                return client_complain(&err, 1);
        digests = digests || (!quiet && listing_wants(l, "Digest"));
        path_init(&path, "/images/json");
        path_query_flag(&path, "all", args_flag(a, "all"));
        path_query(&path, "filters", filters);
        r = client_call(c, "GET", &path, NULL, &answer, &err);
        json_array_foreach(answer, i, image)
                if ((r = image_rows(image, digests, args_flag(a, "no-trunc"), add_row, l, &err)) < 0)
                        break;
        listing_close(l, r);
        return r < 0 ? client_complain(&err, 1) : 0;
}

/* --- history --- */

static const struct listing_column history_columns[] = {
        { "ID", "IMAGE" }, { "CreatedAt", "CREATED AT" }, { "CreatedSince", "CREATED" }, { "CreatedBy", "CREATED BY" }, { "Size", "SIZE" }, { "Comment", "COMMENT" },
        { 0 },
};

static json_t *history_row(const json_t *layer, bool whole, bool human) {
        auto_free char *id = listing_id(json_get_str(layer, "Id", "<missing>"), whole);
        auto_free char *by = listing_cut(json_get_str(layer, "CreatedBy", ""), whole ? SIZE_MAX : CREATED_BY_LETTERS);
        int64_t created = json_get_int(layer, "Created", 0), size = json_get_int(layer, "Size", 0);
        char ago[64], date[64], text[32];

        for (char *p = by; p && *p; p++)
                if (*p == '\t')
                        *p = ' ';
        listing_ago(created, ago);
        listing_date(created, date);
        if (human)
                human_size((uint64_t) size, text);
        else
                snprintf(text, sizeof(text), "%lld", (long long) size);
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "ID", id, "CreatedAt", date, "CreatedSince", created == 0 ? "N/A" : human ? ago : date, "CreatedBy", by, "Size", text, "Comment",
                         json_get_str(layer, "Comment", ""));
}

static int run_history(struct client *c, const struct args *a) {
        bool quiet = args_flag(a, "quiet") && listing_is_table(args_text(a, "format")), human = !args_given(a, "human") || args_flag(a, "human");
        auto_free char *name = path_escape(args_at(a, 0));
        auto_json *answer = NULL;
        auto_path path = { 0 };
        struct err err = { 0 };
        struct listing *l;
        json_t *layer;
        int r;
        size_t i;

        if (listing_new(quiet ? "{{.ID}}" : args_text(a, "format"), "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}", history_columns, &l, &err) < 0)
                return client_complain(&err, 1);
        path_init(&path, "/images/%s/history", name);
        r = client_call(c, "GET", &path, NULL, &answer, &err);
        json_array_foreach(answer, i, layer) {
                auto_json *row = history_row(layer, args_flag(a, "no-trunc"), human);

                if ((r = listing_add(l, row, NULL, &err)) < 0)
                        break;
        }
        listing_close(l, r);
        return r < 0 ? client_complain(&err, 1) : 0;
}

static const struct option images_options[] = {
        { 'a', "all", OPTION_FLAG, NULL, "Images without a name as well" },
        { 0, "digests", OPTION_FLAG, NULL, "With the digests of manifests" },
        { 'f', "filter", OPTION_LIST, "KEY=VALUE", "Only those that match: before, dangling, label, reference, since" },
        { 0, "format", OPTION_TEXT, "TEMPLATE", "table, json, or a template: {{.Repository}} {{.Tag}} {{.ID}} …" },
        { 0, "no-trunc", OPTION_FLAG, NULL, "Whole ids" },
        { 'q', "quiet", OPTION_FLAG, NULL, "Ids only" },
        { 0 },
};
static const struct option history_options[] = {
        { 0, "format", OPTION_TEXT, "TEMPLATE", "table, json, or a template: {{.CreatedBy}} {{.Size}} …" },
        { 'H', "human", OPTION_FLAG, NULL, "Sizes and times for people (the default; --human=false: bytes and dates)" },
        { 0, "no-trunc", OPTION_FLAG, NULL, "Whole ids and commands" },
        { 'q', "quiet", OPTION_FLAG, NULL, "Ids only" },
        { 0 },
};

const struct command command_images = {
        "images", "image", "ls", "[OPTIONS] [REPOSITORY[:TAG]]", "List images",
        "  kist images\n  kist images --filter dangling=true -q\n  kist images --format '{{.Repository}}:{{.Tag}} {{.Size}}'\n", images_options, NULL, 0, 1, false, run_images,
};
const struct command command_history = {
        "history", "image", NULL, "[OPTIONS] IMAGE", "Show how an image was made", "  kist history --no-trunc kist.local/busybox\n", history_options, NULL, 1, 1, false,
        run_history,
};
