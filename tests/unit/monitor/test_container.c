/* SPDX-License-Identifier: Apache-2.0 */

/* kist-monitor itself, with real containers: plan, executor, user namespace. What needs no container is in test_monitor.c. */

#include "../runtime/container.h"

#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "base/proc.h"
#include "driver.h"

enum { ALL = MONITOR_ATTACH_STDIN | MONITOR_ATTACH_STDOUT | MONITOR_ATTACH_STDERR };

struct fixture {
        struct driver d;
        struct container c;
};

/* In memory, as proc_seal_program() has it for the daemon: that also decides how its pages are counted. */
static int program_in_memory(void) {
        auto_fd file = open(KIST_MONITOR, O_RDONLY | O_CLOEXEC), mem = memfd_create("kist-monitor", MFD_CLOEXEC);

        assert_true(file >= 0 && mem >= 0);
        while (sendfile(mem, file, NULL, 1 << 20) > 0)
                ;
        return move_fd(mem);
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));
        auto_fd program = program_in_memory();

        container_init(&f->c, USERNS_BY_FD, "true");
        driver_open(&f->d, program, NULL);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        driver_close(&f->d);
        container_done(&f->c);
        free(f);
        return 0;
}

static uint32_t start(struct fixture *f, const char *script, uint32_t flags, union monitor_message *answer) {
        struct driver_start s = { .flags = flags | MONITOR_LOG_JSON, .rows = 33, .columns = 99 };

        json_array_set_new(json_object_get(in_config(&f->c, "process"), "args"), 2, json_string(script));
        if (flags & MONITOR_TTY)
                container_set(&f->c, "process", "terminal", json_true());
        if (plan_container(f->c.config, &f->c.options, &f->c.fds.plan, &f->c.err) < 0)
                fail_msg("%s", f->c.err.msg);
        s.fds[MONITOR_FD_ROOTFS] = f->c.fds.rootfs;
        s.fds[MONITOR_FD_USERNS] = f->c.fds.userns;
        s.fds[MONITOR_FD_NETNS] = f->c.fds.netns;
        return driver_start(&f->d, &s, f->c.fds.plan, answer);
}

static void start_ok(struct fixture *f, const char *script, uint32_t flags) {
        union monitor_message answer;

        if (start(f, script, flags, &answer) != MONITOR_STARTED)
                fail_msg("%s", answer.failed.err.msg);
}

static int exec_plan(struct fixture *f, const char *script, bool terminal) {
        json_t *process = json_deep_copy(in_config(&f->c, "process"));
        struct err err;
        int fd;

        json_array_set_new(json_object_get(process, "args"), 2, json_string(script));
        json_object_set_new(process, "terminal", json_boolean(terminal));
        if (plan_process(process, f->c.config, &f->c.options, &fd, &err) < 0)
                fail_msg("%s", err.msg);
        json_decref(process);
        return fd;
}

static void test_run(void **state) {
        struct fixture *f = *state;
        char *text;

        start_ok(f, "id -u; echo to stderr >&2; echo again > /dev/stdout; exit 17", 0);
        assert_int_equal(driver_expect_exited(&f->d, ""), 17);
        assert_int_equal(driver_exit_file(&f->d), 17);
        assert_int_equal(driver_wait_monitor(&f->d), 0);
        text = driver_log(&f->d, "stdout", NULL);
        assert_string_equal(text, "0\nagain\n");
        free(text);
        text = driver_log(&f->d, "stderr", NULL);
        assert_string_equal(text, "to stderr\n");
        free(text);
}

static void test_payload_sees_three_fds(void **state) {
        struct fixture *f = *state;
        char *text;

        start_ok(f, "ls /proc/self/fd", 0);
        assert_int_equal(driver_expect_exited(&f->d, ""), 0);
        text = driver_log(&f->d, "stdout", NULL);
        /* The fourth is the directory that ls reads. */
        assert_string_equal(text, "0\n1\n2\n3\n");
        free(text);
}

/* The monitor's deafness is its own. */
static void test_payload_has_default_signals(void **state) {
        struct fixture *f = *state;
        char *text;

        /* Without a shell, which has its own ideas. */
        container_set(&f->c, "process", "args", json_pack("[s,s,s,s]", "grep", "-E", "?", "/proc/self/status"));
        start_ok(f, "Sig(Blk|Ign|Cgt):", 0);
        assert_int_equal(driver_expect_exited(&f->d, ""), 0);
        text = driver_log(&f->d, "stdout", NULL);
        assert_string_equal(text, "SigBlk:\\u00090000000000000000\nSigIgn:\\u00090000000000000000\nSigCgt:\\u00090000000000000000\n");
        free(text);
}

static void test_no_such_command(void **state) {
        struct fixture *f = *state;
        union monitor_message answer;

        json_array_set_new(json_object_get(in_config(&f->c, "process"), "args"), 0, json_string("/no/such"));
        assert_int_equal(start(f, "true", 0, &answer), MONITOR_FAILED);
        assert_int_equal(answer.failed.err.kind, ERR_NO_COMMAND);
        assert_int_equal(driver_wait_monitor(&f->d), 1);
}

static void test_attach_with_stdin(void **state) {
        struct fixture *f = *state;
        auto_fd stream = driver_attach(&f->d, "", ALL, NULL);
        char *back;

        start_ok(f, "cat; exit 2", MONITOR_OPEN_STDIN | MONITOR_STDIN_ONCE);
        assert_int_equal(fd_write_all(stream, "through a container\n", 20), 0);
        assert_int_equal(shutdown(stream, SHUT_WR), 0);
        back = read_to_end(stream, NULL);
        assert_string_equal(back, "through a container\n");
        free(back);
        assert_int_equal(driver_expect_exited(&f->d, ""), 2);
}

