/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A data directory of its own per test, with real layers under it, an image store, and the workers' user namespace. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "image/image.h"
#include "storage/storage.h"

enum { FIRST_ID = 900000 };

struct fixture {
        char path[64];
        int dir, worker_fd, userns_fd;
        struct storage *storage;
        struct image_store *store;
        struct image_sink sink;
        struct err err;
        json_t *events; /* of progress */
        size_t cancel_at; /* the event that is answered with a cancel; 0: none */
        unsigned begun;   /* scratch directories that were asked for */
};

static inline bool sink_has(void *data, const char *diff_id) {
        return storage_has_layer(((struct fixture *) data)->storage, diff_id);
}

static inline int sink_begin(void *data, char token[64], int *ret_dir_fd, struct err *err) {
        struct fixture *f = data;

        __atomic_fetch_add(&f->begun, 1, __ATOMIC_RELAXED);
        return storage_layer_begin(f->storage, token, ret_dir_fd, err);
}

static inline int sink_commit(void *data, const char *token, const char *diff_id, struct err *err) {
        return storage_layer_commit(((struct fixture *) data)->storage, token, diff_id, err);
}

static inline void sink_abort(void *data, const char *token) {
        storage_layer_abort(((struct fixture *) data)->storage, token);
}

static inline int sink_clone(void *data, int dir_fd, int *ret_fd, struct err *err) {
        return storage_idmap_clone(dir_fd, ((struct fixture *) data)->userns_fd, false, ret_fd, err);
}

static inline int sink_drop(void *data, const char *diff_id) {
        return storage_layer_remove(((struct fixture *) data)->storage, diff_id, NULL);
}

/* For image_remove(). */
static inline int drop_layer(const char *diff_id, void *data) {
        return sink_drop(data, diff_id);
}

/* A user namespace of 65,536 ids, held by its fd only. By unshare(1): a sanitizer's threads keep unshare(2) from us. */
static inline int make_userns(void) {
        int up[2], down[2], fd;
        char path[64], map[64], c = 0;
        pid_t pid;

        assert_int_equal(pipe2(up, O_CLOEXEC) | pipe2(down, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                dup2(down[0], 0);
                dup2(up[1], 1);
                execlp("unshare", "unshare", "--user", "sh", "-c", "printf 1; read x", NULL);
                _exit(127);
        }
        close(up[1]);
        up[1] = -EBADF;
        assert_int_equal(read(up[0], &c, 1), 1);
        for (int i = 0; i < 2; i++) {
                snprintf(path, sizeof(path), "/proc/%d/%s", pid, i ? "gid_map" : "uid_map");
                snprintf(map, sizeof(map), "0 %d 65536", FIRST_ID);
                fd = open(path, O_WRONLY | O_CLOEXEC);
                assert_true(fd >= 0);
                assert_int_equal(fd_write_all(fd, map, strlen(map)), 0);
                close(fd);
        }
        snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(write(down[1], "\n", 1), 1);
        waitpid(pid, NULL, 0);
        for (int i = 0; i < 2; i++) {
                fd_close(up[i]);
                fd_close(down[i]);
        }
        return fd;
}

static inline void fixture_open_store(struct fixture *f) {
        assert_int_equal(image_store_open(f->dir, f->worker_fd, &f->sink, &f->store, &f->err), 0);
}

/* As a daemon that died and was started again. */
static inline void fixture_reopen(struct fixture *f) {
        image_store_free(f->store);
        fixture_open_store(f);
}

static inline int fixture_setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        strcpy(f->path, "/var/tmp/kist-image-XXXXXX");
        assert_non_null(mkdtemp(f->path));
        f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(f->dir >= 0);
        f->worker_fd = open(KIST_WORKER, O_PATH | O_CLOEXEC);
        f->userns_fd = make_userns();
        f->events = json_array();
        assert_int_equal(storage_open(f->dir, &f->storage, &f->err), 0);
        f->sink = (struct image_sink) { .has = sink_has, .begin = sink_begin, .commit = sink_commit, .abort = sink_abort, .clone = sink_clone,
                                        .drop = sink_drop, .userns_fd = f->userns_fd, .data = f };
        fixture_open_store(f);
        *state = f;
        return 0;
}

static inline int fixture_teardown(void **state) {
        struct fixture *f = *state;

        image_store_free(f->store);
        storage_free(f->storage);
        json_decref(f->events);
        fd_close(f->worker_fd);
        close(f->userns_fd);
        close(f->dir);
        assert_int_equal(path_remove_tree_at(AT_FDCWD, f->path), 0);
        free(f);
        return 0;
}

/* How many entries ROOT/PATH has, files that begin with "." and all, but not "." and "..". */
static inline size_t count_files(struct fixture *f, const char *path) {
        char command[256];
        size_t n = 0;
        FILE *p;

        snprintf(command, sizeof(command), "ls -A '%s/%s' | wc -l", f->path, path);
        p = popen(command, "r");
        assert_non_null(p);
        assert_int_equal(fscanf(p, "%zu", &n), 1);
        pclose(p);
        return n;
}

#define BLOBS "oci/blobs/sha256"
#define LAYERS "layers/sha256"

/* Nothing half-made anywhere, and no mark of work under way. */
static inline void assert_quiet(struct fixture *f) {
        assert_int_equal(count_files(f, "tmp"), 0);
        assert_int_equal(faccessat(f->dir, "oci/busy", F_OK, 0), -1);
}

static inline int on_progress(const json_t *event, void *data) {
        struct fixture *f = data;

        json_array_append(f->events, (json_t *) event);
        return f->cancel_at && json_array_size(f->events) >= f->cancel_at ? -1 : 0;
}

static inline size_t count_events(struct fixture *f, const char *key, const char *text) {
        size_t n = 0;

        for (size_t i = 0; i < json_array_size(f->events); i++)
                n += strstr(json_get_str(json_array_get(f->events, i), key, ""), text) != NULL;
        return n;
}

#define assert_ok(f, call)                                                       \
        do {                                                                     \
                int _r = (call);                                                 \
                if (_r < 0)                                                      \
                        fail_msg("%s: %d: %s", #call, _r, (f)->err.msg);         \
        } while (0)
