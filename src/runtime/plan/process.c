/* SPDX-License-Identifier: Apache-2.0 */

/* The process object: user, command, environment, limits, terminal. */

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "runtime/plan/private.h"

static int plan_user_fields(struct planner *p, struct err *err) {
        struct plan_header *h = &p->builder.header;
        const json_t *user = NULL, *groups = NULL;
        int64_t uid = 0, gid = 0, mask = 0022;
        int r = field_object(p->process, "process", "user", &user, err);

        /* Beyond 2³¹−1 lie the ids that some systems read as negative (CVE-2024-40635). */
        if (r == 0)
                r = field_int(user, "process.user", "uid", 0, INT32_MAX, &uid, err);
        if (r == 0)
                r = field_int(user, "process.user", "gid", 0, INT32_MAX, &gid, err);
        if (r == 0)
                r = field_int(user, "process.user", "umask", 0, 0777, &mask, err);
        if (r == 0)
                r = field_array(user, "process.user", "additionalGids", &groups, err);
        if (r < 0)
                return r;
        if (json_array_size(groups) > PLAN_GROUPS_MAX)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "process.user.additionalGids: more than %d", PLAN_GROUPS_MAX);
        for (size_t i = 0; i < json_array_size(groups); i++) {
                const json_t *v = json_array_get(groups, i);
                uint32_t id = (uint32_t) json_integer_value(v);

                if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > INT32_MAX)
                        return err_set(err, ERR_INVALID, -EINVAL, "process.user.additionalGids[%zu]: not a group id", i);
                builder_add(&p->builder, BUILD_GROUPS, &id);
        }
        h->uid = (uint32_t) uid;
        h->gid = (uint32_t) gid;
        h->umask = (uint32_t) mask;
        /* No user at all is root; half of one is a mistake. */
        if (user)
                r = field_needed(user, "process.user", "uid", err);
        return r < 0 || !user ? r : field_needed(user, "process.user", "gid", err);
}

static int plan_texts(struct planner *p, const char *key, enum builder_table table, struct err *err) {
        const json_t *list = NULL;
        int r = field_array(p->process, "process", key, &list, err);

        for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
                const char *s;
                uint32_t text;

                r = field_item(list, i, "process", key, &s, err);
                if (r < 0)
                        return r;
                if (table == BUILD_ENV && (*s == '=' || !strchr(s, '=')))
                        return err_set(err, ERR_INVALID, -EINVAL, "process.env[%zu]: \"%s\" is not NAME=value", i, s);
                text = builder_text(&p->builder, s);
                builder_add(&p->builder, table, &text);
        }
        return r;
}

static int plan_command(struct planner *p, struct err *err) {
        const char *cwd = NULL;
        int r = plan_texts(p, "args", BUILD_ARGV, err);

        if (r == 0 && builder_count(&p->builder, BUILD_ARGV) == 0)
                return err_set(err, ERR_INVALID, -EINVAL, "process.args: no command");
        if (r == 0)
                r = plan_texts(p, "env", BUILD_ENV, err);
        if (r == 0)
                r = field_string(p->process, "process", "cwd", &cwd, err);
        if (r < 0)
                return r;
        if (!cwd || *cwd != '/' || strlen(cwd) >= PATH_MAX)
                return err_set(err, ERR_INVALID, -EINVAL, "process.cwd: \"%s\" is not an absolute path", cwd ? cwd : "");
        p->builder.header.cwd = builder_text(&p->builder, cwd);
        return 0;
}

