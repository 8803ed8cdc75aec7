/* SPDX-License-Identifier: Apache-2.0 */
/* Requests → names of devices → the files in the directories of CDI. The files are read at each start of a container that asks: they may change at
 * any time, and who asks for none pays nothing. */

#include "engine/cdi.h"
#include "engine/cdi-yaml.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/spec.h"

enum { FILE_MAX_SIZE = 1 << 20, FILES_MAX = 256, NAMES_MAX = 256, NAME_MAX_SIZE = 255 };

/* Letters and digits at both ends, and these between them. */
static bool is_word(const char *text, size_t n, const char *between, bool letter_first) {
        if (!n || !(letter_first ? isalpha((unsigned char) text[0]) : isalnum((unsigned char) text[0])) || !isalnum((unsigned char) text[n - 1]))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!isalnum((unsigned char) text[i]) && !strchr(between, text[i]))
                        return false;
        return true;
}

bool cdi_is_name(const char *text) {
        const char *slash = strchr(text, '/'), *equals = strchr(text, '=');

        return strlen(text) <= NAME_MAX_SIZE && slash && equals && slash < equals && is_word(text, (size_t) (slash - text), "_-.", true) &&
               is_word(slash + 1, (size_t) (equals - slash - 1), "_-", true) && is_word(equals + 1, strlen(equals + 1), "_-.:", false);
}

static bool is_cdi(const json_t *request) {
        return !strcmp(json_get_str(request, "Driver", ""), "cdi");
}

int cdi_check_requests(const json_t *requests, struct err *err) {
        json_t *request, *id;
        size_t i, k, n = 0;

        json_array_foreach((json_t *) requests, i, request) {
                if (!json_is_object(request))
                        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.DeviceRequests: an object is expected");
                json_array_foreach(json_get_array(request, "DeviceIDs"), k, id) {
                        const char *text = json_string_value(id);

                        if (!text || strlen(text) > NAME_MAX_SIZE || strlen(text) != json_string_length(id))
                                return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.DeviceRequests: DeviceIDs: an array of names is expected");
                        if (is_cdi(request) && !cdi_is_name(text))
                                return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.DeviceRequests: \"%s\" is not the name of a device: vendor.com/class=name", text);
                        if (++n > NAMES_MAX)
                                return err_set(err, ERR_TOO_LARGE, -E2BIG, "HostConfig.DeviceRequests: more than %d devices", NAMES_MAX);
                }
                if (json_get_int(request, "Count", 0) < -1 || json_get_int(request, "Count", 0) > NAMES_MAX)
                        return err_set(err, ERR_INVALID, -ERANGE, "HostConfig.DeviceRequests: Count: out of range");
        }
        return 0;
}

/* What the directories hold. A file that cannot be used is no error of those who want another's devices: the first reason is kept for those who miss theirs. */
struct library {
        struct file {
                json_t *spec;
                size_t dir;   /* its directory's place: a later one counts more */
                bool applied; /* the edits for all of its devices */
        } files[FILES_MAX];
        size_t n;
        char why[320];
};

static void library_done(struct library *l) {
        for (size_t i = 0; i < l->n; i++)
                json_decref(l->files[i].spec);
}

static void note(struct library *l, const char *dir, const char *name, const char *why) {
        if (!*l->why)
                snprintf(l->why, sizeof(l->why), "%.100s%s%.80s: %.120s", dir, *name ? "/" : "", name, why);
}

