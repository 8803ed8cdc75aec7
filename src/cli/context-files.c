/* SPDX-License-Identifier: Apache-2.0 */
/* context create, update, export, import. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/context-store.h"
#include "cli/host.h"
#include "cli/tar.h"

struct files {
        char *data[CONTEXT_TLS_FILES];
        size_t size[CONTEXT_TLS_FILES];
};

static void files_done(struct files *f) {
        for (size_t i = 0; i < CONTEXT_TLS_FILES; i++)
                free(f->data[i]);
}
#define auto_files __attribute__((cleanup(files_done))) struct files

/* "host=tcp://a:2376,ca=a.pem,…" into the endpoint and the files. */
static int take_endpoint(const char *text, json_t *endpoint, struct files *files, struct err *err) {
        static const char *const keys[CONTEXT_TLS_FILES] = { "ca", "cert", "key" };
        auto_free char *copy = strdup(text);
        char *rest = copy, *item;

        while ((item = strsep(&rest, ","))) {
                char *value = strchr(item, '=');
                size_t i;

                if (!value)
                        return err_set(err, ERR_INVALID, -EINVAL, "--docker: \"%s\" is not KEY=VALUE", item);
                *value++ = '\0';
                for (i = 0; i < CONTEXT_TLS_FILES && strcmp(keys[i], item) != 0; i++)
                        ;
                if (i < CONTEXT_TLS_FILES) {
                        int r;

                        free(files->data[i]);
                        files->data[i] = NULL;
                        r = file_read_at(AT_FDCWD, value, CONTEXT_FILE_MAX, &files->data[i], &files->size[i]);
                        if (r < 0)
                                return err_errno(err, r, "--docker: %s", value);
                } else if (strcmp(item, "host") == 0) {
                        if (host_check(value, err) < 0)
                                return err_prefix(err, "--docker: ");
                        json_object_set_new(endpoint, "Host", json_string(value));
                } else if (strcmp(item, "skip-tls-verify") == 0) {
                        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
                                return err_set(err, ERR_INVALID, -EINVAL, "--docker: skip-tls-verify is true or false, not \"%s\"", value);
                        json_object_set_new(endpoint, "SkipTLSVerify", json_boolean(*value == 't'));
                } else {
                        return err_set(err, ERR_INVALID, -EINVAL, "--docker: there is no key \"%s\": host, ca, cert, key, skip-tls-verify", item);
                }
        }
        return 0;
}

static int write_files(const char *name, const struct files *files, struct err *err) {
        int r = 0;

        for (size_t i = 0; i < CONTEXT_TLS_FILES && r == 0; i++)
                if (files->data[i])
                        r = context_tls_write(name, context_tls_files[i], files->data[i], files->size[i], err);
        return r;
}

static int read_files(const char *name, struct files *files, struct err *err) {
        for (size_t i = 0; i < CONTEXT_TLS_FILES; i++) {
                auto_free char *path = context_tls_path(name, context_tls_files[i]);
                int r = file_read_at(AT_FDCWD, path, CONTEXT_FILE_MAX, &files->data[i], &files->size[i]);

                if (r < 0 && r != -ENOENT && r != -ENOTDIR)
                        return err_errno(err, r, "%s", path);
        }
        return 0;
}

static json_t *new_meta(const char *name) {
        return json_pack("{s:s, s:{}, s:{s:{s:s, s:b}}}", "Name", name, "Metadata", "Endpoints", "docker", "Host", "", "SkipTLSVerify", 0);
}

/* Options on top of what meta has. */
static int apply(const struct args *a, json_t *meta, struct files *files, struct err *err) {
        const char *about = args_text(a, "description"), *endpoint = args_text(a, "docker");

        if (about)
                json_object_set_new(json_get_object(meta, "Metadata"), "Description", json_string(about));
        if (endpoint && take_endpoint(endpoint, context_endpoint(meta), files, err) < 0)
                return -EINVAL;
        if (!*context_host(meta))
                return err_set(err, ERR_INVALID, -EINVAL, "a context needs a host: --docker host=unix://PATH, tcp://HOST:PORT or ssh://[USER@]HOST");
        return 0;
}

static int save(const char *name, const json_t *meta, const struct files *files, struct err *err) {
        /* The files first: a context is there when its meta.json is. */
        int r = write_files(name, files, err);

        return r < 0 ? r : context_save(name, meta, err);
}

static int create(const struct args *a, const char *name, struct err *err) {
        auto_json *meta = NULL, *there = NULL;
        const char *from = args_text(a, "from");
        auto_files files = { 0 };
        int r;

        r = context_check_name(name, err);
        if (r < 0)
                return r;
        if (context_load(name, &there, NULL) == 0)
                return err_set(err, ERR_CONFLICT, -EEXIST, "context \"%s\" already exists", name);
        if (from && strcmp(from, "default") != 0) {
                r = context_load(from, &meta, err);
                if (r == 0)
                        r = read_files(from, &files, err);
                if (r < 0)
                        return r;
                json_object_set_new(meta, "Name", json_string(name));
        } else {
                meta = new_meta(name);
        }
        r = apply(a, meta, &files, err);
        return r < 0 ? r : save(name, meta, &files, err);
}

