/* SPDX-License-Identifier: Apache-2.0 */

/* The namespace factory against the running kernel. This program is its own helper: see main(). */

#include "runtime/namespaces.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"

enum { FIRST = 700000, COUNT = 65536 };

static struct namespace_factory *factory(void) {
        auto_fd self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
        struct namespace_factory *f = NULL;
        struct err err = { 0 };

        if (namespace_factory_new(self, &f, &err) < 0)
                fail_msg("%s", err.msg);
        return f;
}

/* Run `check` in a child that joined the namespaces; its return value comes back as an exit status. */
static int in_namespaces(int userns, int netns, int (*check)(void)) {
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                if ((userns >= 0 && setns(userns, CLONE_NEWUSER) < 0) || (netns >= 0 && setns(netns, CLONE_NEWNET) < 0))
                        _exit(100);
                _exit(check());
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static bool file_is(const char *path, const char *want) {
        char *text = NULL;
        bool same;

        if (file_read_at(AT_FDCWD, path, 4096, &text, NULL) < 0)
                return false;
        same = !strcmp(text, want);
        free(text);
        return same;
}

static int check_ids(void) {
        const char *map = "         0     700000      65536\n";

        if (!file_is("/proc/self/uid_map", map) || !file_is("/proc/self/gid_map", map))
                return 1;
        if (!file_is("/proc/self/setgroups", "allow\n"))
                return 2;
        return setgid(0) == 0 && setuid(65535) == 0 && getuid() == 65535 ? 0 : 3;
}

static int check_loopback(void) {
        struct ifreq req = { .ifr_name = "lo" };
        int sock = socket(AF_INET, SOCK_DGRAM, 0);

        return ioctl(sock, SIOCGIFFLAGS, &req) == 0 && req.ifr_flags & IFF_UP ? 0 : 1;
}

static void test_ids_and_owner(void **state) {
        struct namespace_factory *f = factory();
        auto_fd userns = -EBADF, netns = -EBADF, owner = -EBADF;
        struct stat a, b;
        struct err err;

        assert_int_equal(namespace_make(f, FIRST, COUNT, &userns, &netns, &err), 0);
        assert_true(fcntl(userns, F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(netns, F_GETFD) & FD_CLOEXEC);
        owner = ioctl(netns, NS_GET_USERNS);
        assert_true(owner >= 0);
        assert_int_equal(fstat(owner, &a), 0);
        assert_int_equal(fstat(userns, &b), 0);
        assert_int_equal(a.st_ino, b.st_ino);
        assert_int_equal(in_namespaces(userns, -1, check_ids), 0);
        assert_int_equal(in_namespaces(userns, netns, check_loopback), 0);
        namespace_factory_free(f);
}

static void test_only_userns(void **state) {
        struct namespace_factory *f = factory();
        auto_fd userns = -EBADF;
        struct err err;

        assert_int_equal(namespace_make(f, FIRST, COUNT, &userns, NULL, &err), 0);
        assert_int_equal(ioctl(userns, NS_GET_NSTYPE), CLONE_NEWUSER);
        namespace_factory_free(f);
        /* It lives by the fd alone. */
        assert_int_equal(in_namespaces(userns, -1, check_ids), 0);
}

static void test_only_netns(void **state) {
        struct namespace_factory *f = factory();
        auto_fd netns = -EBADF, owner = -EBADF;
        struct stat a, b;
        struct err err;

        assert_int_equal(namespace_make_netns(f, &netns, &err), 0);
        owner = ioctl(netns, NS_GET_USERNS);
        assert_int_equal(fstat(owner, &a), 0);
        assert_int_equal(stat("/proc/self/ns/user", &b), 0);
        assert_int_equal(a.st_ino, b.st_ino);
        assert_int_equal(in_namespaces(-1, netns, check_loopback), 0);
        namespace_factory_free(f);
}

static void test_refuses_bad_range(void **state) {
        struct namespace_factory *f = factory();
        int userns = -EBADF;
        struct err err = { 0 };

        assert_int_equal(namespace_make(f, UINT32_MAX - 10, 20, &userns, NULL, &err), -ERANGE);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_non_null(strstr(err.msg, "range of ids"));
        assert_true(namespace_make(f, 5, 0, &userns, NULL, &err) < 0);
        assert_int_equal(userns, -EBADF);
        namespace_factory_free(f);
}

static void test_ids_come_later(void **state) {
        struct namespace_factory *f = factory();
        struct namespace_blank b = NAMESPACE_BLANK_NONE;
        auto_fd owner = -EBADF;
        struct stat s, t;
        struct err err;

        assert_int_equal(namespace_make_blank(f, &b, &err), 0);
        namespace_factory_free(f); /* whoever made it is gone */
        assert_int_not_equal(in_namespaces(b.userns, -1, check_ids), 0);
        assert_int_equal(namespace_blank_fill(&b, FIRST, COUNT, &err), 0);
        assert_int_equal(in_namespaces(b.userns, -1, check_ids), 0);
        assert_int_equal(in_namespaces(b.userns, b.netns, check_loopback), 0);
        owner = ioctl(b.netns, NS_GET_USERNS);
        assert_int_equal(fstat(owner, &s) | fstat(b.userns, &t), 0);
        assert_int_equal(s.st_ino, t.st_ino);
        assert_true(namespace_blank_fill(&b, FIRST, COUNT, &err) < 0);
        namespace_blank_done(&b);
        assert_int_equal(b.userns, -EBADF);
}

static pid_t only_child(void) {
        char *text = NULL;
        char path[64];
        pid_t pid;

        snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int) getpid());
        if (file_read_at(AT_FDCWD, path, 4096, &text, NULL) < 0)
                return -1;
        pid = atoi(text);
        free(text);
        return pid;
}

