/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/config.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "cli/command.h"

enum { CONFIG_MAX = 1 << 20 };

static const char *directory;
static json_t *loaded;

void config_set_directory(const char *path) {
        directory = path;
}

const char *config_directory(void) {
        static const char *const variables[] = { "KIST_CONFIG", "DOCKER_CONFIG" };
        const char *home = getenv("HOME");

        for (size_t i = 0; !directory && i < ARRAY_SIZE(variables); i++) {
                const char *value = getenv(variables[i]);

                if (value && *value)
                        directory = value;
        }
        if (!directory)
                directory = home && *home ? str_format("%s/.docker", home) : "";
        return directory ? directory : "";
}

int config_make_directory(const char *path, struct err *err) {
        auto_fd root = open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        int fd = path_mkdir_in(root, path, 0700);

        return fd < 0 ? err_errno(err, fd, "%s", path) : fd;
}

static json_t *read_file(void) {
        auto_free char *path = *config_directory() ? str_format("%s/config.json", config_directory()) : NULL;
        auto_free char *text = NULL;
        json_t *object = NULL;
        struct err err;
        size_t size;
        int r;

        if (!path)
                return NULL;
        r = file_read_at(AT_FDCWD, path, CONFIG_MAX, &text, &size);
        if (r == -ENOENT || r == -ENOTDIR)
                return NULL;
        if (r < 0)
                err_errno(&err, r, "%s", path);
        else
                r = json_parse(text, size, CONFIG_MAX, path, &object, &err);
        if (r == 0 && !json_is_object(object)) {
                r = err_set(&err, ERR_INVALID, -EINVAL, "%s is not a JSON object", path);
                json_decref(object);
        }
        if (r < 0)
                warn("%s", err.msg);
        return r < 0 ? NULL : object;
}

json_t *config_object(void) {
        if (!loaded)
                loaded = read_file();
        if (!loaded)
                loaded = json_object();
        return loaded;
}

const char *config_text(const char *key) {
        const char *value = json_get_str(config_object(), key, "");

        return *value ? value : NULL;
}

const char *config_format(const char *given, bool quiet, const char *key) {
        return given || quiet ? given : config_text(key);
}

int config_save(struct err *err) {
        auto_free char *text = json_dumps(config_object(), JSON_INDENT(8));
        auto_fd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), dir = -EBADF;
        const char *path = config_directory();
        int r;

        if (!*path || !text)
                return err_set(err, ERR_INVALID, -ENOENT, "there is no directory for config.json: HOME is not set");
        dir = *path == '/' ? path_mkdir_in(root, path, 0700) : openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return err_errno(err, *path == '/' ? dir : -errno, "%s", path);
        r = file_write_atomic_at(dir, "config.json", text, strlen(text), 0600, true);
        return r < 0 ? err_errno(err, r, "%s/config.json", path) : 0;
}

static bool is_header(const char *name, const char *value) {
        if (!*name || !value)
                return false;
        for (; *name; name++)
                if (!isalnum((unsigned char) *name) && !strchr("!#$%&'*+-.^_`|~", *name))
                        return false;
        for (; *value; value++)
                if ((unsigned char) *value < 0x20 || *value == 0x7f)
                        return false;
        return true;
}

int config_headers(char **ret, struct err *err) {
        json_t *headers = json_get_object(config_object(), "HttpHeaders"), *value;
        auto_strbuf lines;
        const char *name;

        strbuf_init(&lines, 16384);
        json_object_foreach(headers, name, value) {
                if (!is_header(name, json_string_value(value)))
                        return err_set(err, ERR_INVALID, -EINVAL, "config.json: HttpHeaders: \"%s\" is not a header and its value", name);
                /* Ours says who really asks. */
                if (strcasecmp(name, "User-Agent") != 0)
                        strbuf_addf(&lines, "%s: %s\r\n", name, json_string_value(value));
        }
        if (strbuf_error(&lines) < 0)
                return err_set(err, ERR_INVALID, -E2BIG, "config.json: HttpHeaders are too long");
        *ret = lines.size > 0 ? strbuf_take(&lines, NULL) : NULL;
        return 0;
}
