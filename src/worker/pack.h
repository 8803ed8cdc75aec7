/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Inside of mode pack: what its two files share. */

#include <dirent.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "worker/tar-writer.h"

struct control_message;

/* Each level holds two open directories. */
enum { PACK_DEPTH_MAX = 255, PACK_CHANGES_FDS = 4 };

/* The path of the member at hand. */
struct pack_path {
        char text[PATH_MAX];
        size_t size;
        unsigned depth;
};
/* *ret_before is what pack_path_pop() wants. ERR_UNSUPPORTED: too long, too deep. */
int pack_path_push(struct pack_path *p, const char *name, size_t *ret_before, struct err *err);
void pack_path_pop(struct pack_path *p, size_t before);

/* A directory for reading, never through a link; or negative errno. */
int pack_open_directory(int dir_fd, const char *name);
void closedirp(DIR **d);

/* pack-changes.c: ops "layer" and "changes". */
int pack_changes(const json_t *job, int control_fd, const struct control_message *m, bool as_layer, struct err *err);
