/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <pthread.h>
#include <sys/socket.h>

/* Pulls with the real workers from a real registry on loopback, and from one that serves wrong things. */

static struct {
        char path[64];
        int port, bad_port;
        pid_t pid, bad_pid;
        bool ready;
} registries;

static int free_port(void) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(a);
        auto_fd s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(bind(s, (struct sockaddr *) &a, size), 0);
        assert_int_equal(getsockname(s, (struct sockaddr *) &a, &size), 0);
        return ntohs(a.sin_port);
}

static pid_t start(const char *log, char *const argv[]) {
        pid_t pid = fork();

        if (pid == 0) {
                int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

                prctl(PR_SET_PDEATHSIG, SIGKILL);
                dup2(fd, 1);
                dup2(fd, 2);
                execvp(argv[0], argv);
                _exit(127);
        }
        return pid;
}

static void await_port(int port) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t) port) };

        for (int i = 0; i < 400; i++) {
                auto_fd s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

                if (connect(s, (struct sockaddr *) &a, sizeof(a)) == 0)
                        return;
                usleep(25000);
        }
        fail_msg("no registry on port %d", port);
}

static int shell(const char *format, ...) {
        char command[4000];
        va_list ap;

        va_start(ap, format);
        vsnprintf(command, sizeof(command), format, ap);
        va_end(ap);
        return system(command);
}

/* three: an index; layers one (gzip), two (zstd), three (plain). four: one, two and another. big: 12 MB that do not compress. */
static void fill_registry(void) {
        assert_int_equal(
                shell("set -e; cd %s; T=%s/tests/lib/oci-image; R=docker://127.0.0.1:%d; "
                      "for i in one two three four; do mkdir -p $i/etc; echo $i >$i/etc/$i; head -c 300000 /dev/urandom >$i/$i.bin; tar -C $i -cf $i.tar .; done; "
                      "mkdir big; head -c 12000000 /dev/urandom >big/big; tar -C big -cf big.tar .; "
                      "$T --index --config '{\"Cmd\":[\"/x\"],\"Labels\":{\"a\":\"b\"}}' l3 one.tar:gzip two.tar:zstd three.tar:none; "
                      "$T l4 one.tar:gzip two.tar:zstd four.tar:gzip; $T lbig one.tar:gzip big.tar:gzip big.tar:gzip; "
                      "skopeo copy -q --all --preserve-digests --dest-tls-verify=false oci:l3 $R/t/three:1; "
                      "skopeo copy -q --preserve-digests --dest-tls-verify=false oci:l4 $R/t/four:1; "
                      "skopeo copy -q --preserve-digests --dest-tls-verify=false oci:lbig $R/t/big:1",
                      registries.path, SOURCE_ROOT, registries.port),
                0);
}

static int registries_start(void **state) {
        char config[128], log[128], port[16];
        FILE *f;

        if (shell("command -v docker-registry skopeo python3 zstd >/dev/null") != 0)
                return 0;
        strcpy(registries.path, "/var/tmp/kist-registry-XXXXXX");
        assert_non_null(mkdtemp(registries.path));
        registries.port = free_port();
        snprintf(config, sizeof(config), "%s/config.yml", registries.path);
        snprintf(log, sizeof(log), "%s/log", registries.path);
        f = fopen(config, "w");
        fprintf(f, "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s/data}}\nhttp: {addr: \"127.0.0.1:%d\"}\n", registries.path,
                registries.port);
        fclose(f);
        registries.pid = start(log, (char *[]) { (char *) "docker-registry", (char *) "serve", config, NULL });
        registries.bad_port = free_port();
        snprintf(port, sizeof(port), "%d", registries.bad_port);
        registries.bad_pid = start(log, (char *[]) { (char *) SOURCE_ROOT "/tests/lib/bad-registry", port, NULL });
        await_port(registries.port);
        await_port(registries.bad_port);
        fill_registry();
        registries.ready = true;
        return 0;
}

