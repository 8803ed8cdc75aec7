/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/manifest-store.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <nettle/base64.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "cli/config.h"
#include "cli/credentials.h"

enum {
        NAME_LENGTH_MAX = 255, /* it becomes the name of a file */
        FILE_MAX = 4 * MANIFEST_TEXT_MAX,
        DIGEST_SIZE = 2 * SHA256_DIGEST_SIZE + sizeof("sha256:"),
};

/* --- names --- */

/* The daemon knows the grammar; here it is only made sure that a name is the name of one file. */
static bool is_plain(const char *name) {
        bool begins = true;

        for (const char *p = name; *p; p++) {
                if (!isalnum((unsigned char) *p) && (begins || !strchr("._-/:@", *p)) && !(begins && *p == '['))
                        return false;
                begins = *p == '/';
        }
        return !begins && strlen(name) <= NAME_LENGTH_MAX;
}

int manifest_whole_name(const char *name, char **ret, struct err *err) {
        auto_free char *key = credentials_registry(name);
        bool hub = str_starts_with(key, "https://"), named = str_starts_with(name, "docker.io/") || str_starts_with(name, "index.docker.io/");
        const char *rest = !hub || named ? strchr(name, '/') + 1 : name, *tag = strchr(rest, '@') ? "" : ":latest";
        char *whole;

        if (!is_plain(name))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid reference format: \"%.300s\"", name);
        if (!*tag || strchr(rest, ':'))
                tag = "";
        whole = str_format("%s/%s%s%s", hub ? "docker.io" : key, hub && !strchr(rest, '/') ? "library/" : "", rest, tag);
        if (!whole)
                return err_errno(err, -ENOMEM, "%s", name);
        *ret = whole;
        return 0;
}

void manifest_name_parts(const char *whole, size_t *ret_registry, size_t *ret_repository) {
        const char *slash = strchr(whole, '/');

        *ret_registry = (size_t) (slash - whole);
        *ret_repository = (size_t) (slash - whole) + strcspn(slash, ":@");
}

static char *file_name(const char *whole) {
        char *name = strdup(whole);

        for (char *p = name; p && *p; p++)
                *p = *p == ':' ? '-' : *p == '/' ? '_' : *p;
        if (!name)
                abort();
        return name;
}

static char *list_path(const char *list) {
        auto_free char *file = file_name(list);
        char *path = str_format("%s/manifests/%s", config_directory(), file);

        if (!path)
                abort();
        return path;
}

/* --- one manifest --- */

static void digest_of(const char *text, size_t size, char ret[DIGEST_SIZE]) {
        uint8_t bytes[SHA256_DIGEST_SIZE];
        struct sha256_ctx sha;
        int n = snprintf(ret, DIGEST_SIZE, "sha256:");

        sha256_init(&sha);
        sha256_update(&sha, size, (const uint8_t *) text);
        sha256_digest(&sha, sizeof(bytes), bytes);
        for (size_t i = 0; i < sizeof(bytes); i++)
                snprintf(ret + n + 2 * i, 3, "%02x", bytes[i]);
}

static int check_type(const json_t *descriptor, const char *what, struct err *err) {
        const char *type = json_get_str(descriptor, "mediaType", "");

        if (strcmp(type, MEDIA_OCI_MANIFEST) == 0 || strcmp(type, MEDIA_DOCKER_MANIFEST) == 0)
                return 0;
        return err_set(err, ERR_INVALID, -EINVAL, "%s: \"%.200s\" is not the media type of a manifest", what, type);
}

static int check_text(const json_t *descriptor, const char *text, size_t size, const char *what, struct err *err) {
        char digest[DIGEST_SIZE];

        digest_of(text, size, digest);
        if (strcmp(json_get_str(descriptor, "digest", ""), digest) != 0 || json_get_int(descriptor, "size", -1) != (int64_t) size)
                return err_set(err, ERR_INVALID, -EBADMSG, "%s: its text is not that of its digest", what);
        return 0;
}

