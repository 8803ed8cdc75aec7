/* SPDX-License-Identifier: Apache-2.0 */
/* registry delete, registry referrers: what is in a registry, and never here. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/credentials.h"
#include "cli/format.h"
#include "cli/table.h"

/* url: the path, with its query as far as it is known. */
static int call(struct client *c, const char *method, const char *name, struct path *url, bool insecure, json_t **ret, struct err *err) {
        auto_free char *header = NULL;
        struct client known;
        int r = credentials_header(name, &header, err);

        if (r < 0)
                return r;
        known = (struct client) { .host = c->host, .header = header };
        path_query_flag(url, "insecure", insecure);
        r = client_call(&known, method, url, NULL, ret, err);
        if (header)
                explicit_bzero(header, strlen(header));
        return r;
}

static int run_delete(struct client *c, const struct args *a) {
        int status = 0;

        for (size_t i = 0; i < args_count(a); i++) {
                auto_free char *escaped = path_escape(args_at(a, i));
                auto_json *answer = NULL;
                auto_path path = { 0 };
                struct err err = { 0 };
                json_t *item, *name;
                const char *how;
                size_t j;

                path_init(&path, "/distribution/%s/manifest", escaped);
                if (call(c, "DELETE", args_at(a, i), &path, args_flag(a, "insecure"), &answer, &err) < 0) {
                        status = client_complain(&err, 1);
                        continue;
                }
                json_array_foreach(answer, j, item)
                        json_object_foreach(item, how, name)
                                printf("%s: %s\n", how, json_string_value(name));
        }
        return status;
}

/* --- referrers --- */

static json_t *row_of(const json_t *descriptor) {
        const char *type = json_get_str(descriptor, "artifactType", "");
        json_t *annotations = json_get_object(descriptor, "annotations");

        return json_pack("{s:s, s:s, s:s, s:I, s:O*}", "ArtifactType", *type ? type : "<none>", "Digest", json_get_str(descriptor, "digest", ""), "MediaType",
                         json_get_str(descriptor, "mediaType", ""), "Size", (json_int_t) json_get_int(descriptor, "size", 0), "Annotations", annotations);
}

static int print_rows(const json_t *list, const char *format, bool quiet, struct err *err) {
        static const char *const heads[] = { "ARTIFACT TYPE", "DIGEST", "SIZE" };
        struct table *t = NULL;
        json_t *descriptor;
        size_t i;
        int r = 0;

        if (!format && !quiet) {
                t = table_new(ARRAY_SIZE(heads));
                for (i = 0; i < ARRAY_SIZE(heads); i++)
                        table_cell(t, heads[i]);
        }
        json_array_foreach(list, i, descriptor) {
                auto_json *row = row_of(descriptor);
                char size[32];

                if (quiet) {
                        printf("%s\n", json_get_str(row, "Digest", ""));
                } else if (format) {
                        r = format_print(format, row, err);
                        if (r < 0)
                                break;
                } else {
                        human_size((uint64_t) json_get_int(row, "Size", 0), size);
                        table_cell(t, json_get_str(row, "ArtifactType", ""));
                        table_cell(t, json_get_str(row, "Digest", ""));
                        table_cell(t, size);
                }
        }
        if (t) {
                table_print(t);
                table_free(t);
        }
        return r;
}

static int run_referrers(struct client *c, const struct args *a) {
        const char *format = args_text(a, "format");
        auto_free char *escaped = path_escape(args_at(a, 0));
        auto_json *answer = NULL;
        auto_path path = { 0 };
        struct err err = { 0 };

        if (format && format_check(format, &err) < 0)
                return client_complain(&err, 1);
        path_init(&path, "/distribution/%s/referrers", escaped);
        path_query(&path, "artifactType", args_text(a, "artifact-type"));
        if (call(c, "GET", args_at(a, 0), &path, args_flag(a, "insecure"), &answer, &err) < 0 ||
            print_rows(json_get_array(answer, "Manifests"), format, args_flag(a, "quiet"), &err) < 0)
                return client_complain(&err, 1);
        return 0;
}

#define INSECURE_OPTION { 0, "insecure", OPTION_FLAG, NULL, "Talk to the registry without TLS, or with any certificate" }
static const struct option delete_options[] = {
        INSECURE_OPTION,
        { 0 },
};
static const struct option referrers_options[] = {
        { 0, "artifact-type", OPTION_TEXT, "TYPE", "Only those of this artifact type" },
        { 0, "format", OPTION_TEXT, "TEMPLATE", "json, or a template: {{.ArtifactType}} {{.Digest}} {{.MediaType}} {{.Size}} {{.Annotations}}" },
        INSECURE_OPTION,
        { 'q', "quiet", OPTION_FLAG, NULL, "Digests only" },
        { 0 },
};

const struct command command_registry_delete = {
        "registry delete", "registry", "delete", "[OPTIONS] NAME[:TAG|@DIGEST] [NAME...]", "Delete from a registry: a tag, or by its digest an image with all its tags; nothing here changes",
        "  kist registry delete localhost:5000/site:old\n  kist registry delete localhost:5000/site@$(skopeo inspect -f '{{.Digest}}' docker://localhost:5000/site:old)\n", delete_options,
        NULL, 1, SIZE_MAX, false, run_delete,
};
const struct command command_registry_referrers = {
        "registry referrers", "registry", "referrers", "[OPTIONS] NAME[:TAG|@DIGEST]", "List what refers to an image in its registry: signatures, lists of contents, attestations",
        "  kist registry referrers --artifact-type application/spdx+json localhost:5000/site:1\n", referrers_options, NULL, 1, 1, false, run_referrers,
};
