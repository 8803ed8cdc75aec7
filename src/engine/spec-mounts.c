/* SPDX-License-Identifier: Apache-2.0 */
/* HostConfig.Binds, .Mounts and .Tmpfs → one list. */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/spec.h"
#include "engine/volumes.h"

static const char *const propagations[] = { "private", "rprivate", "shared", "rshared", "slave", "rslave" };

/* "/a/./b//c/" → "/a/b/c", on the heap. NULL: not absolute, the root itself, or it climbs with "..". */
static char *clean_target(const char *path) {
        char *clean, *to;

        if (*path != '/')
                return NULL;
        clean = malloc(strlen(path) + 2);
        if (!clean)
                return NULL;
        to = clean;
        while (*path) {
                size_t n;

                while (*path == '/')
                        path++;
                n = strcspn(path, "/");
                if (n == 2 && path[0] == '.' && path[1] == '.') {
                        free(clean);
                        return NULL;
                }
                if (n && !(n == 1 && *path == '.')) {
                        *to++ = '/';
                        memcpy(to, path, n);
                        to += n;
                }
                path += n;
        }
        *to = '\0';
        if (to == clean) {
                free(clean);
                return NULL;
        }
        return clean;
}

static struct spec_mount *add(struct spec *s, const char *target, const char *field, struct err *err) {
        auto_free char *clean = clean_target(target);
        struct spec_mount *v;

        if (!clean) {
                err_set(err, ERR_INVALID, -EINVAL, "HostConfig.%s: invalid mount path: '%s' must be absolute, without \"..\", and not the root", field, target);
                return NULL;
        }
        if (spec_mount_at(s, clean)) {
                err_set(err, ERR_INVALID, -EINVAL, "Duplicate mount point: %s", clean);
                return NULL;
        }
        v = reallocarray(s->mounts, s->n_mounts + 1, sizeof(*v));
        if (!v) {
                err_errno(err, -ENOMEM, "HostConfig.%s", field);
                return NULL;
        }
        s->mounts = v;
        v += s->n_mounts++;
        *v = (struct spec_mount) { .target = take_ptr(&clean), .recursive = true, .propagation = "rprivate" };
        return v;
}

const struct spec_mount *spec_mount_at(const struct spec *s, const char *target) {
        for (size_t i = 0; i < s->n_mounts; i++)
                if (!strcmp(s->mounts[i].target, target))
                        return &s->mounts[i];
        return NULL;
}

static bool set_propagation(struct spec_mount *m, const char *word) {
        for (size_t i = 0; i < ARRAY_SIZE(propagations); i++) {
                if (strcmp(propagations[i], word) != 0)
                        continue;
                strcpy(m->propagation, propagations[i]);
                return true;
        }
        return false;
}

/* "uids=0-1-10#10-11-5;gids=0-0-10": from an id on disk to an id of the container, how many. */
int spec_idmap_parse(const char *text, const char *kind, uint32_t first_id, json_t **ret) {
        auto_free char *copy = strdup(text);
        auto_json *list = json_array();
        char *save = NULL, *save_range = NULL;

        for (char *part = copy ? strtok_r(copy, ";", &save) : NULL; part; part = strtok_r(NULL, ";", &save)) {
                char *ranges = strchr(part, '=');

                if (!ranges)
                        return -EINVAL;
                *ranges++ = '\0';
                if (strcmp(part, "uids") != 0 && strcmp(part, "gids") != 0)
                        return -EINVAL;
                for (char *range = strcmp(part, kind) == 0 ? strtok_r(ranges, "#", &save_range) : NULL; range; range = strtok_r(NULL, "#", &save_range)) {
                        unsigned disk, inside, count;
                        int used = 0;

                        if (sscanf(range, "%9u-%9u-%9u%n", &disk, &inside, &count, &used) != 3 || range[used] || !count || inside + count > 65536)
                                return -EINVAL;
                        json_array_append_new(list, json_pack("{s:I, s:I, s:I}", "containerID", (json_int_t) disk, "hostID", (json_int_t) first_id + inside, "size",
                                                              (json_int_t) count));
                }
        }
        if (!json_array_size(list) || json_array_size(list) > 64)
                return -EINVAL;
        *ret = take_ptr(&list);
        return 0;
}

static bool take_idmap(struct spec_mount *m, const char *text) {
        auto_json *uids = NULL, *gids = NULL;

        if (spec_idmap_parse(text, "uids", 0, &uids) < 0 || spec_idmap_parse(text, "gids", 0, &gids) < 0)
                return false;
        free(m->idmap);
        m->idmap = strdup(text);
        return m->idmap;
}

