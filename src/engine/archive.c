/* SPDX-License-Identifier: Apache-2.0 */

/* Files into and out of containers. The daemon opens the container's root and gives it to a confined worker: paths, trees and archives are its
 * business alone. */

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/timestamp.h"
#include "engine/db.h"
#include "engine/events.h"
#include "engine/internal.h"
#include "engine/root-view.h"
#include "engine/spec.h"
#include "runtime/plan/plan.h"
#include "worker/client.h"

enum { PIECE_SIZE = 1 << 20 };

struct engine_archive {
        struct engine *engine;
        struct container *container;
        struct worker worker;
        int read_fd; /* of the pipe that the worker writes */
};

static int find(struct engine *e, const char *name, struct container **ret, struct err *err) {
        int r = table_find(&e->table, name, ret, err);

        if (r == 0 && (*ret)->gone)
                r = err_set(err, ERR_NOT_FOUND, -ENOENT, "No such container: %s", name);
        return r;
}

/* "… in container": the worker does not know its name. */
static int name_container(struct container *c, int r, struct err *err) {
        struct container_row row;
        size_t n = err ? strlen(err->msg) : 0;

        container_peek(c, &row);
        if (n > strlen("in container") && !strcmp(err->msg + n - strlen("in container"), "in container"))
                snprintf(err->msg + n, sizeof(err->msg) - n, " %s", row.name);
        return r;
}

/* --- out of it --- */

void engine_archive_free(struct engine_archive *a) {
        if (!a)
                return;
        worker_kill(&a->worker);
        fd_close(a->read_fd);
        if (a->container)
                container_unref(a->container);
        free(a);
}
DEFINE_CLEANUP(struct engine_archive *, engine_archive_free)

/* st_mode as Go's os.FileMode, which Docker's clients read. */
static json_int_t go_mode(uint64_t mode) {
        static const struct {
                uint64_t type, bits;
        } types[] = {
                { S_IFDIR, 1u << 31 }, { S_IFLNK, 1u << 27 }, { S_IFBLK, 1u << 26 }, { S_IFCHR, 1u << 26 | 1u << 21 }, { S_IFIFO, 1u << 25 }, { S_IFSOCK, 1u << 24 },
        };
        uint64_t v = mode & 0777;

        for (size_t i = 0; i < ARRAY_SIZE(types); i++)
                if ((mode & S_IFMT) == types[i].type)
                        v |= types[i].bits;
        v |= (mode & S_ISUID ? 1u << 23 : 0) | (mode & S_ISGID ? 1u << 22 : 0) | (mode & S_ISVTX ? 1u << 20 : 0);
        return (json_int_t) v;
}

static json_t *stat_object(const json_t *event) {
        static const int64_t latest = 253402300799; /* 9999-12-31: what RFC 3339 can write */
        int64_t s = json_get_int(event, "mtime_s", 0), ns = json_get_int(event, "mtime_ns", 0);
        struct timespec t = { .tv_sec = s < 0 ? 0 : s > latest ? latest : s, .tv_nsec = ns > 0 && ns < 1000000000 ? ns : 0 };
        char when[TIME_RFC3339_SIZE];

        time_format(&t, when);
        return json_pack("{s:s, s:I, s:I, s:s, s:s}", "name", json_get_str(event, "name", ""), "size", (json_int_t) json_get_int(event, "size", 0), "mode",
                         go_mode((uint64_t) json_get_int(event, "mode", 0)), "mtime", when, "linkTarget", json_get_str(event, "target", ""));
}

static int start_reading(struct engine_archive *a, const char *path, bool only_stat, struct err *err) {
        auto_root_view view = ROOT_VIEW_NONE;
        auto_fd write_fd = -EBADF;
        int pair[2], r;

        r = root_view_read(a->engine, a->container, &view, err);
        if (r < 0)
                return r;
        if (pipe2(pair, O_CLOEXEC) < 0)
                return err_errno(err, -errno, "pipe of an archive");
        a->read_fd = pair[0];
        write_fd = pair[1];
        fcntl(write_fd, F_SETPIPE_SZ, PIECE_SIZE); /* more of it is only faster */
        r = worker_start(a->engine->worker_fd, view.userns, "pack", &a->worker, err);
        if (r < 0)
                return r;
        return worker_send(&a->worker, json_pack("{s:s, s:s, s:b}", "op", "tree", "path", path, "only_stat", only_stat), (const int[]) { write_fd, view.root }, 2, err);
}

int engine_archive_get(struct engine *e, const char *name, const char *path, json_t **ret_stat, struct engine_archive **ret, struct err *err) {
        __attribute__((cleanup(engine_archive_freep))) struct engine_archive *a = calloc(1, sizeof(*a));
        auto_json *event = NULL;
        int r;

        if (!a)
                return err_errno(err, -ENOMEM, "archive");
        *a = (struct engine_archive) { .engine = e, .worker = WORKER_NONE, .read_fd = -EBADF };
        r = find(e, name, &a->container, err);
        if (r == 0)
                r = start_reading(a, path, !ret, err);
        if (r == 0)
                r = worker_await(&a->worker, "stat", -1, &event, err);
        if (r < 0)
                return a->container ? name_container(a->container, r, err) : r;
        *ret_stat = stat_object(event);
        if (!*ret_stat)
                return err_errno(err, -ENOMEM, "archive");
        if (ret) {
                events_container(a->container, "archive-path", NULL);
                *ret = take_ptr(&a);
        }
        return 0;
}

