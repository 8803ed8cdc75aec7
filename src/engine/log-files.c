/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/log-files.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"

enum { GAPS_MAX = 2 };

static int open_number(const struct log_files *f, unsigned number) {
        char name[128];
        int fd;

        if (number)
                snprintf(name, sizeof(name), "%s.%u", f->name, number);
        else
                snprintf(name, sizeof(name), "%s", f->name);
        fd = openat(f->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static bool same_file(int a, int b) {
        struct stat x, y;

        return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

int log_files_open(struct log_files *f, int dir_fd, const char *id, const char *form) {
        *f = (struct log_files) { .dir_fd = dir_fd };
        snprintf(f->name, sizeof(f->name), "%s-%s.log", id, form);
        for (unsigned number = 0, gaps = 0; number < LOG_FILES_MAX; number++) {
                int fd = open_number(f, number), *grown;

                /* Between a rename and the next there is no file of that number for a moment. */
                if (fd == -ENOENT && gaps++ < GAPS_MAX)
                        continue;
                if (fd == -ENOENT)
                        break;
                /* Moved up by one while we were on the way. */
                if (fd >= 0 && f->n > 0 && same_file(fd, f->fds[f->n - 1])) {
                        fd_close(fd);
                        continue;
                }
                grown = fd < 0 ? NULL : reallocarray(f->fds, f->n + 1, sizeof(int));
                if (!grown) {
                        fd_close(fd);
                        log_files_close(f);
                        return fd < 0 ? fd : -ENOMEM;
                }
                f->fds = grown;
                f->fds[f->n++] = fd;
        }
        for (size_t i = 0; i < f->n / 2; i++) {
                int swap = f->fds[i];

                f->fds[i] = f->fds[f->n - 1 - i];
                f->fds[f->n - 1 - i] = swap;
        }
        return 0;
}

void log_files_close(struct log_files *f) {
        for (size_t i = 0; i < f->n; i++)
                fd_close(f->fds[i]);
        free(f->fds);
        f->fds = NULL;
        f->n = 0;
}

/* Walk back over `fd` until *lines lines are behind; true: it stands at the first of them. */
static int seek_back(int fd, size_t *lines, bool *ret_found) {
        char block[16384];
        off_t end = lseek(fd, 0, SEEK_END), at = end;

        *ret_found = false;
        while (at > 0) {
                size_t n = at < (off_t) sizeof(block) ? (size_t) at : sizeof(block);

                at -= (off_t) n;
                if (pread(fd, block, n, at) != (ssize_t) n)
                        return -EIO;
                for (size_t i = n; i-- > 0;) {
                        /* The newline at the very end ends the last line; it does not begin one. */
                        if (block[i] != '\n' || at + (off_t) i == end - 1)
                                continue;
                        if (*lines == 1) {
                                *lines = 0;
                                *ret_found = true;
                                return lseek(fd, at + (off_t) i + 1, SEEK_SET) < 0 ? -errno : 0;
                        }
                        --*lines;
                }
        }
        if (end > 0)
                --*lines; /* the first line of the file has no newline before it */
        *ret_found = *lines == 0;
        return lseek(fd, 0, SEEK_SET) < 0 ? -errno : 0;
}

int log_files_seek_tail(struct log_files *f, size_t lines) {
        size_t first = f->n;
        bool found = lines == 0;

        if (lines == 0 && f->n > 0) {
                if (lseek(f->fds[f->n - 1], 0, SEEK_END) < 0)
                        return -errno;
                first = f->n - 1;
        }
        while (!found && first > 0) {
                int r = seek_back(f->fds[--first], &lines, &found);

                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < first; i++)
                fd_close(f->fds[i]);
        if (first > 0 && f->n > 0) {
                memmove(f->fds, f->fds + first, (f->n - first) * sizeof(int));
                f->n -= first;
        }
        return 0;
}

int log_files_next(const struct log_files *f, int fd, int *ret_fd) {
        int newer = -EBADF;

        for (unsigned number = 0, gaps = 0; number < LOG_FILES_MAX; number++) {
                int this = open_number(f, number);

                if (this == -ENOENT && gaps++ == GAPS_MAX)
                        break;
                if (this < 0)
                        continue;
                if (same_file(this, fd)) {
                        fd_close(this);
                        if (newer < 0)
                                return 0;
                        *ret_fd = newer;
                        return 1;
                }
                fd_close(newer);
                newer = this;
        }
        /* Ours is gone altogether: go on with the oldest that is left. */
        if (newer < 0)
                return 0;
        *ret_fd = newer;
        return 1;
}
