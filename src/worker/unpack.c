/* SPDX-License-Identifier: Apache-2.0 */

/* Mode unpack: one layer, from a stream of bytes to a tree in overlay form. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "worker/archive-source.h"
#include "worker/control.h"
#include "worker/digest.h"
#include "worker/entry.h"
#include "worker/jobs.h"
#include "worker/source.h"
#include "worker/tree.h"
#include "worker/xattr.h"

enum {
        ID_MAX = 65535,     /* the user namespace has ids 0…65535, and so does every container */
        NAME_SHOWN = 200,   /* bytes of an entry's name in a message */
};

enum { FD_INPUT, FD_DIRECTORY, FD_BLOB };

struct unpack {
        int control_fd;
        const char *digest, *diff_id; /* NULL: only to be told */
        const char *name;             /* what the layer is called in messages */
        uint64_t blob_size;
        bool keep_blob;
        struct job_limits limits;
        struct archive_source archive;
        struct tree tree;
        uint64_t bytes, entries;
        int64_t progress_ns;
        char path[ENTRY_PATH_SIZE];
};

/* Daemon's events carry paths as JSON text. */
static int send_path_event(struct unpack *u, json_t *event, const char *path, struct err *err) {
        json_t *text = json_string(path);
        int r;

        if (!text) {
                json_decref(event);
                return err_set(err, ERR_UNSUPPORTED, -EILSEQ, "is special and has a name that is not UTF-8");
        }
        json_object_set_new(event, "path", text);
        r = control_send(u->control_fd, event);
        return r < 0 ? err_errno(err, r, "cannot be reported") : 0;
}

static int report_opaque(void *data, const char *path, struct err *err) {
        return send_path_event(data, json_pack("{s:s}", "event", "opaque"), path, err);
}

static void report_progress(void *data) {
        struct unpack *u = data;

        if (control_progress_due(&u->progress_ns))
                control_send(u->control_fd, json_pack("{s:s, s:I}", "event", "progress", "bytes", (json_int_t) source_consumed(u->archive.source)));
}

static int meta_of(struct archive_entry *e, struct tree_meta *ret, struct err *err) {
        int64_t uid = archive_entry_uid(e), gid = archive_entry_gid(e);
        long ns = archive_entry_mtime_nsec(e);

        if (uid < 0 || uid > ID_MAX)
                return err_set(err, ERR_UNSUPPORTED, -EOVERFLOW, "belongs to uid %" PRId64 ", beyond the %d ids of a container", uid, ID_MAX + 1);
        if (gid < 0 || gid > ID_MAX)
                return err_set(err, ERR_UNSUPPORTED, -EOVERFLOW, "belongs to gid %" PRId64 ", beyond the %d ids of a container", gid, ID_MAX + 1);
        *ret = (struct tree_meta) {
                .mode = archive_entry_perm(e) & 07777,
                .uid = (uid_t) uid,
                .gid = (gid_t) gid,
                .mtime = { .tv_sec = archive_entry_mtime(e), .tv_nsec = ns >= 0 && ns < 1000000000 ? ns : 0 },
        };
        return 0;
}

/* The logical size counts, so that holes of a sparse file are bounded, too. */
static int count_bytes(struct unpack *u, uint64_t size, struct err *err) {
        if (size > u->limits.bytes - u->bytes)
                return err_set(err, ERR_TOO_LARGE, -EFBIG, "passes the limit of %" PRIu64 " bytes for a layer", u->limits.bytes);
        u->bytes += size;
        return 0;
}

static int unpack_file(struct unpack *u, struct archive_entry *e, const struct tree_meta *m, struct err *err) {
        int64_t size = archive_entry_size(e);
        auto_fd fd = -EBADF;
        int r;

        if (size < 0)
                return err_set(err, ERR_INVALID, -EBADMSG, "has a size of %" PRId64, size);
        r = count_bytes(u, (uint64_t) size, err);
        if (r == 0)
                r = tree_file(&u->tree, u->path, m, &fd, err);
        if (r == 0)
                r = archive_source_copy(&u->archive, fd, size, report_progress, u, err);
        if (r == 0)
                r = tree_file_finish(&u->tree, fd, m, err);
        if (r == 0)
                r = xattr_apply(&u->tree, u->path, fd, e, err); /* after the owner: chown(2) takes file capabilities away */
        return r;
}

