/* SPDX-License-Identifier: Apache-2.0 */

/* root and linux.rootfsPropagation. Without a file system by fd, the root is source 0; with one, its place for hooks is. */

#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "runtime/plan/private.h"

struct propagation {
        const char *name;
        uint64_t flag;
        bool tree;
};

static int root_propagation(struct planner *p, struct propagation *ret, struct err *err) {
        static const struct propagation rows[] = {
                { "", MS_PRIVATE, true },          { "private", MS_PRIVATE, false },       { "rprivate", MS_PRIVATE, true },
                { "shared", MS_SHARED, false },    { "rshared", MS_SHARED, true },         { "slave", MS_SLAVE, false },
                { "rslave", MS_SLAVE, true },      { "unbindable", MS_UNBINDABLE, false }, { "runbindable", MS_UNBINDABLE, true },
        };
        const char *name = "";
        int r = field_string(p->linux_, "linux", "rootfsPropagation", &name, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (strcmp(rows[i].name, name) == 0) {
                        *ret = rows[i];
                        return 0;
                }
        return err_set(err, ERR_INVALID, -EINVAL, "linux.rootfsPropagation: \"%s\" is not a kind of propagation", name);
}

int plan_root(struct planner *p, struct err *err) {
        const json_t *root = NULL;
        const char *path = NULL;
        auto_free char *full = NULL;
        struct plan_source s = { .flags = PLAN_SOURCE_RECURSIVE };
        struct stat st;
        bool readonly = false;
        struct propagation propagation = { 0 };
        int r = field_object(p->config, "", "root", &root, err);

        if (r == 0)
                r = field_bool(root, "root", "readonly", &readonly, err);
        if (r == 0)
                r = root_propagation(p, &propagation, err);
        if (r < 0)
                return r;
        if (readonly)
                p->builder.header.flags |= PLAN_ROOT_READONLY;
        /* A private one is so from the start; a slave must not be cut off; the others are made when nothing is moved any more. */
        if (propagation.flag != MS_PRIVATE)
                p->builder.header.root_propagation = propagation.flag;
        if (propagation.tree)
                p->builder.header.flags |= PLAN_ROOT_PROPAGATES_TREE;
        if (p->options->rootfs_by_fd && p->options->root_place) {
                s.flags = 0;
                s.path = builder_text(&p->builder, p->options->root_place);
                s.what = builder_text(&p->builder, "root.path");
                builder_add(&p->builder, BUILD_SOURCES, &s);
        }
        if (p->options->rootfs_by_fd)
                return 0;
        r = field_string(root, "root", "path", &path, err);
        if (r < 0)
                return r;
        if (!path || !*path)
                return err_set(err, ERR_INVALID, -EINVAL, "root.path: missing");
        r = plan_host_path(p, "root.path", path, &full, err);
        if (r < 0)
                return r;
        /* One that is not there is the executor's to say: it may be mounted by then. */
        if (stat(full, &st) == 0 && !S_ISDIR(st.st_mode))
                return err_set(err, ERR_INVALID, -ENOTDIR, "root.path: %s is not a directory", full);
        s.tree_propagation = propagation.flag == MS_SLAVE ? MS_SLAVE : MS_PRIVATE;
        s.path = builder_text(&p->builder, full);
        s.what = builder_text(&p->builder, "root.path");
        builder_add(&p->builder, BUILD_SOURCES, &s);
        return 0;
}
