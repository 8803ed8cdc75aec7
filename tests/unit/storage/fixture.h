/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A data directory of its own per test, and a user namespace. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "storage/storage.h"

enum { FIRST_ID = 800000 };

struct fixture {
        char path[64];
        int dir;
        struct storage *s;
        struct err err;
};

static inline int fixture_setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        strcpy(f->path, "/var/tmp/kist-storage-XXXXXX");
        assert_non_null(mkdtemp(f->path));
        f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(f->dir >= 0);
        assert_int_equal(storage_open(f->dir, &f->s, &f->err), 0);
        *state = f;
        return 0;
}

static inline int fixture_teardown(void **state) {
        struct fixture *f = *state;

        storage_free(f->s);
        close(f->dir);
        assert_int_equal(path_remove_tree_at(AT_FDCWD, f->path), 0);
        free(f);
        return 0;
}

static inline const char *diff_id(int n) {
        static char ids[4][80];
        static int next;
        char *id = ids[next++ % 4];

        snprintf(id, sizeof(ids[0]), "sha256:%064x", n);
        return id;
}

static inline void put_file(int at, const char *name, const char *text, uid_t uid, mode_t mode) {
        auto_fd fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
        assert_int_equal(fchown(fd, uid, uid), 0);
        assert_int_equal(fchmod(fd, mode), 0);
}

static inline bool exists(int at, const char *path) {
        return faccessat(at, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A layer with one file of its name and content. */
static inline void make_layer(struct fixture *f, int n, const char *file, const char *text) {
        auto_fd fd = -EBADF;
        char name[64];

        assert_int_equal(storage_layer_begin(f->s, name, &fd, &f->err), 0);
        put_file(fd, file, text, 0, 0644);
        assert_int_equal(storage_layer_commit(f->s, name, diff_id(n), &f->err), 0);
}

static inline int make_userns(void) {
        int up[2], down[2], fd;
        char path[64], map[64], c;
        pid_t pid;

        assert_int_equal(pipe2(up, O_CLOEXEC) | pipe2(down, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                c = unshare(CLONE_NEWUSER) == 0;
                _exit(write(up[1], &c, 1) != 1 || read(down[0], &c, 1) != 1);
        }
        assert_int_equal(read(up[0], &c, 1), 1);
        assert_int_equal(c, 1);
        for (int i = 0; i < 2; i++) {
                snprintf(path, sizeof(path), "/proc/%d/%s", pid, i ? "gid_map" : "uid_map");
                snprintf(map, sizeof(map), "0 %d 65536", FIRST_ID);
                fd = open(path, O_WRONLY | O_CLOEXEC);
                assert_true(fd >= 0);
                assert_int_equal(fd_write_all(fd, map, strlen(map)), 0);
                close(fd);
        }
        snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(write(down[1], "x", 1), 1);
        waitpid(pid, NULL, 0);
        close(up[0]), close(up[1]), close(down[0]), close(down[1]);
        return fd;
}

/* Run `fn` as root of the user namespace (or as real root), with `root` as the current directory. It returns 0, or a line number. */
static inline int run_inside(int userns, int root, int (*fn)(void)) {
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                if ((userns >= 0 && setns(userns, CLONE_NEWUSER) < 0) || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0 || fchdir(root) < 0)
                        _exit(255);
                _exit(fn());
        }
        assert_true(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
        return WEXITSTATUS(status);
}
#define INSIDE(what) do { if (!(what)) return __LINE__ % 250 + 1; } while (0)
