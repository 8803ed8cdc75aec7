/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/hooks.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "engine/internal.h"
#include "engine/spec.h"
#include "runtime/plan/plan.h"

int hooks_seconds(const struct spec *s) {
        const char *name;
        json_t *list, *hook;
        int64_t sum = 0;
        size_t i;

        json_object_foreach(s->cdi_hooks, name, list)
                json_array_foreach(list, i, hook)
                        sum += json_get_int(hook, "timeout", HOOKS_SECONDS);
        return (int) sum;
}

static char *bundle_path(const struct engine *e, const char *id) {
        return str_format("%s/containers/%s/bundle", e->run_root, id);
}

/* Others may walk through, and must know the id for that. */
static int open_the_way(struct engine *e, int run_dir) {
        return fchmod(e->run_fd, 0711) < 0 || fchmod(run_dir, 0711) < 0 ? -errno : 0;
}

static int write_config(int dir, gid_t gid, const json_t *config) {
        auto_fd fd = openat(dir, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        auto_free char *text = json_text(config);
        int r;

        if (fd < 0 || !text)
                return fd < 0 ? -errno : -ENOMEM;
        r = fd_write_all(fd, text, strlen(text));
        return r < 0 ? r : fchown(fd, 0, gid) < 0 || fchmod(fd, 0640) < 0 ? -errno : 0;
}

static void remove_bundle(int run_dir) {
        unlinkat(run_dir, "bundle/config.json", 0);
        unlinkat(run_dir, "bundle/rootfs", AT_REMOVEDIR);
        unlinkat(run_dir, "bundle", AT_REMOVEDIR);
}

static int make(struct engine *e, int run_dir, gid_t gid, const json_t *config) {
        auto_fd dir = -EBADF;
        int r;

        remove_bundle(run_dir); /* of an earlier run whose end was not dealt with to the end */
        r = open_the_way(e, run_dir);
        if (r < 0)
                return r;
        if (mkdirat(run_dir, "bundle", 0700) < 0 || (dir = openat(run_dir, "bundle", O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC)) < 0 || mkdirat(dir, "rootfs", 0755) < 0)
                return -errno;
        r = write_config(dir, gid, config);
        return r < 0 ? r : fchown(dir, 0, gid) < 0 || fchmod(dir, 0750) < 0 ? -errno : 0;
}

int hooks_make_bundle(struct engine *e, const char *id, int run_dir, uint32_t first_id, json_t *config, char **ret_bundle, char **ret_place, struct err *err) {
        auto_free char *bundle = bundle_path(e, id), *place = bundle ? str_format("%s/rootfs", bundle) : NULL;
        int r;

        if (!place || json_object_set_new(json_object_get(config, "root"), "path", json_string(place)) < 0)
                return err_errno(err, -ENOMEM, "bundle of container %.12s", id);
        r = make(e, run_dir, first_id, config);
        if (r < 0)
                return err_errno(err, r, "bundle of container %.12s", id);
        *ret_bundle = take_ptr(&bundle);
        *ret_place = take_ptr(&place);
        return 0;
}

static int run(struct engine *e, const json_t *config, const char *list, const char *id, pid_t pid, const char *status, void (*warn)(const struct err *err, void *data), struct err *err) {
        auto_free char *bundle = bundle_path(e, id);
        auto_json *state = NULL;

        if (!json_array_size(json_object_get(json_object_get(config, "hooks"), list)))
                return 0;
        state = bundle ? plan_state(config, id, bundle, pid, status) : NULL;
        return state ? plan_run_hooks(config, list, state, bundle, warn, (void *) id, err) : err_errno(err, -ENOMEM, "hooks.%s", list);
}

int hooks_before_start(struct engine *e, const json_t *config, const char *id, pid_t pid, struct err *err) {
        int r = run(e, config, "prestart", id, pid, "creating", NULL, err);

        return r < 0 ? r : run(e, config, "createRuntime", id, pid, "creating", NULL, err);
}

static void warn(const struct err *err, void *data) {
        log_warning("container %.12s: %s", (const char *) data, err->msg);
}

void hooks_after_start(struct engine *e, const json_t *config, const struct container_row *row) {
        struct err err;

        if (run(e, config, "poststart", row->id, row->pid, "running", warn, &err) < 0)
                warn(&err, (void *) row->id);
}

void hooks_after_stop(struct engine *e, const char *id) {
        auto_free char *name = str_format("%s/bundle/config.json", id), *text = NULL;
        auto_json *config = NULL;
        struct err err;
        size_t size;
        int r = name ? file_read_at(e->run_fd, name, ENGINE_JSON_MAX, &text, &size) : -ENOMEM;

        if (r == -ENOENT)
                return;
        r = r < 0 ? err_errno(&err, r, "bundle") : json_parse(text, size, ENGINE_JSON_MAX, "config.json", &config, &err);
        if (r == 0)
                r = run(e, config, "poststop", id, 0, "stopped", warn, &err);
        if (r < 0)
                warn(&err, (void *) id);
}

void run_directory_remove(struct engine *e, const char *id) {
        auto_fd dir = openat(e->run_fd, id, O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

        if (dir >= 0)
                remove_bundle(dir);
        unlinkat(e->run_fd, id, AT_REMOVEDIR);
}
