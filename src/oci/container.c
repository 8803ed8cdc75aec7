/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/container.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/config.h"
#include "oci/hooks.h"
#include "oci/oci.h"
#include "oci/scope.h"
#include "runtime/cgroup/cgroup.h"

enum { STATE_MAX = 4 << 20 };
#define DEFAULT_ROOT "/run/kist-runtime"

static const char *const status_names[] = {
        [STATUS_CREATED] = "created",
        [STATUS_RUNNING] = "running",
        [STATUS_PAUSED] = "paused",
        [STATUS_STOPPED] = "stopped",
};

const char *container_status_name(enum container_status s) {
        return status_names[s];
}

void container_done(struct container *c) {
        c->root_fd = fd_close(c->root_fd);
        c->dir_fd = fd_close(c->dir_fd);
        c->lock_fd = fd_close(c->lock_fd);
        json_decref(c->state);
        json_decref(c->config);
        c->state = c->config = NULL;
        cgroup_host_free(c->cgroups);
        c->cgroups = NULL;
}

int container_cgroups(struct container *c, const struct cgroup_host **ret, struct err *err) {
        int r = c->cgroups ? 0 : cgroup_host_open(&c->cgroups, err);

        if (r == 0)
                *ret = c->cgroups;
        return r;
}

const char *container_cgroup_path(const struct container *c) {
        return json_get_str(c->state, "cgroup", "");
}

int container_need_cgroup(const struct container *c, const char *what, struct err *err) {
        if (*container_cgroup_path(c))
                return 0;
        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "cannot %s container %s: it has no cgroup, which its user may not make", what, c->id);
}

int container_id_check(const char *id, struct err *err) {
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";
        size_t n = strlen(id);

        if (n == 0 || n > CONTAINER_ID_MAX || strspn(id, allowed) != n || strcmp(id, ".") == 0 || strcmp(id, "..") == 0)
                return err_set(err, ERR_INVALID, -EINVAL, "\"%.80s\" is not a container id: 1 to %d letters, digits and _+-.", id, CONTAINER_ID_MAX);
        return 0;
}

/* mkdir -p: a path that the administrator gave, nobody else's. */
static int open_root(const struct options *o, bool make, int *ret_fd, struct err *err) {
        auto_free char *own = o->root ? NULL : rootless_state_path(o);
        const char *path = o->root ?: own ?: DEFAULT_ROOT;
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 && errno == ENOENT && make) {
                auto_fd base = open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC), made = path_mkdir_in(base, path, 0700);

                if (made < 0)
                        return err_errno(err, made, "%s", path);
                fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        }
        if (fd < 0)
                return err_errno(err, -errno, "%s", path);
        *ret_fd = fd;
        return 0;
}

int container_path(const struct options *o, const char *id, char **ret, struct err *err) {
        char link[32], root[PATH_MAX];
        auto_fd fd = -EBADF;
        ssize_t n;
        int r = open_root(o, true, &fd, err);

        if (r < 0)
                return r;
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, root, sizeof(root) - 1);
        if (n < 0)
                return err_errno(err, -errno, "directory of containers");
        root[n] = '\0';
        *ret = str_format("%s/%s", root, id);
        return *ret ? 0 : err_errno(err, -ENOMEM, "container %s", id);
}

char *container_filter_cache(const struct options *o) {
        static const char name[] = "~~filters"; /* no id, and not what container_forget() makes of one */
        auto_free char *own = o->root ? NULL : rootless_state_path(o);
        auto_fd root = -EBADF;

        if (open_root(o, true, &root, NULL) < 0 || (mkdirat(root, name, 0700) < 0 && errno != EEXIST))
                return NULL;
        return str_format("%s/%s", o->root ?: own ?: DEFAULT_ROOT, name);
}

