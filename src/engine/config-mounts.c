/* SPDX-License-Identifier: Apache-2.0 */
/* `mounts` of the configuration: the default ones, the container's own files and devices, and what the user asked for, in this order. */

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/config.h"
#include "engine/spec.h"
#include "runtime/plan/plan.h"

enum { DEFAULT_SHM_SIZE = 64 << 20 };

static json_t *mount_object(const char *target, const char *type, const char *source, json_t *options) {
        return json_pack("{s:s, s:s, s:s, s:o}", "destination", target, "type", type, "source", source, "options", options);
}

/* text: "a,b", or NULL */
static void add_words(json_t *options, const char *text) {
        auto_free char *copy = text ? strdup(text) : NULL;
        char *save = NULL;

        for (char *word = copy ? strtok_r(copy, ",", &save) : NULL; word; word = strtok_r(NULL, ",", &save))
                json_array_append_new(options, json_string(word));
}

/* The host directory is mapped as the container's ids are: root in the container owns what root owns on disk. */
static json_t *bind_object(const struct spec *s, const struct spec_mount *m, uint32_t first_id) {
        static const char *const kinds[][2] = { { "uids", "uidMappings" }, { "gids", "gidMappings" } };
        json_t *options = json_array(), *o;

        json_array_append_new(options, json_string(m->recursive ? "rbind" : "bind"));
        json_array_append_new(options, json_string(m->propagation));
        if (!s->host_userns && !m->idmap && !m->is_mapped)
                json_array_append_new(options, json_string(m->recursive ? "ridmap" : "idmap"));
        if (m->read_only)
                json_array_append_new(options, json_string(m->recursive && !m->read_only_top ? "rro" : "ro"));
        add_words(options, m->options);
        o = mount_object(m->target, "bind", m->source, options);
        for (size_t i = 0; m->idmap && i < ARRAY_SIZE(kinds); i++) {
                json_t *map;

                if (spec_idmap_parse(m->idmap, kinds[i][0], first_id, &map) == 0)
                        json_object_set_new(o, kinds[i][1], map);
        }
        return o;
}

static json_t *tmpfs_object(const struct spec_mount *m) {
        json_t *options = json_pack("[s, s, s]", "noexec", "nosuid", "nodev");

        add_words(options, m->options);
        if (m->read_only)
                json_array_append_new(options, json_string("ro"));
        return mount_object(m->target, "tmpfs", "tmpfs", options);
}

static bool is_one_of(const char *text, const char *const *list) {
        for (; *list; list++)
                if (!strcmp(*list, text))
                        return true;
        return false;
}

/* Take "ro" away from a default mount: a privileged container may write to /sys and its cgroups. */
static void make_writable(json_t *mount) {
        json_t *options = json_object_get(mount, "options"), *v;
        size_t i;

        json_array_foreach(options, i, v) {
                if (!strcmp(json_string_value(v), "ro")) {
                        json_array_remove(options, i);
                        return;
                }
        }
}

static json_t *default_mounts(const struct config_input *in) {
        static const char *const of_privileged[] = { "/sys", "/sys/fs/cgroup", NULL };
        const struct spec *s = in->spec;
        auto_json *defaults = plan_default_mounts(s->shm_size ? s->shm_size : DEFAULT_SHM_SIZE);
        json_t *list = json_array(), *m;
        size_t i;

        json_array_foreach(defaults, i, m) {
                const char *target = json_get_str(m, "destination", "");

                if (spec_mount_at(s, target))
                        continue; /* the user has something else for this place */
                if (s->no_shm && !strcmp(target, "/dev/shm"))
                        continue;
                if (in->shm_source && !strcmp(target, "/dev/shm")) {
                        json_array_append_new(list, mount_object(target, "bind", in->shm_source, json_pack("[s, s]", "bind", "rprivate")));
                        continue;
                }
                /* A mqueue file system shows the queues of the namespace that mounts it: the host's, then. */
                if (s->host_ipc && !strcmp(target, "/dev/shm")) {
                        json_array_append_new(list, mount_object(target, "bind", target, json_pack("[s, s]", "rbind", "rprivate")));
                        continue;
                }
                if (s->privileged && is_one_of(target, of_privileged))
                        make_writable(m);
                json_array_append(list, m);
        }
        return list;
}

void config_device_name(size_t i, char ret[CONFIG_DEVICE_NAME_SIZE]) {
        snprintf(ret, CONFIG_DEVICE_NAME_SIZE, "device-%zu", i);
}

json_t *config_mounts(const struct config_input *in) {
        static const char *const files[][2] = { { "resolv.conf", "/etc/resolv.conf" }, { "hostname", "/etc/hostname" }, { "hosts", "/etc/hosts" } };
        const struct spec *s = in->spec;
        json_t *list = default_mounts(in);

        /* The three files before the user's mounts: theirs may lie over /etc, and then theirs count. */
        for (size_t i = 0; in->files_dir && i < ARRAY_SIZE(files); i++) {
                auto_free char *source = str_format("%s/%s", in->files_dir, files[i][0]);
                struct spec_mount m = { .source = source, .target = (char *) files[i][1], .propagation = "rprivate" };

                if (source && !spec_mount_at(s, files[i][1]))
                        json_array_append_new(list, bind_object(s, &m, in->first_id));
        }
        if (in->state_dir && *s->timezone) {
                auto_free char *source = str_format("%s/localtime", in->state_dir);
                struct spec_mount m = { .source = source, .target = (char *) (in->localtime ? in->localtime : "/etc/localtime"), .propagation = "rprivate", .read_only = true };

                if (source && !spec_mount_at(s, m.target))
                        json_array_append_new(list, bind_object(s, &m, in->first_id));
        }
        if (s->init && in->init_path)
                json_array_append_new(list, mount_object(CONFIG_INIT_TARGET, "bind", in->init_path, json_pack("[s, s, s, s]", "bind", "rprivate", "ro", "nosuid")));
        for (size_t i = 0; in->state_dir && i < s->n_devices_found && !s->host_userns; i++) {
                char name[CONFIG_DEVICE_NAME_SIZE];
                auto_free char *source = (config_device_name(i, name), str_format("%s/%s", in->state_dir, name));
                struct spec_mount m = { .source = source, .target = s->devices_found[i].target, .propagation = "rprivate" };

                if (source)
                        json_array_append_new(list, bind_object(s, &m, in->first_id));
        }
        for (size_t i = 0; i < s->n_mounts; i++)
                json_array_append_new(list, s->mounts[i].type == SPEC_MOUNT_TMPFS ? tmpfs_object(&s->mounts[i]) : bind_object(s, &s->mounts[i], in->first_id));
        return list;
}
