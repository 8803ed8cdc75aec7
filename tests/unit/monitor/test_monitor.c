/* SPDX-License-Identifier: Apache-2.0 */

/* The whole monitor, over its protocol, with shell scripts in place of containers (fake_exec.c). This program is also the monitor: see main(). */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "driver.h"
#include "monitor/monitor.h"

enum {
        OUT = MONITOR_ATTACH_STDOUT,
        OUT_ERR = MONITOR_ATTACH_STDOUT | MONITOR_ATTACH_STDERR,
        ALL = OUT_ERR | MONITOR_ATTACH_STDIN,
        INTERACTIVE = MONITOR_OPEN_STDIN | MONITOR_STDIN_ONCE,
};

static int setup(void **state) {
        struct driver *d = calloc(1, sizeof(*d));
        auto_fd self = open("/proc/self/exe", O_PATH | O_CLOEXEC);

        driver_open(d, self, "monitor");
        *state = d;
        return 0;
}

static int teardown(void **state) {
        driver_close(*state);
        free(*state);
        return 0;
}

static void start(struct driver *d, const char *script, uint32_t flags) {
        struct driver_start s = { .flags = flags | MONITOR_LOG_JSON };
        union monitor_message answer;
        auto_fd plan = text_fd(script);

        if (driver_start(d, &s, plan, &answer) != MONITOR_STARTED)
                fail_msg("%s", answer.failed.err.msg);
        assert_true(answer.started.pid > 0);
        assert_true(answer.started.started_unix_ns > 0);
}

static void exec_start(struct driver *d, const char *id, const char *script, uint32_t flags, bool detached) {
        auto_fd plan = text_fd(script);

        assert_int_equal(driver_exec(d, id, plan, flags, detached, NULL), MONITOR_STARTED);
}

/* The container has ended with `status`: everybody was told, and the monitor leaves nothing but "exit" and the log. */
static void expect_end(struct driver *d, int status) {
        assert_int_equal(driver_expect_exited(d, ""), status);
        assert_int_equal(driver_exit_file(d), status);
        assert_false(driver_has_file(d->run_dir, "monitor.sock"));
        assert_false(driver_has_file(d->state_dir, ".tmp-exit"));
        assert_int_equal(driver_wait_monitor(d), 0);
}

static void assert_log_is(const struct driver *d, const char *stream, const char *want) {
        char *text = driver_log(d, stream, NULL);

        assert_string_equal(text, want);
        free(text);
}

/* `size` bytes of lines that differ, as `seq -f %.0f… | head -c` would print them. */
#define NUMBERS(size) "seq 1000000 2000000 | head -c " #size

static char *numbers(size_t size) {
        char *text = malloc(size + 16), *at = text;

        for (unsigned i = 1000000; at < text + size; i++)
                at += sprintf(at, "%u\n", i);
        text[size] = '\0';
        return text;
}

/* --- output, log, exit --- */

static void test_output_and_exit(void **state) {
        struct driver *d = *state;

        start(d, "echo out; echo err >&2; printf unfinished; exit 7", 0);
        expect_end(d, 7);
        assert_log_is(d, "stdout", "out\nunfinished");
        assert_log_is(d, "stderr", "err\n");
}

static void test_killed(void **state) {
        struct driver *d = *state;

        start(d, "sleep 1000", 0);
        assert_int_equal(driver_signal(d, "", 999), MONITOR_FAILED);
        assert_int_equal(driver_signal(d, "", SIGTERM), MONITOR_OK);
        expect_end(d, 128 + SIGTERM);
}

static void test_stdin_is_empty(void **state) {
        struct driver *d = *state;

        start(d, "cat; echo end", 0);
        expect_end(d, 0);
        assert_log_is(d, "stdout", "end\n");
}

static void test_streams_can_be_opened_again(void **state) {
        struct driver *d = *state;

        /* As images do whose log files are links to /dev/stdout and /dev/stderr. */
        start(d, "echo a > /proc/self/fd/1; exec setpriv --reuid 65534 --clear-groups --bounding-set=-all --inh-caps=-all"
                 " sh -c 'echo b > /proc/self/fd/1; echo c > /proc/self/fd/2'", 0);
        expect_end(d, 0);
        assert_log_is(d, "stdout", "a\nb\n");
        assert_log_is(d, "stderr", "c\n");
}

