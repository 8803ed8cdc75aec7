/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>

struct err;

/* Change an image's "config" by one line of a Dockerfile: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR. ERR_INVALID
 * for any other, and for one that is not well formed. */
int commit_change(json_t *config, const char *line, struct err *err);
