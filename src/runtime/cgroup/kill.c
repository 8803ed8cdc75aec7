/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup/private.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"

enum { DEPTH_MAX = 128, PROCS_MAX = 64 << 20, FREEZE_MS = 5000, KILL_MS = 10000 };

struct pids {
        pid_t *at;
        size_t n, room;
};

static int add_pid(struct pids *p, pid_t pid) {
        if (p->n == p->room) {
                size_t room = p->room ? p->room * 2 : 64;
                pid_t *grown = reallocarray(p->at, room, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                p->at = grown;
                p->room = room;
        }
        p->at[p->n++] = pid;
        return 0;
}

static int add_procs(int cgroup_fd, struct pids *p) {
        auto_free char *text = NULL;
        int r = file_read_at(cgroup_fd, "cgroup.procs", PROCS_MAX, &text, NULL);
        char *save = NULL;

        /* Removed meanwhile: nobody is in it. EOPNOTSUPP: a threaded cgroup, whose processes are listed by its parent. */
        if (r == -ENOENT || r == -ENODEV || r == -EOPNOTSUPP)
                return 0;
        if (r < 0)
                return r;
        for (char *line = strtok_r(text, "\n", &save); line && r == 0; line = strtok_r(NULL, "\n", &save)) {
                uint64_t pid;

                /* 0 stands for a process that our pid namespace cannot see. */
                if (str_to_u64(line, 1, INT32_MAX, &pid) == 0)
                        r = add_pid(p, (pid_t) pid);
        }
        return r;
}

static int add_tree(int parent_fd, const char *name, struct pids *p, int depth) {
        auto_fd fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct dirent *d;
        DIR *dir;
        int r;

        if (fd < 0)
                return depth > 0 && errno == ENOENT ? 0 : -errno;
        if (depth > DEPTH_MAX)
                return -ELOOP;
        r = add_procs(fd, p);
        dir = r == 0 ? fdopendir(fd) : NULL;
        if (!dir)
                return r < 0 ? r : -errno;
        move_fd(fd); /* closedir() closes it now */
        while (r == 0 && (d = readdir(dir)))
                if (d->d_type == DT_DIR && strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
                        r = add_tree(dirfd(dir), d->d_name, p, depth + 1);
        closedir(dir);
        return r;
}

static int list_pids(const struct hierarchy *in, const char *path, pid_t **ret, size_t *ret_n, struct err *err) {
        struct pids p = { 0 };
        int r = in ? add_tree(in->dir_fd, path, &p, 0) : -ENOENT;

        if (r < 0) {
                free(p.at);
                return err_errno(err, r, "processes of cgroup %s", path);
        }
        *ret = p.at;
        *ret_n = p.n;
        return 0;
}

int cgroup_pids(const struct cgroup_host *h, const char *path, pid_t **ret, size_t *ret_n, struct err *err) {
        int r = cgroup_path_check(path, err);

        return r < 0 ? r : list_pids(host_tracker(h), path, ret, ret_n, err);
}

/* --- freezing --- */

static void nap(void) {
        nanosleep(&(struct timespec) { .tv_nsec = 1000000 }, NULL);
}

/* Wait until "key value" is a line of cgroup.events; the kernel says POLLPRI when the file changes. */
static int await_event(int dir_fd, const char *path, const char *key, uint64_t value, int64_t deadline_ms) {
        char name[CGROUP_FILE_MAX], text[256];
        auto_fd fd = -EBADF;

        snprintf(name, sizeof(name), "%s/cgroup.events", path);
        fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        for (;;) {
                struct pollfd p = { .fd = fd, .events = POLLPRI };
                int64_t left = deadline_ms - monotonic_ms();
                ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
                uint64_t now;

                if (n < 0)
                        return -errno;
                text[n] = '\0';
                if (cgroup_text_find_u64(text, key, &now) == 0 && now == value)
                        return 0;
                if (left <= 0)
                        return -ETIMEDOUT;
                if (poll(&p, 1, (int) left) < 0 && errno != EINTR)
                        return -errno;
        }
}

static int freeze_v2(int dir_fd, const char *path, bool frozen) {
        int r = cgroup_file_write(dir_fd, path, "cgroup.freeze", frozen ? "1" : "0");

        return r < 0 ? r : await_event(dir_fd, path, "frozen", frozen, monotonic_ms() + FREEZE_MS);
}

/* v1 may stick in FREEZING while processes fork; asking again makes it look at them again. */
static int freeze_v1(int dir_fd, const char *path, bool frozen) {
        const char *want = frozen ? "FROZEN" : "THAWED";
        int64_t deadline = monotonic_ms() + FREEZE_MS;

        for (;;) {
                char state[32];
                int r = cgroup_file_write(dir_fd, path, "freezer.state", want);

                if (r == 0)
                        r = cgroup_file_read(dir_fd, path, "freezer.state", state, sizeof(state));
                if (r < 0)
                        return r;
                if (str_starts_with(state, want))
                        return 0;
                if (monotonic_ms() >= deadline) {
                        if (frozen)
                                cgroup_file_write(dir_fd, path, "freezer.state", "THAWED");
                        return -ETIMEDOUT;
                }
                nap();
        }
}

int cgroup_freeze(const struct cgroup_host *h, const char *path, bool frozen, struct err *err) {
        const struct hierarchy *freezer = host_find_v1(h, CONTROLLER_FREEZER);
        int r = cgroup_path_check(path, err);

        if (r < 0)
                return r;
        if (host_has_v2(h))
                r = freeze_v2(h->v2.dir_fd, path, frozen);
        else if (freezer)
                r = freeze_v1(freezer->dir_fd, path, frozen);
        else
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "this host has no freezer cgroup");
        return r < 0 ? err_errno(err, r, "cgroup %s cannot be %s", path, frozen ? "frozen" : "thawed") : 0;
}

int cgroup_freezer_path(const struct cgroup_host *h, const char *path, char **ret, struct err *err) {
        const struct hierarchy *freezer = host_has_v2(h) ? &h->v2 : host_find_v1(h, CONTROLLER_FREEZER);
        char link[32], mount[PATH_MAX];
        ssize_t n;

        if (!freezer)
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "this host has no freezer cgroup");
        snprintf(link, sizeof(link), "/proc/self/fd/%d", freezer->dir_fd);
        n = readlink(link, mount, sizeof(mount));
        if (n < 0)
                return err_errno(err, -errno, "cgroup %s", path);
        *ret = str_format("%.*s/%s", (int) n, mount, path);
        return *ret ? 0 : err_errno(err, -ENOMEM, "cgroup %s", path);
}

