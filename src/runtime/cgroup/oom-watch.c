/* SPDX-License-Identifier: Apache-2.0 */

/* To be told when a cgroup is out of memory. v1 has an eventfd that counts this, and speaks before anybody is killed, so that the number of kills
 * is no use there; v2 tells of any change of memory.events, where the number of kills is. Both also wake when the cgroup goes away. */

#include "runtime/cgroup/private.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include "base/err.h"

static int watch_v1(int dir_fd, const char *path, struct cgroup_oom_watch *w) {
        auto_fd control = cgroup_file_open(dir_fd, path, "memory.oom_control", O_RDONLY);
        auto_fd event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        char line[32];
        int r;

        if (control < 0 || event < 0)
                return control < 0 ? control : -errno;
        snprintf(line, sizeof(line), "%d %d", event, control);
        r = cgroup_file_write(dir_fd, path, "cgroup.event_control", line);
        if (r < 0)
                return r;
        w->fd = move_fd(event);
        w->control = move_fd(control);
        return 0;
}

static int watch_v2(int dir_fd, const char *path, struct cgroup_oom_watch *w) {
        auto_fd file = cgroup_file_open(dir_fd, path, "memory.events", O_RDONLY);
        auto_fd inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        char name[32];

        if (file < 0 || inotify < 0)
                return file < 0 ? file : -errno;
        snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
        if (inotify_add_watch(inotify, name, IN_MODIFY) < 0)
                return -errno;
        w->fd = move_fd(inotify);
        w->control = move_fd(file);
        w->v2 = true;
        return 0;
}

/* `key` of the file that was opened, as it is now. -ENODEV: the cgroup is gone. */
static int read_count(int fd, const char *key, uint64_t *ret) {
        char text[1024];
        ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

        if (n < 0)
                return -errno;
        text[n] = '\0';
        return cgroup_text_find_u64(text, key, ret);
}

int cgroup_oom_watch_open(const struct cgroup_host *h, const char *path, struct cgroup_oom_watch *ret, struct err *err) {
        const struct hierarchy *v1 = host_find_v1(h, CONTROLLER_MEMORY);
        struct cgroup_oom_watch w = CGROUP_OOM_WATCH_NONE;
        int r = cgroup_path_check(path, err);

        if (r < 0)
                return r;
        if (v1)
                r = watch_v1(v1->dir_fd, path, &w);
        else if (host_has_v2(h) && (h->v2.controllers & BIT(CONTROLLER_MEMORY)))
                r = watch_v2(h->v2.dir_fd, path, &w);
        else
                r = -EOPNOTSUPP;
        if (r == 0)
                r = read_count(w.control, "oom_kill", &w.seen);
        if (r < 0) {
                cgroup_oom_watch_close(&w);
                return err_errno(err, r, "memory events of cgroup %s", path);
        }
        *ret = w;
        return 0;
}

void cgroup_oom_watch_close(struct cgroup_oom_watch *w) {
        w->fd = fd_close(w->fd);
        w->control = fd_close(w->control);
}

int cgroup_oom_watch_read(struct cgroup_oom_watch *w, uint64_t *ret) {
        uint64_t now, told = 0;
        char drained[4096];
        int r;

        if (w->v2)
                while (read(w->fd, drained, sizeof(drained)) > 0)
                        ;
        else if (read(w->fd, &told, sizeof(told)) != sizeof(told))
                told = 0;
        r = read_count(w->control, "oom_kill", &now);
        if (r < 0)
                return r;
        *ret = w->v2 ? now - w->seen : told;
        w->seen = now;
        return 0;
}

void cgroup_oom_files(const struct cgroup_host *h, const char *path, struct cgroup_oom_files *ret) {
        const struct hierarchy *v1 = host_find_v1(h, CONTROLLER_MEMORY);
        const char *slash = strrchr(path, '/');
        auto_free char *parent = slash ? strndup(path, (size_t) (slash - path)) : NULL;
        struct cgroup_oom_watch w = CGROUP_OOM_WATCH_NONE;

        *ret = CGROUP_OOM_FILES_NONE;
        if (cgroup_path_check(path, NULL) < 0)
                return;
        if (v1 && watch_v1(v1->dir_fd, path, &w) == 0) {
                ret->own = w.control;
                ret->event = w.fd;
        } else if (!v1 && host_has_v2(h) && (h->v2.controllers & BIT(CONTROLLER_MEMORY))) {
                ret->own = cgroup_file_open(h->v2.dir_fd, path, "memory.events", O_RDONLY);
                if (parent)
                        ret->parent = cgroup_file_open(h->v2.dir_fd, parent, "memory.events", O_RDONLY);
        }
}

void cgroup_oom_files_close(struct cgroup_oom_files *f) {
        fd_close(f->own);
        fd_close(f->parent);
        fd_close(f->event);
        *f = CGROUP_OOM_FILES_NONE;
}