static void test_terminal(void **state) {
        struct fixture *f = *state;
        auto_fd stream = driver_attach(&f->d, "", ALL, NULL);

        start_ok(f, "tty; read x; stty size; read x; stty size; exit 0", MONITOR_TTY | MONITOR_OPEN_STDIN);
        read_until(stream, "/dev/");
        assert_int_equal(fd_write_all(stream, "\n", 1), 0);
        read_until(stream, "33 99");
        assert_int_equal(driver_resize(&f->d, "", 44, 111), MONITOR_OK);
        assert_int_equal(fd_write_all(stream, "\n", 1), 0);
        read_until(stream, "44 111");
        assert_int_equal(driver_expect_exited(&f->d, ""), 0);
}

static void test_exec(void **state) {
        struct fixture *f = *state;
        auto_fd plan = -EBADF, stream = -EBADF, terminal_plan = -EBADF, terminal = -EBADF;
        union monitor_message answer;
        char *text;

        start_ok(f, "sleep 1000", 0);
        plan = exec_plan(f, "hostname; read x; echo $x; echo again > /dev/stdout; exit 31", false);
        if (driver_exec(&f->d, "e1", plan, MONITOR_OPEN_STDIN, false, &answer) != MONITOR_STARTED)
                fail_msg("%s", answer.failed.err.msg);
        stream = driver_attach(&f->d, "e1", ALL, NULL);
        assert_int_equal(fd_write_all(stream, "word\n", 5), 0);
        text = read_to_end(stream, NULL);
        assert_string_equal(text, "kist-test\nword\nagain\n");
        free(text);
        assert_int_equal(driver_expect_exited(&f->d, "e1"), 31);

        terminal_plan = exec_plan(f, "read x; stty size", true);
        if (driver_exec(&f->d, "e2", terminal_plan, MONITOR_TTY | MONITOR_OPEN_STDIN, false, &answer) != MONITOR_STARTED)
                fail_msg("%s", answer.failed.err.msg);
        terminal = driver_attach(&f->d, "e2", ALL, NULL);
        assert_int_equal(driver_resize(&f->d, "e2", 5, 55), MONITOR_OK);
        assert_int_equal(fd_write_all(terminal, "\n", 1), 0);
        read_until(terminal, "5 55");
        assert_int_equal(driver_expect_exited(&f->d, "e2"), 0);
}

/* The kernel ends all that is in the pid namespace, and with it whoever held the pipes: nothing waits for a time-out. */
static void test_init_takes_all_with_it(void **state) {
        struct fixture *f = *state;
        auto_fd plan = -EBADF;
        union monitor_message answer;

        start_ok(f, "sleep 1000 & read x; exit 4", 0);
        assert_int_equal(driver_expect_exited(&f->d, ""), 4);
        assert_int_equal(driver_wait_monitor(&f->d), 0);
        teardown(state);
        setup(state);
        f = *state;
        start_ok(f, "sleep 1000", 0);
        plan = exec_plan(f, "sleep 1000", false);
        assert_int_equal(driver_exec(&f->d, "e1", plan, 0, true, &answer), MONITOR_STARTED);
        assert_int_equal(driver_signal(&f->d, "", SIGKILL), MONITOR_OK);
        assert_int_equal(driver_expect_exited(&f->d, "e1"), 137);
        assert_int_equal(driver_expect_exited(&f->d, ""), 137);
}

static void test_daemon_dies(void **state) {
        struct fixture *f = *state;
        char *text;

        start_ok(f, "for i in 1 2 3 4 5; do echo $i; sleep 0.1; done; exit 21", 0);
        f->d.control = fd_close(f->d.control);
        assert_true(driver_reconnect(&f->d).init_pid > 0);
        f->d.control = fd_close(f->d.control);
        assert_int_equal(driver_wait_monitor(&f->d), 0);
        assert_int_equal(driver_exit_file(&f->d), 21);
        text = driver_log(&f->d, "stdout", NULL);
        assert_string_equal(text, "1\n2\n3\n4\n5\n");
        free(text);
}

static void test_memory(void **state) {
        struct fixture *f = *state;
        char path[64], *text = NULL, *pss;

        start_ok(f, "echo some output; sleep 1000", 0);
        usleep(200000);
        snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int) f->d.monitor);
        if (file_read_at(AT_FDCWD, path, 65536, &text, NULL) < 0)
                text = NULL;
        if (KIST_SANITIZED || !text) {
                free(text);
                print_message("memory can be measured only of a plain build, with /proc/PID/smaps_rollup\n");
                skip();
                return;
        }
        pss = strstr(text, "\nPss:");
        assert_non_null(pss);
        print_message("# one idle monitor: %d kB PSS\n", atoi(pss + 5));
        assert_in_range(atoi(pss + 5), 1, 499);
        free(text);
}

int main(void) {
#define row(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        static const struct CMUnitTest tests[] = {
                row(test_run),
                row(test_payload_sees_three_fds),
                row(test_payload_has_default_signals),
                row(test_no_such_command),
                row(test_attach_with_stdin),
                row(test_terminal),
                row(test_exec),
                row(test_init_takes_all_with_it),
                row(test_daemon_dies),
                row(test_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