int cgroup_is_frozen(const struct cgroup_host *h, const char *path, bool *ret, struct err *err) {
        const struct hierarchy *freezer = host_find_v1(h, CONTROLLER_FREEZER);
        char state[32] = "";
        int r = cgroup_path_check(path, err);

        if (r < 0)
                return r;
        if (host_has_v2(h))
                r = cgroup_file_read(h->v2.dir_fd, path, "cgroup.freeze", state, sizeof(state));
        else if (freezer)
                r = cgroup_file_read(freezer->dir_fd, path, "freezer.state", state, sizeof(state));
        if (r < 0)
                return err_errno(err, r, "cgroup %s", path);
        *ret = *state == '1' || str_starts_with(state, "FR");
        return 0;
}

/* --- signals --- */

static int signal_each(const struct hierarchy *in, const char *path, int sig, size_t *ret_n, struct err *err) {
        auto_free pid_t *pids = NULL;
        size_t n = 0;
        int r = list_pids(in, path, &pids, &n, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                if (kill(pids[i], sig) < 0 && errno != ESRCH)
                        return err_errno(err, -errno, "signal %d to process %d of cgroup %s", sig, (int) pids[i], path);
        *ret_n = n;
        return 0;
}

/* No cgroup.kill in v1. A frozen cgroup cannot fork away from us; the signals arrive when it is thawed. */
static int kill_v1(const struct hierarchy *in, const char *path, struct err *err) {
        bool freezer = in && (in->controllers & BIT(CONTROLLER_FREEZER));
        int64_t deadline = monotonic_ms() + KILL_MS;
        size_t n = 0;

        for (;;) {
                bool frozen = freezer && freeze_v1(in->dir_fd, path, true) == 0;
                int r = signal_each(in, path, SIGKILL, &n, err);

                if (frozen)
                        freeze_v1(in->dir_fd, path, false);
                /* Its directory may be gone already, which is what was wanted. */
                if (r < 0 || n == 0)
                        return r == -ENOENT ? 0 : r;
                if (monotonic_ms() >= deadline)
                        return err_set(err, ERR_INTERNAL, -ETIMEDOUT, "%zu processes of cgroup %s do not die", n, path);
                nap();
        }
}

static int kill_v2(const struct hierarchy *in, const char *path, struct err *err) {
        int r = cgroup_file_write(in->dir_fd, path, "cgroup.kill", "1");

        if (r == 0)
                r = await_event(in->dir_fd, path, "populated", 0, monotonic_ms() + KILL_MS);
        /* Its directory going away while we wait is what was wanted. */
        if (r == -ENOENT || r == -ENODEV)
                return 0;
        return r < 0 ? err_errno(err, r, "cgroup %s cannot be killed", path) : 0;
}

int kill_in(const struct cgroup_host *h, const struct hierarchy *in, const char *path, struct err *err) {
        return in == &h->v2 ? kill_v2(in, path, err) : kill_v1(in, path, err);
}

int cgroup_kill(const struct cgroup_host *h, const char *path, int sig, struct err *err) {
        size_t n;
        int r = cgroup_path_check(path, err);

        if (r < 0)
                return r;
        if (sig != SIGKILL)
                return signal_each(host_tracker(h), path, sig, &n, err);
        return kill_in(h, host_tracker(h), path, err);
}