static int unpack_directory(struct unpack *u, struct archive_entry *e, const struct tree_meta *m, struct err *err) {
        auto_fd fd = -EBADF;
        int r = tree_directory(&u->tree, u->path, m, &fd, err);

        return r < 0 ? r : xattr_apply(&u->tree, u->path, fd, e, err);
}

static int unpack_symlink(struct unpack *u, struct archive_entry *e, const struct tree_meta *m, struct err *err) {
        const char *target = archive_entry_symlink(e);

        if (!target || !*target)
                return err_set(err, ERR_INVALID, -EINVAL, "is a symbolic link to nothing");
        return tree_symlink(&u->tree, u->path, target, m, err);
}

static int unpack_fifo(struct unpack *u, struct archive_entry *e, const struct tree_meta *m, struct err *err) {
        return tree_fifo(&u->tree, u->path, m, err);
}

/* Device nodes are beyond the rights of a user namespace: the daemon decides. */
static int unpack_device(struct unpack *u, struct archive_entry *e, const struct tree_meta *m, struct err *err) {
        int64_t type = archive_entry_filetype(e), major = archive_entry_rdevmajor(e), minor = archive_entry_rdevminor(e);
        int r;

        if (type == AE_IFCHR && major == 0 && minor == 0)
                return err_set(err, ERR_INVALID, -EINVAL, "is the character device 0:0, which means a whiteout to overlayfs");
        r = tree_clear(&u->tree, u->path, err);
        if (r < 0)
                return r;
        return send_path_event(u,
                               json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "event", "device", "mode", (json_int_t) (type | m->mode), "uid",
                                         (json_int_t) m->uid, "gid", (json_int_t) m->gid, "major", (json_int_t) major, "minor", (json_int_t) minor),
                               u->path, err);
}

static const struct kind {
        unsigned type;
        int (*unpack)(struct unpack *u, struct archive_entry *e, const struct tree_meta *m, struct err *err);
} kinds[] = {
        { AE_IFREG, unpack_file },
        { AE_IFDIR, unpack_directory },
        { AE_IFLNK, unpack_symlink },
        { AE_IFIFO, unpack_fifo },
        { AE_IFCHR, unpack_device },
        { AE_IFBLK, unpack_device },
};

static int unpack_hard_link(struct unpack *u, const char *raw_target, struct err *err) {
        char target[ENTRY_PATH_SIZE];
        int r = entry_path(raw_target, target);

        if (r == -EXDEV)
                return err_set(err, ERR_INVALID, r, "is a hard link to \"%.*s\" leaves the root", NAME_SHOWN, raw_target);
        if (r < 0 || !*target)
                return err_set(err, ERR_INVALID, r < 0 ? r : -EINVAL, "is a hard link to \"%.*s\", which is not a file", NAME_SHOWN, raw_target);
        return tree_hard_link(&u->tree, u->path, target, err);
}

static int unpack_plain(struct unpack *u, struct archive_entry *e, struct err *err) {
        const char *target = archive_entry_hardlink(e);
        struct tree_meta m;
        int r = meta_of(e, &m, err);

        if (r < 0)
                return r;
        if (!*u->path && (target || archive_entry_filetype(e) != AE_IFDIR))
                return err_set(err, ERR_INVALID, -EINVAL, "would replace the root directory");
        if (target)
                return unpack_hard_link(u, target, err);
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                if (kinds[i].type == archive_entry_filetype(e))
                        return kinds[i].unpack(u, e, &m, err);
        return err_set(err, ERR_INVALID, -EINVAL, "is of an unknown type");
}

static int unpack_opaque(struct unpack *u, struct err *err) {
        int r = tree_require_directory(&u->tree, u->path, err);

        return r < 0 ? r : report_opaque(u, u->path, err);
}

static int unpack_whole_entry(struct unpack *u, struct archive_entry *e, struct err *err) {
        int r = entry_path(u->archive.raw_name, u->path);

        if (r == -EXDEV)
                return err_set(err, ERR_INVALID, r, "leaves the root");
        if (r < 0)
                return err_set(err, ERR_INVALID, r, "has a name that is too long or too deep");
        if (++u->entries > u->limits.entries)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "passes the limit of %" PRIu64 " entries", u->limits.entries);
        switch (entry_whiteout(u->path)) {
        case ENTRY_PLAIN:
                return unpack_plain(u, e, err);
        case ENTRY_WHITEOUT:
                return tree_whiteout(&u->tree, u->path, err);
        case ENTRY_OPAQUE:
                return unpack_opaque(u, err);
        case ENTRY_AUFS:
                return 0;
        default:
                return err_set(err, ERR_INVALID, -EINVAL, "is a bad whiteout");
        }
}

