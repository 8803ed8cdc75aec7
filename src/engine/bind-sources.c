/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/bind-sources.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "engine/defaults.h"
#include "engine/sensitive.h"
#include "engine/spec.h"

static int make(const struct spec_mount *m, struct err *err) {
        auto_fd root = -EBADF, made = -EBADF;

        if (!m->make_source)
                return err_set(err, ERR_INVALID, -ENOENT, "invalid mount config for type \"bind\": bind source path does not exist: %s",
                               m->source);
        root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        made = path_mkdir_in(root, m->source, 0755);
        return made < 0 ? err_errno(err, made, "host directory %s", m->source) : 0;
}

/* Where it would be made is looked at before it is made, and what then is there before it is mounted. */
static int pin(struct engine *e, struct spec *s, struct spec_mount *m, struct err *err) {
        auto_fd fd = -EBADF;
        bool missing;
        int clone, r = sensitive_open(e, s, m, &fd, &missing, err);

        if (r == 0 && missing) {
                fd = fd_close(fd);
                r = make(m, err);
                if (r == 0)
                        r = sensitive_open(e, s, m, &fd, &missing, err);
        }
        if (r < 0)
                return r;
        clone = missing ? -1 : open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (m->recursive ? AT_RECURSIVE : 0));
        if (clone < 0)
                return err_errno(err, missing ? -ENOENT : -errno, "%s", m->source);
        return spec_add_source(s, clone, &m->source, err);
}

int bind_sources_prepare(struct engine *e, struct spec *s, struct err *err) {
        bool strict = defaults_policy_is_strict(e);
        int r = spec_check_sources(s, err); /* they may have gone since create */

        for (size_t i = 0; r == 0 && i < s->n_mounts; i++) {
                struct spec_mount *m = &s->mounts[i];
                struct stat st;

                if (m->type != SPEC_MOUNT_BIND)
                        continue;
                if (strict)
                        r = pin(e, s, m, err);
                else if (stat(m->source, &st) < 0)
                        r = make(m, err);
        }
        return r;
}
