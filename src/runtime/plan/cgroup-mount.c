/* SPDX-License-Identifier: Apache-2.0 */

/* A mount of type "cgroup": what /sys/fs/cgroup is on this host, seen from the container's own cgroup. On a v2 host that is one file
 * system. On a v1 or hybrid host it is a tmpfs with a directory for each hierarchy; one that the kernel does not give to the
 * container's user namespace is left out. It never fails the container: nobody needs it to start.
 *
 * Without a cgroup namespace a new mount of v1 would show the host's root: there the container's own cgroup is bound instead. */

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/fd.h"
#include "base/mem.h"
#include "runtime/plan/private.h"

struct line {
        char *mount_point, *type, *options; /* options: those of the file system */
};

/* "36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue", cut in place. */
static bool cut_line(char *text, struct line *ret) {
        char *fields[5], *rest = text, *dash = strstr(text, " - ");

        for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
                fields[i] = strsep(&rest, " ");
                if (!rest)
                        return false;
        }
        if (!dash)
                return false;
        rest = dash + 3;
        ret->mount_point = fields[4];
        ret->type = strsep(&rest, " ");
        strsep(&rest, " ");
        ret->options = rest;
        return rest != NULL;
}

static void add_param(struct planner *p, struct plan_step *s, const char *key, const char *value) {
        struct plan_param param = { builder_text(&p->builder, key), builder_text(&p->builder, value) };

        if (s->params.count++ == 0)
                s->params.offset = builder_count(&p->builder, BUILD_PARAMS);
        builder_add(&p->builder, BUILD_PARAMS, &param);
}

static bool is_controller(const char *word) {
        static const char *const others[] = { "rw",    "ro",           "noprefix",      "clone_children", "cpuset_v2_mode",
                                              "xattr", "favordynmods", "nofavordynmods" };

        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                if (strcmp(others[i], word) == 0)
                        return false;
        return *word && !strchr(word, '=');
}

/* The hierarchies that a container joins (src/runtime/cgroup/): only there it has a cgroup of its own. */
static bool is_joined(const char *controllers) {
        static const char *const joined[] = { "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids" };

        for (const char *at = controllers; *at; at += strcspn(at, ","), at += *at == ',')
                for (size_t i = 0; i < ARRAY_SIZE(joined); i++)
                        if (strcspn(at, ",") == strlen(joined[i]) && strncmp(at, joined[i], strlen(joined[i])) == 0)
                                return true;
        return false;
}

static void bind_own(struct planner *p, struct plan_step s, const char *mount_point) {
        struct plan_source source = {
                .path = builder_textf(&p->builder, "%s/%s", mount_point, p->options->cgroup_path),
                .what = s.what,
                .attr_set = s.attr_set,
                .propagation = MS_PRIVATE,
        };

        s.op = PLAN_MOUNT_TREE;
        s.attr_set = 0;
        s.params = (struct plan_table) { 0 };
        s.source = builder_add(&p->builder, BUILD_SOURCES, &source);
        builder_add(&p->builder, BUILD_STEPS, &s);
}

/* One hierarchy, named as on the host; each of several controllers in it gets a symlink. */
static void add_hierarchy(struct planner *p, struct plan_step s, const char *target, struct line *line) {
        const char *slash = strrchr(line->mount_point, '/'), *name = slash ? slash + 1 : line->mount_point;
        char *rest = line->options, *word;
        bool own = !(p->spaces & CLONE_NEWCGROUP);

        if (own && (!p->options->cgroup_path || !is_joined(line->options)))
                return;
        s.flags |= PLAN_STEP_OPTIONAL;
        s.target = builder_textf(&p->builder, "%s/%s", target, name);
        s.text = builder_text(&p->builder, "cgroup");
        s.params = (struct plan_table) { 0 };
        while ((word = strsep(&rest, ","))) {
                struct plan_step link = { .op = PLAN_SYMLINK, .flags = PLAN_STEP_REPLACE, .what = s.what };

                if (strncmp(word, "name=", 5) == 0) {
                        add_param(p, &s, "none", NULL);
                        add_param(p, &s, "name", word + 5);
                } else if (is_controller(word)) {
                        add_param(p, &s, word, NULL);
                        if (strcmp(word, name) == 0)
                                continue;
                        link.target = builder_textf(&p->builder, "%s/%s", target, word);
                        link.text = builder_text(&p->builder, name);
                        builder_add(&p->builder, BUILD_STEPS, &link);
                }
        }
        if (s.params.count == 0)
                return;
        if (own) {
                bind_own(p, s, line->mount_point);
                return;
        }
        add_param(p, &s, "source", "cgroup");
        builder_add(&p->builder, BUILD_STEPS, &s);
}

static void add_unified(struct planner *p, struct plan_step s) {
        s.flags |= PLAN_STEP_OPTIONAL | PLAN_STEP_OR_BIND;
        s.text = builder_text(&p->builder, "cgroup2");
        add_param(p, &s, "source", "cgroup");
        builder_add(&p->builder, BUILD_STEPS, &s);
}

static void add_tmpfs(struct planner *p, struct plan_step s) {
        s.text = builder_text(&p->builder, "tmpfs");
        s.attr_set &= ~(uint64_t) MOUNT_ATTR_RDONLY; /* not before it is filled */
        add_param(p, &s, "mode", "755");
        add_param(p, &s, "size", "64k");
        add_param(p, &s, "source", "cgroup");
        builder_add(&p->builder, BUILD_STEPS, &s);
}

int plan_cgroup_mount(struct planner *p, const char *what, const char *target, uint64_t attr, struct err *err) {
        struct plan_step s = {
                .op = PLAN_MOUNT_FS,
                .flags = PLAN_STEP_NO_SYMLINKS,
                .target = builder_text(&p->builder, target),
                .what = builder_text(&p->builder, what),
                .attr_set = attr,
        };
        auto_free char *text = NULL;
        char *rest, *one;
        bool v1 = false;
        int r = 0;

        if (p->options->mountinfo)
                text = strdup(p->options->mountinfo);
        else
                r = file_read_at(AT_FDCWD, "/proc/self/mountinfo", 16 << 20, &text, NULL);
        if (r < 0 || !text)
                return err_errno(err, r < 0 ? r : -ENOMEM, "/proc/self/mountinfo");
        rest = text;
        while ((one = strsep(&rest, "\n"))) {
                struct line line;

                if (!cut_line(one, &line) || strcmp(line.type, "cgroup") != 0 || strncmp(line.mount_point, "/sys/fs/cgroup/", 15) != 0)
                        continue;
                if (!v1)
                        add_tmpfs(p, s);
                v1 = true;
                add_hierarchy(p, s, target, &line);
        }
        if (!v1) {
                add_unified(p, s);
        } else if (attr & MOUNT_ATTR_RDONLY) {
                struct plan_step seal = {
                        .op = PLAN_SET_ATTR, .flags = s.flags, .target = s.target, .what = s.what, .attr_set = MOUNT_ATTR_RDONLY
                };

                builder_add(&p->builder, BUILD_STEPS, &seal);
        }
        return 0;
}