static const struct {
        const char *name;
        int resource;
} limits[] = {
        { "RLIMIT_AS", RLIMIT_AS },           { "RLIMIT_CORE", RLIMIT_CORE },         { "RLIMIT_CPU", RLIMIT_CPU },
        { "RLIMIT_DATA", RLIMIT_DATA },       { "RLIMIT_FSIZE", RLIMIT_FSIZE },       { "RLIMIT_LOCKS", RLIMIT_LOCKS },
        { "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK }, { "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE }, { "RLIMIT_NICE", RLIMIT_NICE },
        { "RLIMIT_NOFILE", RLIMIT_NOFILE },   { "RLIMIT_NPROC", RLIMIT_NPROC },       { "RLIMIT_RSS", RLIMIT_RSS },
        { "RLIMIT_RTPRIO", RLIMIT_RTPRIO },   { "RLIMIT_RTTIME", RLIMIT_RTTIME },     { "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
        { "RLIMIT_STACK", RLIMIT_STACK },
};

/* Numbers end at 2⁶³−1 here: "unlimited" comes as -1, also where 2⁶⁴−1 was written, or as a real. */
static int limit_value(const json_t *json, const char *at, const char *key, uint64_t *ret, struct err *err) {
        const json_t *v = json_object_get(json, key);

        if (json_is_real(v) && json_real_value(v) >= 9223372036854775807.0 && json_real_value(v) <= 18446744073709551616.0)
                *ret = RLIM_INFINITY;
        else if (json_is_integer(v) && json_integer_value(v) >= -1)
                *ret = json_integer_value(v) == -1 ? RLIM_INFINITY : (uint64_t) json_integer_value(v);
        else
                return err_set(err, ERR_INVALID, -EINVAL, "%s.%s: must be a number", at, key);
        return 0;
}

static int plan_limits(struct planner *p, struct err *err) {
        const json_t *list = NULL;
        uint64_t seen = 0;
        int r = field_array(p->process, "process", "rlimits", &list, err);

        for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
                const char *type = NULL;
                struct plan_rlimit l;
                char at[48];
                size_t row = 0;

                snprintf(at, sizeof(at), "process.rlimits[%zu]", i);
                r = field_string(json_array_get(list, i), at, "type", &type, err);
                if (r < 0)
                        return r;
                while (row < ARRAY_SIZE(limits) && (!type || strcmp(limits[row].name, type) != 0))
                        row++;
                if (row == ARRAY_SIZE(limits))
                        return err_set(err, ERR_INVALID, -EINVAL, "%s.type: \"%s\" is not a limit", at, type ? type : "");
                if (seen >> row & 1)
                        return err_set(err, ERR_INVALID, -EINVAL, "%s.type: %s is given twice", at, type);
                seen |= (uint64_t) 1 << row;
                r = limit_value(json_array_get(list, i), at, "soft", &l.soft, err);
                if (r == 0)
                        r = limit_value(json_array_get(list, i), at, "hard", &l.hard, err);
                if (r < 0)
                        return r;
                if (l.soft > l.hard)
                        return err_set(err, ERR_INVALID, -EINVAL, "%s: the soft limit is above the hard one", at);
                l.resource = (uint32_t) limits[row].resource;
                l.what = builder_text(&p->builder, type);
                builder_add(&p->builder, BUILD_RLIMITS, &l);
        }
        return r;
}

static int plan_terminal(struct planner *p, struct err *err) {
        struct plan_header *h = &p->builder.header;
        const json_t *size = NULL;
        bool terminal = false;
        int64_t rows = 0, columns = 0;
        int r = field_bool(p->process, "process", "terminal", &terminal, err);

        if (r == 0)
                r = field_object(p->process, "process", "consoleSize", &size, err);
        if (r == 0)
                r = field_int(size, "process.consoleSize", "height", 0, UINT16_MAX, &rows, err);
        if (r == 0)
                r = field_int(size, "process.consoleSize", "width", 0, UINT16_MAX, &columns, err);
        if (r < 0 || !terminal)
                return r;
        h->flags |= PLAN_TERMINAL;
        h->rows = (uint16_t) rows;
        h->columns = (uint16_t) columns;
        return 0;
}

static int plan_flags(struct planner *p, struct err *err) {
        struct plan_header *h = &p->builder.header;
        bool no_new_privs = false;
        int64_t score = INT64_MIN;
        int r = field_bool(p->process, "process", "noNewPrivileges", &no_new_privs, err);

        if (r == 0)
                r = field_int(p->process, "process", "oomScoreAdj", -1000, 1000, &score, err);
        if (r < 0)
                return r;
        if (no_new_privs)
                h->flags |= PLAN_NO_NEW_PRIVS;
        if (score != INT64_MIN) {
                h->flags |= PLAN_OOM_SCORE;
                h->oom_score = (int32_t) score;
        }
        return 0;
}

int plan_process_fields(struct planner *p, struct err *err) {
        static int (*const parts[])(struct planner *p, struct err *err) = { plan_user_fields, plan_command, plan_limits, plan_terminal,
                                                                              plan_flags };

        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
                int r = parts[i](p, err);

                if (r < 0)
                        return r;
        }
        return 0;
}
