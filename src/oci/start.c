/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "oci/container.h"
#include "oci/hooks.h"
#include "oci/notify.h"
#include "oci/oci.h"

/* Opening the reading end lets the process go on, see exec.h. POLLHUP comes only once the other end was open and is closed again, by
 * execve(2) or by death; a process that dies before it gets there is noticed by its pidfd. */
static int open_gate(struct container *c, int pidfd, struct err *err) {
        auto_fd fifo = openat(c->dir_fd, "start", O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        struct pollfd p[] = { { .fd = fifo, .events = POLLIN }, { .fd = pidfd, .events = POLLIN } };
        struct err theirs = { 0 };
        ssize_t n;

        if (fifo < 0)
                return err_errno(err, -errno, "container %s: start gate", c->id);
        while (!p[0].revents && !p[1].revents)
                if (poll(p, 2, -1) < 0 && errno != EINTR)
                        return err_errno(err, -errno, "container %s: start gate", c->id);
        n = read(fifo, &theirs, sizeof(theirs));
        if (n == sizeof(theirs)) {
                theirs.msg[sizeof(theirs.msg) - 1] = '\0';
                *err = theirs;
                return theirs.num < 0 ? theirs.num : -EIO;
        }
        if (n == 0 && (p[0].revents & POLLHUP))
                return 0;
        return err_set(err, ERR_CONFLICT, -ESRCH, "container %s: its process has died before start", c->id);
}

int command_start(const struct options *o, char **args, int n_args, struct err *err) {
        auto_container c = CONTAINER_NONE;
        enum container_status status;
        auto_notify n = NOTIFY_NONE;
        auto_fd pidfd = -EBADF;
        int r = container_open(o, args[0], true, &c, err);

        if (r == 0)
                r = container_status(&c, &status, err);
        if (r < 0)
                return r;
        if (status != STATUS_CREATED)
                return err_set(err, ERR_CONFLICT, -EBUSY, "cannot start %s: %s",
                               status == STATUS_STOPPED ? "a container that has stopped" : "an already running container", c.id);
        pidfd = container_pidfd(&c);
        if (pidfd < 0)
                return err_errno(err, pidfd, "container %s: its process", c.id);
        r = notify_open(&c, (pid_t) json_get_int(c.state, "pid", 0), &n, err);
        if (r < 0)
                return r;
        r = open_gate(&c, pidfd, err);
        /* Opened once, for good: from now on it is running, or has stopped. */
        if (unlinkat(c.dir_fd, "start", 0) < 0 && r == 0)
                r = err_errno(err, -errno, "container %s: start gate", c.id);
        if (r < 0)
                return r;
        r = hooks_after_start(&c, err);
        /* The specification wants it stopped then; it is deleted by who has made it. */
        if (r < 0) {
                syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
                return r;
        }
        container_unlock(&c); /* waiting must be in nobody's way */
        notify_await(&n, pidfd);
        return 0;
}
