/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* systemd as the manager of cgroups: each container is a scope, a unit for processes that others have started, in a slice. The talking is done
 * by kist-systemd, a small program of its own: libsystemd cannot be linked statically, and who does not use this driver does not pay for it.
 * Source: org.freedesktop.systemd1(5), systemd.resource-control(5), systemd.slice(5). */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/mem.h"

struct err;

enum { UNIT_NAME_MAX = 255, SETTINGS_OF_SCOPE_MAX = 64 };

struct scope {
        char unit[UNIT_NAME_MAX + 1];  /* "crio-abc.scope" */
        char slice[UNIT_NAME_MAX + 1]; /* "machine-a.slice" */
        bool user;                     /* of the user's manager, not the system's */
};

/* "SLICE:PREFIX:NAME", the form of linux.cgroupsPath with this driver: PREFIX-NAME.scope in SLICE. NULL or "": kist-ID.scope. Without a slice it is
 * system.slice, or user.slice of the user's manager. ERR_INVALID names the field. */
int scope_parse(const char *text, const char *id, bool user, struct scope *ret, struct err *err);
/* Where systemd puts it, relative to its manager's own cgroup: "machine.slice/machine-a.slice/crio-abc.scope". The caller frees; NULL: no memory. */
char *scope_cgroup_path(const struct scope *s);

/* "NAME=VALUE", as kist-systemd takes them. */
struct scope_settings {
        char *at[SETTINGS_OF_SCOPE_MAX];
        size_t n;
};
#define auto_scope_settings __attribute__((cleanup(scope_settings_done))) struct scope_settings
void scope_settings_done(struct scope_settings *s);
/* What the file of a cgroup says, as systemd's property: without it systemd would set its own value when it next looks. A file that no property
 * stands for is nothing: systemd leaves it alone. */
int scope_add_file(struct scope_settings *s, bool v2, const char *file, const char *value, struct err *err);
/* An annotation "org.systemd.property.NAME", value as in GVariant's text format ("uint64 5", "'text'", "true", "['a', 'b']"). Only names of a short list
 * that can neither run anything nor lift a limit (CVE-2024-3154). Other annotations are nothing. */
int scope_add_annotation(struct scope_settings *s, const char *key, const char *value, struct err *err);

/* ERR_UNSUPPORTED: no systemd runs here (or none of this user). */
int scope_check_host(const struct scope *s, struct err *err);

/* Make the scope and wait until it is there. A scope lives while there are processes in it: until scope_release() that is one of ours, which also goes
 * when we die. *ret_cgroup, "a.slice/b.scope" below the mount point of cgroup v2, is the caller's to free.
 * ERR_CONFLICT: a unit of that name is active. */
struct scope_holder {
        int in;
        pid_t pid;
};
#define SCOPE_HOLDER_NONE ((struct scope_holder) { .in = -1 })
int scope_start(const struct scope *s, const struct scope_settings *settings, struct scope_holder *ret, char **ret_cgroup, struct err *err);
void scope_release(struct scope_holder *h);
/* Change properties of a living one. Nothing to change: nothing is called. */
int scope_set(const struct scope *s, const struct scope_settings *settings, struct err *err);
/* A scope whose limits are linux.resources: as its properties, and in the files of its cgroup, for systemd has no property for some and delegates them
 * all (Delegate=yes). annotations: NULL, or those of the container. On failure nothing of it is left.
 * Once the container's first process is in it, scope_settle() lets the holder go, and sets the limit on processes that counted it, too. */
struct cgroup_host;
int scope_make_limited(const struct scope *s, const struct cgroup_host *h, const json_t *resources, const json_t *annotations, struct scope_holder *ret,
                       char **ret_cgroup, struct err *err);
int scope_settle(const struct cgroup_host *h, const char *cgroup, const json_t *resources, struct scope_holder *holder, struct err *err);
/* After cgroup_update(): what systemd is to know of it. */
int scope_update_limits(const struct scope *s, const struct cgroup_host *h, const char *cgroup, const json_t *resources, struct err *err);

/* Kill what is in it, stop it, and let systemd forget that it failed. One that is not there is no error. */
int scope_stop(const struct scope *s, struct err *err);
