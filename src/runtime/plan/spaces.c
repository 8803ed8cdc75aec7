/* SPDX-License-Identifier: Apache-2.0 */

/* linux.namespaces, linux.uidMappings and gidMappings, linux.timeOffsets. */

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/mem.h"
#include "runtime/plan/private.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static const struct {
        const char *type, *proc;
        uint32_t flag;
} types[] = {
        { "pid", "pid", CLONE_NEWPID },          { "network", "net", CLONE_NEWNET }, { "mount", "mnt", CLONE_NEWNS },
        { "ipc", "ipc", CLONE_NEWIPC },          { "uts", "uts", CLONE_NEWUTS },     { "user", "user", CLONE_NEWUSER },
        { "cgroup", "cgroup", CLONE_NEWCGROUP }, { "time", "time", CLONE_NEWTIME },
};

/* Is it the namespace that we live in ourselves? Then the container shares it with the host, whatever the configuration calls it. */
static bool is_ours(const char *path, const char *proc) {
        char own[32];
        struct stat a, b;

        snprintf(own, sizeof(own), "/proc/self/ns/%s", proc);
        return stat(path, &a) == 0 && stat(own, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

struct space {
        uint32_t flag;
        const char *path; /* NULL: a new one */
        const char *proc;
};

static int parse_one(const json_t *item, size_t i, struct space *ret, struct err *err) {
        const char *type = NULL, *path = NULL;
        char at[48];
        int r;

        snprintf(at, sizeof(at), "linux.namespaces[%zu]", i);
        if (!json_is_object(item))
                return err_set(err, ERR_INVALID, -EINVAL, "%s: must be an object", at);
        r = field_string(item, at, "type", &type, err);
        if (r == 0)
                r = field_string(item, at, "path", &path, err);
        if (r < 0)
                return r;
        for (size_t t = 0; type && t < ARRAY_SIZE(types); t++) {
                if (strcmp(types[t].type, type) != 0)
                        continue;
                if (path && *path && *path != '/')
                        return err_set(err, ERR_INVALID, -EINVAL, "%s.path: \"%s\" is not absolute", at, path);
                *ret = (struct space) { .flag = types[t].flag, .path = path && *path ? path : NULL, .proc = types[t].proc };
                return 0;
        }
        return err_set(err, ERR_INVALID, -EINVAL, "%s.type: \"%s\" is not a kind of namespace", at, type ? type : "");
}

static int parse_all(struct planner *p, struct space *ret, size_t *ret_n, struct err *err) {
        const json_t *list = NULL;
        uint32_t seen = 0;
        int r = field_array(p->linux_, "linux", "namespaces", &list, err);

        if (r < 0)
                return r;
        *ret_n = 0;
        for (size_t i = 0; i < json_array_size(list); i++) {
                struct space s;

                r = parse_one(json_array_get(list, i), i, &s, err);
                if (r < 0)
                        return r;
                if (seen & s.flag)
                        return err_set(err, ERR_INVALID, -EINVAL, "linux.namespaces[%zu]: the same kind twice", i);
                seen |= s.flag;
                ret[(*ret_n)++] = s;
        }
        return 0;
}

static void add_join(struct planner *p, const struct space *s) {
        struct plan_join j = {
                .clone_flag = s->flag,
                .path = builder_text(&p->builder, s->path),
                .what = builder_text(&p->builder, "linux.namespaces"),
        };

        builder_add(&p->builder, BUILD_JOINS, &j);
}

static void make_or_join(struct planner *p, const struct space *s) {
        struct plan_header *h = &p->builder.header;

        if (s->flag == CLONE_NEWNET && p->options->netns_by_fd)
                return;
        if (s->flag == CLONE_NEWUSER && p->options->userns_by_fd)
                return;
        if (s->path)
                add_join(p, s);
        else if (s->flag == CLONE_NEWCGROUP)
                h->flags |= PLAN_NEW_CGROUPNS;
        else if (s->flag == CLONE_NEWTIME)
                h->flags |= PLAN_NEW_TIMENS;
        else
                h->new_namespaces |= s->flag;
}

int plan_id_maps(struct planner *p, const json_t *object, const char *at, const char *key, enum builder_table table, uint32_t *ret_n,
                 struct err *err) {
        const json_t *list = NULL;
        int r = field_array(object, at, key, &list, err);

        if (r < 0)
                return r;
        if (json_array_size(list) > 340)
                return err_set(err, ERR_INVALID, -E2BIG, "%s.%s: more than 340 ranges", at, key);
        for (size_t i = 0; i < json_array_size(list); i++) {
                int64_t inside = -1, outside = -1, count = -1;
                char name[96];
                struct plan_id_map m;

                snprintf(name, sizeof(name), "%s.%s[%zu]", at, key, i);
                r = field_int(json_array_get(list, i), name, "containerID", 0, UINT32_MAX - 1, &inside, err);
                if (r == 0)
                        r = field_int(json_array_get(list, i), name, "hostID", 0, UINT32_MAX - 1, &outside, err);
                if (r == 0)
                        r = field_int(json_array_get(list, i), name, "size", 1, UINT32_MAX, &count, err);
                if (r < 0)
                        return r;
                if (inside < 0 || outside < 0 || count < 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "%s: containerID, hostID and size are needed", name);
                m = (struct plan_id_map) { (uint32_t) inside, (uint32_t) outside, (uint32_t) count };
                builder_add(&p->builder, table, &m);
        }
        if (ret_n)
                *ret_n = (uint32_t) json_array_size(list);
        return 0;
}

/* Maps are written for a user namespace that is made; of one that is joined they are not ours to write. */
static int plan_userns(struct planner *p, struct err *err) {
        struct plan_header *h = &p->builder.header;
        uint32_t n_uid = 0, n_gid = 0;
        int r;

        if (p->spaces & CLONE_NEWUSER)
                h->flags |= PLAN_OWN_USERNS;
        if (h->new_namespaces & CLONE_NEWUSER) {
                r = plan_id_maps(p, p->linux_, "linux", "uidMappings", BUILD_UID_MAP, &n_uid, err);
                if (r == 0)
                        r = plan_id_maps(p, p->linux_, "linux", "gidMappings", BUILD_GID_MAP, &n_gid, err);
                if (r < 0)
                        return r;
                if (n_uid == 0 || n_gid == 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "linux.%s: a new user namespace needs it",
                                       n_uid ? "gidMappings" : "uidMappings");
        } else if (!(p->spaces & CLONE_NEWUSER) && json_array_size(json_object_get(p->linux_, "uidMappings")) > 0) {
                return err_set(err, ERR_INVALID, -EINVAL, "linux.uidMappings: the container has no user namespace");
        }
        return 0;
}

static int plan_time_offsets(struct planner *p, struct err *err) {
        static const struct {
                const char *name;
                uint32_t clock;
        } clocks[] = { { "monotonic", CLOCK_MONOTONIC }, { "boottime", CLOCK_BOOTTIME } };
        const json_t *offsets = NULL;
        const char *name;
        json_t *value;
        int r = field_object(p->linux_, "linux", "timeOffsets", &offsets, err);

        if (r < 0 || json_object_size(offsets) == 0)
                return r;
        if (!(p->builder.header.flags & PLAN_NEW_TIMENS))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.timeOffsets: needs a new time namespace");
        json_object_foreach((json_t *) offsets, name, value) {
                struct plan_time_offset o = { 0 };
                int64_t seconds = 0, nanoseconds = 0;
                char at[64];
                size_t c = 0;

                while (c < ARRAY_SIZE(clocks) && strcmp(clocks[c].name, name) != 0)
                        c++;
                if (c == ARRAY_SIZE(clocks))
                        return err_set(err, ERR_INVALID, -EINVAL, "linux.timeOffsets.%s: not a clock of a time namespace", name);
                snprintf(at, sizeof(at), "linux.timeOffsets.%s", name);
                if (!json_is_object(value))
                        return err_set(err, ERR_INVALID, -EINVAL, "%s: must be an object", at);
                r = field_int(value, at, "secs", -((int64_t) 1 << 33), (int64_t) 1 << 33, &seconds, err);
                if (r == 0)
                        r = field_int(value, at, "nanosecs", 0, 999999999, &nanoseconds, err);
                if (r < 0)
                        return r;
                o = (struct plan_time_offset) { .clock = clocks[c].clock, .seconds = seconds, .nanoseconds = (uint32_t) nanoseconds };
                builder_add(&p->builder, BUILD_TIME_OFFSETS, &o);
        }
        return 0;
}

int plan_spaces(struct planner *p, struct err *err) {
        struct space spaces[ARRAY_SIZE(types)];
        const struct space *user = NULL;
        size_t n;
        int r = parse_all(p, spaces, &n, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                bool ours = spaces[i].path && is_ours(spaces[i].path, spaces[i].proc);

                /* setns(2) refuses to enter the own user namespace again; to join one's own is to do nothing. */
                if (ours && spaces[i].flag == CLONE_NEWUSER)
                        continue;
                if (!ours)
                        p->spaces |= spaces[i].flag;
                if (spaces[i].flag == CLONE_NEWUSER && spaces[i].path)
                        user = &spaces[i]; /* last, see join_namespaces() */
                else
                        make_or_join(p, &spaces[i]);
        }
        if (user)
                make_or_join(p, user);
        if (p->options->userns_by_fd)
                p->spaces |= CLONE_NEWUSER;
        if (p->options->netns_by_fd)
                p->spaces |= CLONE_NEWNET;
        if (!(p->spaces & CLONE_NEWNS))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.namespaces: a container needs a mount namespace of its own");
        r = plan_userns(p, err);
        return r < 0 ? r : plan_time_offsets(p, err);
}

int plan_spaces_to_join(struct planner *p, struct err *err) {
        struct space spaces[ARRAY_SIZE(types)];
        size_t n;
        int r = parse_all(p, spaces, &n, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                if (!spaces[i].path || !is_ours(spaces[i].path, spaces[i].proc))
                        p->spaces |= spaces[i].flag;
        if (p->options->userns_by_fd)
                p->spaces |= CLONE_NEWUSER;
        if (p->options->netns_by_fd)
                p->spaces |= CLONE_NEWNET;
        if (p->spaces & CLONE_NEWUSER)
                p->builder.header.flags |= PLAN_OWN_USERNS;
        p->builder.header.flags &= ~(uint32_t) (PLAN_USERNS_BY_FD | PLAN_NETNS_BY_FD); /* they come with the target */
        p->builder.header.new_namespaces = p->spaces;
        return 0;
}
