/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "oci/config.h"
#include "oci/container.h"
#include "oci/oci.h"

struct fixture {
        char dir[64];
        struct options o;
};

static int set_up(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        strcpy(f->dir, "/tmp/kist-unit-oci-XXXXXX");
        if (!mkdtemp(f->dir))
                return -1;
        f->o.root = str_format("%s/a/b", f->dir); /* parents are made */
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        struct fixture *f = *state;
        int r = path_remove_tree_at(AT_FDCWD, f->dir);

        free((char *) f->o.root);
        free(f);
        return r;
}

static void test_id_grammar(void **state) {
        static const char *const good[] = { "a", "a.b-c_d+E9", "...", "-x" };
        static const char *const bad[] = { "", ".", "..", "a/b", "/a", "a b", "a\nb", "ä", "a:b" };
        char long_id[CONTAINER_ID_MAX + 2];

        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                assert_int_equal(container_id_check(good[i], NULL), 0);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_true(container_id_check(bad[i], NULL) < 0);
        memset(long_id, 'a', sizeof(long_id));
        long_id[CONTAINER_ID_MAX + 1] = '\0';
        assert_true(container_id_check(long_id, NULL) < 0);
        long_id[CONTAINER_ID_MAX] = '\0';
        assert_int_equal(container_id_check(long_id, NULL), 0);
}

/* In a child: locks of fcntl(2) do not shut out their own process. */
static int claim_elsewhere(const struct options *o, const char *id) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                struct container c = CONTAINER_NONE;
                struct err err = { 0 };
                int r = container_claim(o, id, &c, &err);

                _exit(r == 0 ? 0 : err.kind == ERR_CONFLICT ? 1 : 2);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WEXITSTATUS(status);
}

static void test_claim(void **state) {
        struct fixture *f = *state;
        auto_container c = CONTAINER_NONE, other = CONTAINER_NONE;
        struct err err = { 0 };

        assert_int_equal(container_open(&f->o, "x", true, &other, &err), -ENOENT);
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        if (container_claim(&f->o, "x", &c, &err) < 0)
                fail_msg("%s", err.msg);
        assert_int_equal(claim_elsewhere(&f->o, "x"), 1);
        assert_int_equal(container_open(&f->o, "x", false, &other, &err), -ENOENT);
        c.state = json_pack("{s:s, s:i}", "id", "x", "pid", 0);
        assert_int_equal(container_save(&c, &err), 0);
        container_done(&c);
        /* Nobody holds it now, but it is there. */
        assert_int_equal(claim_elsewhere(&f->o, "x"), 1);
        assert_int_equal(container_open(&f->o, "x", true, &c, &err), 0);
        assert_int_equal(container_forget(&c, &err), 0);
        assert_int_equal(claim_elsewhere(&f->o, "x"), 0);
        /* That one died without a state: its place can be taken. */
        assert_int_equal(claim_elsewhere(&f->o, "x"), 0);
}

static void test_broken_state(void **state) {
        struct fixture *f = *state;
        auto_container c = CONTAINER_NONE;
        struct err err = { 0 };

        assert_int_equal(container_claim(&f->o, "x", &c, &err), 0);
        assert_int_equal(file_write_atomic_at(c.dir_fd, "state.json", "{\"id\":", 6, 0600, false), 0);
        container_done(&c);
        assert_true(container_open(&f->o, "x", false, &c, &err) < 0);
        assert_non_null(strstr(err.msg, "state.json"));
}

/* A process id that now belongs to somebody else is not the container's process. */
static void test_reused_pid(void **state) {
        struct fixture *f = *state;
        auto_container c = CONTAINER_NONE;
        enum container_status status;
        struct err err = { 0 };
        uint64_t start;
        int fd;

        assert_int_equal(container_claim(&f->o, "x", &c, &err), 0);
        assert_int_equal(process_start_time(getpid(), &start), 0);
        c.state = json_pack("{s:s, s:i, s:I}", "id", "x", "pid", (int) getpid(), "start_time", (json_int_t) start);
        fd = container_pidfd(&c);
        assert_true(fd >= 0);
        close(fd);
        assert_int_equal(container_status(&c, &status, &err), 0);
        assert_int_equal(status, STATUS_RUNNING);
        json_object_set_new(c.state, "start_time", json_integer((json_int_t) start - 1));
        assert_int_equal(container_pidfd(&c), -ESRCH);
        assert_int_equal(container_status(&c, &status, &err), 0);
        assert_int_equal(status, STATUS_STOPPED);
}

static void test_zombie_is_dead(void **state) {
        uint64_t start;
        siginfo_t info;
        pid_t pid = fork();

        if (pid == 0)
                _exit(0);
        assert_int_equal(waitid(P_PID, (id_t) pid, &info, WEXITED | WNOWAIT), 0);
        assert_int_equal(process_start_time(pid, &start), -ESRCH);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(process_start_time(pid, &start), -ESRCH);
}

static void test_cgroup_paths(void **state) {
        static const char *const rows[][2] = {
                { "{}", "kist/id" },
                { "{\"linux\":{\"cgroupsPath\":\"\"}}", "kist/id" },
                { "{\"linux\":{\"cgroupsPath\":\"/\"}}", "kist/id" },
                { "{\"linux\":{\"cgroupsPath\":\"/a/b\"}}", "a/b" },
                { "{\"linux\":{\"cgroupsPath\":\"a/b/\"}}", "a/b" },
                { "{\"linux\":{\"cgroupsPath\":\"system.slice:kist:id\"}}", NULL },
                { "{\"linux\":{\"cgroupsPath\":7}}", NULL },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                json_t *config = json_loads(rows[i][0], 0, NULL);
                char *path = NULL;
                struct err err = { 0 };
                int r = config_cgroup_path(config, "id", &path, &err);

                assert_int_equal(r < 0, !rows[i][1]);
                if (rows[i][1])
                        assert_string_equal(path, rows[i][1]);
                free(path);
                json_decref(config);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_id_grammar),
                cmocka_unit_test_setup_teardown(test_claim, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_broken_state, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_reused_pid, set_up, tear_down),
                cmocka_unit_test(test_zombie_is_dead),
                cmocka_unit_test(test_cgroup_paths),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
