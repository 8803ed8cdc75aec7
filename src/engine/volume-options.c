/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the driver local: a volume that is a file system of its own, described as mount(8) has it: type, device, o. It is made by the new mount
 * API, so that it is in the container only. */

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/spec.h"
#include "engine/volumes.h"

enum { OPTIONS_MAX = 4096 };

/* What belongs to the mount and not to the file system. */
static const struct {
        const char *word;
        uint64_t set, clear;
} attributes[] = {
        { "ro", MOUNT_ATTR_RDONLY, 0 },       { "rw", 0, MOUNT_ATTR_RDONLY },       { "nosuid", MOUNT_ATTR_NOSUID, 0 },       { "suid", 0, MOUNT_ATTR_NOSUID },
        { "nodev", MOUNT_ATTR_NODEV, 0 },     { "dev", 0, MOUNT_ATTR_NODEV },       { "noexec", MOUNT_ATTR_NOEXEC, 0 },       { "exec", 0, MOUNT_ATTR_NOEXEC },
        { "noatime", MOUNT_ATTR_NOATIME, 0 }, { "nodiratime", MOUNT_ATTR_NODIRATIME, 0 }, { "relatime", 0, 0 },               { "defaults", 0, 0 },
        { "bind", 0, 0 },                     { "rbind", 0, 0 },                    { "async", 0, 0 },                        { "_netdev", 0, 0 },
};

static bool has_word(const char *options, const char *word) {
        size_t n = strlen(word);

        for (const char *at = options; *at; at += strcspn(at, ","), at += *at == ',')
                if (!strncmp(at, word, n) && (at[n] == ',' || !at[n]))
                        return true;
        return false;
}

static bool is_bind(const json_t *options) {
        const char *o = json_get_str(options, "o", "");

        return has_word(o, "bind") || has_word(o, "rbind");
}

static bool is_type(const char *type) {
        size_t n = strlen(type);

        if (n == 0 || n > 32)
                return false;
        for (; *type; type++)
                if (!islower((unsigned char) *type) && !isdigit((unsigned char) *type) && !strchr("._", *type))
                        return false;
        return true;
}

int volume_options_check(const json_t *options, struct err *err) {
        const char *key, *type = json_get_str(options, "type", ""), *device = json_get_str(options, "device", "");
        json_t *v;

        if (!json_object_size(options))
                return 0;
        json_object_foreach((json_t *) options, key, v) {
                if (strcmp(key, "type") != 0 && strcmp(key, "device") != 0 && strcmp(key, "o") != 0 && strcmp(key, "size") != 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "invalid option: \"%s\"", key);
                if (!json_is_string(v) || json_string_length(v) > OPTIONS_MAX || strlen(json_string_value(v)) != json_string_length(v))
                        return err_set(err, ERR_INVALID, -EINVAL, "DriverOpts: %s is not a short text", key);
        }
        if (json_object_get(options, "size")) {
                if (json_object_size(options) > 1)
                        return err_set(err, ERR_INVALID, -EINVAL, "DriverOpts: size: is for a volume that is a directory, without type, device and o; o=size=… is for a tmpfs");
                return spec_read_size("DriverOpts: size", json_get_str(options, "size", ""), &(uint64_t) { 0 }, err);
        }
        if (!*device)
                return err_set(err, ERR_INVALID, -EINVAL, "missing device in volume options");
        if (is_bind(options) ? *device != '/' || strstr(device, "/..") : !is_type(type))
                return err_set(err, ERR_INVALID, -EINVAL, is_bind(options) ? "DriverOpts: device: \"%s\" is not an absolute path" : "DriverOpts: type: \"%s\" is no file system",
                               is_bind(options) ? device : type);
        return 0;
}

uint64_t volume_options_size(const json_t *options) {
        uint64_t size = 0;

        spec_read_size("size", json_get_str(options, "size", "0"), &size, NULL);
        return size;
}

bool volume_options_is_mount(const json_t *options) {
        return *json_get_str(options, "device", "");
}

const char *volume_options_bind_source(const json_t *options, bool *ret_read_only) {
        if (!volume_options_is_mount(options) || !is_bind(options))
                return NULL;
        *ret_read_only |= has_word(json_get_str(options, "o", ""), "ro") && !has_word(json_get_str(options, "o", ""), "rw");
        return json_get_str(options, "device", "");
}

bool volume_options_is_memory(const json_t *options) {
        return !is_bind(options) && !strcmp(json_get_str(options, "type", ""), "tmpfs");
}

