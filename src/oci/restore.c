/* SPDX-License-Identifier: Apache-2.0 */

/* `restore`: a container whose processes come from a directory of images, by criu(8). Its cgroup, with the limits of the config, is made here; its
 * namespaces and mounts are made by criu as they were. */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "oci/config.h"
#include "oci/criu.h"
#include "oci/hooks.h"
#include "oci/launch.h"
#include "oci/oci.h"
#include "runtime/cgroup/cgroup.h"

#define DEFAULT_IMAGES "checkpoint"

struct restoring {
        const struct options *options;
        struct bundle bundle;
        struct container container;
        char *cgroup_path, *rootfs;
        int images_fd, work_fd;
        bool has_cgroup, terminal;
        struct exec_process process;
};

static void restoring_done(struct restoring *m) {
        bundle_done(&m->bundle);
        container_done(&m->container);
        free(m->cgroup_path);
        free(m->rootfs);
        fd_close(m->images_fd);
        fd_close(m->work_fd);
        fd_close(m->process.pidfd);
        fd_close(m->process.pty);
}

/* Those would prepare namespaces that criu makes by itself. */
static int check_hooks(const json_t *config, struct err *err) {
        static const char *const early[] = { "prestart", "createRuntime", "createContainer", "startContainer" };
        const json_t *hooks = json_object_get(config, "hooks");

        for (size_t i = 0; i < ARRAY_SIZE(early); i++)
                if (json_array_size(json_object_get(hooks, early[i])) > 0)
                        return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "hooks.%s: a container with such hooks cannot be restored", early[i]);
        return 0;
}

static int prepare(struct restoring *m, const char *id, struct err *err) {
        const struct options *o = m->options;
        const char *root;
        int r = container_id_check(id, err);

        if (r == 0)
                r = bundle_load(o->bundle, &m->bundle, err);
        if (r == 0)
                r = criu_check_options(o, true, err);
        if (r == 0)
                r = check_hooks(m->bundle.config, err);
        if (r < 0)
                return r;
        m->terminal = json_get_bool(json_object_get(m->bundle.config, "process"), "terminal", false);
        r = launch_check_terminal(o, m->terminal, o->detach, err);
        if (r < 0)
                return r;
        root = json_get_str(json_object_get(m->bundle.config, "root"), "path", NULL);
        if (!root)
                return err_set(err, ERR_INVALID, -EINVAL, "root.path: missing");
        m->rootfs = *root == '/' ? strdup(root) : str_format("%s/%s", m->bundle.path, root);
        if (!m->rootfs)
                return err_errno(err, -ENOMEM, "root.path");
        if (faccessat(AT_FDCWD, m->rootfs, F_OK, 0) < 0)
                return err_errno(err, -errno, "root.path: %s", m->rootfs);
        r = config_cgroup_path(m->bundle.config, id, &m->cgroup_path, err);
        return r < 0 ? r : images_open(o->image_path ?: DEFAULT_IMAGES, false, &m->images_fd, err);
}

/* What the first process had from outside: the same of ours. */
static void add_stdio(struct criu *criu, const struct image_note *note) {
        for (int i = 0; i < 3; i++) {
                bool again = false;

                for (int k = 0; k < i; k++)
                        again = again || strcmp(note->key[i], note->key[k]) == 0;
                if (!*note->key[i] || again)
                        continue;
                criu_add(criu, "--inherit-fd");
                criu_add(criu, "fd[%d]:%s", CRIU_STDIO + i, note->key[i]);
        }
}

/* In all modes but these criu moves the processes by itself. */
static bool enters_cgroup(const struct options *o) {
        return o->manage_cgroups && (strcmp(o->manage_cgroups, "ignore") == 0 || strcmp(o->manage_cgroups, "none") == 0);
}

static int run_criu(struct restoring *m, struct err *err) {
        auto_criu criu = { CRIU_NONE, .request = CRIU_RESTORE, .root = m->rootfs, .terminal = m->terminal };
        __attribute__((cleanup(images_note_done))) struct image_note note = { 0 };
        struct exec_fds cgroup = { .cgroup_v2 = -EBADF };
        char what[CONTAINER_ID_MAX + 32];
        int r = images_load_note(m->images_fd, m->bundle.config, &note, err);

        if (r < 0)
                return r;
        criu.images_fd = m->images_fd;
        criu.work_fd = m->work_fd;
        criu.lock = *note.lock ? note.lock : NULL;
        criu_add_options(&criu, m->options);
        /* A child of ours, not of criu's: we wait for it. */
        criu_add(&criu, "--restore-detached");
        criu_add(&criu, "--restore-sibling");
        criu_add(&criu, "--root=%s", m->rootfs);
        criu_add(&criu, "--cgroup-root=/%s", m->cgroup_path);
        add_stdio(&criu, &note);
        r = criu_add_namespaces(&criu, m->bundle.config, err);
        if (r == 0)
                r = criu_add_mounts(&criu, m->bundle.config, note.masked_files, true, err);
        if (r == 0 && enters_cgroup(m->options))
                r = cgroup_open(m->container.cgroups, m->cgroup_path, criu.cgroup = &cgroup, err);
        snprintf(what, sizeof(what), "restore container %s", m->container.id);
        if (r == 0)
                r = criu_run(&criu, m->options, what, err);
        cgroup_close(&cgroup);
        m->process.pid = criu.pid;
        m->process.pty = move_fd(criu.pty);
        if (r == 0 && m->process.pid <= 0)
                return err_set(err, ERR_INTERNAL, -EIO, "cannot %s: criu does not say which process it is", what);
        if (r == 0 && m->terminal && m->process.pty < 0)
                return err_set(err, ERR_INTERNAL, -EIO, "cannot %s: criu has made no terminal", what);
        return r;
}

