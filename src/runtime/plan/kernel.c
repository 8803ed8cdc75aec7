/* SPDX-License-Identifier: Apache-2.0 */

/* hostname, domainname and linux.sysctl: names and numbers of namespaces, of the container's own only. */

#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "runtime/plan/private.h"

static int plan_name(struct planner *p, const char *key, enum plan_op op, struct err *err) {
        const char *name = NULL;
        struct plan_step s = { .op = op };
        int r = field_string(p->config, "", key, &name, err);

        if (r < 0 || !name || !*name)
                return r;
        if (!(p->spaces & CLONE_NEWUTS))
                return err_set(err, ERR_INVALID, -EINVAL, "%s: needs a uts namespace of its own", key);
        if (strlen(name) > 64)
                return err_set(err, ERR_INVALID, -ENAMETOOLONG, "%s: longer than 64 characters", key);
        s.text = builder_text(&p->builder, name);
        s.what = builder_text(&p->builder, key);
        builder_add(&p->builder, BUILD_STEPS, &s);
        return 0;
}

/* Which sysctls belong to which namespace. A name that ends in '/' stands for all below. */
static const struct {
        const char *name;
        uint32_t space;
        const char *type;
} sysctls[] = {
        { "net/", CLONE_NEWNET, "network" },
        { "kernel/msgmax", CLONE_NEWIPC, "ipc" },
        { "kernel/msgmnb", CLONE_NEWIPC, "ipc" },
        { "kernel/msgmni", CLONE_NEWIPC, "ipc" },
        { "kernel/msg_next_id", CLONE_NEWIPC, "ipc" },
        { "kernel/sem", CLONE_NEWIPC, "ipc" },
        { "kernel/sem_next_id", CLONE_NEWIPC, "ipc" },
        { "kernel/shmall", CLONE_NEWIPC, "ipc" },
        { "kernel/shmmax", CLONE_NEWIPC, "ipc" },
        { "kernel/shmmni", CLONE_NEWIPC, "ipc" },
        { "kernel/shm_next_id", CLONE_NEWIPC, "ipc" },
        { "kernel/shm_rmid_forced", CLONE_NEWIPC, "ipc" },
        { "fs/mqueue/", CLONE_NEWIPC, "ipc" },
        { "kernel/domainname", CLONE_NEWUTS, "uts" },
};

/* "net.ipv4.conf.eth0/1.x" and "net/ipv4/conf/eth0.1/x" are the same: the first separator says which of the two is the divider. */
static bool to_path(const char *key, char *ret, size_t size) {
        const char *first = strpbrk(key, "./");
        bool dotted = first && *first == '.';
        size_t n = strlen(key);

        if (!first || n >= size || strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./") != n)
                return false;
        for (size_t i = 0; i <= n; i++)
                ret[i] = dotted && key[i] == '.' ? '/' : dotted && key[i] == '/' ? '.' : key[i];
        /* No empty part, no "..": the name is a path below /proc/sys. */
        if (ret[0] == '/' || ret[n - 1] == '/' || strstr(ret, "//") || strstr(ret, "/../") || strstr(ret, "/./"))
                return false;
        return strcmp(ret + n - 2, "/.") != 0 && (n < 3 || strcmp(ret + n - 3, "/..") != 0);
}

static int check_sysctl(const struct planner *p, const char *path, const char *key, struct err *err) {
        for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++) {
                size_t n = strlen(sysctls[i].name);
                bool all = sysctls[i].name[n - 1] == '/';

                if (all ? strncmp(path, sysctls[i].name, n) != 0 : strcmp(path, sysctls[i].name) != 0)
                        continue;
                if (!(p->spaces & sysctls[i].space))
                        return err_set(err, ERR_INVALID, -EINVAL, "linux.sysctl: \"%s\" needs a %s namespace of its own", key,
                                       sysctls[i].type);
                return 0;
        }
        if (strcmp(path, "kernel/hostname") == 0)
                return err_set(err, ERR_INVALID, -EINVAL, "linux.sysctl: \"%s\": use the hostname field", key);
        return err_set(err, ERR_INVALID, -EINVAL, "linux.sysctl: \"%s\" is not of a namespace: it would change the host", key);
}

static int plan_sysctl(struct planner *p, const char *key, const json_t *value, struct err *err) {
        char path[256], name[512];
        const char *text = json_string_value(value);
        struct plan_step s = { .op = PLAN_SYSCTL };
        int r;

        if (!to_path(key, path, sizeof(path)))
                return err_set(err, ERR_INVALID, -EINVAL, "linux.sysctl: \"%s\" is not the name of a sysctl", key);
        if (!text || strlen(text) != json_string_length(value) || strlen(text) > 1024)
                return err_set(err, ERR_INVALID, -EINVAL, "linux.sysctl[\"%s\"]: must be a string of at most 1024 characters", key);
        for (const char *c = text; *c; c++)
                if ((unsigned char) *c < ' ' && *c != '\t')
                        return err_set(err, ERR_INVALID, -EINVAL, "linux.sysctl[\"%s\"]: control characters are not allowed", key);
        r = check_sysctl(p, path, key, err);
        if (r < 0)
                return r;
        snprintf(name, sizeof(name), "sys/%s", path);
        s.target = builder_text(&p->builder, name);
        s.text = builder_text(&p->builder, text);
        s.what = builder_textf(&p->builder, "linux.sysctl[\"%s\"]", key);
        builder_add(&p->builder, BUILD_STEPS, &s);
        return 0;
}

int plan_kernel(struct planner *p, struct err *err) {
        const json_t *list = NULL;
        const char *key;
        json_t *value;
        int r = plan_name(p, "hostname", PLAN_HOSTNAME, err);

        if (r == 0)
                r = plan_name(p, "domainname", PLAN_DOMAINNAME, err);
        if (r == 0)
                r = field_object(p->linux_, "linux", "sysctl", &list, err);
        if (r < 0 || !list)
                return r;
        json_object_foreach((json_t *) list, key, value) {
                r = plan_sysctl(p, key, value, err);
                if (r < 0)
                        return r;
        }
        return 0;
}
