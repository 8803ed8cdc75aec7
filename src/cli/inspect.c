/* SPDX-License-Identifier: Apache-2.0 */
/* inspect, and `kist NOUN inspect`. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/format.h"

/* In the order in which a name is looked for when no kind is said. */
static const struct kind {
        const char *type, *path;
} kinds[] = {
        { "container", "/containers/%s/json" },
        { "image", "/images/%s/json" },
        { "network", "/networks/%s" },
        { "volume", "/volumes/%s" },
};

static int inspect_one(struct client *c, const char *name, const char *type, bool size, json_t **ret, struct err *err) {
        auto_free char *escaped = path_escape(name);

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                auto_path path = { 0 };
                int r;

                if (type && strcmp(type, kinds[i].type) != 0)
                        continue;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                path_init(&path, kinds[i].path, escaped);
#pragma GCC diagnostic pop
                if (i == 0)
                        path_query_flag(&path, "size", size);
                r = client_call(c, "GET", &path, NULL, ret, err);
                if (r == 0 || err->kind != ERR_NOT_FOUND || type)
                        return r;
        }
        return err_set(err, ERR_NOT_FOUND, -ENOENT, "no such object: %s", name);
}

/* Docker's inspect prints all objects as one array; a template once for each. */
static int inspect_all(struct client *c, const struct args *a, const char *type, bool size) {
        const char *format = args_text(a, "format");
        bool compact = format && strcmp(format, "json") == 0;
        auto_json *all = json_array();
        struct err err = { 0 };
        json_t *object;
        int status = 0;
        size_t i;

        if (format && format_check(format, &err) < 0)
                return client_complain(&err, 1);
        for (i = 0; i < args_count(a); i++) {
                json_t *found;

                if (inspect_one(c, args_at(a, i), type, size, &found, &err) < 0)
                        status = client_complain(&err, 1);
                else
                        json_array_append_new(all, found);
        }
        if (!format || compact) {
                json_dumpf(all, stdout, compact ? JSON_COMPACT : JSON_INDENT(4));
                putchar('\n');
                return status;
        }
        json_array_foreach(all, i, object)
                if (format_print(format, object, &err) < 0)
                        status = client_complain(&err, 1);
        return status;
}

static int run_inspect(struct client *c, const struct args *a) {
        const char *type = args_text(a, "type");
        bool known = !type;

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                known |= type && strcmp(type, kinds[i].type) == 0;
        if (!known) {
                complain("inspect: --type %s: container, image, network or volume", type);
                return 1;
        }
        return inspect_all(c, a, type, args_flag(a, "size"));
}

static int run_container(struct client *c, const struct args *a) {
        return inspect_all(c, a, "container", args_flag(a, "size"));
}

static int run_image(struct client *c, const struct args *a) {
        return inspect_all(c, a, "image", false);
}

static int run_volume(struct client *c, const struct args *a) {
        return inspect_all(c, a, "volume", false);
}

#define FORMAT { 'f', "format", OPTION_TEXT, "TEMPLATE", "json, or a template: {{.State.ExitCode}}, {{json .Config}} …" }
#define SIZE { 's', "size", OPTION_FLAG, NULL, "With the sizes of what it has written and of all its files" }

static const struct option inspect_options[] = {
        FORMAT, SIZE, { 0, "type", OPTION_TEXT, "TYPE", "container, image, network or volume" }, { 0 },
};
static const struct option container_options_[] = { FORMAT, SIZE, { 0 } };
static const struct option other_options[] = { FORMAT, { 0 } };

const struct command command_inspect = {
        "inspect", "system", NULL, "[OPTIONS] NAME [NAME...]", "Show everything about containers, images, networks and volumes",
        "  kist inspect -f '{{.State.ExitCode}}' job\n"
        "  kist inspect -f '{{range .Mounts}}{{.Source}} -> {{.Destination}}{{println}}{{end}}' web\n"
        "  kist inspect -f '{{index .Config.Labels \"com.example.tier\"}}' web\n",
        inspect_options, NULL, 1, SIZE_MAX, false, run_inspect,
};
const struct command command_container_inspect = {
        "container inspect", "container", "inspect", "[OPTIONS] CONTAINER [CONTAINER...]", "Show everything about containers",
        "  kist container inspect -s web\n", container_options_, NULL, 1, SIZE_MAX, false, run_container,
};
const struct command command_image_inspect = {
        "image inspect", "image", "inspect", "[OPTIONS] IMAGE [IMAGE...]", "Show everything about images",
        "  kist image inspect -f '{{join .Config.Cmd \" \"}}' kist.local/busybox\n", other_options, NULL, 1, SIZE_MAX, false, run_image,
};
const struct command command_volume_inspect = {
        "volume inspect", "volume", "inspect", "[OPTIONS] VOLUME [VOLUME...]", "Show everything about volumes",
        "  kist volume inspect -f '{{.Mountpoint}}' data\n", other_options, NULL, 1, SIZE_MAX, false, run_volume,
};
