/* SPDX-License-Identifier: Apache-2.0 */

/* Trees to archives, changes to layers, archives into roots, through the real program. */

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
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
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "harness.h"
#include "tar.h"

static int userns = -1;

static int setup(void **state) {
        userns = harness_userns();
        return 0;
}

static int teardown(void **state) {
        fd_close(userns);
        return 0;
}

static void put(int dir_fd, const char *path, const char *text) {
        auto_fd fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

/* "name type uid" of each member, sorted by the order of the archive; the caller frees. */
static char *names_of(int fd) {
        struct archive *a = archive_read_new();
        struct archive_entry *e;
        struct strbuf b;

        strbuf_init(&b, 1 << 16);
        strbuf_adds(&b, " ");
        lseek(fd, 0, SEEK_SET);
        archive_read_support_format_tar(a);
        archive_read_support_format_empty(a);
        assert_int_equal(archive_read_open_fd(a, fd, 10240), ARCHIVE_OK);
        while (archive_read_next_header(a, &e) == ARCHIVE_OK)
                strbuf_addf(&b, "%s:%d:%d ", archive_entry_pathname(e), (int) archive_entry_filetype(e) >> 12, (int) archive_entry_uid(e));
        archive_read_free(a);
        return strbuf_take(&b, NULL);
}

static json_t *run(const char *mode, const char *job, const int *fds, size_t n_fds) {
        struct worker w = harness_start(mode, userns);
        json_t *result;

        harness_send(&w, job, fds, n_fds);
        result = harness_result(&w);
        while (result && !strcmp(json_get_str(result, "event", ""), "stat")) {
                json_t *next = harness_result(&w);

                if (!next)
                        break;
                json_decref(result);
                result = next;
        }
        harness_end(&w);
        assert_non_null(result);
        return result;
}

static void a_tree_is_packed_under_its_name(void **state) {
        auto_fd out = memfd_create("out", MFD_CLOEXEC);
        auto_json *done = NULL;
        auto_free char *names = NULL;
        struct scratch s;

        if (userns < 0 || !harness_scratch(&s, userns))
                skip();
        assert_int_equal(mkdirat(s.dir_fd, "a", 0755), 0);
        put(s.dir_fd, "a/f", "x");
        assert_int_equal(fchownat(s.dir_fd, "a/f", 7, 7, 0), 0);
        assert_int_equal(symlinkat("/etc/passwd", s.dir_fd, "a/l"), 0);
        done = run("pack", "{\"op\":\"tree\",\"path\":\"/a\"}", (int[]) { out, s.clone_fd }, 2);
        assert_string_equal(json_get_str(done, "event", ""), "done");
        names = names_of(out);
        assert_true(str_starts_with(names, " a/:4:0 "));
        assert_non_null(strstr(names, " a/f:8:7 "));
        assert_non_null(strstr(names, " a/l:10:0 "));
        harness_scratch_remove(&s);
}

static void a_path_does_not_leave_the_root(void **state) {
        static const char *const paths[] = { "/link/etc/passwd", "/up", "/../../../../etc/passwd", "/nothing" };
        struct scratch s;

        if (userns < 0 || !harness_scratch(&s, userns))
                skip();
        assert_int_equal(symlinkat("/", s.dir_fd, "link"), 0);
        assert_int_equal(symlinkat("../../../../../etc/passwd", s.dir_fd, "up"), 0);
        for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
                auto_fd out = memfd_create("out", MFD_CLOEXEC);
                auto_free char *job = str_format("{\"op\":\"tree\",\"path\":\"%s\",\"follow\":true}", paths[i]);
                auto_json *result = run("pack", job, (int[]) { out, s.clone_fd }, 2);

                assert_string_equal(json_get_str(result, "kind", ""), "not found");
                assert_non_null(strstr(json_get_str(result, "message", ""), "Could not find the file"));
        }
        harness_scratch_remove(&s);
}

