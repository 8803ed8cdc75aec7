/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "runtime/plan/plan.h"

struct fixture {
        char dir[64];
        int root_fd;
};

static int set_up(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        strcpy(f->dir, "/tmp/kist-unit-user-XXXXXX");
        if (!mkdtemp(f->dir))
                return -1;
        f->root_fd = open(f->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        *state = f;
        return mkdirat(f->root_fd, "etc", 0755);
}

static int tear_down(void **state) {
        struct fixture *f = *state;
        int r = path_remove_tree_at(AT_FDCWD, f->dir);

        close(f->root_fd);
        free(f);
        return r;
}

static void put(const struct fixture *f, const char *name, const char *text, size_t size) {
        auto_fd fd = openat(f->root_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, text, size), 0);
}

static const char passwd[] =
        "# a comment\n"
        "\n"
        "root:x:0:0:root:/root:/bin/sh\n"
        "nocolons\n"
        ":x:5:5::/:/bin/sh\n"
        "short:x:7\n"
        "huge:x:4294967296:0::/:/bin/sh\n"
        "negative:x:-1:0::/:/bin/sh\n"
        "over:x:2147483648:0::/:/bin/sh\n"
        "spaces:x: 8:0::/:/bin/sh\n"
        "1000:x:4242:4243:a name that is a number:/home/number:/bin/sh\n"
        "alice:x:1000:1001:Alice:/home/alice:/bin/sh\n"
        "badhome:x:1002:1002::relative/home:/bin/sh\n"
        "nohome:x:1003:1003\n"
        "last:x:2147483647:2147483647::/last:/bin/sh"; /* no newline at the end */
static const char group[] =
        "root:x:0:\n"
        "staff:x:50:alice,bob\n"
        "wheel:x:10:root,alice\n"
        "alicia:x:60:alicex,xalice\n"
        "twice:x:50:alice\n"
        "4000:x:4001:\n"
        "big:x:4294967296:alice\n"
        "minus:x:-5:alice\n"
        "nomembers:x:70\n"
        "own:x:1001:\n";

static void put_both(const struct fixture *f) {
        put(f, "etc/passwd", passwd, sizeof(passwd) - 1);
        put(f, "etc/group", group, sizeof(group) - 1);
}

static void test_names_and_numbers(void **state) {
        static const struct row {
                const char *user;
                uint32_t uid, gid;
                const char *home, *groups;
        } rows[] = {
                { "", 0, 0, "/root", "0 10 " },
                { "root", 0, 0, "/root", "0 10 " },
                { "0", 0, 0, "/root", "0 10 " },
                { "root:", 0, 0, "/root", "0 10 " },
                { "alice", 1000, 1001, "/home/alice", "1001 50 10 " },
                /* digits are an id, also when somebody is called so */
                { "1000", 1000, 1001, "/home/alice", "1001 50 10 " },
                { "4242", 4242, 4243, "/home/number", "4243 " },
                { "alice:staff", 1000, 50, "/home/alice", "50 " },
                { "alice:4000", 1000, 4000, "/home/alice", "4000 " },
                { "alice:77", 1000, 77, "/home/alice", "77 " },
                { "999", 999, 0, "/", "0 " },
                { "999:staff", 999, 50, "/", "50 " },
                { "badhome", 1002, 1002, "/", "1002 " },
                { "nohome", 1003, 1003, "/", "1003 " },
                { "last", 2147483647, 2147483647, "/last", "2147483647 " },
                { "2147483647:2147483647", 2147483647, 2147483647, "/last", "2147483647 " },
        };
        struct fixture *f = *state;

        put_both(f);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct plan_user u;
                struct err err = { 0 };
                char groups[128] = "";

                if (plan_resolve_user(f->root_fd, rows[i].user, NULL, &u, &err) < 0)
                        fail_msg("%s: %s", rows[i].user, err.msg);
                for (size_t k = 0; k < u.n_groups; k++)
                        snprintf(groups + strlen(groups), sizeof(groups) - strlen(groups), "%u ", u.groups[k]);
                assert_int_equal(u.uid, rows[i].uid);
                assert_int_equal(u.gid, rows[i].gid);
                assert_string_equal(u.home, rows[i].home);
                assert_string_equal(groups, rows[i].groups);
        }
}

