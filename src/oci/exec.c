/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/exec/exec.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "oci/config.h"
#include "oci/launch.h"
#include "oci/oci.h"
#include "runtime/cgroup/cgroup.h"
#include "runtime/plan/plan.h"

/* --- the process object: a file, or the container's own with changes --- */

static int load_process(const char *path, json_t **ret, struct err *err) {
        auto_free char *text = NULL;
        size_t size;
        int r = file_read_at(AT_FDCWD, path, CONFIG_MAX, &text, &size);

        if (r < 0)
                return err_errno(err, r, "%s", path);
        return json_parse_unsigned(text, size, CONFIG_MAX, path, ret, err);
}

/* "UID[:GID]", strictly: anything else was somebody's root once. */
static int set_user(json_t *process, const char *user, struct err *err) {
        auto_free char *copy = strdup(user);
        char *gid = copy ? strchr(copy, ':') : NULL;
        uint64_t u, g = 0;

        if (!copy)
                return err_errno(err, -ENOMEM, "--user");
        if (gid)
                *gid++ = '\0';
        if (str_to_u64(copy, 0, INT32_MAX, &u) < 0 || (gid && str_to_u64(gid, 0, INT32_MAX, &g) < 0))
                return err_set(err, ERR_INVALID, -EINVAL, "--user %s: not UID or UID:GID", user);
        json_object_set_new(process, "user", json_pack("{s:I, s:I}", "uid", (json_int_t) u, "gid", (json_int_t) g));
        return 0;
}

static int set_groups(json_t *process, const char *groups, struct err *err) {
        auto_free char *copy = strdup(groups);
        json_t *user = json_object_get(process, "user"), *list = json_array();
        char *at = copy, *part;

        while ((part = strsep(&at, ","))) {
                uint64_t gid;

                if (str_to_u64(part, 0, INT32_MAX, &gid) < 0) {
                        json_decref(list);
                        return err_set(err, ERR_INVALID, -EINVAL, "--additional-gids %s: not a list of group ids", groups);
                }
                json_array_append_new(list, json_integer((json_int_t) gid));
        }
        if (!user)
                json_object_set_new(process, "user", user = json_pack("{s:i, s:i}", "uid", 0, "gid", 0));
        json_object_set_new(user, "additionalGids", list);
        return 0;
}

static void set_env(json_t *process, const struct list *env) {
        json_t *list = json_get_array(process, "env");

        if (!list)
                json_object_set_new(process, "env", list = json_array());
        for (size_t i = 0; i < env->n; i++) {
                size_t name = strcspn(env->at[i], "=") + 1, k = json_array_size(list);

                /* The last of a name counts, as in a shell. */
                while (k-- > 0) {
                        const char *old = json_string_value(json_array_get(list, k));

                        if (old && strncmp(old, env->at[i], name) == 0)
                                json_array_remove(list, k);
                }
                json_array_append_new(list, json_string(env->at[i]));
        }
}

static void add_capabilities(json_t *process, const struct list *caps) {
        static const char *const sets[] = { "bounding", "effective", "permitted" };
        json_t *all = json_get_object(process, "capabilities");

        if (caps->n == 0)
                return;
        if (!all)
                json_object_set_new(process, "capabilities", all = json_object());
        for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
                json_t *set = json_get_array(all, sets[i]);

                if (!set)
                        json_object_set_new(all, sets[i], set = json_array());
                for (size_t k = 0; k < caps->n; k++)
                        json_array_append_new(set, json_string(caps->at[k]));
        }
}

static int change_process(const struct options *o, char **command, int n, json_t *process, struct err *err) {
        json_t *argv = json_array();
        int r = 0;

        for (int i = 0; i < n; i++)
                if (json_array_append_new(argv, json_string(command[i])) < 0) {
                        json_decref(argv);
                        return err_set(err, ERR_INVALID, -EINVAL, "argument %d is not UTF-8", i + 1);
                }
        json_object_set_new(process, "args", argv);
        json_object_set_new(process, "terminal", json_boolean(o->tty));
        if (o->cwd)
                json_object_set_new(process, "cwd", json_string(o->cwd));
        if (o->no_new_privs)
                json_object_set_new(process, "noNewPrivileges", json_true());
        set_env(process, &o->env);
        add_capabilities(process, &o->caps);
        if (o->user)
                r = set_user(process, o->user, err);
        if (r == 0 && o->additional_gids)
                r = set_groups(process, o->additional_gids, err);
        return r;
}