static int registries_stop(void **state) {
        const pid_t pids[] = { registries.pid, registries.bad_pid };

        for (int i = 0; i < 2; i++)
                if (pids[i] > 0) {
                        kill(pids[i], SIGKILL);
                        waitpid(pids[i], NULL, 0);
                }
        return *registries.path ? path_remove_tree_at(AT_FDCWD, registries.path) : 0;
}

static void need_registries(void) {
        if (registries.ready)
                return;
        print_message("# docker-registry, skopeo, python3 and zstd are needed\n");
        skip();
}

static int pull_platform(struct fixture *f, const char *reference, const char *platform) {
        struct image_pull p = { .reference = reference, .platform = platform };

        memset(&f->err, 0, sizeof(f->err));
        json_array_clear(f->events);
        return image_pull(f->store, &p, on_progress, f, &f->err);
}

static int pull(struct fixture *f, const char *name) {
        char reference[300];

        snprintf(reference, sizeof(reference), "localhost:%d/t/%s", registries.port, name);
        return pull_platform(f, reference, NULL);
}

static struct image *get(struct fixture *f, const char *name) {
        char reference[300];
        struct image *image;

        snprintf(reference, sizeof(reference), "localhost:%d/t/%s", registries.port, name);
        assert_ok(f, image_get(f->store, reference, &image, &f->err));
        return image;
}

static void assert_nothing(struct fixture *f) {
        assert_int_equal(count_files(f, BLOBS), 0);
        assert_int_equal(count_files(f, LAYERS), 0);
        assert_quiet(f);
}

static void an_index_is_followed_to_this_platform(void **state) {
        static const char *const names[] = { "one", "two", "three" };
        struct fixture *f = *state;
        struct image *image, *same;
        char path[200];

        need_registries();
        assert_ok(f, pull(f, "three:1"));
        assert_int_equal(count_events(f, "status", "Pulling from t/three"), 1);
        assert_string_equal(json_get_str(json_array_get(f->events, 0), "id", ""), "1");
        assert_int_equal(count_events(f, "status", "Pulling fs layer"), 3);
        assert_int_equal(count_events(f, "status", "Download complete"), 3);
        assert_int_equal(count_events(f, "status", "Pull complete"), 3);
        assert_int_equal(count_events(f, "status", "Digest: sha256:"), 1);
        assert_int_equal(count_events(f, "status", "Status: Downloaded newer image for localhost:"), 1);
        image = get(f, "three:1");
        assert_int_equal(image->n_diff_ids, 3);
        assert_true(image->size > 900000 && image->size < 901000);
        /* The digest people see is the index's, and it can be pulled and found by. */
        assert_string_not_equal(strstr(image->digests[0], "sha256:"), image->manifest_digest);
        assert_int_equal(count_events(f, "status", strstr(image->digests[0], "sha256:")), 1);
        assert_ok(f, image_get(f->store, image->digests[0], &same, &f->err));
        assert_string_equal(same->id, image->id);
        image_free(same);
        for (int i = 0; i < 3; i++) {
                snprintf(path, sizeof(path), LAYERS "/%s/etc/%s", image->diff_ids[i] + 7, names[i]);
                assert_int_equal(faccessat(f->dir, path, R_OK, 0), 0);
        }
        assert_int_equal(count_files(f, BLOBS), 6); /* index, manifest, config, layers */
        assert_quiet(f);

        f->begun = 0;
        assert_ok(f, pull(f, "three:1"));
        assert_int_equal(f->begun, 0);
        assert_int_equal(count_events(f, "status", "Status: Image is up to date for localhost:"), 1);
        snprintf(path, sizeof(path), "three@%s", strstr(image->digests[0], "sha256:"));
        assert_ok(f, pull(f, path));
        assert_int_equal(f->begun, 0);
        image_free(image);
        fixture_reopen(f);
        image = get(f, path);
        assert_int_equal(image->size / 1000, 900);
        image_free(image);
}