static void test_much_output(void **state) {
        struct driver *d = *state;
        char *want = numbers(3000000);

        start(d, NUMBERS(3000000), 0);
        expect_end(d, 0);
        assert_log_is(d, "stdout", want);
        free(want);
}

/* A background process outside of the pid namespace keeps the pipe: the end does not wait for it. */
static void test_end_does_not_wait_for_others(void **state) {
        struct driver *d = *state;
        time_t begin = time(NULL);

        start(d, "echo first; sleep 30 & echo $! >&2; exit 3", 0);
        assert_int_equal(driver_expect_exited(d, ""), 3);
        assert_true(time(NULL) - begin < 10);
        assert_int_equal(driver_wait_monitor(d), 0);
        assert_log_is(d, "stdout", "first\n");
        char *pid = driver_log(d, "stderr", NULL);

        kill(atoi(pid), SIGKILL);
        free(pid);
}

static void test_end_does_not_wait_for_chatter(void **state) {
        struct driver *d = *state;
        time_t begin = time(NULL);

        start(d, "(while echo chatter; do :; done) & echo $! >&2; exit 0", 0);
        assert_int_equal(driver_expect_exited(d, ""), 0);
        assert_true(time(NULL) - begin < 15);
        assert_int_equal(driver_wait_monitor(d), 0); /* after it the writer gets SIGPIPE */
}

/* --- attach --- */

static void test_attach_before_start(void **state) {
        struct driver *d = *state;
        auto_fd stream = driver_attach(d, "", OUT_ERR | MONITOR_ATTACH_FRAMED, NULL);
        char *data, *out, *err;
        size_t size;

        start(d, "for i in 1 2 3; do echo out $i; echo err $i >&2; done", 0);
        data = read_to_end(stream, &size);
        out = unframe(data, size, 1, NULL);
        err = unframe(data, size, 2, NULL);
        assert_string_equal(out, "out 1\nout 2\nout 3\n");
        assert_string_equal(err, "err 1\nerr 2\nerr 3\n");
        expect_end(d, 0);
        free(data);
        free(out);
        free(err);
}

static void test_attach_to_one_stream(void **state) {
        struct driver *d = *state;
        auto_fd stream = driver_attach(d, "", MONITOR_ATTACH_STDERR, NULL);
        char *data;

        start(d, "echo out; echo err >&2", 0);
        data = read_to_end(stream, NULL);
        assert_string_equal(data, "err\n");
        free(data);
        expect_end(d, 0);
}

/* Send all of `data` and end the writing half, while reading all that comes back. */
static char *converse(int fd, const char *data, size_t size, size_t *ret_size) {
        pid_t writer = fork();
        char *back;

        if (writer == 0)
                _exit(fd_write_all(fd, data, size) == 0 && shutdown(fd, SHUT_WR) == 0 ? 0 : 1);
        back = read_to_end(fd, ret_size);
        return back;
}

static void test_stdin_through_cat(void **state) {
        struct driver *d = *state;
        auto_fd stream = driver_attach(d, "", ALL, NULL);
        char *data = numbers(1000000), *back;

        start(d, "cat", INTERACTIVE);
        back = converse(stream, data, 1000000, NULL);
        assert_string_equal(back, data);
        free(back);
        free(data);
        expect_end(d, 0);
}

/* Without STDIN_ONCE a client that leaves does not end the input. */
static void test_stdin_stays_open(void **state) {
        struct driver *d = *state;
        auto_fd first = -EBADF, second = -EBADF;

        start(d, "while read l; do echo got $l; test $l != end || exit 4; done; exit 9", MONITOR_OPEN_STDIN);
        first = driver_attach(d, "", ALL, NULL);
        assert_int_equal(fd_write_all(first, "one\n", 4), 0);
        read_until(first, "got one\n");
        first = fd_close(first);
        second = driver_attach(d, "", ALL, NULL);
        assert_int_equal(fd_write_all(second, "end\n", 4), 0);
        read_until(second, "got end\n");
        expect_end(d, 4);
}