static int make_process(const struct options *o, const json_t *config, char **command, int n, json_t **ret, struct err *err) {
        auto_json *process = NULL;
        int r;

        if (o->process) {
                if (n > 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "exec: --process and a command");
                return load_process(o->process, ret, err);
        }
        if (n == 0)
                return err_set(err, ERR_INVALID, -EINVAL, "exec needs a command, or --process");
        process = json_deep_copy(json_object_get(config, "process"));
        if (!process)
                process = json_pack("{s:s}", "cwd", "/");
        r = process ? change_process(o, command, n, process, err) : err_errno(err, -ENOMEM, "exec");
        if (r == 0) {
                *ret = process;
                process = NULL;
        }
        return r;
}

static int start(const struct options *o, struct container *c, const json_t *process, const json_t *config, struct exec_fds *fds,
                 struct exec_process *p, struct err *err) {
        auto_free char *cache_dir = container_filter_cache(o);
        const struct plan_options options = {
                .bundle = json_get_str(c->state, "bundle", NULL),
                .cache_dir = cache_dir,
                .id = c->id,
                .pid = (int) json_get_int(c->state, "pid", 0),
        };
        const struct cgroup_host *h = NULL;
        int r = plan_process(process, config, &options, &fds->plan, err);

        if (r == 0 && *container_cgroup_path(c)) {
                r = container_cgroups(c, &h, err);
                if (r == 0)
                        r = cgroup_open(h, container_cgroup_path(c), fds, err);
        }
        return r < 0 ? r : exec_process(fds, p, err);
}

static int hand_over(const struct options *o, struct exec_process *p, struct err *err) {
        int r = launch_send_console(o, p, err);

        if (r == 0)
                r = launch_write_pid_file(o, p->pid, err);
        if (r < 0) {
                syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
                while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        return r;
}

static int run_in(const struct options *o, struct container *c, const json_t *process, const json_t *config, unsigned preserve, struct err *err) {
        struct exec_fds fds = { .plan = -1, .rootfs = -1, .userns = -1, .netns = -1, .cgroup_v2 = -1, .stdio = { 0, 1, 2 }, .target_pidfd = -1,
                                .listen = -1, .preserve = preserve, .start_fifo = -1 };
        struct exec_process p = { .pidfd = -1, .pty = -1, .release = -1 };
        int r = launch_check_terminal(o, json_get_bool(process, "terminal", false), o->detach, err);

        if (r < 0)
                return r;
        fds.target_pidfd = container_pidfd(c);
        if (fds.target_pidfd < 0)
                return err_set(err, ERR_CONFLICT, fds.target_pidfd, "container not running: %s", c->id);
        if (!o->detach)
                foreground_block();
        r = start(o, c, process, config, &fds, &p, err);
        fd_close(fds.plan);
        fd_close(fds.target_pidfd);
        cgroup_close(&fds);
        if (r == 0)
                report_debug(o, "container %s: process %d executes", c->id, (int) p.pid);
        if (r == 0)
                r = hand_over(o, &p, err);
        if (r == 0 && !o->detach)
                r = foreground_wait(&p, NULL, err);
        fd_close(p.pidfd);
        fd_close(p.pty);
        return r;
}

int command_exec(const struct options *o, char **args, int n_args, struct err *err) {
        auto_container c = CONTAINER_NONE;
        auto_json *config = NULL, *process = NULL;
        enum container_status status;
        unsigned preserve = 0;
        int r = launch_check_options(o, &preserve, err);

        if (r == 0)
                r = container_open(o, args[0], false, &c, err);
        if (r == 0)
                r = container_status(&c, &status, err);
        if (r < 0)
                return r;
        /* In a frozen cgroup it would stop before it has told us anything. */
        if ((status == STATUS_PAUSED && !o->ignore_paused) || status == STATUS_STOPPED)
                return err_set(err, ERR_CONFLICT, -EBUSY, "cannot exec in a %s container: %s", container_status_name(status), c.id);
        r = container_config(&c, &config, err);
        if (r == 0)
                r = make_process(o, config, args + 1, n_args - 1, &process, err);
        if (r == 0)
                launch_fit_host(o, process);
        if (r == 0 && !o->console_socket && json_get_bool(process, "terminal", false))
                foreground_set_size(process);
        return r < 0 ? r : run_in(o, &c, process, config, preserve, err);
}
