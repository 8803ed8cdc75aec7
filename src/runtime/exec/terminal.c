/* SPDX-License-Identifier: Apache-2.0 */

/* The terminal: a pair of the container's own devpts. The slave is had from the master (TIOCGPTPEER), never by a name that the container
 * could have replaced (CVE-2025-52565). */

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "runtime/exec/private.h"

int terminal_open(struct child *c, int pts_fd, struct err *err) {
        auto_fd master = -EBADF, own_pts = -EBADF;
        struct winsize size = { .ws_row = c->header->rows, .ws_col = c->header->columns };
        int unlock = 0, r;

        if (pts_fd < 0) {
                own_pts = path_open_in_nosymlink(c->root_fd, "dev/pts", O_PATH | O_DIRECTORY, 0);
                pts_fd = own_pts;
        }
        if (pts_fd < 0 || !raw_is_fs(pts_fd, DEVPTS_SUPER_MAGIC))
                return err_set_raw(err, ERR_INVALID, ENODEV, "process.terminal", "the container has no devpts on /dev/pts");
        master = openat(pts_fd, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
        if (master < 0)
                return raw_fail(err, errno, "process.terminal", "/dev/pts/ptmx");
        if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
                return raw_fail(err, errno, "process.terminal", "unlock");
        c->tty = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (c->tty < 0)
                return raw_fail(err, errno, "process.terminal", "open its other end");
        if ((size.ws_row || size.ws_col) && ioctl(c->tty, TIOCSWINSZ, &size) < 0)
                return raw_fail(err, errno, "process.consoleSize", NULL);
        /* tty(1) and programs that open /dev/tty want to own it. */
        if (fchown(c->tty, c->header->uid, (gid_t) -1) < 0)
                return raw_fail(err, errno, "process.terminal", "give it to the user");
        r = child_send(c, LAUNCH_PTY, NULL, master);
        return r < 0 ? raw_fail(err, r, "the caller is gone", NULL) : 0;
}

int step_console(struct child *c, const struct plan_step *s, struct err *err) {
        auto_fd target = -EBADF, tree = -EBADF;
        int r = terminal_open(c, c->pts_mount, err);

        if (r < 0)
                return r;
        target = target_open(c, s, false);
        if (target < 0)
                return raw_fail(err, target, "process.terminal", plan_text(c->plan, s->target));
        tree = open_tree(c->tty, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (tree < 0 || move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return raw_fail(err, errno, "process.terminal", plan_text(c->plan, s->target));
        return 0;
}

/* 0, 1 and 2, and nothing else. */
int stage_stdio(struct child *c, struct err *err) {
        int from[3];

        if (c->tty >= 0 && ioctl(c->tty, TIOCSCTTY, 0) < 0)
                return raw_fail(err, errno, "process.terminal", "make it the controlling terminal");
        /* Out of the way first: one given as 1 may be wanted as 0. */
        for (int i = 0; i < 3; i++) {
                int fd = c->tty >= 0 ? c->tty : c->launch->fds->stdio[i] >= 0 ? c->launch->fds->stdio[i] : c->launch->null_stdio;

                from[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                if (from[i] < 0)
                        return raw_fail(err, errno, "standard streams", NULL);
        }
        for (int i = 0; i < 3; i++)
                if (dup2(from[i], i) < 0)
                        return raw_fail(err, errno, "standard streams", NULL);
        return 0;
}
