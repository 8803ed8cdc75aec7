/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "image/blobs.h"
#include "image/store.h"

/* The store without workers: layouts are made by hand, layers are empty directories. */

static void put_blob(struct fixture *f, const char *text, char ret_digest[DIGEST_TEXT_SIZE]) {
        struct digest d;

        digest_of(text, strlen(text), &d);
        digest_format(&d, ret_digest);
        assert_ok(f, blob_write(f->store->blobs_fd, &d, text, strlen(text), &f->err));
}

static void make_layer(struct fixture *f, const char *diff_id) {
        auto_fd fd = -EBADF;
        char token[64];

        assert_ok(f, storage_layer_begin(f->storage, token, &fd, &f->err));
        assert_ok(f, storage_layer_commit(f->storage, token, diff_id, &f->err));
}

/* "layer N" is the blob of layer N; its diff id is made up from it. */
static void layer_of(struct fixture *f, int n, char blob[DIGEST_TEXT_SIZE], char diff_id[DIGEST_TEXT_SIZE]) {
        char text[32];

        snprintf(text, sizeof(text), "layer %d", n);
        put_blob(f, text, blob);
        snprintf(diff_id, DIGEST_TEXT_SIZE, "sha256:%064x", n);
        make_layer(f, diff_id);
}

static char *text_of(json_t *value) {
        char *text = json_text(value);

        json_decref(value);
        return text;
}

/* An image of the layers FIRST…LAST, as another tool would write it; its descriptor with `name` (NULL: none) is added to `index`. */
static void add_image(struct fixture *f, json_t *index, const char *name, int first, int last, const char *created, const char *annotation,
                      const char *value) {
        auto_json *layers = json_array(), *ids = json_array(), *annotations = json_object();
        char config[DIGEST_TEXT_SIZE], manifest[DIGEST_TEXT_SIZE], blob[DIGEST_TEXT_SIZE], diff_id[DIGEST_TEXT_SIZE];
        char *text;
        size_t config_size, size;

        for (int n = first; n <= last; n++) {
                layer_of(f, n, blob, diff_id);
                json_array_append_new(layers, json_pack("{s:s, s:s, s:i}", "mediaType", "application/vnd.oci.image.layer.v1.tar", "digest", blob, "size", 7));
                json_array_append_new(ids, json_string(diff_id));
        }
        text = text_of(json_pack("{s:s, s:s, s:s, s:{s:{s:s}}, s:{s:s, s:O}}", "os", "linux", "architecture", "amd64", "created", created, "config",
                                   "Labels", "a", "b", "rootfs", "type", "layers", "diff_ids", ids));
        put_blob(f, text, config);
        config_size = strlen(text);
        free(text);
        text = text_of(json_pack("{s:i, s:{s:s, s:s, s:I}, s:O}", "schemaVersion", 2, "config", "mediaType", "application/vnd.oci.image.config.v1+json",
                                   "digest", config, "size", (json_int_t) config_size, "layers", layers));
        put_blob(f, text, manifest);
        size = strlen(text);
        free(text);
        if (name)
                json_object_set_new(annotations, ANNOTATION_NAME, json_string(name));
        if (annotation)
                json_object_set_new(annotations, annotation, json_string(value));
        json_array_append_new(index, json_pack("{s:s, s:s, s:I, s:O}", "mediaType", "application/vnd.oci.image.manifest.v1+json", "digest", manifest, "size",
                                               (json_int_t) size, "annotations", annotations));
}

static void write_index(struct fixture *f, json_t *manifests) {
        auto_json *index = json_pack("{s:i, s:O}", "schemaVersion", 2, "manifests", manifests);
        char *text = json_text(index);

        assert_int_equal(file_write_atomic_at(f->store->oci_fd, "index.json", text, strlen(text), 0600, false), 0);
        free(text);
        fixture_reopen(f);
}

#define INDEX_DIGEST "sha256:1111111111111111111111111111111111111111111111111111111111111111"

/* a:1 (layers 1, 2), a:2 and other/b:1 (the same image, layers 1, 3), and one without a name (layer 4). */
static void make_four(struct fixture *f) {
        auto_json *index = json_array();

        add_image(f, index, "docker.io/library/a:1", 1, 2, "2024-01-01T00:00:00Z", ANNOTATION_INDEX_DIGEST, INDEX_DIGEST);
        add_image(f, index, "docker.io/library/a:2", 2, 3, "2025-01-01T00:00:00Z", NULL, NULL);
        add_image(f, index, "docker.io/other/b:1", 2, 3, "2025-01-01T00:00:00Z", NULL, NULL);
        add_image(f, index, NULL, 4, 4, "2023-01-01T00:00:00Z", NULL, NULL);
        write_index(f, index);
}

