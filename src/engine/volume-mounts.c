/* SPDX-License-Identifier: Apache-2.0 */
/* At start: volumes and images become what the planner takes as the source of a bind mount, a path or a detached mount by its fd. */

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/path.h"
#include "base/str.h"
#include "engine/db.h"
#include "engine/events.h"
#include "engine/internal.h"
#include "engine/projects.h"
#include "engine/sensitive.h"
#include "engine/spec.h"
#include "engine/volumes.h"
#include "storage/storage.h"

/* File systems in memory that more than one container may have: never mapped and never attached, only their clones are. */
struct volume_mounts {
        pthread_mutex_t lock;
        struct held {
                char name[256];
                int fd;
        } *v;
        size_t n;
};

struct volume_mounts *volume_mounts_new(void) {
        struct volume_mounts *m = calloc(1, sizeof(*m));

        if (m)
                pthread_mutex_init(&m->lock, NULL);
        return m;
}

void volume_mounts_free(struct volume_mounts *m) {
        if (!m)
                return;
        for (size_t i = 0; i < m->n; i++)
                fd_close(m->v[i].fd);
        pthread_mutex_destroy(&m->lock);
        free(m->v);
        free(m);
}

/* Its fd, which is then no longer held here; −EBADF. m->lock is held. */
static int take(struct volume_mounts *m, const char *name) {
        for (size_t i = 0; i < m->n; i++)
                if (!strcmp(m->v[i].name, name)) {
                        int fd = m->v[i].fd;

                        m->v[i] = m->v[--m->n];
                        return fd;
                }
        return -EBADF;
}