int engine_archive_read(struct engine_archive *a, int out_fd, int cancel_fd, struct err *err) {
        for (;;) {
                struct pollfd p[] = { { .fd = a->read_fd, .events = POLLIN }, { .fd = cancel_fd, .events = POLLIN } };
                ssize_t n;

                if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
                        return err_errno(err, -errno, "poll");
                if (p[1].revents)
                        return err_set(err, ERR_UNAVAILABLE, -ECANCELED, "canceled");
                if (!p[0].revents)
                        continue;
                n = splice(a->read_fd, NULL, out_fd, NULL, PIECE_SIZE, SPLICE_F_MOVE);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_errno(err, -errno, "archive");
                if (n == 0)
                        break;
        }
        /* The end of the pipe may be that of a worker that failed. */
        return worker_await(&a->worker, NULL, cancel_fd, NULL, err);
}

int engine_export(struct engine *e, const char *name, int out_fd, int cancel_fd, struct err *err) {
        auto_root_view view = ROOT_VIEW_NONE;
        auto_container *c = NULL;
        int r = find(e, name, &c, err);

        if (r == 0)
                r = root_view_files(e, c, true, &view, err);
        if (r == 0)
                r = worker_run(e->worker_fd, view.userns, "pack", json_pack("{s:s, s:s, s:s}", "op", "tree", "path", "/", "name", ""), (const int[]) { out_fd, view.root }, 2,
                               cancel_fd, NULL, err);
        if (r == 0)
                events_container(c, "export", NULL);
        return r;
}

/* --- into it --- */

/* Whom everything is to belong to: the container's own user. */
static int find_owner(struct engine *e, struct container *c, int root_fd, json_t *request, struct err *err) {
        auto_json *body = NULL;
        struct plan_user user = {};
        auto_spec s = {};
        int r;

        r = db_spec(e->db, c->row.id, &body, err);
        if (r < 0 || (r = spec_parse(body, &s, err)) < 0)
                return r;
        if (!*s.user)
                return 0;
        r = plan_resolve_user(root_fd, s.user, NULL, &user, err);
        if (r < 0)
                return r;
        json_object_set_new(request, "uid", json_integer(user.uid));
        json_object_set_new(request, "gid", json_integer(user.gid));
        return 0;
}

static int put(struct engine *e, struct container *c, const struct engine_archive_put *p, const struct root_view *view, int in_fd, int cancel_fd, struct err *err) {
        auto_json *request = json_pack("{s:s, s:s, s:b}", "op", "extract", "path", p->path, "keep_kinds", p->keep_kinds);
        int r;

        if (!request)
                return err_set(err, ERR_INVALID, -EINVAL, "the path is not UTF-8");
        r = p->own_user ? find_owner(e, c, view->root, request, err) : 0;
        if (r == 0)
                r = worker_run(e->worker_fd, view->userns, "extract", take_ptr(&request), (const int[]) { in_fd, view->root }, 2, cancel_fd, NULL, err);
        if (r == 0)
                events_container(c, "extract-to-dir", NULL);
        return name_container(c, r, err);
}

/* It may not be started meanwhile: two mounts of the same changes do not know of each other. */
static int put_stopped(struct engine *e, struct container *c, const struct engine_archive_put *p, int in_fd, int cancel_fd, bool *ret_live, struct err *err) {
        auto_op *op = container_op_lock(c);
        auto_root_view view = ROOT_VIEW_NONE;
        auto_json *body = NULL;
        auto_spec s = {};
        int r;

        *ret_live = root_view_is_live(c);
        if (c->gone)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "No such container: %s", c->row.name);
        if (*ret_live)
                return 0;
        r = db_spec(e->db, c->row.id, &body, err);
        if (r < 0 || (r = spec_parse(body, &s, err)) < 0)
                return r;
        if (s.readonly_rootfs)
                return err_set(err, ERR_DENIED, -EROFS, "container rootfs is marked read-only");
        for (size_t i = 0; i < s.n_mounts; i++) {
                size_t n = strlen(s.mounts[i].target);

                /* Hidden below the mount, nobody would find it again. */
                if (!strncmp(p->path, s.mounts[i].target, n) && (p->path[n] == '/' || !p->path[n]))
                        return err_set(err, ERR_CONFLICT, -EBUSY, "%s is mounted from outside of container %s, which is not running: start it, or copy to where that comes from",
                                       s.mounts[i].target, c->row.name);
        }
        r = root_view_writable(e, c, &view, err);
        return r < 0 ? r : put(e, c, p, &view, in_fd, cancel_fd, err);
}

int engine_archive_put(struct engine *e, const char *name, const struct engine_archive_put *p, int in_fd, int cancel_fd, struct err *err) {
        auto_root_view view = ROOT_VIEW_NONE;
        auto_container *c = NULL;
        bool live;
        int r = find(e, name, &c, err);

        if (r < 0)
                return r;
        live = root_view_is_live(c);
        if (!live)
                r = put_stopped(e, c, p, in_fd, cancel_fd, &live, err);
        if (r < 0 || !live)
                return r;
        r = root_view_live(e, c, &view, err);
        return r < 0 ? r : put(e, c, p, &view, in_fd, cancel_fd, err);
}
