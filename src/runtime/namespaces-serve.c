/* SPDX-License-Identifier: Apache-2.0 */

/* The helper's side. One request at a time: a child is cloned into the new namespaces, brings its loopback up and waits; the helper
 * writes the id maps from outside, opens the namespaces' fds and kills the child. A user namespace without a process lives on
 * by its fd. */

#include "runtime/namespaces.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "runtime/namespaces-wire.h"

/* One extent, in one write(2), as the kernel wants it. With its writer's CAP_SETGID the file setgroups may stay "allow". */
int namespace_write_map(int fd, uint32_t first, uint32_t count) {
        char line[32], *p = line, *end = line + sizeof(line) - 1;

        p = str_put(p, end, "0 ");
        p = str_put_u64(p, end, first);
        p = str_put(p, end, " ");
        p = str_put_u64(p, end, count);
        p = str_put(p, end, "\n");
        return write(fd, line, (size_t) (p - line)) != p - line ? -errno : 0;
}

/* Opens /proc/PID/NAME. The child is ours and not yet reaped, so that its number is nobody else's. */
static int open_proc(pid_t pid, const char *name, int flags) {
        char path[64], *p = path, *end = path + sizeof(path) - 1;

        p = str_put(p, end, "/proc/");
        p = str_put_u64(p, end, (uint64_t) pid);
        p = str_put(p, end, "/");
        str_put(p, end, name);
        return open(path, flags | O_CLOEXEC);
}

/* The child has every capability over its network namespace from birth, also before the maps are written. */
static int loopback_up(void) {
        struct ifreq req = { .ifr_name = "lo" };
        auto_fd sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (sock < 0 || ioctl(sock, SIOCGIFFLAGS, &req) < 0)
                return -errno;
        req.ifr_flags |= IFF_UP;
        return ioctl(sock, SIOCSIFFLAGS, &req) < 0 ? -errno : 0;
}

/* Tell how it went, then wait to be killed. Should the helper die first, the read ends. */
static _Noreturn void child(uint32_t want, int owner_fd, int sock) {
        char byte;
        int r = 0;

        if (want & NAMESPACE_OWNED && (setns(owner_fd, CLONE_NEWUSER) < 0 || unshare(CLONE_NEWNET) < 0))
                r = -errno;
        if (r == 0 && want & NAMESPACE_NET)
                r = loopback_up();

        if (fd_write_all(sock, &r, sizeof(r)) == 0)
                while (read(sock, &byte, 1) < 0 && errno == EINTR)
                        ;
        _exit(0);
}

static int write_map(pid_t pid, const char *name, const struct namespace_request *req, struct err *err) {
        auto_fd fd = open_proc(pid, name, O_WRONLY);
        int r = fd < 0 ? -errno : namespace_write_map(fd, req->first, req->count);

        return r < 0 ? err_set_raw(err, ERR_INTERNAL, r, "new user namespace", name) : 0;
}

static int await_child(int sock, struct err *err) {
        int status, r;

        r = fd_read_all(sock, &status, sizeof(status));
        if (r < 0)
                return err_set_raw(err, ERR_INTERNAL, r, "new namespace", "its first process");
        if (status < 0)
                return err_set_raw(err, ERR_INTERNAL, status, "new network namespace", "loopback");
        return 0;
}