static int hold(struct volume_mounts *m, const char *name, int fd) {
        struct held *grown = reallocarray(m->v, m->n + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        m->v = grown;
        snprintf(m->v[m->n].name, sizeof(m->v[m->n].name), "%s", name);
        m->v[m->n++].fd = fd;
        return 0;
}

void volume_forget_mount(struct engine *e, const char *name) {
        pthread_mutex_lock(&e->volume_mounts->lock);
        fd_close(take(e->volume_mounts, name));
        pthread_mutex_unlock(&e->volume_mounts->lock);
}

static int is_live(struct container *c, const struct spec_mount *m, void *data) {
        struct container_row row;

        container_peek(c, &row);
        return container_state_is_live(row.state) && strcmp(row.id, data) != 0;
}

/* Does another container that may run have it? */
static bool is_in_use(struct engine *e, const char *name, const char *but) {
        return volume_users_each(e, name, is_live, (void *) but) != 0;
}

/* Whoever comes first makes it; whoever comes while another has it gets the same files. Before Linux 6.15 a detached mount cannot be cloned: then the
 * first gets it itself, and nobody else while it is in use. */
static int shared_mount(struct engine *e, const char *name, const json_t *options, const char *container_id, int *ret, struct err *err) {
        struct volume_mounts *m = e->volume_mounts;
        bool in_use = is_in_use(e, name, container_id);
        int r = 0, clone, fd;

        pthread_mutex_lock(&m->lock);
        fd = take(m, name);
        if (fd >= 0 && !in_use)
                fd = fd_close(fd); /* all who had it are gone, and so are the files */
        if (fd < 0)
                r = volume_options_mount(name, options, -1, &fd, err);
        if (r == 0) {
                clone = open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
                if (clone >= 0 && hold(m, name, fd) == 0) {
                        *ret = clone;
                } else if (clone < 0 && !in_use) {
                        *ret = fd;
                } else {
                        r = err_set(err, ERR_UNSUPPORTED, -EBUSY, "volume %s: a file system in memory in two containers at once needs Linux 6.15", name);
                        fd_close(clone);
                        fd_close(fd);
                }
        }
        pthread_mutex_unlock(&m->lock);
        return r;
}

bool volume_is_empty(int fd) {
        int copy = openat(fd, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
        size_t n = 0;

        if (!d) {
                fd_close(copy);
                return false;
        }
        for (struct dirent *entry; n < 3 && (entry = readdir(d));)
                n++;
        closedir(d);
        return n == 2;
}

/* One that is empty gets what the image has in its place. */
static int fill(const struct spec_mount *m, int data_fd, int rootfs_fd, uint32_t first_id, struct err *err) {
        auto_fd image = m->no_copy || m->subpath || !volume_is_empty(data_fd) ? -EBADF : path_open_in(rootfs_fd, m->target, O_DIRECTORY | O_RDONLY, 0);
        auto_fd data = image >= 0 ? openat(data_fd, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC) : -EBADF;
        int r = 0;

        if (data >= 0 && (r = volume_copy_tree(image, data, first_id, -1, NULL, err)) < 0)
                path_remove_children(data); /* the next start tries again */
        return r;
}

/* The sub-path is resolved once, inside of what it is a part of; from there on it is an fd that no symlink can lead elsewhere. Takes *fd. */
static int add_source(struct spec *s, struct spec_mount *m, int *fd, const char *name, struct err *err) {
        auto_fd top = move_fd(*fd), part = -EBADF;
        int clone;

        if (!m->subpath)
                return spec_add_source(s, move_fd(top), &m->source, err);
        part = path_open_in(top, m->subpath, O_PATH, 0);
        if (part < 0)
                return err_set(err, ERR_INVALID, part, "cannot access the sub-path %s of %s: %s", m->subpath, name, strerror(-part));
        clone = open_tree(part, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
        if (clone < 0)
                return err_set(err, ERR_UNSUPPORTED, -errno, "the sub-path %s of %s: %s%s", m->subpath, name, strerror(errno),
                               errno == EINVAL ? " (of an image, or of a volume with a file system of its own: Linux 6.15)" : "");
        return spec_add_source(s, clone, &m->source, err);
}

/* A file system or a part of the host, by the volume's options. */
static int mount_by_options(struct engine *e, const struct spec *s, const struct spec_mount *m, const json_t *options, int *ret, struct err *err) {
        auto_fd source = -EBADF, fd = -EBADF;
        bool missing;
        int r = sensitive_open(e, s, m, &source, &missing, err);

        if (r == 0 && missing)
                r = err_set(err, ERR_INVALID, -ENOENT, "volume %s: failed to mount local volume: mount %s: %s", m->source, json_get_str(options, "device", ""), strerror(ENOENT));
        if (r == 0)
                r = volume_options_mount(m->source, options, source, &fd, err);
        if (r == 0 && source < 0)
                r = sensitive_check_mount(e, s, m, fd, err);
        if (r == 0)
                *ret = move_fd(fd);
        return r;
}

static int mount_volume(struct engine *e, struct spec *s, struct spec_mount *m, const char *container_id, int rootfs_fd, uint32_t first_id, struct err *err) {
        auto_free char *name = strdup(m->source), *path = NULL;
        auto_json *options = NULL;
        struct db_volume v = {};
        auto_fd data = -EBADF;
        int r;

        if (!name)
                return err_errno(err, -ENOMEM, "volume %s", m->source);
        if ((r = volume_ensure(e, m, err)) < 0 || (r = volume_check_use(e, name, m, err)) < 0 || (r = volume_open_data(e, name, &data, err)) < 0)
                return r;
        if (db_volume_get(e->db, name, &v, NULL) == 0 && v.options)
                options = json_loads(v.options, 0, NULL);
        db_volume_done(&v);
        m->no_copy |= json_object_get(options, VOLUME_SNAPSHOT_OF) != NULL;
        if (volume_options_is_mount(options)) {
                data = fd_close(data);
                r = volume_options_is_memory(options) ? shared_mount(e, name, options, container_id, &data, err) : mount_by_options(e, s, m, options, &data, err);
        }
        else if (volume_options_size(options))
                r = project_assert_volume(e, name, data, NULL, err);
        if (r == 0)
                r = fill(m, data, rootfs_fd, first_id, err);
        if (r < 0)
                return r;
        events_publish(e->events, "volume", "mount", name,
                       json_pack("{s:s, s:s, s:s, s:s, s:s}", "container", container_id, "destination", m->target, "driver", "local", "propagation", m->propagation, "read/write",
                                 m->read_only ? "false" : "true"));
        if (volume_options_is_mount(options) || m->subpath)
                return add_source(s, m, &data, name, err);
        path = str_format("%s/volumes/%s/_data", e->root, name);
        if (!path)
                return err_errno(err, -ENOMEM, "volume %s", name);
        free(m->source);
        m->source = take_ptr(&path);
        return 0;
}

static int mount_image(struct engine *e, struct spec *s, struct spec_mount *m, const char *container_id, int userns_fd, uint32_t first_id, struct err *err) {
        struct storage_rootfs of = { .container_id = container_id, .userns_fd = userns_fd, .first_id = first_id, .read_only = true, .without_changes = true };
        auto_free char *name = strdup(m->source);
        struct image *image = NULL;
        auto_fd fd = -EBADF;
        int r = name ? image_get(e->images, json_get_str(json_object_get(s->body, VOLUMES_IMAGES), m->target, name), &image, err) : err_errno(err, -ENOMEM, "image %s", m->source);

        if (r < 0)
                return r;
        of.diff_ids = (const char *const *) image->diff_ids;
        of.n_diff_ids = image->n_diff_ids;
        r = storage_rootfs_mount(e->storage, &of, &fd, err);
        image_free(image);
        if (r < 0)
                return r;
        m->is_mapped = true;
        return add_source(s, m, &fd, name, err);
}

int volumes_mount(struct engine *e, struct spec *s, const char *container_id, int rootfs_fd, int userns_fd, uint32_t first_id, struct err *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < s->n_mounts; i++) {
                if (s->mounts[i].type == SPEC_MOUNT_VOLUME)
                        r = mount_volume(e, s, &s->mounts[i], container_id, rootfs_fd, first_id, err);
                else if (s->mounts[i].type == SPEC_MOUNT_IMAGE)
                        r = mount_image(e, s, &s->mounts[i], container_id, userns_fd, first_id, err);
        }
        return r;
}

void volumes_unmounted(struct engine *e, const char *container_id) {
        auto_json *body = NULL;
        auto_spec s = {};

        if (db_spec(e->db, container_id, &body, NULL) < 0 || spec_parse(body, &s, NULL) < 0)
                return;
        for (size_t i = 0; i < s.n_mounts; i++)
                if (s.mounts[i].type == SPEC_MOUNT_VOLUME)
                        events_publish(e->events, "volume", "unmount", s.mounts[i].source, json_pack("{s:s, s:s}", "container", container_id, "driver", "local"));
}
