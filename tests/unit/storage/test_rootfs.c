/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <pthread.h>
#include <sys/mount.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/statfs.h>

#include "base/mem.h"
#include "storage/internal.h"

#define ID "c0ffee"

static void make_container(struct fixture *f) {
        auto_fd fd = -EBADF;

        assert_int_equal(storage_container_create(f->s, ID, NULL, &fd, &f->err), 0);
}

/* Mounts layers 1…n of f. */
static int mount_n(struct fixture *f, int n, int userns, bool read_only, bool ephemeral) {
        char (*ids)[80] = calloc((size_t) n + 1, sizeof(*ids));
        const char **list = calloc((size_t) n + 1, sizeof(*list));
        struct storage_rootfs r = { .container_id = ID, .diff_ids = list, .n_diff_ids = (size_t) n, .userns_fd = userns,
                .first_id = userns >= 0 ? FIRST_ID : 0, .read_only = read_only, .ephemeral = ephemeral };
        int fd = -1, k;

        for (int i = 0; i < n; i++)
                list[i] = strcpy(ids[i], diff_id(i + 1));
        k = storage_rootfs_mount(f->s, &r, &fd, &f->err);
        if (k < 0)
                assert_int_equal(fd, -1);
        free(ids);
        free(list);
        return k < 0 ? k : fd;
}

static char *mount_table(void) {
        char *text = NULL;

        assert_int_equal(file_read_at(AT_FDCWD, "/proc/self/mountinfo", 1 << 20, &text, NULL), 0);
        return text;
}

static int change_things(void) {
        struct stat st;

        INSIDE(stat(".", &st) == 0 && st.st_uid == 0 && (st.st_mode & 07777) == 0751);
        INSIDE(stat("low", &st) == 0 && st.st_uid == 0);
        INSIDE(mkdir("d", 0755) == 0);
        INSIDE(chown("d", 65535, 65535) == 0);
        INSIDE(unlink("low") == 0);
        INSIDE(stat("high", &st) == 0 && chmod("high", 0600) == 0);
        return 0;
}

static void check_changes(struct fixture *f) {
        struct stat st;

        assert_int_equal(fstatat(f->dir, "containers/" ID "/upper/d", &st, 0), 0);
        assert_int_equal(st.st_uid, 65535);
        assert_int_equal(fstatat(f->dir, "containers/" ID "/upper/low", &st, 0), 0);
        assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
        assert_int_equal(fstatat(f->dir, "containers/" ID "/upper/high", &st, 0), 0);
        assert_int_equal(st.st_uid, 0);
        assert_int_equal(st.st_mode & 07777, 0600);
}

static void two_layers(struct fixture *f) {
        char path[160];

        make_layer(f, 1, "low", "one");
        make_layer(f, 2, "high", "two");
        make_container(f);
        snprintf(path, sizeof(path), "layers/sha256/%s", diff_id(2) + strlen("sha256:"));
        assert_int_equal(fchmodat(f->dir, path, 0751, 0), 0);
}

static void changes_land_with_plain_ids(struct fixture *f, int userns) {
        auto_free char *before = mount_table(), *during = NULL;
        auto_fd root = -EBADF;

        two_layers(f);
        root = mount_n(f, 2, userns, false, false);
        assert_true(root >= 0);
        during = mount_table();
        assert_string_equal(before, during);
        assert_int_equal(run_inside(userns, root, change_things), 0);
        check_changes(f);
}

static void idmapped(void **state) {
        auto_fd userns = make_userns();

        changes_land_with_plain_ids(*state, userns);
}

static void not_idmapped(void **state) {
        changes_land_with_plain_ids(*state, -1);
}