/* The words behind the second colon. z and Z ask for an SELinux label, which a host without SELinux ignores; cached and its kin are for other systems. */
static bool bind_option(struct spec_mount *m, const char *word) {
        static const char *const no_effect[] = { "z", "Z", "rw", "consistent", "cached", "delegated", "rbind" };

        for (size_t i = 0; i < ARRAY_SIZE(no_effect); i++)
                if (!strcmp(no_effect[i], word))
                        return true;
        if (!strcmp(word, "ro"))
                return m->read_only = true;
        if (!strcmp(word, "nocopy") && m->type == SPEC_MOUNT_VOLUME)
                return m->no_copy = true;
        /* Mapped is what every mount is here: "idmap" says what is so; with ranges it says how. */
        if (!strcmp(word, "idmap"))
                return true;
        if (str_starts_with(word, "idmap="))
                return take_idmap(m, word + strlen("idmap="));
        if (!strcmp(word, "bind")) {
                m->recursive = false;
                return true;
        }
        return set_propagation(m, word);
}

int spec_add_bind(struct spec *s, const char *source, const char *target, struct err *err) {
        struct spec_mount *m = add(s, target, "Mounts", err);

        if (!m)
                return -EINVAL;
        m->type = SPEC_MOUNT_BIND;
        m->source = strdup(source);
        return m->source ? 0 : err_errno(err, -ENOMEM, "mount on %s", target);
}

bool spec_add_bind_option(struct spec_mount *m, const char *word) {
        static const char *const flags[] = { "nosuid", "nodev", "noexec" };

        for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
                if (!strcmp(flags[i], word)) {
                        char *more = str_format("%s%s%s", m->options ? m->options : "", m->options ? "," : "", word);

                        if (!more)
                                return false;
                        free(m->options);
                        m->options = more;
                        return true;
                }
        return bind_option(m, word);
}

bool spec_is_volume_name(const char *text) {
        size_t n = strlen(text);

        if (n < 2 || n > 240 || !isalnum((unsigned char) *text))
                return false;
        for (; *text; text++)
                if (!isalnum((unsigned char) *text) && !strchr("_.-", *text))
                        return false;
        return true;
}

int spec_check_volume_name(const char *name, struct err *err) {
        if (spec_is_volume_name(name))
                return 0;
        if (strlen(name) == 1 && isalnum((unsigned char) *name))
                return err_set(err, ERR_INVALID, -EINVAL, "volume name is too short, names should be at least two alphanumeric characters");
        return err_set(err, ERR_INVALID, -EINVAL, "\"%s\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass "
                                                  "a host directory, use absolute path", name);
}

/* name "": one that is made up when the container is made, and then found in the body. */
static struct spec_mount *add_volume(struct spec *s, const char *target, const char *name, const char *field, struct err *err) {
        struct spec_mount *m;

        if (*name && spec_check_volume_name(name, err) < 0)
                return NULL;
        m = add(s, target, field, err);
        if (!m)
                return NULL;
        m->type = SPEC_MOUNT_VOLUME;
        m->anonymous = !*name;
        if (!*name)
                name = json_get_str(json_object_get(s->body, VOLUMES_ANONYMOUS), m->target, "");
        m->source = strdup(name);
        if (!m->source) {
                err_errno(err, -ENOMEM, "HostConfig.%s", field);
                return NULL;
        }
        return m;
}

/* "a/./b" → "a/b". It stays below what it is a part of. */
static int read_subpath(struct spec_mount *m, const char *text, struct err *err) {
        auto_free char *rooted = str_format("/%s", text), *clean = NULL;

        if (!*text)
                return 0;
        clean = rooted && *text != '/' ? clean_target(rooted) : NULL;
        if (!clean)
                return err_set(err, ERR_INVALID, -EINVAL, "invalid mount config: subpath '%s' of %s must be a relative path within the volume", text, m->target);
        m->subpath = strdup(clean + 1);
        return m->subpath ? 0 : err_errno(err, -ENOMEM, "HostConfig.Mounts");
}

static int read_volume_options(struct spec_mount *m, const json_t *o, struct err *err) {
        const json_t *driver = json_get_object(o, "DriverConfig");
        const char *name = json_get_str(driver, "Name", "");
        int r;

        m->no_copy = json_get_bool(o, "NoCopy", false);
        m->labels = json_get_object(o, "Labels");
        m->driver_options = json_get_object(driver, "Options");
        if (*name && strcmp(name, "local") != 0)
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "HostConfig.Mounts: volume driver \"%s\" (for %s): only the driver local is there", name, m->target);
        r = volume_options_check(m->driver_options, err);
        return r < 0 ? r : read_subpath(m, json_get_str(o, "Subpath", ""), err);
}

