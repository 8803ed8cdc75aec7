/* SPDX-License-Identifier: Apache-2.0 */

/* mounts[], in order, and the root. A bind mount becomes a source, which the caller of the executor opens on the host, and a step that
 * attaches it; any other becomes one step that makes the file system inside the container. */

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtime/plan/private.h"

struct mount {
        const char *type, *source;
        char target[PATH_MAX]; /* absolute, no empty parts, no "." or ".." */
        char at[32];           /* "mounts[3]" */
        struct mount_options options;
        const json_t *json;
};

/* One spelling for each path, so that rules about /proc cannot be talked around. */
static int clean_target(const char *path, const char *at, char ret[PATH_MAX], struct err *err) {
        size_t n = 0;

        if (*path != '/')
                return err_set(err, ERR_INVALID, -EINVAL, "%s.destination: \"%s\" is not an absolute path", at, path);
        while (*path) {
                size_t part;

                path += strspn(path, "/");
                part = strcspn(path, "/");
                if (part == 2 && memcmp(path, "..", 2) == 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "%s.destination: \"..\" is not allowed", at);
                if (part > 0 && !(part == 1 && *path == '.')) {
                        if (n + 1 + part >= PATH_MAX || part > NAME_MAX)
                                return err_set(err, ERR_INVALID, -ENAMETOOLONG, "%s.destination: too long", at);
                        ret[n++] = '/';
                        memcpy(ret + n, path, part);
                        n += part;
                }
                path += part;
        }
        ret[n] = '\0';
        if (n == 0)
                return err_set(err, ERR_INVALID, -EINVAL, "%s.destination: \"/\" is the root itself", at);
        return 0;
}

