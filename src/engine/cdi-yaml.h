/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A CDI file that is written in YAML, as the JSON that it stands for. By libyaml, with less than YAML has: one document, keys that are texts and
 * each there once, no tags but !!str, no merge keys. Plain words are null, true, false, whole numbers (0x, 0o and a leading 0 say the base), else text: no field
 * of CDI is a fraction. Anchors may be used, as long as the whole, written out, has no more than CDI_YAML_NODES_MAX values. */

#include <jansson.h>
#include <stddef.h>

struct err;

enum { CDI_YAML_NODES_MAX = 65536, CDI_YAML_LEVELS_MAX = 32, CDI_YAML_ANCHORS_MAX = 256 };

/* `what` names the file in messages, which have its line. *ret is the caller's reference; parts of it may be there in several places. ERR_INVALID. */
int cdi_yaml_parse(const char *data, size_t size, const char *what, json_t **ret, struct err *err);