static int read_bind(struct spec *s, const char *text, struct err *err) {
        auto_free char *copy = strdup(text);
        char *source = copy, *target, *options, *word, *save = NULL;
        struct spec_mount *m;

        if (!copy)
                return err_errno(err, -ENOMEM, "HostConfig.Binds");
        target = strchr(copy, ':');
        if (!target)
                return add_volume(s, text, "", "Binds", err) ? 0 : -EINVAL;
        *target++ = '\0';
        options = strchr(target, ':');
        if (options)
                *options++ = '\0';
        if (!*source || !*target || (options && (!*options || strchr(options, ':'))))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid volume specification: '%s'", text);
        if (*source != '/') {
                m = add_volume(s, target, source, "Binds", err);
                if (!m)
                        return -EINVAL;
                m->from_binds = true;
        } else {
                m = add(s, target, "Binds", err);
                if (!m)
                        return -EINVAL;
                m->type = SPEC_MOUNT_BIND;
                m->make_source = m->from_binds = true;
                m->source = strdup(source);
                if (!m->source)
                        return err_errno(err, -ENOMEM, "HostConfig.Binds");
        }
        for (word = options ? strtok_r(options, ",", &save) : NULL; word; word = strtok_r(NULL, ",", &save))
                if (!bind_option(m, word))
                        return err_set(err, ERR_INVALID, -EINVAL, "invalid mode: %s", word);
        return 0;
}

static int read_bind_options(struct spec_mount *m, const json_t *o, struct err *err) {
        const char *propagation = json_get_str(o, "Propagation", "");
        bool force = json_get_bool(o, "ReadOnlyForceRecursive", false);

        if (*propagation && !set_propagation(m, propagation))
                return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.Mounts: invalid propagation \"%s\"", propagation);
        m->recursive = !json_get_bool(o, "NonRecursive", false);
        m->make_source = json_get_bool(o, "CreateMountpoint", false);
        m->read_only_top = json_get_bool(o, "ReadOnlyNonRecursive", false);
        if (m->read_only_top && force)
                return err_set(err, ERR_INVALID, -EINVAL, "mount options conflict: ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive");
        if ((m->read_only_top || force) && !m->read_only)
                return err_set(err, ERR_INVALID, -EINVAL, "mount options conflict: !ReadOnly && BindOptions.%s", force ? "ReadOnlyForceRecursive" : "ReadOnlyNonRecursive");
        if (force && strcmp(m->propagation, "rprivate") != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "mount options conflict: ReadOnlyForceRecursive && BindOptions.Propagation != rprivate");
        return 0;
}

/* Each is what the file system takes, or one of the words that any mount has. */
static int add_tmpfs_words(struct spec_mount *m, const json_t *list, struct strbuf *b, struct err *err) {
        json_t *pair;
        size_t i;

        json_array_foreach((json_t *) list, i, pair) {
                const char *key = json_string_value(json_array_get(pair, 0)), *value = json_string_value(json_array_get(pair, 1));

                if (!key || !*key || strpbrk(key, ",=") || (value && strchr(value, ',')) || json_array_size(pair) > 2)
                        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.Mounts: TmpfsOptions.Options of %s: [name] or [name, value] is expected", m->target);
                strbuf_addf(b, "%s%s%s%s", b->size ? "," : "", key, value ? "=" : "", value ? value : "");
        }
        return 0;
}

static int read_tmpfs_options(struct spec_mount *m, const json_t *o, struct err *err) {
        int64_t size = json_get_int(o, "SizeBytes", 0), mode = json_get_int(o, "Mode", 0);
        auto_strbuf b;
        int r;

        strbuf_init(&b, 1024);
        if (size < 0 || mode < 0 || mode > 07777)
                return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.Mounts: TmpfsOptions of %s are out of range", m->target);
        if (size)
                strbuf_addf(&b, "size=%lld", (long long) size);
        if (mode)
                strbuf_addf(&b, "%smode=%o", size ? "," : "", (unsigned) mode);
        r = add_tmpfs_words(m, json_get_array(o, "Options"), &b, err);
        if (r < 0)
                return r;
        m->options = strbuf_take(&b, NULL);
        return m->options ? 0 : err_errno(err, -ENOMEM, "HostConfig.Mounts");
}

/* Kist's own. */
static int read_mount_idmap(struct spec_mount *m, const json_t *o, struct err *err) {
        const char *text = json_get_str(o, "Idmap", "");

        return !*text || take_idmap(m, text) ? 0 : err_set(err, ERR_INVALID, -EINVAL, "HostConfig.Mounts: idmap \"%s\": uids=DISK-INSIDE-COUNT;gids=… is expected", text);
}