/* upper: changes; image: what was there; root: what is seen now. */
static void changes_become_whiteouts(void **state) {
        auto_fd out = memfd_create("out", MFD_CLOEXEC), list = memfd_create("list", MFD_CLOEXEC);
        auto_json *done = NULL, *listed = NULL;
        auto_free char *names = NULL, *text = NULL;
        struct scratch upper, image, root;
        size_t size;

        if (userns < 0 || !harness_scratch(&upper, userns))
                skip();
        assert_true(harness_scratch(&image, userns) && harness_scratch(&root, userns));
        for (int i = 0; i < 3; i++) {
                int fd = (int[]) { upper.dir_fd, image.dir_fd, root.dir_fd }[i];

                assert_int_equal(mkdirat(fd, "d", 0755), 0);
                assert_int_equal(mkdirat(fd, "emptied", 0755), 0);
                put(fd, "changed", "x");
        }
        put(image.dir_fd, "d/gone", "x");
        put(image.dir_fd, "emptied/gone", "x");
        assert_int_equal(mknodat(upper.dir_fd, "d/gone", S_IFCHR, makedev(0, 0)), 0);
        assert_int_equal(mknodat(upper.dir_fd, "d/never", S_IFCHR, makedev(0, 0)), 0);
        put(upper.dir_fd, "new", "x");
        put(root.dir_fd, "new", "x");
        put(upper.dir_fd, "hosts", "");
        done = run("pack", "{\"op\":\"layer\",\"hidden\":[\"/hosts\"]}", (int[]) { out, root.clone_fd, upper.clone_fd, image.clone_fd }, 4);
        assert_string_equal(json_get_str(done, "event", ""), "done");
        names = names_of(out);
        assert_non_null(strstr(names, " d/.wh.gone:8:0 "));
        assert_non_null(strstr(names, " emptied/.wh..wh..opq:8:0 "));
        assert_non_null(strstr(names, " new:8:0 "));
        assert_non_null(strstr(names, " changed:8:0 "));
        assert_null(strstr(names, "never"));
        assert_null(strstr(names, "hosts"));
        listed = run("pack", "{\"op\":\"changes\",\"hidden\":[\"/hosts\"]}", (int[]) { list, root.clone_fd, upper.clone_fd, image.clone_fd }, 4);
        assert_int_equal(json_get_int(listed, "entries", 0), 6);
        lseek(list, 0, SEEK_SET);
        assert_int_equal(fd_read_file(list, 4096, &text, &size), 0);
        assert_non_null(memmem(text, size, "D/d/gone", 9));
        assert_non_null(memmem(text, size, "C/d", 4));
        assert_non_null(memmem(text, size, "D/emptied/gone", 15));
        assert_non_null(memmem(text, size, "A/new", 6));
        harness_scratch_remove(&root);
        harness_scratch_remove(&image);
        harness_scratch_remove(&upper);
}

static json_t *extract(const struct scratch *s, const struct tar *t, const char *more) {
        auto_fd input = harness_memory(t->data, t->size);
        auto_free char *job = str_format("{\"op\":\"extract\",\"path\":\"/in\"%s}", more);

        return run("extract", job, (int[]) { input, s->clone_fd }, 2);
}

static void an_archive_is_extracted(void **state) {
        auto_json *done = NULL;
        struct tar t = { 0 };
        struct scratch s;
        struct stat st;

        if (userns < 0 || !harness_scratch(&s, userns))
                skip();
        assert_int_equal(mkdirat(s.dir_fd, "in", 0755), 0);
        assert_int_equal(mkdirat(s.dir_fd, "real", 0755), 0);
        assert_int_equal(symlinkat("/real", s.dir_fd, "in/link"), 0);
        tar_add(&t, (struct tar_member) { .name = "./", .type = '5', .mode = 0700, .uid = 9 });
        tar_add(&t, (struct tar_member) { .name = "f", .data = "x", .uid = 5, .gid = 6, .mode = 04755 });
        tar_add(&t, (struct tar_member) { .name = "link/deep/f", .data = "x" });
        tar_end(&t);
        done = extract(&s, &t, "");
        assert_string_equal(json_get_str(done, "event", ""), "done");
        assert_int_equal(fstatat(s.dir_fd, "in/f", &st, 0), 0);
        assert_int_equal(st.st_uid, 5);
        assert_int_equal(st.st_mode & 07777, 04755);
        /* The place itself stays as it is; a link among the parents means what it means in the container. */
        assert_int_equal(fstatat(s.dir_fd, "in", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0755);
        assert_int_equal(fstatat(s.dir_fd, "real/deep/f", &st, 0), 0);
        tar_free(&t);
        harness_scratch_remove(&s);
}

static void what_does_not_belong_is_refused(void **state) {
        static const struct {
                struct tar_member m;
                const char *more, *kind;
        } rows[] = {
                { { .name = "../x", .data = "x" }, "", "invalid" },
                { { .name = "dir", .data = "x" }, ",\"keep_kinds\":true", "invalid" },
                { { .name = "file", .type = '5' }, ",\"keep_kinds\":true", "invalid" },
                { { .name = "dev", .type = '3', .major = 1, .minor = 3 }, "", "unsupported" },
                { { .name = "big", .data = "x", .uid = 70000 }, "", "unsupported" },
                { { .name = "h", .type = '1', .link = "../../etc/passwd" }, "", "invalid" },
                { { .name = "over", .size = 4096 }, ",\"limits\":{\"bytes\":1000}", "too large" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct tar t = { 0 };
                struct scratch s;
                json_t *result;

                if (userns < 0 || !harness_scratch(&s, userns))
                        skip();
                assert_int_equal(mkdirat(s.dir_fd, "in", 0755), 0);
                assert_int_equal(mkdirat(s.dir_fd, "in/dir", 0755), 0);
                put(s.dir_fd, "in/file", "x");
                tar_add(&t, rows[i].m);
                tar_end(&t);
                result = extract(&s, &t, rows[i].more);
                assert_string_equal(json_get_str(result, "kind", ""), rows[i].kind);
                json_decref(result);
                tar_free(&t);
                harness_scratch_remove(&s);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_tree_is_packed_under_its_name),
                cmocka_unit_test(a_path_does_not_leave_the_root),
                cmocka_unit_test(changes_become_whiteouts),
                cmocka_unit_test(an_archive_is_extracted),
                cmocka_unit_test(what_does_not_belong_is_refused),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