int manifest_make(const char *name, const json_t *descriptor, const char *text, json_t **ret, struct err *err) {
        bool oci = strcmp(json_get_str(descriptor, "mediaType", ""), MEDIA_OCI_MANIFEST) == 0;
        auto_json *parsed = NULL;
        auto_free char *packed = NULL;
        size_t size = strlen(text);
        int r = check_type(descriptor, name, err);

        if (r == 0)
                r = check_text(descriptor, text, size, name, err);
        if (r == 0)
                r = json_parse(text, size, MANIFEST_TEXT_MAX, name, &parsed, err);
        if (r < 0)
                return r;
        packed = calloc(1, BASE64_ENCODE_RAW_LENGTH(size) + 1);
        if (!packed)
                return err_errno(err, -ENOMEM, "%s", name);
        base64_encode_raw(packed, size, (const uint8_t *) text);
        *ret = json_pack("{s:s, s:O, s:s, s:O}", "Ref", name, "Descriptor", descriptor, "Raw", packed, oci ? "OCIManifest" : "SchemaV2Manifest", parsed);
        return *ret ? 0 : err_errno(err, -ENOMEM, "%s", name);
}

static int check(const json_t *manifest, const char *what, struct err *err) {
        const char *packed = json_get_str(manifest, "Raw", "");
        auto_free char *whole = NULL;
        struct base64_decode_ctx decode;
        size_t n = BASE64_DECODE_LENGTH(strlen(packed));
        auto_free char *text = calloc(1, n + 1);
        int r = manifest_whole_name(json_get_str(manifest, "Ref", ""), &whole, err);

        if (r < 0)
                return err_prefix(err, "%s", what);
        r = check_type(json_get_object(manifest, "Descriptor"), what, err);
        /* Docker's client did not keep it before its version 24. */
        if (r < 0 || !json_object_get(manifest, "Raw"))
                return r;
        base64_decode_init(&decode);
        if (!text || !base64_decode_update(&decode, &n, (uint8_t *) text, strlen(packed), packed) || !base64_decode_final(&decode))
                return err_set(err, ERR_INVALID, -EINVAL, "%s: Raw is not base64", what);
        return check_text(json_get_object(manifest, "Descriptor"), text, n, what, err);
}

/* --- files --- */

/* The list's name is for us: it is no part of what is shown. *ret_list, which may be NULL: the caller's; "" where Docker's client wrote it. */
static int read_one(int dir_fd, const char *file, char **ret_list, json_t **ret, struct err *err) {
        auto_free char *text = NULL;
        auto_json *manifest = NULL;
        size_t size;
        int r = file_read_at(dir_fd, file, FILE_MAX, &text, &size);

        if (r < 0)
                return err_errno(err, r, "manifests/%s", file);
        r = json_parse(text, size, FILE_MAX, file, &manifest, err);
        if (r == 0)
                r = check(manifest, file, err);
        if (r == 0 && ret_list && !(*ret_list = strdup(json_get_str(manifest, "List", ""))))
                r = err_errno(err, -ENOMEM, "%s", file);
        if (r < 0)
                return r;
        json_object_del(manifest, "List");
        *ret = take_ptr(&manifest);
        return 0;
}

