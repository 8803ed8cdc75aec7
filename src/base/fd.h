/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* File descriptors by cleanup attribute, and whole reads and writes. Every fd that Kist makes is O_CLOEXEC. */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

/* Close, keep errno, return -EBADF: `fd = fd_close(fd)`. A negative fd is left alone. */
static inline int fd_close(int fd) {
        int saved = errno;

        if (fd >= 0)
                close(fd);
        errno = saved;
        return -EBADF;
}

static inline void fd_closep(int *fd) {
        fd_close(*fd);
}
#define auto_fd __attribute__((cleanup(fd_closep))) int

/* Give the fd away: what remains is -EBADF. */
static inline int fd_take(int *fd) {
        int v = *fd;

        *fd = -EBADF;
        return v;
}
#define move_fd(fd) fd_take(&(fd))

/* All `size` bytes, through EINTR and short counts. 0, or negative errno (read: -ENODATA when the file ends early). */
int fd_write_all(int fd, const void *data, size_t size);
int fd_read_all(int fd, void *data, size_t size);

/* A whole file, at most `max` bytes, NUL-terminated (the NUL is not in *ret_size). *ret is the caller's to free.
 * -EFBIG when it is longer; other negative errno from openat(2) or read(2). */
int fd_read_file(int fd, size_t max, char **ret, size_t *ret_size);
int file_read_at(int dir_fd, const char *name, size_t max, char **ret, size_t *ret_size);

/* Write a file so that a reader sees the old one or the new one, never a part: temporary name, then renameat(2). Survives
 * the death of this process at any instruction; with `sync` that of the host. The temporary name starts with ".tmp-". */
int file_write_atomic_at(int dir_fd, const char *name, const void *data, size_t size, mode_t mode, bool sync);

/* Send or receive one message with at most FD_PASS_MAX fds over an AF_UNIX socket. fd_recv: *n_fds in is the room in fds[], out is
 * how many came (all O_CLOEXEC, the caller's); surplus fds are closed. Returns the bytes received (0: peer closed), or negative errno. */
#define FD_PASS_MAX 64
int fd_send(int sock, const void *data, size_t size, const int *fds, size_t n_fds);
ssize_t fd_recv(int sock, void *data, size_t size, int *fds, size_t *n_fds);
