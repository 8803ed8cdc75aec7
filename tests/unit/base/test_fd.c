/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"

static int n_fds(void) {
        DIR *d = opendir("/proc/self/fd");
        int n = 0;

        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

static void fds_are_closed_and_moved(void **state) {
        int before = n_fds(), kept;

        (void) state;
        {
                auto_fd a = memfd_create("a", MFD_CLOEXEC), b = memfd_create("b", MFD_CLOEXEC);

                kept = move_fd(a);
                assert_int_equal(a, -EBADF);
                assert_true(b >= 0);
                errno = ENOTTY;
                fd_close(-1);
                assert_int_equal(errno, ENOTTY);
        }
        assert_int_equal(n_fds(), before + 1);
        assert_int_equal(fd_close(kept), -EBADF);
        assert_int_equal(n_fds(), before);
}

static void files_are_read_up_to_a_maximum(void **state) {
        int fd = memfd_create("a", MFD_CLOEXEC);
        char *text = NULL, data[10000], back[10000];
        size_t size = 0;

        (void) state;
        memset(data, 'x', sizeof(data));
        assert_int_equal(fd_write_all(fd, data, sizeof(data)), 0);
        lseek(fd, 0, SEEK_SET);
        assert_int_equal(fd_read_file(fd, sizeof(data), &text, &size), 0);
        assert_int_equal(size, sizeof(data));
        assert_memory_equal(text, data, sizeof(data));
        assert_int_equal(text[size], 0);
        free(text);
        text = NULL;
        lseek(fd, 0, SEEK_SET);
        assert_int_equal(fd_read_file(fd, sizeof(data) - 1, &text, &size), -EFBIG);
        assert_null(text);
        lseek(fd, 0, SEEK_SET);
        assert_int_equal(fd_read_all(fd, back, sizeof(back)), 0);
        assert_int_equal(fd_read_all(fd, back, 1), -ENODATA);
        close(fd);
        /* Files that say they are empty. */
        assert_int_equal(file_read_at(AT_FDCWD, "/proc/self/status", 1 << 16, &text, &size), 0);
        assert_int_equal(strlen(text), size);
        free(text);
        assert_int_equal(file_read_at(AT_FDCWD, "/proc/self/none", 1 << 16, &text, &size), -ENOENT);
}

static int count_entry(int dir_fd, const char *name, bool is_dir, void *data) {
        (void) dir_fd, (void) name, (void) is_dir;
        ++*(int *) data;
        return 0;
}

static void atomic_writes_replace_whole_files(void **state) {
        char dir[] = "/tmp/kist-fd-XXXXXX", *text;
        struct stat st;
        int fd, n = 0;

        (void) state;
        umask(022);
        assert_non_null(mkdtemp(dir));
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(file_write_atomic_at(fd, "f", "one", 3, 0600, true), 0);
        assert_int_equal(file_write_atomic_at(fd, "f", "second", 6, 0640, false), 0);
        assert_int_equal(file_read_at(fd, "f", 100, &text, NULL), 0);
        assert_string_equal(text, "second");
        free(text);
        assert_int_equal(fstatat(fd, "f", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(mkdirat(fd, "d", 0700), 0);
        assert_true(file_write_atomic_at(fd, "d", "x", 1, 0600, false) < 0);
        assert_int_equal(path_walk_tree(fd, false, count_entry, &n), 0);
        assert_int_equal(n, 2); /* no temporary file stays behind */
        close(fd);
        assert_int_equal(path_remove_tree_at(AT_FDCWD, dir), 0);
}

static void fds_cross_a_socket(void **state) {
        int pair[2], sent[3], got[8], before;
        size_t n = 8;
        char text[16];

        (void) state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        for (int i = 0; i < 3; i++)
                sent[i] = memfd_create("x", MFD_CLOEXEC);
        before = n_fds();
        assert_int_equal(fd_send(pair[0], "hello", 5, sent, 3), 0);
        assert_int_equal(fd_recv(pair[1], text, sizeof(text), got, &n), 5);
        assert_memory_equal(text, "hello", 5);
        assert_int_equal(n, 3);
        for (size_t i = 0; i < n; i++) {
                assert_true(fcntl(got[i], F_GETFD) & FD_CLOEXEC);
                close(got[i]);
        }
        /* More than there is room for: the surplus does not leak. */
        n = 1;
        assert_int_equal(fd_send(pair[0], "x", 1, sent, 3), 0);
        assert_int_equal(fd_recv(pair[1], text, sizeof(text), got, &n), 1);
        assert_int_equal(n, 1);
        close(got[0]);
        assert_int_equal(fd_send(pair[0], "x", 1, sent, 3), 0);
        assert_int_equal(fd_recv(pair[1], text, sizeof(text), NULL, NULL), 1);
        assert_int_equal(n_fds(), before);
        assert_int_equal(fd_send(pair[0], "x", 1, sent, FD_PASS_MAX + 1), -E2BIG);
        close(pair[0]);
        n = 8;
        assert_int_equal(fd_recv(pair[1], text, sizeof(text), got, &n), 0);
        assert_int_equal(fd_send(pair[1], "x", 1, NULL, 0), -EPIPE);
        close(pair[1]);
        for (int i = 0; i < 3; i++)
                close(sent[i]);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(fds_are_closed_and_moved),
                cmocka_unit_test(files_are_read_up_to_a_maximum),
                cmocka_unit_test(atomic_writes_replace_whole_files),
                cmocka_unit_test(fds_cross_a_socket),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
