/* SPDX-License-Identifier: Apache-2.0 */

/* Mode extract: a person's archive into a directory of a container, which may be running and hostile. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "worker/archive-source.h"
#include "worker/control.h"
#include "worker/entry.h"
#include "worker/jobs.h"
#include "worker/source.h"
#include "worker/tree.h"
#include "worker/xattr.h"

enum { ID_MAX = 65535, NAME_SHOWN = 200, FD_INPUT = 0, FD_DIRECTORY = 1 };

struct extract {
        struct job_limits limits;
        bool own_root;
        int64_t uid, gid; /* for everything; -1: as the archive says */
        struct archive_source archive;
        struct tree tree;
        uint64_t bytes, entries;
        char path[ENTRY_PATH_SIZE];
};

static int no_opaque(void *data, const char *path, struct err *err) {
        return 0;
}

static int meta_of(const struct extract *x, struct archive_entry *e, struct tree_meta *ret, struct err *err) {
        int64_t uid = x->uid >= 0 ? x->uid : archive_entry_uid(e), gid = x->gid >= 0 ? x->gid : archive_entry_gid(e);
        long ns = archive_entry_mtime_nsec(e);

        if (uid < 0 || uid > ID_MAX || gid < 0 || gid > ID_MAX)
                return err_set(err, ERR_UNSUPPORTED, -EOVERFLOW, "belongs to %" PRId64 ":%" PRId64 ", beyond the %d ids of a container", uid, gid, ID_MAX + 1);
        *ret = (struct tree_meta) {
                .mode = archive_entry_perm(e) & 07777,
                .uid = (uid_t) uid,
                .gid = (gid_t) gid,
                .mtime = { .tv_sec = archive_entry_mtime(e), .tv_nsec = ns >= 0 && ns < 1000000000 ? ns : 0 },
        };
        return 0;
}

static int extract_file(struct extract *x, struct archive_entry *e, const struct tree_meta *m, struct err *err) {
        int64_t size = archive_entry_size(e);
        auto_fd fd = -EBADF;
        int r;

        if (size < 0 || (uint64_t) size > x->limits.bytes - x->bytes)
                return err_set(err, ERR_TOO_LARGE, -EFBIG, "passes the limit of %" PRIu64 " bytes for an archive", x->limits.bytes);
        x->bytes += (uint64_t) size;
        r = tree_file(&x->tree, x->path, m, &fd, err);
        if (r == 0)
                r = archive_source_copy(&x->archive, fd, size, NULL, NULL, err);
        if (r == 0)
                r = tree_file_finish(&x->tree, fd, m, err);
        return r == 0 ? xattr_apply(&x->tree, x->path, fd, e, err) : r;
}

static int extract_directory(struct extract *x, struct archive_entry *e, const struct tree_meta *m, struct err *err) {
        auto_fd fd = -EBADF;
        int r;

        if (!*x->path && !x->own_root)
                return 0; /* "." is the place itself, and stays as it is */
        r = tree_directory(&x->tree, x->path, m, &fd, err);
        return r < 0 ? r : xattr_apply(&x->tree, x->path, fd, e, err);
}

static int extract_hard_link(struct extract *x, const char *raw_target, struct err *err) {
        char target[ENTRY_PATH_SIZE];
        int r = entry_path(raw_target, target);

        if (r < 0 || !*target)
                return err_set(err, ERR_INVALID, r < 0 ? r : -EINVAL, "is a hard link to \"%.*s\", which is not a file of it", NAME_SHOWN, raw_target);
        return tree_hard_link(&x->tree, x->path, target, err);
}

