/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Hooks of a container's OCI configuration, which CDI's files bring: programs of the host's root, run by this process where they are to see the host
 * (prestart, createRuntime, poststart, poststop) and by the executor in the container's namespaces (createContainer, startContainer). They are told
 * of a bundle: RUN-ROOT/containers/ID/bundle with "config.json", which the container's root may read and nobody but the host's may write, and
 * "rootfs", where the root file system lies, in the container's mount namespace only. It is there as long as the container runs, and says to the next daemon, too, what
 * is to be run at its end. */

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

struct container_row;
struct engine;
struct err;
struct spec;

/* What a hook gets that says nothing, and the most; in seconds. */
enum { HOOKS_SECONDS = 30, HOOKS_SECONDS_MAX = 600, HOOKS_MAX = 64 };

/* How long all of them may take. */
int hooks_seconds(const struct spec *s);
/* config: root.path is set. first_id: of the container's ids, 0: the host's. *ret_bundle and *ret_place ("rootfs") are the caller's. */
int hooks_make_bundle(struct engine *e, const char *id, int run_dir, uint32_t first_id, json_t *config, char **ret_bundle, char **ret_place, struct err *err);
/* prestart and createRuntime; stops at the first that fails. pid: the container's process that waits. */
int hooks_before_start(struct engine *e, const json_t *config, const char *id, pid_t pid, struct err *err);
/* poststart: what fails is logged, as in the runtime-spec. */
void hooks_after_start(struct engine *e, const json_t *config, const struct container_row *row);
/* poststop, of a bundle that is there; the same. */
void hooks_after_stop(struct engine *e, const char *id);

/* RUN-ROOT/containers/ID, with the bundle in it. */
void run_directory_remove(struct engine *e, const char *id);
