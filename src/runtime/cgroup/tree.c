/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup/private.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/err.h"

int64_t monotonic_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- making --- */

int make_parents(int dir_fd, const char *path) {
        char part[CGROUP_FILE_MAX];

        for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
                snprintf(part, sizeof(part), "%.*s", (int) (p - path), path);
                if (mkdirat(dir_fd, part, 0755) < 0 && errno != EEXIST)
                        return -errno;
        }
        return 0;
}

/* Almost always the parents are there and the cgroup is not: one system call. */
static int make_one(int dir_fd, const char *path) {
        enum { TRIES = 4 };
        int r = 0;

        for (int i = 0; i < TRIES; i++) {
                if (mkdirat(dir_fd, path, 0755) == 0)
                        return 0;
                r = -errno;
                if (r == -ENOENT)
                        r = make_parents(dir_fd, path);
                else if (r == -EEXIST)
                        /* Left by somebody who died while making or removing it: an empty one goes, one with processes stays (EBUSY). */
                        r = tree_remove(dir_fd, path, 0);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : -EAGAIN;
}

/* v2 first: it is where a second creator of the same name is noticed, and where processes are tracked. */
static size_t count(const struct cgroup_host *h) {
        return h->n_v1 + h->n_rare + (host_has_v2(h) ? 1 : 0);
}

static const struct hierarchy *nth(const struct cgroup_host *h, size_t i) {
        if (host_has_v2(h) && i-- == 0)
                return &h->v2;
        return i < h->n_v1 ? &h->v1[i] : &h->rare[i - h->n_v1];
}

/* A rare one of v1 only when there is a setting for it. */
static bool is_joined(const struct cgroup_host *h, const struct hierarchy *in, const struct resources *r) {
        bool rare = in >= h->rare && in < h->rare + h->n_rare;

        return !rare || (in->controllers & r->v1_wanted);
}

static int make_everywhere(const struct cgroup_host *h, const char *path, const struct resources *wanted, size_t *ret_made, struct err *err) {
        for (size_t i = 0; i < count(h); i++) {
                int r = is_joined(h, nth(h, i), wanted) ? make_one(nth(h, i)->dir_fd, path) : 0;

                if (r == -EBUSY)
                        return err_set(err, ERR_CONFLICT, r, "cgroup %s exists and has processes", path);
                if (r < 0)
                        return err_errno(err, r, "cgroup %s", path);
                *ret_made = i + 1;
        }
        return 0;
}

static int set_up(const struct cgroup_host *h, const char *path, const struct resources *r, struct err *err) {
        /* What docker stats shows comes from these; a host that cannot give them is no error. */
        const uint32_t useful = BIT(CONTROLLER_CPU) | BIT(CONTROLLER_MEMORY) | BIT(CONTROLLER_PIDS) | BIT(CONTROLLER_IO);
        const struct hierarchy *cpuset = host_find_v1(h, CONTROLLER_CPUSET);
        int e = 0;

        if (host_has_v2(h))
                e = v2_enable(h->v2.dir_fd, path, r->v2_wanted, useful & h->v2.controllers, err);
        if (e == 0 && cpuset)
                e = v1_fill_cpuset(cpuset->dir_fd, path, err);
        if (e == 0)
                e = resources_apply(h, path, r, true, err);
        return e;
}

int cgroup_create(const struct cgroup_host *h, const char *path, const json_t *spec, struct err *err) {
        struct resources r = { 0 };
        size_t made = 0;
        int e = cgroup_path_check(path, err);

        if (e == 0 && !host_tracker(h))
                e = err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "no cgroup hierarchy is mounted on this host");
        if (e == 0)
                e = resources_parse(h, spec, &r, err);
        if (e < 0)
                return e;
        e = make_everywhere(h, path, &r, &made, err);
        if (e == 0)
                e = set_up(h, path, &r, err);
        if (e < 0)
                while (made-- > 0)
                        if (is_joined(h, nth(h, made), &r))
                                tree_remove(nth(h, made)->dir_fd, path, 0);
        resources_done(&r);
        return e;
}

