/* SPDX-License-Identifier: Apache-2.0 */
/* --device of paths, --device-cgroup-rule, and the devices of a privileged container. */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/cdi.h"
#include "engine/spec.h"

/* Where nodes cannot be made each is a mount, and an open file while the container starts. */
enum { DEVICES_MOUNTED_MAX = 256, DEVICES_MADE_MAX = 4000, DEPTH_MAX = 8 };

static size_t devices_max(const struct spec *s) {
        return s->host_userns ? DEVICES_MADE_MAX : DEVICES_MOUNTED_MAX;
}

bool spec_is_device_access(const char *text) {
        return *text && strlen(text) <= 3 && strspn(text, "rwm") == strlen(text);
}

static bool parse_number(const char **text, char end, int64_t *ret) {
        size_t n = strcspn(*text, (const char[]) { end, '\0' });
        auto_free char *word = strndup(*text, n);
        uint64_t v = 0;

        if (!word || !(*text)[n])
                return false;
        *text += n + 1;
        *ret = -1;
        if (!strcmp(word, "*"))
                return true;
        if (str_to_u64(word, 0, 0xfffff, &v) < 0)
                return false;
        *ret = (int64_t) v;
        return true;
}

bool device_rule_parse(const char *text, struct device_rule *ret) {
        struct device_rule r = {};

        if (!*text || !strchr("abc", *text) || text[1] != ' ')
                return false;
        r.type[0] = *text;
        text += 2;
        if (!parse_number(&text, ':', &r.major) || !parse_number(&text, ' ', &r.minor) || !spec_is_device_access(text))
                return false;
        snprintf(r.access, sizeof(r.access), "%s", text);
        *ret = r;
        return true;
}

bool spec_is_device_path(const char *path) {
        return *path == '/' && path[1] && !strstr(path, "/../") && (strlen(path) < 3 || strcmp(path + strlen(path) - 3, "/..") != 0);
}

int spec_read_devices(struct spec *s, struct err *err) {
        struct device_rule rule;
        json_t *v;
        size_t i;

        json_array_foreach(s->device_rules, i, v)
                if (!device_rule_parse(json_string_value(v), &rule))
                        return err_set(err, ERR_INVALID, -EINVAL, "invalid device cgroup rule format: '%s'", json_string_value(v));
        json_array_foreach(s->devices, i, v) {
                const char *host = json_get_str(v, "PathOnHost", ""), *target = json_get_str(v, "PathInContainer", host);
                const char *access = json_get_str(v, "CgroupPermissions", "rwm");

                if (!spec_is_device_path(host) || (*target && !spec_is_device_path(target)))
                        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.Devices: '%s' is not an absolute path", spec_is_device_path(host) ? target : host);
                if (*access && !spec_is_device_access(access))
                        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.Devices: %s: invalid permissions \"%s\": of r, w and m", host, access);
        }
        return cdi_check_requests(s->device_requests, err);
}

int spec_add_device(struct spec *s, const char *host, const char *target, const struct stat *st, const char *access, struct err *err) {
        struct spec_device *v;

        for (size_t i = 0; i < s->n_devices_found; i++)
                if (!strcmp(s->devices_found[i].target, target))
                        return 0;
        if (s->n_devices_found >= devices_max(s))
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "HostConfig.Devices: more than %zu devices", devices_max(s));
        v = reallocarray(s->devices_found, s->n_devices_found + 1, sizeof(*v));
        if (!v)
                return err_errno(err, -ENOMEM, "device %s", host);
        s->devices_found = v;
        v += s->n_devices_found++;
        *v = (struct spec_device) {
                .host = strdup(host),
                .target = strdup(target),
                .mode = st->st_mode,
                .uid = st->st_uid,
                .gid = st->st_gid,
                .major = major(st->st_rdev),
                .minor = minor(st->st_rdev),
        };
        snprintf(v->access, sizeof(v->access), "%s", *access ? access : "rwm");
        return v->host && v->target ? 0 : err_errno(err, -ENOMEM, "device %s", host);
}

static bool is_device(const struct stat *st) {
        return S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
}

/* What lies below /dev that is no device of the host's, or that the container has its own of. */
static bool is_left_out(const char *name) {
        static const char *const names[] = { ".", "..", "pts", "shm", "fd", "mqueue", "console", "ptmx", "tty", "null", "zero", "full", "random", "urandom", "log" };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (!strcmp(names[i], name))
                        return true;
        return false;
}

/* All devices in a directory and below it. With `bounded` the surplus is no error: nobody asked for each of them. */
static int add_directory(struct spec *s, const char *host, const char *target, const char *access, bool bounded, int depth, struct err *err) {
        DIR *d = opendir(host);
        int r = 0;

        if (!d)
                return errno == ENOENT ? 0 : err_errno(err, -errno, "device directory %s", host);
        for (struct dirent *entry; r == 0 && (entry = readdir(d));) {
                auto_free char *from = str_format("%s/%s", host, entry->d_name), *to = str_format("%s/%s", target, entry->d_name);
                struct stat st;

                if (is_left_out(entry->d_name) || !from || !to || lstat(from, &st) < 0)
                        continue;
                if (bounded && s->n_devices_found >= devices_max(s))
                        break;
                if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
                        r = add_directory(s, from, to, access, bounded, depth + 1, err);
                else if (is_device(&st))
                        r = spec_add_device(s, from, to, &st, access, err);
        }
        closedir(d);
        return r;
}

static int find_one(struct spec *s, const json_t *o, struct err *err) {
        const char *host = json_get_str(o, "PathOnHost", ""), *target = json_get_str(o, "PathInContainer", ""), *access = json_get_str(o, "CgroupPermissions", "rwm");
        auto_free char *real = realpath(host, NULL);
        struct stat st;

        if (!real || stat(real, &st) < 0)
                return err_set(err, ERR_INVALID, -errno, "error gathering device information while adding custom device \"%s\": %s", host, strerror(errno));
        if (!*target)
                target = host;
        if (S_ISDIR(st.st_mode))
                return add_directory(s, real, target, access, false, 0, err);
        if (!is_device(&st))
                return err_set(err, ERR_INVALID, -ENOTBLK, "error gathering device information while adding custom device \"%s\": not a device node", host);
        return spec_add_device(s, real, target, &st, access, err);
}

int spec_find_devices(struct spec *s, struct err *err) {
        json_t *v;
        size_t i;
        int r = 0;

        json_array_foreach(s->devices, i, v)
                if ((r = find_one(s, v, err)) < 0)
                        return r;
        return s->privileged ? add_directory(s, "/dev", "/dev", "rwm", true, 0, err) : 0;
}
