/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/notify.h"

#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "oci/container.h"

#define VARIABLE "NOTIFY_SOCKET"
#define INSIDE "/run/notify"
#define SOCKET "notify.sock"

enum { MESSAGE_MAX = 4096 };

/* What may pass. A key that ends with '=' takes any value. Not: MAINPID, FDSTORE and the like, by which a service commands its manager. */
static const char *const passed[] = {
        "READY=1", "RELOADING=1", "STOPPING=1", "WATCHDOG=1", "STATUS=", "ERRNO=", "MONOTONIC_USEC=", "EXTEND_TIMEOUT_USEC=",
};

void notify_done(struct notify *n) {
        n->fd = fd_close(n->fd);
        n->out = fd_close(n->out);
}

static const char *callers_socket(void) {
        const char *path = getenv(VARIABLE);

        return path && (*path == '/' || *path == '@') && path[1] ? path : NULL;
}

static void set_variable(json_t *process) {
        json_t *env = json_get_array(process, "env");

        if (!env)
                json_object_set_new(process, "env", env = json_array());
        for (size_t i = json_array_size(env); i-- > 0;) {
                const char *old = json_string_value(json_array_get(env, i));

                if (old && str_starts_with(old, VARIABLE "="))
                        json_array_remove(env, i);
        }
        json_array_append_new(env, json_string(VARIABLE "=" INSIDE "/" SOCKET));
}

/* A directory, not the socket itself: the socket is made anew by `start`, after what was mounted by `create`. */
int notify_plan(const struct options *o, const char *id, json_t *config, struct err *err) {
        json_t *process = json_get_object(config, "process"), *mounts = json_get_array(config, "mounts");
        auto_free char *path = NULL;
        int r;

        if (!callers_socket() || !process)
                return 0;
        r = container_path(o, id, &path, err);
        if (r < 0)
                return r;
        if (!mounts)
                json_object_set_new(config, "mounts", mounts = json_array());
        set_variable(process);
        /* Last: whatever else is mounted there would hide it. */
        r = json_array_append_new(mounts, json_pack("{s:s, s:s, s:s+, s:[s,s,s,s,s]}", "destination", INSIDE, "type", "bind", "source", path,
                                                    "/notify", "options", "bind", "ro", "nosuid", "nodev", "noexec"));
        return r < 0 ? err_errno(err, -ENOMEM, VARIABLE) : 0;
}

int notify_make(const struct container *c, struct err *err) {
        if (!callers_socket())
                return 0;
        /* Who looks in from the container may be anybody; from outside, the parent is closed to all. */
        if (mkdirat(c->dir_fd, "notify", 0755) < 0 || fchmodat(c->dir_fd, "notify", 0755, 0) < 0)
                return err_errno(err, -errno, "container %s: directory of " VARIABLE, c->id);
        return 0;
}

static int connect_out(const char *path, struct err *err) {
        const struct timeval patience = { .tv_sec = 5 };
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        size_t n = strlen(path);
        auto_fd fd = -EBADF;

        if (n >= sizeof(address.sun_path))
                return err_set(err, ERR_INVALID, -ENAMETOOLONG, VARIABLE "=%s: the path is too long", path);
        memcpy(address.sun_path, path, n);
        if (*path == '@')
                address.sun_path[0] = '\0';
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *) &address, (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n)) < 0)
                return err_errno(err, -errno, VARIABLE "=%s", path);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        return move_fd(fd);
}

/* The mode is set before there is a name: nothing that the container might put in its place is ever changed. */
static int bind_in(int dir_fd) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        auto_fd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        mode_t mask;
        int r;

        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" SOCKET, dir_fd);
        if (fd < 0 || fchmod(fd, 0666) < 0 || (unlinkat(dir_fd, SOCKET, 0) < 0 && errno != ENOENT))
                return -errno;
        mask = umask(0);
        r = bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 ? -errno : 0;
        umask(mask);
        return r < 0 ? r : move_fd(fd);
}

int notify_open(const struct container *c, pid_t main, struct notify *ret, struct err *err) {
        const char *path = callers_socket();
        auto_notify n = NOTIFY_NONE;
        auto_fd dir = -EBADF;

        if (!path)
                return 0;
        dir = openat(c->dir_fd, "notify", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir < 0)
                return errno == ENOENT ? 0 : err_errno(err, -errno, "container %s: directory of " VARIABLE, c->id);
        n.main = main;
        n.out = connect_out(path, err);
        if (n.out < 0)
                return n.out;
        n.fd = bind_in(dir);
        if (n.fd < 0)
                return err_errno(err, n.fd, "container %s: socket of " VARIABLE, c->id);
        *ret = n;
        n = NOTIFY_NONE;
        return 0;
}

static bool may_pass(const char *line) {
        for (const unsigned char *p = (const unsigned char *) line; *p; p++)
                if (*p < ' ' || *p == 0x7f)
                        return false;
        for (size_t i = 0; i < ARRAY_SIZE(passed); i++) {
                size_t n = strlen(passed[i]);

                if (passed[i][n - 1] == '=' ? strncmp(line, passed[i], n) == 0 : strcmp(line, passed[i]) == 0)
                        return true;
        }
        return false;
}

bool notify_relay(struct notify *n) {
        char message[MESSAGE_MAX + 1], out[MESSAGE_MAX + 64], *save = NULL;
        /* No room for fds: those that came along are closed by the kernel. */
        ssize_t size = recv(n->fd, message, sizeof(message), MSG_DONTWAIT);
        size_t used = 0;
        bool ready = false;

        if (size < 0)
                return false;
        if (size > MESSAGE_MAX || memchr(message, '\0', (size_t) size))
                return true;
        message[size] = '\0';
        for (char *line = strtok_r(message, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
                if (may_pass(line)) {
                        ready = ready || strcmp(line, "READY=1") == 0;
                        used += (size_t) snprintf(out + used, sizeof(out) - used, "%s\n", line);
                }
        if (ready && n->main > 0)
                used += (size_t) snprintf(out + used, sizeof(out) - used, "MAINPID=%d\n", (int) n->main);
        if (used > 0)
                send(n->out, out, used - 1, MSG_NOSIGNAL);
        n->ready = n->ready || ready;
        return true;
}

void notify_await(struct notify *n, int pidfd) {
        struct pollfd p[] = { { .fd = n->fd, .events = POLLIN }, { .fd = pidfd, .events = POLLIN } };

        while (n->fd >= 0 && !n->ready && (poll(p, 2, -1) >= 0 || errno == EINTR)) {
                if (p[0].revents & POLLIN)
                        notify_relay(n);
                else if (p[1].revents)
                        return;
        }
}
