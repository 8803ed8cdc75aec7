/* SPDX-License-Identifier: Apache-2.0 */

/* "exit" is made before the container, at full size and under another name, so that a disk that the container filled cannot keep us from
 * saying how it ended: then the blocks are there and only their content and the name change. */

#include <fcntl.h>
#include <stdio.h> /* renameat */
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "monitor/monitor.h"

static const char temporary[] = ".tmp-exit", final[] = "exit";

int exit_file_prepare(int dir_fd, struct err *err) {
        auto_fd fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        struct monitor_exit_file empty = { 0 };
        int r;

        r = fd < 0 ? -errno : fd_write_all(fd, &empty, sizeof(empty));
        /* How an earlier run ended is no more the truth. */
        if (r == 0 && unlinkat(dir_fd, final, 0) < 0 && errno != ENOENT)
                r = -errno;
        if (r < 0)
                return err_set_raw(err, ERR_INTERNAL, r, "container's state directory", "exit");
        return move_fd(fd);
}

int exit_file_write(int dir_fd, int fd, const struct monitor_exit_file *content) {
        if (pwrite(fd, content, sizeof(*content), 0) != (ssize_t) sizeof(*content))
                return errno ? -errno : -EIO;
        return renameat(dir_fd, temporary, dir_fd, final) < 0 ? -errno : 0;
}

void exit_file_discard(int dir_fd) {
        unlinkat(dir_fd, temporary, 0);
}