static void changes_last_and_are_seen_read_only(void **state) {
        struct fixture *f = *state;
        auto_fd userns = make_userns(), root = -EBADF;

        two_layers(f);
        root = mount_n(f, 2, userns, false, false);
        assert_int_equal(run_inside(userns, root, change_things), 0);
        /* The container's own change of "/" must outlive a second start. */
        assert_int_equal(fchmodat(root, ".", 0700, 0), 0);
        root = fd_close(root);
        root = mount_n(f, 2, userns, true, false);
        assert_true(root >= 0);
        assert_false(exists(root, "low"));
        assert_true(exists(root, "high") && exists(root, "d"));
        assert_int_equal(mkdirat(root, "x", 0755), -1);
        assert_int_equal(errno, EROFS);
        root = fd_close(root);
        root = mount_n(f, 2, userns, false, false);
        assert_false(exists(root, "low"));
        assert_int_equal(mkdirat(root, "x", 0755), -1); /* we are nobody there: our id is not in its namespace */
        assert_int_equal(errno, EOVERFLOW);
        struct stat st;
        assert_int_equal(fstatat(root, ".", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        assert_int_equal(st.st_uid, FIRST_ID);
}

static void empty_and_single_roots(void **state) {
        struct fixture *f = *state;
        auto_fd userns = make_userns();

        make_layer(f, 1, "only", "x");
        make_container(f);
        for (int n = 0; n <= 1; n++)
                for (int read_only = 0; read_only <= 1; read_only++) {
                        auto_fd root = mount_n(f, n, userns, read_only, false);

                        assert_true(root >= 0);
                        assert_int_equal(exists(root, "only"), n);
                }
}

static void the_root_has_the_attributes_of_the_topmost(void **state) {
        struct fixture *f = *state;
        auto_fd fd = -EBADF, root = -EBADF;
        char name[64], value[8] = "";
        struct stat st;

        make_layer(f, 1, "low", "x");
        assert_int_equal(storage_layer_begin(f->s, name, &fd, &f->err), 0);
        assert_int_equal(fchown(fd, 5, 6), 0);
        assert_int_equal(fchmod(fd, 01711), 0);
        assert_int_equal(fsetxattr(fd, "user.kist", "yes", 3, 0), 0);
        assert_int_equal(fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0), 0);
        assert_int_equal(futimens(fd, (struct timespec[]) { { 100, 5 }, { 200, 7 } }), 0);
        assert_int_equal(storage_layer_commit(f->s, name, diff_id(2), &f->err), 0);
        make_container(f);
        root = mount_n(f, 2, -1, false, false);
        assert_true(root >= 0);
        assert_int_equal(fstatat(root, ".", &st, 0), 0);
        assert_int_equal(st.st_uid, 5);
        assert_int_equal(st.st_gid, 6);
        assert_int_equal(st.st_mode & 07777, 01711);
        assert_int_equal(st.st_mtim.tv_sec, 200);
        root = fd_close(root);
        fd = fd_close(fd);
        fd = openat(f->dir, "containers/" ID "/upper", O_RDONLY | O_DIRECTORY);
        assert_int_equal(fgetxattr(fd, "user.kist", value, sizeof(value)), 3);
        assert_int_equal(fgetxattr(fd, "trusted.overlay.opaque", value, sizeof(value)), -1);
}

static int fsync_a_file(void) {
        int fd = open("file", O_WRONLY | O_CREAT, 0644);

        INSIDE(fd >= 0 && fsync(fd) == 0);
        return 0;
}

static void ephemeral_can_be_mounted_again(void **state) {
        struct fixture *f = *state;
        auto_fd userns = make_userns();

        two_layers(f);
        for (int i = 0; i < 3; i++) {
                auto_fd root = mount_n(f, 2, userns, false, true);

                assert_true(root >= 0);
                assert_int_equal(run_inside(userns, root, fsync_a_file), 0);
                assert_true(exists(f->dir, "containers/" ID "/work/work/incompat/volatile"));
        }
}

static void many_layers(void **state) {
        enum { N = 498 };
        struct fixture *f = *state;
        auto_fd userns = make_userns(), root = -EBADF;
        char name[64], text[16] = "";
        auto_fd file = -EBADF;

        for (int i = 1; i <= N; i++) {
                auto_fd fd = -EBADF;

                /* Renamed into place by hand: a syncfs(2) each is not what is tested. */
                assert_int_equal(storage_layer_begin(f->s, name, &fd, &f->err), 0);
                snprintf(text, sizeof(text), "%d", i);
                put_file(fd, "which", text, 0, 0644);
                char from[128], to[128];
                snprintf(from, sizeof(from), "tmp/%s", name);
                snprintf(to, sizeof(to), "layers/sha256/%s", diff_id(i) + strlen("sha256:"));
                assert_int_equal(renameat(f->dir, from, f->dir, to), 0);
        }
        make_container(f);
        root = mount_n(f, N, userns, false, false);
        if (root < 0)
                print_message("# %s\n", f->err.msg);
        assert_true(root >= 0);
        file = openat(root, "which", O_RDONLY);
        memset(text, 0, sizeof(text));
        assert_int_equal(read(file, text, sizeof(text)), 3);
        assert_string_equal(text, "498");
        root = fd_close(root);
        assert_int_equal(mount_n(f, N + 1, userns, false, false), -E2BIG);
        assert_int_equal(f->err.kind, ERR_TOO_LARGE);
}

/* A container that starts again while the kernel still takes its earlier mount namespace apart. */
static void a_second_mount_does_not_wait_for_the_first(void **state) {
        struct fixture *f = *state;
        auto_fd userns = make_userns();

        two_layers(f);
        for (int ephemeral = 0; ephemeral <= 1; ephemeral++) {
                auto_fd one = mount_n(f, 2, userns, false, ephemeral), two = mount_n(f, 2, userns, false, ephemeral);

                if (two < 0)
                        print_message("# %s\n", f->err.msg);
                assert_true(one >= 0 && two >= 0);
                one = fd_close(one);
                assert_int_equal(run_inside(userns, two, fsync_a_file), 0);
        }
}

static void a_data_directory_on_tmpfs(void **state) {
        struct fixture f = { 0 };
        auto_fd fs = fsopen("tmpfs", FSOPEN_CLOEXEC), root = -EBADF, userns = make_userns(), mount = -EBADF, clone = -EBADF;

        (void) state;
        assert_int_equal(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), 0);
        root = fsmount(fs, FSMOUNT_CLOEXEC, 0);
        clone = open_tree(root, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (clone < 0) {
                print_message("# skipped: this kernel does not clone mounts that are attached nowhere (Linux 6.15)\n");
                return;
        }
        f.dir = openat(root, ".", O_RDONLY | O_DIRECTORY);
        assert_int_equal(storage_open(f.dir, &f.s, &f.err), 0);
        two_layers(&f);
        mount = mount_n(&f, 2, userns, false, false);
        if (mount < 0 && f.err.kind == ERR_UNSUPPORTED) {
                print_message("# skipped: %s\n", f.err.msg);
        } else {
                assert_true(mount >= 0);
                assert_int_equal(run_inside(userns, mount, change_things), 0);
                check_changes(&f);
        }
        storage_free(f.s);
        close(f.dir);
}

static void errors_name_what_is_missing(void **state) {
        struct fixture *f = *state;

        assert_int_equal(mount_n(f, 0, -1, false, false), -ENOENT);
        assert_non_null(strstr(f->err.msg, ID));
        make_container(f);
        assert_int_equal(mount_n(f, 1, -1, false, false), -ENOENT);
        assert_int_equal(f->err.kind, ERR_NOT_FOUND);
        assert_non_null(strstr(f->err.msg, diff_id(1)));
        make_layer(f, 2, "x", "");
        assert_int_equal(mount_n(f, 2, -1, false, false), -ENOENT);
        assert_non_null(strstr(f->err.msg, diff_id(1)));
}

static void a_file_system_without_idmaps_is_named(void **state) {
        struct fixture *f = *state;
        auto_fd userns = make_userns(), proc = -EBADF, fs = fsopen("proc", FSOPEN_CLOEXEC);
        int clone = -1;

        assert_int_equal(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), 0);
        proc = open("/proc", O_PATH | O_DIRECTORY);
        assert_true(storage_idmap_clone(proc, userns, true, &clone, &f->err) < 0);
        assert_int_equal(f->err.kind, ERR_UNSUPPORTED);
        assert_non_null(strstr(f->err.msg, "--userns=host"));
        assert_int_equal(clone, -1);
        assert_int_equal(storage_idmap_clone(proc, -1, false, &clone, &f->err), 0);
        close(clone);
}