/* The kernel's own words, when it has any. */
static int refused(const char *name, int fs, const char *what, int num, struct err *err) {
        char text[256], *line;
        ssize_t n = read(fs, text, sizeof(text) - 1);

        text[n > 0 ? n : 0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        line = n > 2 ? text + 2 : strcpy(text, strerror(-num));
        return err_set(err, ERR_INVALID, num, "volume %s: the kernel refuses %s: %s", name, what, line);
}

static int set_option(int fs, const char *word) {
        const char *equals = strchr(word, '=');
        auto_free char *key = equals ? strndup(word, (size_t) (equals - word)) : NULL;

        if (equals && !key)
                return -ENOMEM;
        return (equals ? fsconfig(fs, FSCONFIG_SET_STRING, key, equals + 1, 0) : fsconfig(fs, FSCONFIG_SET_FLAG, word, NULL, 0)) < 0 ? -errno : 0;
}

/* Mount attributes are collected; the rest is the file system's. */
static int set_options(const char *name, int fs, const char *options, uint64_t *set, struct err *err) {
        auto_free char *copy = strdup(options);
        char *save = NULL;

        if (!copy)
                return err_errno(err, -ENOMEM, "volume %s", name);
        for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
                size_t i = 0;
                int r;

                while (i < ARRAY_SIZE(attributes) && strcmp(attributes[i].word, word) != 0)
                        i++;
                if (i < ARRAY_SIZE(attributes)) {
                        *set = (*set & ~attributes[i].clear) | attributes[i].set;
                        continue;
                }
                if (fs < 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "volume %s: \"%s\" is no option of a bind mount", name, word);
                r = set_option(fs, word);
                if (r < 0)
                        return refused(name, fs, word, r, err);
        }
        return 0;
}

static int mount_bind(const char *name, const json_t *options, int bind_fd, int *ret, struct err *err) {
        const char *device = json_get_str(options, "device", ""), *words = json_get_str(options, "o", "");
        struct mount_attr attr = { .propagation = MS_PRIVATE };
        auto_fd fd = -EBADF;
        uint64_t set = 0;
        int r = set_options(name, -1, words, &set, err);

        if (r < 0)
                return r;
        attr.attr_set = set;
        if (attr.attr_set & (MOUNT_ATTR_NOATIME | MOUNT_ATTR_STRICTATIME))
                attr.attr_clr |= MOUNT_ATTR__ATIME;
        fd = open_tree(bind_fd >= 0 ? bind_fd : AT_FDCWD, bind_fd >= 0 ? "" : device, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (has_word(words, "rbind") ? AT_RECURSIVE : 0));
        if (fd < 0)
                return err_set(err, ERR_INVALID, -errno, "volume %s: failed to mount local volume: mount %s: %s", name, device, strerror(errno));
        if (mount_setattr(fd, "", AT_EMPTY_PATH | (has_word(words, "rbind") ? AT_RECURSIVE : 0), &attr, sizeof(attr)) < 0)
                return err_errno(err, -errno, "volume %s: %s", name, device);
        *ret = move_fd(fd);
        return 0;
}

/* mount.nfs(8) looks up the server; here it is to be an address: "addr=192.0.2.1", and the device ":/path" then is on it. */
static char *source_of(const json_t *options) {
        const char *device = json_get_str(options, "device", ""), *addr = strstr(json_get_str(options, "o", ""), "addr=");

        if (*device == ':' && addr)
                return str_format("%.*s%s", (int) strcspn(addr + 5, ","), addr + 5, device);
        return strdup(device);
}

int volume_options_mount(const char *name, const json_t *options, int bind_fd, int *ret, struct err *err) {
        const char *type = json_get_str(options, "type", "");
        auto_free char *source = source_of(options);
        uint64_t attr = 0;
        auto_fd fs = -EBADF;
        int fd, r;

        if (is_bind(options))
                return mount_bind(name, options, bind_fd, ret, err);
        fs = fsopen(type, FSOPEN_CLOEXEC);
        if (fs < 0)
                return err_set(err, ERR_INVALID, -errno, "volume %s: this kernel has no file system \"%s\"", name, type);
        if (!source || fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
                return refused(name, fs, "the device", source ? -errno : -ENOMEM, err);
        r = set_options(name, fs, json_get_str(options, "o", ""), &attr, err);
        if (r < 0)
                return r;
        if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return refused(name, fs, source, -errno, err);
        fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned) attr);
        if (fd < 0)
                return refused(name, fs, source, -errno, err);
        *ret = fd;
        return 0;
}
