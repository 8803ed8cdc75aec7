/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/mem.h"
#include "engine/host-places.h"

/* Everything is below a folder made for it, which is the working directory. */
static char top[PATH_MAX];

static char *below(const char *path) {
        return *path == '/' ? strdup(path) : str_format("%s/%s", top, path);
}

static void make_socket(const char *name) {
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        snprintf(un.sun_path, sizeof(un.sun_path), "%s", name);
        assert_int_equal(bind(fd, (struct sockaddr *) &un, sizeof(un)), 0);
}

static int set_up(void **state) {
        static const char *const folders[] = { "place", "place/a", "place/a/b", "other", "other/deep", "mnt", "mnt/a", "mnt/other", "mnt/with blank" };

        (void) state;
        snprintf(top, sizeof(top), "%s/kist-test-places.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
        assert_non_null(mkdtemp(top));
        assert_int_equal(chdir(top), 0);
        for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
                assert_int_equal(mkdir(folders[i], 0755), 0);
        fd_close(open("place/a/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
        make_socket("place/sock");
        assert_int_equal(symlink("../place", "other/link"), 0);
        assert_int_equal(symlink("link", "other/link-to-link"), 0);
        assert_int_equal(symlink("../place/new/er", "other/nowhere"), 0);
        assert_int_equal(symlink("round", "other/round"), 0);
        assert_int_equal(symlink("../place/a/file", "other/to-file"), 0);
        return 0;
}

static int tear_down(void **state) {
        auto_fd fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

        (void) state;
        return chdir("/") < 0 || fd < 0 ? -1 : path_remove_tree_at(fd, top + 1);
}

static enum host_relation relation(const char *source, const char *path, enum host_place_kind kind) {
        auto_host_source s = HOST_SOURCE_NONE;
        auto_free char *from = below(source), *to = below(path);

        assert_int_equal(host_source_open(from, &s), 0);
        return host_source_relation(&s, &(struct host_place) { .path = to, .kind = kind });
}

static const struct {
        const char *source, *place;
        enum host_place_kind kind;
        enum host_relation expected;
} rows[] = {
        { "place", "place", HOST_PLACE_TOP, HOST_SAME },
        { "place/.", "place", HOST_PLACE_TREE, HOST_SAME },
        { "other/../place", "place", HOST_PLACE_TREE, HOST_SAME },
        { "other/link", "place", HOST_PLACE_TREE, HOST_SAME },
        { "other/link-to-link", "place", HOST_PLACE_TREE, HOST_SAME },
        { "other/link-to-link/a", "place", HOST_PLACE_TREE, HOST_WITHIN },
        { "place/a/b", "place", HOST_PLACE_TREE, HOST_WITHIN },
        { "place/a/b", "place", HOST_PLACE_TOP, HOST_APART },
        { "place/a/file", "place", HOST_PLACE_TREE, HOST_WITHIN },
        { "other/to-file", "place", HOST_PLACE_TREE, HOST_WITHIN },
        { "other/to-file", "place", HOST_PLACE_TOP, HOST_APART },
        { "", "place", HOST_PLACE_TOP, HOST_AROUND },
        { "/", "place", HOST_PLACE_TOP, HOST_AROUND },
        { "other", "place", HOST_PLACE_TREE, HOST_APART },
        { "other", "no-such-place", HOST_PLACE_TREE, HOST_APART },
        /* Not there: where it would be made. */
        { "place/new", "place", HOST_PLACE_TREE, HOST_WITHIN },
        { "place/new", "place", HOST_PLACE_TOP, HOST_APART },
        { "place/a/new/er", "place", HOST_PLACE_TREE, HOST_WITHIN },
        { "other/nowhere", "place", HOST_PLACE_TREE, HOST_WITHIN },
        { "new", "place", HOST_PLACE_TREE, HOST_APART },
        /* Sockets. */
        { "place/sock", "place/sock", HOST_PLACE_SOCKET, HOST_SAME },
        { "place", "place/sock", HOST_PLACE_SOCKET, HOST_AROUND },
        { "place/a", "place/sock", HOST_PLACE_SOCKET, HOST_APART },
        { "place/a", "place/a/file", HOST_PLACE_SOCKET, HOST_APART }, /* it is none */
};

static void by_name(void **state) {
        (void) state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                enum host_relation r = relation(rows[i].source, rows[i].place, rows[i].kind);

                if (r != rows[i].expected)
                        fail_msg("%s, %s: %d is not %d", rows[i].source, rows[i].place, (int) r, (int) rows[i].expected);
        }
}

static void sources_that_cannot_be(void **state) {
        auto_host_source s = HOST_SOURCE_NONE;

        (void) state;
        assert_int_equal(host_source_open("other/round", &s), -ELOOP);
        assert_int_equal(host_source_open("place/a/file/x", &s), -ENOTDIR);
}

/* Parts of the place mounted elsewhere have no way up to it. In a mount namespace of its own, with folders made for it. */
static void by_other_mounts(void **state) {
        (void) state;
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
                print_message("needs the right to mount\n");
                skip();
        }
        assert_int_equal(mount("place/a", "mnt/a", NULL, MS_BIND, NULL), 0);
        assert_int_equal(relation("mnt/a", "place", HOST_PLACE_TREE), HOST_WITHIN);
        assert_int_equal(relation("mnt/a/b", "place", HOST_PLACE_TREE), HOST_WITHIN);
        assert_int_equal(relation("mnt/a/file", "place", HOST_PLACE_TREE), HOST_WITHIN);
        assert_int_equal(relation("mnt/a/new", "place", HOST_PLACE_TREE), HOST_WITHIN);
        assert_int_equal(relation("mnt/a", "place", HOST_PLACE_TOP), HOST_APART);
        assert_int_equal(relation("mnt/a", "place/a/b", HOST_PLACE_TOP), HOST_AROUND);
        assert_int_equal(relation("mnt/other", "place", HOST_PLACE_TREE), HOST_APART);
        /* A blank is \040 in mountinfo. */
        assert_int_equal(mount("place/a", "mnt/with blank", NULL, MS_BIND, NULL), 0);
        assert_int_equal(relation("mnt/with blank/b", "place", HOST_PLACE_TREE), HOST_WITHIN);
        /* Another file system on a part of the place. */
        assert_int_equal(mount("none", "place/a/b", "tmpfs", 0, NULL), 0);
        assert_int_equal(mkdir("place/a/b/c", 0755), 0);
        assert_int_equal(relation("place/a/b/c", "place", HOST_PLACE_TREE), HOST_WITHIN);
        /* A procfs of its own is a procfs. */
        assert_int_equal(mount("none", "mnt/other", "proc", MS_RDONLY, NULL), 0);
        {
                auto_host_source s = HOST_SOURCE_NONE;
                auto_free char *path = below("mnt/other");

                assert_int_equal(host_source_open(path, &s), 0);
                assert_int_equal(host_source_relation(&s, &(struct host_place) { .path = "/proc", .magic = PROC_SUPER_MAGIC }), HOST_ALIKE);
        }
        assert_int_equal(umount2("mnt/other", MNT_DETACH) | umount2("place/a/b", MNT_DETACH) | umount2("mnt/with blank", MNT_DETACH) | umount2("mnt/a", MNT_DETACH), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(by_name), cmocka_unit_test(sources_that_cannot_be), cmocka_unit_test(by_other_mounts) };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
