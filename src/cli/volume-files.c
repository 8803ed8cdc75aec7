/* SPDX-License-Identifier: Apache-2.0 */
/* volume export, import, clone, snapshot. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"

static int run_export(struct client *c, const struct args *a) {
        auto_free char *name = path_escape(args_at(a, 0));
        auto_path url = { 0 };

        path_init(&url, "/volumes/%s/export", name);
        return fetch_tar(c, "volume export", &url, args_text(a, "output"));
}

static int run_import(struct client *c, const struct args *a) {
        const char *file = args_at(a, 1) && strcmp(args_at(a, 1), "-") != 0 ? args_at(a, 1) : NULL;
        auto_free char *name = path_escape(args_at(a, 0)), *text = NULL;
        auto_json *spec = json_pack("{s:o, s:o}", "DriverOpts", option_pairs(a, "opt"), "Labels", option_pairs(a, "label"));
        auto_fd opened = file ? open(file, O_RDONLY | O_CLOEXEC) : -EBADF;
        auto_http h = { .fd = -EBADF };
        struct err err = { 0 };
        auto_path url = { 0 };

        if (file && opened < 0) {
                complain("volume import: %s: %s", file, strerror(errno));
                return 1;
        }
        text = json_text(spec);
        path_init(&url, "/volumes/%s/import", name);
        path_query(&url, "spec", text);
        if (http_connect(&h, c->host, &err) < 0 || http_request_from_fd(&h, "POST", url.text, file ? opened : STDIN_FILENO, &err) < 0 ||
            (h.status >= 400 && client_failed(&h, &err) < 0))
                return client_complain(&err, 1);
        printf("%s\n", args_at(a, 0));
        return 0;
}

/* The name is for scripts; how it was made is for people. */
static void tell(const json_t *answer, const struct args *a) {
        long long shared = (long long) json_get_int(json_object_get(answer, "Copied"), "SharedFiles", 0),
                  copied = (long long) json_get_int(json_object_get(answer, "Copied"), "CopiedFiles", 0);

        printf("%s\n", json_get_str(answer, "Name", ""));
        if (args_flag(a, "quiet"))
                return;
        fflush(stdout);
        if (copied == 0)
                fprintf(stderr, "%lld files, which share their blocks with those of %s\n", shared, args_at(a, 0));
        else if (shared == 0)
                fprintf(stderr, "%lld files, copied: the file system does not let files share blocks\n", copied);
        else
                fprintf(stderr, "%lld files share their blocks with those of %s, %lld were copied\n", shared, args_at(a, 0), copied);
}

static int make(struct client *c, const struct args *a, const char *verb, json_t *options) {
        auto_json *body = json_pack("{s:o, s:s, s:o?}", "Labels", option_pairs(a, "label"), "Name", args_at(a, 1) ? args_at(a, 1) : "", "DriverOpts", options);
        auto_free char *name = path_escape(args_at(a, 0));
        auto_json *answer = NULL;
        struct err err = { 0 };
        auto_path url = { 0 };

        path_init(&url, "/volumes/%s/%s", name, verb);
        if (client_call(c, "POST", &url, body, &answer, &err) < 0)
                return client_complain(&err, 1);
        tell(answer, a);
        return 0;
}

static int run_clone(struct client *c, const struct args *a) {
        return make(c, a, "clone", option_pairs(a, "opt"));
}

static int run_snapshot(struct client *c, const struct args *a) {
        return make(c, a, "snapshot", NULL);
}

static const struct option export_options[] = {
        { 'o', "output", OPTION_TEXT, "FILE", "Write to a file instead of standard output" },
        { 0 },
};
static const struct option import_options[] = {
        { 0, "label", OPTION_LIST, "KEY=VALUE", "A label" },
        { 'o', "opt", OPTION_LIST, "KEY=VALUE", "An option of the volume, as of volume create" },
        { 0 },
};
static const struct option clone_options[] = {
        { 0, "label", OPTION_LIST, "KEY=VALUE", "A label" },
        { 'o', "opt", OPTION_LIST, "KEY=VALUE", "An option of the volume, as of volume create" },
        { 'q', "quiet", OPTION_FLAG, NULL, "Do not say how many files share their blocks" },
        { 0 },
};
static const struct option snapshot_options[] = {
        { 0, "label", OPTION_LIST, "KEY=VALUE", "A label" },
        { 'q', "quiet", OPTION_FLAG, NULL, "Do not say how many files share their blocks" },
        { 0 },
};

const struct command command_volume_export = {
        .name = "volume export", .noun = "volume", .verb = "export", .usage = "[OPTIONS] VOLUME",
        .summary = "Write a volume as a tar archive; refused while a container that may write to it runs (one that is paused does not)",
        .examples = "  kist volume export data | zstd >data.tar.zst\n", .options = export_options, .min_args = 1, .max_args = 1, .run = run_export,
};
const struct command command_volume_import = {
        .name = "volume import", .noun = "volume", .verb = "import", .usage = "[OPTIONS] NAME [FILE|-]",
        .summary = "Make a volume of a tar archive (plain, gzip or zstd), whole or not at all",
        .examples = "  zstd -dc data.tar.zst | kist volume import restored\n", .options = import_options, .min_args = 1, .max_args = 2, .run = run_import,
};
const struct command command_volume_clone = {
        .name = "volume clone", .noun = "volume", .verb = "clone", .usage = "[OPTIONS] VOLUME NAME",
        .summary = "Make a volume with the same files, which share their blocks where the file system can; refused while a container that may write to it runs",
        .examples = "  kist volume clone data trial\n", .options = clone_options, .min_args = 2, .max_args = 2, .run = run_clone,
};
const struct command command_volume_snapshot = {
        .name = "volume snapshot", .noun = "volume", .verb = "snapshot", .usage = "[OPTIONS] VOLUME [NAME]",
        .summary = "Make a clone that can only be mounted read-only (default name: VOLUME and the time); refused while a container that may write to it runs",
        .examples = "  kist pause db && kist volume snapshot data; kist unpause db\n", .options = snapshot_options, .min_args = 1, .max_args = 2, .run = run_snapshot,
};
