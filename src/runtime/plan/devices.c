/* SPDX-License-Identifier: Apache-2.0 */

/* /dev: the nodes that every container has, those of linux.devices, the usual symlinks, the console.
 * And what is hidden of /proc and /sys. */

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "runtime/plan/private.h"

struct device {
        const char *path;
        char at[40];
        uint32_t mode; /* with its type */
        uint32_t uid, gid;
        uint64_t number;
};

/* In a user namespace no node can be made: there the host's own is bound, once the executor has seen that it is the one meant. */
static void add_device(struct planner *p, const struct device *d) {
        struct plan_step step = {
                .op = PLAN_NODE,
                .flags = PLAN_STEP_NO_SYMLINKS,
                .target = builder_text(&p->builder, d->path),
                .what = builder_text(&p->builder, d->at),
                .mode = d->mode,
                .uid = d->uid,
                .gid = d->gid,
                .device = d->number,
        };

        if (p->nodes_are_bound && !S_ISFIFO(d->mode)) {
                struct plan_source source = {
                        .path = step.target,
                        .what = step.what,
                        .flags = PLAN_SOURCE_DEVICE,
                        .mode = d->mode & S_IFMT,
                        .device = d->number,
                        .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
                        .propagation = MS_PRIVATE,
                };

                step.op = PLAN_MOUNT_TREE;
                step.source = builder_add(&p->builder, BUILD_SOURCES, &source);
        }
        builder_add(&p->builder, BUILD_STEPS, &step);
}

static int device_type(const char *type, uint32_t *ret) {
        static const struct {
                const char *name;
                uint32_t mode;
        } rows[] = { { "c", S_IFCHR }, { "u", S_IFCHR }, { "b", S_IFBLK }, { "p", S_IFIFO } };

        for (size_t i = 0; type && i < ARRAY_SIZE(rows); i++)
                if (strcmp(rows[i].name, type) == 0) {
                        *ret = rows[i].mode;
                        return 0;
                }
        return -EINVAL;
}

static int parse_device(const json_t *json, size_t i, struct device *d, struct err *err) {
        int64_t major = -1, minor = -1, mode = 0666, uid = 0, gid = 0;
        const char *type = NULL;
        int r;

        snprintf(d->at, sizeof(d->at), "linux.devices[%zu]", i);
        if (!json_is_object(json))
                return err_set(err, ERR_INVALID, -EINVAL, "%s: must be an object", d->at);
        r = field_string(json, d->at, "path", &d->path, err);
        if (r == 0)
                r = field_string(json, d->at, "type", &type, err);
        if (r == 0)
                r = field_int(json, d->at, "major", 0, 0xfff, &major, err);
        if (r == 0)
                r = field_int(json, d->at, "minor", 0, 0xfffff, &minor, err);
        if (r == 0)
                r = field_int(json, d->at, "fileMode", 0, 0177777, &mode, err);
        if (r == 0)
                r = field_int(json, d->at, "uid", 0, UINT32_MAX - 1, &uid, err);
        if (r == 0)
                r = field_int(json, d->at, "gid", 0, UINT32_MAX - 1, &gid, err);
        if (r < 0)
                return r;
        if (!d->path || *d->path != '/' || strstr(d->path, "/..") || strlen(d->path) >= PATH_MAX || d->path[strlen(d->path) - 1] == '/')
                return err_set(err, ERR_INVALID, -EINVAL, "%s.path: \"%s\" is not an absolute path", d->at, d->path ? d->path : "");
        if (device_type(type, &d->mode) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "%s.type: \"%s\" is not one of c, u, b, p", d->at, type ? type : "");
        if (!S_ISFIFO(d->mode) && (major < 0 || minor < 0))
                return err_set(err, ERR_INVALID, -EINVAL, "%s: major and minor are needed", d->at);
        d->mode |= (uint32_t) mode & 07777;
        d->uid = (uint32_t) uid;
        d->gid = (uint32_t) gid;
        d->number = S_ISFIFO(d->mode) ? 0 : makedev((unsigned) major, (unsigned) minor);
        return 0;
}