static int record(struct restoring *m, struct err *err) {
        struct container *c = &m->container;
        const json_t *config = m->bundle.config;
        char now[TIME_RFC3339_SIZE];
        uint64_t start = 0;
        int r = process_start_time(m->process.pid, &start);

        if (r < 0)
                return err_errno(err, r, "container %s: its restored process", c->id);
        m->process.pidfd = (int) syscall(SYS_pidfd_open, m->process.pid, 0);
        if (m->process.pidfd < 0)
                return err_errno(err, -errno, "container %s: its restored process", c->id);
        time_format_now(now);
        c->state = json_pack("{s:s, s:s, s:i, s:I, s:s, s:s, s:s, s:s, s:s, s:O?}", "ociVersion", json_get_str(config, "ociVersion", OCI_VERSION), "id",
                             c->id, "pid", (int) m->process.pid, "start_time", (json_int_t) start, "bundle", m->bundle.path, "rootfs", m->rootfs, "created",
                             now, "owner", "root", "cgroup", m->cgroup_path, "annotations", json_get_object(config, "annotations"));
        if (!c->state)
                return err_set(err, ERR_INVALID, -EINVAL, "container %s: its state is not UTF-8", c->id);
        r = file_write_atomic_at(c->dir_fd, "config.json", m->bundle.text, m->bundle.size, 0600, false);
        if (r < 0)
                return err_errno(err, r, "container %s: config.json", c->id);
        r = container_save(c, err);
        return r < 0 ? r : launch_write_pid_file(m->options, m->process.pid, err);
}

static int restore(struct restoring *m, struct err *err) {
        const json_t *resources = json_object_get(json_object_get(m->bundle.config, "linux"), "resources");
        struct container *c = &m->container;
        const struct cgroup_host *h = NULL;
        int r = container_note_cgroup(c, m->cgroup_path, err);

        if (r == 0)
                r = container_cgroups(c, &h, err);
        if (r == 0)
                r = cgroup_create(h, m->cgroup_path, resources, err);
        if (r < 0)
                return r;
        m->has_cgroup = true;
        r = checkpoint_work_dir(m->options, c, &m->work_fd, err);
        if (r == 0)
                r = run_criu(m, err);
        if (r == 0)
                r = launch_send_console(m->options, &m->process, err);
        if (r == 0)
                r = record(m, err);
        checkpoint_work_done(m->options, c);
        return r < 0 ? r : hooks_after_start(c, err);
}

static void undo(struct restoring *m) {
        if (m->process.pid > 0) {
                kill(m->process.pid, SIGKILL); /* our child, not reaped: its number is still its own */
                while (waitpid(m->process.pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        if (m->has_cgroup)
                cgroup_destroy(m->container.cgroups, m->cgroup_path, NULL);
        container_forget(&m->container, NULL);
}

static int wait_and_delete(struct restoring *m, struct err *err) {
        int status, r;

        container_unlock(&m->container);
        status = foreground_wait(&m->process, NULL, err);
        if (status < 0)
                return status;
        r = container_lock_again(&m->container);
        if (r == 0)
                r = container_destroy(m->options, &m->container, err);
        return r < 0 && r != -ENOENT ? r : status;
}

int command_restore(const struct options *o, char **args, int n_args, struct err *err) {
        struct restoring m = { .options = o, .container = CONTAINER_NONE, .images_fd = -EBADF, .work_fd = -EBADF, .process = { .pidfd = -1, .pty = -1, .release = -1 } };
        int r = prepare(&m, args[0], err);

        if (!o->detach)
                foreground_block();
        if (r == 0)
                r = container_claim(o, args[0], &m.container, err);
        if (r == 0) {
                r = restore(&m, err);
                if (r < 0)
                        undo(&m);
                else if (!o->detach)
                        r = wait_and_delete(&m, err);
        }
        restoring_done(&m);
        return r;
}