static int read_mount(struct spec *s, const json_t *o, struct err *err) {
        const char *type = json_get_str(o, "Type", ""), *source = json_get_str(o, "Source", ""), *target = json_get_str(o, "Target", "");
        struct spec_mount *m;
        int r;

        if (!*target && *type)
                return err_set(err, ERR_INVALID, -EINVAL, "invalid mount config for type \"%s\": field Target must not be empty", type);
        if (!strcmp(type, "volume")) {
                m = add_volume(s, target, source, "Mounts", err);
                if (!m)
                        return -EINVAL;
                m->read_only = json_get_bool(o, "ReadOnly", false);
                r = read_mount_idmap(m, o, err);
                return r < 0 ? r : read_volume_options(m, json_get_object(o, "VolumeOptions"), err);
        }
        if (!strcmp(type, "cluster"))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "HostConfig.Mounts: type \"cluster\" (for %s) needs a swarm; bind, volume, tmpfs and image are there", target);
        if (strcmp(type, "bind") != 0 && strcmp(type, "tmpfs") != 0 && strcmp(type, "image") != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "invalid mount config: mount type unknown: \"%s\"", type);
        m = add(s, target, "Mounts", err);
        if (!m)
                return -EINVAL;
        m->read_only = json_get_bool(o, "ReadOnly", false);
        if (!strcmp(type, "tmpfs")) {
                m->type = SPEC_MOUNT_TMPFS;
                if (*source)
                        return err_set(err, ERR_INVALID, -EINVAL, "invalid mount config for type \"tmpfs\": field Source must not be specified");
                return read_tmpfs_options(m, json_get_object(o, "TmpfsOptions"), err);
        }
        if (!strcmp(type, "image")) {
                m->type = SPEC_MOUNT_IMAGE;
                m->read_only = true;
                m->source = strdup(source);
                if (!*source)
                        return err_set(err, ERR_INVALID, -EINVAL, "invalid mount config for type \"image\": field Source must not be empty");
                return m->source ? read_subpath(m, json_get_str(json_get_object(o, "ImageOptions"), "Subpath", ""), err) : err_errno(err, -ENOMEM, "HostConfig.Mounts");
        }
        m->type = SPEC_MOUNT_BIND;
        if ((r = read_mount_idmap(m, o, err)) < 0)
                return r;
        if (!*source)
                return err_set(err, ERR_INVALID, -EINVAL, "invalid mount config for type \"bind\": field Source must not be empty");
        if (*source != '/')
                return err_set(err, ERR_INVALID, -EINVAL, "invalid mount config for type \"bind\": invalid mount path: '%s' mount path must be absolute", source);
        m->source = strdup(source);
        return m->source ? read_bind_options(m, json_get_object(o, "BindOptions"), err) : err_errno(err, -ENOMEM, "HostConfig.Mounts");
}

static int compare_targets(const void *a, const void *b) {
        return strcmp(((const struct spec_mount *) a)->target, ((const struct spec_mount *) b)->target);
}

int spec_read_mounts(struct spec *s, struct err *err) {
        struct spec_mount *m;
        const char *key;
        json_t *v;
        size_t i;
        int r;

        json_array_foreach(s->binds, i, v)
                if ((r = read_bind(s, json_string_value(v), err)) < 0)
                        return r;
        json_array_foreach(s->mount_list, i, v)
                if ((r = read_mount(s, v, err)) < 0)
                        return r;
        json_object_foreach(s->tmpfs, key, v) {
                if (!json_is_string(v))
                        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.Tmpfs: the options of %s are not a string", key);
                m = add(s, key, "Tmpfs", err);
                if (!m)
                        return -EINVAL;
                m->type = SPEC_MOUNT_TMPFS;
                m->options = strdup(json_string_value(v));
                if (!m->options)
                        return err_errno(err, -ENOMEM, "HostConfig.Tmpfs");
        }
        /* Those of --volumes-from, as they were when this container was made: what it asks for itself goes before. */
        json_array_foreach(json_object_get(s->body, VOLUMES_FROM), i, v) {
                if (spec_mount_at(s, json_get_str(v, "Target", "")))
                        continue;
                if ((r = read_mount(s, v, err)) < 0)
                        return r;
        }
        /* Of the image, and of -v with a path alone: where nothing else is mounted. */
        json_object_foreach(s->volumes, key, v) {
                auto_free char *clean = clean_target(key);

                if ((!clean || !spec_mount_at(s, clean)) && !add_volume(s, key, "", "Volumes", err))
                        return -EINVAL;
        }
        /* "/a" before "/a/b": what is below is mounted into what is above. */
        if (s->n_mounts)
                qsort(s->mounts, s->n_mounts, sizeof(*s->mounts), compare_targets);
        return 0;
}