/* What a client sent before it went is input all the same. */
static void test_input_of_a_client_that_left(void **state) {
        struct driver *d = *state;
        auto_fd stream = driver_attach(d, "", ALL, NULL);

        assert_int_equal(fd_write_all(stream, "last words\n", 11), 0);
        stream = fd_close(stream);
        start(d, "cat", INTERACTIVE);
        expect_end(d, 0);
        assert_log_is(d, "stdout", "last words\n");
}

static void test_input_that_nobody_reads(void **state) {
        struct driver *d = *state;
        auto_fd stream = driver_attach(d, "", ALL, NULL);
        char *data = numbers(300000), *back;

        start(d, "exec <&-; sleep 0.3; echo done", INTERACTIVE);
        back = converse(stream, data, 300000, NULL);
        assert_string_equal(back, "done\n");
        free(back);
        free(data);
        expect_end(d, 0);
}

static void test_slow_client(void **state) {
        struct driver *d = *state;
        auto_fd stream = driver_attach(d, "", OUT | MONITOR_ATTACH_FRAMED, NULL);
        char *want = numbers(1000000), *data = malloc(2000000), *out;
        size_t size = 0;
        ssize_t n;

        start(d, NUMBERS(1000000) "; exit 5", 0);
        while ((n = read(stream, data + size, 7001)) > 0) {
                size += (size_t) n;
                usleep(2000);
        }
        out = unframe(data, size, 1, NULL);
        assert_string_equal(out, want);
        expect_end(d, 5);
        assert_log_is(d, "stdout", want);
        free(data);
        free(out);
        free(want);
}

