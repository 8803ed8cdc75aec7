/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "monitor/monitor.h"

static const char socket_name[] = "monitor.sock";
static struct source controls[CONTROLS_MAX];
static unsigned n_controls;
static const struct source *asked_by; /* whose request is being dealt with */
static uint32_t asked_tag;

static void control_close(struct source *s) {
        source_close(s);
        s->ready = NULL;
        n_controls--;
}

/* A daemon that lets its messages pile up is as good as dead. It sees the connection end, and asks again with a new one. */
static int send_or_close(struct source *s, const void *message, size_t size) {
        int r = fd_send(s->fd, message, size, NULL, 0);

        if (r < 0)
                control_close(s);
        return r;
}

static void answer(struct source *s, const union monitor_message *m, size_t size, struct fd_list *fds) {
        struct monitor_started started = { .header = { MONITOR_STARTED, m->header.tag } };
        struct monitor_failed failed = { .header = { MONITOR_FAILED, m->header.tag } };
        struct monitor_header ok = { MONITOR_OK, m->header.tag };

        asked_by = s;
        asked_tag = m->header.tag;
        if (request_handle(m, size, fds, &started, &failed.err) < 0)
                send_or_close(s, &failed, sizeof(failed));
        else if (started.pid)
                send_or_close(s, &started, sizeof(started));
        else
                send_or_close(s, &ok, sizeof(ok));
}

static void ready(struct source *s, uint32_t events) {
        struct fd_list fds = { .n = MONITOR_FDS_MAX };
        union monitor_message m;
        ssize_t size;

        size = fd_recv(s->fd, &m, sizeof(m), fds.fds, &fds.n);
        if (size == -EAGAIN)
                return;
        if (size < (ssize_t) sizeof(m.header)) /* also 0: it is gone. What runs here goes on. */
                control_close(s);
        else
                answer(s, &m, (size_t) size, &fds);
        for (size_t i = 0; size > 0 && i < fds.n; i++)
                fd_close(fds.fds[i]);
}

int control_ask_for_hooks(pid_t pid, void *data, struct err *err) {
        struct monitor_started m = { .header = { MONITOR_HOOKS, asked_tag }, .pid = pid };
        struct pollfd p = { .fd = asked_by->fd, .events = POLLIN };
        union monitor_message done;
        size_t no_fds = 0;
        ssize_t n;
        int r = fd_send(p.fd, &m, sizeof(m), NULL, 0);

        if (r < 0)
                return err_set_raw(err, ERR_UNAVAILABLE, r, "hooks", "the daemon is gone");
        while ((r = poll(&p, 1, -1)) < 0 && errno == EINTR)
                ;
        n = r < 0 ? -errno : fd_recv(p.fd, &done, sizeof(done), NULL, &no_fds);
        if (n <= 0)
                return err_set_raw(err, ERR_UNAVAILABLE, -ECANCELED, "hooks", "the daemon is gone");
        if (n != sizeof(done.failed) || done.header.type != MONITOR_HOOKS_DONE)
                return err_set_raw(err, ERR_INTERNAL, -EPROTO, "hooks", "the daemon said something odd");
        if (done.failed.err.kind == ERR_NONE)
                return 0;
        *err = done.failed.err;
        return err->num < 0 ? err->num : -EIO;
}

static int say_hello(struct source *s) {
        struct monitor_hello hello = {
                .header = { MONITOR_HELLO, 0 },
                .protocol = MONITOR_PROTOCOL,
                .monitor_pid = getpid(),
                .init_pid = monitor.init.pid,
                .flags = monitor.init.flags,
                .n_execs = request_count_execs(),
                .started_unix_ns = monitor.init.started_ns,
        };

        return send_or_close(s, &hello, sizeof(hello));
}

int control_add(int fd) {
        struct source *s = NULL;

        for (size_t i = 0; i < CONTROLS_MAX && !s; i++)
                if (!controls[i].ready)
                        s = &controls[i];
        if (!s || fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
                fd_close(fd);
                return -EBUSY;
        }
        source_init(s, fd, ready);
        n_controls++;
        if (source_want(s, EPOLLIN) < 0) {
                control_close(s);
                return -ENOMEM;
        }
        return say_hello(s);
}

bool control_is_connected(void) {
        return n_controls > 0;
}

void control_broadcast(const void *message, size_t size) {
        for (size_t i = 0; i < CONTROLS_MAX; i++)
                if (controls[i].ready)
                        send_or_close(&controls[i], message, size);
}

/* --- the way in for a daemon that was started anew --- */

static bool is_host_root(int fd) {
        struct ucred peer;
        socklen_t size = sizeof(peer);

        return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == 0;
}

static void incoming(struct source *s, uint32_t events) {
        auto_fd fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0 && is_host_root(fd))
                control_add(move_fd(fd));
}

/* sun_path has room for 107 bytes, and the directory's own path may be longer: so it is named by its fd. */
static void socket_address(int run_dir, struct sockaddr_un *ret) {
        char *at = ret->sun_path, *end = at + sizeof(ret->sun_path) - 1;

        ret->sun_family = AF_UNIX;
        at = str_put(at, end, "/proc/self/fd/");
        at = str_put_u64(at, end, (uint64_t) run_dir);
        at = str_put(at, end, "/");
        str_put(at, end, socket_name);
}

int control_listen(int run_dir, struct err *err) {
        auto_fd fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_un address;
        mode_t mask;
        int r;

        socket_address(run_dir, &address);
        unlinkat(run_dir, socket_name, 0);
        mask = umask(0177);
        r = fd < 0 ? -1 : bind(fd, (struct sockaddr *) &address, sizeof(address));
        umask(mask);
        if (r < 0 || listen(fd, CONTROLS_MAX) < 0)
                return err_set_raw(err, ERR_INTERNAL, -errno, "container's run directory", socket_name);
        source_init(&monitor.listener, move_fd(fd), incoming);
        r = source_want(&monitor.listener, EPOLLIN);
        return r < 0 ? err_set_raw(err, ERR_INTERNAL, r, "container's run directory", socket_name) : 0;
}

void control_unlisten(void) {
        if (monitor.listener.fd < 0)
                return;
        unlinkat(monitor.run_dir, socket_name, 0);
        source_close(&monitor.listener);
}