static bool is_at_or_below(const char *path, const char *top) {
        size_t n = strlen(top);

        return strncmp(path, top, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* Where the image must not lead us astray by a symlink (CVE-2019-19921, CVE-2026-41579). */
static uint32_t target_flags(const char *target) {
        bool special = is_at_or_below(target, "/proc") || is_at_or_below(target, "/sys") || is_at_or_below(target, "/dev");

        return special ? PLAN_STEP_NO_SYMLINKS : 0;
}

/* Over /proc only a procfs; below it only the files that lxcfs and its like stand in for. Anything else could lead the writes of a
 * later process to other files than it means. */
static int check_proc(const struct mount *m, struct err *err) {
        static const char *const allowed[] = {
                "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps", "/proc/uptime", "/proc/loadavg",
                "/proc/slabinfo", "/proc/sys/kernel/ns_last_pid", "/proc/sys/crypto/fips_enabled",
        };

        if (!is_at_or_below(m->target, "/proc"))
                return 0;
        if (strcmp(m->target, "/proc") == 0) {
                if (m->options.bind || m->options.remount || strcmp(m->type, "proc") == 0)
                        return 0;
                return err_set(err, ERR_DENIED, -EPERM, "%s.destination: only a procfs may be mounted on /proc", m->at);
        }
        for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
                if (m->options.bind && strcmp(m->target, allowed[i]) == 0)
                        return 0;
        return err_set(err, ERR_DENIED, -EPERM, "%s.destination: \"%s\" is inside of /proc", m->at, m->target);
}

static int parse_mount(struct planner *p, const json_t *json, size_t i, struct mount *m, struct err *err) {
        const char *destination = NULL;
        int r;

        m->json = json;
        snprintf(m->at, sizeof(m->at), "mounts[%zu]", i);
        if (!json_is_object(json))
                return err_set(err, ERR_INVALID, -EINVAL, "%s: must be an object", m->at);
        r = field_string(json, m->at, "destination", &destination, err);
        if (r == 0)
                r = field_string(json, m->at, "type", &m->type, err);
        if (r == 0)
                r = field_string(json, m->at, "source", &m->source, err);
        if (r < 0)
                return r;
        if (!destination)
                return err_set(err, ERR_INVALID, -EINVAL, "%s.destination: missing", m->at);
        r = clean_target(destination, m->at, m->target, err);
        if (r == 0)
                r = plan_mount_options(p, json, m->at, &m->options, err);
        if (r < 0)
                return r;
        m->options.bind = m->options.bind || (m->type && strcmp(m->type, "bind") == 0);
        if (!m->options.bind && !m->options.remount && (!m->type || !*m->type))
                return err_set(err, ERR_INVALID, -EINVAL, "%s.type: missing", m->at);
        return check_proc(m, err);
}

int plan_host_path(struct planner *p, const char *what, const char *path, char **ret, struct err *err) {
        char *s;

        if (*path == '/')
                s = strdup(path);
        else if (p->options->bundle)
                s = str_format("%s/%s", p->options->bundle, path);
        else
                return err_set(err, ERR_INVALID, -EINVAL, "%s: \"%s\" is not an absolute path", what, path);
        if (!s)
                return err_errno(err, ENOMEM, "%s", what);
        *ret = s;
        return 0;
}

/* By its own maps, or by the container's user namespace. */
static int bind_idmap(struct planner *p, const struct mount *m, struct plan_source *s, struct err *err) {
        uint32_t n_uid = 0, n_gid = 0;
        int r;

        s->uid_map.offset = builder_count(&p->builder, BUILD_OWN_MAPS);
        r = plan_id_maps(p, m->json, m->at, "uidMappings", BUILD_OWN_MAPS, &n_uid, err);
        if (r < 0)
                return r;
        s->gid_map.offset = builder_count(&p->builder, BUILD_OWN_MAPS);
        r = plan_id_maps(p, m->json, m->at, "gidMappings", BUILD_OWN_MAPS, &n_gid, err);
        if (r < 0)
                return r;
        if ((n_uid == 0) != (n_gid == 0))
                return err_set(err, ERR_INVALID, -EINVAL, "%s: uidMappings and gidMappings go together", m->at);
        s->uid_map.count = n_uid;
        s->gid_map.count = n_gid;
        if (!m->options.idmap && n_uid == 0)
                return 0;
        if (n_uid == 0 && !(p->spaces & CLONE_NEWUSER))
                return err_set(err, ERR_INVALID, -EINVAL, "%s.options: \"idmap\" needs a user namespace, or uidMappings", m->at);
        s->flags |= PLAN_SOURCE_IDMAP | (m->options.idmap_recursive ? PLAN_SOURCE_IDMAP_RECURSIVE : 0);
        return 0;
}

/* "fd:3": for callers that have such mounts, and nobody else. */
static bool source_by_fd(const struct planner *p, const struct mount *m, struct plan_source *s) {
        uint64_t n;

        if (!str_starts_with(m->source, "fd:") || p->options->n_source_fds == 0 || str_to_u64(m->source + 3, 0, p->options->n_source_fds - 1, &n) < 0)
                return false;
        s->flags |= PLAN_SOURCE_BY_FD;
        s->device = n;
        return true;
}

static int plan_bind(struct planner *p, const struct mount *m, struct err *err) {
        const struct mount_options *o = &m->options;
        struct plan_source s = {
                .what = builder_text(&p->builder, m->at),
                .flags = o->recursive ? PLAN_SOURCE_RECURSIVE : 0,
                .attr_set = o->attr_set,
                .attr_clear = o->attr_clear,
                .tree_set = o->tree_set,
                .tree_clear = o->tree_clear,
                .propagation = o->propagation,
                .tree_propagation = o->tree_propagation,
        };
        struct plan_step step = {
                .op = PLAN_MOUNT_TREE,
                .flags = target_flags(m->target),
                .target = builder_text(&p->builder, m->target),
                .what = s.what,
        };
        auto_free char *path = NULL;
        int r;

        if (!m->source || !*m->source)
                return err_set(err, ERR_INVALID, -EINVAL, "%s.source: missing", m->at);
        if (o->first_data || o->copy_up)
                return err_set(err, ERR_INVALID, -EINVAL, "%s.options: \"%s\" is not an option of a bind mount", m->at,
                               o->first_data ? o->first_data : "tmpcopyup");
        r = source_by_fd(p, m, &s) ? 0 : plan_host_path(p, m->at, m->source, &path, err);
        if (r == 0)
                r = bind_idmap(p, m, &s, err);
        if (r < 0)
                return r;
        /* What the host mounts later below it stays the host's, unless asked for. */
        if (!s.propagation && !s.tree_propagation)
                s.tree_propagation = MS_PRIVATE;
        if (strcmp(m->target, "/proc") == 0)
                s.flags |= PLAN_SOURCE_PROC_ONLY;
        p->dev_is_bound = p->dev_is_bound || strcmp(m->target, "/dev") == 0;
        s.path = builder_text(&p->builder, path ? path : m->target);
        step.source = builder_add(&p->builder, BUILD_SOURCES, &s);
        builder_add(&p->builder, BUILD_STEPS, &step);
        return 0;
}

static int plan_fs(struct planner *p, const struct mount *m, struct err *err) {
        const struct mount_options *o = &m->options;
        struct plan_step s = {
                .op = PLAN_MOUNT_FS,
                .flags = target_flags(m->target),
                .target = builder_text(&p->builder, m->target),
                .text = builder_text(&p->builder, m->type),
                .what = builder_text(&p->builder, m->at),
                .params = { o->first_param, o->n_params },
                .attr_set = o->attr_set | o->tree_set,
                .propagation = o->propagation ? o->propagation : o->tree_propagation,
        };

        int r;

        if (o->idmap || json_array_size(json_object_get(m->json, "uidMappings")) > 0)
                return err_set(err, ERR_INVALID, -EINVAL, "%s: only a bind mount can be idmapped", m->at);
        if (m->source && *m->source) {
                struct plan_param source = { builder_text(&p->builder, "source"), builder_text(&p->builder, m->source) };

                builder_add(&p->builder, BUILD_PARAMS, &source); /* right behind the options */
                s.params.count++;
        }
        r = plan_mount_label(p, m->type, &s.params.count, err);
        if (r < 0)
                return r;
        if (o->copy_up && strcmp(m->type, "tmpfs") != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "%s.options: \"tmpcopyup\" is for a tmpfs", m->at);
        if (o->copy_up)
                s.flags |= PLAN_STEP_COPY_UP | (o->has_mode ? 0 : PLAN_STEP_COPY_MODE);
        if (strcmp(m->type, "proc") == 0)
                s.flags |= PLAN_STEP_KEEP_PROC | PLAN_STEP_NO_SYMLINKS;
        if (strcmp(m->type, "sysfs") == 0)
                s.flags |= PLAN_STEP_OR_BIND | PLAN_STEP_NO_SYMLINKS; /* a sysfs shows a network namespace, and wants to own it */
        if (strcmp(m->type, "devpts") == 0 && strcmp(m->target, "/dev/pts") == 0)
                s.flags |= PLAN_STEP_KEEP_PTS;
        builder_add(&p->builder, BUILD_STEPS, &s);
        return 0;
}

/* One step for the mount itself, one for all below it. */
static void add_attributes(struct planner *p, const struct mount *m, bool tree) {
        const struct mount_options *o = &m->options;
        struct plan_step s = {
                .op = PLAN_SET_ATTR,
                .flags = target_flags(m->target) | (tree ? PLAN_STEP_RECURSIVE : 0),
                .target = builder_text(&p->builder, m->target),
                .what = builder_text(&p->builder, m->at),
                .attr_set = tree ? o->tree_set : o->attr_set,
                .attr_clear = tree ? o->tree_clear : o->attr_clear,
                .propagation = tree ? o->tree_propagation : o->propagation,
        };

        if (s.attr_set || s.attr_clear || s.propagation)
                builder_add(&p->builder, BUILD_STEPS, &s);
}

/* Changes what is said and nothing else: mount(2) would clear whatever is not repeated. The file system's own options belong to all of its
 * mounts, of which one may be the host's. */
static int plan_remount(struct planner *p, const struct mount *m, struct err *err) {
        if (m->options.first_data || m->options.idmap || m->options.copy_up)
                return err_set(err, ERR_INVALID, -EINVAL, "%s.options: \"%s\" cannot be changed by a remount", m->at,
                               m->options.first_data ? m->options.first_data : m->options.idmap ? "idmap" : "tmpcopyup");
        add_attributes(p, m, true);
        add_attributes(p, m, false);
        return 0;
}

static int plan_one(struct planner *p, const json_t *json, size_t i, struct err *err) {
        struct mount m = { 0 };
        int r = parse_mount(p, json, i, &m, err);

        if (r < 0)
                return r;
        if (m.options.remount)
                return plan_remount(p, &m, err);
        if (m.options.bind)
                return plan_bind(p, &m, err);
        if (strcmp(m.type, "cgroup") == 0)
                return plan_cgroup_mount(p, m.at, m.target, m.options.attr_set | m.options.tree_set, err);
        return plan_fs(p, &m, err);
}

int plan_mounts(struct planner *p, struct err *err) {
        const json_t *list = NULL;
        int r = field_array(p->config, "", "mounts", &list, err);

        for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
                r = plan_one(p, json_array_get(list, i), i, err);
        if (r < 0)
                return r;
        /* The rest are devices, of which there are few; the executor keeps each open while it starts. */
        if (builder_count(&p->builder, BUILD_SOURCES) > PLAN_SOURCES_MAX - 128)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "mounts: more than %d bind mounts", PLAN_SOURCES_MAX - 129);
        return 0;
}
