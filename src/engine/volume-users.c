/* SPDX-License-Identifier: Apache-2.0 */
/* Who has a volume, and who is copying it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/db.h"
#include "engine/internal.h"
#include "engine/spec.h"
#include "engine/volumes.h"

int volume_users_each(struct engine *e, const char *name, int (*fn)(struct container *c, const struct spec_mount *m, void *data), void *data) {
        struct container **containers;
        size_t n;
        int r;

        r = table_snapshot(&e->table, &containers, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                auto_json *body = NULL;
                auto_spec s = {};

                if (r == 0 && db_spec(e->db, containers[i]->row.id, &body, NULL) == 0 && spec_parse(body, &s, NULL) == 0)
                        for (size_t k = 0; k < s.n_mounts && r == 0; k++)
                                if (s.mounts[k].type == SPEC_MOUNT_VOLUME && !strcmp(s.mounts[k].source, name))
                                        r = fn(containers[i], &s.mounts[k], data);
                container_unref(containers[i]);
        }
        free(containers);
        return r;
}

/* --- jobs --- */

struct volume_jobs {
        pthread_mutex_t lock;
        struct volume_job {
                char name[256];
                bool making;
        } *v;
        size_t n;
};

struct volume_jobs *volume_jobs_new(void) {
        struct volume_jobs *j = calloc(1, sizeof(*j));

        if (j)
                pthread_mutex_init(&j->lock, NULL);
        return j;
}

void volume_jobs_free(struct volume_jobs *j) {
        if (!j)
                return;
        pthread_mutex_destroy(&j->lock);
        free(j->v);
        free(j);
}

/* The lock is held. */
static struct volume_job *find(struct volume_jobs *j, const char *name) {
        for (size_t i = 0; i < j->n; i++)
                if (!strcmp(j->v[i].name, name))
                        return &j->v[i];
        return NULL;
}

static int note(struct volume_jobs *j, const char *name, bool making, struct err *err) {
        struct volume_job *grown, *other;
        int r = 0;

        pthread_mutex_lock(&j->lock);
        other = find(j, name);
        grown = reallocarray(j->v, j->n + 1, sizeof(*grown));
        if (grown)
                j->v = grown;
        if (other && (other->making || making))
                r = err_set(err, ERR_CONFLICT, -EBUSY, "volume %s is being %s", name, other->making ? "made" : "copied");
        else if (!grown)
                r = err_errno(err, -ENOMEM, "volume %s", name);
        else
                snprintf(grown[j->n].name, sizeof(grown[j->n].name), "%s", name), grown[j->n++].making = making;
        pthread_mutex_unlock(&j->lock);
        return r;
}

void volume_job_end(struct engine *e, const char *name) {
        struct volume_jobs *j = e->volume_jobs;
        struct volume_job *job;

        pthread_mutex_lock(&j->lock);
        job = find(j, name);
        if (job)
                *job = j->v[--j->n];
        pthread_mutex_unlock(&j->lock);
}

bool volume_is_busy(struct engine *e, const char *name) {
        bool busy;

        pthread_mutex_lock(&e->volume_jobs->lock);
        busy = find(e->volume_jobs, name);
        pthread_mutex_unlock(&e->volume_jobs->lock);
        return busy;
}

int volume_busy_error(const char *name, struct err *err) {
        return err_set(err, ERR_CONFLICT, -EBUSY, "volume %s is being copied: nobody may write to it, or remove it, until that has ended", name);
}

int volume_check_use(struct engine *e, const char *name, const struct spec_mount *m, struct err *err) {
        auto_json *options = NULL;
        struct db_volume v = {};

        if (m->read_only)
                return 0;
        if (volume_is_busy(e, name))
                return volume_busy_error(name, err);
        if (db_volume_get(e->db, name, &v, NULL) == 0 && v.options)
                options = json_loads(v.options, 0, NULL);
        db_volume_done(&v);
        if (json_object_get(options, VOLUME_SNAPSHOT_OF))
                return err_set(err, ERR_INVALID, -EROFS, "volume %s is a snapshot, which nobody writes to: mount it read-only, or make a clone of it", name);
        return 0;
}

struct writer {
        const char *name;
        struct err *err;
};

static int refuse_writer(struct container *c, const struct spec_mount *m, void *data) {
        const struct writer *w = data;
        /* One whose start began before the job was noted: it is over when this lock is ours. */
        auto_op *op = container_op_lock(c);

        if (m->read_only || c->gone)
                return 0;
        if (c->row.state != CONTAINER_STARTING && c->row.state != CONTAINER_RUNNING && c->row.state != CONTAINER_RESTARTING && !atomic_load(&c->paused_for_commit))
                return 0;
        return err_set(w->err, ERR_CONFLICT, -EBUSY, "volume %s is in use by container %s, which may write to it: stop or pause that first", w->name, c->row.name);
}

int volume_job_begin(struct engine *e, const char *name, bool making, struct err *err) {
        int r = note(e->volume_jobs, name, making, err);

        if (r < 0 || making)
                return r;
        r = volume_users_each(e, name, refuse_writer, &(struct writer) { name, err });
        if (r == -ENOMEM)
                err_errno(err, r, "volume %s", name);
        if (r < 0)
                volume_job_end(e, name);
        return r;
}

int volumes_check_idle(struct engine *e, const char *id, struct err *err) {
        auto_json *body = NULL;
        auto_spec s = {};
        int r = db_spec(e->db, id, &body, err);

        if (r < 0 || (r = spec_parse(body, &s, err)) < 0)
                return r;
        for (size_t i = 0; i < s.n_mounts; i++)
                if (s.mounts[i].type == SPEC_MOUNT_VOLUME && !s.mounts[i].read_only && volume_is_busy(e, s.mounts[i].source))
                        return volume_busy_error(s.mounts[i].source, err);
        return 0;
}