/* Whoever may write there says what containers get of the host. */
static bool is_safe(const struct stat *st) {
        return st->st_uid == 0 && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

static const char *check_spec(const json_t *spec) {
        static const char *const versions[] = { "0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0" };
        const char *version = json_get_str(spec, "cdiVersion", ""), *kind = json_get_str(spec, "kind", "");
        auto_free char *sample = str_format("%s=x", kind);
        size_t v = 0;

        while (v < ARRAY_SIZE(versions) && strcmp(versions[v], version) != 0)
                v++;
        if (v == ARRAY_SIZE(versions))
                return "cdiVersion: one of 0.3.0 to 0.8.0 is read";
        if (!sample || !cdi_is_name(sample))
                return "kind: vendor.com/class is expected";
        return json_is_array(json_object_get(spec, "devices")) ? NULL : "devices: an array is expected";
}

static bool ends_with(const char *text, const char *end) {
        size_t n = strlen(text), m = strlen(end);

        return n > m && !strcmp(text + n - m, end);
}

static void read_file(struct library *l, int dir_fd, size_t dir, const char *path, const char *name) {
        auto_fd fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        auto_free char *text = NULL;
        auto_json *spec = NULL;
        const char *why;
        struct stat st;
        struct err err;
        size_t size;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return note(l, path, name, errno == ELOOP ? "it is a symbolic link" : strerror(errno));
        if (!S_ISREG(st.st_mode) || !is_safe(&st))
                return note(l, path, name, "it is not a file that root alone can write");
        r = fd_read_file(fd, FILE_MAX_SIZE, &text, &size);
        if (r < 0)
                return note(l, path, name, strerror(-r));
        if ((ends_with(name, ".json") ? json_parse(text, size, FILE_MAX_SIZE, name, &spec, &err) : cdi_yaml_parse(text, size, name, &spec, &err)) < 0)
                return note(l, path, "", err.msg);
        why = check_spec(spec);
        if (why)
                return note(l, path, name, why);
        if (l->n == FILES_MAX)
                return note(l, path, name, "there are more than 256 files");
        l->files[l->n++] = (struct file) { .spec = json_incref(spec), .dir = dir };
}

static void read_directory(struct library *l, size_t at, const char *path) {
        int fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);
        struct stat st;

        if (!d) {
                fd_close(fd);
                return; /* most hosts have none */
        }
        if (fstat(fd, &st) < 0 || !is_safe(&st))
                note(l, path, "", "it is not a directory that root alone can write");
        else
                for (struct dirent *entry; (entry = readdir(d));)
                        if (ends_with(entry->d_name, ".json") || ends_with(entry->d_name, ".yaml") || ends_with(entry->d_name, ".yml"))
                                read_file(l, fd, at, path, entry->d_name);
        closedir(d);
}

static const json_t *device_of(const struct file *f, const char *name) {
        const char *kind = json_get_str(f->spec, "kind", ""), *equals = strchr(name, '=');
        json_t *device;
        size_t i;

        if (strlen(kind) != (size_t) (equals - name) || strncmp(kind, name, strlen(kind)) != 0)
                return NULL;
        json_array_foreach(json_get_array(f->spec, "devices"), i, device)
                if (!strcmp(json_get_str(device, "name", ""), equals + 1))
                        return device;
        return NULL;
}

static int apply(struct spec *s, struct library *l, const char *name, struct err *err) {
        const json_t *device = NULL;
        struct file *file = NULL;
        bool twice = false;
        int r;

        for (size_t i = 0; i < l->n; i++) {
                const json_t *found = device_of(&l->files[i], name);

                if (!found || (file && l->files[i].dir < file->dir))
                        continue;
                twice = file && l->files[i].dir == file->dir;
                file = &l->files[i];
                device = found;
        }
        if (!file)
                return err_set(err, ERR_INVALID, -ENOENT, "CDI device injection failed: unresolvable CDI devices %s%s%s%s", name, *l->why ? " (" : "", l->why, *l->why ? ")" : "");
        if (twice)
                return err_set(err, ERR_INVALID, -EEXIST, "CDI device injection failed: unresolvable CDI devices %s (two files of one directory have it)", name);
        if (!file->applied && (r = cdi_edit(s, json_object_get(file->spec, "containerEdits"), name, err)) < 0)
                return r;
        file->applied = true;
        return cdi_edit(s, json_object_get(device, "containerEdits"), name, err);
}

/* The kind of GPU that this host has described. */
static const char *gpu_kind(const struct library *l) {
        static const char *const kinds[] = { "nvidia.com/gpu", "amd.com/gpu" };

        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
                for (size_t i = 0; i < l->n; i++)
                        if (!strcmp(json_get_str(l->files[i].spec, "kind", ""), kinds[k]))
                                return kinds[k];
        return NULL;
}

