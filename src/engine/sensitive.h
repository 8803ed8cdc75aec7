/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Folders and sockets of the host by which a container can become the host's root: bound where they can be written to, by a container whose root is the
 * host's, or has its rights on these files because they are mapped to it (as they are, unless idmap= says otherwise). */

#include <jansson.h>
#include <stdbool.h>

struct engine;
struct err;
struct spec;
struct spec_mount;

/* At create: adds a sentence for each to `warnings`. With the daemon's policy "strict" it is refused instead: ERR_DENIED. */
int sensitive_check(struct engine *e, const struct spec *s, json_t *warnings, struct err *err);
/* At start: opens what a bind mount, or a volume that is one by its options, is going to show, to be mounted from this very fd (O_PATH). With policy
 * "strict" it is looked at once more: ERR_DENIED. Of a source that is missing: the directory in which it would be made, and *ret_missing. Of any other
 * mount *ret is −1. */
int sensitive_open(struct engine *e, const struct spec *s, const struct spec_mount *m, int *ret, bool *ret_missing, struct err *err);
/* The same for a volume's own file system, once it is a mount: it may be one that the host has mounted, too. */
int sensitive_check_mount(struct engine *e, const struct spec *s, const struct spec_mount *m, int mount_fd, struct err *err);
