/* SPDX-License-Identifier: Apache-2.0 */

/* SCMP_ACT_NOTIFY: this program is the agent that the system calls of a container are asked of. */

#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "container.h"

struct agent {
        char dir[64], path[80];
        int sock;
};

static void agent_init(struct agent *a) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        strcpy(a->dir, "/tmp/kist-agent-XXXXXX");
        assert_non_null(mkdtemp(a->dir));
        snprintf(a->path, sizeof(a->path), "%s/sock", a->dir);
        strcpy(address.sun_path, a->path);
        a->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(a->sock, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(listen(a->sock, 5), 0);
}

static void agent_done(struct agent *a) {
        close(a->sock);
        assert_int_equal(unlink(a->path), 0);
        assert_int_equal(rmdir(a->dir), 0);
}

/* One connection: the message, the listener, and then the end. */
static int agent_accept(struct agent *a, json_t **ret) {
        struct pollfd p = { .fd = a->sock, .events = POLLIN };
        auto_fd fd = -EBADF;
        char text[65536];
        int listener = -1;
        size_t n_fds = 1;
        ssize_t n;

        assert_int_equal(poll(&p, 1, 10000), 1);
        fd = accept4(a->sock, NULL, NULL, SOCK_CLOEXEC);
        n = fd_recv(fd, text, sizeof(text), &listener, &n_fds);
        assert_true(n > 0);
        assert_int_equal(n_fds, 1);
        *ret = json_loadb(text, (size_t) n, 0, NULL);
        if (!*ret)
                fail_msg("not JSON: %.*s", (int) n, text);
        assert_int_equal(read(fd, text, 1), 0); /* nobody holds it any more */
        return listener;
}

/* Answer one call with an error of its own; the number of the call. */
static int answer(int listener, int error) {
        struct seccomp_notif call = { 0 };
        struct seccomp_notif_resp response = { 0 };
        struct pollfd p = { .fd = listener, .events = POLLIN };

        assert_int_equal(poll(&p, 1, 10000), 1);
        assert_int_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call), 0);
        response.id = call.id;
        response.error = -error;
        assert_int_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response), 0);
        return call.data.nr;
}

static void notify_of(struct container *c, const struct agent *a, const char *call) {
        container_set(c, "linux", "seccomp",
                      json_pack("{s:s, s:s, s:s, s:[s], s:[{s:[s], s:s}]}", "defaultAction", "SCMP_ACT_ALLOW", "listenerPath", a->path, "listenerMetadata", "to \"agent\"",
                                "flags", "SECCOMP_FILTER_FLAG_TSYNC", "syscalls", "names", call, "action", "SCMP_ACT_NOTIFY"));
        json_object_set_new(c->config, "annotations", json_pack("{s:s}", "org.example", "1"));
        c->options.id = "asked";
        c->options.bundle = "/some/bundle";
}

static void agent_answers_for_the_kernel(void **state) {
        for (enum userns_mode mode = 0; mode < _USERNS_MODES; mode++)
                for (int variant = 0; variant < 4; variant++) {
                        bool no_new_privs = variant & 1, gate = variant & 2;
                        struct agent a;
                        struct container c;
                        auto_json *message = NULL;
                        const json_t *told;
                        int listener;

                        agent_init(&a);
                        container_init(&c, mode, "hostname other; hostname; ls /proc/self/fd");
                        notify_of(&c, &a, "sethostname");
                        container_set(&c, "process", "noNewPrivileges", json_boolean(no_new_privs));
                        c.options.notify_start = gate;
                        if (container_start(&c) < 0)
                                fail_msg("%s", c.err.msg);
                        listener = agent_accept(&a, &message); /* before the gate is opened */
                        assert_true(listener >= 0);
                        assert_string_equal(json_get_str(message, "ociVersion", ""), "1.0.2");
                        assert_string_equal(json_string_value(json_array_get(json_object_get(message, "fds"), 0)), "seccompFd");
                        assert_string_equal(json_get_str(message, "metadata", ""), "to \"agent\"");
                        assert_int_equal(json_get_int(message, "pid", 0), c.process.pid);
                        told = json_object_get(message, "state");
                        assert_string_equal(json_get_str(told, "id", ""), "asked");
                        assert_string_equal(json_get_str(told, "status", ""), "creating");
                        assert_string_equal(json_get_str(told, "bundle", ""), "/some/bundle");
                        assert_int_equal(json_get_int(told, "pid", 0), c.process.pid);
                        assert_string_equal(json_get_str(json_object_get(told, "annotations"), "org.example", ""), "1");
                        if (gate)
                                assert_int_equal(exec_release(&c.process, &c.err), 0);
                        assert_int_equal(answer(listener, ENOTTY), SYS_sethostname);
                        assert_int_equal(container_finish(&c), 0);
                        assert_true(says(&c, "Inappropriate ioctl for device\nkist-test\n0\n1\n2\n3\n"));
                        close(listener);
                        container_done(&c);
                        agent_done(&a);
                }
}

