/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What an older version of the API calls otherwise, has more or has less. The engine speaks the newest; a table of rules (versions.c) turns its
 * answers into those of the client's version, and the client's requests into what that version means by them.
 * Source: the published changes of the Engine API, version by version. */

#include <jansson.h>

enum version_shape {
        /* answers */
        SHAPE_CONTAINER,      /* GET /containers/NAME/json */
        SHAPE_CONTAINER_LIST, /* an entry of GET /containers/json */
        SHAPE_DISK_USAGE,
        SHAPE_EVENT,
        SHAPE_EXEC,
        SHAPE_IMAGE,
        SHAPE_IMAGE_LIST, /* an entry of it */
        SHAPE_INFO,
        SHAPE_NETWORK,
        SHAPE_STATS,
        SHAPE_VERSION,
        SHAPE_VOLUME,
        /* requests */
        SHAPE_CREATE,
        SHAPE_EXEC_CREATE,
        SHAPE_UPDATE,
        _SHAPE_MAX,
};

/* Changed in place; an array is taken entry by entry. */
void version_apply(enum version_shape shape, unsigned minor, json_t *value);