/* Any OCI tool reads the store. */
static void the_store_is_a_layout_that_others_read(void **state) {
        struct fixture *f = *state;

        need_registries();
        assert_ok(f, pull(f, "four:1"));
        assert_int_equal(shell("skopeo inspect --raw oci:%s/oci:localhost:%d/t/four:1 | grep -q layers", f->path, registries.port), 0);
        assert_int_equal(shell("skopeo copy -q oci:%s/oci:localhost:%d/t/four:1 dir:%s/copy", f->path, registries.port, f->path), 0);
}

static void shared_layers_are_moved_once(void **state) {
        struct fixture *f = *state;
        struct image *image, *three;
        json_t *answer;

        need_registries();
        assert_ok(f, pull(f, "three:1"));
        three = get(f, "three:1");
        fixture_reopen(f);
        f->begun = 0;
        assert_ok(f, pull(f, "four:1"));
        assert_int_equal(f->begun, 1);
        assert_int_equal(count_events(f, "status", "Already exists"), 2);
        image = get(f, "four:1");
        assert_int_equal(image->size / 1000, 900);
        assert_ok(f, image_remove(f->store, three->id, false, NULL, drop_layer, f, &answer, &f->err));
        json_decref(answer);
        image_free(three);
        for (size_t i = 0; i < image->n_diff_ids; i++)
                assert_true(storage_has_layer(f->storage, image->diff_ids[i]));
        assert_int_equal(count_files(f, LAYERS), 3);
        assert_int_equal(count_files(f, BLOBS), 5);
        image_free(image);
}

/* The same layer twice in one image, and layers of some size. */
static void a_repeated_layer_is_moved_once(void **state) {
        struct fixture *f = *state;
        struct image *image;

        need_registries();
        assert_ok(f, pull(f, "big:1"));
        image = get(f, "big:1");
        assert_int_equal(image->n_diff_ids, 3);
        assert_string_equal(image->diff_ids[1], image->diff_ids[2]);
        image_free(image);
        assert_int_equal(f->begun, 2);
        assert_int_equal(count_events(f, "status", "Already exists"), 1);
        assert_int_equal(count_files(f, LAYERS), 2);
        assert_quiet(f);
}

static void wrong_things_are_refused_and_leave_nothing(void **state) {
        static const struct {
                const char *repository, *message;
        } rows[] = {
                { "windows-only", "no matching manifest for linux/" },
                { "wrong-digest", "sha256:1234567890abcdef" },
                { "wrong-diff-id", "layer sha256:" },
                { "truncated", "layer sha256:" },
                { "corrupt-gzip", "layer sha256:" },
                { "dotdot", "../../escaped" },
                { "absolute-link", "kist-escaped" },
                { "bad-json", "not valid JSON" },
                { "huge-manifest", "/huge-manifest" },
                { "schema1", "schema 1" },
                { "both", "ambiguous" },
                { "no-layers-match", "2 diff ids" },
                { "not-there", "not found" },
        };
        struct fixture *f = *state;

        need_registries();
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                char reference[300];
                int r;

                snprintf(reference, sizeof(reference), "127.0.0.1:%d/%s", registries.bad_port, rows[i].repository);
                r = pull_platform(f, reference, NULL);
                print_message("# %s: %s\n", rows[i].repository, f->err.msg);
                assert_true(r < 0);
                assert_non_null(strstr(f->err.msg, rows[i].message));
                assert_null(strchr(f->err.msg, '\n'));
                assert_nothing(f);
        }
        assert_int_equal(access("/kist-escaped", F_OK), -1);
}

static void a_flaky_registry_is_no_hindrance(void **state) {
        struct fixture *f = *state;
        char reference[300];

        need_registries();
        snprintf(reference, sizeof(reference), "127.0.0.1:%d/flaky", registries.bad_port);
        assert_ok(f, pull_platform(f, reference, NULL));
        assert_quiet(f);
}