static bool asks_for_gpus(const json_t *request) {
        const char *driver = json_get_str(request, "Driver", "");
        json_t *set, *word;
        size_t i, k;

        json_array_foreach(json_get_array(request, "Capabilities"), i, set)
                json_array_foreach(set, k, word)
                        if (json_is_string(word) && !strcmp(json_string_value(word), "gpu"))
                                return !*driver || !strcmp(driver, "nvidia") || !strcmp(driver, "amd");
        return false;
}

/* --gpus: by number, by name, or all, of the kind that is there. */
static int apply_gpus(struct spec *s, struct library *l, const json_t *request, struct err *err) {
        const char *kind = gpu_kind(l), *driver = json_get_str(request, "Driver", "");
        json_t *ids = json_get_array(request, "DeviceIDs"), *id;
        int64_t count = json_get_int(request, "Count", 0);
        char name[NAME_MAX_SIZE + 32];
        size_t i;
        int r = 0;

        if (!kind)
                return err_set(err, ERR_INVALID, -ENODEV, "could not select device driver \"%s\" with capabilities: [[gpu]]: no CDI file describes nvidia.com/gpu or amd.com/gpu%s%s%s", driver,
                               *l->why ? " (" : "", l->why, *l->why ? ")" : "");
        json_array_foreach(ids, i, id) {
                const char *text = json_string_value(id);

                snprintf(name, sizeof(name), "%s%s%s", strchr(text, '=') ? "" : kind, strchr(text, '=') ? "" : "=", text);
                if (!cdi_is_name(name))
                        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.DeviceRequests: \"%s\" is not the name of a GPU", text);
                if ((r = apply(s, l, name, err)) < 0)
                        return r;
        }
        if (json_array_size(ids))
                return 0;
        if (count < 0) {
                snprintf(name, sizeof(name), "%s=all", kind);
                return apply(s, l, name, err);
        }
        for (int64_t n = 0; r == 0 && n < count; n++) {
                snprintf(name, sizeof(name), "%s=%d", kind, (int) n);
                r = apply(s, l, name, err);
        }
        return r;
}

static int apply_request(struct spec *s, struct library *l, const json_t *request, struct err *err) {
        json_t *id;
        size_t i;
        int r = 0;

        if (asks_for_gpus(request))
                return apply_gpus(s, l, request, err);
        if (!is_cdi(request))
                return err_set(err, ERR_INVALID, -ENODEV, "could not select device driver \"%s\": there are cdi, and for GPUs nvidia and amd", json_get_str(request, "Driver", ""));
        json_array_foreach(json_get_array(request, "DeviceIDs"), i, id)
                if ((r = apply(s, l, json_string_value(id), err)) < 0)
                        return r;
        return 0;
}

int cdi_apply(struct spec *s, const json_t *dirs, struct err *err) {
        auto_free struct library *l = NULL;
        json_t *v;
        size_t i;
        int r = 0;

        if (!json_array_size(s->device_requests))
                return 0;
        l = calloc(1, sizeof(*l));
        if (!l)
                return err_errno(err, -ENOMEM, "CDI");
        json_array_foreach((json_t *) dirs, i, v)
                read_directory(l, i, json_string_value(v));
        json_array_foreach(s->device_requests, i, v)
                if ((r = apply_request(s, l, v, err)) < 0)
                        break;
        library_done(l);
        return r;
}

json_t *cdi_list(const json_t *dirs) {
        __attribute__((cleanup(library_done))) struct library l = {};
        auto_json *seen = json_object();
        json_t *list = json_array(), *dir, *device;
        size_t i, k;

        json_array_foreach((json_t *) dirs, i, dir)
                read_directory(&l, i, json_string_value(dir));
        for (i = 0; i < l.n; i++) {
                json_array_foreach(json_get_array(l.files[i].spec, "devices"), k, device) {
                        auto_free char *name = str_format("%s=%s", json_get_str(l.files[i].spec, "kind", ""), json_get_str(device, "name", ""));

                        if (!name || !cdi_is_name(name) || json_object_get(seen, name))
                                continue;
                        json_object_set_new(seen, name, json_true());
                        json_array_append_new(list, json_pack("{s:s, s:s}", "Source", "cdi", "ID", name));
                }
        }
        return list;
}
