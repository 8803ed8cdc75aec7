/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/plan/plan.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtime/plan/private.h"

static void planner_done(struct planner *p) {
        builder_done(&p->builder);
}

/* The one field of the runtime-spec that this version does not do: refused, so that nobody believes in a limit that is not there. */
static int refuse_unsupported(const struct planner *p, struct err *err) {
        int r = field_refuse(json_object_get(p->config, "linux"), "linux", "intelRdt", err);

        if (r < 0 && access("/sys/fs/resctrl/info", F_OK) < 0)
                return err_set(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "linux.intelRdt: this host has no resctrl file system on /sys/fs/resctrl");
        return r;
}

static int check_version(const json_t *config, struct err *err) {
        const char *version = NULL;
        int r = field_string(config, "", "ociVersion", &version, err);

        if (r < 0)
                return r;
        if (!version || strncmp(version, "1.", 2) != 0)
                return err_set(err, ERR_INVALID, -EINVAL, "ociVersion: \"%s\" is not a 1.x version", version ? version : "");
        return 0;
}

/* They are told to hooks, to agents and to whoever asks for the state: all of these expect texts. */
static int check_annotations(const json_t *config, struct err *err) {
        const json_t *annotations = NULL;
        const char *key;
        json_t *value;
        int r = field_object(config, "", "annotations", &annotations, err);

        if (r < 0)
                return r;
        json_object_foreach((json_t *) annotations, key, value)
                if (!json_is_string(value))
                        return err_set(err, ERR_INVALID, -EINVAL, "annotations.%.100s: must be a string", key);
        return 0;
}

static void set_flags(struct planner *p) {
        static const struct {
                size_t option;
                uint32_t flag;
        } rows[] = {
                { offsetof(struct plan_options, rootfs_by_fd), PLAN_ROOTFS_BY_FD },
                { offsetof(struct plan_options, userns_by_fd), PLAN_USERNS_BY_FD },
                { offsetof(struct plan_options, netns_by_fd), PLAN_NETNS_BY_FD },
                { offsetof(struct plan_options, notify_start), PLAN_NOTIFY_START },
                { offsetof(struct plan_options, start_fifo), PLAN_START_FIFO },
                { offsetof(struct plan_options, create_cwd), PLAN_CREATE_CWD },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (*(const bool *) ((const char *) p->options + rows[i].option))
                        p->builder.header.flags |= rows[i].flag;
}

static int run_parts(struct planner *p, int (*const *parts)(struct planner *p, struct err *err), size_t n, struct err *err) {
        for (size_t i = 0; i < n; i++) {
                int r = parts[i](p, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int open_objects(struct planner *p, const json_t *process, struct err *err) {
        int r;

        if (!json_is_object(p->config))
                return err_set(err, ERR_INVALID, -EINVAL, "the configuration is not a JSON object");
        r = field_object(p->config, "", "linux", &p->linux_, err);
        if (r == 0 && !process)
                r = field_object(p->config, "", "process", &p->process, err);
        if (r < 0)
                return r;
        if (process && !json_is_object(process))
                return err_set(err, ERR_INVALID, -EINVAL, "process: must be an object");
        if (process)
                p->process = process;
        if (!p->process)
                return err_set(err, ERR_INVALID, -EINVAL, "process: missing");
        return 0;
}

int plan_container(const json_t *config, const struct plan_options *options, int *ret_fd, struct err *err) {
        /* The order of the steps is that of the parts: the root, what is mounted in it, /dev, names and sysctls, and at last what
         * hides parts of all that. */
        static int (*const parts[])(struct planner *p, struct err *err) = {
                plan_spaces,       plan_root,           plan_mounts,       plan_devices, plan_kernel,
                plan_hidden_paths, plan_process_fields, plan_capabilities, plan_filter,         plan_tuning,  plan_labels,
                plan_net_devices,  plan_hooks,
        };
        __attribute__((cleanup(planner_done))) struct planner p = { .options = options, .config = config };
        int r;

        builder_init(&p.builder, PLAN_CONTAINER);
        set_flags(&p);
        r = open_objects(&p, NULL, err);
        if (r == 0)
                r = check_version(config, err);
        if (r == 0)
                r = check_annotations(config, err);
        if (r == 0)
                r = refuse_unsupported(&p, err);
        if (r == 0)
                r = run_parts(&p, parts, ARRAY_SIZE(parts), err);
        return r < 0 ? r : builder_seal(&p.builder, ret_fd, err);
}

int plan_process(const json_t *process, const json_t *config, const struct plan_options *options, int *ret_fd, struct err *err) {
        static int (*const parts[])(struct planner *p, struct err *err) = {
                plan_spaces_to_join, plan_process_fields, plan_capabilities, plan_filter, plan_tuning, plan_labels,
        };
        __attribute__((cleanup(planner_done))) struct planner p = { .options = options, .config = config };
        int r;

        builder_init(&p.builder, PLAN_PROCESS);
        set_flags(&p);
        /* These are of the making of a container; the running one has them already. */
        p.builder.header.flags &= ~(uint32_t) (PLAN_CREATE_CWD | PLAN_ROOTFS_BY_FD);
        r = open_objects(&p, process, err);
        if (r == 0)
                r = refuse_unsupported(&p, err);
        if (r == 0)
                r = run_parts(&p, parts, ARRAY_SIZE(parts), err);
        return r < 0 ? r : builder_seal(&p.builder, ret_fd, err);
}
