/* SPDX-License-Identifier: Apache-2.0 */

/* Hooks with real containers: where they run, when, what they are told, and what becomes of a container whose hook fails. */

#include <poll.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/mem.h"
#include "container.h"

struct hooked {
        struct container c;
        char dir[64]; /* of the host: hooks write what they see to files in it */
};

/* As src/oci does it: the state of a container in the making, told to both lists. */
static int run_runtime_hooks(pid_t pid, void *data, struct err *err) {
        struct hooked *h = data;
        auto_json *state = plan_state(h->c.config, h->c.options.id, h->c.options.bundle, pid, "creating");
        int r = plan_run_hooks(h->c.config, "prestart", state, h->c.options.bundle, NULL, NULL, err);

        return r < 0 ? r : plan_run_hooks(h->c.config, "createRuntime", state, h->c.options.bundle, NULL, NULL, err);
}

static void hooked_init(struct hooked *h, enum userns_mode mode, const char *script) {
        container_init(&h->c, mode, script);
        strcpy(h->dir, "/tmp/kist-hooks-XXXXXX");
        assert_non_null(mkdtemp(h->dir));
        assert_int_equal(chmod(h->dir, 0777), 0);
        h->c.options.id = "hooked";
        h->c.options.bundle = h->dir;
        h->c.fds.runtime_hooks = run_runtime_hooks;
        h->c.fds.calls_data = h;
        json_object_set_new(h->c.config, "hooks", json_object());
        json_object_set_new(h->c.config, "annotations", json_pack("{s:s}", "org.example", "1"));
}

static void hooked_done(struct hooked *h) {
        int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        assert_int_equal(path_remove_tree_at(tmp, strrchr(h->dir, '/') + 1), 0);
        close(tmp);
        container_done(&h->c);
}

/* A shell line of the host; "$D" is the directory. */
static void add_hook(struct hooked *h, const char *list, const char *line, int timeout) {
        json_t *hooks = json_object_get(h->c.config, "hooks"), *array = json_object_get(hooks, list), *hook;
        bool inside = strcmp(list, "startContainer") == 0;
        char dir[80];

        snprintf(dir, sizeof(dir), "D=%s", inside ? "/" : h->dir);
        hook = json_pack("{s:s, s:[s,s,s], s:[s,s]}", "path", "/bin/sh", "args", "sh", "-c", line, "env", dir, "PATH=/bin:/usr/bin");
        assert_non_null(hook);
        if (timeout)
                json_object_set_new(hook, "timeout", json_integer(timeout));
        if (!array)
                json_object_set_new(hooks, list, array = json_array());
        json_array_append_new(array, hook);
}

/* What a hook has left: a file of the directory, or of the container's root. NULL: there is none. */
static char *left_by(const char *dir, const char *name) {
        auto_fd fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char *text = NULL;

        return file_read_at(fd, name, 65536, &text, NULL) < 0 ? NULL : text;
}

static long number_in(const char *dir, const char *name, const char *key) {
        auto_free char *text = left_by(dir, name);
        auto_json *state = text ? json_loads(text, 0, NULL) : NULL;

        if (!state)
                fail_msg("%s: %s", name, text ? text : "nothing");
        assert_string_equal(json_get_str(state, "id", ""), "hooked");
        assert_string_equal(json_get_str(json_object_get(state, "annotations"), "org.example", ""), "1");
        assert_non_null(json_get_str(state, "ociVersion", NULL));
        return (long) json_get_int(state, key, -1);
}

static void assert_status(const char *dir, const char *name, const char *status) {
        auto_free char *text = left_by(dir, name);
        auto_json *state = text ? json_loads(text, 0, NULL) : NULL;

        assert_string_equal(json_get_str(state, "status", ""), status);
        assert_string_equal(json_get_str(state, "bundle", "")[0] ? "/" : "", "/");
}

