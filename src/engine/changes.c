/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/changes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/db.h"
#include "engine/internal.h"
#include "engine/metrics.h"
#include "engine/root-view.h"
#include "engine/spec.h"
#include "storage/storage.h"
#include "worker/client.h"

enum { LIST_MAX = 64 << 20 };

/* Mount points that the runtime makes in every root. */
static const char *const always_hidden[] = {
        "/dev", "/proc", "/sys", "/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/console", "/sys/fs", "/sys/fs/cgroup", "/etc/hosts", "/etc/hostname",
        "/etc/resolv.conf", "/etc",
};

static json_t *hidden_paths(void) {
        json_t *list = json_array();

        for (size_t i = 0; i < ARRAY_SIZE(always_hidden); i++)
                json_array_append_new(list, json_string(always_hidden[i]));
        return list;
}

/* The directory of changes, seen with a worker's ids. */
static int open_upper(struct engine *e, struct container *c, int *ret, struct err *err) {
        auto_fd dir = -EBADF, upper = -EBADF;
        int r = storage_container_open(e->storage, c->row.id, &dir, err);

        if (r < 0)
                return r;
        upper = openat(dir, "upper", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (upper < 0)
                return err_errno(err, -errno, "changes of container %.12s", c->row.id);
        return storage_idmap_clone(upper, e->worker_userns, false, ret, err);
}

int changes_pack(struct engine *e, struct container *c, const char *op, int out_fd, int cancel_fd, struct err *err) {
        auto_root_view root = ROOT_VIEW_NONE, image = ROOT_VIEW_NONE;
        auto_fd upper = -EBADF;
        int r;

        r = root_view_files(e, c, true, &root, err);
        if (r < 0 || (r = root_view_files(e, c, false, &image, err)) < 0 || (r = open_upper(e, c, &upper, err)) < 0)
                return r;
        return worker_run(e->worker_fd, e->worker_userns, "pack", json_pack("{s:s, s:o}", "op", op, "hidden", hidden_paths()),
                          (const int[]) { out_fd, root.root, upper, image.root }, 4, cancel_fd, NULL, err);
}

static int compare_paths(const void *a, const void *b) {
        return strcmp(*(const char *const *) a + 1, *(const char *const *) b + 1);
}

/* Names are bytes; JSON has only those that are UTF-8. */
static json_t *path_text(const char *path) {
        json_t *text = json_string(path);
        auto_free char *copy = text ? NULL : strdup(path);

        for (char *p = copy; p && *p; p++)
                if ((unsigned char) *p >= 0x80)
                        *p = '?';
        return copy ? json_string(copy) : text;
}

/* "C/etc\0A/etc/x\0…", a worker's word. */
static int parse_list(char *data, size_t size, json_t **ret, struct err *err) {
        static const char kinds[] = "CAD";
        auto_free const char **lines = NULL;
        auto_json *list = json_array();
        size_t n = 0;

        for (const char *p = data; p < data + size; p += strlen(p) + 1)
                n++;
        lines = calloc(n + 1, sizeof(*lines));
        if (!lines || !list)
                return err_errno(err, -ENOMEM, "changes");
        n = 0;
        for (const char *p = data; p < data + size; p += strlen(p) + 1) {
                if (!*p || !strchr(kinds, *p) || p[1] != '/')
                        return err_set(err, ERR_INTERNAL, -EPROTO, "the worker's list of changes makes no sense");
                lines[n++] = p;
        }
        qsort(lines, n, sizeof(*lines), compare_paths);
        for (size_t i = 0; i < n; i++)
                json_array_append_new(list, json_pack("{s:o, s:i}", "Path", path_text(lines[i] + 1), "Kind", (int) (strchr(kinds, *lines[i]) - kinds)));
        *ret = take_ptr(&list);
        return 0;
}

int engine_changes(struct engine *e, const char *name, json_t **ret, struct err *err) {
        auto_fd file = memfd_create("kist-changes", MFD_CLOEXEC);
        auto_container *c = NULL;
        auto_free char *data = NULL;
        int64_t begun = metrics_begin();
        size_t size;
        int r = table_find(&e->table, name, &c, err);

        if (r < 0)
                return r;
        if (file < 0)
                return err_errno(err, -errno, "changes of container %s", name);
        r = changes_pack(e, c, "changes", file, -1, err);
        if (r < 0)
                return r;
        if (lseek(file, 0, SEEK_SET) < 0)
                return err_errno(err, -errno, "changes of container %s", name);
        r = fd_read_file(file, LIST_MAX, &data, &size);
        if (r < 0)
                return err_errno(err, r, "changes of container %s", name);
        r = parse_list(data, size, ret, err);
        if (r == 0)
                metrics_end(e->metrics, METRICS_CONTAINER_CHANGES, begun);
        return r;
}