static int unpack_entry(void *data, struct archive_entry *e, struct err *err) {
        int r = unpack_whole_entry(data, e, err);

        report_progress(data);
        return r;
}

/* "layer sha256:…: entry "a/b" leaves the root". A layer that cannot be unpacked is not "not found", whatever its files met. */
static int name_culprit(struct unpack *u, struct err *err) {
        char what[sizeof("layer ") + NAME_SHOWN];

        if (err->kind == ERR_NOT_FOUND || err->kind == ERR_CONFLICT || err->kind == ERR_DENIED)
                err->kind = ERR_INTERNAL;
        snprintf(what, sizeof(what), "layer %.*s", NAME_SHOWN, u->name);
        return archive_source_blame(&u->archive, what, err);
}

/* It is no layer, as *err says: a blob it may be. When it is not even that, this is the better reason. */
static int keep_blob(struct unpack *u, struct source *source, struct err *err) {
        struct err rest;
        int r = source_keep_rest(source, &rest);

        if (r == 0)
                control_send(u->control_fd, json_pack("{s:s, s:I}", "event", "blob", "blob_size", (json_int_t) source_consumed(source)));
        return r == -EBADMSG ? err_set(err, rest.kind, r, "layer %.*s %s", NAME_SHOWN, u->name, rest.msg) : err->num;
}

static int run(struct unpack *u, const struct control_message *m, struct err *err) {
        const struct source_options options = {
                .input_fd = m->fds[FD_INPUT],
                .blob_fd = m->n_fds > FD_BLOB ? m->fds[FD_BLOB] : -1,
                .size = u->blob_size,
                .digest = u->digest,
                .diff_id = u->diff_id,
                .keep_rest = u->keep_blob,
                .limits = { .plain = job_limits_plain(&u->limits), .ratio = u->limits.ratio },
        };
        struct source *source;
        int r = source_start(&options, &source, err);

        if (r < 0)
                return r;
        tree_init(&u->tree, m->fds[FD_DIRECTORY], report_opaque, u);
        r = archive_source_open(source, &u->archive, err);
        if (r == 0)
                r = archive_source_each(&u->archive, unpack_entry, u, err);
        if (r == 0)
                r = tree_finish(&u->tree, err);
        if (r == 0)
                control_send(u->control_fd, json_pack("{s:s, s:I, s:I, s:I, s:s, s:s}", "event", "done", "size", (json_int_t) u->bytes, "entries",
                                                      (json_int_t) u->entries, "blob_size", (json_int_t) source_consumed(source), "digest",
                                                      source_digest(source), "diff_id", source_diff_id(source)));
        else
                r = name_culprit(u, err);
        if (r < 0 && u->keep_blob)
                r = keep_blob(u, source, err);
        tree_done(&u->tree);
        archive_source_close(&u->archive);
        return r;
}

int job_unpack(int control_fd, const struct control_message *m, struct err *err) {
        static struct unpack u;
        auto_json *job = NULL;
        int64_t size;
        int r = control_parse(m, &job, err);

        if (r < 0)
                return r;
        if (strcmp(json_get_str(job, "op", ""), "unpack") != 0 || m->n_fds <= FD_DIRECTORY || m->n_fds > FD_BLOB + 1)
                return err_set(err, ERR_INVALID, -EINVAL, "worker: not a job for unpack");
        u.control_fd = control_fd;
        u.digest = json_get_str(job, "digest", NULL);
        u.diff_id = json_get_str(job, "diff_id", NULL);
        u.name = u.digest ? u.digest : json_get_str(job, "name", NULL);
        size = json_get_int(job, "size", 0);
        if (!u.name || (u.digest && !digest_is_valid(u.digest)) || (u.diff_id && !digest_is_valid(u.diff_id)) || size < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "worker: unpack needs a digest or a name, a diff id or none, and a size");
        u.blob_size = (uint64_t) size;
        u.keep_blob = u.digest && m->n_fds > FD_BLOB && json_get_bool(job, "keep_blob", false);
        u.limits = job_limits_of(job);
        r = run(&u, m, err);
        return r;
}