static int is_file(const struct dirent *entry) {
        return *entry->d_name != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

static int no_such(const char *name, struct err *err) {
        return err_set(err, ERR_NOT_FOUND, -ENOENT, "No such manifest: %s", name);
}

int manifest_list_load(const char *list, json_t **ret, struct err *err) {
        auto_free char *path = list_path(list);
        auto_fd dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        auto_json *all = json_array();
        struct dirent **names = NULL;
        int n, r = 0;

        if (dir < 0)
                return errno == ENOENT ? no_such(list, err) : err_errno(err, -errno, "%s", path);
        n = scandirat(dir, ".", &names, is_file, by_bytes);
        if (n < 0)
                return err_errno(err, -errno, "%s", path);
        if (n > MANIFEST_LIST_MAX)
                r = err_set(err, ERR_TOO_LARGE, -E2BIG, "%s: a manifest list has at most %d entries", list, MANIFEST_LIST_MAX);
        for (int i = 0; i < n; i++) {
                json_t *one;

                if (r == 0)
                        r = read_one(dir, names[i]->d_name, NULL, &one, err);
                if (r == 0)
                        json_array_append_new(all, one);
                free(names[i]);
        }
        free(names);
        if (r == 0 && json_array_size(all) == 0)
                return no_such(list, err);
        if (r == 0)
                *ret = take_ptr(&all);
        return r;
}

int manifest_load(const char *list, const char *name, json_t **ret, struct err *err) {
        auto_free char *path = list_path(list), *file = file_name(name);
        auto_fd dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r = dir < 0 ? -errno : faccessat(dir, file, F_OK, 0) < 0 ? -errno : 0;

        if (r == -ENOENT)
                return no_such(name, err);
        return r < 0 ? err_errno(err, r, "%s/%s", path, file) : read_one(dir, file, NULL, ret, err);
}

int manifest_save(const char *list, const json_t *manifest, struct err *err) {
        auto_json *named = json_copy((json_t *) manifest);
        auto_free char *path = list_path(list), *file = file_name(json_get_str(manifest, "Ref", "")),
                       *text = named && json_object_set_new(named, "List", json_string(list)) == 0 ? json_text(named) : NULL;
        auto_fd dir = -EBADF;
        int r;

        if (!text)
                return err_errno(err, -ENOMEM, "%s", list);
        if (!*config_directory())
                return err_set(err, ERR_INVALID, -EINVAL, "manifest lists have no place: HOME, DOCKER_CONFIG or --config says where it is");
        dir = config_make_directory(path, err);
        if (dir < 0)
                return dir;
        r = file_write_atomic_at(dir, file, text, strlen(text), 0644, true);
        return r < 0 ? err_errno(err, r, "%s/%s", path, file) : 0;
}

int manifest_list_remove(const char *list, struct err *err) {
        auto_free char *path = list_path(list);
        int r = access(path, F_OK) < 0 ? -errno : path_remove_tree_at(AT_FDCWD, path);

        return r == -ENOENT ? no_such(list, err) : r < 0 ? err_errno(err, r, "%s", path) : 0;
}

/* --- all lists --- */

/* "localhost-5000_a_b-1" of the registry "localhost:5000" → "localhost:5000/a/b:1". */
static char *name_of_directory(const char *directory, const char *ref) {
        size_t of_registry, unused, n = strlen(directory);
        char *name = strdup(directory), *dash;

        manifest_name_parts(ref, &of_registry, &unused);
        if (!name || n <= of_registry + 1 || directory[of_registry] != '_') {
                free(name);
                return NULL;
        }
        memcpy(name, ref, of_registry);
        for (char *p = name + of_registry; *p; p++)
                *p = *p == '_' ? '/' : *p;
        dash = strrchr(name + of_registry, '-');
        if (dash)
                *dash = ':';
        return name;
}

static void add_name(int dir_fd, const char *directory, json_t *to) {
        auto_fd dir = openat(dir_fd, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct dirent **files = NULL;
        int n = dir < 0 ? 0 : scandirat(dir, ".", &files, is_file, by_bytes);
        bool found = false;

        for (int i = 0; i < n; i++) {
                auto_json *manifest = NULL;
                auto_free char *list = NULL, *guess = NULL, *whole = NULL, *back = NULL;

                if (!found && read_one(dir, files[i]->d_name, &list, &manifest, NULL) == 0) {
                        guess = name_of_directory(directory, json_get_str(manifest, "Ref", ""));
                        found = manifest_whole_name(*list ? list : guess ? guess : "", &whole, NULL) == 0 && strcmp(back = file_name(whole), directory) == 0;
                }
                if (found && whole)
                        json_array_append_new(to, json_string(whole));
                free(files[i]);
        }
        free(files);
}

json_t *manifest_list_names(void) {
        auto_free char *path = str_format("%s/manifests", config_directory());
        auto_fd dir = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -EBADF;
        struct dirent **lists = NULL;
        json_t *names = json_array();
        int n = dir < 0 ? 0 : scandirat(dir, ".", &lists, is_file, by_bytes);

        for (int i = 0; i < n; i++) {
                if (i < MANIFEST_LIST_MAX)
                        add_name(dir, lists[i]->d_name, names);
                free(lists[i]);
        }
        free(lists);
        return names;
}
