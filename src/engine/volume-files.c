/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a volume as an archive and out of one, and one volume from another. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "engine/db.h"
#include "engine/events.h"
#include "engine/internal.h"
#include "engine/volumes.h"
#include "storage/storage.h"
#include "worker/client.h"

/* An archive is of the user's own making, and the disk is the bound. */
#define IMPORT_BYTES_MAX (1ll << 60)
#define IMPORT_ENTRIES_MAX (1ll << 40)

enum { SNAPSHOT_NAME_TRIES = 100 };

static void volume_stage_donep(struct volume_stage *s) {
        volume_stage_done(s);
}
#define auto_stage __attribute__((cleanup(volume_stage_donep))) struct volume_stage

struct reading {
        struct engine *engine; /* NULL: it did not begin */
        const char *name;
        int mount; /* of a volume that is a file system of its own: there as long as this fd is open */
        int data;
};

static void reading_done(struct reading *r) {
        fd_close(r->data);
        fd_close(r->mount);
        if (r->engine)
                volume_job_end(r->engine, r->name);
}
#define auto_reading __attribute__((cleanup(reading_done))) struct reading

static int begin_reading(struct engine *e, const char *name, struct reading *ret, struct err *err) {
        auto_json *options = NULL;
        struct db_volume v = {};
        int r = db_volume_get(e->db, name, &v, err);

        if (r < 0)
                return r;
        options = v.options ? json_loads(v.options, 0, NULL) : NULL;
        db_volume_done(&v);
        if (volume_options_is_memory(options))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "volume %s is a file system in memory, which is there while a container has it: kist cp copies from that", name);
        r = volume_job_begin(e, name, false, err);
        if (r < 0)
                return r;
        ret->engine = e;
        ret->name = name;
        if (!volume_options_is_mount(options))
                return volume_open_data(e, name, &ret->data, err);
        r = volume_options_mount(name, options, -1, &ret->mount, err);
        if (r == 0 && (ret->data = openat(ret->mount, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC)) < 0)
                r = err_errno(err, -errno, "volume %s", name);
        return r;
}

/* One job of a worker that sees the directory with plain ids. */
static int run_worker(struct engine *e, const char *mode, const char *name, json_t *request, int stream_fd, int dir_fd, int cancel_fd, struct err *err) {
        auto_fd mapped = -EBADF;
        int r = storage_idmap_clone(dir_fd, e->worker_userns, false, &mapped, err);

        if (r < 0) {
                json_decref(request);
                return err_prefix(err, "volume %s", name);
        }
        return worker_run(e->worker_fd, e->worker_userns, mode, request, (const int[]) { stream_fd, mapped }, 2, cancel_fd, NULL, err);
}

int engine_volume_export(struct engine *e, const char *name, int out_fd, int cancel_fd, struct err *err) {
        auto_reading from = { .mount = -EBADF, .data = -EBADF };
        int r = begin_reading(e, name, &from, err);

        if (r == 0)
                r = run_worker(e, "pack", name, json_pack("{s:s, s:s, s:s, s:b}", "op", "tree", "path", "/", "name", ".", "exact", true), out_fd, from.data, cancel_fd, err);
        if (r == 0)
                events_publish(e->events, "volume", "export", name, json_pack("{s:s}", "driver", "local"));
        return r;
}

/* Of the options of a volume, a directory of ours can only have a size. */
static int check_plain(const json_t *labels, const json_t *options, struct err *err) {
        int r = volume_labels_check(labels, err);

        if (r == 0)
                r = volume_options_check(options, err);
        if (r == 0 && volume_options_is_mount(options))
                r = err_set(err, ERR_INVALID, -EINVAL, "DriverOpts: what is copied becomes a directory: of the options it can only have a size");
        return r;
}