/* For hooks of the host's root and for those of the container's. */
static void make_order(const struct hooked *h) {
        char path[80];
        auto_fd fd = -EBADF;

        snprintf(path, sizeof(path), "%s/order", h->dir);
        fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
        assert_int_equal(fchmod(fd, 0666), 0);
        assert_int_equal(chmod(h->c.root, 0777), 0);
}

/* The order of the runtime-spec; each in its namespaces; each told the state with the pid as it is seen there. */
static void run_in_order_and_in_their_namespaces(void **state) {
        for (enum userns_mode mode = NO_USERNS; mode < _USERNS_MODES; mode++) {
                struct hooked h;
                auto_free char *order = NULL, *spaces = NULL;
                char host[64] = "", expected[256];

                hooked_init(&h, mode, "cat /order; readlink /proc/self/ns/uts");
                assert_true(readlink("/proc/self/ns/uts", host, sizeof(host) - 1) > 0);
                h.c.options.notify_start = true;
                make_order(&h);
                add_hook(&h, "prestart", "cat >$D/prestart; echo prestart $(readlink /proc/self/ns/uts) $(pwd) >>$D/order", 0);
                add_hook(&h, "createRuntime", "cat >$D/createRuntime; echo createRuntime >>$D/order", 0);
                add_hook(&h, "createRuntime", "echo createRuntime2 >>$D/order", 0);
                add_hook(&h, "createContainer", "cat >$D/createContainer; echo createContainer >>$D/order; readlink /proc/self/ns/uts >$D/spaces", 0);
                add_hook(&h, "startContainer", "cat >/startContainer; echo startContainer >>/order; id -u >>/order", 0);
                if (container_start(&h.c) < 0)
                        fail_msg("%s", h.c.err.msg);
                order = left_by(h.dir, "order");
                snprintf(expected, sizeof(expected), "prestart %s %s\ncreateRuntime\ncreateRuntime2\ncreateContainer\n", host, h.dir);
                assert_string_equal(order, expected);
                assert_int_equal(number_in(h.dir, "prestart", "pid"), h.c.process.pid);
                assert_int_equal(number_in(h.dir, "createRuntime", "pid"), h.c.process.pid);
                assert_int_equal(number_in(h.dir, "createContainer", "pid"), 1);
                assert_status(h.dir, "prestart", "creating");
                assert_status(h.dir, "createContainer", "creating");
                assert_null(left_by(h.c.root, "startContainer"));
                assert_int_equal(exec_release(&h.c.process, &h.c.err), 0);
                assert_int_equal(container_finish(&h.c), 0);
                assert_int_equal(number_in(h.c.root, "startContainer", "pid"), 1);
                assert_status(h.c.root, "startContainer", "created");
                spaces = left_by(h.dir, "spaces");
                assert_true(says(&h.c, "startContainer\n0\n"));
                assert_true(says(&h.c, spaces)); /* the container's own */
                assert_string_not_equal(spaces, host);
                hooked_done(&h);
        }
}

/* What a createContainer hook mounts below root.path is the container's, and the host does not see it. */
static void hooks_find_the_root_at_its_path(void **state) {
        for (enum userns_mode mode = NO_USERNS; mode < _USERNS_MODES; mode++) {
                struct hooked h;
                char line[512], path[128];

                if (mode == USERNS_BY_FD)
                        continue; /* there the root has no path */
                hooked_init(&h, mode, "cat /by-hook/file; ls /dev/by-hook");
                snprintf(line, sizeof(line), "cd %s && ls -d proc/self dev/null && mkdir by-hook && mount -t tmpfs tmpfs by-hook && echo mounted >by-hook/file && >dev/by-hook",
                         h.c.root);
                add_hook(&h, "createContainer", line, 0);
                assert_int_equal(container_run(&h.c), 0);
                assert_string_equal(h.c.output, "mounted\n/dev/by-hook\n");
                snprintf(path, sizeof(path), "%s/by-hook/file", h.c.root);
                assert_int_equal(access(path, F_OK), -1);
                hooked_done(&h);
        }
}

