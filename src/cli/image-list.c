/* SPDX-License-Identifier: Apache-2.0 */
/* images, history. */
#include <errno.h>
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

struct image_row {
        const json_t *image; /* an object of GET /images/json */
        const char *repository, *tag, *digest;
        bool whole;
};

static int64_t member(const void *row, const char *key, int64_t fallback) {
        return json_get_int(((const struct image_row *) row)->image, key, fallback);
}

static void show_id(const void *row, struct strbuf *out) {
        const struct image_row *r = row;
        auto_free char *id = listing_id(json_get_str(r->image, "Id", ""), r->whole);

        strbuf_adds(out, id);
}

static void show_repository(const void *row, struct strbuf *out) {
        strbuf_adds(out, ((const struct image_row *) row)->repository);
}

static void show_tag(const void *row, struct strbuf *out) {
        strbuf_adds(out, ((const struct image_row *) row)->tag);
}

static void show_digest(const void *row, struct strbuf *out) {
        strbuf_adds(out, ((const struct image_row *) row)->digest);
}

static void show_created_since(const void *row, struct strbuf *out) {
        char ago[64];

        listing_ago(member(row, "Created", 0), ago);
        strbuf_adds(out, ago);
}

static void show_created_at(const void *row, struct strbuf *out) {
        char date[64];

        listing_date(member(row, "Created", 0), date);
        strbuf_adds(out, date);
}

static void add_size(int64_t bytes, struct strbuf *out) {
        char text[32] = "N/A";

        if (bytes >= 0)
                human_size((uint64_t) bytes, text);
        strbuf_adds(out, text);
}

static void show_size(const void *row, struct strbuf *out) {
        add_size(member(row, "Size", 0), out);
}

static void show_shared_size(const void *row, struct strbuf *out) {
        add_size(member(row, "SharedSize", -1), out);
}

static void show_unique_size(const void *row, struct strbuf *out) {
        int64_t shared = member(row, "SharedSize", -1);

        add_size(shared < 0 ? -1 : member(row, "Size", 0) - shared, out);
}

static void show_containers(const void *row, struct strbuf *out) {
        int64_t n = member(row, "Containers", -1);

        if (n < 0)
                strbuf_adds(out, "N/A");
        else
                strbuf_addf(out, "%lld", (long long) n);
}

static void show_discarded(const void *row, struct strbuf *out) {
        strbuf_adds(out, json_get_bool(((const struct image_row *) row)->image, "BlobsDiscarded", false) ? "true" : "false");
}

static const struct listing_column image_columns[] = {
        { "ID", "IMAGE ID", show_id },
        { "Repository", "REPOSITORY", show_repository },
        { "Tag", "TAG", show_tag },
        { "Digest", "DIGEST", show_digest, .seldom = true },
        { "CreatedSince", "CREATED", show_created_since },
        { "CreatedAt", "CREATED AT", show_created_at },
        { "Size", "SIZE", show_size },
        { "Containers", "CONTAINERS", show_containers, .seldom = true },
        { "VirtualSize", "SIZE", show_size },
        { "SharedSize", "SHARED SIZE", show_shared_size, .seldom = true },
        { "UniqueSize", "UNIQUE SIZE", show_unique_size, .seldom = true },
        { "BlobsDiscarded", "BLOBS DISCARDED", show_discarded, .seldom = true },
        { 0 },
};

static const char *text_at(const json_t *list, size_t i) {
        const char *text = json_string_value(json_array_get(list, i));

        return text ? text : "";
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

typedef int (*row_fn)(const struct image_row *row, void *data, struct err *err);

/* One row per name, and with digests one per name and digest of the same repository. */
static int each_row(const json_t *image, bool digests, bool whole, row_fn row, void *data, struct err *err) {
        json_t *tags = json_get_array(image, "RepoTags"), *all = json_get_array(image, "RepoDigests");
        size_t n = json_array_size(tags), m = json_array_size(all), i, k;

        for (i = 0; i < (n ? n : 1); i++) {
                char repository[512] = "<none>", tag[160] = "<none>", digest[160] = "<none>", other[512];
                bool found = false;
                int r;

                if (n)
                        split_tag(text_at(tags, i), repository, tag);
                for (k = 0; k < m && (digests || !n); k++) {
                        const char *text = text_at(all, k);

                        split(text, strchr(text, '@'), other, digest);
                        if (n && strcmp(other, repository) != 0)
                                continue;
                        found = true;
                        if ((r = row(&(struct image_row) { image, n ? repository : other, tag, digests ? digest : "<none>", whole }, data, err)) < 0)
                                return r;
                }
                if (!found && (r = row(&(struct image_row) { image, repository, tag, "<none>", whole }, data, err)) < 0)
                        return r;
        }
        return 0;
}

static int collect_row(const struct image_row *row, void *data, struct err *err) {
        return json_array_append_new(data, listing_row(image_columns, row)) < 0 ? err_errno(err, -ENOMEM, "images") : 0;
}

int image_rows(const json_t *image, json_t *list, struct err *err) {
        return each_row(image, false, false, collect_row, list, err);
}

static int list_row(const struct image_row *row, void *data, struct err *err) {
        return listing_add_row(data, row, NULL, err);
}

struct images {
        struct listing *listing;
        bool digests, whole;
};

static int add_image(json_t *image, void *data, struct err *err) {
        const struct images *i = data;

        return each_row(image, i->digests, i->whole, list_row, i->listing, err);
}

static int run_images(struct client *c, const struct args *a) {
        static const char own[] = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
                          with_digests[] = "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
        const char *format = config_format(args_text(a, "format"), args_flag(a, "quiet"), "imagesFormat");
        bool quiet = args_flag(a, "quiet") && listing_is_table(format), digests = args_flag(a, "digests");
        auto_free char *filters = filters_text(a, args_at(a, 0));
        struct images images = { .whole = args_flag(a, "no-trunc") };
        struct err err = { 0 };
        auto_path path = { 0 };
        int r;

        if (listing_new(quiet ? "{{.ID}}" : format, digests ? with_digests : own, image_columns, &images.listing, &err) < 0)
                return client_complain(&err, 1);
        images.digests = digests || (!quiet && listing_wants(images.listing, "Digest"));
        path_init(&path, "/images/json");
        path_query_flag(&path, "all", args_flag(a, "all"));
        path_query(&path, "filters", filters);
        path_query_flag(&path, "brief", listing_is_usual(images.listing) && !images.whole && !images.digests); /* as in `ps` */
        r = client_list(c, &path, add_image, &images, &err);
        listing_close(images.listing, r);
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
