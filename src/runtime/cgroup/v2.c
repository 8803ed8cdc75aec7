/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup/private.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

/* Which of `wanted` does the space-separated list lack? */
static uint32_t missing_from(const char *list, uint32_t wanted) {
        uint32_t missing = 0;

        for (enum controller c = 0; c < _CONTROLLER_MAX; c++) {
                const char *name = controller_name(c, true), *at = name && (wanted & BIT(c)) ? list : NULL;
                bool found = false;

                if (!at)
                        continue;
                for (size_t n = strlen(name); !found && *at; at += strspn(at, " \n")) {
                        size_t length = strcspn(at, " \n");

                        found = length == n && memcmp(at, name, n) == 0;
                        at += length;
                }
                if (!found)
                        missing |= BIT(c);
        }
        return missing;
}

static void enabling_line(uint32_t controllers, char ret[256]) {
        size_t n = 0;

        ret[0] = '\0';
        for (enum controller c = 0; c < _CONTROLLER_MAX; c++)
                if (controllers & BIT(c))
                        n += (size_t) snprintf(ret + n, 256 - n, "%s+%s", n ? " " : "", controller_name(c, true));
}

/* Enable in one parent; the kernel takes all of a line or nothing, so a refused line is tried again one by one. */
static int enable_in(int dir_fd, const char *parent, uint32_t needed, uint32_t useful, struct err *err) {
        char have[512], line[256];
        uint32_t missing;
        int r = cgroup_file_read(dir_fd, parent, "cgroup.subtree_control", have, sizeof(have));

        if (r < 0)
                return err_errno(err, r, "cgroup %s: cgroup.subtree_control", parent);
        missing = missing_from(have, needed | useful);
        if (!missing)
                return 0;
        enabling_line(missing, line);
        r = cgroup_file_write(dir_fd, parent, "cgroup.subtree_control", line);
        /* A cgroup with processes refuses all of them together. One by one it would take those that can count threads, and become the head of
         * threaded cgroups, which no process can enter. */
        if (r == -EBUSY && (needed & missing))
                return err_set(err, ERR_CONFLICT, r, "cgroup %s has processes of its own: controllers cannot be enabled below it", parent);
        if (r == 0 || r == -EBUSY)
                return 0;
        for (enum controller c = 0; c < _CONTROLLER_MAX; c++) {
                if (!(missing & BIT(c)))
                        continue;
                enabling_line(BIT(c), line);
                r = cgroup_file_write(dir_fd, parent, "cgroup.subtree_control", line);
                if (r == 0 || !(needed & BIT(c)))
                        continue;
                if (r == -ENOENT)
                        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "controller %s is not available in cgroup %s", controller_name(c, true), parent);
                return err_errno(err, r, "cgroup %s: enabling controller %s", parent, controller_name(c, true));
        }
        return 0;
}

int v2_enable(int dir_fd, const char *path, uint32_t needed, uint32_t useful, struct err *err) {
        char parent[CGROUP_FILE_MAX];
        int r;

        if (!(needed | useful))
                return 0;
        r = enable_in(dir_fd, ".", needed, useful, err);
        for (const char *p = strchr(path, '/'); r == 0 && p; p = strchr(p + 1, '/')) {
                snprintf(parent, sizeof(parent), "%.*s", (int) (p - path), path);
                r = enable_in(dir_fd, parent, needed, useful, err);
        }
        return r;
}