int engine_volume_import(struct engine *e, const char *name, const json_t *labels, const json_t *options, int in_fd, int cancel_fd, json_t **ret, struct err *err) {
        auto_stage stage = { .data_fd = -EBADF };
        json_t *limits;
        int r = check_plain(labels, options, err);

        if (r < 0 || (r = volume_stage_begin(e, name, labels, json_copy((json_t *) options), &stage, err)) < 0)
                return r;
        limits = json_pack("{s:I, s:I}", "bytes", (json_int_t) IMPORT_BYTES_MAX, "entries", (json_int_t) IMPORT_ENTRIES_MAX);
        r = run_worker(e, "extract", name, json_pack("{s:s, s:s, s:b, s:o}", "op", "extract", "path", "/", "own_root", true, "limits", limits), in_fd, stage.data_fd, cancel_fd, err);
        if (r == 0)
                r = volume_stage_commit(&stage, err);
        return r < 0 ? r : engine_volume_inspect(e, name, ret, err);
}

/* --- one from another --- */

/* "data-20261122-055200"; the next of the same second gets a number. */
static int snapshot_name(struct engine *e, const char *of, char *ret, size_t size, struct err *err) {
        time_t now = time(NULL);
        struct tm tm;
        char when[20];

        gmtime_r(&now, &tm);
        strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &tm);
        for (int i = 1; i < SNAPSHOT_NAME_TRIES; i++) {
                struct db_volume v = {};
                char number[8] = "";
                int r;

                if (i > 1)
                        snprintf(number, sizeof(number), "-%d", i);
                snprintf(ret, size, "%s-%s%s", of, when, number);
                r = db_volume_get(e->db, ret, &v, NULL);
                db_volume_done(&v);
                if (r == -ENOENT && !volume_is_busy(e, ret))
                        return 0;
        }
        return err_set(err, ERR_CONFLICT, -EEXIST, "volume %s has many snapshots of this second: give this one a name", of);
}

static int copy(struct engine *e, const char *name, const char *to, const json_t *labels, json_t *options, int cancel_fd, json_t **ret, struct err *err) {
        auto_stage stage = { .data_fd = -EBADF };
        auto_reading from = { .mount = -EBADF, .data = -EBADF };
        struct volume_copied copied = {};
        int r = begin_reading(e, name, &from, err);

        if (r < 0) {
                json_decref(options);
                return r;
        }
        r = volume_stage_begin(e, to, labels, options, &stage, err);
        if (r == 0)
                r = volume_copy_tree(from.data, stage.data_fd, 0, cancel_fd, &copied, err);
        if (r == 0)
                r = volume_stage_commit(&stage, err);
        if (r == 0)
                r = engine_volume_inspect(e, to, ret, err);
        if (r < 0)
                return r;
        json_object_set_new(*ret, "Copied", json_pack("{s:I, s:I}", "SharedFiles", (json_int_t) copied.shared, "CopiedFiles", (json_int_t) copied.copied));
        return 0;
}

int engine_volume_clone(struct engine *e, const char *name, const json_t *body, int cancel_fd, json_t **ret, struct err *err) {
        const char *to = json_get_str(body, "Name", "");
        const json_t *options = json_get_object(body, "DriverOpts"), *labels = json_get_object(body, "Labels");
        int r = check_plain(labels, options, err);

        if (r == 0 && !*to)
                r = err_set(err, ERR_INVALID, -EINVAL, "Name is missing: what the clone is to be called");
        return r < 0 ? r : copy(e, name, to, labels, options ? json_copy((json_t *) options) : json_object(), cancel_fd, ret, err);
}

int engine_volume_snapshot(struct engine *e, const char *name, const json_t *body, int cancel_fd, json_t **ret, struct err *err) {
        const char *to = json_get_str(body, "Name", "");
        const json_t *labels = json_get_object(body, "Labels");
        char made_up[512];
        int r = volume_labels_check(labels, err);

        if (r == 0 && !*to)
                r = snapshot_name(e, name, made_up, sizeof(made_up), err);
        return r < 0 ? r : copy(e, name, *to ? to : made_up, labels, json_pack("{s:s}", VOLUME_SNAPSHOT_OF, name), cancel_fd, ret, err);
}
