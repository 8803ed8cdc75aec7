/* SPDX-License-Identifier: Apache-2.0 */

/* Mode pack: a tree, which somebody may be changing while it is read, to a tar stream. The one path that a person gave is resolved once; from there on
 * every step is one name in a held directory, and no symlink is followed. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "worker/control.h"
#include "worker/jobs.h"
#include "worker/pack.h"

enum { LINKS_MAX = 40, FD_OUTPUT = 0, FD_DIRECTORY = 1 };

/* Not walked into when they are mounted below what was asked for: none of it is a container's data. */
static const long left_out[] = {
        PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC, TMPFS_MAGIC, DEBUGFS_MAGIC, TRACEFS_MAGIC,
        SECURITYFS_MAGIC, BPF_FS_MAGIC, 0x19800202 /* mqueue */,
};

static bool is_left_out(int fd) {
        struct statfs fs;

        if (fstatfs(fd, &fs) < 0)
                return false;
        for (size_t i = 0; i < ARRAY_SIZE(left_out); i++)
                if ((long) fs.f_type == left_out[i])
                        return true;
        return false;
}

void closedirp(DIR **d) {
        if (*d)
                closedir(*d);
}

int pack_path_push(struct pack_path *p, const char *name, size_t *ret_before, struct err *err) {
        size_t n = strlen(name);
        bool slash = p->size > 0 && p->text[p->size - 1] != '/';

        if (p->size + slash + n + 1 > sizeof(p->text) || ++p->depth > PACK_DEPTH_MAX)
                return err_set(err, ERR_UNSUPPORTED, -ENAMETOOLONG, "\"%.200s…\" is too long or too deep a path for an archive", p->text);
        *ret_before = p->size;
        if (slash)
                p->text[p->size++] = '/';
        memcpy(p->text + p->size, name, n + 1);
        p->size += n;
        return 0;
}

void pack_path_pop(struct pack_path *p, size_t before) {
        p->size = before;
        p->text[before] = '\0';
        p->depth--;
}

int pack_open_directory(int dir_fd, const char *name) {
        int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

struct pack {
        struct tar_writer writer;
        struct pack_path path;
};

static int pack_children(struct pack *p, int fd, dev_t dev, struct err *err);

static int pack_one(struct pack *p, int dir_fd, const char *name, dev_t dev, struct err *err) {
        struct stat st;
        auto_fd fd = -EBADF;
        int r;

        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : err_errno(err, -errno, "\"%.200s\"", p->path.text);
        if (!S_ISDIR(st.st_mode))
                return tar_writer_add(&p->writer, dir_fd, name, -1, &st, p->path.text, err);
        fd = pack_open_directory(dir_fd, name);
        if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
                return 0;
        if (fd < 0 || fstat(fd, &st) < 0)
                return err_errno(err, fd < 0 ? fd : -errno, "\"%.200s\" cannot be opened", p->path.text);
        r = tar_writer_add(&p->writer, dir_fd, name, fd, &st, p->path.text, err);
        if (r < 0 || (st.st_dev != dev && is_left_out(fd)))
                return r;
        return pack_children(p, fd, st.st_dev, err);
}

static int pack_children(struct pack *p, int fd, dev_t dev, struct err *err) {
        __attribute__((cleanup(closedirp))) DIR *dir = NULL;
        int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        struct dirent *d;

        dir = own < 0 ? NULL : fdopendir(own);
        if (!dir) {
                fd_close(own);
                return err_errno(err, -errno, "\"%.200s\" cannot be listed", p->path.text);
        }
        while ((errno = 0, d = readdir(dir))) {
                size_t before;
                int r;

                if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
                        continue;
                r = pack_path_push(&p->path, d->d_name, &before, err);
                if (r == 0)
                        r = pack_one(p, fd, d->d_name, dev, err);
                if (r < 0)
                        return r;
                pack_path_pop(&p->path, before);
        }
        return errno ? err_errno(err, -errno, "\"%.200s\" cannot be listed", p->path.text) : 0;
}

/* --- what was asked for --- */

static bool leads_through(const char *path) {
        size_t n = strlen(path);

        return n == 0 || path[n - 1] == '/' || strcmp(path, ".") == 0 || (n >= 2 && strcmp(path + n - 2, "/.") == 0);
}

/* The last part as Docker's clients expect it: "/" for the root, "." when the path ends so. */
static void base_name(const char *path, char ret[NAME_MAX + 1]) {
        size_t end = strlen(path), start;

        while (end > 0 && path[end - 1] == '/')
                end--;
        for (start = end; start > 0 && path[start - 1] != '/'; start--)
                ;
        if (end - start > NAME_MAX)
                end = start + NAME_MAX;
        memcpy(ret, path + start, end - start);
        ret[end - start] = '\0';
        if (end == 0 || (start <= 1 && strcmp(ret, ".") == 0))
                strcpy(ret, "/");
}

static int path_error(int num, const char *path, struct err *err) {
        if (num == -ENOENT || num == -ENOTDIR)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "Could not find the file %s in container", path);
        return err_errno(err, num, "%s", path);
}

