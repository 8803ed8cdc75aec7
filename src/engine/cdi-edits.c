/* SPDX-License-Identifier: Apache-2.0 */
/* containerEdits of a CDI file → a container's spec. The file is the administrator's; it is checked all the same. */

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/cdi.h"
#include "engine/hooks.h"
#include "engine/spec.h"

enum { ITEMS_MAX = 1024 };

/* A list of the spec's that is to have more items than the body says: a copy, which belongs to the spec. */
static json_t *own_list(json_t **list, json_t **own) {
        if (!*own) {
                *own = *list ? json_copy(*list) : json_array();
                *list = *own;
        }
        return *own;
}

static int edit_env(struct spec *s, const json_t *v, const char *of, struct err *err) {
        const char *text = json_string_value(v);

        if (!text || *text == '=' || !strchr(text, '=') || strlen(text) != json_string_length(v))
                return err_set(err, ERR_INVALID, -EINVAL, "CDI device %s: env: NAME=VALUE is expected", of);
        return json_array_append(own_list(&s->env, &s->cdi_env), (json_t *) v) < 0 ? err_errno(err, -ENOMEM, "CDI device %s", of) : 0;
}

static int edit_group(struct spec *s, const json_t *v, const char *of, struct err *err) {
        json_int_t id = json_is_integer(v) ? json_integer_value(v) : -1;

        if (id < 0 || id > INT32_MAX)
                return err_set(err, ERR_INVALID, -EINVAL, "CDI device %s: additionalGIDs: the number of a group is expected", of);
        if (id == 0)
                return 0; /* CDI's way to say none */
        return json_array_append_new(own_list(&s->group_add, &s->cdi_groups), json_sprintf("%lld", (long long) id)) < 0 ? err_errno(err, -ENOMEM, "CDI device %s", of) : 0;
}

static int get_id(const json_t *v, const char *key, int64_t max, uint32_t *value, struct err *err) {
        int64_t id = json_get_int(v, key, *value);

        if (json_object_get(v, key) && (id < 0 || id > max))
                return err_set(err, ERR_INVALID, -ERANGE, "deviceNodes: %s: out of range", key);
        *value = (uint32_t) id;
        return 0;
}

/* What the file does not say is as it is on the host. */
static int node_stat(const json_t *v, const char *host, struct stat *st, struct err *err) {
        const char *type = json_get_str(v, "type", "");
        uint32_t mode, major_, minor_;
        bool numbers = json_object_get(v, "major") || json_object_get(v, "minor");
        int r;

        if (*type && strcmp(type, "b") != 0 && strcmp(type, "c") != 0 && strcmp(type, "u") != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "deviceNodes: type \"%s\": b, c or u is expected", type);
        *st = (struct stat) {};
        if (!(*type && numbers) && (stat(host, st) < 0 || (!S_ISCHR(st->st_mode) && !S_ISBLK(st->st_mode))))
                return err_set(err, ERR_INVALID, -ENOENT, "%s is not a device of this host", host);
        if (*type && !numbers && (*type == 'b') != S_ISBLK(st->st_mode))
                return err_set(err, ERR_INVALID, -EINVAL, "%s is a device of the other type", host);
        mode = st->st_mode & 07777;
        major_ = major(st->st_rdev);
        minor_ = minor(st->st_rdev);
        if (*type && numbers)
                mode = 0666;
        if ((r = get_id(v, "fileMode", 0777, &mode, err)) < 0 || (r = get_id(v, "major", 0xfff, &major_, err)) < 0 || (r = get_id(v, "minor", 0xfffff, &minor_, err)) < 0 ||
            (r = get_id(v, "uid", 65535, &st->st_uid, err)) < 0 || (r = get_id(v, "gid", 65535, &st->st_gid, err)) < 0)
                return r;
        st->st_mode = (*type ? (*type == 'b' ? S_IFBLK : S_IFCHR) : st->st_mode & S_IFMT) | mode;
        st->st_rdev = makedev(major_, minor_);
        return 0;
}

static int edit_node(struct spec *s, const json_t *v, const char *of, struct err *err) {
        const char *path = json_get_str(v, "path", ""), *host = json_get_str(v, "hostPath", path), *access = json_get_str(v, "permissions", "rw");
        struct stat st;
        int r;

        if (!spec_is_device_path(path) || !spec_is_device_path(host))
                return err_set(err, ERR_INVALID, -EINVAL, "CDI device %s: deviceNodes: an absolute path is expected", of);
        if (!spec_is_device_access(access))
                return err_set(err, ERR_INVALID, -EINVAL, "CDI device %s: deviceNodes: permissions: of r, w and m", of);
        r = node_stat(v, host, &st, err);
        return r < 0 ? err_prefix(err, "CDI device %s", of) : spec_add_device(s, host, path, &st, access, err);
}

static int edit_mount(struct spec *s, const json_t *v, const char *of, struct err *err) {
        const char *from = json_get_str(v, "hostPath", ""), *to = json_get_str(v, "containerPath", ""), *type = json_get_str(v, "type", "bind");
        const struct spec_mount *there = spec_mount_at(s, to);
        json_t *option;
        size_t i;
        int r;

        if (*from != '/' || (*type && strcmp(type, "bind") != 0 && strcmp(type, "none") != 0))
                return err_set(err, ERR_INVALID, -EINVAL, "CDI device %s: mounts: a bind mount of an absolute hostPath is expected", of);
        if (there && there->type == SPEC_MOUNT_BIND && !strcmp(there->source, from))
                return 0; /* several devices bring the same library */
        r = spec_add_bind(s, from, to, err);
        json_array_foreach(json_get_array(v, "options"), i, option)
                if (r == 0 && (!json_is_string(option) || !spec_add_bind_option(&s->mounts[s->n_mounts - 1], json_string_value(option))))
                        r = err_set(err, ERR_INVALID, -EINVAL, "mounts: %s: option \"%s\" is not supported", to, json_is_string(option) ? json_string_value(option) : "");
        return r < 0 ? err_prefix(err, "CDI device %s", of) : 0;
}