/* The directory that `name` means now is the one that `fd` holds: nobody deleted and made it again while we waited for the lock. */
static bool is_still_there(int root_fd, const char *name, int fd) {
        struct stat a, b;

        return fstat(fd, &a) == 0 && fstatat(root_fd, name, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* -ENOENT: the directory was deleted meanwhile. -EAGAIN: somebody has it, and a new one was wanted. */
static int lock(struct container *c, bool new) {
        struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

        c->lock_fd = openat(c->dir_fd, "lock", O_RDWR | (new ? O_CREAT : 0) | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (c->lock_fd < 0)
                return -errno;
        while (fcntl(c->lock_fd, new ? F_SETLK : F_SETLKW, &l) < 0)
                if (errno != EINTR)
                        return errno == EACCES ? -EAGAIN : -errno;
        return is_still_there(c->root_fd, c->id, c->dir_fd) ? 0 : -ENOENT;
}

static int conflict(const char *id, struct err *err) {
        return err_set(err, ERR_CONFLICT, -EEXIST, "container with id %s already exists", id);
}

static int destroy_cgroup(struct container *c, const char *path, struct err *err) {
        const struct cgroup_host *h = NULL;
        int r = container_cgroups(c, &h, err);

        return r < 0 ? r : cgroup_destroy(h, path, err);
}

/* What somebody who died while making a container of this name has left: a cgroup, perhaps with a process at its gate. */
static int clear_away(struct container *c, struct err *err) {
        char path[PATH_MAX];
        ssize_t n = readlinkat(c->dir_fd, "cgroup", path, sizeof(path) - 1);
        int r = scope_forget(c, err);

        if (r < 0 || n < 0)
                return r;
        path[n] = '\0';
        r = destroy_cgroup(c, path, err);
        if (r < 0)
                return r;
        unlinkat(c->dir_fd, "start", 0);
        unlinkat(c->dir_fd, "cgroup", 0);
        return 0;
}

int container_note_cgroup(struct container *c, const char *path, struct err *err) {
        return symlinkat(path, c->dir_fd, "cgroup") < 0 ? err_errno(err, -errno, "container %s: note of its cgroup", c->id) : 0;
}

int container_config(const struct container *c, json_t **ret, struct err *err) {
        auto_free char *text = NULL;
        size_t size;
        int r;

        if (c->config) {
                *ret = json_incref(c->config);
                return 0;
        }
        r = file_read_at(c->dir_fd, "config.json", CONFIG_MAX, &text, &size);

        if (r < 0)
                return err_errno(err, r, "container %s: config.json", c->id);
        return json_parse_unsigned(text, size, CONFIG_MAX, "config.json", ret, err);
}

/* Without a cgroup there is its pid namespace, which ends with its init. */
static void kill_init(struct container *c) {
        enum { WAIT_MS = 10000 };
        auto_fd fd = container_pidfd(c);
        struct pollfd p = { .fd = fd, .events = POLLIN };

        if (fd >= 0 && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0)
                poll(&p, 1, WAIT_MS);
}

int container_destroy(const struct options *o, struct container *c, struct err *err) {
        const char *path = container_cgroup_path(c);
        auto_json *config = NULL;
        int r = *path ? destroy_cgroup(c, path, err) : 0;

        if (!*path)
                kill_init(c);
        if (r == 0) {
                struct err why;

                /* Its processes are dead and its cgroup is gone, so it has gone by itself or will: a systemd that does not answer holds up nobody. */
                if (scope_forget(c, &why) < 0)
                        report_warning(o, &why);
        }
        /* Without its config there is no saying what hooks it had; it has to go all the same. */
        if (r == 0 && container_config(c, &config, NULL) < 0)
                config = NULL;
        if (r == 0)
                r = container_forget(c, err);
        if (r == 0)
                hooks_after_stop(o, config, c->id, json_get_str(c->state, "bundle", NULL));
        return r;
}

int container_claim(const struct options *o, const char *id, struct container *ret, struct err *err) {
        auto_container c = CONTAINER_NONE;
        int r = container_id_check(id, err);

        if (r == 0)
                r = open_root(o, true, &c.root_fd, err);
        if (r < 0)
                return r;
        snprintf(c.id, sizeof(c.id), "%s", id);
        do {
                c.dir_fd = fd_close(c.dir_fd);
                c.lock_fd = fd_close(c.lock_fd);
                if (mkdirat(c.root_fd, id, 0700) < 0 && errno != EEXIST)
                        return err_errno(err, -errno, "container %s", id);
                c.dir_fd = openat(c.root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                r = c.dir_fd < 0 ? -errno : lock(&c, true);
        } while (r == -ENOENT);
        if (r == -EAGAIN)
                return conflict(id, err);
        if (r < 0)
                return err_errno(err, r, "container %s", id);
        if (faccessat(c.dir_fd, "state.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return conflict(id, err);
        r = clear_away(&c, err);
        if (r < 0)
                return r;
        *ret = c;
        c = CONTAINER_NONE;
        return 0;
}

static int not_found(const char *id, struct err *err) {
        return err_set(err, ERR_NOT_FOUND, -ENOENT, "container does not exist: %s", id);
}

static int read_state(struct container *c, struct err *err) {
        auto_free char *text = NULL;
        size_t size;
        int r = file_read_at(c->dir_fd, "state.json", STATE_MAX, &text, &size);

        if (r == -ENOENT)
                return not_found(c->id, err);
        if (r < 0)
                return err_errno(err, r, "container %s: state.json", c->id);
        r = json_parse(text, size, STATE_MAX, "state.json", &c->state, err);
        return r < 0 ? err_prefix(err, "container %s", c->id) : 0;
}

int container_open(const struct options *o, const char *id, bool wait_for_lock, struct container *ret, struct err *err) {
        auto_container c = CONTAINER_NONE;
        struct err missing_root;
        int r = container_id_check(id, err);

        if (r < 0)
                return r;
        r = open_root(o, false, &c.root_fd, &missing_root);
        if (r < 0) {
                if (r == -ENOENT)
                        return not_found(id, err);
                if (err)
                        *err = missing_root;
                return r;
        }
        snprintf(c.id, sizeof(c.id), "%s", id);
        c.dir_fd = openat(c.root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (c.dir_fd < 0)
                return errno == ENOENT ? not_found(id, err) : err_errno(err, -errno, "container %s", id);
        r = wait_for_lock ? lock(&c, false) : 0;
        if (r < 0)
                return r == -ENOENT ? not_found(id, err) : err_errno(err, r, "container %s", id);
        r = read_state(&c, err);
        if (r < 0)
                return r;
        *ret = c;
        c = CONTAINER_NONE;
        return 0;
}

void container_unlock(struct container *c) {
        c->lock_fd = fd_close(c->lock_fd);
}

int container_lock_again(struct container *c) {
        return lock(c, false);
}

int container_save(struct container *c, struct err *err) {
        auto_free char *text = json_text(c->state);
        int r = text ? file_write_atomic_at(c->dir_fd, "state.json", text, strlen(text), 0600, false) : -ENOMEM;

        return r < 0 ? err_errno(err, r, "container %s: state.json", c->id) : 0;
}

/* Under a name that no container can have, so that whoever looks for it meanwhile finds all of it or nothing. Somebody who had the
 * directory open already may still put a lock into it, and then notices that it is gone: hence the rounds. */
int container_forget(struct container *c, struct err *err) {
        enum { ROUNDS = 10 };
        char gone[CONTAINER_ID_MAX + 2];
        int r;

        snprintf(gone, sizeof(gone), "~%s", c->id);
        r = path_remove_tree_at(c->root_fd, gone);
        if (r == 0 && renameat(c->root_fd, c->id, c->root_fd, gone) < 0)
                r = errno == ENOENT ? 0 : -errno;
        for (int i = 0; r == 0 && i < ROUNDS; i++) {
                r = path_remove_tree_at(c->root_fd, gone);
                if (r != -ENOTEMPTY)
                        break;
                r = 0;
        }
        return r < 0 ? err_errno(err, r, "container %s: its directory", c->id) : 0;
}

/* --- its process --- */

/* "42 (name with ) in it) S 1 …": the start time is field 22, the state field 3, see proc_pid_stat(5). */
int process_start_time(pid_t pid, uint64_t *ret) {
        enum { FIELD_STATE = 3, FIELD_START = 22 };
        char path[32], text[1024], *at, *save = NULL;
        auto_fd fd = -EBADF;
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? -ESRCH : -errno;
        n = read(fd, text, sizeof(text) - 1);
        if (n <= 0)
                return n < 0 ? -errno : -ESRCH;
        text[n] = '\0';
        at = strrchr(text, ')');
        at = at ? strtok_r(at + 1, " ", &save) : NULL;
        for (int field = FIELD_STATE; at && field < FIELD_START; field++) {
                if (field == FIELD_STATE && (*at == 'Z' || *at == 'X'))
                        return -ESRCH;
                at = strtok_r(NULL, " ", &save);
        }
        return at ? str_to_u64(at, 0, UINT64_MAX, ret) : -EIO;
}

int container_pidfd(const struct container *c) {
        pid_t pid = (pid_t) json_get_int(c->state, "pid", 0);
        auto_fd fd = -EBADF;
        uint64_t start;
        int r;

        if (pid <= 0)
                return -ESRCH;
        fd = (int) syscall(SYS_pidfd_open, pid, 0);
        if (fd < 0)
                return errno == EINVAL ? -ESRCH : -errno;
        /* The fd is held: what /proc says now is about the process that it means, or about nobody. */
        r = process_start_time(pid, &start);
        if (r < 0)
                return r;
        return start == (uint64_t) json_get_int(c->state, "start_time", 0) ? move_fd(fd) : -ESRCH;
}

static bool is_frozen(struct container *c) {
        const struct cgroup_host *h = NULL;
        bool frozen = false;

        if (*container_cgroup_path(c) && container_cgroups(c, &h, NULL) == 0)
                cgroup_is_frozen(h, container_cgroup_path(c), &frozen, NULL);
        return frozen;
}

int container_status(struct container *c, enum container_status *ret, struct err *err) {
        auto_fd fd = container_pidfd(c);

        if (fd < 0 && fd != -ESRCH)
                return err_errno(err, fd, "container %s: its process", c->id);
        if (fd < 0)
                *ret = STATUS_STOPPED;
        else if (faccessat(c->dir_fd, "start", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                *ret = STATUS_CREATED;
        else
                *ret = is_frozen(c) ? STATUS_PAUSED : STATUS_RUNNING;
        return 0;
}

int container_processes(struct container *c, json_t **ret, struct err *err) {
        const struct cgroup_host *h = NULL;
        auto_free pid_t *pids = NULL;
        size_t n = 0;
        int r;

        if (!*container_cgroup_path(c)) {
                auto_fd fd = container_pidfd(c);

                *ret = fd < 0 ? json_array() : json_pack("[O]", json_object_get(c->state, "pid"));
                return 0;
        }
        r = container_cgroups(c, &h, err);
        if (r == 0)
                r = cgroup_pids(h, container_cgroup_path(c), &pids, &n, err);
        if (r < 0)
                return r;
        *ret = json_array();
        for (size_t i = 0; i < n; i++)
                json_array_append_new(*ret, json_integer(pids[i]));
        return 0;
}

static int by_name(const void *a, const void *b) {
        return strcmp(json_string_value(*(json_t *const *) a), json_string_value(*(json_t *const *) b));
}

static json_t *sorted(json_t *array) {
        size_t n = json_array_size(array);
        auto_free json_t **all = calloc(n + 1, sizeof(*all));
        json_t *out = json_array();

        for (size_t i = 0; all && i < n; i++)
                all[i] = json_array_get(array, i);
        if (all)
                qsort(all, n, sizeof(*all), by_name);
        for (size_t i = 0; all && i < n; i++)
                json_array_append(out, all[i]);
        json_decref(array);
        return out;
}

int container_ids(const struct options *o, json_t **ret, struct err *err) {
        auto_fd fd = -EBADF;
        json_t *ids = json_array();
        struct dirent *d;
        DIR *dir;
        int r = open_root(o, false, &fd, err);

        if (r == -ENOENT) {
                *ret = ids;
                return 0;
        }
        dir = r < 0 ? NULL : fdopendir(fd);
        if (!dir) {
                json_decref(ids);
                return r < 0 ? r : err_errno(err, -errno, "list of containers");
        }
        move_fd(fd); /* closedir() closes it now */
        while ((d = readdir(dir)))
                if (container_id_check(d->d_name, NULL) == 0)
                        json_array_append_new(ids, json_string(d->d_name));
        closedir(dir);
        *ret = sorted(ids);
        return 0;
}
