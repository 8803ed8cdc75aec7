/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/volumes.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "engine/db.h"
#include "engine/describe.h"
#include "engine/events.h"
#include "engine/filters.h"
#include "engine/fields.h"
#include "engine/internal.h"
#include "engine/projects.h"
#include "engine/prune.h"
#include "engine/spec.h"
#include "storage/storage.h"

/* --- directories --- */

int volumes_open(struct engine *e) {
        if (mkdirat(e->root_fd, "volumes", 0701) < 0 && errno != EEXIST)
                return -errno;
        return openat(e->root_fd, "volumes", O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

/* ROOT/volumes/NAME/_data, made when missing. */
int volume_open_data(struct engine *e, const char *name, int *ret, struct err *err) {
        auto_fd volumes = volumes_open(e), dir = -EBADF;

        if (volumes < 0 || (mkdirat(volumes, name, 0701) < 0 && errno != EEXIST))
                return err_errno(err, -errno, "volume %s", name);
        dir = openat(volumes, name, O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (dir < 0 || (mkdirat(dir, "_data", 0755) < 0 && errno != EEXIST))
                return err_errno(err, -errno, "volume %s", name);
        *ret = openat(dir, "_data", O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        return *ret < 0 ? err_errno(err, -errno, "volume %s", name) : 0;
}

static json_t *mountpoint(struct engine *e, const char *name) {
        return json_sprintf("%s/volumes/%s/_data", e->root, name);
}

static json_t *describe(struct engine *e, const struct db_volume *v) {
        char created[TIME_RFC3339_SIZE];

        time_format_ns(v->created_ns, created);
        return json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:o}", "CreatedAt", created, "Driver", "local", "Name", v->name, "Mountpoint", mountpoint(e, v->name), "Labels",
                         v->labels ? json_loads(v->labels, 0, NULL) : json_null(), "Scope", "local", "Options", v->options ? json_loads(v->options, 0, NULL) : json_null());
}

int volume_limit(struct engine *e, const char *name, uint64_t bytes, int (*open)(struct engine *e, const char *name, int *ret, struct err *err), int *ret, struct err *err) {
        char owner[PROJECT_OWNER_SIZE];
        struct storage_quota q;
        auto_fd data = -EBADF;
        int r;

        project_of_volume(name, owner);
        r = project_take(e, owner, bytes, &q, err);
        if (r < 0)
                return r;
        fault_point("size", "volume");
        r = open(e, name, &data, err);
        if (r == 0 && !volume_is_empty(data))
                r = err_set(err, ERR_CONFLICT, -ENOTEMPTY, "volume %s: its directory is there already, with files that a limit of size would not count", name);
        if (r == 0)
                r = storage_quota_set(data, &q, NULL, err);
        if (r < 0) {
                if (data >= 0)
                        storage_quota_unmark(data);
                project_release(e, owner);
                return r;
        }
        *ret = move_fd(data);
        return 0;
}

static bool has_row(struct engine *e, const char *name) {
        struct db_volume v = {};
        bool there = db_volume_get(e->db, name, &v, NULL) == 0;

        db_volume_done(&v);
        return there;
}

/* The directory first: one without a row is taken up by the next volume of that name. volumes_lock is held. */
static int make_locked(struct engine *e, const char *name, const json_t *labels, const json_t *options, bool anonymous, struct err *err) {
        auto_free char *text = json_is_object(labels) ? json_text(labels) : NULL, *options_text = json_is_object(options) ? json_text(options) : NULL;
        struct db_volume v = { .created_ns = time_now_ns(), .anonymous = anonymous, .labels = text, .options = options_text };
        uint64_t size = volume_options_size(options);
        auto_fd data = -EBADF;
        bool made = false;
        int r = size && !has_row(e, name) ? volume_limit(e, name, size, volume_open_data, &data, err) : volume_open_data(e, name, &data, err);

        if (r < 0)
                return r;
        snprintf(v.name, sizeof(v.name), "%s", name);
        r = db_volume_insert(e->db, &v, &made, err);
        if (r == 0 && made)
                events_publish(e->events, "volume", "create", name, json_pack("{s:s}", "driver", "local"));
        return r;
}

/* --- containers --- */

int volumes_name(json_t *body, const struct spec *s, struct err *err) {
        for (size_t i = 0; i < s->n_mounts; i++) {
                const struct spec_mount *m = &s->mounts[i];
                json_t *names = json_object_get(body, VOLUMES_ANONYMOUS);
                char name[65];

                if (m->type != SPEC_MOUNT_VOLUME || *m->source)
                        continue;
                if (str_random_hex(name, 32) < 0)
                        return err_errno(err, -EIO, "volume");
                if (!names)
                        json_object_set_new(body, VOLUMES_ANONYMOUS, names = json_object());
                json_object_set_new(names, m->target, json_string(name));
        }
        return 0;
}

int volumes_make(struct engine *e, const struct spec *s, struct err *err) {
        for (size_t i = 0; i < s->n_mounts; i++) {
                const struct spec_mount *m = &s->mounts[i];
                int r;

                if (m->type != SPEC_MOUNT_VOLUME)
                        continue;
                r = make_locked(e, m->source, m->labels, m->driver_options, m->anonymous, err);
                if (r == 0)
                        r = volume_check_use(e, m->source, m, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int volume_ensure(struct engine *e, const struct spec_mount *m, struct err *err) {
        int r;

        pthread_mutex_lock(&e->volumes_lock);
        r = make_locked(e, m->source, m->labels, m->driver_options, m->anonymous, err);
        pthread_mutex_unlock(&e->volumes_lock);
        return r;
}

struct user {
        const char *except;
        char *id;
};

static int note_user(struct container *c, const struct spec_mount *m, void *data) {
        struct user *u = data;

        if (u->except && !strcmp(c->row.id, u->except))
                return 0;
        memcpy(u->id, c->row.id, CONTAINER_ID_SIZE);
        return 1;
}

/* The id of a container that has it, other than `except` (may be NULL); false: none. */
static bool find_user(struct engine *e, const char *name, const char *except, char ret[CONTAINER_ID_SIZE]) {
        ret[0] = '\0';
        return volume_users_each(e, name, note_user, &(struct user) { except, ret }) != 0;
}

#define REMOVED_PREFIX ".removed-" /* no name of a volume begins so */

/* Out of the way, then the row, then the files: volumes_recover() ends what a death cuts short. volumes_lock is held. */
static int remove_locked(struct engine *e, const char *name, struct err *err) {
        auto_free char *aside = str_format(REMOVED_PREFIX "%s", name);
        auto_fd volumes = volumes_open(e);
        char owner[PROJECT_OWNER_SIZE];
        int r;

        if (volumes < 0 || !aside)
                return err_errno(err, volumes < 0 ? volumes : -ENOMEM, "removing volume %s", name);
        if (volume_is_busy(e, name))
                return volume_busy_error(name, err);
        path_remove_tree_at(volumes, aside);
        if (renameat(volumes, name, volumes, aside) < 0 && errno != ENOENT)
                return err_errno(err, -errno, "removing volume %s", name);
        fault_point("volume", "aside");
        r = db_volume_delete(e->db, name, err);
        if (r < 0) {
                renameat(volumes, aside, volumes, name);
                return r;
        }
        fault_point("volume", "row");
        volume_forget_mount(e, name);
        r = path_remove_tree_at(volumes, aside);
        if (r < 0 && r != -ENOENT)
                return err_errno(err, r, "removing volume %s", name);
        project_of_volume(name, owner);
        project_release(e, owner);
        events_publish(e->events, "volume", "destroy", name, json_pack("{s:s}", "driver", "local"));
        return 0;
}

void volumes_recover(struct engine *e) {
        auto_fd volumes = volumes_open(e);
        int copy = volumes >= 0 ? openat(volumes, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC) : -1;
        DIR *d = copy >= 0 ? fdopendir(copy) : NULL;

        if (!d) {
                fd_close(copy);
                return;
        }
        for (struct dirent *entry; (entry = readdir(d));) {
                const char *name = entry->d_name + strlen(REMOVED_PREFIX);
                struct db_volume v = {};

                if (volume_stage_recover(e, volumes, entry->d_name) || !str_starts_with(entry->d_name, REMOVED_PREFIX))
                        continue;
                /* With its row it is still there: nobody was told that it is gone. */
                if (db_volume_get(e->db, name, &v, NULL) == 0)
                        renameat(volumes, entry->d_name, volumes, name);
                else
                        path_remove_tree_at(volumes, entry->d_name);
                db_volume_done(&v);
        }
        closedir(d);
}

void volumes_remove_anonymous(struct engine *e, const char *id, const json_t *body) {
        char user[CONTAINER_ID_SIZE];
        const char *target;
        json_t *name;
        struct err err;

        json_object_foreach(json_object_get(body, VOLUMES_ANONYMOUS), target, name) {
                pthread_mutex_lock(&e->volumes_lock);
                if (!find_user(e, json_string_value(name), id, user) && remove_locked(e, json_string_value(name), &err) < 0)
                        log_warning("%s", err.msg);
                pthread_mutex_unlock(&e->volumes_lock);
        }
}

void volumes_undo(struct engine *e, const json_t *body) {
        const char *target;
        json_t *name;

        json_object_foreach(json_object_get(body, VOLUMES_ANONYMOUS), target, name)
                remove_locked(e, json_string_value(name), NULL);
}

/* --- what the API asks for --- */

int volume_labels_check(const json_t *labels, struct err *err) {
        const char *key;
        json_t *v;

        json_object_foreach((json_t *) labels, key, v)
                if (!json_is_string(v))
                        return err_set(err, ERR_INVALID, -EINVAL, "Labels: the value of \"%s\" is not a string", key);
        return 0;
}

int engine_volume_create(struct engine *e, const json_t *body, json_t **ret, struct err *err) {
        const char *name = json_get_str(body, "Name", ""), *driver = json_get_str(body, "Driver", "");
        json_t *labels = json_get_object(body, "Labels"), *options = json_get_object(body, "DriverOpts");
        char made_up[65];
        int r = fields_check_volume(body, err);

        if (r < 0)
                return r;
        if (*driver && strcmp(driver, "local") != 0)
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "volume driver \"%s\" is not supported by this version; local is", driver);
        if (json_object_size(json_get_object(body, "ClusterVolumeSpec")))
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "ClusterVolumeSpec: volumes of a cluster need a swarm");
        if ((r = volume_options_check(options, err)) < 0)
                return r;
        if ((r = volume_labels_check(labels, err)) < 0)
                return r;
        if (*name && spec_check_volume_name(name, err) < 0)
                return err_prefix(err, "create %s", name);
        if (!*name && (r = str_random_hex(made_up, 32)) < 0)
                return err_errno(err, r, "volume");
        pthread_mutex_lock(&e->volumes_lock);
        r = make_locked(e, *name ? name : made_up, labels, options, !*name, err);
        pthread_mutex_unlock(&e->volumes_lock);
        return r < 0 ? r : engine_volume_inspect(e, *name ? name : made_up, ret, err);
}

int engine_volume_inspect(struct engine *e, const char *name, json_t **ret, struct err *err) {
        struct db_volume v;
        int r = db_volume_get(e->db, name, &v, err);

        if (r < 0)
                return r;
        *ret = describe(e, &v);
        db_volume_done(&v);
        return *ret ? 0 : err_errno(err, -ENOMEM, "volume %s", name);
}

static bool has_part(const json_t *filters, const char *key, const char *text) {
        const char *value;

        for (size_t i = 0; (value = filter_value(filters, key, i)); i++)
                if (strstr(text, value))
                        return true;
        return !filter_has(filters, key);
}

static bool passes(struct engine *e, const struct db_volume *v, const json_t *filters) {
        auto_json *labels = v->labels ? json_loads(v->labels, 0, NULL) : NULL;
        char user[CONTAINER_ID_SIZE];
        bool dangling;

        if (!has_part(filters, "name", v->name) || !filter_text(filters, "driver", "local") || !filter_labels(filters, "label", labels))
                return false;
        if (!filter_has(filters, "dangling"))
                return true;
        dangling = !find_user(e, v->name, NULL, user);
        return filter_text(filters, "dangling", dangling ? "true" : "false") || filter_text(filters, "dangling", dangling ? "1" : "0");
}

struct listing {
        struct db_volume *v;
        size_t n;
};

static int collect(struct db_volume *v, void *data) {
        struct listing *l = data;
        struct db_volume *grown = reallocarray(l->v, l->n + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        l->v = grown;
        l->v[l->n++] = *v;
        v->labels = v->options = NULL;
        return 0;
}

static void listing_done(struct listing *l) {
        for (size_t i = 0; i < l->n; i++)
                db_volume_done(&l->v[i]);
        free(l->v);
}

int engine_volume_list(struct engine *e, const json_t *filters, json_t **ret, struct err *err) {
        static const char *const known[] = { "name", "driver", "label", "label!", "dangling", NULL };
        __attribute__((cleanup(listing_done))) struct listing all = {};
        json_t *list;
        int r;

        if ((r = filters_check(filters, known, err)) < 0 || (r = db_volumes_each(e->db, collect, &all, err)) < 0)
                return r;
        list = json_array();
        for (size_t i = 0; i < all.n; i++)
                if (passes(e, &all.v[i], filters))
                        json_array_append_new(list, describe(e, &all.v[i]));
        *ret = json_pack("{s:o, s:n}", "Volumes", list, "Warnings");
        return 0;
}

int engine_volume_remove(struct engine *e, const char *name, bool force, struct err *err) {
        char user[CONTAINER_ID_SIZE];
        struct db_volume v;
        int r;

        pthread_mutex_lock(&e->volumes_lock);
        r = db_volume_get(e->db, name, &v, err);
        if (r == 0) {
                db_volume_done(&v);
                if (find_user(e, name, NULL, user))
                        r = err_set(err, ERR_CONFLICT, -EBUSY, "remove %s: volume is in use - [%s]", name, user);
                else
                        r = remove_locked(e, name, err);
        } else if (force && r == -ENOENT)
                r = 0;
        pthread_mutex_unlock(&e->volumes_lock);
        return r;
}

int engine_volume_prune(struct engine *e, bool named_too, const json_t *filters, json_t **ret, struct err *err) {
        static const char *const known[] = { "label", "label!", "all", NULL };
        __attribute__((cleanup(listing_done))) struct listing all = {};
        json_t *deleted;
        json_int_t reclaimed = 0;
        int r;

        if ((r = filters_check(filters, known, err)) < 0 || (r = db_volumes_each(e->db, collect, &all, err)) < 0)
                return r;
        named_too |= filter_has(filters, "all") && (filter_text(filters, "all", "true") || filter_text(filters, "all", "1"));
        deleted = json_array();
        for (size_t i = 0; i < all.n; i++) {
                const struct db_volume *v = &all.v[i];
                auto_json *labels = v->labels ? json_loads(v->labels, 0, NULL) : NULL;
                char user[CONTAINER_ID_SIZE];
                uint64_t size;

                if ((!v->anonymous && !named_too) || !filter_labels(filters, "label", labels))
                        continue;
                pthread_mutex_lock(&e->volumes_lock);
                size = volume_size(e, v->name);
                if (!find_user(e, v->name, NULL, user) && remove_locked(e, v->name, NULL) == 0) {
                        json_array_append_new(deleted, json_string(v->name));
                        reclaimed += (json_int_t) size;
                }
                pthread_mutex_unlock(&e->volumes_lock);
        }
        prune_event(e, "volume", reclaimed);
        *ret = json_pack("{s:o, s:I}", "VolumesDeleted", deleted, "SpaceReclaimed", reclaimed);
        return 0;
}

uint64_t volume_size(struct engine *e, const char *name) {
        auto_fd data = -EBADF;
        uint64_t size = 0;

        if (volume_open_data(e, name, &data, NULL) == 0)
                storage_tree_size(data, &size);
        return size;
}