static void test_refused(void **state) {
        static const char *const bad[] = {
                "nobody-here", "huge", "negative", "over", "spaces", "short", "-1", "+1", " 0", "0x0", "2147483648", "4294967296", "18446744073709551616",
                "99999999999999999999999", "alice:nogroup", "alice:big", "alice:minus", "alice:-1", "alice:2147483648", "alice:4294967296", "alice:staff:x",
                ":::", "root\n",
        };
        struct fixture *f = *state;

        put_both(f);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                struct plan_user u = { .uid = 12345 };
                struct err err = { 0 };

                if (plan_resolve_user(f->root_fd, bad[i], NULL, &u, &err) == 0)
                        fail_msg("\"%s\" was taken for %u:%u", bad[i], u.uid, u.gid);
                assert_int_equal(err.kind, ERR_INVALID);
                assert_int_equal(u.uid, 12345); /* untouched on failure */
        }
}

static void test_extra_groups(void **state) {
        struct fixture *f = *state;
        json_t *extra = json_loads("[\"wheel\", \"50\", 70, \"own\"]", 0, NULL), *bad = json_loads("[-1]", 0, NULL), *worse = json_loads("[{}]", 0, NULL);
        json_t *unknown = json_loads("[\"nope\"]", 0, NULL), *many = json_array();
        struct plan_user u;
        struct err err = { 0 };

        put_both(f);
        assert_int_equal(plan_resolve_user(f->root_fd, "999:5", extra, &u, &err), 0);
        assert_int_equal(u.n_groups, 5);
        assert_int_equal(u.groups[0], 5);
        assert_int_equal(u.groups[4], 1001);
        assert_true(plan_resolve_user(f->root_fd, "root", bad, &u, &err) < 0);
        assert_true(plan_resolve_user(f->root_fd, "root", worse, &u, &err) < 0);
        assert_true(plan_resolve_user(f->root_fd, "root", unknown, &u, &err) < 0);
        for (int i = 0; i < 200; i++)
                json_array_append_new(many, json_integer(100000 + i));
        assert_true(plan_resolve_user(f->root_fd, "root", many, &u, &err) < 0);
        assert_int_equal(err.kind, ERR_TOO_LARGE);
        json_decref(extra);
        json_decref(bad);
        json_decref(worse);
        json_decref(unknown);
        json_decref(many);
}

static void test_without_files(void **state) {
        struct fixture *f = *state;
        struct plan_user u;
        struct err err = { 0 };

        assert_int_equal(plan_resolve_user(f->root_fd, "", NULL, &u, &err), 0);
        assert_int_equal(u.uid, 0);
        assert_string_equal(u.home, "/");
        assert_int_equal(plan_resolve_user(f->root_fd, "7:8", NULL, &u, &err), 0);
        assert_int_equal(u.gid, 8);
        assert_true(plan_resolve_user(f->root_fd, "root", NULL, &u, &err) < 0);
        assert_non_null(strstr(err.msg, "no user root"));
}

/* CVE-2026-47262: an image may bring a file of any size. */
static void test_huge_files(void **state) {
        struct fixture *f = *state;
        auto_free char *line = malloc(3 << 20);
        struct plan_user u;
        struct err err = { 0 };

        memset(line, 'a', 3 << 20);
        put(f, "etc/passwd", line, 3 << 20);
        assert_true(plan_resolve_user(f->root_fd, "root", NULL, &u, &err) < 0);
        assert_int_equal(err.kind, ERR_TOO_LARGE);
        /* one long line within the limit, NULs and colons, and a good line after it */
        memset(line, 0, 500 << 10);
        memset(line + 1000, ':', 5000);
        strcpy(line + (500 << 10), "\nroot:x:0:0::/root:/bin/sh\n");
        put(f, "etc/passwd", line, (500 << 10) + strlen(line + (500 << 10)));
        if (plan_resolve_user(f->root_fd, "7", NULL, &u, &err) < 0)
                fail_msg("%s", err.msg);
        assert_int_equal(u.uid, 7);
}

