/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/path.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "engine/db.h"
#include "engine/fsck.h"
#include "engine/internal.h"
#include "engine/projects.h"
#include "engine/volumes.h"
#include "storage/storage.h"

/* --- volumes: what is in one is the user's. A directory without a row gets one; none is ever removed here. --- */

static int note_volume(struct db_volume *v, void *data) {
        auto_json *options = v->options ? json_loads(v->options, 0, NULL) : NULL;

        /* What a file system of its own is mounted over needs no files below. */
        return json_object_set_new(data, v->name, json_boolean(volume_options_is_mount(options))) < 0 ? -ENOMEM : 0;
}

static int give_row(struct engine *e, const char *name) {
        struct db_volume v = { .created_ns = time_now_ns() };
        bool made;

        snprintf(v.name, sizeof(v.name), "%s", name);
        return db_volume_insert(e->db, &v, &made, NULL);
}

static int make_empty(struct engine *e, const char *name, int *ret) {
        int r = volume_open_data(e, name, ret, NULL);

        return r < 0 ? r : project_assert_volume(e, name, *ret, NULL, NULL);
}

static void volumes_locked(struct fsck *f, json_t *rows) {
        struct engine *e = f->engine;
        auto_fd dir = openat(e->root_fd, "volumes", O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        int copy = dir < 0 ? -1 : openat(dir, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        DIR *d = copy < 0 ? NULL : fdopendir(copy);
        const char *name;
        json_t *row;

        if (!d)
                fd_close(copy);
        for (struct dirent *entry; d && (entry = readdir(d));)
                if (engine_name_is_valid(entry->d_name) && strlen(entry->d_name) < sizeof(((struct db_volume *) 0)->name) && !json_object_get(rows, entry->d_name))
                        fsck_found(f, "volume", entry->d_name, "a directory without a row", "it has a row again", f->fix ? give_row(e, entry->d_name) : 0);
        if (d)
                closedir(d);
        json_object_foreach(rows, name, row) {
                auto_fd made = -EBADF;

                if (json_is_true(row) || (dir >= 0 && faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0))
                        continue;
                fsck_found(f, "volume", name, "its directory is gone", "an empty one was made", f->fix ? make_empty(e, name, &made) : 0);
        }
}

void fsck_volumes(struct fsck *f) {
        auto_json *rows = json_object();

        pthread_mutex_lock(&f->engine->volumes_lock);
        if (db_volumes_each(f->engine->db, note_volume, rows, NULL) == 0)
                volumes_locked(f, rows);
        pthread_mutex_unlock(&f->engine->volumes_lock);
}

/* --- limits of size --- */

static void stray_size(const char *owner, void *data) {
        struct fsck *f = data;

        if (f->fix)
                project_release(f->engine, owner);
        fsck_found(f, "size", owner, "a limit of what is not there", "removed", 0);
}

void fsck_sizes(struct fsck *f) {
        /* Nobody creates a container or a volume meanwhile. */
        pthread_rwlock_wrlock(&f->engine->images_lock);
        pthread_mutex_lock(&f->engine->volumes_lock);
        projects_strays(f->engine, stray_size, f);
        pthread_mutex_unlock(&f->engine->volumes_lock);
        pthread_rwlock_unlock(&f->engine->images_lock);
}

/* --- layers and blobs --- */

struct layers {
        struct fsck *f;
        struct strbuf all; /* one per line */
};

static int note_layer(const char *diff_id, void *data) {
        strbuf_addf(&((struct layers *) data)->all, "%s\n", diff_id);
        return 0;
}

static void found_blob(const char *name, int result, void *data) {
        fsck_found(((struct layers *) data)->f, "blob", name, "no image has it", "removed", result);
}

static void found_layer(const char *diff_id, void *data) {
        struct layers *l = data;

        if (!engine_layer_in_use(l->f->engine, diff_id))
                fsck_found(l->f, "layer", diff_id, "no image and no container has it", "removed", l->f->fix ? storage_layer_remove(l->f->engine->storage, diff_id, NULL) : 0);
}

/* No container is made from an image meanwhile; what a pull is about to need it has pinned. */
void fsck_layers(struct fsck *f) {
        struct engine *e = f->engine;
        struct layers l = { .f = f };
        auto_free char **lines = NULL;
        auto_free char *text = NULL;
        size_t n = 0;

        strbuf_init(&l.all, 16 << 20);
        pthread_rwlock_wrlock(&e->images_lock);
        if (storage_layers_each(e->storage, note_layer, &l, NULL) == 0 && !strbuf_error(&l.all)) {
                text = l.all.size ? strbuf_take(&l.all, NULL) : strdup("");
                lines = text ? engine_split_lines(text, &n) : NULL;
        }
        if (lines) {
                struct image_strays what = {
                        .remove = f->fix, .diff_ids = (const char *const *) lines, .n_diff_ids = n, .blob_fn = found_blob, .layer_fn = found_layer, .data = &l,
                };

                image_find_strays(e->images, &what, NULL);
        }
        pthread_rwlock_unlock(&e->images_lock);
        strbuf_done(&l.all);
}

/* --- what is half-made --- */

static int found_scratch(const char *name, int result, void *data) {
        fsck_found(data, "temporary", name, "nobody works on it", "removed", result);
        return 0;
}

void fsck_scratch(struct fsck *f) {
        storage_strays(f->engine->storage, f->fix, found_scratch, f, NULL);
}

/* --- digests --- */

struct digests {
        struct fsck *f;
        const struct engine_fsck_options *o;
};

static void broken_blob(const char *digest, const char *problem, const char *images, int result, void *data) {
        struct digests *d = data;
        auto_free char *what = str_format("%s%s%s%s", problem, *images ? ": of " : "", images, *images && !(d->f->fix && result >= 0) ? ": pull it again" : "");
        auto_free char *action = str_format("removed%s", *images ? ": the next pull fetches it" : "");

        fsck_found(d->f, "blob", digest, what ? what : problem, action ? action : "", result);
}

static int tell(uint64_t done, uint64_t total, void *data) {
        const struct digests *d = data;

        return d->o->progress ? d->o->progress(done, total, d->o->data) : 0;
}

int fsck_digests(struct fsck *f, const struct engine_fsck_options *o, struct err *err) {
        struct digests d = { .f = f, .o = o };
        const struct image_verify what = { .remove = f->fix, .broken = broken_blob, .progress = tell, .data = &d };

        return image_verify_blobs(f->engine->images, &what, err);
}