/* The end of a chain of symlinks, as an absolute path of the container; each link is resolved in its root. */
static int resolve_target(int root_fd, const char *path, char ret[PATH_MAX]) {
        if (strlen(path) + 2 > PATH_MAX)
                return -ENAMETOOLONG;
        strcpy(ret, *path == '/' ? "" : "/");
        strcat(ret, path);
        for (int i = 0; i < LINKS_MAX; i++) {
                auto_fd fd = path_open_in(root_fd, ret, O_PATH | O_NOFOLLOW, 0);
                char target[PATH_MAX];
                size_t parent;
                ssize_t n;

                n = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target) - 1);
                if (n <= 0)
                        return 0; /* its end, also when that does not exist */
                target[n] = '\0';
                parent = *target == '/' ? 0 : (size_t) (strrchr(ret, '/') + 1 - ret);
                if (parent + (size_t) n + 1 > PATH_MAX)
                        return -ENAMETOOLONG;
                memcpy(ret + parent, target, (size_t) n + 1);
        }
        return -ELOOP;
}

static int tell_stat(int control_fd, int root_fd, const char *path, const char *name, const struct stat *st, struct err *err) {
        char target[PATH_MAX] = "";
        json_t *event;
        int r = S_ISLNK(st->st_mode) ? resolve_target(root_fd, path, target) : 0;

        if (r < 0)
                return path_error(r, path, err);
        event = json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:o}", "event", "stat", "name", control_text(name), "size", (json_int_t) st->st_size, "mode",
                          (json_int_t) st->st_mode, "mtime_s", (json_int_t) st->st_mtim.tv_sec, "mtime_ns", (json_int_t) st->st_mtim.tv_nsec, "target",
                          control_text(target));
        r = control_send(control_fd, event);
        return r < 0 ? err_errno(err, r, "worker: control socket") : 0;
}

/* What is no directory is reached through its own directory, so that it can be opened by name there without a link being followed. */
static int pack_leaf(struct pack *p, int root_fd, const char *path, const struct stat *st, struct err *err) {
        auto_free char *copy = strdup(path);
        char *slash = copy ? strrchr(copy, '/') : NULL;
        auto_fd parent = -EBADF;
        struct stat now;

        if (!copy)
                return err_errno(err, -ENOMEM, "%s", path);
        if (slash)
                *slash = '\0';
        parent = path_open_in(root_fd, slash ? (slash == copy ? "/" : copy) : "/", O_PATH | O_DIRECTORY, 0);
        if (parent < 0)
                return path_error(parent, path, err);
        if (fstatat(parent, slash ? slash + 1 : copy, &now, AT_SYMLINK_NOFOLLOW) < 0)
                return path_error(-errno, path, err);
        if ((now.st_mode & S_IFMT) != (st->st_mode & S_IFMT))
                return path_error(-ENOENT, path, err);
        return tar_writer_add(&p->writer, parent, slash ? slash + 1 : copy, -1, &now, p->path.text, err);
}

static int pack_from(struct pack *p, int root_fd, int at, const char *path, const struct stat *st, struct err *err) {
        auto_fd fd = -EBADF;
        int r = 0;

        if (!S_ISDIR(st->st_mode))
                return pack_leaf(p, root_fd, path, st, err);
        fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return path_error(-errno, path, err);
        if (*p->path.text)
                r = tar_writer_add(&p->writer, at, ".", fd, st, p->path.text, err);
        return r < 0 ? r : pack_children(p, fd, st->st_dev, err);
}

static int pack_tree(const json_t *job, int control_fd, const struct control_message *m, struct err *err) {
        static struct pack p;
        const char *path = json_get_str(job, "path", "/"), *as = json_get_str(job, "name", NULL);
        bool follow = json_get_bool(job, "follow", false) || leads_through(path);
        char name[NAME_MAX + 1], end[PATH_MAX];
        auto_fd at = -EBADF;
        struct stat st;
        size_t before;
        int r;

        /* With `follow` the link's end is named, and then looked at as any other path. */
        if (follow && !leads_through(path)) {
                r = resolve_target(m->fds[FD_DIRECTORY], path, end);
                if (r < 0)
                        return path_error(r, path, err);
                path = end;
        }
        at = path_open_in(m->fds[FD_DIRECTORY], path, O_PATH | (leads_through(path) ? 0 : O_NOFOLLOW), 0);
        if (at < 0 || fstat(at, &st) < 0)
                return path_error(at < 0 ? at : -errno, path, err);
        base_name(path, name);
        r = tell_stat(control_fd, m->fds[FD_DIRECTORY], path, name, &st, err);
        if (r < 0 || json_get_bool(job, "only_stat", false))
                return r;
        r = tar_writer_open(&p.writer, m->fds[FD_OUTPUT], json_get_bool(job, "exact", false), err);
        if (r == 0)
                r = pack_path_push(&p.path, as ? as : name, &before, err);
        if (r == 0)
                r = pack_from(&p, m->fds[FD_DIRECTORY], at, path, &st, err);
        if (r == 0)
                r = tar_writer_finish(&p.writer, err);
        if (r == 0)
                control_send(control_fd, json_pack("{s:s, s:I, s:I}", "event", "done", "entries", (json_int_t) p.writer.entries, "bytes", (json_int_t) p.writer.bytes));
        tar_writer_done(&p.writer);
        return r;
}

int job_pack(int control_fd, const struct control_message *m, struct err *err) {
        auto_json *job = NULL;
        const char *op;
        int r = control_parse(m, &job, err);

        if (r < 0)
                return r;
        op = json_get_str(job, "op", "");
        if (strcmp(op, "tree") == 0 && m->n_fds == FD_DIRECTORY + 1)
                return pack_tree(job, control_fd, m, err);
        if ((strcmp(op, "layer") == 0 || strcmp(op, "changes") == 0) && m->n_fds == PACK_CHANGES_FDS)
                return pack_changes(job, control_fd, m, strcmp(op, "layer") == 0, err);
        return err_set(err, ERR_INVALID, -EINVAL, "worker: not a job for pack");
}
