/* SPDX-License-Identifier: Apache-2.0 */
/* pull, rmi, tag, load. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/credentials.h"
#include "cli/progress.h"

static void add_discard(struct path *path, const struct args *a) {
        if (args_given(a, "discard-blobs"))
                path_query(path, "discardBlobs", args_flag(a, "discard-blobs") ? "1" : "0");
}

int pull_image(struct client *c, const char *reference, const char *platform, const struct args *how, FILE *out, struct err *err) {
        auto_http h = { .fd = -EBADF };
        auto_free char *header = NULL;
        auto_path path = { 0 };
        struct client known;
        int r;

        r = credentials_header(reference, &header, err);
        if (r < 0)
                return r;
        known = (struct client) { .host = c->host, .header = header };
        path_init(&path, "/images/create");
        path_query(&path, "fromImage", reference);
        path_query(&path, "platform", platform);
        if (how)
                add_discard(&path, how);
        r = client_open(&known, &h, "POST", &path, NULL, err);
        if (r < 0)
                return r;
        return progress_show(out, &h, err);
}

static int run_pull(struct client *c, const struct args *a) {
        bool quiet = args_flag(a, "quiet");
        struct err err = { 0 };

        if (pull_image(c, args_at(a, 0), args_text(a, "platform"), a, quiet ? NULL : stdout, &err) < 0)
                return client_complain(&err, 1);
        if (quiet)
                printf("%s\n", args_at(a, 0));
        return 0;
}

static int run_load(struct client *c, const struct args *a) {
        const char *file = args_text(a, "input");
        auto_fd opened = file ? open_archive(file) : -EBADF;
        auto_path path = { 0 };
        struct err err = { 0 };

        if (file && opened < 0) {
                complain("load: %s: %s", file, strerror(-opened));
                return 1;
        }
        path_init(&path, "/images/load");
        add_discard(&path, a);
        return send_archive(c, &path, file ? opened : STDIN_FILENO, args_flag(a, "quiet") ? NULL : stdout, &err) < 0 ? client_complain(&err, 1) : 0;
}

/* "localhost:5000/a:1" → repository and tag; the colon of a port is none of a tag. */
static void split_tag(const char *reference, char repository[512], char tag[160]) {
        const char *colon = strrchr(reference, ':');

        if (colon && strchr(colon, '/'))
                colon = NULL;
        snprintf(repository, 512, "%.*s", colon ? (int) (colon - reference) : (int) strlen(reference), reference);
        snprintf(tag, 160, "%s", colon ? colon + 1 : "<none>");
}

static int run_rmi(struct client *c, const struct args *a) {
        int status = 0;

        for (size_t i = 0; i < args_count(a); i++) {
                auto_free char *name = path_escape(args_at(a, i));
                auto_json *answer = NULL;
                auto_path path = { 0 };
                struct err err = { 0 };
                json_t *item;
                size_t j;

                path_init(&path, "/images/%s", name);
                path_query_flag(&path, "force", args_flag(a, "force"));
                if (client_call(c, "DELETE", &path, NULL, &answer, &err) < 0) {
                        status = client_complain(&err, 1);
                        continue;
                }
                json_array_foreach(answer, j, item) {
                        const char *untagged = json_get_str(item, "Untagged", NULL);

                        printf("%s: %s\n", untagged ? "Untagged" : "Deleted", untagged ? untagged : json_get_str(item, "Deleted", ""));
                }
        }
        return status;
}

static int run_tag(struct client *c, const struct args *a) {
        auto_free char *name = path_escape(args_at(a, 0));
        char repository[512], tag[160];
        auto_path path = { 0 };
        struct err err = { 0 };

        split_tag(args_at(a, 1), repository, tag);
        path_init(&path, "/images/%s/tag", name);
        path_query(&path, "repo", repository);
        path_query(&path, "tag", strcmp(tag, "<none>") == 0 ? "latest" : tag);
        return client_call(c, "POST", &path, NULL, NULL, &err) < 0 ? client_complain(&err, 1) : 0;
}

static const struct option pull_options[] = {
        { 0, "discard-blobs", OPTION_FLAG, NULL, "Keep layers unpacked only; the image cannot be pushed or saved" },
        { 0, "platform", OPTION_TEXT, "OS/ARCH", "Another platform than this machine's" },
        { 'q', "quiet", OPTION_FLAG, NULL, "No progress, only the name" },
        { 0 },
};
static const struct option rmi_options[] = {
        { 'f', "force", OPTION_FLAG, NULL, "Also when it has several names" },
        { 0 },
};
static const struct option load_options[] = {
        { 0, "discard-blobs", OPTION_FLAG, NULL, "Keep layers unpacked only; the image cannot be pushed or saved" },
        { 'i', "input", OPTION_TEXT, "FILE", "Read from this file, not from standard input" },
        { 'q', "quiet", OPTION_FLAG, NULL, "No progress" },
        { 0 },
};
static const struct option no_options[] = { { 0 } };

const struct command command_pull = {
        "pull", "image", NULL, "[OPTIONS] NAME[:TAG|@DIGEST]", "Get an image, or an OCI artifact, from a registry",
        "  kist pull localhost:5000/debian:bookworm\n  kist pull --discard-blobs localhost:5000/debian:bookworm\n", pull_options, NULL, 1, 1, false, run_pull,
};
const struct command command_rmi = {
        "rmi", "image", "rm", "[OPTIONS] IMAGE [IMAGE...]", "Remove images", "  kist rmi site:1\n  kist rmi $(kist images -q --filter dangling=true)\n", rmi_options, NULL, 1, SIZE_MAX, false, run_rmi,
};
const struct command command_tag = {
        "tag", "image", NULL, "IMAGE NAME[:TAG]", "Give an image one more name", "  kist tag site:1 localhost:5000/site:1\n", no_options, NULL, 2, 2, false, run_tag,
};
const struct command command_load = {
        "load", "image", NULL, "[OPTIONS]", "Load images from an OCI archive", "  kist load -i image.oci.tar\n",
        load_options, NULL, 0, 0, false, run_load,
};