/* Calls that the executor itself still has to make: they wait for the agent like those of the program. */
static void a_gone_agent_hangs_nobody(void **state) {
        struct agent a;
        struct container c;
        auto_json *message = NULL;
        int listener;

        agent_init(&a);
        container_init(&c, USERNS_BY_MAP, "sleep 0.2; hostname other 2>&1; echo went on");
        notify_of(&c, &a, "sethostname");
        assert_int_equal(container_start(&c), 0);
        listener = agent_accept(&a, &message);
        close(listener);
        assert_int_equal(container_finish(&c), 0);
        assert_true(says(&c, "Function not implemented\nwent on\n")); /* ENOSYS: nobody else holds the listener */
        container_done(&c);
        agent_done(&a);
}

static void a_scheduler_of_its_own_holds_up_nobody(void **state) {
        struct agent a;
        struct container c;
        auto_json *message = NULL;

        agent_init(&a);
        container_init(&c, USERNS_BY_MAP, "true");
        notify_of(&c, &a, "sethostname");
        container_set(&c, "process", "scheduler", json_pack("{s:s}", "policy", "SCHED_IDLE"));
        if (container_start(&c) < 0)
                fail_msg("%s", c.err.msg);
        close(agent_accept(&a, &message));
        assert_int_equal(container_finish(&c), 0);
        container_done(&c);
        agent_done(&a);
}

static void processes_that_join_are_asked_for_too(void **state) {
        struct agent a;
        struct container c;
        auto_json *first = NULL, *second = NULL, *process = NULL;
        struct exec_fds fds = { .plan = -1, .rootfs = -1, .userns = -1, .netns = -1, .cgroup_v2 = -1, .listen = -1 };
        struct exec_process p;
        char up[3];
        int of_init, listener;

        agent_init(&a);
        container_init(&c, USERNS_BY_FD, "trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done");
        notify_of(&c, &a, "sethostname");
        if (container_start(&c) < 0)
                fail_msg("%s", c.err.msg);
        of_init = agent_accept(&a, &first);
        assert_int_equal(read(c.out[0], up, 3), 3);
        process = json_deep_copy(in_config(&c, "process"));
        json_object_set_new(process, "args", json_pack("[s,s]", "hostname", "x"));
        fds.target_pidfd = c.process.pidfd;
        fds.stdio[0] = fds.stdio[1] = fds.stdio[2] = -1;
        assert_true(plan_process(process, c.config, &c.options, &fds.plan, &c.err) < 0); /* it wants to know the pid of init */
        c.options.pid = c.process.pid;
        assert_int_equal(plan_process(process, c.config, &c.options, &fds.plan, &c.err), 0);
        if (exec_process(&fds, &p, &c.err) < 0)
                fail_msg("%s", c.err.msg);
        listener = agent_accept(&a, &second);
        assert_int_equal(json_get_int(second, "pid", 0), p.pid);
        assert_int_equal(json_get_int(json_object_get(second, "state"), "pid", 0), c.process.pid);
        assert_string_equal(json_get_str(json_object_get(second, "state"), "status", ""), "running");
        assert_int_equal(answer(listener, EPERM), SYS_sethostname);
        assert_int_equal(wait_status(p.pid), 1);
        kill(c.process.pid, SIGTERM);
        assert_int_equal(wait_status(c.process.pid), 0);
        close(of_init);
        close(listener);
        close(p.pidfd);
        close(fds.plan);
        container_done(&c);
        agent_done(&a);
}

static void nobody_listens(void **state) {
        struct agent a;
        struct container c;

        agent_init(&a);
        container_init(&c, USERNS_BY_FD, "true");
        notify_of(&c, &a, "sethostname");
        agent_done(&a);
        assert_true(container_start(&c) < 0);
        assert_non_null(strstr(c.err.msg, "linux.seccomp.listenerPath: /tmp/kist-agent-"));
        container_done(&c);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(agent_answers_for_the_kernel),
                cmocka_unit_test(a_gone_agent_hangs_nobody),
                cmocka_unit_test(a_scheduler_of_its_own_holds_up_nobody),
                cmocka_unit_test(processes_that_join_are_asked_for_too),
                cmocka_unit_test(nobody_listens),
        };

        if (geteuid() != 0 || (access("/bin/busybox", X_OK) != 0 && access("/usr/bin/busybox", X_OK) != 0)) {
                print_message("1..0 # SKIP needs root and busybox-static\n");
                return 0;
        }
        return cmocka_run_group_tests(tests, NULL, remove_what_is_left);
}
