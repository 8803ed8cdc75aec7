/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>

struct err;

/* What the image says fills in what the body of create does not: environment, command, user, directory, labels, … `image_config` is the image's
 * "config" object (may be NULL). The body is changed; null fields that the image has nothing for stay null. ERR_INVALID when there is no command in
 * the end. A health check of the image is left out: this version runs none. */
int merge_image(json_t *body, const json_t *image_config, struct err *err);
