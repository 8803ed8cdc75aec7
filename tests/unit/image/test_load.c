/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <sys/xattr.h>

/* The whole way, with the real worker: the bundled image's archive into the store and the layers. */

static int load(struct fixture *f, const char *path, const char *name) {
        auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        memset(&f->err, 0, sizeof(f->err));
        return image_load(f->store, fd, name, IMAGE_DISCARD_DEFAULT, NULL, on_progress, f, &f->err);
}

static void the_bundled_image_loads(void **state) {
        struct fixture *f = *state;
        struct image *image;
        char path[200];
        struct stat st;

        assert_ok(f, load(f, BUSYBOX_ARCHIVE, NULL));
        assert_int_equal(count_events(f, "stream", "Loaded image: kist.local/busybox:latest"), 1);
        assert_ok(f, image_get(f->store, "kist.local/busybox", &image, &f->err));
        assert_string_equal(image->tags[0], "kist.local/busybox:latest");
        assert_null(image->tags[1]);
        assert_non_null(strstr(image->digests[0], "kist.local/busybox@sha256:"));
        assert_int_equal(image->n_diff_ids, 1);
        assert_true(image->size > 1000000);
        assert_string_equal(json_get_str(image->config, "os", ""), "linux");
        assert_string_equal(json_string_value(json_array_get(json_get_array(json_get_object(image->config, "config"), "Cmd"), 0)), "sh");
        snprintf(path, sizeof(path), LAYERS "/%s/bin/sh", image->diff_ids[0] + 7);
        assert_int_equal(fstatat(f->dir, path, &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_uid, 0);
        assert_int_equal(st.st_mode & 07777, 0755);
        snprintf(path, sizeof(path), LAYERS "/%s/tmp", image->diff_ids[0] + 7);
        assert_int_equal(fstatat(f->dir, path, &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_mode & 07777, 01777);
        image_free(image);
        assert_int_equal(count_files(f, BLOBS), 3);
        assert_quiet(f);
}

static void a_second_load_unpacks_nothing(void **state) {
        struct fixture *f = *state;

        assert_ok(f, load(f, BUSYBOX_ARCHIVE, NULL));
        assert_int_equal(f->begun, 2);
        fixture_reopen(f); /* from index.json now */
        assert_ok(f, load(f, BUSYBOX_ARCHIVE, "other/name:1"));
        assert_int_equal(f->begun, 3); /* the archive's files, and no layer */
        assert_int_equal(count_events(f, "status", "Already exists"), 1);
        assert_int_equal(count_files(f, BLOBS), 3);
        assert_quiet(f);
}

static void a_lost_layer_is_made_again_from_its_blob(void **state) {
        struct fixture *f = *state;
        struct image *image;

        assert_ok(f, load(f, BUSYBOX_ARCHIVE, NULL));
        assert_ok(f, image_get(f->store, "kist.local/busybox", &image, &f->err));
        assert_ok(f, storage_layer_remove(f->storage, image->diff_ids[0], &f->err));
        assert_ok(f, load(f, BUSYBOX_ARCHIVE, NULL));
        assert_true(storage_has_layer(f->storage, image->diff_ids[0]));
        image_free(image);
        assert_quiet(f);
}

static void removing_gives_everything_back(void **state) {
        struct fixture *f = *state;
        json_t *answer;
        struct image *image;

        assert_ok(f, load(f, BUSYBOX_ARCHIVE, NULL));
        assert_ok(f, image_tag(f->store, "kist.local/busybox", "b:2", &f->err));
        assert_ok(f, image_remove(f->store, "b:2", false, NULL, drop_layer, f, &answer, &f->err));
        json_decref(answer);
        assert_ok(f, image_get(f->store, "kist.local/busybox", &image, &f->err));
        assert_true(storage_has_layer(f->storage, image->diff_ids[0]));
        image_free(image);
        assert_ok(f, image_remove(f->store, "kist.local/busybox", false, NULL, drop_layer, f, &answer, &f->err));
        assert_int_equal(json_array_size(answer), 4); /* tag, digest, image, layer */
        json_decref(answer);
        assert_int_equal(count_files(f, BLOBS), 0);
        assert_int_equal(count_files(f, LAYERS), 0);
        assert_quiet(f);
}

/* A shell script makes a broken variant of an archive: $IN → $OUT. */
static void make_variant(struct fixture *f, char path[200], const char *script) {
        char command[2000];

        snprintf(path, 200, "%s/variant.tar", f->path);
        snprintf(command, sizeof(command), "set -e; IN=%s OUT=%s W=%s/work; mkdir $W; %s; rm -rf $W", BUSYBOX_ARCHIVE, path, f->path, script);
        assert_int_equal(system(command), 0);
}

#define UNPACK "tar -C $W -xf $IN; cd $W; B=blobs/sha256; "
#define REPACK "; tar -cf $OUT oci-layout index.json blobs"
#define M "M=$B/$(sed 's/.*sha256:\\([0-9a-f]*\\).*/\\1/' index.json); "
/* Put a changed manifest in place of the old one. */
#define NEW_MANIFEST "; N=$(sha256sum m | cut -d' ' -f1); S=$(wc -c <m); mv m $B/$N; sed -i \"s/sha256:[0-9a-f]*\\\",\\\"size\\\":[0-9]*/sha256:$N\\\",\\\"size\\\":$S/\" index.json"

static void broken_archives_leave_nothing(void **state) {
        static const struct {
                const char *script, *message;
        } rows[] = {
                { "head -c 5000 $IN >$OUT", "archive" },
                { ": >$OUT", "" },
                { "printf 'not an archive, by far, and long enough to be looked at' >$OUT", "" },
                { UNPACK "rm index.json; tar -cf $OUT oci-layout blobs", "index.json" },
                { UNPACK "echo '{' >index.json" REPACK, "not valid JSON" },
                { UNPACK "echo '{\"manifests\":[]}' >index.json" REPACK, "0 images" },
                { UNPACK "echo '{\"manifests\":[1,2]}' >index.json" REPACK, "descriptor without a digest" },
                { UNPACK "sed -i 's/kist.local.busybox/..\\/x/' index.json" REPACK, "invalid reference format" },
                { UNPACK "sed -i 's/\"size\":[0-9]*/\"size\":1/' index.json" REPACK, "another size" },
                { UNPACK "sed -i 's/sha256:[0-9a-f]*/sha256:..\\/..\\/index.json/' index.json" REPACK, "not a sha256 digest" },
                { UNPACK "rm $(ls -S $B/* | head -1)" REPACK, "no such blob" },
                { UNPACK "F=$(ls -S $B/* | head -1); echo x >>$F" REPACK, "has another digest" },
                { UNPACK "F=$(ls -S $B/* | head -1); gzip -dc $F >plain; gzip -1c plain >$F" REPACK, "has another digest" },
                { UNPACK "F=$(ls -S $B/* | head -1); printf '{}' >$F" REPACK, "has another digest" },
                { UNPACK M "sed 's/\"layers\":\\[/&{\"mediaType\":\"application\\/vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:"
                         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"size\":7},/' $M >m" NEW_MANIFEST REPACK, "2 layers" },
                { UNPACK M "sed 's/^{/{\"manifests\":[],/' $M >m" NEW_MANIFEST REPACK, "ambiguous" },
                { UNPACK M "sed 's/manifest.v1+json/index.v1+json/' $M >m" NEW_MANIFEST REPACK, "calls itself" },
                { UNPACK "ln -s /etc/passwd $B/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" REPACK, "plain file" },
                { UNPACK "echo x >evil; tar -cf $OUT oci-layout index.json blobs evil", "evil" },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                char path[200];
                int r;

                make_variant(f, path, rows[i].script);
                r = load(f, path, NULL);
                print_message("# %zu: %s\n", i, f->err.msg);
                assert_true(r < 0);
                assert_true(*f->err.msg);
                assert_non_null(strstr(f->err.msg, rows[i].message));
                assert_null(strchr(f->err.msg, '\n'));
                unlink(path);
                assert_int_equal(count_files(f, BLOBS), 0);
                assert_int_equal(count_files(f, LAYERS), 0);
                assert_quiet(f);
        }
}

static void a_gzip_archive_loads(void **state) {
        struct fixture *f = *state;
        char path[200];

        make_variant(f, path, "gzip -c $IN >$OUT");
        assert_ok(f, load(f, path, NULL));
        assert_int_equal(count_files(f, BLOBS), 3);
}

static void a_canceled_load_leaves_nothing(void **state) {
        struct fixture *f = *state;

        f->cancel_at = 1;
        assert_int_equal(load(f, BUSYBOX_ARCHIVE, NULL), -ECANCELED);
        assert_int_equal(count_files(f, BLOBS), 0);
        assert_int_equal(count_files(f, LAYERS), 0);
        assert_quiet(f);
}

/* A layer over the bundled one, with whiteouts: $B/l.tar → image "over". */
static void whiteouts_become_what_overlayfs_reads(void **state) {
        static const char script[] =
                "mkdir -p $W/r/d $W/r/e $W/o/blobs/sha256; cd $W/r; : >d/.wh..wh..opq; : >d/new; : >.wh.gone; : >e/plain; cd $W/o; "
                "tar -C ../r -cf l .; L=$(sha256sum l | cut -d' ' -f1); LS=$(wc -c <l); mv l blobs/sha256/$L; "
                "printf '{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\"]}}' $L >c; "
                "C=$(sha256sum c | cut -d' ' -f1); CS=$(wc -c <c); mv c blobs/sha256/$C; "
                "T=application/vnd.oci.image; printf '{\"schemaVersion\":2,\"config\":{\"mediaType\":\"%s.config.v1+json\",\"digest\":\"sha256:%s\",\"size\":%s},"
                "\"layers\":[{\"mediaType\":\"%s.layer.v1.tar\",\"digest\":\"sha256:%s\",\"size\":%s}]}' $T $C $CS $T $L $LS >m; "
                "M=$(sha256sum m | cut -d' ' -f1); MS=$(wc -c <m); mv m blobs/sha256/$M; echo '{\"imageLayoutVersion\":\"1.0.0\"}' >oci-layout; "
                "printf '{\"manifests\":[{\"mediaType\":\"%s.manifest.v1+json\",\"digest\":\"sha256:%s\",\"size\":%s}]}' $T $M $MS >index.json; "
                "tar -cf $OUT oci-layout index.json blobs";
        struct fixture *f = *state;
        char path[200], value[8];
        struct image *image;
        struct stat st;

        make_variant(f, path, script);
        assert_ok(f, load(f, path, "over"));
        assert_ok(f, image_get(f->store, "over", &image, &f->err));
        snprintf(path, sizeof(path), LAYERS "/%s/gone", image->diff_ids[0] + 7);
        assert_int_equal(fstatat(f->dir, path, &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0);
        snprintf(path, sizeof(path), "%s/" LAYERS "/%s/d", f->path, image->diff_ids[0] + 7);
        assert_int_equal(getxattr(path, "trusted.overlay.opaque", value, sizeof(value)), 1);
        assert_int_equal(value[0], 'y');
        snprintf(path, sizeof(path), "%s/" LAYERS "/%s/e", f->path, image->diff_ids[0] + 7);
        assert_int_equal(getxattr(path, "trusted.overlay.opaque", value, sizeof(value)), -1);
        image_free(image);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(the_bundled_image_loads, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(a_second_load_unpacks_nothing, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(a_lost_layer_is_made_again_from_its_blob, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(removing_gives_everything_back, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(broken_archives_leave_nothing, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(a_gzip_archive_loads, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(a_canceled_load_leaves_nothing, fixture_setup, fixture_teardown),
                cmocka_unit_test_setup_teardown(whiteouts_become_what_overlayfs_reads, fixture_setup, fixture_teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
