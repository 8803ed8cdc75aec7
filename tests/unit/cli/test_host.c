/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/host.h"
#include "place.h"

static void what_is_an_address(void **state) {
        static const char *const good[] = {
                "/run/x.sock", "unix:///run/x.sock", "tcp://box", "tcp://box:2376", "tcp://10.0.0.1:1", "tcp://[::1]:65535", "tcp://[fe80::1%eth0]:5", "tcp://box/",
                "ssh://box", "ssh://me@box", "ssh://me.x-y_z@box:22/run/kist.sock", "ssh://[::1]:22", "ssh://box/",
        };
        static const char *const bad[] = {
                "", "box", "unix://", "unix:///", "unix://run/x.sock", "http://box", "tcp://", "tcp://:1", "tcp://box:", "tcp://box:0", "tcp://box:65536", "tcp://box:1x", "tcp://box:+1",
                "tcp://me@box:1", "tcp://box:1/path", "tcp://[::1", "tcp://[::1]x", "tcp://[]:1", "tcp://b ox", "tcp://box\n", "ssh://",
                /* what ssh would take for an option, or the shell at the other end for more than a word */
                "ssh://-oProxyCommand=x", "ssh://-l@box", "ssh://me@-box", "ssh://@box", "ssh://m e@box", "ssh://box/a b", "ssh://box/a;b", "ssh://box/$(x)", "ssh://box/`x`",
                "ssh://box/a'b", "ssh://box/a\nb", "ssh://box:22;x/", "ssh://[-x]", "ssh://a@b@c",
        };
        struct err err = { 0 };
        char endless[2000];

        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                if (host_check(good[i], &err) < 0)
                        fail_msg("%s", err.msg);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                int fd = -EBADF;

                if (host_check(bad[i], &err) != -EINVAL)
                        fail_msg("%s is taken", bad[i]);
                assert_int_equal(err.kind, ERR_INVALID);
                assert_int_equal(host_open(bad[i], &fd, &err), -EINVAL);
                assert_int_equal(fd, -EBADF);
        }
        memset(endless, 'a', sizeof(endless));
        endless[sizeof(endless) - 1] = '\0';
        for (int i = 0; i < 4; i++) {
                static const char *const forms[] = { "tcp://%s", "ssh://%s", "ssh://%s@box", "ssh://box/%s" };
                char address[2100];

                snprintf(address, sizeof(address), forms[i], endless);
                assert_int_equal(host_check(address, &err), -EINVAL);
        }
}

static void a_socket_is_reached_or_named(void **state) {
        auto_free char *path = place_path("x.sock"), *address = str_format("unix://%s", path), *missing = place_path("none.sock");
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        auto_fd listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct err err = { 0 };
        char endless[200];
        int fd = -EBADF;

        assert_true(host_open(missing, &fd, &err) < 0);
        assert_int_equal(err.kind, ERR_UNAVAILABLE);
        assert_non_null(strstr(err.msg, missing));
        assert_non_null(strstr(err.msg, "is it running?"));
        snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
        assert_int_equal(bind(listener, (struct sockaddr *) &name, sizeof(name)), 0);
        assert_int_equal(listen(listener, 5), 0);
        assert_int_equal(host_open(address, &fd, &err), 0);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        close(fd);
        assert_int_equal(host_open(path, &fd, &err), 0);
        close(fd);
        /* One that is there, and nobody listens. */
        listener = fd_close(listener);
        fd = -EBADF;
        assert_int_equal(host_open(path, &fd, &err), -ECONNREFUSED);
        assert_non_null(strstr(err.msg, "is it running?"));
        memset(endless, 'a', sizeof(endless));
        memcpy(endless, "unix:///", 8);
        endless[sizeof(endless) - 1] = '\0';
        assert_int_equal(host_open(endless, &fd, &err), -ENAMETOOLONG);
        assert_int_equal(fd, -EBADF);
}

static void what_ssh_is_told(void **state) {
        static const struct {
                const char *address, *want;
        } rows[] = {
                { "ssh://box", "-T|-o|ConnectTimeout=30|--|box|kist system dial-stdio|" },
                { "ssh://me@box:2222", "-T|-o|ConnectTimeout=30|-l|me|-p|2222|--|box|kist system dial-stdio|" },
                { "ssh://[::1]/run/k.sock", "-T|-o|ConnectTimeout=30|--|::1|kist --host unix:///run/k.sock system dial-stdio|" },
        };

        place_write("ssh", "#!/bin/sh\nprintf '%s|' \"$@\"\n", 0755);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct err err = { 0 };
                char got[400];
                size_t size = 0;
                int fd = -EBADF;
                ssize_t n;

                assert_int_equal(host_open(rows[i].address, &fd, &err), 0);
                while ((n = read(fd, got + size, sizeof(got) - 1 - size)) > 0)
                        size += (size_t) n;
                got[size] = '\0';
                close(fd);
                assert_string_equal(got, rows[i].want);
                assert_true(wait(NULL) > 0);
        }
}

enum { MUCH = 3 << 20 };

/* The other end sends much before it reads anything, and the input is as much: neither may wait for the other. */
static void both_directions_at_once(void **state) {
        int stream[2], in[2], out[2], status = -1;
        static char data[65536];
        size_t got = 0, back = 0;
        pid_t pump, source, far;
        ssize_t n;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream), 0);
        assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
        pump = fork();
        if (pump == 0) {
                dup2(in[0], STDIN_FILENO);
                dup2(out[1], STDOUT_FILENO);
                close(in[1]);
                close(out[1]);
                close(stream[1]);
                _exit(host_pump_stdio(stream[0], NULL) == 0 ? 0 : 1);
        }
        source = fork();
        if (source == 0) {
                close(stream[1]);
                close(out[1]);
                for (size_t i = 0; i < MUCH; i += sizeof(data))
                        if (fd_write_all(in[1], data, sizeof(data)) < 0)
                                _exit(1);
                _exit(0);
        }
        far = fork();
        if (far == 0) {
                close(stream[0]);
                close(in[1]); /* who holds it keeps the input from its end */
                close(out[1]);
                for (size_t i = 0; i < MUCH; i += sizeof(data))
                        if (fd_write_all(stream[1], data, sizeof(data)) < 0)
                                _exit(1);
                while ((n = read(stream[1], data, sizeof(data))) > 0)
                        got += (size_t) n;
                /* The end of the input came through; what is said after it does, too. */
                fd_write_all(stream[1], got == MUCH ? "all" : "some", got == MUCH ? 3 : 4);
                _exit(0);
        }
        close(stream[0]);
        close(stream[1]);
        close(in[0]);
        close(in[1]);
        close(out[1]);
        while ((n = read(out[0], data, sizeof(data))) > 0)
                back += (size_t) n;
        close(out[0]);
        assert_int_equal(back, MUCH + 3);
        for (int i = 0; i < 3; i++) {
                assert_true(wait(&status) > 0);
                assert_int_equal(status, 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_an_address),
                cmocka_unit_test(a_socket_is_reached_or_named),
                cmocka_unit_test(what_ssh_is_told),
                cmocka_unit_test(both_directions_at_once),
        };
        signal(SIGPIPE, SIG_IGN); /* as kist does */
        return cmocka_run_group_tests(tests, place_make, place_remove);
}
