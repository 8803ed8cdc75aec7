/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration that our own planner takes, for a runtime that knows nothing of fds: what they stand for lies in the monitor's room. */

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/str.h"
#include "engine/internal.h"
#include "engine/runtimes.h"
#include "engine/spec.h"
#include "monitor/protocol.h"

enum { PATH_SIZE = MONITOR_RUNTIME_ROOM_MAX + 16 };

struct making {
        const char *room;
        struct strbuf text;
        struct monitor_runtime head;
};

static void add_text(struct making *k, const char *text) {
        strbuf_add(&k->text, text, strlen(text) + 1);
}

/* Does what the options of a bind mount say that Debian's runtimes do not know, and takes these words out. */
static uint32_t take_options(json_t *mount) {
        json_t *old = json_object_get(mount, "options"), *options = json_array(), *v;
        uint32_t flags = 0;
        size_t i;

        json_array_foreach(old, i, v) {
                const char *word = json_string_value(v);

                if (!strcmp(word, "idmap") || !strcmp(word, "ridmap")) {
                        flags |= MONITOR_MOUNT_IDMAP;
                        continue;
                }
                if (!strcmp(word, "rbind"))
                        flags |= MONITOR_MOUNT_RECURSIVE;
                if (!strcmp(word, "rro"))
                        flags |= MONITOR_MOUNT_RDONLY;
                json_array_append_new(options, json_string(!strcmp(word, "rro") ? "ro" : word));
        }
        json_object_set_new(mount, "options", options);
        return flags;
}

static int add_mount(struct making *k, const char *source, uint32_t flags, char ret[PATH_SIZE], struct err *err) {
        struct monitor_runtime_mount *m = &k->head.mounts[k->head.n_mounts];
        uint64_t n;

        if (k->head.n_mounts == MONITOR_RUNTIME_MOUNTS_MAX)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "more than %d mounts: only with the runtime " RUNTIME_OWN, MONITOR_RUNTIME_MOUNTS_MAX);
        *m = (struct monitor_runtime_mount) { .source = -1, .path_at = (uint32_t) k->text.size, .flags = flags };
        if (str_starts_with(source, "fd:") && str_to_u64(source + 3, 0, SPEC_SOURCES_MAX - 1, &n) == 0)
                m->source = (int32_t) n;
        else
                add_text(k, source);
        snprintf(ret, PATH_SIZE, "%s/%u", k->room, k->head.n_mounts++);
        return 0;
}

static int move_mounts(struct making *k, json_t *config, struct err *err) {
        json_t *m;
        size_t i;

        json_array_foreach(json_object_get(config, "mounts"), i, m) {
                auto_free char *source = NULL;
                char path[PATH_SIZE];
                int r;

                if (strcmp(json_get_str(m, "type", ""), "bind") != 0)
                        continue;
                source = strdup(json_get_str(m, "source", ""));
                r = source ? add_mount(k, source, take_options(m), path, err) : err_errno(err, -ENOMEM, "mounts");
                if (r < 0)
                        return r;
                json_object_set_new(m, "source", json_string(path));
        }
        return 0;
}

static int name_namespaces(struct making *k, json_t *config, bool net, struct err *err) {
        json_t *n;
        size_t i;

        json_array_foreach(json_object_get(json_object_get(config, "linux"), "namespaces"), i, n) {
                const char *type = json_get_str(n, "type", "");
                char path[PATH_SIZE];

                if (!strcmp(type, "user"))
                        json_object_set_new(n, "path", json_sprintf("%s/user", k->room));
                else if (!strcmp(type, "network") && net)
                        json_object_set_new(n, "path", json_sprintf("%s/net", k->room));
                else if (*json_get_str(n, "path", "")) {
                        auto_free char *of = strdup(json_get_str(n, "path", ""));
                        int r = of ? add_mount(k, of, 0, path, err) : err_errno(err, -ENOMEM, "namespaces");

                        if (r < 0)
                                return r;
                        json_object_set_new(n, "path", json_string(path));
                }
        }
        return 0;
}