/* A fifo must not stop us, a directory or a device must not be read, and a link must not lead out of the root. */
static void test_odd_files(void **state) {
        struct fixture *f = *state;
        struct plan_user u;
        struct err err = { 0 };

        assert_int_equal(mkfifoat(f->root_fd, "etc/passwd", 0644), 0);
        assert_true(plan_resolve_user(f->root_fd, "root", NULL, &u, &err) < 0);
        assert_non_null(strstr(err.msg, "not a regular file"));
        unlinkat(f->root_fd, "etc/passwd", 0);
        assert_int_equal(mkdirat(f->root_fd, "etc/passwd", 0755), 0);
        assert_true(plan_resolve_user(f->root_fd, "root", NULL, &u, &err) < 0);
        unlinkat(f->root_fd, "etc/passwd", AT_REMOVEDIR);
        /* "/etc/passwd" of the host has a root; the container's own "/host-passwd" does not */
        assert_int_equal(symlinkat("../../../../../../../../host-passwd", f->root_fd, "etc/passwd"), 0);
        put(f, "host-passwd", "inside:x:3:3::/:/bin/sh\n", 24);
        assert_int_equal(plan_resolve_user(f->root_fd, "inside", NULL, &u, &err), 0);
        assert_int_equal(u.uid, 3);
        assert_true(plan_resolve_user(f->root_fd, "root", NULL, &u, &err) < 0);
}

/* Whoever an image's author has shut out by broken files, an id lets in: root must be able to mend them. Only names are looked up there. */
static void test_ids_do_without_broken_files(void **state) {
        static const struct row {
                const char *user;
                int good; /* with a broken passwd; with a broken group */
                int good_group;
        } rows[] = {
                { "", 1, 1 }, { "0", 1, 1 }, { "7", 1, 1 }, { "7:8", 1, 1 }, { "root", 0, 0 }, { "root:8", 0, 1 }, { "7:staff", 1, 0 },
        };
        struct fixture *f = *state;
        json_t *ids = json_loads("[5, \"6\"]", 0, NULL), *names = json_loads("[\"staff\"]", 0, NULL);
        struct plan_user u;
        struct err err = { 0 };

        put_both(f);
        unlinkat(f->root_fd, "etc/passwd", 0);
        assert_int_equal(mkdirat(f->root_fd, "etc/passwd", 0755), 0);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                assert_int_equal(plan_resolve_user(f->root_fd, rows[i].user, NULL, &u, &err) == 0, rows[i].good);
        assert_int_equal(plan_resolve_user(f->root_fd, "0", NULL, &u, &err), 0);
        assert_int_equal(u.uid, 0);
        assert_string_equal(u.home, "/");
        assert_int_equal(plan_resolve_user(f->root_fd, "7:staff", NULL, &u, &err), 0);
        assert_int_equal(u.gid, 50);
        unlinkat(f->root_fd, "etc/passwd", AT_REMOVEDIR);

        put_both(f);
        unlinkat(f->root_fd, "etc/group", 0);
        assert_int_equal(symlinkat("group", f->root_fd, "etc/group"), 0); /* to itself */
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                assert_int_equal(plan_resolve_user(f->root_fd, rows[i].user, NULL, &u, &err) == 0, rows[i].good_group);
        assert_int_equal(plan_resolve_user(f->root_fd, "1000", ids, &u, &err), 0);
        assert_string_equal(u.home, "/home/alice");
        assert_int_equal(u.n_groups, 3);
        assert_true(plan_resolve_user(f->root_fd, "1000", names, &u, &err) < 0);
        assert_non_null(strstr(err.msg, "/etc/group"));
        json_decref(ids);
        json_decref(names);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_names_and_numbers, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_extra_groups, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_without_files, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_huge_files, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_odd_files, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_ids_do_without_broken_files, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
