/* SPDX-License-Identifier: Apache-2.0 */

/* What a worker can still do once it is confined: tried from inside, in a child. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "harness.h"
#include "worker/confine.h"

enum { LAST_STANDARD = 2, CONTROL = 3, USERNS = 4, DIRECTORY = 3 };

static int userns = -1;
static const char outside[] = "/etc/passwd";

static int setup(void **state) {
        userns = harness_userns();
        return 0;
}

static int teardown(void **state) {
        fd_close(userns);
        return 0;
}

/* In the child, confined: 0, or the number of the row that should not have worked. */
static int try_from_directory(void) {
        struct stat st;
        int fd;

        if (getuid() != 0)
                return 1;
        if (open(outside, O_RDONLY) >= 0 || open("/proc/self/status", O_RDONLY) >= 0 || open("/dev/null", O_RDWR) >= 0)
                return 2;
        if (openat(DIRECTORY, "../../etc/passwd", O_RDONLY) >= 0 || openat(DIRECTORY, "../../tmp", O_RDONLY | O_DIRECTORY) >= 0)
                return 3;
        if (openat(DIRECTORY, "theirs", O_RDONLY) >= 0) /* even inside, nothing is read */
                return 4;
        if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
                return 5;
        if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
                return 6;
        if (mknodat(DIRECTORY, "disk", S_IFBLK | 0600, 8 << 8) == 0)
                return 7;
        if (fchmodat(DIRECTORY, "theirs", 0777, 0) == 0) /* only what was opened can be changed */
                return 8;
        fd = openat(DIRECTORY, "mine", O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (fd < 0 || write(fd, "x", 1) != 1 || fchown(fd, 12, 34) < 0 || fstat(fd, &st) < 0 || st.st_uid != 12)
                return 9;
        if (mknodat(DIRECTORY, "whiteout", S_IFCHR, 0) < 0 || mkdirat(DIRECTORY, "d", 0755) < 0 || linkat(DIRECTORY, "mine", DIRECTORY, "d/l", 0) < 0)
                return 10;
        return 0;
}

static int try_from_fetch(void) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        char name[] = "/tmp/kist-worker-test-XXXXXX";
        int fd = open("/etc/hosts", O_RDONLY);

        if (fd < 0)
                return 1;
        close(fd);
        if (getuid() != 65534)
                return 2;
        if (open("/etc/shadow", O_RDONLY) >= 0 || open("/tmp", O_RDONLY | O_DIRECTORY) >= 0 || open("/proc/1/environ", O_RDONLY) >= 0)
                return 3;
        if (mkstemp(name) >= 0 || open("/tmp/x", O_WRONLY | O_CREAT, 0600) >= 0)
                return 4;
        if (mkdir("/tmp/kist-worker-test-dir", 0700) == 0)
                return 5;
        fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0)
                return 6;
        a.sin_port = htons(1);
        if (connect(fd, (struct sockaddr *) &a, sizeof(a)) == 0 || errno != ECONNREFUSED)
                return 7;
        if (socket(AF_PACKET, SOCK_RAW, 0) >= 0 || socket(AF_VSOCK, SOCK_STREAM, 0) >= 0)
                return 8;
        return 0;
}

/* A child that is confined and then does `body`; how it ended, as of waitpid(2). dir_fd: becomes its fd 3. */
static int confined(enum worker_mode mode, int dir_fd, int (*body)(void)) {
        struct err err = { 0 };
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                int spare = fcntl(userns, F_DUPFD, 20), dir = dir_fd >= 0 ? fcntl(dir_fd, F_DUPFD, 20) : -1;

                dup2(spare, USERNS);
                if (dir >= 0)
                        dup2(dir, CONTROL);
                if (confine_enter(mode, USERNS, &err) < 0 || confine_seal(mode, &(const int) { DIRECTORY }, dir >= 0 ? 1 : 0, &err) < 0) {
                        (void) !write(LAST_STANDARD, err.msg, strlen(err.msg));
                        _exit(100);
                }
                _exit(body());
        }
        waitpid(pid, &status, 0);
        return status;
}

static void only_the_directory_is_left(void **state) {
        struct scratch s;
        int status;

        if (userns < 0 || !harness_scratch(&s, userns))
                skip();
        fd_close(openat(s.dir_fd, "theirs", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
        status = confined(WORKER_UNPACK, s.clone_fd, try_from_directory);
        harness_scratch_remove(&s);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static void fetch_reads_little_and_writes_nothing(void **state) {
        int status;

        if (userns < 0)
                skip();
        status = confined(WORKER_FETCH, -1, try_from_fetch);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static int try_exec(void) {
        execl("/bin/true", "true", NULL);
        return 0;
}

static int try_fork(void) {
        return fork() >= 0; /* EPERM from clone(2): no new process */
}

static int try_mount(void) {
        mount("none", "/", "tmpfs", 0, NULL);
        return 0;
}

static void what_no_library_would_do_ends_the_process(void **state) {
        static const struct {
                int (*body)(void);
                bool deadly;
        } rows[] = { { try_exec, true }, { try_mount, true }, { try_fork, false } };

        if (userns < 0)
                skip();
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                for (int m = 0; m < _WORKER_MODE_MAX; m++) {
                        struct scratch s;
                        int status;

                        if (!harness_scratch(&s, userns))
                                skip();
                        status = confined((enum worker_mode) m, m == WORKER_FETCH ? -1 : s.clone_fd, rows[i].body);
                        harness_scratch_remove(&s);
                        if (rows[i].deadly) {
                                assert_true(WIFSIGNALED(status));
                                assert_int_equal(WTERMSIG(status), SIGSYS);
                        } else {
                                assert_true(WIFEXITED(status));
                                assert_int_equal(WEXITSTATUS(status), 0);
                        }
                }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(only_the_directory_is_left),
                cmocka_unit_test(fetch_reads_little_and_writes_nothing),
                cmocka_unit_test(what_no_library_would_do_ends_the_process),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
