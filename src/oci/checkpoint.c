/* SPDX-License-Identifier: Apache-2.0 */

/* `checkpoint`: all processes of a container into a directory of images, by criu(8). */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "oci/container.h"
#include "oci/criu.h"
#include "oci/oci.h"
#include "runtime/cgroup/cgroup.h"

#define DEFAULT_IMAGES "checkpoint"

int checkpoint_work_dir(const struct options *o, const struct container *c, int *ret_fd, struct err *err) {
        int fd;

        if (!o->work_path && mkdirat(c->dir_fd, "criu", 0700) < 0 && errno != EEXIST)
                return err_errno(err, -errno, "container %s: criu", c->id);
        if (o->work_path && mkdir(o->work_path, 0700) < 0 && errno != EEXIST)
                return err_errno(err, -errno, "--work-path %s", o->work_path);
        fd = o->work_path ? open(o->work_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : openat(c->dir_fd, "criu", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return err_errno(err, -errno, "--work-path %s", o->work_path ?: "criu");
        *ret_fd = fd;
        return 0;
}

void checkpoint_work_done(const struct options *o, const struct container *c) {
        if (!o->work_path)
                path_remove_tree_at(c->dir_fd, "criu");
}

/* All at once, and so that one that was paused before stays so. */
static int add_freezer(struct criu *criu, struct container *c, struct err *err) {
        const char *cgroup = container_cgroup_path(c);
        const struct cgroup_host *h = NULL;
        auto_free char *path = NULL;
        int r;

        if (!*cgroup)
                return 0;
        r = container_cgroups(c, &h, err);
        if (r == 0)
                r = cgroup_freezer_path(h, cgroup, &path, err);
        if (r == -EOPNOTSUPP)
                return 0;
        if (r == 0)
                criu_add(criu, "--freeze-cgroup=%s", path);
        return r;
}

/* With a table of its own, so that no iptables is needed. In the host's namespace that would stay; and there is nothing to lock. */
static void add_network(struct criu *criu, const json_t *config, struct image_note *note) {
        if (!criu_has_network(config))
                return;
        criu_add(criu, "--network-lock=nftables");
        snprintf(note->lock, sizeof(note->lock), "CRIU-%d", (int) criu->tree);
}

static int add_parent(struct criu *criu, const struct options *o, struct err *err) {
        if (!o->parent_path)
                return 0;
        criu_add(criu, "--prev-images-dir=%s", o->parent_path);
        return images_check_parent(criu->images_fd, o->parent_path, err);
}

/* Connections that are to be taken up again must not be told meanwhile that nobody is there. Without any, a network of others is not to stay locked. */
static int unlock_shared(const struct options *o, const json_t *config, const char *lock, struct err *err) {
        const char *path = criu_shared_network(config);
        int r = path && !o->tcp_established ? criu_unlock(path, lock) : 0;

        return r < 0 ? err_errno(err, r, "the network that the container was in stays locked") : 0;
}

static int dump(const struct options *o, struct container *c, const json_t *config, int images_fd, int work_fd, struct err *err) {
        auto_criu criu = { CRIU_NONE, .request = o->pre_dump ? CRIU_PRE_DUMP : CRIU_DUMP };
        __attribute__((cleanup(images_note_done))) struct image_note note = { 0 };
        char what[CONTAINER_ID_MAX + 32];
        int r;

        criu.images_fd = images_fd;
        criu.work_fd = work_fd;
        criu.tree = (pid_t) json_get_int(c->state, "pid", 0);
        criu.terminal = json_get_bool(json_object_get(config, "process"), "terminal", false);
        r = images_find_note(criu.tree, config, &note, err);
        if (r < 0)
                return r;
        criu_add_options(&criu, o);
        if (!o->pre_dump)
                add_network(&criu, config, &note);
        if (o->leave_running)
                criu_add(&criu, "--leave-running");
        /* From now on the kernel notes which pages change. */
        if (o->pre_dump || o->parent_path)
                criu_add(&criu, "--track-mem");
        for (int i = 0; i < 3; i++)
                if (strncmp(note.key[i], "file[", 5) == 0) {
                        criu_add(&criu, "--external");
                        criu_add(&criu, "%s", note.key[i]);
                }
        r = add_parent(&criu, o, err);
        if (r == 0)
                r = add_freezer(&criu, c, err);
        if (r == 0)
                r = criu_add_namespaces(&criu, config, err);
        if (r == 0)
                r = criu_add_mounts(&criu, config, note.masked_files, false, err);
        if (r == 0 && !o->pre_dump)
                r = images_save_note(images_fd, &note, err);
        snprintf(what, sizeof(what), "%s container %s", o->pre_dump ? "pre-dump" : "checkpoint", c->id);
        if (r == 0)
                r = criu_run(&criu, o, what, err);
        return r < 0 || o->pre_dump || o->leave_running ? r : unlock_shared(o, config, note.lock, err);
}

int command_checkpoint(const struct options *o, char **args, int n_args, struct err *err) {
        auto_container c = CONTAINER_NONE;
        auto_json *config = NULL;
        auto_fd images = -EBADF, work = -EBADF;
        const char *path = o->image_path ?: DEFAULT_IMAGES;
        enum container_status status = STATUS_STOPPED;
        struct stat st;
        bool made = stat(path, &st) < 0;
        int r = container_open(o, args[0], true, &c, err);

        if (r == 0)
                r = container_status(&c, &status, err);
        if (r == 0)
                r = container_config(&c, &config, err);
        if (r == 0)
                r = criu_check_options(o, false, err);
        if (r < 0)
                return r;
        if (status != STATUS_RUNNING && status != STATUS_PAUSED)
                return err_set(err, ERR_CONFLICT, -EBUSY, "cannot checkpoint a %s container: %s", container_status_name(status), c.id);
        r = images_open(path, true, &images, err);
        if (r == 0)
                r = checkpoint_work_dir(o, &c, &work, err);
        if (r == 0)
                r = dump(o, &c, config, images, work, err);
        checkpoint_work_done(o, &c);
        /* Half a checkpoint is none. What others had put there before stays. */
        if (r < 0 && made && images >= 0) {
                path_remove_children(images);
                rmdir(path);
        }
        if (r < 0 || o->leave_running || o->pre_dump)
                return r;
        return container_destroy(o, &c, err);
}