/* Fill fds[] from the living child; returns how many, or negative errno with none left open. */
static int collect(pid_t pid, int sock, const struct namespace_request *req, int fds[NAMESPACE_FDS_MAX], struct err *err) {
        static const struct {
                uint32_t want;
                const char *name;
                int flags;
        } kinds[NAMESPACE_FDS_MAX] = { { NAMESPACE_USER, "ns/user", O_RDONLY }, { NAMESPACE_NET, "ns/net", O_RDONLY },
                { NAMESPACE_BLANK, "uid_map", O_WRONLY }, { NAMESPACE_BLANK, "gid_map", O_WRONLY } };
        int n = 0, r;

        r = await_child(sock, err);
        if (r < 0)
                return r;
        if ((req->want & (NAMESPACE_USER | NAMESPACE_BLANK)) == NAMESPACE_USER) {
                r = write_map(pid, "uid_map", req, err);
                if (r == 0)
                        r = write_map(pid, "gid_map", req, err);
                if (r < 0)
                        return r;
        }
        for (int i = 0; i < NAMESPACE_FDS_MAX; i++) {
                if (!(req->want & kinds[i].want))
                        continue;
                fds[n] = open_proc(pid, kinds[i].name, kinds[i].flags);
                if (fds[n] < 0) {
                        r = err_set_raw(err, ERR_INTERNAL, -errno, "new namespace", kinds[i].name);
                        while (n > 0)
                                fd_close(fds[--n]);
                        return r;
                }
                n++;
        }
        return n;
}

static int make(const struct namespace_request *req, int owner_fd, int fds[NAMESPACE_FDS_MAX], struct err *err) {
        auto_fd ours = -EBADF, theirs = -EBADF;
        struct clone_args args = { .exit_signal = SIGCHLD };
        int pair[2], r;
        pid_t pid;

        if (!req->want || req->want & ~(uint32_t) (NAMESPACE_USER | NAMESPACE_NET | NAMESPACE_OWNED | NAMESPACE_BLANK) ||
            (req->want & NAMESPACE_OWNED && (req->want & NAMESPACE_USER || owner_fd < 0)) || (req->want & (NAMESPACE_USER | NAMESPACE_BLANK)) == NAMESPACE_BLANK)
                return err_set_raw(err, ERR_INTERNAL, -EINVAL, "namespace request", NULL);
        /* 2³²−1 is no id: it means "none" in the kernel. */
        if ((req->want & (NAMESPACE_USER | NAMESPACE_BLANK)) == NAMESPACE_USER && (req->count == 0 || req->first > UINT32_MAX - req->count))
                return err_set_raw(err, ERR_INVALID, -ERANGE, "new user namespace", "range of ids");
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return err_set_raw(err, ERR_INTERNAL, -errno, "new namespace", "socket pair");
        ours = pair[0];
        theirs = pair[1];
        if (req->want & NAMESPACE_USER)
                args.flags |= CLONE_NEWUSER;
        if ((req->want & (NAMESPACE_NET | NAMESPACE_OWNED)) == NAMESPACE_NET)
                args.flags |= CLONE_NEWNET;
        pid = (pid_t) syscall(SYS_clone3, &args, sizeof(args));
        if (pid < 0)
                return err_set_raw(err, errno == ENOSPC || errno == EUSERS ? ERR_NO_SPACE : ERR_INTERNAL, -errno,
                                   "new namespace", "clone3");
        if (pid == 0) {
                ours = fd_close(ours); /* else the read in the child would never end */
                child(req->want, owner_fd, theirs);
        }
        theirs = fd_close(theirs);
        r = collect(pid, ours, req, fds, err);
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return r;
}

int namespace_serve(int sock) {
        for (;;) {
                struct namespace_reply reply = { 0 };
                struct namespace_request req;
                auto_fd owner = -EBADF;
                size_t n_owners = 1;
                int fds[NAMESPACE_FDS_MAX], n, r;
                ssize_t size;

                size = fd_recv(sock, &req, sizeof(req), &owner, &n_owners);
                if (size == 0 || size == -ECONNRESET)
                        return 0;
                if (size != (ssize_t) sizeof(req))
                        return 1;
                n = make(&req, owner, fds, &reply.err);
                r = fd_send(sock, &reply, sizeof(reply), fds, n > 0 ? (size_t) n : 0);
                while (n > 0)
                        fd_close(fds[--n]);
                if (r == -EPIPE || r == -ECONNRESET)
                        return 0;
                if (r < 0)
                        return 1;
        }
}
