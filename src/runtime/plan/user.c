/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/plan/plan.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"

/* A container's /etc/passwd and /etc/group are what an image's author wrote: any size, any bytes, any kind of file. */
enum { FILE_MAX = 1 << 20, ID_MAX = INT32_MAX, FIELDS_MAX = 7, PART_MAX = 256 };

static bool to_id(const char *s, uint32_t *ret) {
        uint64_t v;

        if (str_to_u64(s, 0, ID_MAX, &v) < 0)
                return false;
        *ret = (uint32_t) v;
        return true;
}

static bool is_number(const char *s) {
        return *s && strspn(s, "0123456789") == strlen(s);
}

/* *ret: the text, or "" when there is no such file. O_NONBLOCK: a fifo of that name must not stop us. */
static int read_database(int root_fd, const char *path, char **ret, struct err *err) {
        auto_fd fd = path_open_in(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
        struct stat st;
        int r;

        if (fd == -ENOENT || fd == -ENOTDIR) {
                *ret = strdup("");
                return *ret ? 0 : err_errno(err, -ENOMEM, "/%s", path);
        }
        if (fd < 0)
                return err_errno(err, fd, "/%s of the container", path);
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return err_set(err, ERR_INVALID, -EINVAL, "/%s of the container is not a regular file", path);
        r = fd_read_file(fd, FILE_MAX, ret, NULL);
        if (r == -EFBIG)
                return err_set(err, ERR_TOO_LARGE, r, "/%s of the container is larger than %d bytes", path, FILE_MAX);
        return r < 0 ? err_errno(err, r, "/%s of the container", path) : 0;
}

/* The next line's fields, cut in place; false at the end. Lines with fewer than `wanted` fields, comments and blanks are passed over. */
static bool next_entry(char **text, size_t wanted, char *fields[FIELDS_MAX], size_t *ret_n) {
        char *line;

        while ((line = strsep(text, "\n"))) {
                size_t n = 0;

                if (!*line || *line == '#')
                        continue;
                while (line && n < FIELDS_MAX)
                        fields[n++] = strsep(&line, ":");
                if (n >= wanted && *fields[0]) {
                        *ret_n = n;
                        return true;
                }
        }
        return false;
}

/* A home that goes into an environment variable: absolute, printable, of sane length. */
static bool is_good_home(const char *s) {
        if (*s != '/' || strlen(s) >= sizeof(((struct plan_user *) 0)->home))
                return false;
        for (; *s; s++)
                if ((unsigned char) *s < ' ' || *s == 0x7f)
                        return false;
        return true;
}

/* passwd: name:password:uid:gid:gecos:home:shell. A name is looked for as a name first; digits are an id that may have an entry. */
static int find_user(char *text, const char *user, struct plan_user *ret, char name[PART_MAX], struct err *err) {
        char *fields[FIELDS_MAX];
        uint32_t uid, gid, wanted = 0;
        bool numeric = is_number(user);
        size_t n;

        if (numeric && !to_id(user, &wanted))
                return err_set(err, ERR_INVALID, -ERANGE, "user %s: ids go from 0 to %d", user, ID_MAX);
        while (next_entry(&text, 4, fields, &n)) {
                bool good = to_id(fields[2], &uid) && to_id(fields[3], &gid);
                bool same = numeric ? good && uid == wanted : strcmp(fields[0], user) == 0;

                if (!same)
                        continue;
                if (!good)
                        return err_set(err, ERR_INVALID, -EINVAL, "user %s: its line in /etc/passwd of the container has no valid ids", user);
                ret->uid = uid;
                ret->gid = gid;
                snprintf(name, PART_MAX, "%s", fields[0]);
                if (n > 5 && is_good_home(fields[5]))
                        snprintf(ret->home, sizeof(ret->home), "%s", fields[5]);
                return 0;
        }
        if (!numeric)
                return err_set(err, ERR_INVALID, -ENOENT, "no user %s in /etc/passwd of the container", user);
        ret->uid = wanted;
        return 0;
}

static int add_group(struct plan_user *u, uint32_t gid, struct err *err) {
        for (size_t i = 0; i < u->n_groups; i++)
                if (u->groups[i] == gid)
                        return 0;
        if (u->n_groups >= ARRAY_SIZE(u->groups))
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "more than %zu supplementary groups", ARRAY_SIZE(u->groups));
        u->groups[u->n_groups++] = gid;
        return 0;
}

static bool is_member(char *members, const char *name) {
        char *m;

        while ((m = strsep(&members, ",")))
                if (strcmp(m, name) == 0)
                        return true;
        return false;
}