/* The user namespace is joined, and Debian's runc wants to be told what it can see. */
static void set_ids(json_t *linux_object, uint32_t first_id) {
        static const char *const kinds[] = { "uidMappings", "gidMappings" };

        for (size_t i = 0; i < ARRAY_SIZE(kinds) && first_id; i++)
                json_object_set_new(linux_object, kinds[i],
                                    json_pack("[{s:i, s:I, s:I}]", "containerID", 0, "hostID", (json_int_t) first_id, "size", (json_int_t) ENGINE_ID_RANGE));
}

static int write_memfd(const char *name, const void *head, size_t head_size, const void *data, size_t size, int *ret, struct err *err) {
        auto_fd fd = memfd_create(name, MFD_CLOEXEC);
        int r = fd < 0 ? -errno : fd_write_all(fd, head, head_size);

        if (r == 0)
                r = fd_write_all(fd, data, size);
        if (r < 0)
                return err_errno(err, r, "configuration for the runtime");
        *ret = move_fd(fd);
        return 0;
}

/* The container's root walks to its files there, and is a stranger on the host. */
static int check_way(const char *room, const struct runtime *runtime, struct err *err) {
        auto_free char *way = strdup(room);
        struct stat st;

        if (!way)
                return err_errno(err, -ENOMEM, "%s", room);
        for (char *slash = strchr(way + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (stat(way, &st) < 0)
                        return err_errno(err, -errno, "%s", way);
                if (!(st.st_mode & S_IXOTH))
                        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "runtime %s: %s must be searchable by all (chmod o+x), or --userns host be used: what it makes of it lies in %s",
                                       runtime->name, way, room);
                *slash = '/';
        }
        return 0;
}

int runtime_plan(const struct runtime *runtime, const struct spec *s, const char *room, json_t *config, const char *cgroup, uint32_t first_id, bool net, int *ret, struct err *err) {
        json_t *linux_object = json_object_get(config, "linux");
        struct making k = { .room = room };
        auto_free char *json = NULL;
        int r = runtime_check(runtime, s, err);

        if (r == 0 && strlen(room) >= MONITOR_RUNTIME_ROOM_MAX)
                r = err_set(err, ERR_UNSUPPORTED, -ENAMETOOLONG, "runtime %s: the path of --run-root is too long for it: %s", runtime->name, room);
        if (r == 0 && first_id)
                r = check_way(room, runtime, err);
        if (r < 0)
                return r;
        strbuf_init(&k.text, MONITOR_RUNTIME_TEXT_MAX - sizeof(k.head));
        add_text(&k, runtime->path);
        for (size_t i = 0; i < runtime->n_args; i++)
                add_text(&k, runtime->args[i]);
        k.head.n_args = (uint32_t) runtime->n_args + 1;
        k.head.room_at = (uint32_t) k.text.size;
        add_text(&k, room);
        /* What all of them read; nothing that we say needs a later one. */
        json_object_set_new(config, "ociVersion", json_string("1.0.2"));
        json_object_set_new(json_object_get(config, "root"), "path", json_sprintf("%s/rootfs", room));
        json_object_set_new(linux_object, "cgroupsPath", json_sprintf("/%s", *cgroup == '/' ? cgroup + 1 : cgroup));
        set_ids(linux_object, first_id);
        r = move_mounts(&k, config, err);
        if (r == 0)
                r = name_namespaces(&k, config, net, err);
        json = r == 0 ? json_dumps(config, JSON_COMPACT) : NULL;
        if (json) {
                k.head.config_at = (uint32_t) k.text.size;
                k.head.config_size = (uint32_t) strlen(json);
                add_text(&k, json);
                k.head.text_size = (uint32_t) k.text.size;
        }
        if (r == 0 && (!json || strbuf_error(&k.text)))
                r = err_set(err, ERR_TOO_LARGE, -E2BIG, "the configuration is too large for the runtime %s", runtime->name);
        if (r == 0)
                r = write_memfd("kist-runtime", &k.head, sizeof(k.head), k.text.data, k.text.size, ret, err);
        strbuf_done(&k.text);
        return r;
}

int runtime_plan_exec(const json_t *process, int *ret, struct err *err) {
        auto_free char *json = json_dumps(process, JSON_COMPACT);

        if (!json)
                return err_errno(err, -ENOMEM, "exec");
        return write_memfd("kist-process", "", 0, json, strlen(json), ret, err);
}