static const struct {
        const char *path;
        unsigned major, minor;
} default_devices[] = {
        { "/dev/null", 1, 3 },   { "/dev/zero", 1, 5 },    { "/dev/full", 1, 7 },
        { "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
};

static bool is_listed(const json_t *list, const char *path) {
        for (size_t i = 0; i < json_array_size(list); i++)
                if (strcmp(json_get_str(json_array_get(list, i), "path", ""), path) == 0)
                        return true;
        return false;
}

/* Its own one, or that of the caller: the first user namespace alone maps every id on itself. */
static bool is_in_user_namespace(const struct planner *p) {
        auto_fd fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
        unsigned long inside, outside, count;
        char text[128] = "";

        if (p->spaces & CLONE_NEWUSER)
                return true;
        if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || sscanf(text, "%lu %lu %lu", &inside, &outside, &count) != 3)
                return false;
        return inside != 0 || outside != 0 || count != UINT32_MAX;
}

static int add_all(struct planner *p, struct err *err) {
        size_t max;
        const json_t *list = NULL;
        int r = field_array(p->linux_, "linux", "devices", &list, err);

        if (r < 0)
                return r;
        p->nodes_are_bound = is_in_user_namespace(p);
        max = p->nodes_are_bound ? 96 : 4096;
        /* A privileged container gets all nodes of the host; where each is a mount, and so an open file while it starts, they must be fewer. */
        if (json_array_size(list) > max)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "linux.devices: more than %zu", max);
        for (size_t i = 0; i < ARRAY_SIZE(default_devices); i++) {
                struct device d = {
                        .path = default_devices[i].path,
                        .at = "default device",
                        .mode = S_IFCHR | 0666,
                        .number = makedev(default_devices[i].major, default_devices[i].minor),
                };

                if (!is_listed(list, d.path))
                        add_device(p, &d);
        }
        for (size_t i = 0; i < json_array_size(list); i++) {
                struct device d = { 0 };

                r = parse_device(json_array_get(list, i), i, &d, err);
                if (r < 0)
                        return r;
                add_device(p, &d);
        }
        return 0;
}

static void add_symlinks(struct planner *p) {
        static const char *const links[][2] = {
                { "/dev/fd", "/proc/self/fd" },         { "/dev/stdin", "/proc/self/fd/0" }, { "/dev/stdout", "/proc/self/fd/1" },
                { "/dev/stderr", "/proc/self/fd/2" }, { "/dev/ptmx", "pts/ptmx" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
                struct plan_step s = {
                        .op = PLAN_SYMLINK,
                        .flags = PLAN_STEP_REPLACE,
                        .target = builder_text(&p->builder, links[i][0]),
                        .text = builder_text(&p->builder, links[i][1]),
                        .what = builder_text(&p->builder, "default device"),
                };

                builder_add(&p->builder, BUILD_STEPS, &s);
        }
}

int plan_devices(struct planner *p, struct err *err) {
        bool terminal = false;
        int r = field_bool(p->process, "process", "terminal", &terminal, err);

        if (r < 0)
                return r;
        if (!p->dev_is_bound) {
                r = add_all(p, err);
                if (r < 0)
                        return r;
                add_symlinks(p);
        }
        if (terminal) {
                struct plan_step s = {
                        .op = PLAN_CONSOLE,
                        .flags = PLAN_STEP_NO_SYMLINKS,
                        .target = builder_text(&p->builder, "/dev/console"),
                        .what = builder_text(&p->builder, "process.terminal"),
                };

                builder_add(&p->builder, BUILD_STEPS, &s);
        }
        return 0;
}

static int add_paths(struct planner *p, const char *key, enum plan_op op, struct err *err) {
        const json_t *list = NULL;
        int r = field_array(p->linux_, "linux", key, &list, err);

        for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
                const char *path;
                struct plan_step s = { .op = op };

                r = field_item(list, i, "linux", key, &path, err);
                if (r < 0)
                        return r;
                if (*path != '/')
                        return err_set(err, ERR_INVALID, -EINVAL, "linux.%s[%zu]: \"%s\" is not an absolute path", key, i, path);
                s.target = builder_text(&p->builder, path);
                s.what = builder_textf(&p->builder, "linux.%s[%zu]", key, i);
                builder_add(&p->builder, BUILD_STEPS, &s);
        }
        return r;
}

int plan_hidden_paths(struct planner *p, struct err *err) {
        int r = add_paths(p, "readonlyPaths", PLAN_READONLY, err);

        return r < 0 ? r : add_paths(p, "maskedPaths", PLAN_MASK, err);
}