static void what_is_not_there_is_said(void **state) {
        struct fixture *f = *state;
        char reference[300];

        need_registries();
        assert_true(pull(f, "three:none") < 0);
        assert_int_equal(f->err.kind, ERR_NOT_FOUND);
        assert_non_null(strstr(f->err.msg, "t/three:none"));
        snprintf(reference, sizeof(reference), "localhost:%d/t/three:1", registries.port);
        assert_true(pull_platform(f, reference, "linux/s390x") < 0);
        assert_int_equal(f->err.kind, ERR_NOT_FOUND);
        assert_string_equal(f->err.msg, "no matching manifest for linux/s390x in the manifest list entries");
        snprintf(reference, sizeof(reference), "localhost:%d/t/four:1", registries.port);
        assert_true(pull_platform(f, reference, "linux/s390x") < 0);
        assert_non_null(strstr(f->err.msg, "does not match the specified platform"));
        assert_int_equal(pull_platform(f, reference, "linux"), -EINVAL);
        snprintf(reference, sizeof(reference), "localhost:%d/a:1", free_port());
        assert_true(pull_platform(f, reference, NULL) < 0);
        assert_int_equal(f->err.kind, ERR_UNAVAILABLE);
        print_message("# %s\n", f->err.msg);
        assert_nothing(f);
}

static void local_names_never_leave_the_host(void **state) {
        struct fixture *f = *state;

        assert_int_equal(pull_platform(f, "kist.local/busybox", NULL), -ENOENT);
        assert_int_equal(f->err.kind, ERR_NOT_FOUND);
        assert_non_null(strstr(f->err.msg, "No such image: kist.local/busybox:latest"));
        assert_int_equal(json_array_size(f->events), 0);
}

static void a_cancel_at_any_event_leaves_nothing(void **state) {
        struct fixture *f = *state;

        need_registries();
        for (f->cancel_at = 1;; f->cancel_at++) {
                int r = pull(f, "three:1");

                if (r >= 0 || f->cancel_at > 60)
                        break; /* too late to be canceled: the last two events come when it is done */
                assert_int_equal(r, -ECANCELED);
                assert_nothing(f);
        }
        print_message("# canceled at %zu events\n", f->cancel_at - 1);
        assert_true(f->cancel_at > 8);
}

struct puller {
        struct fixture *f;
        const char *name;
        pthread_t thread;
        struct err err;
        int result;
};

static void *pull_thread(void *data) {
        struct puller *p = data;
        char reference[300];
        struct image_pull asked = { .reference = reference };

        snprintf(reference, sizeof(reference), "localhost:%d/t/%s", registries.port, p->name);
        p->result = image_pull(p->f->store, &asked, NULL, NULL, &p->err);
        return NULL;
}

static void pulls_at_the_same_time_share_their_layers(void **state) {
        static const char *const names[] = { "three:1", "three:1", "four:1", "big:1", "three:1", "big:1" };
        struct fixture *f = *state;
        struct puller pullers[6];

        need_registries();
        for (int i = 0; i < 6; i++) {
                pullers[i] = (struct puller) { .f = f, .name = names[i] };
                assert_int_equal(pthread_create(&pullers[i].thread, NULL, pull_thread, &pullers[i]), 0);
        }
        for (int i = 0; i < 6; i++) {
                pthread_join(pullers[i].thread, NULL);
                if (pullers[i].result < 0)
                        fail_msg("%s: %s", pullers[i].name, pullers[i].err.msg);
        }
        assert_int_equal(f->begun, 5); /* one, two, three, four, big */
        assert_int_equal(count_files(f, LAYERS), 5);
        assert_quiet(f);
}

/* Pulls and removals of images that share layers, again and again: an image that is there is whole. */
static void *remove_thread(void *data) {
        struct puller *p = data;
        char reference[300];

        snprintf(reference, sizeof(reference), "localhost:%d/t/%s", registries.port, p->name);
        for (int i = 0; i < 60; i++) {
                json_t *answer;

                if (image_remove(p->f->store, reference, false, NULL, drop_layer, p->f, &answer, NULL) >= 0)
                        json_decref(answer);
                usleep(10000);
        }
        return NULL;
}