static void a_failing_hook_fails_the_container(void **state) {
        static const char *const lists[] = { "prestart", "createRuntime", "createContainer", "startContainer" };

        for (size_t i = 0; i < 4; i++)
                for (int gate = 0; gate < 2; gate++) {
                        struct hooked h;
                        char expected[128];
                        int r;

                        hooked_init(&h, USERNS_BY_MAP, "echo never");
                        h.c.options.notify_start = gate;
                        add_hook(&h, lists[i], "exit 0", 0);
                        add_hook(&h, lists[i], "echo what went wrong >&2; exit 3", 0);
                        add_hook(&h, lists[i], ">$D/third", 0);
                        r = container_start(&h.c);
                        if (gate && i == 3) { /* it is part of start */
                                assert_int_equal(r, 0);
                                r = exec_release(&h.c.process, &h.c.err);
                        } else {
                                h.c.process.pid = 0;
                        }
                        assert_true(r < 0);
                        snprintf(expected, sizeof(expected), "hooks.%s[1]: /bin/sh: exit status 3: what went wrong", lists[i]);
                        assert_string_equal(h.c.err.msg, expected);
                        assert_null(left_by(i == 3 ? h.c.root : h.dir, "third"));
                        assert_int_equal(read(h.c.out[0], h.c.output, 1), 0);
                        hooked_done(&h);
                }
}

static void a_hook_that_hangs_is_killed_with_its_children(void **state) {
        static const char *const lists[] = { "createRuntime", "createContainer", "startContainer" };

        for (size_t i = 0; i < 3; i++) {
                struct hooked h;
                struct timespec before, after;

                hooked_init(&h, USERNS_BY_MAP, "true");
                add_hook(&h, lists[i], "sleep 60 & sleep 60; true", 1);
                clock_gettime(CLOCK_MONOTONIC, &before);
                assert_true(container_start(&h.c) < 0);
                clock_gettime(CLOCK_MONOTONIC, &after);
                assert_true(after.tv_sec - before.tv_sec < 20);
                assert_int_equal(h.c.err.num, -ETIMEDOUT);
                assert_non_null(strstr(h.c.err.msg, "[0]: /bin/sh: did not end within 1 second"));
                h.c.process.pid = 0;
                hooked_done(&h);
        }
}

static void a_missing_hook_is_named(void **state) {
        static const char *const lists[] = { "createRuntime", "createContainer", "startContainer" };

        for (size_t i = 0; i < 3; i++) {
                struct hooked h;

                hooked_init(&h, NO_USERNS, "true");
                add_hook(&h, lists[i], "true", 0);
                json_object_set_new(json_array_get(json_object_get(json_object_get(h.c.config, "hooks"), lists[i]), 0), "path", json_string("/no/such"));
                assert_true(container_start(&h.c) < 0);
                assert_non_null(strstr(h.c.err.msg, "[0]: /no/such: No such file or directory"));
                h.c.process.pid = 0;
                hooked_done(&h);
        }
}

/* Only 0, 1 and 2 are open in a hook, its environment is what was said, and nothing else. */
static void hooks_inherit_nothing(void **state) {
        struct hooked h;
        auto_free char *first = NULL, *second = NULL;
        int leak = open("/", O_RDONLY | O_DIRECTORY); /* not O_CLOEXEC, as a careless caller would have it */

        hooked_init(&h, NO_USERNS, "true");
        setenv("KIST_TEST_SECRET", "x", 1);
        close(leak);
        add_hook(&h, "createRuntime", "(ls /proc/self/fd; env) >$D/first", 0);
        leak = open("/", O_RDONLY | O_DIRECTORY);
        add_hook(&h, "createContainer", "(ls /proc/self/fd; env; umask; grep SigBlk /proc/self/status) >$D/second", 0);
        close(leak);
        assert_int_equal(container_run(&h.c), 0);
        unsetenv("KIST_TEST_SECRET");
        first = left_by(h.dir, "first");
        second = left_by(h.dir, "second");
        assert_null(strstr(first, "SECRET"));
        assert_null(strstr(second, "SECRET"));
        assert_int_equal(strncmp(second, "0\n1\n2\n3\n", 8), 0);
        assert_null(strstr(second, "\n4\n"));
        assert_non_null(strstr(second, "0022\nSigBlk:\t0000000000000000"));
        hooked_done(&h);
}