static int update(const struct args *a, const char *name, struct err *err) {
        auto_json *meta = NULL;
        auto_files files = { 0 };
        int r = context_load(name, &meta, err);

        if (r == 0)
                r = apply(a, meta, &files, err);
        return r < 0 ? r : save(name, meta, &files, err);
}

static int finish(int r, const struct err *err, const char *name) {
        if (r < 0)
                return client_complain(err, 1);
        printf("%s\n", name);
        return 0;
}

static int run_create(struct client *c, const struct args *a) {
        struct err err = { 0 };
        int r = create(a, args_at(a, 0), &err);

        return finish(r, &err, args_at(a, 0));
}

static int run_update(struct client *c, const struct args *a) {
        struct err err = { 0 };
        int r = update(a, args_at(a, 0), &err);

        return finish(r, &err, args_at(a, 0));
}

static int write_member(int fd, const char *name, unsigned mode, const void *data, size_t size) {
        struct tar_member *m = calloc(1, sizeof(*m));
        int r;

        if (!m)
                return -ENOMEM;
        m->type = data ? TAR_FILE : TAR_DIRECTORY;
        m->mode = mode;
        m->size = size;
        snprintf(m->path, sizeof(m->path), "%s", name);
        r = tar_write_member(fd, m);
        free(m);
        if (r == 0 && data)
                r = fd_write_all(fd, data, size);
        return r == 0 && data ? tar_write_padding(fd, size) : r;
}

static int export_to(int fd, const char *name, struct err *err) {
        auto_free char *text = NULL;
        auto_json *meta = NULL;
        auto_files files = { 0 };
        bool directories = false;
        int r = context_load(name, &meta, err);

        if (r == 0)
                r = read_files(name, &files, err);
        if (r < 0)
                return r;
        text = json_text(meta);
        r = write_member(fd, "meta.json", 0644, text, strlen(text));
        for (size_t i = 0; i < CONTEXT_TLS_FILES && r == 0; i++) {
                auto_free char *path = str_format("tls/docker/%s", context_tls_files[i]);

                if (!files.data[i])
                        continue;
                if (!directories) {
                        r = write_member(fd, "tls", 0700, NULL, 0);
                        if (r == 0)
                                r = write_member(fd, "tls/docker", 0700, NULL, 0);
                        directories = true;
                }
                if (r == 0)
                        r = write_member(fd, path, 0600, files.data[i], files.size[i]);
        }
        if (r == 0)
                r = tar_write_end(fd);
        return r < 0 ? err_errno(err, r, "writing the archive") : 0;
}

static int run_export(struct client *c, const struct args *a) {
        const char *name = args_at(a, 0), *file = args_at(a, 1);
        auto_free char *usual = str_format("%s.dockercontext", name);
        auto_json *meta = NULL;
        auto_fd opened = -EBADF;
        struct err err = { 0 };

        if (!file)
                file = usual;
        if (context_load(name, &meta, &err) < 0)
                return client_complain(&err, 1);
        if (strcmp(file, "-") == 0) {
                if (isatty(STDOUT_FILENO)) {
                        complain("an archive is not for a terminal: name a file");
                        return 1;
                }
                return export_to(STDOUT_FILENO, name, &err) < 0 ? client_complain(&err, 1) : 0;
        }
        /* There may be a key in it. */
        opened = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (opened < 0)
                err_errno(&err, -errno, "%s", file);
        if (opened < 0 || export_to(opened, name, &err) < 0) {
                if (opened >= 0)
                        unlink(file);
                return client_complain(&err, 1);
        }
        fprintf(stderr, "Written file \"%s\"\n", file);
        return 0;
}

struct input {
        struct tar_reader tar;
        int fd;
        size_t zeros; /* still to be made up */
};

static ssize_t read_input(void *data, char *to, size_t size, struct err *err) {
        struct input *in = data;
        ssize_t n;

        do
                n = read(in->fd, to, size);
        while (n < 0 && errno == EINTR);
        /* Docker leaves out the blocks that end an archive. Inside of a file nothing is made up. */
        if (n == 0 && in->tar.left == 0) {
                n = (ssize_t) (size < in->zeros ? size : in->zeros);
                memset(to, 0, (size_t) n);
                in->zeros -= (size_t) n;
        }
        return n < 0 ? err_errno(err, -errno, "reading the archive") : n;
}

