/* SPDX-License-Identifier: Apache-2.0 */
/* system df. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/listing.h"
#include "cli/table.h"

static const struct listing_column columns[] = {
        { "Type", "TYPE" }, { "TotalCount", "TOTAL" }, { "Active", "ACTIVE" }, { "Size", "SIZE" }, { "Reclaimable", "RECLAIMABLE" }, { 0 },
};

struct sums {
        size_t total, active;
        int64_t size, reclaimable;
};

static void sum_images(const json_t *df, struct sums *s) {
        int64_t used = 0;
        json_t *image;
        size_t i;

        json_array_foreach(json_get_array(df, "Images"), i, image) {
                int64_t size = json_get_int(image, "Size", 0), shared = json_get_int(image, "SharedSize", 0);

                s->total++;
                if (json_get_int(image, "Containers", 0) <= 0)
                        continue;
                s->active++;
                used += size - (shared > 0 ? shared : 0);
        }
        s->size = json_get_int(df, "LayersSize", 0);
        s->reclaimable = s->size > used ? s->size - used : 0;
}

static void sum_containers(const json_t *df, struct sums *s) {
        json_t *c;
        size_t i;

        json_array_foreach(json_get_array(df, "Containers"), i, c) {
                const char *state = json_get_str(c, "State", "");
                bool active = strcmp(state, "running") == 0 || strcmp(state, "paused") == 0 || strcmp(state, "restarting") == 0;
                int64_t size = json_get_int(c, "SizeRw", 0);

                s->total++;
                s->active += active;
                s->size += size;
                s->reclaimable += active ? 0 : size;
        }
}

static void sum_volumes(const json_t *df, struct sums *s) {
        json_t *v;
        size_t i;

        json_array_foreach(json_get_array(df, "Volumes"), i, v) {
                const json_t *usage = json_get_object(v, "UsageData");
                int64_t size = json_get_int(usage, "Size", 0);
                bool active = json_get_int(usage, "RefCount", 0) > 0;

                s->total++;
                s->active += active;
                s->size += size > 0 ? size : 0;
                s->reclaimable += active || size < 0 ? 0 : size;
        }
}

static void sum_cache(const json_t *df, struct sums *s) {
        json_t *entry;
        size_t i;

        json_array_foreach(json_get_array(df, "BuildCache"), i, entry) {
                bool active = json_get_bool(entry, "InUse", false), shared = json_get_bool(entry, "Shared", false);
                int64_t size = shared ? 0 : json_get_int(entry, "Size", 0);

                s->total++;
                s->active += active;
                s->size += size;
                s->reclaimable += active ? 0 : size;
        }
}

static const struct {
        const char *type;
        bool percent;
        void (*sum)(const json_t *df, struct sums *s);
} types[] = {
        { "Images", true, sum_images }, { "Containers", true, sum_containers }, { "Local Volumes", true, sum_volumes }, { "Build Cache", false, sum_cache },
};

static json_t *summary_row(size_t i, const json_t *df) {
        struct sums s = { 0 };
        char size[32], reclaimable[32], percent[32] = "";

        types[i].sum(df, &s);
        human_sum((uint64_t) s.size, size);
        human_sum((uint64_t) s.reclaimable, reclaimable);
        if (types[i].percent && s.size > 0)
                snprintf(percent, sizeof(percent), " (%lld%%)", (long long) (100 * s.reclaimable / s.size));
        return json_pack("{s:s, s:o, s:o, s:s, s:o}", "Type", types[i].type, "TotalCount", json_sprintf("%zu", s.total), "Active", json_sprintf("%zu", s.active), "Size",
                         size, "Reclaimable", json_sprintf("%s%s", reclaimable, percent));
}

/* --- -v: each thing --- */

/* What -v shows, as lists of rows. */
static json_t *details(const json_t *df) {
        json_t *images = json_array(), *containers = json_array(), *volumes = json_array(), *cache = json_array(), *item;
        char size[32];
        size_t i;

        json_array_foreach(json_get_array(df, "Images"), i, item)
                image_rows(item, images, NULL);
        json_array_foreach(json_get_array(df, "Containers"), i, item) {
                json_t *row = container_columns(item);

                human_size((uint64_t) json_get_int(item, "SizeRw", 0), size);
                json_object_set_new(row, "Size", json_string(size));
                json_array_append_new(containers, row);
        }
        json_array_foreach(json_get_array(df, "Volumes"), i, item)
                json_array_append_new(volumes, volume_columns(item));
        json_array_foreach(json_get_array(df, "BuildCache"), i, item) {
                human_size((uint64_t) json_get_int(item, "Size", 0), size);
                json_array_append_new(cache, json_pack("{s:s%, s:s, s:s, s:s, s:s, s:o, s:o}", "ID", json_get_str(item, "ID", ""),
                                                       strnlen(json_get_str(item, "ID", ""), 12), "CacheType", json_get_str(item, "Type", ""), "Size", size,
                                                       "CreatedSince", json_get_str(item, "CreatedAt", ""), "LastUsedSince", json_get_str(item, "LastUsedAt", ""),
                                                       "UsageCount", json_sprintf("%lld", (long long) json_get_int(item, "UsageCount", 0)), "Shared",
                                                       json_string(json_get_bool(item, "Shared", false) ? "true" : "false")));
        }
        return json_pack("{s:o, s:o, s:o, s:o}", "Images", images, "Containers", containers, "Volumes", volumes, "BuildCache", cache);
}

