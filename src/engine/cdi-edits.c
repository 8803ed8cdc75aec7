/* SPDX-License-Identifier: Apache-2.0 */
/* containerEdits of a CDI file → a container's spec. The file is the administrator's; it is checked all the same. */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/cdi.h"
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

int cdi_edit(struct spec *s, const json_t *edits, const char *of, struct err *err) {
        static const struct {
                const char *key;
                int (*edit)(struct spec *s, const json_t *v, const char *of, struct err *err);
        } lists[] = { { "env", edit_env }, { "deviceNodes", edit_node }, { "mounts", edit_mount }, { "additionalGIDs", edit_group } };

        if (json_array_size(json_object_get(edits, "hooks")))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "CDI device %s: its file has hooks, which are programs that run on the host with all its rights: this engine runs none", of);
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
