/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes that come into being with something in them. ".new-NAME" is filled, then the row is made, then it gets its name: with a row it is whole and
 * was acknowledged, or could have been; without one it is nobody's. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/path.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "engine/db.h"
#include "engine/events.h"
#include "engine/internal.h"
#include "engine/projects.h"
#include "engine/spec.h"
#include "engine/volumes.h"

#define STAGE_PREFIX ".new-"

static bool has_row(struct engine *e, const char *name) {
        struct db_volume v = {};
        bool there = db_volume_get(e->db, name, &v, NULL) == 0;

        db_volume_done(&v);
        return there;
}

static int taken(const char *name, struct err *err) {
        return err_set(err, ERR_CONFLICT, -EEXIST, "volume %s is there already: what is copied makes a new one", name);
}

static void remove_staged(struct engine *e, const char *name) {
        auto_free char *staged = str_format(STAGE_PREFIX "%s", name);
        auto_fd volumes = volumes_open(e);

        if (volumes >= 0 && staged)
                path_remove_tree_at(volumes, staged);
}

static int make_directories(struct engine *e, const char *name, int *ret, struct err *err) {
        auto_free char *staged = str_format(STAGE_PREFIX "%s", name);
        auto_fd volumes = volumes_open(e), dir = -EBADF;

        if (volumes < 0 || !staged)
                return err_errno(err, volumes < 0 ? volumes : -ENOMEM, "volume %s", name);
        path_remove_tree_at(volumes, staged);
        if (mkdirat(volumes, staged, 0701) < 0)
                return err_errno(err, -errno, "volume %s", name);
        dir = openat(volumes, staged, O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (dir < 0 || mkdirat(dir, "_data", 0755) < 0)
                return err_errno(err, -errno, "volume %s", name);
        *ret = openat(dir, "_data", O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        return *ret < 0 ? err_errno(err, -errno, "volume %s", name) : 0;
}

static int make(struct volume_stage *s, struct err *err) {
        uint64_t size = volume_options_size(s->options);
        int r = size ? volume_limit(s->engine, s->name, size, make_directories, &s->data_fd, err) : make_directories(s->engine, s->name, &s->data_fd, err);

        s->limited = r == 0 && size;
        return r;
}

int volume_stage_begin(struct engine *e, const char *name, const json_t *labels, json_t *options, struct volume_stage *ret, struct err *err) {
        struct volume_stage s = { .engine = e, .data_fd = -EBADF, .labels = labels, .options = options };
        int r;

        if (!spec_is_volume_name(name)) {
                json_decref(options);
                return err_set(err, ERR_INVALID, -EINVAL, "\"%s\" is not a volume name: 2 to 240 of \"[a-zA-Z0-9][a-zA-Z0-9_.-]\"", name);
        }
        snprintf(s.name, sizeof(s.name), "%s", name);
        r = volume_job_begin(e, name, true, err);
        if (r < 0) {
                json_decref(options);
                return r;
        }
        r = has_row(e, name) ? taken(name, err) : make(&s, err);
        if (r < 0) {
                volume_stage_done(&s);
                return r;
        }
        fault_point("volcopy", "directory");
        *ret = s;
        return 0;
}

void volume_stage_done(struct volume_stage *s) {
        if (!s->engine)
                return;
        s->data_fd = fd_close(s->data_fd);
        remove_staged(s->engine, s->name);
        if (s->limited && !has_row(s->engine, s->name)) {
                char owner[PROJECT_OWNER_SIZE];

                project_of_volume(s->name, owner);
                project_release(s->engine, owner);
        }
        volume_job_end(s->engine, s->name);
        json_decref(s->options);
        *s = (struct volume_stage) { .data_fd = -EBADF };
}

/* volumes_lock is held. */
static int commit_locked(struct volume_stage *s, struct err *err) {
        auto_free char *staged = str_format(STAGE_PREFIX "%s", s->name), *labels = json_object_size(s->labels) ? json_text(s->labels) : NULL,
                       *options = json_object_size(s->options) ? json_text(s->options) : NULL;
        struct db_volume v = { .created_ns = time_now_ns(), .labels = labels, .options = options };
        auto_fd volumes = volumes_open(s->engine);
        bool made = false;
        struct stat st;
        int r;

        if (volumes < 0 || !staged)
                return err_errno(err, volumes < 0 ? volumes : -ENOMEM, "volume %s", s->name);
        if (fstatat(volumes, s->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
                return taken(s->name, err);
        snprintf(v.name, sizeof(v.name), "%s", s->name);
        r = db_volume_insert(s->engine->db, &v, &made, err);
        if (r < 0 || !made)
                return r < 0 ? r : taken(s->name, err);
        fault_point("volcopy", "row");
        if (renameat2(volumes, staged, volumes, s->name, RENAME_NOREPLACE) < 0) {
                r = err_errno(err, -errno, "volume %s", s->name);
                db_volume_delete(s->engine->db, s->name, NULL);
                return r;
        }
        fault_point("volcopy", "name");
        return 0;
}

int volume_stage_commit(struct volume_stage *s, struct err *err) {
        struct engine *e = s->engine;
        int r;

        fault_point("volcopy", "files");
        if (syncfs(s->data_fd) < 0)
                return err_errno(err, -errno, "volume %s", s->name);
        fault_point("volcopy", "synced");
        pthread_mutex_lock(&e->volumes_lock);
        r = commit_locked(s, err);
        pthread_mutex_unlock(&e->volumes_lock);
        if (r == 0)
                events_publish(e->events, "volume", "create", s->name, json_pack("{s:s}", "driver", "local"));
        return r;
}

bool volume_stage_recover(struct engine *e, int volumes_fd, const char *name) {
        const char *own = name + strlen(STAGE_PREFIX);

        if (!str_starts_with(name, STAGE_PREFIX))
                return false;
        if (!has_row(e, own) || renameat2(volumes_fd, name, volumes_fd, own, RENAME_NOREPLACE) < 0)
                path_remove_tree_at(volumes_fd, name);
        return true;
}