/* One member, which somebody else made: known names only, sized. */
static int take_member(struct tar_reader *t, const struct tar_member *m, char **meta, size_t *meta_size, struct files *files, struct err *err) {
        const char *path = str_starts_with(m->path, "./") ? m->path + 2 : m->path;
        auto_free char *data = NULL;
        size_t have = 0, known;

        if (m->type == TAR_DIRECTORY)
                return 0;
        for (known = 0; known < CONTEXT_TLS_FILES; known++)
                if (str_starts_with(path, "tls/docker/") && strcmp(path + strlen("tls/docker/"), context_tls_files[known]) == 0)
                        break;
        if (m->type != TAR_FILE || (known == CONTEXT_TLS_FILES && strcmp(path, "meta.json") != 0))
                return err_set(err, ERR_INVALID, -EINVAL, "the archive has \"%.64s\" in it, which no context has", m->path);
        if (m->size > CONTEXT_FILE_MAX)
                return err_set(err, ERR_TOO_LARGE, -EFBIG, "\"%.64s\" in the archive is longer than %d bytes", m->path, CONTEXT_FILE_MAX);
        data = malloc(m->size + 1);
        if (!data)
                return err_errno(err, -ENOMEM, "archive");
        while (have < m->size) {
                ssize_t n = tar_read(t, data + have, m->size - have, err);

                if (n < 0)
                        return (int) n;
                if (n == 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "the archive ends in the middle");
                have += (size_t) n;
        }
        if (known < CONTEXT_TLS_FILES) {
                free(files->data[known]);
                files->data[known] = take_ptr(&data);
                files->size[known] = have;
        } else {
                free(*meta);
                *meta = take_ptr(&data);
                *meta_size = have;
        }
        return 0;
}

static int import_from(int fd, const char *name, struct err *err) {
        struct input in = { .tar = { .read = read_input, .data = &in }, .fd = fd, .zeros = 2048 };
        auto_free struct tar_member *m = calloc(1, sizeof(*m));
        auto_json *meta = NULL, *there = NULL, *fresh = NULL;
        auto_free char *text = NULL;
        auto_files files = { 0 };
        size_t size = 0;
        int r = context_check_name(name, err);

        if (r < 0)
                return r;
        if (context_load(name, &there, NULL) == 0)
                return err_set(err, ERR_CONFLICT, -EEXIST, "context \"%s\" already exists", name);
        while (m && (r = tar_next(&in.tar, m, err)) > 0) {
                r = take_member(&in.tar, m, &text, &size, &files, err);
                if (r < 0)
                        break;
        }
        if (r < 0)
                return r;
        if (!text)
                return err_set(err, ERR_INVALID, -EINVAL, "the archive has no meta.json: it is no context");
        r = json_parse(text, size, CONTEXT_FILE_MAX, "meta.json", &meta, err);
        if (r == 0)
                r = host_check(context_host(meta), err);
        if (r < 0)
                return r;
        /* What is known of it, and nothing else. */
        fresh = new_meta(name);
        json_object_set_new(context_endpoint(fresh), "Host", json_string(context_host(meta)));
        json_object_set_new(context_endpoint(fresh), "SkipTLSVerify", json_boolean(json_get_bool(context_endpoint(meta), "SkipTLSVerify", false)));
        json_object_set_new(json_get_object(fresh, "Metadata"), "Description",
                            json_string(json_get_str(json_get_object(meta, "Metadata"), "Description", "")));
        return save(name, fresh, &files, err);
}

static int run_import(struct client *c, const struct args *a) {
        const char *name = args_at(a, 0), *file = args_at(a, 1);
        bool standard = strcmp(file, "-") == 0;
        auto_fd opened = standard ? -EBADF : open(file, O_RDONLY | O_CLOEXEC);
        struct err err = { 0 };
        int r = 0;

        if (!standard && opened < 0)
                r = err_errno(&err, -errno, "%s", file);
        if (r == 0)
                r = import_from(standard ? STDIN_FILENO : opened, name, &err);
        return finish(r, &err, name);
}

static const struct option change_options[] = {
        { 0, "description", OPTION_TEXT, "TEXT", "What it is" },
        { 0, "docker", OPTION_TEXT, "KEY=VALUE,...", "host=ADDRESS and, for TLS, ca=FILE, cert=FILE, key=FILE, skip-tls-verify=true" },
        { 0 },
};
static const struct option from_options[] = {
        { 0, "from", OPTION_TEXT, "CONTEXT", "Begin with a copy of this one" },
        { 0 },
};
static const struct option no_options[] = { { 0 } };

const struct command command_context_create = {
        .name = "context create", .noun = "context", .verb = "create", .usage = "[OPTIONS] NAME", .summary = "Make a context: a name for a daemon",
        .examples = "  kist context create far --docker host=ssh://root@far\n"
                    "  kist context create safe --docker host=tcp://safe:2376,ca=ca.pem,cert=cert.pem,key=key.pem\n",
        .options = change_options, .more = from_options, .min_args = 1, .max_args = 1, .run = run_create, .local = true,
};
const struct command command_context_update = {
        .name = "context update", .noun = "context", .verb = "update", .usage = "[OPTIONS] CONTEXT", .summary = "Change a context",
        .options = change_options, .min_args = 1, .max_args = 1, .run = run_update, .local = true,
};
const struct command command_context_export = {
        .name = "context export", .noun = "context", .verb = "export", .usage = "CONTEXT [FILE|-]",
        .summary = "Write a context, with its keys, into an archive", .options = no_options, .min_args = 1, .max_args = 2, .run = run_export,
        .local = true,
};
const struct command command_context_import = {
        .name = "context import", .noun = "context", .verb = "import", .usage = "NAME FILE|-", .summary = "Make a context from such an archive",
        .options = no_options, .min_args = 2, .max_args = 2, .run = run_import, .local = true,
};