static void a_pull_and_a_removal_do_not_hurt_each_other(void **state) {
        struct fixture *f = *state;
        struct puller remover = { .f = f, .name = "three:1" };
        struct image *image;

        need_registries();
        assert_int_equal(pthread_create(&remover.thread, NULL, remove_thread, &remover), 0);
        for (int i = 0; i < 6; i++) {
                char path[200];

                assert_ok(f, pull(f, "three:1"));
                assert_ok(f, pull(f, "four:1"));
                image = get(f, "four:1");
                for (size_t j = 0; j < image->n_diff_ids; j++)
                        assert_true(storage_has_layer(f->storage, image->diff_ids[j]));
                snprintf(path, sizeof(path), BLOBS "/%s", image->manifest_digest + 7);
                assert_int_equal(faccessat(f->dir, path, F_OK, 0), 0);
                image_free(image);
        }
        pthread_join(remover.thread, NULL);
        assert_int_equal(shell("skopeo copy -q oci:%s/oci:localhost:%d/t/four:1 dir:%s/copy", f->path, registries.port, f->path), 0);
        assert_quiet(f);
}

/* Kill our kist-worker children, as the kernel does when memory runs out. */
static void kill_workers(void) {
        DIR *dir = opendir("/proc");
        struct dirent *d;

        while ((d = readdir(dir))) {
                char path[300], text[512] = "", comm[32] = "";
                pid_t pid = atoi(d->d_name), parent = 0;
                FILE *f;

                snprintf(path, sizeof(path), "/proc/%s/stat", d->d_name);
                f = pid > 0 ? fopen(path, "r") : NULL;
                if (!f)
                        continue;
                if (fgets(text, sizeof(text), f) && sscanf(text, "%*d (%31[^)]) %*c %d", comm, &parent) == 2 && parent == getpid() &&
                    pid != registries.pid && pid != registries.bad_pid)
                        kill(pid, SIGKILL);
                fclose(f);
        }
        closedir(dir);
}

static int kill_at_download(const json_t *event, void *data) {
        if (strcmp(json_get_str(event, "status", ""), "Downloading") == 0 || strcmp(json_get_str(event, "status", ""), "Download complete") == 0)
                kill_workers();
        return 0;
}

static void a_dead_worker_fails_its_pull_only(void **state) {
        struct fixture *f = *state;
        char reference[300];
        struct image_pull p = { .reference = reference };

        need_registries();
        snprintf(reference, sizeof(reference), "localhost:%d/t/big:1", registries.port);
        assert_true(image_pull(f->store, &p, kill_at_download, NULL, &f->err) < 0);
        print_message("# %s\n", f->err.msg);
        assert_non_null(strstr(f->err.msg, "layer sha256:"));
        assert_non_null(strstr(f->err.msg, "died"));
        assert_nothing(f);
        assert_ok(f, pull(f, "big:1"));
}

/* Workers of a dead daemon come to us: they must end by themselves. */
static void await_orphans(void) {
        for (int i = 0; i < 500; i++) {
                siginfo_t info = { 0 };
                bool left = false;
                char path[64], text[4096] = "", *at = text, *end;
                FILE *children;

                snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
                children = fopen(path, "r");
                assert_non_null(children);
                if (!fgets(text, sizeof(text), children))
                        *text = '\0';
                fclose(children);
                for (long pid; (pid = strtol(at, &end, 10)), end != at; at = end) {
                        if (pid == registries.pid || pid == registries.bad_pid)
                                continue;
                        left = true;
                        waitid(P_PID, (id_t) pid, &info, WEXITED | WNOHANG);
                }
                if (!left)
                        return;
                usleep(10000);
        }
        fail_msg("workers outlive their daemon");
}