static int extract_entry(void *data, struct archive_entry *e, struct err *err) {
        struct extract *x = data;
        struct tree_meta m;
        int r = entry_path(x->archive.raw_name, x->path);

        if (r == -EXDEV)
                return err_set(err, ERR_INVALID, r, "leaves the directory");
        if (r < 0)
                return err_set(err, ERR_INVALID, r, "has a name that is too long or too deep");
        if (++x->entries > x->limits.entries)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "passes the limit of %" PRIu64 " entries", x->limits.entries);
        r = meta_of(x, e, &m, err);
        if (r < 0)
                return r;
        if (archive_entry_hardlink(e))
                return extract_hard_link(x, archive_entry_hardlink(e), err);
        switch (archive_entry_filetype(e)) {
        case AE_IFDIR:
                return extract_directory(x, e, &m, err);
        case AE_IFREG:
                return *x->path ? extract_file(x, e, &m, err) : err_set(err, ERR_INVALID, -EISDIR, "is a file without a name");
        case AE_IFLNK:
                if (!*x->path || !archive_entry_symlink(e) || !*archive_entry_symlink(e))
                        return err_set(err, ERR_INVALID, -EINVAL, "is a symbolic link to nothing");
                return tree_symlink(&x->tree, x->path, archive_entry_symlink(e), &m, err);
        case AE_IFIFO:
                return *x->path ? tree_fifo(&x->tree, x->path, &m, err) : err_set(err, ERR_INVALID, -EINVAL, "is a fifo without a name");
        default:
                return err_set(err, ERR_UNSUPPORTED, -EPERM, "is a device node, which cannot be copied into a container or volume");
        }
}

static int check_place(int root_fd, const char *path, struct err *err) {
        auto_fd fd = path_open_in(root_fd, path, O_PATH, 0);
        struct stat st;

        if (fd == -ENOENT || fd == -ENOTDIR)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "Could not find the file %s in container", path);
        if (fd < 0 || fstat(fd, &st) < 0)
                return err_errno(err, fd < 0 ? fd : -errno, "%s", path);
        return S_ISDIR(st.st_mode) ? 0 : err_set(err, ERR_INVALID, -ENOTDIR, "extraction point is not a directory: %s", path);
}

static int run(struct extract *x, const struct control_message *m, const char *path, struct err *err) {
        const struct source_options options = {
                .input_fd = m->fds[FD_INPUT],
                .blob_fd = -1,
                .unsummed = true,
                .limits = { .plain = job_limits_plain(&x->limits), .ratio = x->limits.ratio },
        };
        struct source *source;
        int r = source_start(&options, &source, err);

        if (r < 0)
                return r;
        r = archive_source_open(source, &x->archive, err);
        if (r == 0)
                r = archive_source_each(&x->archive, extract_entry, x, err);
        if (r == 0)
                r = tree_finish(&x->tree, err);
        if (r < 0)
                r = archive_source_blame(&x->archive, "archive", err);
        archive_source_close(&x->archive);
        return r;
}

int job_extract(int control_fd, const struct control_message *m, struct err *err) {
        static struct extract x;
        auto_json *job = NULL;
        const char *path;
        int r = control_parse(m, &job, err);

        if (r < 0)
                return r;
        path = json_get_str(job, "path", "");
        if (strcmp(json_get_str(job, "op", ""), "extract") != 0 || m->n_fds != FD_DIRECTORY + 1 || !*path)
                return err_set(err, ERR_INVALID, -EINVAL, "worker: not a job for extract");
        x.limits = job_limits_of(job);
        x.own_root = json_get_bool(job, "own_root", false);
        x.uid = json_get_int(job, "uid", -1);
        x.gid = json_get_int(job, "gid", -1);
        r = check_place(m->fds[FD_DIRECTORY], path, err);
        if (r < 0)
                return r;
        tree_init(&x.tree, m->fds[FD_DIRECTORY], no_opaque, NULL);
        x.tree.base = x.own_root ? NULL : path; /* a place that is nobody's yet: no symlink is followed there at all */
        x.tree.keep_kinds = json_get_bool(job, "keep_kinds", false);
        r = run(&x, m, path, err);
        if (r == 0)
                control_send(control_fd, json_pack("{s:s, s:I, s:I}", "event", "done", "size", (json_int_t) x.bytes, "entries", (json_int_t) x.entries));
        tree_done(&x.tree);
        return r;
}
