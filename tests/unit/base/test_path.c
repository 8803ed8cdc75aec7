/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"

static char base[64];
static int root;

static int setup(void **state) {
        (void) state;
        strcpy(base, "/tmp/kist-path-XXXXXX");
        assert_non_null(mkdtemp(base));
        root = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(root >= 0);
        return 0;
}

static int teardown(void **state) {
        (void) state;
        close(root);
        assert_int_equal(path_remove_tree_at(AT_FDCWD, base), 0);
        return 0;
}

static void touch(const char *name) {
        int fd = openat(root, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        close(fd);
}

static bool exists(const char *name) {
        return faccessat(root, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void resolution_stays_inside(void **state) {
        static const char *const ways[] = { "absolute", "dots", "/etc/passwd", "../../etc/passwd", "etc/../../etc/passwd", NULL };
        struct stat st, inside;
        int fd;

        (void) state;
        assert_int_equal(mkdirat(root, "etc", 0700), 0);
        touch("etc/passwd");
        assert_int_equal(fstatat(root, "etc/passwd", &inside, 0), 0);
        assert_int_equal(symlinkat("/etc/passwd", root, "absolute"), 0);
        assert_int_equal(symlinkat("../../../../../../etc/passwd", root, "dots"), 0);
        assert_int_equal(symlinkat("loop", root, "loop"), 0);
        for (const char *const *p = ways; *p; p++) {
                fd = path_open_in(root, *p, O_RDONLY, 0);
                assert_true(fd >= 0);
                assert_int_equal(fstat(fd, &st), 0);
                assert_int_equal(st.st_ino, inside.st_ino);
                assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
                close(fd);
        }
        assert_int_equal(path_open_in(root, "loop", O_RDONLY, 0), -ELOOP);
        assert_int_equal(path_open_in(root, "none", O_RDONLY, 0), -ENOENT);
        assert_int_equal(path_open_in_nosymlink(root, "absolute", O_RDONLY, 0), -ELOOP);
        fd = path_open_in_nosymlink(root, "etc/passwd", O_RDONLY, 0);
        assert_true(fd >= 0);
        close(fd);
        fd = path_open_in(root, "", O_PATH | O_DIRECTORY, 0);
        assert_true(fd >= 0);
        close(fd);
}

static void magic_links_are_refused(void **state) {
        int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
        char path[64];

        (void) state;
        snprintf(path, sizeof(path), "%d/fd/%d", getpid(), root);
        assert_int_equal(path_open_in(proc, path, O_PATH, 0), -ELOOP);
        close(proc);
}

static void mkdir_makes_parents_inside(void **state) {
        struct stat st;
        int fd;

        (void) state;
        umask(022);
        fd = path_mkdir_in(root, "/a//b/./c", 0700);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        assert_int_equal(fstatat(root, "a/b", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0755);
        close(fd);
        fd = path_mkdir_in(root, "a/b/c", 0700); /* again */
        assert_true(fd >= 0);
        close(fd);
        assert_int_equal(symlinkat("/a", root, "link"), 0);
        fd = path_mkdir_in(root, "link/d", 0700);
        assert_true(fd >= 0);
        close(fd);
        assert_true(exists("a/d"));
        assert_int_equal(symlinkat("/nowhere", root, "dangling"), 0);
        assert_true(path_mkdir_in(root, "dangling/x", 0700) < 0);
        fd = path_mkdir_in(root, "../../up", 0700);
        assert_true(fd >= 0);
        close(fd);
        assert_true(exists("up"));
        touch("file");
        assert_int_equal(path_mkdir_in(root, "file/x", 0700), -ENOTDIR);
        assert_int_equal(path_mkdir_in(root, "file", 0700), -ENOTDIR);
}

/* Chains of directories far deeper than any limit on open fds or on the length of a path. */
static bool make_deep(const char *name, int depth) {
        int at = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), next = 0;

        for (int i = 0; i < depth && next >= 0; i++) {
                const char *part = i == 0 ? name : "d";

                mkdirat(at, part, 0700);
                next = openat(at, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                close(at);
                at = next;
                next = openat(at, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
                close(next);
        }
        fd_close(at);
        return next >= 0;
}

static int count_entry(int dir_fd, const char *name, bool is_dir, void *data) {
        int *n = data;
        struct stat st;

        assert_int_equal(fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(S_ISDIR(st.st_mode), is_dir);
        n[is_dir]++;
        return 0;
}

static void deep_trees_need_few_fds(void **state) {
        enum { DEPTH = 6000 };
        struct rlimit old, few = { 64, 64 };
        int n[2] = { 0 };

        (void) state;
        assert_true(make_deep("deep", DEPTH));
        getrlimit(RLIMIT_NOFILE, &old);
        few.rlim_max = old.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        int walked = path_walk_tree(root, false, count_entry, n);
        int removed = path_remove_tree_at(root, "deep");
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
        assert_int_equal(walked, 0);
        assert_int_equal(n[true], DEPTH);
        assert_int_equal(n[false], DEPTH);
        assert_int_equal(removed, 0);
        assert_false(exists("deep"));
}

/* Wide at every level, and deeper than what stays open: positions must survive closing. */
static void each_entry_is_seen_once(void **state) {
        enum { DEPTH = 60, WIDTH = 40 };
        int at = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), n[2] = { 0 };

        (void) state;
        for (int i = 0; i < DEPTH; i++) {
                char name[16];

                for (int j = 0; j < WIDTH; j++) {
                        snprintf(name, sizeof(name), "f%d", j);
                        close(openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
                        snprintf(name, sizeof(name), "e%d", j);
                        assert_int_equal(mkdirat(at, name, 0700), 0);
                }
                int next = openat(at, "e7", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                close(at);
                at = next;
        }
        close(at);
        assert_int_equal(path_walk_tree(root, false, count_entry, n), 0);
        assert_int_equal(n[true], DEPTH * WIDTH);
        assert_int_equal(n[false], DEPTH * WIDTH);
        assert_int_equal(path_remove_children(root), 0);
        n[0] = n[1] = 0;
        assert_int_equal(path_walk_tree(root, false, count_entry, n), 0);
        assert_int_equal(n[true] + n[false], 0);
}

static void removal_does_not_follow(void **state) {
        (void) state;
        assert_int_equal(mkdirat(root, "keep", 0700), 0);
        touch("keep/file");
        assert_int_equal(mkdirat(root, "tree", 0700), 0);
        assert_int_equal(symlinkat("../keep", root, "tree/link"), 0);
        assert_int_equal(symlinkat("keep", root, "link"), 0);
        assert_int_equal(path_remove_tree_at(root, "tree"), 0);
        assert_int_equal(path_remove_tree_at(root, "link"), 0);
        assert_int_equal(path_remove_tree_at(root, "link"), 0); /* no error */
        assert_false(exists("tree"));
        assert_false(exists("link"));
        assert_true(exists("keep/file"));
}

static int stop_at_first(int dir_fd, const char *name, bool is_dir, void *data) {
        (void) dir_fd, (void) name, (void) is_dir;
        ++*(int *) data;
        return -ECANCELED;
}

static void a_walk_stops_when_told(void **state) {
        int n = 0;

        (void) state;
        touch("a");
        touch("b");
        assert_int_equal(path_walk_tree(root, false, stop_at_first, &n), -ECANCELED);
        assert_int_equal(n, 1);
}

static void removal_stays_on_its_mount(void **state) {
        int status;
        pid_t pid;

        (void) state;
        assert_int_equal(mkdirat(root, "keep", 0700), 0);
        touch("keep/file");
        assert_int_equal(mkdirat(root, "tree", 0700), 0);
        assert_int_equal(mkdirat(root, "tree/mount", 0700), 0);
        if (geteuid() != 0) {
                print_message("# skipped: needs root to mount\n");
                skip();
        }
        pid = fork();
        if (pid == 0) {
                char from[96], to[96];

                snprintf(from, sizeof(from), "%s/keep", base);
                snprintf(to, sizeof(to), "%s/tree/mount", base);
                if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount(from, to, NULL, MS_BIND, NULL) < 0)
                        _exit(1);
                /* The same file system, so the same device number. */
                int fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                _exit(path_remove_tree_at(fd, "tree") == -EXDEV && path_remove_tree_at(fd, "tree/mount") == -EXDEV ? 0 : 2);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_true(exists("keep/file"));
}

/* Somebody moves a directory out of the tree and back, while the tree is deleted: what is outside must stay. */
static atomic_bool stop;

static void *move_about(void *data) {
        (void) data;
        while (!stop) {
                renameat(root, "tree/d/d/d", root, "out/d");
                renameat(root, "out/d", root, "tree/d/d/d");
        }
        return NULL;
}

static void moving_directories_does_not_lead_out(void **state) {
        pthread_t thread;

        (void) state;
        assert_int_equal(mkdirat(root, "out", 0700), 0);
        touch("out/keep");
        touch("keep");
        stop = false;
        assert_int_equal(pthread_create(&thread, NULL, move_about, NULL), 0);
        for (int i = 0; i < 30; i++) {
                path_remove_tree_at(root, "tree");
                path_remove_tree_at(root, "out/d");
                path_remove_tree_at(root, "tree");
                make_deep("tree", 200); /* as far as it gets */
                path_remove_tree_at(root, "tree"); /* any result */
                assert_true(exists("out/keep"));
                assert_true(exists("keep"));
        }
        stop = true;
        pthread_join(thread, NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                T(resolution_stays_inside),
                T(magic_links_are_refused),
                T(mkdir_makes_parents_inside),
                T(deep_trees_need_few_fds),
                T(each_entry_is_seen_once),
                T(removal_does_not_follow),
                T(a_walk_stops_when_told),
                T(removal_stays_on_its_mount),
                T(moving_directories_does_not_lead_out),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