static struct image *get(struct fixture *f, const char *name) {
        struct image *image;

        assert_ok(f, image_get(f->store, name, &image, &f->err));
        return image;
}

static void assert_missing(struct fixture *f, const char *name) {
        struct image *image;

        assert_int_equal(image_get(f->store, name, &image, &f->err), -ENOENT);
        assert_int_equal(f->err.kind, ERR_NOT_FOUND);
        assert_non_null(strstr(f->err.msg, "No such image: "));
}

static size_t length(char **list) {
        size_t n = 0;

        while (list[n])
                n++;
        return n;
}

static void an_empty_store_is_a_layout(void **state) {
        struct fixture *f = *state;
        struct image **list;
        size_t n;

        assert_int_equal(faccessat(f->dir, "oci/oci-layout", F_OK, 0), 0);
        assert_ok(f, image_list(f->store, true, &list, &n, &f->err));
        assert_int_equal(n, 0);
        free(list);
        assert_missing(f, "a");
        assert_string_equal(f->err.msg, "No such image: a:latest");
}

static void the_store_is_closed_to_others(void **state) {
        struct fixture *f = *state;
        struct stat st;

        assert_int_equal(fchmodat(f->dir, "oci", 0755, 0), 0);
        fixture_reopen(f);
        assert_int_equal(fstatat(f->dir, "oci", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
}

static void images_are_found_by_every_name(void **state) {
        struct fixture *f = *state;
        struct image *a, *b;
        char name[200];

        make_four(f);
        a = get(f, "a:1");
        assert_int_equal(a->n_diff_ids, 2);
        assert_int_equal(a->size, 14);
        assert_string_equal(a->tags[0], "docker.io/library/a:1");
        assert_string_equal(a->digests[0], "docker.io/library/a@" INDEX_DIGEST);
        assert_string_equal(json_get_str(json_get_object(json_get_object(a->config, "config"), "Labels"), "a", ""), "b");
        for (int i = 0; i < 5; i++) {
                if (i == 0)
                        snprintf(name, sizeof(name), "%s", a->id);
                else if (i == 1)
                        snprintf(name, sizeof(name), "%.12s", a->id + 7);
                else if (i == 2)
                        snprintf(name, sizeof(name), "%.20s", a->id);
                else if (i == 3)
                        snprintf(name, sizeof(name), "a@%s", a->manifest_digest);
                else
                        snprintf(name, sizeof(name), "docker.io/library/a:whatever@" INDEX_DIGEST);
                b = get(f, name);
                assert_string_equal(a->id, b->id);
                image_free(b);
        }
        image_free(a);
        a = get(f, "other/b:1");
        assert_int_equal(length(a->tags), 2);
        assert_int_equal(length(a->digests), 2);
        image_free(a);
        assert_missing(f, "a");
        assert_missing(f, "b@" INDEX_DIGEST);
        assert_missing(f, "sha256:2222222222222222222222222222222222222222222222222222222222222222");
        assert_int_equal(image_get(f->store, "A:1", &a, &f->err), -EINVAL);
        assert_int_equal(image_get(f->store, "sha256:", &a, &f->err), -EINVAL);
}

static void the_list_is_newest_first_and_one_per_image(void **state) {
        struct fixture *f = *state;
        struct image **list;
        size_t n;

        make_four(f);
        assert_ok(f, image_list(f->store, true, &list, &n, &f->err));
        assert_int_equal(n, 3);
        assert_int_equal(length(list[0]->tags), 2);
        assert_string_equal(list[1]->tags[0], "docker.io/library/a:1");
        assert_int_equal(length(list[2]->tags), 0);
        for (size_t i = 0; i < n; i++)
                image_free(list[i]);
        free(list);
}

static void a_tag_survives_the_daemon(void **state) {
        struct fixture *f = *state;
        struct image *image;

        make_four(f);
        assert_ok(f, image_tag(f->store, "a:1", "localhost:5000/x/y:z", &f->err));
        fixture_reopen(f);
        image = get(f, "localhost:5000/x/y:z");
        assert_int_equal(length(image->tags), 2);
        assert_int_equal(image->size, 14);
        image_free(image);
        assert_int_equal(image_tag(f->store, "none", "x", &f->err), -ENOENT);
        assert_int_equal(image_tag(f->store, "a:1", "X", &f->err), -EINVAL);
        assert_int_equal(image_tag(f->store, "a:1", "x@" INDEX_DIGEST, &f->err), -EINVAL);
        /* A name that moves leaves the old image without one, and nothing is lost. */
        assert_ok(f, image_tag(f->store, "a:2", "a:1", &f->err));
        assert_ok(f, image_tag(f->store, "a:2", "localhost:5000/x/y:z", &f->err));
        fixture_reopen(f);
        image = get(f, "a:1");
        assert_int_equal(length(image->tags), 4);
        image_free(image);
        assert_true(storage_has_layer(f->storage, "sha256:0000000000000000000000000000000000000000000000000000000000000001"));
}

static bool in_use(const char *id, void *data) {
        return true;
}

static int remove_image(struct fixture *f, const char *name, bool force, bool used) {
        json_t *answer;
        int r = image_remove(f->store, name, force, used ? in_use : NULL, drop_layer, f, &answer, &f->err);

        if (r < 0)
                return r;
        r = (int) json_array_size(answer);
        json_decref(answer);
        return r;
}

static bool has_layer(struct fixture *f, int n) {
        char diff_id[DIGEST_TEXT_SIZE];

        snprintf(diff_id, sizeof(diff_id), "sha256:%064x", n);
        return storage_has_layer(f->storage, diff_id);
}

static void removing_drops_what_no_other_image_needs(void **state) {
        struct fixture *f = *state;

        make_four(f);
        assert_int_equal(count_files(f, BLOBS), 4 + 3 * 2);
        assert_int_equal(remove_image(f, "a:1", false, false), 4); /* tag, digest, image, layer 1 */
        assert_false(has_layer(f, 1));
        assert_true(has_layer(f, 2)); /* a:2 has it, too */
        assert_int_equal(count_files(f, BLOBS), 3 + 2 * 2);
        assert_int_equal(remove_image(f, "a:2", false, false), 2); /* tag and digest; other/b:1 holds the image */
        assert_true(has_layer(f, 3));
        assert_int_equal(remove_image(f, "other/b:1", false, false), 5);
        assert_false(has_layer(f, 2) || has_layer(f, 3));
        assert_int_equal(remove_image(f, "a:1", false, false), -ENOENT);
        fixture_reopen(f);
        assert_int_equal(count_files(f, BLOBS), 3);
        assert_quiet(f);
}

static void removing_by_id_needs_force_for_several_names(void **state) {
        struct fixture *f = *state;
        struct image *image;

        make_four(f);
        image = get(f, "a:2");
        assert_int_equal(remove_image(f, image->id, false, false), -EBUSY);
        assert_int_equal(f->err.kind, ERR_CONFLICT);
        assert_non_null(strstr(f->err.msg, "referenced in multiple repositories"));
        assert_int_equal(remove_image(f, image->id, true, false), 2 + 2 + 1 + 1);
        assert_missing(f, "a:2");
        assert_missing(f, "other/b:1");
        image_free(image);
}

static void an_image_in_use_stays(void **state) {
        struct fixture *f = *state;
        struct image *image;
        char id[72];

        make_four(f);
        image = get(f, "a:1");
        snprintf(id, sizeof(id), "%s", image->id);
        image_free(image);
        assert_int_equal(remove_image(f, "a:1", false, true), -EBUSY);
        assert_non_null(strstr(f->err.msg, "must force"));
        assert_int_equal(remove_image(f, id, false, true), -EBUSY);
        assert_int_equal(remove_image(f, id, true, true), -EBUSY);
        assert_int_equal(remove_image(f, "a:2", false, true), 2); /* the other name stays */
        assert_int_equal(remove_image(f, "a:1", true, true), 2);  /* untagged, not deleted */
        fixture_reopen(f);
        assert_missing(f, "a:1");
        image = get(f, id);
        assert_int_equal(length(image->tags), 0);
        image_free(image);
        assert_true(has_layer(f, 1));
        assert_int_equal(remove_image(f, id, false, false), 2); /* image, layer 1 */
}

/* What a kill -9 leaves: the mark, blobs that nothing names, temporary files. */
static void what_a_dead_daemon_left_is_swept(void **state) {
        struct fixture *f = *state;
        char digest[DIGEST_TEXT_SIZE];
        auto_fd fd = -EBADF;

        make_four(f);
        put_blob(f, "nobody names me", digest);
        fd = openat(f->store->blobs_fd, ".tmp-0123", O_WRONLY | O_CREAT, 0600);
        fixture_reopen(f);
        assert_int_equal(count_files(f, BLOBS), 12); /* no mark: nothing is looked at */
        fd = fd_close(openat(f->store->oci_fd, "busy", O_WRONLY | O_CREAT, 0600));
        fixture_reopen(f);
        assert_int_equal(count_files(f, BLOBS), 10);
        assert_quiet(f);
        image_free(get(f, "a:1"));
}

static void a_damaged_image_is_said_to_be_and_can_be_removed(void **state) {
        struct fixture *f = *state;
        struct image *image, **list;
        auto_fd fd = -EBADF;
        char path[200];
        size_t n;

        make_four(f);
        /* From our own index.json, which knows the image without reading it. */
        assert_ok(f, image_tag(f->store, "a:1", "x", &f->err));
        image = get(f, "a:1");
        snprintf(path, sizeof(path), BLOBS "/%s", image->id + 7);
        image_free(image);
        fd = openat(f->dir, path, O_WRONLY | O_CLOEXEC);
        assert_int_equal(write(fd, "X", 1), 1);
        fixture_reopen(f);
        assert_true(image_get(f->store, "a:1", &image, &f->err) < 0);
        assert_int_equal(f->err.kind, ERR_INTERNAL);
        assert_non_null(strstr(f->err.msg, "damaged"));
        assert_ok(f, image_list(f->store, true, &list, &n, &f->err));
        assert_int_equal(n, 2);
        for (size_t i = 0; i < n; i++)
                image_free(list[i]);
        free(list);
        assert_true(remove_image(f, "x", false, false) > 0);
        assert_true(remove_image(f, "a:1", false, false) > 0);
        assert_missing(f, "a:1");
        assert_true(has_layer(f, 2) && has_layer(f, 3));
}

static void a_broken_index_is_an_error_and_a_strange_entry_is_not(void **state) {
        static const char *const strange[] = {
                "1", "{}", "{\"digest\":\"sha256:../../x\",\"size\":1}", "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" INDEX_DIGEST "\",\"size\":1}",
                "{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"digest\":\"" INDEX_DIGEST "\",\"size\":1}",
        };
        struct fixture *f = *state;
        struct image_store *s;

        for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
                auto_json *index = json_array();

                json_array_append_new(index, json_loads(strange[i], JSON_DECODE_ANY, NULL));
                add_image(f, index, "docker.io/library/a:1", 1, 2, "2024-01-01T00:00:00Z", NULL, NULL);
                write_index(f, index);
                image_free(get(f, "a:1"));
        }
        assert_int_equal(file_write_atomic_at(f->store->oci_fd, "index.json", "{\"manifests\":", 13, 0600, false), 0);
        assert_true(image_store_open(f->dir, f->worker_fd, &f->sink, &s, &f->err) < 0);
        assert_non_null(strstr(f->err.msg, "index.json"));
}

static void a_thousand_images_are_small_and_quick(void **state) {
        struct fixture *f = *state;
        auto_json *index = json_array();
        struct timespec a, b;
        struct image **list;
        char name[100];
        double ms;
        size_t n;

        for (int i = 0; i < 1000; i++) {
                char created[40];

                snprintf(name, sizeof(name), "docker.io/library/image:%d", i);
                snprintf(created, sizeof(created), "2024-01-01T%02d:%02d:%02dZ", i / 3600, i / 60 % 60, i % 60);
                add_image(f, index, name, 1, 1, created, NULL, NULL);
        }
        write_index(f, index);
        assert_ok(f, image_tag(f->store, "image:5", "x:5", &f->err));
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
        fixture_reopen(f);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
        print_message("# open: %.1f ms\n", (double) (b.tv_sec - a.tv_sec) * 1e3 + (double) (b.tv_nsec - a.tv_nsec) / 1e6);
        for (int round = 0; round < 2; round++) {
                clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
                assert_ok(f, image_list(f->store, true, &list, &n, &f->err));
                clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
                ms = (double) (b.tv_sec - a.tv_sec) * 1e3 + (double) (b.tv_nsec - a.tv_nsec) / 1e6;
                print_message("# list, %s: %.1f ms\n", round ? "again" : "configs read", ms);
                assert_int_equal(n, 1000);
                assert_string_equal(list[0]->tags[0], "docker.io/library/image:999");
                assert_string_equal(json_get_str(list[0]->labels, "a", ""), "b");
                assert_int_equal(list[0]->n_diff_ids, 1);
                for (size_t i = 0; i < n; i++)
                        image_free(list[i]);
                free(list);
                assert_true(ms < 1000); /* far off: the machine may be busy */
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
                T(an_empty_store_is_a_layout),
                T(the_store_is_closed_to_others),
                T(images_are_found_by_every_name),
                T(the_list_is_newest_first_and_one_per_image),
                T(a_tag_survives_the_daemon),
                T(removing_drops_what_no_other_image_needs),
                T(removing_by_id_needs_force_for_several_names),
                T(an_image_in_use_stays),
                T(what_a_dead_daemon_left_is_swept),
                T(a_damaged_image_is_said_to_be_and_can_be_removed),
                T(a_broken_index_is_an_error_and_a_strange_entry_is_not),
                T(a_thousand_images_are_small_and_quick),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