/* A state that is longer than a pipe holds, for a hook that never reads it. */
static void a_long_state_blocks_nobody(void **state) {
        struct hooked h;
        auto_free char *text = malloc(200001);

        memset(text, 'a', 200000);
        text[200000] = '\0';
        hooked_init(&h, NO_USERNS, "true");
        json_object_set_new(json_object_get(h.c.config, "annotations"), "long", json_string(text));
        add_hook(&h, "createRuntime", "true", 5);
        add_hook(&h, "createContainer", "wc -c >$D/size", 5);
        assert_int_equal(container_run(&h.c), 0);
        free(text);
        text = left_by(h.dir, "size");
        assert_true(atol(text) > 200000);
        hooked_done(&h);
}

static void collect(const struct err *err, void *data) {
        strcat(data, err->msg);
        strcat(data, "\n");
}

/* poststop: a failure is told, and the others still run. */
static void with_a_listener_all_hooks_run(void **state) {
        struct hooked h;
        char told[1024] = "";
        auto_json *s = NULL;
        auto_free char *text = NULL;

        hooked_init(&h, NO_USERNS, "true");
        s = plan_state(h.c.config, "hooked", "/", 0, "stopped");
        add_hook(&h, "poststop", "exit 1", 0);
        add_hook(&h, "poststop", "kill -9 $$", 0);
        add_hook(&h, "poststop", "cat >$D/state", 0);
        assert_int_equal(plan_run_hooks(h.c.config, "poststop", s, NULL, collect, told, &h.c.err), 0);
        assert_string_equal(told, "hooks.poststop[0]: /bin/sh: exit status 1\nhooks.poststop[1]: /bin/sh: killed by signal 9\n");
        assert_status(h.dir, "state", "stopped");
        text = left_by(h.dir, "state");
        assert_null(strstr(text, "pid"));
        assert_true(plan_run_hooks(h.c.config, "poststop", s, NULL, NULL, NULL, &h.c.err) < 0);
        assert_non_null(strstr(h.c.err.msg, "hooks.poststop[0]"));
        hooked_done(&h);
}

static void hooks_that_nobody_runs_are_refused(void **state) {
        struct hooked h;

        hooked_init(&h, NO_USERNS, "true");
        add_hook(&h, "createRuntime", "true", 0);
        h.c.fds.runtime_hooks = NULL;
        assert_true(container_start(&h.c) < 0);
        assert_int_equal(h.c.err.kind, ERR_UNSUPPORTED);
        h.c.options.id = NULL;
        fd_close(h.c.fds.plan);
        h.c.fds.plan = -1;
        assert_true(plan_container(h.c.config, &h.c.options, &h.c.fds.plan, &h.c.err) < 0);
        assert_int_equal(h.c.err.kind, ERR_INVALID);
        hooked_done(&h);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(run_in_order_and_in_their_namespaces),
                cmocka_unit_test(hooks_find_the_root_at_its_path),
                cmocka_unit_test(a_failing_hook_fails_the_container),
                cmocka_unit_test(a_hook_that_hangs_is_killed_with_its_children),
                cmocka_unit_test(a_missing_hook_is_named),
                cmocka_unit_test(hooks_inherit_nothing),
                cmocka_unit_test(a_long_state_blocks_nobody),
                cmocka_unit_test(with_a_listener_all_hooks_run),
                cmocka_unit_test(hooks_that_nobody_runs_are_refused),
        };

        if (geteuid() != 0 || (access("/bin/busybox", X_OK) != 0 && access("/usr/bin/busybox", X_OK) != 0)) {
                print_message("1..0 # SKIP needs root and busybox-static\n");
                return 0;
        }
        return cmocka_run_group_tests(tests, NULL, remove_what_is_left);
}
