/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* --systemd-cgroup: the container's cgroup is that of a scope. Its name is noted before there is one, as a symlink "scope" in the container's
 * directory whose text is "system/UNIT" or "user/UNIT": who clears up after us must know. */

#include <jansson.h>

#include "systemd/systemd.h"

struct container;
struct err;
struct options;

bool scope_wanted(const struct options *o);
/* Of a new container, from its config. */
int scope_of_config(const struct options *o, const json_t *config, const char *id, struct scope *ret, struct err *err);

/* Make it, with its limits; a process may enter by cgroup_open() of *ret_cgroup (the caller frees). When it has, scope_entered() lets the holder
 * go, and sets the limit that counted it, too. */
int scope_make(struct container *c, const struct scope *s, const json_t *config, struct scope_holder *ret, char **ret_cgroup, struct err *err);
int scope_entered(struct container *c, const json_t *config, const char *cgroup, struct scope_holder *h, struct err *err);

/* For a living one: what `resources` says, to systemd. Nothing when the container has no scope. */
int scope_update(struct container *c, const json_t *resources, struct err *err);
/* Stop the scope that is noted, if one is, and strike the note out. */
int scope_forget(struct container *c, struct err *err);
