/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/projects.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/db.h"
#include "engine/internal.h"
#include "engine/volumes.h"
#include "storage/storage.h"

/* Ids that people choose are small. A block has as many as there are ranges of user ids. */
enum { BLOCK_SIZE = 65536, FIRST_BLOCK = 16, N_BLOCKS = 32767 - FIRST_BLOCK, BLOCK_TRIES = 1000 };

#define OF_CONTAINERS "containers/"
#define OF_VOLUMES "volumes/"

void project_of_container(const char *id, char ret[PROJECT_OWNER_SIZE]) {
        snprintf(ret, PROJECT_OWNER_SIZE, OF_CONTAINERS "%s", id);
}

void project_of_volume(const char *name, char ret[PROJECT_OWNER_SIZE]) {
        snprintf(ret, PROJECT_OWNER_SIZE, OF_VOLUMES "%s", name);
}

/* The directory that the owners of its kind are in, and so their file system. */
static int open_kind(struct engine *e, const char *owner) {
        int fd;

        if (str_starts_with(owner, OF_VOLUMES))
                return volumes_open(e);
        fd = openat(e->root_fd, "containers", O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int check_kind(struct engine *e, const char *owner, int *ret, struct err *err) {
        auto_fd fd = open_kind(e, owner);
        int r = fd < 0 ? err_errno(err, fd, "a limit of size: %s", owner) : storage_quota_check(fd, err);

        if (r == 0)
                *ret = move_fd(fd);
        return r;
}

int projects_check(struct engine *e, struct err *err) {
        auto_fd fd = -EBADF;

        return check_kind(e, OF_CONTAINERS, &fd, err);
}

/* --- ids --- */

static bool is_unused(int fd, uint32_t first, uint32_t n) {
        uint32_t next;

        return storage_quota_next(fd, first, &next) < 0 || next < first || next - first >= n;
}

/* Where this data directory's ids begin: chosen once. */
static int first_id(struct engine *e, int fd, uint32_t *ret, struct err *err) {
        char text[16] = "", stored[16];
        uint64_t first;
        int r;

        for (int i = 0; i < BLOCK_TRIES; i++) {
                uint32_t block;

                if (getrandom(&block, sizeof(block), 0) != sizeof(block))
                        return err_errno(err, -EIO, "a limit of size");
                block = (FIRST_BLOCK + block % N_BLOCKS) * BLOCK_SIZE;
                snprintf(text, sizeof(text), "%u", block);
                if (is_unused(fd, block, BLOCK_SIZE))
                        break;
        }
        r = db_constant(e->db, "first project", text, stored, sizeof(stored), err);
        if (r < 0)
                return r;
        if (str_to_u64(stored, BLOCK_SIZE, (uint64_t) INT32_MAX - BLOCK_SIZE, &first) < 0)
                return err_set(err, ERR_INTERNAL, -EINVAL, "database: first project: \"%s\"", stored);
        *ret = (uint32_t) first;
        return 0;
}

/* projects_lock is held. */
static int take_id(struct engine *e, int fd, struct db_project *p, struct err *err) {
        uint32_t first = 0, from;
        int r = first_id(e, fd, &first, err);

        for (from = first; r == 0 && from - first < BLOCK_SIZE; from = p->id + 1) {
                r = db_project_free(e->db, from, &p->id, err);
                if (r == 0 && p->id - first < BLOCK_SIZE && is_unused(fd, p->id, 1))
                        return db_project_insert(e->db, p, err);
        }
        return r < 0 ? r : err_set(err, ERR_NO_SPACE, -ENOSPC, "a limit of size: all %d projects are taken", BLOCK_SIZE);
}

int project_take(struct engine *e, const char *owner, uint64_t bytes, struct storage_quota *ret, struct err *err) {
        struct db_project p = { .bytes = bytes };
        auto_fd fd = -EBADF;
        int r = check_kind(e, owner, &fd, err);

        if (r < 0)
                return r;
        snprintf(p.owner, sizeof(p.owner), "%s", owner);
        pthread_mutex_lock(&e->projects_lock);
        r = take_id(e, fd, &p, err);
        pthread_mutex_unlock(&e->projects_lock);
        if (r == 0)
                *ret = (struct storage_quota) { p.id, bytes };
        return r;
}

int project_find(struct engine *e, const char *owner, struct storage_quota *ret) {
        struct db_project p;
        int r = db_project_get(e->db, owner, &p, NULL);

        if (r == 0)
                *ret = (struct storage_quota) { p.id, p.bytes };
        return r;
}

/* Where quota was switched off meanwhile, the limit stays written there; is_unused() then passes that id over. */
void project_release(struct engine *e, const char *owner) {
        struct storage_quota q = {};
        auto_fd fd = -EBADF;
        struct err err;

        if (project_find(e, owner, &q) < 0)
                return;
        fd = open_kind(e, owner);
        if (fd >= 0)
                storage_quota_forget(fd, q.project);
        fault_point("size", "forgotten");
        if (db_project_delete(e->db, owner, &err) < 0)
                log_warning("%s", err.msg);
}

/* --- directories --- */

int project_assert_container(struct engine *e, const char *id, int container_fd, bool *ret_changed, struct err *err) {
        char owner[PROJECT_OWNER_SIZE];
        struct storage_quota q;

        project_of_container(id, owner);
        return project_find(e, owner, &q) < 0 ? 0 : storage_container_limit(container_fd, &q, ret_changed, err);
}

int project_assert_volume(struct engine *e, const char *name, int data_fd, bool *ret_changed, struct err *err) {
        char owner[PROJECT_OWNER_SIZE];
        struct storage_quota q;

        project_of_volume(name, owner);
        return project_find(e, owner, &q) < 0 ? 0 : storage_quota_set(data_fd, &q, ret_changed, err);
}

/* --- what a death left --- */

static bool has_owner(struct engine *e, const char *owner) {
        auto_container *c = NULL;
        struct db_volume v = {};
        bool there;

        if (!str_starts_with(owner, OF_VOLUMES))
                return table_find(&e->table, owner + strlen(OF_CONTAINERS), &c, NULL) == 0;
        there = db_volume_get(e->db, owner + strlen(OF_VOLUMES), &v, NULL) == 0;
        db_volume_done(&v);
        return there || volume_is_busy(e, owner + strlen(OF_VOLUMES));
}

struct owners {
        char (*v)[PROJECT_OWNER_SIZE];
        size_t n;
};

static int note_owner(const struct db_project *p, void *data) {
        struct owners *o = data;
        void *grown = reallocarray(o->v, o->n + 1, sizeof(*o->v));

        if (!grown)
                return -ENOMEM;
        o->v = grown;
        memcpy(o->v[o->n++], p->owner, PROJECT_OWNER_SIZE);
        return 0;
}

void projects_strays(struct engine *e, void (*fn)(const char *owner, void *data), void *data) {
        struct owners all = {};
        struct err err;

        if (db_projects_each(e->db, note_owner, &all, &err) < 0)
                log_warning("%s", err.msg);
        for (size_t i = 0; i < all.n; i++)
                if (!has_owner(e, all.v[i]))
                        fn(all.v[i], data);
        free(all.v);
}

/* The directory of a volume that did not come into being is taken up by the next one of that name: it may have no limit. */
static void unmark(struct engine *e, const char *owner) {
        auto_fd volumes = str_starts_with(owner, OF_VOLUMES) ? volumes_open(e) : -EBADF, dir = -EBADF, data = -EBADF;

        if (volumes < 0)
                return;
        dir = openat(volumes, owner + strlen(OF_VOLUMES), O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        data = dir < 0 ? -EBADF : openat(dir, "_data", O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (data >= 0)
                storage_quota_unmark(data);
}

static void drop(const char *owner, void *data) {
        log_info("removing the limit of size of %s, which is not there", owner);
        unmark(data, owner);
        project_release(data, owner);
}

void projects_recover(struct engine *e) {
        projects_strays(e, drop, e);
}
