/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/context-store.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "cli/command.h"
#include "cli/config.h"

enum { HASH_SIZE = 2 * SHA256_DIGEST_SIZE + 1, NAME_MAX_SIZE = 200 };

const char *const context_tls_files[CONTEXT_TLS_FILES] = { "ca.pem", "cert.pem", "key.pem" };

static void hash_name(const char *name, char ret[HASH_SIZE]) {
        uint8_t digest[SHA256_DIGEST_SIZE];
        struct sha256_ctx sha;

        sha256_init(&sha);
        sha256_update(&sha, strlen(name), (const uint8_t *) name);
        sha256_digest(&sha, sizeof(digest), digest);
        for (size_t i = 0; i < sizeof(digest); i++)
                snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

int context_check_name(const char *name, struct err *err) {
        size_t n = strlen(name);
        bool good = n >= 2 && n <= NAME_MAX_SIZE && isalnum((unsigned char) *name);

        for (const char *p = name; *p; p++)
                if (!isalnum((unsigned char) *p) && !strchr("_.+-", *p))
                        good = false;
        if (strcmp(name, "default") == 0)
                return err_set(err, ERR_INVALID, -EINVAL, "context \"default\" is what the environment says: it cannot be changed");
        if (!good)
                return err_set(err, ERR_INVALID, -EINVAL, "\"%s\" is not a name of a context: letters, digits, and _.+- behind the first", name);
        return 0;
}

static char *directory(const char *kind, const char *name, const char *below) {
        char hash[HASH_SIZE], *path;

        hash_name(name, hash);
        path = str_format("%s/contexts/%s/%s%s", config_directory(), kind, hash, below);
        if (!path)
                abort();
        return path;
}

char *context_meta_directory(const char *name) {
        return directory("meta", name, "");
}

char *context_tls_directory(const char *name) {
        return directory("tls", name, "");
}

char *context_tls_path(const char *name, const char *file) {
        auto_free char *below = str_format("/docker/%s", file);

        return directory("tls", name, below);
}

static int read_meta(const char *path, json_t **ret, struct err *err) {
        auto_free char *text = NULL;
        auto_json *meta = NULL;
        size_t size;
        int r;

        r = file_read_at(AT_FDCWD, path, CONTEXT_FILE_MAX, &text, &size);
        if (r < 0)
                return err_errno(err, r, "%s", path);
        r = json_parse(text, size, CONTEXT_FILE_MAX, path, &meta, err);
        if (r < 0)
                return r;
        if (!*json_get_str(meta, "Name", ""))
                return err_set(err, ERR_INVALID, -EINVAL, "%s has no name in it", path);
        *ret = take_ptr(&meta);
        return 0;
}

int context_load(const char *name, json_t **ret, struct err *err) {
        auto_free char *path = directory("meta", name, "/meta.json");
        int r = context_check_name(name, err);

        if (r < 0)
                return r;
        r = read_meta(path, ret, err);
        if (r == -ENOENT || r == -ENOTDIR)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "context \"%s\" does not exist: see 'kist context ls'", name);
        return r;
}

int context_save(const char *name, const json_t *meta, struct err *err) {
        auto_free char *path = context_meta_directory(name), *text = json_text(meta);
        auto_fd dir = config_make_directory(path, err);
        int r;

        if (dir < 0)
                return dir;
        r = file_write_atomic_at(dir, "meta.json", text, strlen(text), 0644, true);
        return r < 0 ? err_errno(err, r, "%s/meta.json", path) : 0;
}

int context_tls_write(const char *name, const char *file, const void *data, size_t size, struct err *err) {
        auto_free char *path = context_tls_path(name, file), *docker = NULL;
        auto_fd dir = -EBADF;
        int r;

        if (!data)
                return unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR ? err_errno(err, -errno, "%s", path) : 0;
        docker = strndup(path, (size_t) (strrchr(path, '/') - path));
        dir = config_make_directory(docker, err);
        if (dir < 0)
                return dir;
        r = file_write_atomic_at(dir, file, data, size, 0600, true);
        return r < 0 ? err_errno(err, r, "%s", path) : 0;
}

int context_remove(const char *name, struct err *err) {
        auto_free char *meta = context_meta_directory(name), *tls = context_tls_directory(name);
        int r = path_remove_tree_at(AT_FDCWD, meta);

        if (r == 0)
                r = path_remove_tree_at(AT_FDCWD, tls);
        return r < 0 ? err_errno(err, r, "context \"%s\"", name) : 0;
}

static int by_name(const void *a, const void *b) {
        return strcmp(json_get_str(*(json_t *const *) a, "Name", ""), json_get_str(*(json_t *const *) b, "Name", ""));
}

json_t *context_all(void) {
        auto_free char *path = str_format("%s/contexts/meta", config_directory());
        DIR *dir = *config_directory() ? opendir(path) : NULL;
        json_t *all = json_array(), **sorted;
        struct dirent *entry;
        size_t n = 0;

        while (dir && (entry = readdir(dir))) {
                auto_free char *file = str_format("%s/%s/meta.json", path, entry->d_name);
                json_t *meta = NULL;
                struct err err;

                if (entry->d_name[0] == '.')
                        continue;
                if (read_meta(file, &meta, &err) < 0)
                        warn("%s", err.msg);
                else
                        json_array_append_new(all, meta);
        }
        if (dir)
                closedir(dir);
        n = json_array_size(all);
        sorted = calloc(n + 1, sizeof(json_t *));
        if (!sorted)
                abort();
        for (size_t i = 0; i < n; i++)
                sorted[i] = json_incref(json_array_get(all, i));
        qsort(sorted, n, sizeof(json_t *), by_name);
        for (size_t i = 0; i < n; i++)
                json_array_set_new(all, i, sorted[i]);
        free(sorted);
        return all;
}

json_t *context_endpoint(const json_t *meta) {
        return json_get_object(json_get_object(meta, "Endpoints"), "docker");
}

const char *context_host(const json_t *meta) {
        return json_get_str(context_endpoint(meta), "Host", "");
}