/* Back-pressure holds the container, but once it is dead its exit is known at once; the client still gets all. */
static void test_stuck_client_does_not_hide_the_exit(void **state) {
        struct driver *d = *state;
        auto_fd stream = driver_attach(d, "", OUT, NULL), small = -EBADF;
        char *want = numbers(1000000), *data;
        int room = 4608;

        setsockopt(stream, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
        start(d, NUMBERS(1000000) "; exit 6", 0);
        usleep(300000); /* nobody reads: the socket is full, then the chunk, then the pipe */
        assert_int_equal(driver_signal(d, "", SIGKILL), MONITOR_OK);
        assert_int_equal(driver_expect_exited(d, ""), 137);
        assert_int_equal(driver_exit_file(d), 137);
        data = read_to_end(stream, NULL);
        assert_true(strlen(data) >= 65536);
        assert_memory_equal(data, want, strlen(data));
        assert_log_is(d, "stdout", data);
        assert_int_equal(driver_wait_monitor(d), 0);
        free(data);
        free(want);
}

static void test_client_that_leaves_frees_the_container(void **state) {
        struct driver *d = *state;
        auto_fd stuck = driver_attach(d, "", OUT, NULL), other = driver_attach(d, "", OUT, NULL);
        char *want = numbers(2000000), *data;

        start(d, "read go; " NUMBERS(2000000), MONITOR_OPEN_STDIN);
        auto_fd in = driver_attach(d, "", MONITOR_ATTACH_STDIN, NULL);
        assert_int_equal(fd_write_all(in, "go\n", 3), 0);
        usleep(200000);
        stuck = fd_close(stuck);
        data = read_to_end(other, NULL);
        assert_string_equal(data, want);
        expect_end(d, 0);
        free(data);
        free(want);
}

static void test_many_clients(void **state) {
        struct driver *d = *state;
        union monitor_message m = { .attach = { .header.type = MONITOR_ATTACH, .flags = OUT } }, answer;
        int streams[MONITOR_CLIENTS_MAX], pair[2];

        for (int i = 0; i < MONITOR_CLIENTS_MAX; i++)
                streams[i] = driver_attach(d, "", OUT, NULL);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        assert_int_equal(driver_ask(d, &m, sizeof(m.attach), pair, 1, &answer), MONITOR_FAILED);
        assert_int_equal(answer.failed.err.kind, ERR_CONFLICT);
        close(pair[0]);
        close(pair[1]);
        start(d, NUMBERS(20000), 0);
        for (int i = 0; i < MONITOR_CLIENTS_MAX; i++) {
                char *want = numbers(20000), *data = read_to_end(streams[i], NULL);

                assert_string_equal(data, want);
                free(data);
                free(want);
                close(streams[i]);
        }
        expect_end(d, 0);
}

/* --- terminal --- */

static void test_terminal(void **state) {
        struct driver *d = *state;
        struct driver_start s = { .flags = MONITOR_TTY | MONITOR_OPEN_STDIN | MONITOR_LOG_JSON, .rows = 30, .columns = 100 };
        auto_fd stream = driver_attach(d, "", ALL | MONITOR_ATTACH_FRAMED, NULL); /* frames: not with a terminal */
        auto_fd plan = text_fd("#tty\nstty -echo; echo ready; while read l; do stty size; test \"$l\" != end || exit 0; done");

        assert_int_equal(driver_resize(d, "", 1, 1), MONITOR_FAILED);
        assert_int_equal(driver_start(d, &s, plan, NULL), MONITOR_STARTED);
        read_until(stream, "ready\r\n");
        assert_int_equal(fd_write_all(stream, "x\n", 2), 0);
        read_until(stream, "30 100\r\n");
        assert_int_equal(driver_resize(d, "", 40, 132), MONITOR_OK);
        assert_int_equal(fd_write_all(stream, "end\n", 4), 0);
        read_until(stream, "40 132\r\n");
        expect_end(d, 0);
}

static void test_terminal_output_is_whole(void **state) {
        struct driver *d = *state;
        auto_fd stream = driver_attach(d, "", OUT, NULL);
        char *data, *log;

        start(d, "#tty\nstty -onlcr; " NUMBERS(500000), MONITOR_TTY);
        data = read_to_end(stream, NULL);
        expect_end(d, 0);
        log = numbers(500000);
        assert_string_equal(data, log);
        free(log);
        log = driver_log(d, "stdout", NULL);
        assert_string_equal(data, log);
        free(log);
        free(data);
}

static void test_detach_keys(void **state) {
        struct driver *d = *state;
        auto_fd stream = driver_attach(d, "", ALL, "\x10\x11"), again = -EBADF;
        char *rest;

        start(d, "#tty\nstty raw -echo; echo ready; dd bs=1 count=6 2>/dev/null | od -An -c; sleep 1000", MONITOR_TTY | INTERACTIVE);
        read_until(stream, "ready");
        /* Half of the keys, twice, then something else: it was input after all. */
        assert_int_equal(fd_write_all(stream, "a\x10", 2), 0);
        assert_int_equal(fd_write_all(stream, "\x10z", 2), 0);
        assert_int_equal(fd_write_all(stream, "b\x10", 2), 0);
        assert_int_equal(fd_write_all(stream, "\x11", 1), 0);
        rest = read_to_end(stream, NULL);
        free(rest);
        driver_expect_detached(d, "");
        again = driver_attach(d, "", ALL, "\x10\x11");
        assert_int_equal(fd_write_all(again, "c", 1), 0);
        read_until(again, "a 020 020   z   b   c");
        assert_int_equal(driver_signal(d, "", SIGKILL), MONITOR_OK);
        expect_end(d, 137);
}

/* Without a terminal they are bytes like others. */
static void test_detach_keys_in_a_pipe(void **state) {
        struct driver *d = *state;
        auto_fd stream = driver_attach(d, "", ALL, "\x10\x11");
        char *back;
        size_t n;

        start(d, "cat", INTERACTIVE);
        back = converse(stream, "a\x10\x11z", 4, &n);
        assert_int_equal(n, 4);
        assert_memory_equal(back, "a\x10\x11z", 4);
        free(back);
        expect_end(d, 0);
}

/* --- exec --- */

static void test_exec(void **state) {
        struct driver *d = *state;
        char *data, *out;
        auto_fd stream = -EBADF;
        size_t size;

        start(d, "sleep 1000", 0);
        exec_start(d, "e1", "echo held; exit 42", 0, false);
        usleep(300000); /* it is long over, but its output and its end wait for the client */
        stream = driver_attach(d, "e1", OUT_ERR | MONITOR_ATTACH_FRAMED, NULL);
        data = read_to_end(stream, &size);
        out = unframe(data, size, 1, NULL);
        assert_string_equal(out, "held\n");
        free(out);
        free(data);
        assert_int_equal(driver_expect_exited(d, "e1"), 42);
        assert_int_equal(driver_signal(d, "e1", SIGTERM), MONITOR_FAILED); /* gone */
        assert_int_equal(driver_signal(d, "", SIGKILL), MONITOR_OK);
        expect_end(d, 137);
        assert_log_is(d, "stdout", ""); /* an exec's output is not the container's */
}

static void test_exec_input(void **state) {
        struct driver *d = *state;
        char *data = numbers(200000), *back;
        auto_fd stream = -EBADF;

        start(d, "sleep 1000", 0);
        exec_start(d, "e1", "cat; exit 3", MONITOR_OPEN_STDIN, false);
        stream = driver_attach(d, "e1", ALL, NULL);
        back = converse(stream, data, 200000, NULL);
        assert_string_equal(back, data);
        assert_int_equal(driver_expect_exited(d, "e1"), 3);
        free(data);
        free(back);
}

static void test_exec_terminal(void **state) {
        struct driver *d = *state;
        auto_fd stream = -EBADF;

        start(d, "sleep 1000", 0);
        exec_start(d, "e1", "#tty\necho ready; read l; stty size; exit 0", MONITOR_TTY | MONITOR_OPEN_STDIN, false);
        stream = driver_attach(d, "e1", ALL, NULL);
        read_until(stream, "ready");
        assert_int_equal(driver_resize(d, "e1", 7, 70), MONITOR_OK);
        assert_int_equal(fd_write_all(stream, "x\n", 2), 0);
        read_until(stream, "7 70");
        assert_int_equal(driver_expect_exited(d, "e1"), 0);
}

static void test_exec_detached(void **state) {
        struct driver *d = *state;

        start(d, "sleep 1000", 0);
        exec_start(d, "e1", NUMBERS(300000) "; exit 8", 0, true);
        assert_int_equal(driver_expect_exited(d, "e1"), 8);
        exec_start(d, "e2", "#tty\n" NUMBERS(300000) "; exit 9", MONITOR_TTY, true);
        assert_int_equal(driver_expect_exited(d, "e2"), 9);
}

/* A daemon started by an exec goes on and does not keep the exec from ending; writing to its old output does not kill it. */
static void test_exec_leaves_a_daemon(void **state) {
        struct driver *d = *state;
        auto_fd stream = -EBADF;
        char *data;

        start(d, "read l; echo $l; exit 0", MONITOR_OPEN_STDIN);
        exec_start(d, "e1", "echo started; (sleep 1; echo lost && touch \"$PWD/../proc/self/fd\" 2>/dev/null; sleep 1000) & exit 0", 0, false);
        stream = driver_attach(d, "e1", OUT_ERR, NULL);
        data = read_to_end(stream, NULL);
        assert_string_equal(data, "started\n");
        free(data);
        assert_int_equal(driver_expect_exited(d, "e1"), 0);
        assert_int_equal(driver_reconnect(d).n_execs, 0);
}

static void test_exec_slots(void **state) {
        struct driver *d = *state;
        union monitor_message answer;
        auto_fd plan = text_fd("sleep 1000");
        char id[16];

        start(d, "sleep 1000", 0);
        for (int i = 0; i < MONITOR_EXEC_MAX; i++) {
                snprintf(id, sizeof(id), "e%d", i);
                exec_start(d, id, "sleep 1000", 0, true);
        }
        assert_int_equal(driver_exec(d, "more", plan, 0, true, &answer), MONITOR_FAILED);
        assert_non_null(strstr(answer.failed.err.msg, "too many"));
        assert_int_equal(driver_exec(d, "e0", plan, 0, true, &answer), MONITOR_FAILED);
        assert_int_equal(driver_reconnect(d).n_execs, MONITOR_EXEC_MAX);
        assert_int_equal(driver_signal(d, "e5", SIGTERM), MONITOR_OK);
        assert_int_equal(driver_expect_exited(d, "e5"), 128 + SIGTERM);
        assert_int_equal(driver_exec(d, "more", plan, 0, true, &answer), MONITOR_STARTED);
        /* The container's end is that of its execs, and the last thing that is said. */
        assert_int_equal(driver_signal(d, "", SIGKILL), MONITOR_OK);
        for (int i = 0; i < MONITOR_EXEC_MAX; i++) {
                assert_int_equal(driver_receive(d, &answer), sizeof(answer.exited));
                assert_int_equal(answer.header.type, MONITOR_EXITED);
                assert_true(answer.exited.exec_id[0]);
                assert_int_equal(answer.exited.status, 137);
        }
        expect_end(d, 137);
}

static void test_exec_fails(void **state) {
        struct driver *d = *state;
        union monitor_message answer;
        auto_fd plan = text_fd("#fail");

        assert_int_equal(driver_exec(d, "e1", plan, 0, false, &answer), MONITOR_FAILED); /* nothing runs yet */
        start(d, "sleep 1000", 0);
        assert_int_equal(driver_exec(d, "e1", plan, 0, false, &answer), MONITOR_FAILED);
        assert_int_equal(answer.failed.err.kind, ERR_NO_COMMAND);
        assert_int_equal(driver_reconnect(d).n_execs, 0);
}

/* --- the daemon dies --- */

static void test_daemon_dies_before_start(void **state) {
        struct driver *d = *state;

        d->control = fd_close(d->control);
        assert_int_equal(driver_wait_monitor(d), 0);
}

static void test_daemon_dies(void **state) {
        struct driver *d = *state;
        auto_fd stream = driver_attach(d, "", ALL, NULL);
        struct monitor_hello hello;
        char *data;

        start(d, "while read l; do echo got $l; done; exit 11", INTERACTIVE);
        d->control = fd_close(d->control);
        assert_int_equal(fd_write_all(stream, "alone\n", 6), 0);
        read_until(stream, "got alone\n");
        hello = driver_reconnect(d);
        assert_int_equal(hello.flags, INTERACTIVE | MONITOR_LOG_JSON);
        assert_true(hello.init_pid > 0 && kill(hello.init_pid, 0) == 0);
        assert_true(hello.started_unix_ns > 0);
        assert_int_equal(shutdown(stream, SHUT_WR), 0);
        data = read_to_end(stream, NULL);
        free(data);
        expect_end(d, 11);
}

static void test_ends_while_no_daemon_is_there(void **state) {
        struct driver *d = *state;

        start(d, "sleep 0.3; echo unseen; exit 12", 0);
        d->control = fd_close(d->control);
        assert_int_equal(driver_wait_monitor(d), 0);
        assert_int_equal(driver_exit_file(d), 12);
        assert_log_is(d, "stdout", "unseen\n");
}

static void test_signals_do_not_end_it(void **state) {
        static const int signals[] = { SIGTERM, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGUSR1 };
        struct driver *d = *state;

        start(d, "trap '' KILL; kill -TERM $$; exit 1", 0); /* and the container has not inherited a deaf ear */
        expect_end(d, 128 + SIGTERM);
        teardown(state);
        setup(state);
        d = *state;
        start(d, "sleep 1000", 0);
        for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
                assert_int_equal(kill(d->monitor, signals[i]), 0);
        assert_int_equal(driver_signal(d, "", SIGKILL), MONITOR_OK);
        expect_end(d, 137);
}

/* --- failures --- */

static void test_start_fails(void **state) {
        struct driver *d = *state;
        struct driver_start s = { .flags = MONITOR_LOG_JSON };
        auto_fd stream = driver_attach(d, "", OUT, NULL), copy = dup(stream), plan = text_fd("#fail");
        union monitor_message answer;
        char *data;

        assert_int_equal(driver_start(d, &s, plan, &answer), MONITOR_FAILED);
        assert_int_equal(answer.failed.err.kind, ERR_NO_COMMAND);
        assert_string_equal(answer.failed.err.msg, "exec: /no/such: No such file or directory");
        data = read_to_end(stream, NULL);
        assert_string_equal(data, "");
        free(data);
        assert_int_equal(driver_wait_monitor(d), 1);
        assert_int_equal(driver_exit_file(d), -1);
        assert_false(driver_has_file(d->state_dir, ".tmp-exit"));
        assert_false(driver_has_file(d->run_dir, "monitor.sock"));
}

static void test_malformed_messages(void **state) {
        struct driver *d = *state;
        union monitor_message m = { .header.type = 77 }, answer;
        auto_fd file = text_fd("x");
        int many[MONITOR_FDS_MAX];

        assert_int_equal(driver_ask(d, &m, sizeof(m.header), NULL, 0, NULL), MONITOR_FAILED);
        m.header.type = MONITOR_ATTACH; /* too short */
        assert_int_equal(driver_ask(d, &m, sizeof(m.header), NULL, 0, NULL), MONITOR_FAILED);
        assert_int_equal(driver_ask(d, &m, sizeof(m.attach), NULL, 0, NULL), MONITOR_FAILED); /* no stream */
        assert_int_equal(driver_ask(d, &m, sizeof(m.attach), &file, 1, &answer), MONITOR_FAILED); /* not a socket */
        memset(m.attach.exec_id, 'a', sizeof(m.attach.exec_id)); /* no NUL */
        assert_int_equal(driver_ask(d, &m, sizeof(m.attach), &file, 1, &answer), MONITOR_FAILED);
        assert_int_equal(answer.failed.err.kind, ERR_INVALID);
        start(d, "sleep 1000", 0);
        m = (union monitor_message) { .start = { .header.type = MONITOR_START, .id = "x" } };
        assert_int_equal(driver_ask(d, &m, sizeof(m.start), NULL, 0, NULL), MONITOR_FAILED); /* a second one */
        for (size_t i = 0; i < MONITOR_FDS_MAX; i++)
                many[i] = file;
        m = (union monitor_message) { .exec = { .header.type = MONITOR_EXEC, .exec_id = "x", .n_cgroup_v1 = 4000000000u } };
        assert_int_equal(driver_ask(d, &m, sizeof(m.exec), many, MONITOR_FDS_MAX, NULL), MONITOR_FAILED);
        assert_int_equal(driver_signal(d, "nobody", SIGTERM), MONITOR_FAILED);
        assert_int_equal(driver_signal(d, "", SIGKILL), MONITOR_OK); /* all that did no harm */
        expect_end(d, 137);
}

static void test_bad_start(void **state) {
        struct driver *d = *state;
        union monitor_message m = { .start = { .header.type = MONITOR_START, .id = "../x", .fd_mask = 1 } };
        auto_fd plan = text_fd("exit 0");

        assert_int_equal(driver_ask(d, &m, sizeof(m.start), &plan, 1, NULL), MONITOR_FAILED);
        assert_int_equal(driver_wait_monitor(d), 1);
}

static void test_old_exit_file_is_gone(void **state) {
        struct driver *d = *state;
        struct monitor_exit_file old = { MONITOR_EXIT_MAGIC, 99, 1, 2 };

        assert_int_equal(file_write_atomic_at(d->state_dir, "exit", &old, sizeof(old), 0600, false), 0);
        start(d, "sleep 1000", 0);
        assert_int_equal(driver_exit_file(d), -1);
        assert_int_equal(driver_signal(d, "", SIGKILL), MONITOR_OK);
        expect_end(d, 137);
}

int main(int argc, char **argv) {
#define row(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        static const struct CMUnitTest tests[] = {
                row(test_output_and_exit),
                row(test_killed),
                row(test_stdin_is_empty),
                row(test_streams_can_be_opened_again),
                row(test_much_output),
                row(test_end_does_not_wait_for_others),
                row(test_end_does_not_wait_for_chatter),
                row(test_attach_before_start),
                row(test_attach_to_one_stream),
                row(test_stdin_through_cat),
                row(test_stdin_stays_open),
                row(test_input_of_a_client_that_left),
                row(test_input_that_nobody_reads),
                row(test_slow_client),
                row(test_stuck_client_does_not_hide_the_exit),
                row(test_client_that_leaves_frees_the_container),
                row(test_many_clients),
                row(test_terminal),
                row(test_terminal_output_is_whole),
                row(test_detach_keys),
                row(test_detach_keys_in_a_pipe),
                row(test_exec),
                row(test_exec_input),
                row(test_exec_terminal),
                row(test_exec_detached),
                row(test_exec_leaves_a_daemon),
                row(test_exec_slots),
                row(test_exec_fails),
                row(test_daemon_dies_before_start),
                row(test_daemon_dies),
                row(test_ends_while_no_daemon_is_there),
                row(test_signals_do_not_end_it),
                row(test_start_fails),
                row(test_malformed_messages),
                row(test_bad_start),
                row(test_old_exit_file_is_gone),
        };

        if (argc == 2 && !strcmp(argv[1], "monitor"))
                return monitor_run(START_SOCKET);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