static bool any_discarded(const json_t *df) {
        json_t *image;
        size_t i;

        json_array_foreach(json_get_array(df, "Images"), i, image)
                if (json_get_bool(image, "BlobsDiscarded", false))
                        return true;
        return false;
}

#define IMAGE_COLUMNS "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}"

static int print_details(const json_t *all, const json_t *df, struct err *err) {
        static const struct listing_column image[] = {
                { "Repository", "REPOSITORY" }, { "Tag", "TAG" }, { "ID", "IMAGE ID" }, { "CreatedSince", "CREATED" }, { "Size", "SIZE" },
                { "SharedSize", "SHARED SIZE" }, { "UniqueSize", "UNIQUE SIZE" }, { "Containers", "CONTAINERS" }, { "BlobsDiscarded", "BLOBS DISCARDED" }, { 0 } },
              container[] = { { "ID", "CONTAINER ID" }, { "Image", "IMAGE" }, { "Command", "COMMAND" }, { "LocalVolumes", "LOCAL VOLUMES" }, { "Size", "SIZE" },
                { "RunningFor", "CREATED" }, { "Status", "STATUS" }, { "Names", "NAMES" }, { 0 } },
              volume[] = { { "Name", "VOLUME NAME" }, { "Links", "LINKS" }, { "Size", "SIZE" }, { 0 } },
              cache[] = { { "ID", "CACHE ID" }, { "CacheType", "CACHE TYPE" }, { "Size", "SIZE" }, { "CreatedSince", "CREATED" }, { "LastUsedSince", "LAST USED" },
                { "UsageCount", "USAGE" }, { "Shared", "SHARED" }, { 0 } };
        static const struct {
                const char *title, *list, *own;
                const struct listing_column *columns;
        } sections[] = {
                { "Images space usage:\n\n", "Images", IMAGE_COLUMNS, image },
                { "\nContainers space usage:\n\n", "Containers",
                  "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}", container },
                { "\nLocal Volumes space usage:\n\n", "Volumes", "{{.Name}}\t{{.Links}}\t{{.Size}}", volume },
                { "\nBuild cache usage: %s\n\n", "BuildCache", "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}", cache },
        };
        auto_json *cache_row = summary_row(ARRAY_SIZE(types) - 1, df);

        for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
                struct listing *l;
                json_t *row;
                size_t k;
                bool more = sections[i].columns == image && any_discarded(df); /* else as Docker has it */
                int r = listing_new(NULL, more ? IMAGE_COLUMNS "\t{{.BlobsDiscarded}}" : sections[i].own, sections[i].columns, &l, err);

                if (r < 0)
                        return r;
                if (strstr(sections[i].title, "%s"))
                        printf("\nBuild cache usage: %s\n\n", json_get_str(cache_row, "Size", "0B"));
                else
                        fputs(sections[i].title, stdout);
                json_array_foreach(json_get_array(all, sections[i].list), k, row)
                        if ((r = listing_add(l, row, NULL, err)) < 0)
                                break;
                listing_end(l);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int run_df(struct client *c, const struct args *a) {
        const char *format = args_text(a, "format");
        bool verbose = args_flag(a, "verbose");
        auto_json *df = NULL;
        struct listing *l = NULL;
        struct err err = { 0 };
        auto_path path = { 0 };
        int r = 0;

        if (verbose ? (format && format_check(format, &err) < 0)
                    : listing_new(format, "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}", columns, &l, &err) < 0)
                return client_complain(&err, 1);
        path_init(&path, "/system/df");
        r = client_call(c, "GET", &path, NULL, &df, &err);
        if (r == 0 && verbose) {
                auto_json *all = details(df);

                r = format ? format_print(format, all, &err) : print_details(all, df, &err);
        }
        for (size_t i = 0; l && r == 0 && i < ARRAY_SIZE(types); i++) {
                auto_json *row = summary_row(i, df);

                r = listing_add(l, row, NULL, &err);
        }
        listing_close(l, r);
        return r < 0 ? client_complain(&err, 1) : 0;
}

static const struct option df_options[] = {
        { 0, "format", OPTION_TEXT, "TEMPLATE", "table, json, or a template: {{.Type}} {{.Size}} …; with -v of {{.Images}}, {{.Containers}}, {{.Volumes}}, {{.BuildCache}}" },
        { 'v', "verbose", OPTION_FLAG, NULL, "Each image, container and volume" },
        { 0 },
};

const struct command command_system_df = {
        "system df", "system", "df", "[OPTIONS]", "Show what takes room on the disk", "  kist system df\n  kist system df --format '{{.Type}}: {{.Reclaimable}}'\n", df_options,
        NULL, 0, 0, false, run_df,
};
