/* SPDX-License-Identifier: Apache-2.0 */
#include "kistd/listen.h"

#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

enum { FIRST_PASSED_FD = 3, BACKLOG = 1024 };

int listen_find_group(const char *name, gid_t *ret_gid, struct err *err) {
        static const char *const usual[] = { "kist", "docker" };
        const struct group *group = NULL;
        uint64_t number;

        if (name && str_to_u64(name, 0, UINT32_MAX - 1, &number) == 0) {
                *ret_gid = (gid_t) number;
                return 0;
        }
        if (name)
                group = getgrnam(name);
        for (size_t i = 0; !name && !group && i < ARRAY_SIZE(usual); i++)
                group = getgrnam(usual[i]);
        if (name && !group)
                return err_set(err, ERR_INVALID, -ENOENT, "--group: there is no group \"%s\"", name);
        *ret_gid = group ? group->gr_gid : (gid_t) -1;
        return 0;
}

/* A name that a dead daemon left is removed. A living daemon, or something that is no socket, is left alone. */
static int clear_name(const struct sockaddr_un *address, struct err *err) {
        auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct stat st;

        if (lstat(address->sun_path, &st) < 0)
                return errno == ENOENT ? 0 : err_errno(err, -errno, "%s", address->sun_path);
        if (!S_ISSOCK(st.st_mode))
                return err_set(err, ERR_CONFLICT, -EEXIST, "%s is in the way, and it is not a socket", address->sun_path);
        /* EAGAIN: its queue of connections is full, so somebody listens. */
        if (fd < 0 || connect(fd, (const struct sockaddr *) address, sizeof(*address)) == 0 || errno == EAGAIN)
                return err_set(err, ERR_CONFLICT, -EADDRINUSE, "another daemon answers at %s", address->sun_path);
        if (errno != ECONNREFUSED)
                return err_errno(err, -errno, "%s", address->sun_path);
        if (unlink(address->sun_path) < 0 && errno != ENOENT)
                return err_errno(err, -errno, "cannot remove the old socket %s", address->sun_path);
        return 0;
}

static int add(struct listeners *l, int fd, const char *path, struct err *err) {
        char *copy = path ? strdup(path) : NULL;

        if (l->n == LISTEN_MAX || (path && !copy)) {
                fd_close(fd);
                free(copy);
                return err_set(err, ERR_INVALID, -E2BIG, "more than %d sockets to listen on", LISTEN_MAX);
        }
        l->fds[l->n] = fd;
        l->paths[l->n++] = copy;
        return 0;
}

static int open_unix(struct listeners *l, const char *path, gid_t gid, struct err *err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        auto_fd fd = -EBADF;
        mode_t old;
        int r;

        if (path[0] != '/')
                return err_set(err, ERR_INVALID, -EINVAL, "--host unix://%s: the path is not absolute", path);
        if (strlen(path) >= sizeof(address.sun_path))
                return err_set(err, ERR_INVALID, -ENAMETOOLONG, "--host unix://%s: a socket's path has at most %zu bytes", path,
                               sizeof(address.sun_path) - 1);
        memcpy(address.sun_path, path, strlen(path));
        r = clear_name(&address, err);
        if (r < 0)
                return r;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return err_errno(err, -errno, "socket");
        /* Nobody but root may connect until the group is set. */
        old = umask(0177);
        r = bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 ? -errno : 0;
        umask(old);
        if (r < 0)
                return err_errno(err, r, "cannot listen at %s", path);
        if ((gid != (gid_t) -1 && lchown(path, (uid_t) -1, gid) < 0) || chmod(path, 0660) < 0 || listen(fd, BACKLOG) < 0)
                return err_errno(err, -errno, "cannot listen at %s", path);
        return add(l, move_fd(fd), path, err);
}

static size_t n_passed(void) {
        const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
        uint64_t number;

        if (!pid || !fds || str_to_u64(pid, 1, INT32_MAX, &number) < 0 || (pid_t) number != getpid())
                return 0;
        return str_to_u64(fds, 1, LISTEN_MAX, &number) < 0 ? 0 : (size_t) number;
}

bool listen_was_activated(void) {
        return n_passed() > 0;
}

static int take_passed(struct listeners *l, struct err *err) {
        size_t n = n_passed();

        if (n == 0)
                return err_set(err, ERR_INVALID, -ENOENT, "--host fd://: no sockets were passed by systemd");
        for (size_t i = 0; i < n; i++) {
                int fd = FIRST_PASSED_FD + (int) i, listening = 0, r;
                socklen_t size = sizeof(listening);

                if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0 || !listening)
                        return err_set(err, ERR_INVALID, -EINVAL, "--host fd://: descriptor %d is not a listening socket", fd);
                fcntl(fd, F_SETFD, FD_CLOEXEC);
                r = add(l, fd, NULL, err);
                if (r < 0)
                        return r;
        }
        /* Not for the processes that this one starts. */
        unsetenv("LISTEN_PID");
        unsetenv("LISTEN_FDS");
        return 0;
}

int listen_open(struct listeners *l, const char *address, gid_t gid, struct err *err) {
        if (str_starts_with(address, "unix://"))
                return open_unix(l, address + strlen("unix://"), gid, err);
        if (!strcmp(address, "fd://"))
                return take_passed(l, err);
        return err_set(err, ERR_INVALID, -EINVAL, "--host %s: must be unix://PATH, tcp://ADDRESS:PORT or fd://", address);
}

void listen_remove_names(struct listeners *l) {
        for (size_t i = 0; i < l->n; i++) {
                if (l->paths[i])
                        unlink(l->paths[i]);
                free(l->paths[i]);
        }
        l->n = 0;
}
