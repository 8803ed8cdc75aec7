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

static bool has_own_network(const json_t *config) {
        size_t i;
        json_t *v;

        json_array_foreach(json_get_array(json_object_get(config, "linux"), "namespaces"), i, v)
                if (strcmp(json_get_str(v, "type", ""), "network") == 0)
                        return true;
        return false;
}

static int dump(const struct options *o, const struct container *c, const json_t *config, int images_fd, int work_fd, struct err *err) {
        auto_criu criu = { .images_fd = images_fd, .work_fd = work_fd };
        __attribute__((cleanup(images_note_done))) struct image_note note = { 0 };
        char what[CONTAINER_ID_MAX + 32];
        pid_t pid = (pid_t) json_get_int(c->state, "pid", 0);
        int r = images_find_note(pid, config, &note, err);

        if (r < 0)
                return r;
        criu_add(&criu, "dump");
        criu_add(&criu, "--tree=%d", (int) pid);
        criu_add(&criu, "--images-dir=/proc/self/fd/%d", images_fd);
        criu_add(&criu, "--work-dir=/proc/self/fd/%d", work_fd);
        /* With a table of its own, so that no iptables is needed. In the host's namespace that would stay; and there is nothing to lock. */
        if (has_own_network(config))
                criu_add(&criu, "--network-lock=nftables");
        if (o->leave_running)
                criu_add(&criu, "--leave-running");
        criu_add_options(&criu, o);
        for (int i = 0; i < 3; i++)
                if (strncmp(note.key[i], "file[", 5) == 0) {
                        criu_add(&criu, "--external");
                        criu_add(&criu, "%s", note.key[i]);
                }
        r = criu_add_mounts(&criu, config, note.masked_files, false, err);
        if (r == 0)
                r = images_save_note(images_fd, &note, err);
        snprintf(what, sizeof(what), "checkpoint container %s", c->id);
        return r < 0 ? r : criu_run(&criu, o, what, err);
}

int command_checkpoint(const struct options *o, char **args, int n_args, struct err *err) {
        auto_container c = CONTAINER_NONE;
        auto_json *config = NULL;
        auto_fd images = -EBADF, work = -EBADF;
        const char *path = o->image_path ?: DEFAULT_IMAGES;
        enum container_status status;
        struct stat st;
        bool made = stat(path, &st) < 0;
        int r = container_open(o, args[0], true, &c, err);

        if (r == 0)
                r = container_status(&c, &status, err);
        if (r == 0)
                r = container_config(&c, &config, err);
        if (r == 0)
                r = criu_check_options(o, config, err);
        if (r < 0)
                return r;
        if (status != STATUS_RUNNING)
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
        if (r < 0 || o->leave_running)
                return r;
        return container_destroy(o, &c, err);
}
