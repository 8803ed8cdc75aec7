/* SPDX-License-Identifier: Apache-2.0 */

/* Whole layers through the real program: what must land on disk, and what must not. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
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

struct run {
        struct scratch s;
        json_t *events[16]; /* opaque and device */
        size_t n_events;
        json_t *result;     /* done or error; NULL when the worker died */
};

static void begin(struct run *r) {
        *r = (struct run) { 0 };
        if (userns < 0 || !harness_scratch(&r->s, userns))
                skip();
}

static void end(struct run *r) {
        for (size_t i = 0; i < r->n_events; i++)
                json_decref(r->events[i]);
        json_decref(r->result);
        harness_scratch_remove(&r->s);
}

/* One blob with these sums into the scratch directory. blob_fd: where the compressed bytes go, or -1. */
static void unpack_bytes(struct run *r, const void *blob, size_t size, const char *digest, const char *diff_id, const char *more, int blob_fd) {
        auto_fd input = harness_memory(blob, size);
        int fds[] = { input, r->s.clone_fd, blob_fd };
        struct worker w = harness_start("unpack", userns);
        auto_free char *job = str_format("{\"op\":\"unpack\",\"digest\":\"%s\",\"diff_id\":\"%s\"%s}", digest, diff_id, more);
        json_t *event;

        harness_send(&w, job, fds, blob_fd >= 0 ? 3 : 2);
        while ((event = harness_result(&w))) {
                const char *name = json_get_str(event, "event", "");

                if (strcmp(name, "done") == 0 || strcmp(name, "error") == 0) {
                        assert_null(r->result);
                        r->result = event;
                } else if (r->n_events < ARRAY_SIZE(r->events)) {
                        r->events[r->n_events++] = event;
                }
        }
        assert_true(WIFEXITED(harness_end(&w)));
}

static void unpack_tar(struct run *r, struct tar *t) {
        const char *sum;

        tar_end(t);
        sum = harness_sum(t->data, t->size);
        unpack_bytes(r, t->data, t->size, sum, sum, "", -1);
        tar_free(t);
}

static void expect_done(const struct run *r) {
        if (r->result && strcmp(json_get_str(r->result, "event", ""), "error") == 0)
                print_message("%s\n", json_get_str(r->result, "message", ""));
        assert_non_null(r->result);
        assert_string_equal(json_get_str(r->result, "event", ""), "done");
}

static void expect_error(const struct run *r, const char *kind, const char *words) {
        assert_non_null(r->result);
        assert_string_equal(json_get_str(r->result, "event", ""), "error");
        if (!strstr(json_get_str(r->result, "message", ""), words))
                fail_msg("\"%s\" does not say \"%s\"", json_get_str(r->result, "message", ""), words);
        assert_string_equal(json_get_str(r->result, "kind", ""), kind);
}

static struct stat stat_of(const struct run *r, const char *path) {
        struct stat st = { 0 };

