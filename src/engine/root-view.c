/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/root-view.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/monitors.h"
#include "runtime/namespaces.h"
#include "storage/storage.h"

bool root_view_is_live(struct container *c) {
        struct container_row row;

        container_peek(c, &row);
        return row.state == CONTAINER_RUNNING || row.state == CONTAINER_PAUSED;
}

/* A worker in a namespace of its own that has the container's ids, and nothing else of it: no process of the container sees it. */
static int container_ids(struct engine *e, const struct container_row *row, struct root_view *v, struct err *err) {
        uint32_t first = row->id_slot ? e->first_id + row->id_slot * ENGINE_ID_RANGE : 0;
        int r = namespace_make(e->namespaces, first, ENGINE_ID_RANGE, &v->userns, NULL, err);

        v->own_userns = r == 0;
        return r;
}

int root_view_live(struct engine *e, struct container *c, struct root_view *ret, struct err *err) {
        auto_root_view v = ROOT_VIEW_NONE;
        auto_link *link = container_get_link(c);
        struct container_row row;
        char path[64];
        int r;

        container_peek(c, &row);
        snprintf(path, sizeof(path), "/proc/%d/root", row.pid);
        if (link)
                v.root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        /* The pid is that of a process which its monitor still holds, or the number may be another's by now. */
        if (!link || v.root < 0 || monitor_link_has_ended(link))
                return err_set(err, ERR_CONFLICT, -ESRCH, "container %s is not running", row.id);
        r = container_ids(e, &row, &v, err);
        if (r < 0)
                return r;
        *ret = v;
        v = ROOT_VIEW_NONE;
        return 0;
}

static int mount_for_worker(struct engine *e, struct container *c, struct storage_rootfs r, struct root_view *ret, struct err *err) {
        auto_free char *text = strdup(c->row.diff_ids);
        auto_free char **diff_ids = text ? engine_split_lines(text, &r.n_diff_ids) : NULL;
        struct root_view v = { .root = -EBADF, .userns = e->worker_userns };
        int k;

        if (!diff_ids)
                return err_errno(err, -ENOMEM, "layers of container %.12s", c->row.id);
        r.container_id = c->row.id;
        r.diff_ids = (const char *const *) diff_ids;
        r.userns_fd = e->worker_userns;
        r.first_id = e->first_id;
        k = storage_rootfs_mount(e->storage, &r, &v.root, err);
        if (k == 0)
                *ret = v;
        return k;
}

int root_view_writable(struct engine *e, struct container *c, struct root_view *ret, struct err *err) {
        return mount_for_worker(e, c, (struct storage_rootfs) { 0 }, ret, err);
}

int root_view_files(struct engine *e, struct container *c, bool with_changes, struct root_view *ret, struct err *err) {
        return mount_for_worker(e, c, (struct storage_rootfs) { .read_only = true, .without_changes = !with_changes }, ret, err);
}

int root_view_read(struct engine *e, struct container *c, struct root_view *ret, struct err *err) {
        /* It may end in between: then its files are what there is. */
        if (root_view_is_live(c) && root_view_live(e, c, ret, NULL) == 0)
                return 0;
        return root_view_files(e, c, true, ret, err);
}

void root_view_close(struct root_view *v) {
        fd_close(v->root);
        if (v->own_userns)
                fd_close(v->userns);
        *v = ROOT_VIEW_NONE;
}
