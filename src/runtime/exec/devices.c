/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/exec/private.h"

/* A node that is there already is fine when it is the right one: /dev of the image or of an earlier mount. */
static bool is_the_node(int dir_fd, const char *name, const struct plan_step *s) {
        struct stat st;

        return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == (s->mode & S_IFMT) &&
               (S_ISFIFO(st.st_mode) || st.st_rdev == s->device);
}

int step_node(struct child *c, const struct plan_step *s, struct err *err) {
        char name[NAME_MAX + 1];
        auto_fd dir = target_parent(c, plan_text(c->plan, s->target), true, name);

        if (dir < 0)
                return step_fail(c, s, dir, err);
        if (mknodat(dir, name, s->mode, (dev_t) s->device) < 0) {
                if (errno == EEXIST && is_the_node(dir, name, s))
                        return 0;
                return step_fail(c, s, errno, err);
        }
        if ((s->uid != 0 || s->gid != 0) && fchownat(dir, name, s->uid, s->gid, AT_SYMLINK_NOFOLLOW) < 0)
                return step_fail(c, s, errno, err);
        return 0;
}

int step_symlink(struct child *c, const struct plan_step *s, struct err *err) {
        char name[NAME_MAX + 1];
        auto_fd dir = target_parent(c, plan_text(c->plan, s->target), true, name);

        if (dir < 0)
                return step_fail(c, s, dir, err);
        if (symlinkat(plan_text(c->plan, s->text), dir, name) < 0 && !(errno == EEXIST && (s->flags & PLAN_STEP_REPLACE)))
                return step_fail(c, s, errno, err);
        return 0;
}
