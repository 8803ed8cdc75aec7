/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "cli/local-tree.h"
#include "cli/tar.h"

static ssize_t read_fd(void *data, char *to, size_t size, struct err *err) {
        return read(*(int *) data, to, size < 7 ? size : 7); /* cut anywhere */
}

struct place {
        char path[64];
        int fd;
};

static struct place make_place(void) {
        struct place p = { .path = "/tmp/kist-test-tar.XXXXXX" };

        assert_non_null(mkdtemp(p.path));
        p.fd = open(p.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return p;
}

static void drop_place(struct place *p) {
        path_remove_children(p->fd);
        close(p->fd);
        rmdir(p->path);
}

static int unpack(int fd, const struct place *p, const char *as, struct err *err) {
        struct tar_reader t = { .read = read_fd, .data = &fd };
        const struct local_unpack u = { .dir_fd = p->fd, .as = as };

        lseek(fd, 0, SEEK_SET);
        return local_unpack(&t, &u, err);
}

static void add(int fd, enum tar_type type, const char *path, const char *link, const char *data) {
        struct tar_member m = { .type = type, .mode = type == TAR_DIRECTORY ? 0755 : 0640, .size = data ? strlen(data) : 0, .mtime = 981173106 };

        snprintf(m.path, sizeof(m.path), "%s", path);
        snprintf(m.link, sizeof(m.link), "%s", link ? link : "");
        assert_int_equal(tar_write_member(fd, &m), 0);
        if (data) {
                assert_int_equal(fd_write_all(fd, data, strlen(data)), 0);
                assert_int_equal(tar_write_padding(fd, strlen(data)), 0);
        }
}

static void what_is_packed_comes_back(void **state) {
        struct place from = make_place(), to = make_place();
        auto_fd archive = memfd_create("tar", MFD_CLOEXEC), fd = -EBADF;
        auto_free char *text = NULL, *tree = str_format("%s/tree", from.path);
        char name[200], link[200] = "", path[300];
        struct err err = { 0 };
        struct stat st;
        size_t size;

        memset(name, 'n', 150);
        name[150] = '\0';
        snprintf(path, sizeof(path), "tree/%s", name);
        assert_int_equal(mkdirat(from.fd, "tree", 0755), 0);
        fd = openat(from.fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(fd_write_all(fd, "content", 7), 0);
        assert_int_equal(fchmod(fd, 04711), 0);
        assert_int_equal(symlinkat(name, from.fd, "tree/link"), 0);
        assert_int_equal(local_pack(archive, tree, "other", false, &err), 0);
        assert_int_equal(unpack(archive, &to, "renamed", &err), 0);
        snprintf(path, sizeof(path), "renamed/%s", name);
        assert_int_equal(file_read_at(to.fd, path, 100, &text, &size), 0);
        assert_string_equal(text, "content");
        assert_int_equal(fstatat(to.fd, path, &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 04711);
        assert_int_equal(readlinkat(to.fd, "renamed/link", link, sizeof(link) - 1), 150);
        assert_string_equal(link, name);
        drop_place(&from);
        drop_place(&to);
}

static void nothing_is_made_outside(void **state) {
        struct place to = make_place(), victim = make_place();
        auto_free char *file = str_format("%s/file", victim.path), *up = str_format("../../../..%s/file", victim.path);
        const struct {
                enum tar_type type;
                const char *path, *link, *data;
        } rows[][2] = {
                { { TAR_FILE, up, NULL, "evil" } },
                { { TAR_SYMLINK, "esc", victim.path, NULL }, { TAR_FILE, "esc/file", NULL, "evil" } },
                { { TAR_SYMLINK, "esc", "..", NULL }, { TAR_DIRECTORY, "esc/made-outside", NULL, NULL } },
                { { TAR_HARD_LINK, "hard", "../../etc/passwd", NULL } },
                { { TAR_SYMLINK, "leaf", file, NULL }, { TAR_FILE, "leaf", NULL, "own" } },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                auto_fd archive = memfd_create("tar", MFD_CLOEXEC);
                struct err err = { 0 };
                int r;

                for (size_t k = 0; k < 2 && rows[i][k].path; k++)
                        add(archive, rows[i][k].type, rows[i][k].path, rows[i][k].link, rows[i][k].data);
                assert_int_equal(tar_write_end(archive), 0);
                r = unpack(archive, &to, NULL, &err);
                /* The last takes the place of its link. */
                assert_true(i + 1 == ARRAY_SIZE(rows) ? r == 0 : r < 0);
                assert_int_equal(faccessat(victim.fd, "file", F_OK, 0), -1);
                path_remove_children(to.fd);
        }
        drop_place(&victim);
        drop_place(&to);
}

static void broken_archives_are_errors(void **state) {
        struct place to = make_place();
        auto_fd archive = memfd_create("tar", MFD_CLOEXEC);
        struct err err = { 0 };
        char block[512] = "x";

        add(archive, TAR_FILE, "a", NULL, "data");
        assert_int_equal(ftruncate(archive, 700), 0); /* in its padding */
        assert_true(unpack(archive, &to, NULL, &err) < 0);
        assert_int_equal(ftruncate(archive, 514), 0); /* in its data */
        assert_true(unpack(archive, &to, NULL, &err) < 0);
        assert_int_equal(ftruncate(archive, 0), 0);
        lseek(archive, 0, SEEK_SET);
        assert_int_equal(fd_write_all(archive, block, sizeof(block)), 0);
        assert_true(unpack(archive, &to, NULL, &err) < 0);
        assert_non_null(strstr(err.msg, "checksum"));
        drop_place(&to);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_packed_comes_back),
                cmocka_unit_test(nothing_is_made_outside),
                cmocka_unit_test(broken_archives_are_errors),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
