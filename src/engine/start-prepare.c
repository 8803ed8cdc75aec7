/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a container, the first half: from what was asked for to a plan. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/str.h"
#include "engine/apparmor.h"
#include "engine/bind-sources.h"
#include "engine/cdi.h"
#include "engine/config.h"
#include "engine/db.h"
#include "engine/endpoints.h"
#include "engine/files.h"
#include "engine/hooks.h"
#include "engine/internal.h"
#include "engine/links.h"
#include "engine/names.h"
#include "engine/peers.h"
#include "engine/ports.h"
#include "engine/projects.h"
#include "engine/runtimes.h"
#include "engine/sandbox-pool.h"
#include "engine/starting.h"
#include "engine/volumes.h"
#include "runtime/namespaces.h"
#include "runtime/plan/plan.h"
#include "storage/storage.h"

int stage_prepare(struct starting *s, struct err *err) {
        struct engine *e = s->e;
        int r;

        r = db_spec(e->db, s->row.id, &s->body, err);
        if (r < 0 || (r = spec_parse(s->body, &s->spec, err)) < 0 || (r = spec_find_devices(&s->spec, err)) < 0 || (r = cdi_apply(&s->spec, e->cdi_dirs, err)) < 0 ||
            (r = spec_find_block_devices(&s->spec, err)) < 0 ||
            (r = runtime_find(e, s->spec.runtime, &s->runtime, err)) < 0)
                return r;
        if (s->spec.init && !e->init_path)
                return err_set(err, ERR_UNSUPPORTED, -ENOENT, "HostConfig.Init: the program kist-init is not installed beside kistd");
        r = cgroups_choose(e, &s->row, err);
        if (r < 0)
                return r;
        s->cgroup = engine_cgroup_path(e, &s->row);
        if (!s->cgroup)
                return err_errno(err, -ENOMEM, "starting container %.12s", s->row.id);
        s->first_id = s->row.id_slot ? e->first_id + s->row.id_slot * ENGINE_ID_RANGE : 0;
        r = storage_container_open(e->storage, s->row.id, &s->dir, err);
        if (r == 0 && s->spec.size_limit)
                r = project_assert_container(e, s->row.id, s->dir, NULL, err);
        if (r < 0)
                return r;
        if (mkdirat(e->run_fd, s->row.id, 0700) < 0 && errno != EEXIST)
                return err_errno(err, -errno, "run directory of container %.12s", s->row.id);
        s->run_dir = openat(e->run_fd, s->row.id, O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (s->run_dir < 0)
                return err_errno(err, -errno, "run directory of container %.12s", s->row.id);
        /* What an earlier run left: a daemon that is started anew must not take it for this one's. */
        unlinkat(s->dir, "exit", 0);
        unlinkat(s->run_dir, "monitor.sock", 0);
        return 0;
}

void stage_undo_prepare(struct starting *s) {
        if (s->hooks_began)
                hooks_after_stop(s->e, s->row.id);
        unlinkat(s->run_dir, "monitor.sock", 0);
        run_directory_remove(s->e, s->row.id);
}

/* Into those of other containers; a network of its own it may still have. */
static int join_namespaces(struct starting *s, struct err *err) {
        struct peer_spaces p;
        int r = peers_open(s->e, &s->spec, &p, err);

        if (r < 0)
                return r;
        memcpy(s->network_id, p.network_id, sizeof(s->network_id));
        s->netns = move_fd(p.netns);
        s->pidns = move_fd(p.pidns);
        s->ipcns = move_fd(p.ipcns);
        if (p.shm >= 0)
                r = spec_add_source(&s->spec, move_fd(p.shm), &s->shm, err);
        if (p.userns < 0)
                s->spec.host_userns = true;
        else if (!s->spec.host_userns) {
                s->userns = move_fd(p.userns);
                s->first_id = p.first_id;
        }
        peers_close(&p);
        if (r < 0)
                return r;
        if (s->netns >= 0 || s->spec.network == SPEC_NETWORK_HOST)
                return 0;
        return namespace_make_netns_in(s->e->namespaces, s->userns, &s->netns, err);
}

int stage_make_namespaces(struct starting *s, struct err *err) {
        bool own_net = s->spec.network != SPEC_NETWORK_HOST;

        if (s->spec.network_of || s->spec.pid_of || s->spec.ipc_of)
                return join_namespaces(s, err);
        s->sandbox = sandbox_pool_take(s->e->sandboxes, &s->spec, s->first_id);
        if (s->sandbox) {
                s->userns = move_fd(s->sandbox->spaces.userns);
                s->netns = move_fd(s->sandbox->spaces.netns);
                return 0;
        }
        if (!s->spec.host_userns)
                return namespace_make(s->e->namespaces, s->first_id, ENGINE_ID_RANGE, &s->userns, own_net ? &s->netns : NULL, err);
        return own_net ? namespace_make_netns(s->e->namespaces, &s->netns, err) : 0;
}

int stage_mount_rootfs(struct starting *s, struct err *err) {
        auto_free char *text = strdup(s->row.diff_ids);
        auto_free char **diff_ids = NULL;
        struct storage_rootfs r = {
                .container_id = s->row.id,
                .userns_fd = s->userns,
                .first_id = s->first_id,
                .ephemeral = s->row.auto_remove,
                /* With --read-only too it is writable until all mount points are made: root.readonly of the plan closes it then. */
        };

        diff_ids = text ? engine_split_lines(text, &r.n_diff_ids) : NULL;
        if (!diff_ids)
                return err_errno(err, -ENOMEM, "layers of container %.12s", s->row.id);
        r.diff_ids = (const char *const *) diff_ids;
        return storage_rootfs_mount(s->e->storage, &r, &s->rootfs, err);
}

int stage_mount_volumes(struct starting *s, struct err *err) {
        return volumes_mount(s->e, &s->spec, s->row.id, s->rootfs, s->userns, s->first_id, err);
}

void stage_forget_volumes(struct starting *s) {
        volumes_unmounted(s->e, s->row.id);
}

int stage_connect_network(struct starting *s, struct err *err) {
        int r = endpoints_connect(s->e, &s->spec, s->netns, s->sandbox ? &s->sandbox->link : NULL, &s->row, err);

        for (size_t i = 0; i < s->row.n_endpoints; i++)
                if (!*s->gateway || s->row.endpoints[i].is_gateway)
                        memcpy(s->gateway, s->row.endpoints[i].gateway, sizeof(s->gateway));
        return r;
}

int stage_find_links(struct starting *s, struct err *err) {
        return links_find(s->e, &s->spec, &s->row, err);
}

void stage_disconnect_network(struct starting *s) {
        endpoints_disconnect(s->e, &s->row);
}

int stage_publish_ports(struct starting *s, struct err *err) {
        return ports_publish(s->e, s->c, &s->spec, &s->row, err);
}

void stage_unpublish_ports(struct starting *s) {
        ports_unpublish(s->e, s->c);
}

/* Where the container has a user namespace, nodes of its own lie in its directory and are mounted: with its ids, and its to change. */
static int make_devices(struct starting *s, struct err *err) {
        for (size_t i = 0; i < s->spec.n_devices_found && !s->spec.host_userns; i++) {
                const struct spec_device *d = &s->spec.devices_found[i];
                char name[CONFIG_DEVICE_NAME_SIZE];

                config_device_name(i, name);
                unlinkat(s->dir, name, 0);
                if (mknodat(s->dir, name, d->mode, makedev(d->major, d->minor)) < 0 || fchownat(s->dir, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
                    fchmodat(s->dir, name, d->mode & 07777, 0) < 0)
                        return err_errno(err, -errno, "device %s for container %.12s", d->host, s->row.id);
        }
        return 0;
}

int stage_write_files(struct starting *s, struct err *err) {
        struct names_resolvers resolvers;
        int r;

        names_resolvers(s->e, &s->row, &resolvers);
        r = files_write(s->dir, &s->spec, &s->row, s->gateway, &resolvers, err);
        if (r == 0)
                r = timezone_write(s->dir, &s->spec, err);
        if (r == 0)
                r = log_driver_prepare(&s->spec, &s->row, &s->log, err);
        if (r == 0)
                r = make_devices(s, err);
        return r < 0 ? r : bind_sources_prepare(s->e, &s->spec, err);
}

int stage_make_plan(struct starting *s, struct err *err) {
        struct plan_options options = {
                .rootfs_by_fd = true,
                .userns_by_fd = s->userns >= 0,
                .netns_by_fd = s->netns >= 0,
                .create_cwd = true,
                .n_source_fds = (unsigned) s->spec.n_source_fds,
                .cgroup_path = s->cgroup,
                .id = s->row.id,
        };
        auto_free char *bundle = NULL, *place = NULL;
        auto_free char *dir = str_format("%s/containers/%s", s->e->root, s->row.id);
        auto_free char *files_dir = *s->network_id ? str_format("%s/containers/%s", s->e->root, s->network_id) : NULL;
        auto_free char *pid_path = s->pidns >= 0 ? str_format("/proc/%d/fd/%d", (int) getpid(), s->pidns) : NULL;
        auto_free char *ipc_path = s->ipcns >= 0 ? str_format("/proc/%d/fd/%d", (int) getpid(), s->ipcns) : NULL;
        struct config_input in = { .spec = &s->spec, .id = s->row.id, .state_dir = dir, .files_dir = files_dir ? files_dir : dir, .init_path = s->e->init_path, .pid_path = pid_path, .ipc_path = ipc_path, .shm_source = s->shm, .apparmor = apparmor_profile(s->e, &s->spec) };
        struct plan_user user = {};
        auto_free char *localtime = NULL;
        auto_json *config = NULL;
        int r;

        if (!dir || (*s->network_id && !files_dir) || (s->pidns >= 0 && !pid_path) || (s->ipcns >= 0 && !ipc_path))
                return err_errno(err, -ENOMEM, "starting container %.12s", s->row.id);
        r = plan_resolve_user(s->rootfs, s->spec.user, s->spec.group_add, &user, err);
        if (r < 0)
                return r;
        in.user = &user;
        in.first_id = s->first_id;
        in.localtime = localtime = *s->spec.timezone ? timezone_target(s->rootfs) : NULL;
        r = config_container(&in, &config, err);
        if (r < 0)
                return r;
        /* Another runtime has a bundle of its own, and runs them itself. */
        if (s->spec.cdi_hooks && !s->runtime) {
                r = hooks_make_bundle(s->e, s->row.id, s->run_dir, s->first_id, config, &bundle, &place, err);
                if (r < 0)
                        return r;
                s->hooked = json_incref(config);
                options.bundle = bundle;
                options.root_place = place;
        }
        r = plan_container(config, &options, &s->plan, err);
        if (r < 0 || !s->runtime)
                return r;
        /* The plan has done its work: what our own runtime refuses is refused with others, too. */
        s->plan = fd_close(s->plan);
        return runtime_plan(s->runtime, &s->spec, s->e->runtime_room, config, s->cgroup, s->first_id, s->netns >= 0, &s->plan, err);
}
