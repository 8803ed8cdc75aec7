/* SPDX-License-Identifier: Apache-2.0 */

/* What a container changed: as a layer of an image, or as a list. Three trees are compared: the upper directory of its overlay says where to look, the
 * image's own tree what was there before, and the whole root what is to be seen now. The last stands in for overlayfs's own marks
 * of opaque directories, which nobody but the host's root may read. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "worker/control.h"
#include "worker/pack.h"

enum { FD_OUTPUT, FD_ROOT, FD_UPPER, FD_IMAGE, LIST_PIECE = 64 << 10 };

#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"

struct changes {
        bool as_layer;
        const json_t *hidden;
        struct tar_writer writer;
        int out_fd;
        struct strbuf list; /* written when it is long */
        uint64_t entries;
        struct pack_path path; /* "a/b"; "" is the root */
};

/* One directory in the three trees; image is -EBADF where the image has none. */
struct level {
        int upper, image, root;
};

static bool is_whiteout(const struct stat *st) {
        return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static bool is_there(int dir_fd, const char *name, struct stat *ret) {
        return dir_fd >= 0 && fstatat(dir_fd, name, ret, AT_SYMLINK_NOFOLLOW) == 0;
}

static int flush_list(struct changes *c, struct err *err) {
        int r = strbuf_error(&c->list);

        if (r == 0 && c->list.size > 0)
                r = fd_write_all(c->out_fd, c->list.data, c->list.size);
        c->list.size = 0;
        return r < 0 ? err_errno(err, r, "the list cannot be written") : 0;
}

/* kind: 'C', 'A', 'D'; `name`: in the directory at hand, or NULL: that itself. */
static int list(struct changes *c, char kind, const char *name, struct err *err) {
        strbuf_addf(&c->list, "%c/%s%s%s", kind, c->path.text, name && *c->path.text ? "/" : "", name ? name : "");
        strbuf_add(&c->list, "", 1);
        c->entries++;
        return c->list.size >= LIST_PIECE ? flush_list(c, err) : 0;
}

static int deleted(struct changes *c, const char *name, struct err *err) {
        auto_free char *whiteout = NULL;

        if (!c->as_layer)
                return list(c, 'D', name, err);
        whiteout = str_format("%s%s" WHITEOUT "%s", c->path.text, *c->path.text ? "/" : "", name);
        return whiteout ? tar_writer_add_empty(&c->writer, whiteout, err) : err_errno(err, -ENOMEM, "whiteout");
}

static bool is_empty_directory(int dir_fd, const char *name) {
        __attribute__((cleanup(closedirp))) DIR *dir = NULL;
        int fd = pack_open_directory(dir_fd, name);
        int n = 0;

        dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir) {
                fd_close(fd);
                return false;
        }
        while (n <= 2 && readdir(dir))
                n++;
        return n <= 2;
}

/* A mount point that the runtime made: it says nothing about what the container did. */
static bool is_hidden(const struct changes *c, int upper, const char *name, const struct stat *st) {
        json_t *v;
        size_t i;

        if (S_ISREG(st->st_mode) ? st->st_size > 0 : !S_ISDIR(st->st_mode) || !is_empty_directory(upper, name))
                return false;
        json_array_foreach((json_t *) c->hidden, i, v) {
                const char *path = json_string_value(v);

                if (path && *path == '/' && strcmp(path + 1, c->path.text) == 0)
                        return true;
        }
        return false;
}

/* Is something of the image's directory gone though no whiteout says so? */
static int each_vanished(struct changes *c, const struct level *l, int (*fn)(struct changes *c, const char *name, struct err *err), bool *ret_any, struct err *err) {
        __attribute__((cleanup(closedirp))) DIR *dir = NULL;
        int fd = pack_open_directory(l->image, ".");
        struct dirent *d;

        *ret_any = false;
        dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir) {
                fd_close(fd);
                return err_errno(err, fd < 0 ? fd : -errno, "\"%.200s\" of the image cannot be listed", c->path.text);
        }
        while ((d = readdir(dir))) {
                struct stat st;
                int r;

                if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 || is_there(l->upper, d->d_name, &st) || is_there(l->root, d->d_name, &st))
                        continue;
                *ret_any = true;
                r = fn ? fn(c, d->d_name, err) : 0;
                if (r < 0 || !fn)
                        return r;
        }
        return 0;
}

static int walk(struct changes *c, const struct level *l, bool *ret_members_changed, struct err *err);

static bool same_attributes(const struct stat *a, const struct stat *b) {
        return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid;
}

static int opaque_mark(struct changes *c, const struct level *l, struct err *err) {
        auto_free char *mark = NULL;
        bool any;
        int r = each_vanished(c, l, NULL, &any, err);

        if (r < 0 || !any)
                return r;
        mark = str_format("%s%s" OPAQUE, c->path.text, *c->path.text ? "/" : "");
        return mark ? tar_writer_add_empty(&c->writer, mark, err) : err_errno(err, -ENOMEM, "whiteout");
}

