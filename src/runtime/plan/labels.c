/* SPDX-License-Identifier: Apache-2.0 */

/* process.apparmorProfile, process.selinuxLabel, linux.mountLabel. A protection that this host cannot give is refused. */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "runtime/plan/private.h"

enum { LABEL_MAX = 512 };

static bool has_apparmor(void) {
        auto_free char *text = NULL;

        return file_read_at(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", 16, &text, NULL) == 0 && *text == 'Y';
}

/* Its file system is there only where it is on. */
static bool has_selinux(void) {
        return access("/sys/fs/selinux/enforce", F_OK) == 0;
}

/* No blanks and no control characters; of SELinux, user:role:type and maybe more. */
static int field_label(const json_t *object, const char *at, const char *key, bool selinux, const char **ret, struct err *err) {
        const char *label = NULL;
        int r = field_string(object, at, key, &label, err);
        unsigned colons = 0;

        if (r < 0 || !label || !*label)
                return r;
        for (const char *c = label; *c; c++) {
                if ((unsigned char) *c < ' ' || *c == 0x7f || (selinux && *c == ' '))
                        return err_set(err, ERR_INVALID, -EINVAL, "%s.%s: \"%s\" is not a label", at, key, label);
                colons += *c == ':';
        }
        if (strlen(label) > LABEL_MAX || (selinux && colons < 2))
                return err_set(err, ERR_INVALID, -EINVAL, "%s.%s: \"%s\" is not a label", at, key, label);
        if (selinux ? !has_selinux() : !has_apparmor())
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s.%s: this host has no %s", at, key, selinux ? "SELinux" : "AppArmor");
        *ret = label;
        return 0;
}

int plan_labels(struct planner *p, struct err *err) {
        const char *apparmor = NULL, *selinux = NULL, *mounts = NULL;
        int r = field_label(p->process, "process", "apparmorProfile", false, &apparmor, err);

        if (r == 0)
                r = field_label(p->process, "process", "selinuxLabel", true, &selinux, err);
        if (r == 0) /* even when nothing is mounted with it */
                r = field_label(p->linux_, "linux", "mountLabel", true, &mounts, err);
        if (r < 0)
                return r;
        p->builder.header.apparmor = builder_text(&p->builder, apparmor);
        p->builder.header.selinux = builder_text(&p->builder, selinux);
        return 0;
}

int plan_mount_label(struct planner *p, const char *type, uint32_t *n, struct err *err) {
        /* Their labels are the policy's own, file by file. */
        static const char *const others[] = { "proc", "sysfs", "mqueue", "cgroup", "cgroup2" };
        const char *label = NULL;
        struct plan_param param;
        int r = field_label(p->linux_, "linux", "mountLabel", true, &label, err);

        if (r < 0 || !label)
                return r;
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                if (strcmp(others[i], type) == 0)
                        return 0;
        param = (struct plan_param) { builder_text(&p->builder, "context"), builder_text(&p->builder, label) };
        builder_add(&p->builder, BUILD_PARAMS, &param);
        (*n)++;
        return 0;
}