/* group: name:password:gid:member,member… All groups that list `name`. */
static int add_memberships(char *text, const char *name, struct plan_user *u, struct err *err) {
        char *fields[FIELDS_MAX];
        uint32_t gid;
        size_t n;

        while (next_entry(&text, 4, fields, &n)) {
                int r;

                if (!to_id(fields[2], &gid) || !is_member(fields[3], name))
                        continue;
                r = add_group(u, gid, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int find_group(const char *database, const char *group, uint32_t *ret, struct err *err) {
        auto_free char *text = strdup(database);
        char *fields[FIELDS_MAX], *at = text;
        size_t n;

        if (!text)
                return err_errno(err, -ENOMEM, "group %s", group);
        if (is_number(group)) {
                if (!to_id(group, ret))
                        return err_set(err, ERR_INVALID, -ERANGE, "group %s: ids go from 0 to %d", group, ID_MAX);
                return 0;
        }
        while (next_entry(&at, 3, fields, &n)) {
                if (strcmp(fields[0], group) != 0)
                        continue;
                if (!to_id(fields[2], ret))
                        return err_set(err, ERR_INVALID, -EINVAL, "group %s: its line in /etc/group of the container has no valid id", group);
                return 0;
        }
        return err_set(err, ERR_INVALID, -ENOENT, "no group %s in /etc/group of the container", group);
}

static int add_extra_groups(const char *database, const json_t *extra, struct plan_user *u, struct err *err) {
        size_t i;
        json_t *v;

        json_array_foreach(extra, i, v) {
                char number[24];
                const char *group = json_string_value(v);
                uint32_t gid;
                int r;

                if (json_is_integer(v)) {
                        snprintf(number, sizeof(number), "%lld", (long long) json_integer_value(v));
                        group = number;
                }
                if (!group || !*group || *group == '-')
                        return err_set(err, ERR_INVALID, -EINVAL, "additional group %zu is neither a name nor an id", i);
                r = find_group(database, group, &gid, err);
                if (r == 0)
                        r = add_group(u, gid, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* "user[:group]" in two. An empty group ("root:") is as none. */
static int split(const char *s, char user[PART_MAX], char group[PART_MAX], struct err *err) {
        size_t n = strcspn(s, ":");
        const char *rest = s[n] ? s + n + 1 : "";

        if (n >= PART_MAX || strlen(rest) >= PART_MAX || strchr(rest, ':'))
                return err_set(err, ERR_INVALID, -EINVAL, "\"%.80s\" is not USER or USER:GROUP", s);
        memcpy(user, s, n);
        user[n] = '\0';
        strcpy(group, rest);
        return 0;
}

/* Only a name needs the file: an id is what it says also when the image's files are broken, as root must be able to get in and mend them. Then
 * `*ret` is "" and there is no home and no group to be found. */
static int read_for(bool needed, int root_fd, const char *path, char **ret, struct err *err) {
        struct err why = { 0 };
        int r = read_database(root_fd, path, ret, needed ? err : &why);

        if (r == 0 || needed || r == -ENOMEM)
                return r;
        *ret = strdup("");
        return *ret ? 0 : err_errno(err, -ENOMEM, "/%s", path);
}

static bool names_a_group(const char *group, const json_t *extra) {
        size_t i;
        json_t *v;

        if (*group && !is_number(group))
                return true;
        json_array_foreach(extra, i, v)
                if (json_is_string(v) && !is_number(json_string_value(v)))
                        return true;
        return false;
}

int plan_resolve_user(int root_fd, const char *spec, const json_t *extra_groups, struct plan_user *ret, struct err *err) {
        auto_free char *passwd = NULL, *groups = NULL;
        char user[PART_MAX], group[PART_MAX], name[PART_MAX] = "";
        struct plan_user u = { .home = "/" };
        int r = split(spec ? spec : "", user, group, err);

        if (r < 0)
                return r;
        r = read_for(*user && !is_number(user), root_fd, "etc/passwd", &passwd, err);
        /* Groups that somebody asked for by his name are part of what he asked for; those of an id come where they can be had. */
        if (r == 0)
                r = read_for((*user && !is_number(user) && !*group) || names_a_group(group, extra_groups), root_fd, "etc/group", &groups, err);
        if (r == 0)
                r = find_user(passwd, *user ? user : "0", &u, name, err);
        if (r < 0)
                return r;
        if (*group)
                r = find_group(groups, group, &u.gid, err);
        /* The primary group is listed as well: else a set-group-id program could drop it, and with it a mode that shuts that group
         * out (CVE-2022-36109). */
        if (r == 0)
                r = add_group(&u, u.gid, err);
        if (r == 0)
                r = add_extra_groups(groups, extra_groups, &u, err);
        /* Last, because it cuts the text up. A group that was asked for takes the place of the user's own ones. */
        if (r == 0 && !*group && *name)
                r = add_memberships(groups, name, &u, err);
        if (r == 0)
                *ret = u;
        return r;
}