static void a_clone_shows_the_ids_of_the_namespace(void **state) {
        struct fixture *f = *state;
        auto_fd userns = make_userns();
        struct stat st;
        int clone = -1;

        put_file(f->dir, "file", "", 33, 0644);
        assert_int_equal(storage_idmap_clone(f->dir, userns, true, &clone, &f->err), 0);
        assert_int_equal(fstatat(clone, "file", &st, 0), 0);
        assert_int_equal(st.st_uid, FIRST_ID + 33);
        close(clone);
        auto_fd file = openat(f->dir, "file", O_PATH);
        assert_int_equal(storage_idmap_clone(file, userns, false, &clone, &f->err), 0);
        assert_int_equal(fstat(clone, &st), 0);
        assert_int_equal(st.st_uid, FIRST_ID + 33);
        close(clone);
}

struct job {
        struct fixture *f;
        int userns, number, result, bits, uid;
};

static void *mount_in_thread(void *data) {
        struct job *j = data;
        char id[32];
        const char *ids[] = { "sha256:0000000000000000000000000000000000000000000000000000000000000001" };
        struct storage_rootfs r = { .container_id = id, .diff_ids = ids, .n_diff_ids = 1, .userns_fd = j->userns, .first_id = FIRST_ID };
        int fd = -1, dir = -1;

        snprintf(id, sizeof(id), "t%d", j->number);
        j->result = storage_container_create(j->f->s, id, NULL, &dir, NULL);
        close(dir);
        if (j->result == 0)
                j->result = storage_rootfs_mount(j->f->s, &r, &fd, NULL);
        close(fd);
        j->bits = prctl(PR_GET_SECUREBITS);
        dir = memfd_create("x", MFD_CLOEXEC);
        struct stat st = { 0 };
        fstat(dir, &st);
        j->uid = (int) st.st_uid; /* fsuid */
        close(dir);
        return NULL;
}