static int sweep_layer(const char *diff_id, void *data) {
        struct fixture *f = data;

        return image_layer_is_needed(f->store, diff_id) ? 0 : storage_layer_remove(f->storage, diff_id, NULL);
}

static void a_daemon_killed_at_any_moment_leaves_no_half_images(void **state) {
        struct fixture *f = *state;
        unsigned whole = 0;

        need_registries();
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        for (unsigned i = 0; i < 30; i++) {
                pid_t pid = fork();
                struct image *image;
                json_t *answer;

                if (pid == 0) {
                        prctl(PR_SET_PDEATHSIG, SIGKILL);
                        _exit(pull(f, "three:1") < 0);
                }
                usleep(i * 8000);
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
                await_orphans();
                storage_free(f->storage);
                assert_ok(f, storage_open(f->dir, &f->storage, &f->err));
                fixture_reopen(f);
                assert_quiet(f);
                if (count_files(f, BLOBS) > 0) {
                        image = get(f, "three:1");
                        for (size_t j = 0; j < image->n_diff_ids; j++)
                                assert_true(storage_has_layer(f->storage, image->diff_ids[j]));
                        assert_int_equal(count_files(f, BLOBS), 6);
                        assert_int_equal(shell("rm -rf %s/copy; skopeo copy -q oci:%s/oci:localhost:%d/t/three:1 dir:%s/copy", f->path, f->path, registries.port,
                                               f->path),
                                         0);
                        assert_ok(f, image_remove(f->store, image->id, false, NULL, drop_layer, f, &answer, &f->err));
                        image_free(image);
                        json_decref(answer);
                        whole++;
                }
                assert_ok(f, storage_layers_each(f->storage, sweep_layer, f, &f->err));
                assert_nothing(f);
        }
        print_message("# of 30 pulls %u were whole\n", whole);
        prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void a_tag_that_moved_leaves_the_old_image_under_its_digest(void **state) {
        struct fixture *f = *state;
        struct image *image, *old;

        need_registries();
        assert_int_equal(shell("skopeo copy -q --preserve-digests --src-tls-verify=false --dest-tls-verify=false docker://127.0.0.1:%d/t/four:1 "
                               "docker://127.0.0.1:%d/t/moving:1",
                               registries.port, registries.port),
                         0);
        assert_ok(f, pull(f, "moving:1"));
        old = get(f, "moving:1");
        assert_int_equal(shell("skopeo copy -q --all --preserve-digests --src-tls-verify=false --dest-tls-verify=false docker://127.0.0.1:%d/t/three:1 "
                               "docker://127.0.0.1:%d/t/moving:1",
                               registries.port, registries.port),
                         0);
        assert_ok(f, pull(f, "moving:1"));
        assert_int_equal(count_events(f, "status", "Downloaded newer image"), 1);
        image = get(f, "moving:1");
        assert_string_not_equal(image->id, old->id);
        image_free(image);
        assert_ok(f, image_get(f->store, old->id, &image, &f->err));
        assert_null(image->tags[0]);
        assert_string_equal(image->digests[0], old->digests[0]);
        image_free(image);
        image_free(old);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
                T(an_index_is_followed_to_this_platform),
                T(the_store_is_a_layout_that_others_read),
                T(shared_layers_are_moved_once),
                T(a_repeated_layer_is_moved_once),
                T(wrong_things_are_refused_and_leave_nothing),
                T(a_flaky_registry_is_no_hindrance),
                T(what_is_not_there_is_said),
                T(local_names_never_leave_the_host),
                T(a_cancel_at_any_event_leaves_nothing),
                T(pulls_at_the_same_time_share_their_layers),
                T(a_pull_and_a_removal_do_not_hurt_each_other),
                T(a_dead_worker_fails_its_pull_only),
                T(a_daemon_killed_at_any_moment_leaves_no_half_images),
                T(a_tag_that_moved_leaves_the_old_image_under_its_digest),
        };
        return cmocka_run_group_tests(tests, registries_start, registries_stop);
}