static int check_texts(const json_t *list, const char *key, bool assignments, struct err *err) {
        json_t *v;
        size_t i;

        if (list && !json_is_null(list) && (!json_is_array(list) || json_array_size(list) > ITEMS_MAX))
                return err_set(err, ERR_INVALID, -EINVAL, "hooks: %s: an array of at most %d is expected", key, ITEMS_MAX);
        json_array_foreach((json_t *) list, i, v) {
                const char *text = json_string_value(v);

                if (!text || strlen(text) != json_string_length(v) || (assignments && (*text == '=' || !strchr(text, '='))))
                        return err_set(err, ERR_INVALID, -EINVAL, "hooks: %s: %s is expected", key, assignments ? "NAME=VALUE" : "text");
        }
        return 0;
}

/* It gets the rights of the host's root, or those of the container's with the host's files to see: so it must be nobody else's. */
static int check_program(const char *path, struct err *err) {
        struct stat st;

        if (stat(path, &st) < 0)
                return err_set(err, ERR_INVALID, -errno, "hooks: %s: %s", path, strerror(errno));
        if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111))
                return err_set(err, ERR_INVALID, -EACCES, "hooks: %s is not a program", path);
        if (st.st_uid != 0 || st.st_mode & (S_IWGRP | S_IWOTH))
                return err_set(err, ERR_DENIED, -EPERM, "hooks: %s is not a file that root alone can write", path);
        return 0;
}

static int add_hook(struct spec *s, const char *list, const json_t *v, int64_t timeout, struct err *err) {
        json_t *hook = json_pack("{s:O, s:I}", "path", json_object_get(v, "path"), "timeout", (json_int_t) timeout), *hooks;

        if (!s->cdi_hooks)
                s->cdi_hooks = json_object();
        if (!json_object_get(s->cdi_hooks, list))
                json_object_set_new(s->cdi_hooks, list, json_array());
        hooks = json_object_get(s->cdi_hooks, list);
        if (json_array_size(json_object_get(v, "args")))
                json_object_set(hook, "args", json_object_get(v, "args"));
        if (json_array_size(json_object_get(v, "env")))
                json_object_set(hook, "env", json_object_get(v, "env"));
        if (json_array_size(hooks) == HOOKS_MAX) {
                json_decref(hook);
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "hooks: more than %d of %s", HOOKS_MAX, list);
        }
        return json_array_append_new(hooks, hook) < 0 ? err_errno(err, -ENOMEM, "hooks") : 0;
}

static int read_hook(struct spec *s, const json_t *v, struct err *err) {
        static const char *const names[] = { "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop" };
        const char *name = json_get_str(v, "hookName", ""), *path = json_get_str(v, "path", "");
        const json_t *timeout = json_object_get(v, "timeout");
        int64_t seconds = timeout ? json_get_int(v, "timeout", 0) : HOOKS_SECONDS;
        size_t i = 0;
        int r;

        while (i < ARRAY_SIZE(names) && strcmp(names[i], name) != 0)
                i++;
        if (i == ARRAY_SIZE(names))
                return err_set(err, ERR_INVALID, -EINVAL, "hooks: hookName \"%.32s\": prestart, createRuntime, createContainer, startContainer, poststart or poststop is expected", name);
        if (!spec_is_device_path(path) || strlen(path) >= PATH_MAX || strlen(path) != json_string_length(json_object_get(v, "path")))
                return err_set(err, ERR_INVALID, -EINVAL, "hooks: path: an absolute path is expected");
        if (seconds < 1 || seconds > HOOKS_SECONDS_MAX)
                return err_set(err, ERR_INVALID, -ERANGE, "hooks: timeout: 1 to %d seconds are expected", HOOKS_SECONDS_MAX);
        /* startContainer: a program of the container's. */
        if ((r = check_texts(json_object_get(v, "args"), "args", false, err)) < 0 || (r = check_texts(json_object_get(v, "env"), "env", true, err)) < 0 ||
            (strcmp(name, "startContainer") != 0 && (r = check_program(path, err)) < 0))
                return r;
        return add_hook(s, name, v, seconds, err);
}

static int edit_hook(struct spec *s, const json_t *v, const char *of, struct err *err) {
        int r = read_hook(s, v, err);

        return r < 0 ? err_prefix(err, "CDI device %s", of) : 0;
}

int cdi_edit(struct spec *s, const json_t *edits, const char *of, struct err *err) {
        static const struct {
                const char *key;
                int (*edit)(struct spec *s, const json_t *v, const char *of, struct err *err);
        } lists[] = { { "env", edit_env }, { "deviceNodes", edit_node }, { "mounts", edit_mount }, { "additionalGIDs", edit_group }, { "hooks", edit_hook } };

        if (json_object_size(json_object_get(edits, "intelRdt")))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "CDI device %s: intelRdt: this engine sets no class of service", of);
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
                json_t *list = json_object_get(edits, lists[i].key), *v;
                size_t k;
                int r;

                if (!list || json_is_null(list))
                        continue;
                if (!json_is_array(list) || json_array_size(list) > ITEMS_MAX)
                        return err_set(err, ERR_INVALID, -EINVAL, "CDI device %s: %s: an array of at most %d is expected", of, lists[i].key, ITEMS_MAX);
                json_array_foreach(list, k, v)
                        if ((r = lists[i].edit(s, v, of, err)) < 0)
                                return r;
        }
        return 0;
}