static void test_killed_helper_is_replaced(void **state) {
        struct namespace_factory *f = factory();
        pid_t first = only_child();

        if (first <= 0) {
                print_message("no /proc/self/task/TID/children on this kernel\n");
                namespace_factory_free(f);
                skip();
        }
        for (int round = 0; round < 3; round++) {
                auto_fd userns = -EBADF, netns = -EBADF;
                struct err err = { 0 };
                pid_t helper = only_child();

                assert_int_equal(kill(helper, SIGKILL), 0);
                if (round == 1) { /* dead for certain, but not reaped */
                        siginfo_t info;

                        assert_int_equal(waitid(P_PID, (id_t) helper, &info, WEXITED | WNOWAIT), 0);
                }
                if (namespace_make(f, FIRST, COUNT, &userns, &netns, &err) < 0)
                        fail_msg("%s", err.msg);
                assert_int_equal(in_namespaces(userns, netns, check_loopback), 0);
                assert_int_not_equal(only_child(), helper);
        }
        namespace_factory_free(f);
        assert_int_equal(only_child(), 0); /* nothing is left behind, not even a zombie */
}

static void *many(void *arg) {
        struct namespace_factory *f = arg;

        for (int i = 0; i < 8; i++) {
                int userns, netns;

                if (namespace_make(f, FIRST, COUNT, &userns, &netns, NULL) < 0)
                        return (void *) 1;
                fd_close(userns);
                fd_close(netns);
        }
        return NULL;
}

static void test_threads(void **state) {
        struct namespace_factory *f = factory();
        pthread_t threads[4];

        for (int i = 0; i < 4; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, many, f), 0);
        for (int i = 0; i < 4; i++) {
                void *bad;

                pthread_join(threads[i], &bad);
                assert_null(bad);
        }
        namespace_factory_free(f);
}

int main(int argc, char **argv) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ids_and_owner),
                cmocka_unit_test(test_only_userns),
                cmocka_unit_test(test_only_netns),
                cmocka_unit_test(test_refuses_bad_range),
                cmocka_unit_test(test_ids_come_later),
                cmocka_unit_test(test_killed_helper_is_replaced),
                cmocka_unit_test(test_threads),
        };

        if (argc == 2 && !strcmp(argv[1], "namespaces"))
                return namespace_serve(3);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
