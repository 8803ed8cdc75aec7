/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The cgroups of containers: made by the daemon itself, or by systemd, as scopes (exec-opts "native.cgroupdriver=systemd"). Whose one is stands in its
 * name, which the container's row keeps: a daemon with the other driver deals with those that live from before. */

#include <jansson.h>

#include "systemd/systemd.h"

struct container_row;
struct cgroup_oom_files;
struct engine;
struct err;

/* "cgroupfs" or "systemd": as `docker info` says it. */
const char *cgroups_driver(const struct engine *e);
/* ERR_UNSUPPORTED: systemd is to make them, and does not run here. */
int cgroups_check_host(const struct engine *e, struct err *err);
/* HostConfig.CgroupParent as the row has it (NULL: the daemon's): with systemd it must be a slice. ERR_INVALID. */
int cgroups_check_parent(const struct engine *e, const char *parent, struct err *err);

/* Where that of a container will be that is started now: into row->cgroup. */
int cgroups_choose(const struct engine *e, struct container_row *row, struct err *err);
/* `path` is what engine_cgroup_path() says. Make it, with its limits: a process may enter. After the first one has, cgroups_settle() lets go of what held
 * the place; SCOPE_HOLDER_NONE is fine. ERR_CONFLICT (-EEXIST or -EBUSY) when there is one. */
int cgroups_make(struct engine *e, const char *path, const json_t *resources, struct scope_holder *ret, struct err *err);
int cgroups_settle(struct engine *e, const char *path, const json_t *resources, struct scope_holder *holder, struct err *err);
int cgroups_update(struct engine *e, const char *path, const json_t *resources, struct err *err);
/* Kill what is in it, and remove it. One that is not there is no error. */
int cgroups_remove(struct engine *e, const char *path, struct err *err);
/* The same, for who wants its name: an empty scope may be gone already, and its name not yet free. */
int cgroups_clear(struct engine *e, const char *path, struct err *err);
/* For the monitor, of one that systemd removes as soon as it is empty: cgroup_oom_files(). Of another: none. */
void cgroups_oom_files(struct engine *e, const char *path, struct cgroup_oom_files *ret);