static int walk_directory(struct changes *c, const struct level *up, const char *name, const struct stat *st, const struct stat *before, struct err *err) {
        auto_fd upper = pack_open_directory(up->upper, name), image = -EBADF, root = -EBADF;
        bool members_changed = false, any = false;
        struct level l;
        int r = 0;

        if (upper < 0)
                return upper == -ENOENT ? 0 : err_errno(err, upper, "\"%.200s\" cannot be opened", c->path.text);
        root = openat(up->root, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (before && S_ISDIR(before->st_mode))
                image = pack_open_directory(up->image, name);
        l = (struct level) { upper, image, root };
        if (c->as_layer)
                r = tar_writer_add(&c->writer, up->upper, name, upper, st, c->path.text, err);
        if (r == 0 && c->as_layer && image >= 0)
                r = opaque_mark(c, &l, err);
        if (r == 0 && !c->as_layer && image >= 0)
                r = each_vanished(c, &l, deleted, &any, err);
        if (r == 0)
                r = walk(c, &l, &members_changed, err);
        if (r < 0 || c->as_layer)
                return r;
        if (!before)
                return list(c, 'A', NULL, err);
        return members_changed || any || image < 0 || !same_attributes(st, before) ? list(c, 'C', NULL, err) : 0;
}

static int walk_one(struct changes *c, const struct level *l, const char *name, bool *ret_members_changed, struct err *err) {
        struct stat st, before;
        bool was_there = is_there(l->image, name, &before);

        if (fstatat(l->upper, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : err_errno(err, -errno, "\"%.200s\"", c->path.text);
        if (!was_there && is_hidden(c, l->upper, name, &st))
                return 0;
        *ret_members_changed |= !was_there;
        if (S_ISDIR(st.st_mode))
                return walk_directory(c, l, name, &st, was_there ? &before : NULL, err);
        if (c->as_layer)
                return tar_writer_add(&c->writer, l->upper, name, -1, &st, c->path.text, err);
        return list(c, was_there ? 'C' : 'A', NULL, err);
}

static int walk(struct changes *c, const struct level *l, bool *ret_members_changed, struct err *err) {
        __attribute__((cleanup(closedirp))) DIR *dir = NULL;
        int own = pack_open_directory(l->upper, "."), r = 0;
        struct dirent *d;

        dir = own < 0 ? NULL : fdopendir(own);
        if (!dir) {
                fd_close(own);
                return err_errno(err, own < 0 ? own : -errno, "\"%.200s\" cannot be listed", c->path.text);
        }
        for (;;) {
                struct stat st, before;
                size_t at;

                errno = 0;
                d = r == 0 ? readdir(dir) : NULL;
                if (!d)
                        break;
                if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
                        continue;
                if (is_there(l->upper, d->d_name, &st) && is_whiteout(&st)) {
                        /* Of what the image never had: made and removed again. */
                        if (is_there(l->image, d->d_name, &before)) {
                                *ret_members_changed = true;
                                r = deleted(c, d->d_name, err);
                        }
                        continue;
                }
                r = pack_path_push(&c->path, d->d_name, &at, err);
                if (r == 0)
                        r = walk_one(c, l, d->d_name, ret_members_changed, err);
                if (r == 0)
                        pack_path_pop(&c->path, at);
        }
        return r == 0 && errno ? err_errno(err, -errno, "\"%.200s\" cannot be listed", c->path.text) : r;
}

int pack_changes(const json_t *job, int control_fd, const struct control_message *m, bool as_layer, struct err *err) {
        static struct changes c;
        const struct level top = { m->fds[FD_UPPER], m->fds[FD_IMAGE], m->fds[FD_ROOT] };
        bool changed = false;
        int r = 0;

        c = (struct changes) { .as_layer = as_layer, .hidden = json_get_array(job, "hidden"), .out_fd = m->fds[FD_OUTPUT] };
        strbuf_init(&c.list, 2 * LIST_PIECE);
        if (as_layer)
                r = tar_writer_open(&c.writer, m->fds[FD_OUTPUT], false, err);
        if (r == 0)
                r = walk(&c, &top, &changed, err);
        if (r == 0)
                r = as_layer ? tar_writer_finish(&c.writer, err) : flush_list(&c, err);
        if (r == 0)
                control_send(control_fd, json_pack("{s:s, s:I, s:I}", "event", "done", "entries", (json_int_t) (as_layer ? c.writer.entries : c.entries), "bytes",
                                                   (json_int_t) c.writer.bytes));
        if (as_layer)
                tar_writer_done(&c.writer);
        strbuf_done(&c.list);
        return r;
}
