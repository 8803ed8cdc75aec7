/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The files of one container's log, oldest first: "ID-json.log.2", ".1", "ID-json.log"; or "ID-local.log" and so on. They may be moved under the reader's hands: it holds fds and
 * tells files apart by inode. */

#include <stddef.h>
#include <sys/types.h>

#define LOG_FILES_MAX 1001

struct log_files {
        int dir_fd; /* borrowed */
        char name[96];
        int *fds; /* oldest first */
        size_t n;
};

/* form: "json" or "local". A missing log is empty. */
int log_files_open(struct log_files *f, int dir_fd, const char *id, const char *form);
void log_files_close(struct log_files *f);
/* Place all fds so that `lines` lines are left to be read: the files before the first one of them are closed. */
int log_files_seek_tail(struct log_files *f, size_t lines);
/* The file that was begun when `fd` was finished: 1 and *ret_fd; 0: fd is still the newest. Negative errno. */
int log_files_next(const struct log_files *f, int fd, int *ret_fd);