int must_exist(const struct cgroup_host *h, const char *path, struct err *err) {
        const struct hierarchy *tracker = host_tracker(h);
        int r = cgroup_path_check(path, err);

        if (r < 0)
                return r;
        if (!tracker || faccessat(tracker->dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                return err_set(err, ERR_NOT_FOUND, -ENOENT, "no cgroup %s", path);
        return 0;
}

int cgroup_update(const struct cgroup_host *h, const char *path, const json_t *spec, struct err *err) {
        struct resources r = { 0 };
        int e = must_exist(h, path, err);

        if (e == 0)
                e = resources_parse(h, spec, &r, err);
        if (e < 0)
                return e;
        if (host_has_v2(h))
                e = v2_enable(h->v2.dir_fd, path, r.v2_wanted, 0, err);
        if (e == 0)
                e = resources_apply(h, path, &r, false, err);
        resources_done(&r);
        return e;
}

/* --- entering --- */

/* "tasks", not "cgroup.procs": for a process of one thread that moves itself they are the same, but the latter stops all forks of the
 * host while it waits for an RCU grace period, which takes milliseconds (CLONE_INTO_CGROUP, v2's way around it, is not for v1). */
static int open_v1(const struct cgroup_host *h, const char *path, struct exec_fds *fds, struct err *err) {
        char procs[CGROUP_FILE_MAX];

        snprintf(procs, sizeof(procs), "%s/tasks", path);
        for (size_t i = 0; i < h->n_v1 + h->n_rare; i++) {
                const struct hierarchy *in = i < h->n_v1 ? &h->v1[i] : &h->rare[i - h->n_v1];
                int fd = openat(in->dir_fd, procs, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

                if (fd < 0 && errno == ENOENT && i >= h->n_v1)
                        continue;
                if (fd < 0)
                        return err_errno(err, -errno, "cgroup %s", path);
                fds->cgroup_v1_procs[fds->n_cgroup_v1++] = fd;
        }
        return 0;
}

int cgroup_open(const struct cgroup_host *h, const char *path, struct exec_fds *fds, struct err *err) {
        int r = cgroup_path_check(path, err);

        if (r < 0)
                return r;
        fds->cgroup_v2 = -EBADF;
        fds->n_cgroup_v1 = 0;
        if (host_has_v2(h)) {
                fds->cgroup_v2 = openat(h->v2.dir_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
                if (fds->cgroup_v2 < 0)
                        return err_errno(err, -errno, "cgroup %s", path);
        }
        r = open_v1(h, path, fds, err);
        if (r < 0)
                cgroup_close(fds);
        return r;
}

void cgroup_close(struct exec_fds *fds) {
        fds->cgroup_v2 = fd_close(fds->cgroup_v2);
        for (size_t i = 0; i < fds->n_cgroup_v1; i++)
                fds->cgroup_v1_procs[i] = fd_close(fds->cgroup_v1_procs[i]);
        fds->n_cgroup_v1 = 0;
}

/* --- removing --- */

static void nap(void) {
        nanosleep(&(struct timespec) { .tv_nsec = 1000000 }, NULL);
}

/* rmdir(2) until the deadline. A process that has exited holds its cgroup for a moment longer. */
static int remove_one(int dir_fd, const char *name, int64_t deadline_ms) {
        while (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0) {
                if (errno == ENOENT)
                        return 0;
                if (errno != EBUSY || monotonic_ms() >= deadline_ms)
                        return -errno;
                nap();
        }
        return 0;
}

/* The name of any child directory; false when there is none. */
static bool first_child(int dir_fd, char ret[NAME_MAX + 1]) {
        int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *d;
        bool found = false;

        if (!dir) {
                fd_close(fd);
                return false;
        }
        while (!found && (d = readdir(dir))) {
                found = d->d_type == DT_DIR && strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
                if (found)
                        snprintf(ret, NAME_MAX + 1, "%s", d->d_name);
        }
        closedir(dir);
        return found;
}

/* Everything below `top`, with a fixed number of fds however deep a container has nested: go down to a leaf, come up by "..", which
 * in a cgroup tree is always the parent, and remove it from there. */
static int remove_children(int top, int64_t deadline_ms) {
        auto_fd at = fcntl(top, F_DUPFD_CLOEXEC, 3);
        char name[NAME_MAX + 1];
        size_t depth = 0;

        while (at >= 0) {
                int next, r;

                if (!first_child(at, name)) {
                        if (depth == 0)
                                return 0;
                        depth--;
                        next = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
                } else {
                        r = unlinkat(at, name, AT_REMOVEDIR) < 0 ? -errno : 0;
                        if (r == 0 || r == -ENOENT)
                                continue;
                        next = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                        if (next >= 0 && !first_child(next, (char[NAME_MAX + 1]) { 0 })) {
                                fd_close(next);
                                r = remove_one(at, name, deadline_ms);
                                if (r < 0)
                                        return r;
                                continue;
                        }
                        depth++;
                }
                if (next < 0)
                        return -errno;
                fd_close(at);
                at = next;
        }
        return -EBADF;
}

int tree_remove(int dir_fd, const char *path, int64_t deadline_ms) {
        auto_fd fd = -EBADF;
        int r;

        if (unlinkat(dir_fd, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        if (errno != EBUSY && errno != ENOTEMPTY)
                return -errno;
        fd = openat(dir_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        r = remove_children(fd, deadline_ms);
        return r < 0 ? r : remove_one(dir_fd, path, deadline_ms);
}

/* First where processes are tracked and can be thawed; then by this hierarchy's own list, for a privileged process that has left the
 * one where we track it. */
static int kill_and_remove(const struct cgroup_host *h, const struct hierarchy *in, const char *path, int64_t deadline_ms, struct err *err) {
        int r = kill_in(h, host_tracker(h), path, err);

        if (r == 0 && in != host_tracker(h))
                r = kill_in(h, in, path, err);
        return r < 0 ? r : tree_remove(in->dir_fd, path, deadline_ms);
}

int cgroup_destroy(const struct cgroup_host *h, const char *path, struct err *err) {
        enum { PATIENCE_MS = 10000 };
        int64_t deadline = monotonic_ms() + PATIENCE_MS;
        int r = cgroup_path_check(path, err), first = 0;
        struct err ignored;

        if (r < 0)
                return r;
        /* An exited container leaves an empty cgroup: then rmdir(2) is all there is to do. */
        for (size_t i = 0; i < count(h); i++) {
                r = tree_remove(nth(h, i)->dir_fd, path, 0);
                if (r == -EBUSY)
                        r = kill_and_remove(h, nth(h, i), path, deadline, first ? &ignored : err);
                if (r < 0 && !first)
                        first = err_errno(err, r, "cgroup %s cannot be removed", path);
        }
        return first;
}

bool cgroup_exists(const struct cgroup_host *h, const char *path) {
        for (size_t i = 0; i < count(h); i++)
                if (faccessat(nth(h, i)->dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                        return true;
        return false;
}

static int each_child(int dir_fd, const char *path, int (*fn)(const char *name, void *data), void *data) {
        int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);

        if (!dir) {
                r = errno == ENOENT ? 0 : -errno;
                fd_close(fd);
                return r;
        }
        for (struct dirent *d; r == 0 && (d = readdir(dir));)
                if (d->d_type == DT_DIR && strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
                        r = fn(d->d_name, data);
        closedir(dir);
        return r;
}

int cgroup_children(const struct cgroup_host *h, const char *path, int (*fn)(const char *name, void *data), void *data, struct err *err) {
        int r = cgroup_path_check(path, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < count(h); i++)
                if ((r = each_child(nth(h, i)->dir_fd, path, fn, data)) < 0)
                        return err_errno(err, r, "cgroups below %s", path);
        return 0;
}
