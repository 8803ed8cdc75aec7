/* SPDX-License-Identifier: Apache-2.0 */
/* context ls, inspect, show, use, rm. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/context-store.h"
#include "cli/endpoint.h"
#include "cli/format.h"
#include "cli/table.h"

static const char *description(const json_t *meta) {
        return json_get_str(json_get_object(meta, "Metadata"), "Description", "");
}

static json_t *row_of(const char *name, const char *about, const char *host) {
        return json_pack("{s:s, s:s, s:s, s:b, s:s}", "Name", name, "Description", about, "DockerEndpoint", host, "Current",
                         strcmp(name, endpoint_context()) == 0, "Error", "");
}

static json_t *all_rows(void) {
        auto_json *all = context_all();
        json_t *rows = json_array(), *meta;
        size_t i;

        json_array_append_new(rows, row_of("default", "What the environment says, or the daemon of this host", endpoint_default_host()));
        json_array_foreach(all, i, meta)
                json_array_append_new(rows, row_of(json_get_str(meta, "Name", ""), description(meta), context_host(meta)));
        return rows;
}

static int run_ls(struct client *c, const struct args *a) {
        const char *format = args_text(a, "format");
        auto_json *rows = NULL;
        struct table *t = NULL;
        struct err err = { 0 };
        json_t *row;
        size_t i;

        if (format && format_check(format, &err) < 0)
                return client_complain(&err, 1);
        rows = all_rows();
        if (!format && !args_flag(a, "quiet")) {
                static const char *const heads[] = { "NAME", "DESCRIPTION", "DOCKER ENDPOINT", "ERROR" };

                t = table_new(ARRAY_SIZE(heads));
                for (i = 0; i < ARRAY_SIZE(heads); i++)
                        table_cell(t, heads[i]);
        }
        json_array_foreach(rows, i, row) {
                const char *name = json_get_str(row, "Name", "");

                if (args_flag(a, "quiet")) {
                        printf("%s\n", name);
                } else if (format) {
                        format_print(format, row, &err);
                } else {
                        auto_free char *marked = str_format("%s%s", name, json_get_bool(row, "Current", false) ? " *" : "");

                        table_cell(t, marked);
                        table_cell(t, json_get_str(row, "Description", ""));
                        table_cell(t, json_get_str(row, "DockerEndpoint", ""));
                        table_cell(t, "");
                }
        }
        if (t)
                table_print(t);
        table_free(t);
        return 0;
}

static json_t *inspect_one(const char *name, struct err *err) {
        auto_free char *meta_path = NULL, *tls_path = NULL;
        json_t *meta = NULL, *files;

        if (strcmp(name, "default") == 0)
                return json_pack("{s:s, s:{}, s:{s:{s:s, s:b}}, s:{}, s:{s:s, s:s}}", "Name", "default", "Metadata", "Endpoints", "docker", "Host",
                                 endpoint_default_host(), "SkipTLSVerify", 0, "TLSMaterial", "Storage", "MetadataPath", "<IN MEMORY>", "TLSPath",
                                 "<IN MEMORY>");
        if (context_load(name, &meta, err) < 0)
                return NULL;
        files = json_array();
        for (size_t i = 0; i < CONTEXT_TLS_FILES; i++) {
                auto_free char *path = context_tls_path(name, context_tls_files[i]);

                if (access(path, F_OK) == 0)
                        json_array_append_new(files, json_string(context_tls_files[i]));
        }
        if (json_array_size(files) > 0)
                json_object_set_new(meta, "TLSMaterial", json_pack("{s:o}", "docker", files));
        else
                json_object_set_new(meta, "TLSMaterial", (json_decref(files), json_object()));
        meta_path = context_meta_directory(name);
        tls_path = context_tls_directory(name);
        json_object_set_new(meta, "Storage", json_pack("{s:s, s:s}", "MetadataPath", meta_path, "TLSPath", tls_path));
        return meta;
}

static int run_inspect(struct client *c, const struct args *a) {
        const char *format = args_text(a, "format");
        auto_json *found = json_array();
        struct err err = { 0 };
        int status = 0;

        if (format && format_check(format, &err) < 0)
                return client_complain(&err, 1);
        for (size_t i = 0; i < (args_count(a) ? args_count(a) : 1); i++) {
                json_t *one = inspect_one(args_count(a) ? args_at(a, i) : endpoint_context(), &err);

                if (!one)
                        status = client_complain(&err, 1);
                else if (format)
                        format_print(format, one, &err);
                if (one)
                        json_array_append_new(found, one);
        }
        if (!format) {
                auto_free char *text = json_dumps(found, JSON_INDENT(4));

                printf("%s\n", text);
        }
        return status;
}

static int run_show(struct client *c, const struct args *a) {
        printf("%s\n", endpoint_context());
        return 0;
}

static int run_use(struct client *c, const struct args *a) {
        const char *name = args_at(a, 0);
        bool standard = strcmp(name, "default") == 0;
        auto_json *meta = NULL;
        struct err err = { 0 };

        if (!standard && context_load(name, &meta, &err) < 0)
                return client_complain(&err, 1);
        if (standard)
                json_object_del(config_object(), "currentContext");
        else
                json_object_set_new(config_object(), "currentContext", json_string(name));
        if (config_save(&err) < 0)
                return client_complain(&err, 1);
        printf("%s\n", name);
        if (strcmp(endpoint_context(), name) != 0)
                warn("the environment (KIST_HOST, DOCKER_HOST, KIST_CONTEXT or DOCKER_CONTEXT) says another one");
        return 0;
}

static int run_rm(struct client *c, const struct args *a) {
        const char *current = config_text("currentContext");
        int status = 0;

        for (size_t i = 0; i < args_count(a); i++) {
                const char *name = args_at(a, i);
                auto_json *meta = NULL;
                struct err err = { 0 };
                bool used = current && strcmp(current, name) == 0;
                int r = context_load(name, &meta, &err);

                if (r < 0 && args_flag(a, "force") && err.kind == ERR_NOT_FOUND)
                        continue;
                if (r == 0 && used && !args_flag(a, "force"))
                        r = err_set(&err, ERR_CONFLICT, -EBUSY, "context \"%s\" is the current one: see 'kist context use', or --force", name);
                if (r == 0)
                        r = context_remove(name, &err);
                if (r == 0 && used) {
                        json_object_del(config_object(), "currentContext");
                        current = NULL;
                        r = config_save(&err);
                }
                if (r < 0)
                        status = client_complain(&err, 1);
                else
                        printf("%s\n", name);
        }
        return status;
}

static const struct option ls_options[] = {
        { 0, "format", OPTION_TEXT, "TEMPLATE", "{{.Name}} …, or json" },
        { 'q', "quiet", OPTION_FLAG, NULL, "Names only" },
        { 0 },
};
static const struct option inspect_options[] = {
        { 'f', "format", OPTION_TEXT, "TEMPLATE", "{{.Endpoints.docker.Host}} …, or json" },
        { 0 },
};
static const struct option rm_options[] = {
        { 'f', "force", OPTION_FLAG, NULL, "Also the current one; a missing one is no error" },
        { 0 },
};
static const struct option no_options[] = { { 0 } };

const struct command command_context_ls = {
        .name = "context ls", .noun = "context", .verb = "ls", .usage = "[OPTIONS]", .summary = "List contexts",
        .options = ls_options, .run = run_ls, .local = true,
};
const struct command command_context_inspect = {
        .name = "context inspect", .noun = "context", .verb = "inspect", .usage = "[OPTIONS] [CONTEXT...]", .summary = "Show contexts whole",
        .options = inspect_options, .max_args = SIZE_MAX, .run = run_inspect, .local = true,
};
const struct command command_context_show = {
        .name = "context show", .noun = "context", .verb = "show", .usage = "", .summary = "Print the name of the context that counts",
        .options = no_options, .run = run_show, .local = true,
};
const struct command command_context_use = {
        .name = "context use", .noun = "context", .verb = "use", .usage = "CONTEXT", .summary = "Make a context the current one",
        .options = no_options, .min_args = 1, .max_args = 1, .run = run_use, .local = true,
};
const struct command command_context_rm = {
        .name = "context rm", .noun = "context", .verb = "rm", .usage = "[OPTIONS] CONTEXT [CONTEXT...]", .summary = "Remove contexts",
        .options = rm_options, .min_args = 1, .max_args = SIZE_MAX, .run = run_rm, .local = true,
};