static void threads_keep_their_credentials(void **state) {
        enum { N = 24 };
        struct fixture *f = *state;
        auto_fd userns = make_userns();
        struct job jobs[N];
        pthread_t threads[N];

        make_layer(f, 1, "a", "");
        for (int i = 0; i < N; i++) {
                jobs[i] = (struct job) { .f = f, .userns = userns, .number = i, .result = -1 };
                assert_int_equal(pthread_create(&threads[i], NULL, mount_in_thread, &jobs[i]), 0);
        }
        for (int i = 0; i < N; i++) {
                pthread_join(threads[i], NULL);
                assert_int_equal(jobs[i].result, 0);
                assert_int_equal(jobs[i].bits, 0);
                assert_int_equal(jobs[i].uid, 0);
        }
}

static void a_full_disk_is_no_space(void **state) {
        struct fixture f = { 0 };
        auto_fd fs = fsopen("tmpfs", FSOPEN_CLOEXEC), root = -EBADF, fd = -EBADF;
        char name[64], block[4096] = "";
        int r = 0;

        (void) state;
        assert_int_equal(fsconfig(fs, FSCONFIG_SET_STRING, "size", "64k", 0), 0);
        assert_int_equal(fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "16", 0), 0);
        assert_int_equal(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), 0);
        root = fsmount(fs, FSMOUNT_CLOEXEC, 0);
        f.dir = openat(root, ".", O_RDONLY | O_DIRECTORY);
        assert_int_equal(storage_open(f.dir, &f.s, &f.err), 0);
        assert_int_equal(storage_layer_begin(f.s, name, &fd, &f.err), 0);
        auto_fd file = openat(fd, "fill", O_WRONLY | O_CREAT, 0644);
        while ((r = fd_write_all(file, block, sizeof(block))) == 0)
                ;
        assert_int_equal(r, -ENOSPC);
        for (int i = 0; i < 16; i++) {
                char id[16];
                int c = -1;

                snprintf(id, sizeof(id), "c%d", i);
                r = storage_container_create(f.s, id, NULL, &c, &f.err);
                if (r < 0) {
                        assert_int_equal(c, -1);
                        assert_non_null(strstr(f.err.msg, id));
                        assert_false(exists(f.dir, "containers/c15"));
                        break;
                }
                close(c);
        }
        assert_int_equal(r, -ENOSPC);
        assert_int_equal(f.err.kind, ERR_NO_SPACE);
        storage_layer_abort(f.s, name);
        storage_free(f.s);
        close(f.dir);
}

/* As if the kernel were older. */
static int attached_setup(void **state) {
        fixture_setup(state);
        ((struct fixture *) *state)->s->overlay_tier = OVERLAY_ATTACHED;
        return 0;
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define BOTH_WAYS(name) T(name), { #name "_in_a_namespace", name, attached_setup, fixture_teardown, NULL }

int main(void) {
        static const struct CMUnitTest tests[] = {
                BOTH_WAYS(idmapped),
                BOTH_WAYS(not_idmapped),
                BOTH_WAYS(changes_last_and_are_seen_read_only),
                BOTH_WAYS(empty_and_single_roots),
                BOTH_WAYS(the_root_has_the_attributes_of_the_topmost),
                BOTH_WAYS(ephemeral_can_be_mounted_again),
                BOTH_WAYS(many_layers),
                BOTH_WAYS(a_second_mount_does_not_wait_for_the_first),
                cmocka_unit_test(a_data_directory_on_tmpfs),
                BOTH_WAYS(errors_name_what_is_missing),
                T(a_file_system_without_idmaps_is_named),
                T(a_clone_shows_the_ids_of_the_namespace),
                BOTH_WAYS(threads_keep_their_credentials),
                cmocka_unit_test(a_full_disk_is_no_space),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