        if (fstatat(r->s.dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
                fail_msg("%s is missing", path);
        return st;
}

static bool is_there(const struct run *r, const char *path) {
        struct stat st;

        return fstatat(r->s.dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void expect_text(const struct run *r, const char *path, const char *text) {
        auto_free char *found = NULL;

        assert_int_equal(file_read_at(r->s.dir_fd, path, 1000, &found, NULL), 0);
        assert_string_equal(found, text);
}

static bool is_whiteout(const struct run *r, const char *path) {
        struct stat st = stat_of(r, path);

        return S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
}

#define DIRECTORY(n, ...) ((struct tar_member) { .name = n, .type = '5', __VA_ARGS__ })
#define FILE_OF(n, text, ...) ((struct tar_member) { .name = n, .data = text, __VA_ARGS__ })
#define LINK(n, to) ((struct tar_member) { .name = n, .type = '1', .link = to })
#define SYMLINK(n, to, ...) ((struct tar_member) { .name = n, .type = '2', .link = to, __VA_ARGS__ })

/* --- what must work --- */

static void kinds_modes_owners_and_times(void **state) {
        struct tar t = { 0 };
        struct stat st;
        struct run r;

        begin(&r);
        tar_add(&t, DIRECTORY("./", .mode = 01777, .mtime = 1000));
        tar_add(&t, DIRECTORY("d/", .mode = 0750, .uid = 1, .gid = 2, .mtime = 2000));
        tar_add(&t, FILE_OF("d/f", "hello", .mode = 0640, .uid = 1000, .gid = 65535, .mtime = 3000));
        tar_add(&t, FILE_OF("d/suid", "x", .mode = 06755, .uid = 12, .gid = 34));
        tar_add(&t, FILE_OF("d/root-suid", "x", .mode = 04711));
        tar_add(&t, SYMLINK("d/s", "/../../etc/passwd", .uid = 7, .mtime = 4000));
        tar_add(&t, LINK("hard", "./d/f"));
        tar_add(&t, ((struct tar_member) { .name = "p", .type = '6', .mode = 0600, .uid = 5 }));
        tar_add(&t, FILE_OF("/absolute", "a"));
        tar_add(&t, FILE_OF("no/parents/here", "b"));
        tar_add(&t, FILE_OF("empty", ""));
        unpack_tar(&r, &t);
        expect_done(&r);

        st = stat_of(&r, ".");
        assert_int_equal(st.st_mode, S_IFDIR | 01777);
        assert_int_equal(st.st_mtime, 1000);
        st = stat_of(&r, "d");
        assert_int_equal(st.st_mode, S_IFDIR | 0750);
        assert_int_equal(st.st_uid, 1);
        assert_int_equal(st.st_gid, 2);
        assert_int_equal(st.st_mtime, 2000);
        st = stat_of(&r, "d/f");
        assert_int_equal(st.st_mode, S_IFREG | 0640);
        assert_int_equal(st.st_uid, 1000);
        assert_int_equal(st.st_gid, 65535);
        assert_int_equal(st.st_mtime, 3000);
        assert_int_equal(st.st_nlink, 2);
        expect_text(&r, "hard", "hello");
        assert_int_equal(stat_of(&r, "hard").st_ino, st.st_ino);
        assert_int_equal(stat_of(&r, "d/suid").st_mode, S_IFREG | 06755);
        assert_int_equal(stat_of(&r, "d/root-suid").st_mode, S_IFREG | 04711);
        st = stat_of(&r, "d/s");
        assert_true(S_ISLNK(st.st_mode));
        assert_int_equal(st.st_uid, 7);
        assert_int_equal(st.st_mtime, 4000);
        assert_int_equal(stat_of(&r, "p").st_mode, S_IFIFO | 0600);
        expect_text(&r, "absolute", "a");
        assert_int_equal(stat_of(&r, "no/parents").st_mode, S_IFDIR | 0755);
        assert_int_equal(stat_of(&r, "empty").st_size, 0);
        assert_int_equal(json_get_int(r.result, "entries", 0), 11);
        assert_int_equal(json_get_int(r.result, "size", 0), 9);
        end(&r);
}

/* A set-gid directory hands its group down when files are made; the archive has the last word. */
static void groups_under_a_set_gid_directory(void **state) {
        struct tar t = { 0 };
        struct run r;

        begin(&r);
        tar_add(&t, DIRECTORY("g", .mode = 02775, .gid = 50));
        tar_add(&t, FILE_OF("g/root", "x"));
        tar_add(&t, DIRECTORY("g/sub", .gid = 3));
        tar_add(&t, SYMLINK("g/s", "root"));
        unpack_tar(&r, &t);
        expect_done(&r);
        assert_int_equal(stat_of(&r, "g").st_mode, S_IFDIR | 02775);
        assert_int_equal(stat_of(&r, "g/root").st_gid, 0);
        assert_int_equal(stat_of(&r, "g/s").st_gid, 0);
        assert_int_equal(stat_of(&r, "g/sub").st_gid, 3);
        assert_int_equal(stat_of(&r, "g/sub").st_mode, S_IFDIR | 0755);
        end(&r);
}

static void later_entries_replace_earlier_ones(void **state) {
        struct tar t = { 0 };
        struct run r;

        begin(&r);
        tar_add(&t, FILE_OF("a", "old", .mode = 0600));
        tar_add(&t, FILE_OF("a", "new", .mode = 0644));
        tar_add(&t, DIRECTORY("d"));
        tar_add(&t, FILE_OF("d/kept", "k"));
        tar_add(&t, DIRECTORY("d", .mode = 0700, .mtime = 77));
        tar_add(&t, DIRECTORY("tree/deep"));
        tar_add(&t, FILE_OF("tree/deep/f", "x"));
        tar_add(&t, FILE_OF("tree", "now a file"));
        tar_add(&t, FILE_OF("b", "file"));
        tar_add(&t, DIRECTORY("b"));
        tar_add(&t, SYMLINK("l", "a"));
        tar_add(&t, FILE_OF("l", "not through the link"));
        tar_add(&t, LINK("a", "a"));
        unpack_tar(&r, &t);
        expect_done(&r);
        expect_text(&r, "a", "new");
        expect_text(&r, "d/kept", "k");
        assert_int_equal(stat_of(&r, "d").st_mode, S_IFDIR | 0700);
        assert_int_equal(stat_of(&r, "d").st_mtime, 77);
        expect_text(&r, "tree", "now a file");
        assert_true(S_ISDIR(stat_of(&r, "b").st_mode));
        expect_text(&r, "l", "not through the link");
        end(&r);
}

static void whiteouts_and_opaque_directories(void **state) {
        struct tar t = { 0 };
        struct run r;

        begin(&r);
        tar_add(&t, FILE_OF(".wh.gone", ""));
        tar_add(&t, FILE_OF("d/.wh.x", ""));
        tar_add(&t, FILE_OF("o/.wh..wh..opq", ""));
        tar_add(&t, FILE_OF("o/f", "f"));
        tar_add(&t, FILE_OF(".wh.both", ""));
        tar_add(&t, DIRECTORY("both"));
        tar_add(&t, DIRECTORY("other"));
        tar_add(&t, FILE_OF(".wh.other", ""));
        tar_add(&t, FILE_OF("file", "stays"));
        tar_add(&t, FILE_OF(".wh.file", ""));
        tar_add(&t, FILE_OF(".wh..wh.plnk/1.2", "x"));
        tar_add(&t, FILE_OF(".wh.parent", ""));
        tar_add(&t, FILE_OF("parent/child", "c"));
        unpack_tar(&r, &t);
        expect_done(&r);
        assert_true(is_whiteout(&r, "gone"));
        assert_true(is_whiteout(&r, "d/x"));
        expect_text(&r, "file", "stays");
        expect_text(&r, "parent/child", "c");
        assert_false(is_there(&r, ".wh..wh.plnk"));
        assert_int_equal(r.n_events, 4);
        assert_string_equal(json_get_str(r.events[0], "event", ""), "opaque");
        assert_string_equal(json_get_str(r.events[0], "path", ""), "o");
        assert_string_equal(json_get_str(r.events[1], "path", ""), "both");
        assert_string_equal(json_get_str(r.events[2], "path", ""), "other");
        assert_string_equal(json_get_str(r.events[3], "path", ""), "parent");
        end(&r);
}

static void devices_are_reported_not_made(void **state) {
        struct tar t = { 0 };
        struct run r;

        begin(&r);
        tar_add(&t, ((struct tar_member) { .name = "dev/null", .type = '3', .mode = 0666, .gid = 6, .major = 1, .minor = 3 }));
        tar_add(&t, ((struct tar_member) { .name = "dev/sda", .type = '4', .mode = 0660, .major = 8 }));
        unpack_tar(&r, &t);
        expect_done(&r);
        assert_false(is_there(&r, "dev/null"));
        assert_true(is_there(&r, "dev"));
        assert_int_equal(r.n_events, 2);
        assert_string_equal(json_get_str(r.events[0], "event", ""), "device");
        assert_string_equal(json_get_str(r.events[0], "path", ""), "dev/null");
        assert_int_equal(json_get_int(r.events[0], "mode", 0), S_IFCHR | 0666);
        assert_int_equal(json_get_int(r.events[0], "gid", 0), 6);
        assert_int_equal(json_get_int(r.events[0], "major", 0), 1);
        assert_int_equal(json_get_int(r.events[0], "minor", 0), 3);
        assert_int_equal(json_get_int(r.events[1], "mode", 0), S_IFBLK | 0660);
        end(&r);
}

static void extended_attributes(void **state) {
        struct tar t = { 0 };
        char value[64];
        struct run r;

        begin(&r);
        tar_add(&t, FILE_OF("f", "x", .uid = 3, .xattr = "user.note", .xattr_value = "hello"));
        tar_add(&t, FILE_OF("g", "x", .xattr = "security.selinux", .xattr_value = "system_u:object_r:bin_t:s0"));
        tar_add(&t, DIRECTORY("d", .xattr = "user.dir", .xattr_value = "y"));
        tar_add(&t, FILE_OF("h", "x", .xattr = "trusted.other", .xattr_value = "y"));
        unpack_tar(&r, &t);
        expect_done(&r);
        auto_free char *f = str_format("%s/f", r.s.path), *d = str_format("%s/d", r.s.path), *g = str_format("%s/g", r.s.path);
        assert_int_equal(getxattr(f, "user.note", value, sizeof(value)), 5);
        assert_memory_equal(value, "hello", 5);
        assert_int_equal(getxattr(d, "user.dir", value, sizeof(value)), 1);
        assert_int_equal(listxattr(g, value, sizeof(value)), 0);
        end(&r);
}

/* Bytes that are no UTF-8, and letters that have two spellings in Unicode, stay as they are. */
static void names_are_bytes(void **state) {
        static const char *const names[] = { "caf\xc3\xa9", "cafe\xcc\x81", "bad\xff", "new\nline", "back\\slash" };
        struct tar t = { 0 };
        struct run r;

        begin(&r);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                tar_add(&t, FILE_OF(names[i], "x", .xattr = i < 2 ? "user.makes-it" : NULL, .xattr_value = "pax"));
        tar_add(&t, SYMLINK("s", names[1]));
        tar_add(&t, LINK("h", names[2]));
        unpack_tar(&r, &t);
        expect_done(&r);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                expect_text(&r, names[i], "x");
        expect_text(&r, "s", "x");
        expect_text(&r, "h", "x");
        end(&r);
}

static void the_blob_is_kept_and_summed(void **state) {
        static const struct tar_member big = { .name = "big", .mode = 0644, .size = 5 << 20 };
        struct tar t = { 0 };
        size_t size, kept_size;
        unsigned char *gz;
        auto_free char *kept = NULL;
        auto_fd blob = harness_memory("", 0);
        struct run r;

        begin(&r);
        tar_add(&t, big);
        tar_end(&t);
        gz = tar_gzip(t.data, t.size, &size);
        auto_free char *more = str_format(",\"size\":%zu", size);
        unpack_bytes(&r, gz, size, harness_sum(gz, size), harness_sum(t.data, t.size), more, blob);
        expect_done(&r);
        assert_int_equal(json_get_int(r.result, "blob_size", 0), size);
        assert_string_equal(json_get_str(r.result, "digest", ""), harness_sum(gz, size));
        assert_int_equal(stat_of(&r, "big").st_size, 5 << 20);
        lseek(blob, 0, SEEK_SET);
        assert_int_equal(fd_read_file(blob, 1 << 20, &kept, &kept_size), 0);
        assert_int_equal(kept_size, size);
        assert_memory_equal(kept, gz, size);
        free(gz);
        tar_free(&t);
        end(&r);
}

static void an_empty_layer(void **state) {
        struct tar t = { 0 };
        struct run r;

        begin(&r);
        unpack_tar(&r, &t);
        expect_done(&r);
        json_decref(r.result);
        r.result = NULL;
        unpack_bytes(&r, "", 0, harness_sum("", 0), harness_sum("", 0), "", -1);
        expect_done(&r);
        end(&r);
}

/* --- what must not --- */

static void hostile_entries_fail_the_job(void **state) {
        static const struct {
                struct tar_member first, second;
                const char *kind, *words;
        } rows[] = {
                { FILE_OF("../x", "x"), {}, "invalid", "entry \"../x\" leaves the root" },
                { FILE_OF("a/../../x", "x"), {}, "invalid", "leaves the root" },
                { SYMLINK("s", "/tmp"), FILE_OF("s/x", "x"), "invalid", "lies in \"s\", which is a symbolic link" },
                { SYMLINK("s", ".."), FILE_OF("s/x", "x"), "invalid", "symbolic link" },
                { SYMLINK("s", ".."), DIRECTORY("s/x/y"), "invalid", "symbolic link" },
                { SYMLINK("s", "/"), SYMLINK("s/x", "y"), "invalid", "symbolic link" },
                { SYMLINK("s", "/etc"), LINK("x", "s/passwd"), "invalid", "through a symbolic link" },
                { SYMLINK("s", "/etc"), FILE_OF("s/.wh.passwd", ""), "invalid", "symbolic link" },
                { LINK("x", "../../../etc/passwd"), {}, "invalid", "leaves the root" },
                { LINK("x", "/etc/passwd"), {}, "invalid", "which the layer does not have" },
                { DIRECTORY("d"), LINK("x", "d"), "invalid", "which is not a file" },
                { FILE_OF(".wh.d", ""), LINK("x", "d"), "invalid", "which is not a file" },
                { LINK("x", "/"), {}, "invalid", "which is not a file" },
                { FILE_OF("f", "x"), FILE_OF("f/x", "x"), "invalid", "lies in \"f\", which is not a directory" },
                { FILE_OF("u", "x", .uid = 70000), {}, "unsupported", "entry \"u\" belongs to uid 70000, beyond the 65536 ids of a container" },
                { FILE_OF("u", "x", .gid = 65536), {}, "unsupported", "gid 65536" },
                { ((struct tar_member) { .name = "c", .type = '3' }), {}, "invalid", "whiteout" },
                { FILE_OF("f", "x", .xattr = "trusted.overlay.redirect", .xattr_value = "/etc"), {}, "invalid", "belongs to overlayfs" },
                { DIRECTORY("d", .xattr = "trusted.overlay.opaque", .xattr_value = "y"), {}, "invalid", "belongs to overlayfs" },
                { FILE_OF(".", "x"), {}, "invalid", "root directory" },
                { FILE_OF(".wh...", ""), {}, "invalid", "bad whiteout" },
                { FILE_OF(".wh.a/b", ""), {}, "invalid", "bad whiteout" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct tar t = { 0 };
                struct run r;

                begin(&r);
                tar_add(&t, rows[i].first);
                if (rows[i].second.name)
                        tar_add(&t, rows[i].second);
                unpack_tar(&r, &t);
                expect_error(&r, rows[i].kind, rows[i].words);
                assert_non_null(strstr(json_get_str(r.result, "message", ""), "layer sha256:"));
                end(&r);
        }
}

static void wrong_sums_and_sizes_fail_the_job(void **state) {
        static const char wrong[] = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
        struct tar t = { 0 };
        unsigned char *gz;
        const char *sum, *diff_id;
        size_t size;
        struct run r;

        tar_add(&t, FILE_OF("f", "some text to be kept"));
        tar_end(&t);
        gz = tar_gzip(t.data, t.size, &size);
        sum = harness_sum(gz, size);
        diff_id = harness_sum(t.data, t.size);
        auto_free char *longer = str_format(",\"size\":%zu", size + 1), *shorter = str_format(",\"size\":%zu", size - 1);
        const struct {
                size_t size;
                const char *digest, *diff_id, *more, *kind, *words;
        } rows[] = {
                { size, wrong, diff_id, "", "invalid", "has another digest" },
                { size, sum, wrong, "", "invalid", "not to its diff id" },
                { size, sum, diff_id, longer, "invalid", "is cut short" },
                { size, sum, diff_id, shorter, "invalid", "is longer than" },
                { size - 9, sum, diff_id, "", "invalid", "is cut short" },
                { size, "sha256:xyz", diff_id, "", "invalid", "needs a digest" },
                { size, sum, "", "", "invalid", "needs a digest" },
                { size, sum, diff_id, ",\"limits\":{\"bytes\":10}", "too large", "limit of 10 bytes" },
        };
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                begin(&r);
                unpack_bytes(&r, gz, rows[i].size, rows[i].digest, rows[i].diff_id, rows[i].more, -1);
                expect_error(&r, rows[i].kind, rows[i].words);
                end(&r);
        }

        gz[size / 2] ^= 0x55;
        begin(&r);
        unpack_bytes(&r, gz, size, sum, diff_id, "", -1);
        expect_error(&r, "invalid", "is corrupt near byte");
        end(&r);

        begin(&r);
        unpack_bytes(&r, "this is not an archive at all, but it is longer than it seems", 61, sum, diff_id, "", -1);
        expect_error(&r, "invalid", "");
        end(&r);
        free(gz);
        tar_free(&t);
}

static void too_many_entries(void **state) {
        struct tar t = { 0 };
        const char *sum;
        struct run r;

        begin(&r);
        for (int i = 0; i < 50; i++) {
                char name[16];

                sprintf(name, "f%d", i);
                tar_add(&t, FILE_OF(name, ""));
        }
        tar_end(&t);
        sum = harness_sum(t.data, t.size);
        unpack_bytes(&r, t.data, t.size, sum, sum, ",\"limits\":{\"entries\":49}", -1);
        expect_error(&r, "too large", "entry \"f49\" passes the limit of 49 entries");
        tar_free(&t);
        end(&r);
}

/* 200 MiB of zeros in 200 kB, within a limit of 100:1. */
static void a_bomb_is_defused(void **state) {
        struct tar t = { 0 };
        unsigned char *gz;
        size_t size;
        struct run r;

        begin(&r);
        tar_add(&t, ((struct tar_member) { .name = "zeros", .mode = 0644, .size = 200 << 20 }));
        tar_end(&t);
        gz = tar_gzip(t.data, t.size, &size);
        tar_free(&t);
        unpack_bytes(&r, gz, size, harness_sum(gz, size), harness_sum("", 0), ",\"limits\":{\"ratio\":100}", -1);
        expect_error(&r, "too large", "100 times its size");
        assert_true(!is_there(&r, "zeros") || stat_of(&r, "zeros").st_size < 128 << 20);
        free(gz);
        end(&r);
}

static void a_full_disk_says_so(void **state) {
        struct tar t = { 0 };
        struct run r;

        begin(&r);
        tar_add(&t, ((struct tar_member) { .name = "big/file", .mode = 0644, .size = 4 << 20 }));
        fd_close(r.s.clone_fd);
        fd_close(r.s.dir_fd);
        r.s.clone_fd = r.s.dir_fd = -EBADF;
        auto_free char *inner = strdup(r.s.path);
        if (mount("tmpfs", inner, "tmpfs", 0, "size=1M") < 0)
                skip();
        r.s.dir_fd = open(inner, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r.s.clone_fd = harness_clone(r.s.dir_fd, userns);
        umount2(inner, MNT_DETACH);
        if (r.s.clone_fd < 0) {
                print_message("# tmpfs cannot be idmapped here\n");
                tar_free(&t);
                end(&r);
                skip();
        }
        unpack_tar(&r, &t);
        expect_error(&r, "no space", "entry \"big/file\" cannot be written: No space left on device");
        end(&r);
}

static void the_worker_ends_without_a_daemon(void **state) {
        struct worker w;

        if (userns < 0)
                skip();
        w = harness_start("unpack", userns);
        assert_int_equal(harness_end(&w), 0);
        w = harness_start("load", userns);
        assert_int_equal(harness_end(&w), 0);
        w = harness_start("fetch", userns);
        assert_int_equal(harness_end(&w), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(kinds_modes_owners_and_times),
                cmocka_unit_test(groups_under_a_set_gid_directory),
                cmocka_unit_test(later_entries_replace_earlier_ones),
                cmocka_unit_test(whiteouts_and_opaque_directories),
                cmocka_unit_test(devices_are_reported_not_made),
                cmocka_unit_test(extended_attributes),
                cmocka_unit_test(names_are_bytes),
                cmocka_unit_test(the_blob_is_kept_and_summed),
                cmocka_unit_test(an_empty_layer),
                cmocka_unit_test(hostile_entries_fail_the_job),
                cmocka_unit_test(wrong_sums_and_sizes_fail_the_job),
                cmocka_unit_test(too_many_entries),
                cmocka_unit_test(a_bomb_is_defused),
                cmocka_unit_test(a_full_disk_says_so),
                cmocka_unit_test(the_worker_ends_without_a_daemon),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
